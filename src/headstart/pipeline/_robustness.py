"""Scores of a saved model on corrupted items, beside another model where one is named.

Items are opened a few at a time, and every corruption is made of these in memory: nothing corrupted is written to disk,
and memory follows neither the number of items nor that of corruptions. All models read the very same corrupted items.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from typing import Any, Final, final

import numpy as np
from numpy.typing import NDArray

from headstart import artifact
from headstart.artifact import Artifact
from headstart.corruptions import SEVERITIES, Corruption, corruptions_for, opened, refused_for
from headstart.data import Dataset, Item, Modality, PixelScale, Sound
from headstart.engine import LocalEngine, pick_device
from headstart.errors import OptionError
from headstart.evaluation import Condition, Measured, Robustness, RobustnessGap, robustness, robustness_gap
from headstart.features import Progress
from headstart.model import AdaptedModel
from headstart.pipeline._entities import wider, with_unseen
from headstart.pipeline._options import Say, check_fits, labels_of
from headstart.pipeline._values import plain
from headstart.tasks import Heard, Kind, Task, counts, kind_of

ITEMS: Final = 500
_AT_ONCE: Final[dict[Modality, int]] = {"image": 64, "text": 512, "audio": 64}
_BYTES_AT_ONCE: Final = 64 * 2**20  # of opened items


@dataclass(frozen=True)
class RobustnessOptions:
    """What is measured on corrupted items.

    Attributes:
        items: At most so many test items are corrupted; of more, so many are drawn.
        against: Folders of other models, scored on the same items.
    """

    items: int = ITEMS
    against: tuple[str, ...] = ()


@dataclass(frozen=True)
class Against:
    """Another model on the same corrupted items.

    Attributes:
        model: Its folder's name.
        found: What corruptions cost it.
        gap: This model against it.
    """

    model: str
    found: Robustness
    gap: RobustnessGap


@dataclass(frozen=True)
class RobustnessResult:
    """What corruptions cost a model, and others beside it.

    Attributes:
        found: What they cost it.
        against: The other models.
        n: How many items were corrupted.
        of: How many could have been.
        seed: Of the drawing, the corruptions and the resampling.
        left_out: Corruptions that the task does not allow.
    """

    found: Robustness
    against: tuple[Against, ...]
    n: int
    of: int
    seed: int
    left_out: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """Return the result as JSON values, as ``headstart evaluate --robustness --json`` prints it."""
        others = [
            {
                "model": each.model,
                **_facts(each.found),
                "clean_difference": _measured(each.gap.clean),
                "mean_difference": _measured(each.gap.mean),
                "differences": [_measured(gap) for gap in each.gap.conditions],
                "relative_drop_difference": _measured(each.gap.relative_drop),
                "better": each.gap.better,
                "more_robust": each.gap.more_robust,
                "sentence": each.gap.sentence,
            }
            for each in self.against
        ]
        drawn = {"n": self.n, "of": self.of, "seed": self.seed, "left_out": list(self.left_out)}
        whole: dict[str, Any] = plain({"metric": self.found.metric, **drawn, **_facts(self.found), "against": others})
        return whole


@final
@dataclass(frozen=True)
class _Scored:
    """A model, and what its outputs mean on this data."""

    model: AdaptedModel
    task: Task
    unseen: tuple[str, ...]

    @classmethod
    def of(cls, model: AdaptedModel, labels: Sequence[str]) -> "_Scored":
        return cls(model, *with_unseen(model.task, labels))

    def outputs(self, items: Sequence[Item], *, metric: str) -> NDArray[Any]:
        found: NDArray[Any] = self.model.outputs(items)
        if self.model.task.kind == "transcription" and metric != "log_loss":
            for number, heard in enumerate(found):
                found[number] = _without_frames(heard)
        return wider(found, self.task) if self.unseen else found


def open_others(folders: Sequence[str], dataset: Dataset, *, offline: bool, device: str) -> list[Artifact]:
    """Load the models to compare with.

    Args:
        folders: Model folders.
        dataset: What they are scored on.
        offline: Open no connection.
        device: Where they run.

    Returns:
        The models.

    Raises:
        DataError: One reads another modality.
        OptionError: One does another kind of task.
    """
    others = []
    for folder in folders:
        other = artifact.load(folder, offline=offline)
        check_fits(dataset, other, fix="Compare with a model of the same kind as this one.")
        other.model.backbone.to(pick_device(device))
        others.append(other)
    return others


def measure_robustness(
    saved: Artifact,
    dataset: Dataset,
    options: RobustnessOptions,
    *,
    metric: str,
    others: Sequence[Artifact],
    seed: int,
    progress: Progress,
    say: Say,
) -> RobustnessResult:
    """Score models on items as they are and under every corruption.

    Args:
        saved: The model.
        dataset: The labelled items.
        options: How many items, and beside which models.
        metric: What is scored.
        others: The models named in the options.
        seed: Of the drawing, the corruptions and the resampling.
        progress: Told about every pass.
        say: Told what is left out and what is drawn.

    Returns:
        The scores and paired differences.

    Raises:
        OptionError: Another model has other classes, there are no items to corrupt, or pictures have other channels
            than gray and colours.
    """
    if options.items < 1:
        raise OptionError(f"expected 1 item or more, found {options.items}", where="--robustness-items")
    labels, kind = labels_of(dataset), saved.model.task.kind
    _check_channels(saved)
    models = [_Scored.of(each.model, labels) for each in (saved, *others)]
    _check_classes(models, others)
    y = models[0].task.encode(labels)
    chosen = draw_items(y, options.items, seed=seed)
    some, y = dataset.take(chosen), y[chosen]
    left_out = refused_for(some.modality, kind)
    for sentence in _about(some, dataset, left_out, models=len(models)):
        say(sentence)
    passes = _passes(models, some, kind, metric=metric, seed=seed, progress=progress)
    groups = None if some.groups is None else np.array(some.groups)

    def measured(number: int) -> Robustness:
        return robustness(y, *passes[number], metric=metric, groups=groups, seed=seed)

    against = []
    for number, other in enumerate(others, start=1):
        name = other.folder.name
        gap = robustness_gap(y, passes[0], passes[number], metric=metric, groups=groups, seed=seed, name=name)
        against.append(Against(name, measured(number), gap))
    return RobustnessResult(measured(0), tuple(against), len(some), len(dataset), seed, left_out)


def draw_items(y: NDArray[Any], most: int, *, seed: int) -> NDArray[np.intp]:
    """Draw items that are alike in what they hold: every so many of those sorted by their labels, in random order.

    Args:
        y: N encoded labels. Classes and sets of labels are drawn in proportion, values over their range, texts over
            their number of words, transcripts over their length.
        most: How many to draw.
        seed: Decides which.

    Returns:
        Sorted positions; all where there are no more.
    """
    total = len(y)
    if total <= most:
        return np.arange(total)
    rng, kind = np.random.default_rng(seed), kind_of(y)
    keys: NDArray[Any] = y
    if kind == "multilabel":
        keys = np.unique(y, axis=0, return_inverse=True)[1].reshape(-1)
    elif kind == "tagging":
        keys = counts(y)
    elif kind == "transcription":
        keys = np.char.str_len(y)
    order = np.lexsort((rng.random(total), keys))
    places = ((np.arange(most) + rng.random()) * total / most).astype(np.intp)
    return np.sort(order[np.minimum(places, total - 1)])


def _about(some: Dataset, dataset: Dataset, left_out: Sequence[str], *, models: int) -> Iterator[str]:
    if len(some) < len(dataset):
        drawn = f"{len(some):,} of {len(dataset):,} items, drawn in proportion to their labels"
        yield f"Robustness: on {drawn} (--robustness-items sets how many)."
    if left_out:
        names = ", ".join(left_out)
        yield f"Robustness: without {names}, which would move the characters that entities are marked by."
    passes = 1 + len(SEVERITIES) * len(corruptions_for(some.modality, some.kind))
    under = f" under each of {models} models" if models > 1 else ""
    yield f"Robustness: {passes} passes over {len(some):,} items{under}."


def _check_channels(saved: Artifact) -> None:
    """Refuse pictures of other channels than gray and colours: what blur or JPEG does to them nobody has said."""
    pixels = saved.model.backbone.pixels
    if pixels is not None and not pixels.colours:
        raise OptionError(
            f"corruptions are of gray pictures and of colours, and the model sees {pixels.channels} channels",
            where="--robustness",
            fix="Leave it out.",
        )


def _check_classes(models: Sequence[_Scored], others: Sequence[Artifact]) -> None:
    """Refuse a model whose outputs mean something else; transcripts are texts, whichever characters a model knows."""
    first = models[0].task
    for each, other in zip(models[1:], others, strict=True):
        if first.kind != "transcription" and each.task.classes != first.classes:
            odd = sorted(set(first.classes) ^ set(each.task.classes))[:3]
            raise OptionError(
                f"expected a model of the same classes, found one that differs in {', '.join(map(repr, odd))}",
                where=f"--against {other.folder}",
                fix="Fit both models on the same data.",
            )


def _passes(
    models: Sequence[_Scored], some: Dataset, kind: Kind, *, metric: str, seed: int, progress: Progress
) -> list[tuple[NDArray[Any], list[Condition]]]:
    """Run the models on the items as they are and under every corruption; of each model clean and corrupted outputs."""
    plan = [(each, severity) for each in corruptions_for(some.modality, kind) for severity in SEVERITIES]
    found: list[list[list[NDArray[Any]]]] = [[[] for _ in range(1 + len(plan))] for _ in models]
    done, total = 0, len(some) * (1 + len(plan))
    engine = LocalEngine()
    progress("corrupted items", 0, total)
    for block in _blocks(some, models[0].model.backbone.pixels):
        for number, (corruption, severity) in enumerate([(None, 0), *plan]):
            items = block if corruption is None else list(engine.map(_made(corruption, severity, seed), block))
            for model, parts in zip(models, found, strict=True):
                parts[number].append(model.outputs(items, metric=metric))
            done += len(block)
            progress("corrupted items", done, total)
    return [
        (
            np.concatenate(parts[0]),
            [
                Condition(each.name, severity, each.levels[severity - 1], np.concatenate(part))
                for (each, severity), part in zip(plan, parts[1:], strict=True)
            ],
        )
        for parts in found
    ]


def _made(corruption: Corruption, severity: int, seed: int) -> "partial[Item]":
    return partial(corruption, severity=severity, seed=seed)


def _blocks(some: Dataset, scale: PixelScale | None) -> Iterator[list[Item]]:
    """Open items a few at a time: as many as a window of the network, and no more than fit into some memory."""
    block: list[Item] = []
    held = 0
    for item in LocalEngine().map(partial(opened, modality=some.modality, scale=scale), some.items):
        block.append(item)
        held += _bytes(item)
        if len(block) == _AT_ONCE[some.modality] or held >= _BYTES_AT_ONCE:
            yield block
            block, held = [], 0
    if block:
        yield block


def _bytes(item: Item) -> int:
    if isinstance(item, Sound):
        return item.samples.nbytes
    return 3 * math.prod(item.size) if hasattr(item, "size") else 4 * len(item)


def _without_frames(heard: Heard) -> Heard:
    """Keep what was heard and not the probabilities of its frames, which would fill the memory."""
    return replace(heard, probabilities=heard.probabilities[:0].copy())


def _facts(found: Robustness) -> dict[str, Any]:
    return {
        "clean": _measured(found.clean),
        "corruptions": [
            {
                "corruption": row.corruption,
                "severity": row.severity,
                "level": row.level,
                **_beside_clean(row.score, row.difference),
            }
            for row in found.conditions
        ],
        "by_corruption": {row.corruption: _beside_clean(row.score, row.difference) for row in found.corruptions},
        "mean": _beside_clean(found.mean, found.difference),
        "relative_drop": _measured(found.relative_drop),
    }


def _beside_clean(score: Measured, difference: Measured) -> dict[str, Any]:
    found = _measured(difference)
    return {**_measured(score), "difference": found["value"], "difference_interval": found["interval"]}


def _measured(found: Measured) -> dict[str, Any]:
    return {"value": found.value, "interval": None if found.interval is None else asdict(found.interval)}
