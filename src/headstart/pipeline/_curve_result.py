"""What `curve` may be told, and what it returns."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

from headstart.backbones import Backbone
from headstart.evaluation import CurvePoint, Estimate, LabelSaving
from headstart.pipeline._values import plain
from headstart.tasks import Kind

MORE: Final = 100  # labels, of what the next ones would bring


def unit_of(kind: Kind) -> str:
    """Return what the sizes of a curve count, in the plural."""
    return {"tagging": "labelled texts", "transcription": "transcribed recordings"}.get(kind, "labels")


@dataclass(frozen=True)
class CurveOptions:
    """What `curve` may be told besides the data.

    Attributes:
        backbone: Address of the pretrained network, or a loaded one; by default one that needs no network.
        metric: The score to plot; where None accuracy, of labels micro F1, of values RMSE, of entities their F1, of
            transcripts the word error rate.
        budget: Seconds until the curve must be there; ten minutes where None.
        seeds: How many draws of the training examples, at least 2.
        sizes: The numbers of labels to try, rising; about six from the fewest to ``most`` where None.
        most: The largest number of labels, or of labelled texts with entities or transcribed recordings, tried; all of
            the training part where None.
        seed: Every random choice comes from it.
        offline: Open no connection.
        device: ``auto``, ``cpu``, ``cuda`` or ``mps``.
        resplit: Split anew by group where groups straddle the given split.
        allow_straddling: Keep a given split that groups straddle.
    """

    backbone: str | Backbone | None = None
    metric: str | None = None
    budget: float | None = None
    seeds: int = 3
    sizes: tuple[int, ...] | None = None
    most: int | None = None
    seed: int = 0
    offline: bool = False
    device: str = "auto"
    resplit: bool = False
    allow_straddling: bool = False


@dataclass(frozen=True)
class CurveResult:
    """Scores against the number of labels, and what they say.

    Attributes:
        points: By arm (``probe``, ``finetuned``, ``scratch``), by rising number of labels; one where the metric is not
            defined is missing.
        transfer: The arm that stands for transfer, chosen inside the training part.
        saving: How many labels the head start saves; None where scratch was left out or learnt nothing.
        sentence: The same in words.
        gain: What 100 more labels would bring; None where there are too few sizes.
        gaining: The arm this is about: transfer, or the probe where that was measured with more labels.
        next_sentence: The same in words.
        metric: What was scored.
        task: Modality and kind.
        backbone: The pretrained network.
        n_test: Examples of the test part.
        how: ``test`` (given) or ``holdout`` (held out by us).
        seconds: From the start to the end.
        late: Seconds by which the budget was exceeded.
        picture: The picture written, or None.
        notes: What was inferred, decided or given up.
        unit: What the sizes count: ``labels``, ``labelled texts`` where a text has several entities, or ``transcribed
            recordings``.
    """

    points: Mapping[str, tuple[CurvePoint, ...]]
    transfer: str
    saving: LabelSaving | None
    sentence: str
    gain: Estimate | None
    gaining: str
    next_sentence: str
    metric: str
    task: str
    backbone: str
    n_test: int
    how: str
    seconds: float
    late: float = 0.0
    picture: Path | None = None
    notes: tuple[str, ...] = field(default=())
    unit: str = "labels"

    def to_dict(self) -> dict[str, Any]:
        """Return the result as JSON values, as ``headstart curve --json`` prints it."""
        saving = self.saving
        saved = {name: getattr(saving, name, None) for name in ("factor", "bound", "n", "N", "level")}
        ends = [None, None] if saving is None else asdict(saving.interval)
        points = [
            {"arm": arm, "n": p.n, "value": p.value, "interval": asdict(p.interval), "values": list(p.values)}
            for arm, points in self.points.items()
            for p in points
        ]
        following = {
            "gain": None if self.gain is None else self.gain.value,
            "interval": [None, None] if self.gain is None else asdict(self.gain.interval),
            "arm": self.gaining,
            "sentence": self.next_sentence,
        }
        values = {
            "task": self.task,
            "backbone": self.backbone,
            "metric": self.metric,
            "unit": self.unit,
            "points": points,
            "transfer": self.transfer,
            "label_saving": saved | {"interval": ends, "sentence": self.sentence},
            f"next_{MORE}": following,
            "test": {"n": self.n_test, "how": self.how},
            "seconds": self.seconds,
            "seconds_over_budget": self.late,
            "picture": None if self.picture is None else str(self.picture),
            "notes": self.notes,
        }
        return {name: plain(value) for name, value in values.items()}
