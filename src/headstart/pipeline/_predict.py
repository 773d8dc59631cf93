"""Predict: new items through a saved model."""

from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from headstart import artifact
from headstart.artifact import Artifact
from headstart.backbones import Backbone
from headstart.data import ImageFacts, Item, SoundFacts, load_items
from headstart.engine import pick_device
from headstart.errors import DataError
from headstart.model import AdaptedModel
from headstart.pipeline._confidence import NOTHING_ASKED, Promised, Wanted
from headstart.pipeline._options import Say, say_nothing
from headstart.pipeline._pixels import NewPixels
from headstart.pipeline._rates import LowRates
from headstart.runtime import answer_rows, span_row, transcript_row

PREDICT_AT_ONCE = 2048
TRANSCRIBE_AT_ONCE = 64  # minutes of work


def load(folder: str | Path, *, backbone: Backbone | str | None = None, offline: bool = False) -> Artifact:
    """Load a model folder; see `headstart.artifact.load`."""
    return artifact.load(folder, backbone=backbone, offline=offline)


def predict(
    folder: str | Path | Artifact,
    inputs: Sequence[str | Path],
    *,
    text: str | None = None,
    wanted: Wanted = NOTHING_ASKED,
    backbone: Backbone | str | None = None,
    device: str = "auto",
    offline: bool = False,
    say: Say = say_nothing,
) -> Iterator[dict[str, Any]]:
    """Predict new items, a few at a time so that memory stays bounded.

    Args:
        folder: The model folder, or a loaded one.
        inputs: Files, folders, manifests, ``.txt`` files of one text a line (for a model of entities of one document),
            or ``-`` for lines on standard input.
        text: Column of the texts in a manifest.
        wanted: What the answers of a classifier are to promise.
        backbone: Where the backbone of a slim model lies, if not where it was.
        device: Where the network runs.
        offline: Open no connection.
        say: Told what is odd about the inputs, one sentence at a time.

    Yields:
        Per item in input order ``{"input", "label", "probabilities"}``, of several labels ``{"input", "labels",
        "probabilities"}``, of values ``{"input", "value"}``, of entities ``{"input", "spans", "texts"}``, of speech
        ``{"input", "transcript", "words"}``; or ``{"input", "error"}`` in its place. A span is ``[start, end, type,
        probability]``, in characters (Unicode code points) of the input's own text, the end exclusive; ``texts`` are
        its characters. A word is ``[start, end, word, probability]``, in seconds of the recording. Where the model
        folder knows them, also ``set``, the classes that hold the right one as often as wanted, most probable first;
        ``novelty``, the share of training examples that are less unusual; and ``abstain``, where an error rate is
        wanted.

    Raises:
        OptionError: Something is wanted that the model cannot promise.
    """
    saved = folder if isinstance(folder, Artifact) else artifact.load(folder, backbone=backbone, offline=offline)
    saved.model.backbone.to(pick_device(device))
    promised = Promised.of(saved.confidence, saved.model.task, wanted)
    for note in promised.notes():
        say(note)
    modality, kind = saved.model.backbone.modality, saved.model.task.kind
    low, new = LowRates(saved.data), NewPixels(saved.model.backbone)

    def look(name: str, facts: ImageFacts | SoundFacts) -> None:
        low.look(name, facts)
        new.look(name, facts)

    items = load_items(inputs, modality, text=text, kind=kind, look=look, say=say)
    found = iter([(name, new.judged(name, item)) for name, item in items])
    low.tell(say)
    new.tell(say)
    at_once = TRANSCRIBE_AT_ONCE if kind == "transcription" else PREDICT_AT_ONCE
    while some := list(islice(found, at_once)):
        yield from _predict_some(saved, some, promised)


def _predict_some(saved: Artifact, some: Sequence[tuple[str, Any]], promised: Promised) -> Iterator[dict[str, Any]]:
    good = [item for _, item in some if not isinstance(item, DataError)]
    rows = iter(answers(saved.model, good, promised))
    for place, item in some:
        if isinstance(item, DataError):
            yield {"input": place, "error": str(item)}
            continue
        yield {"input": place, **next(rows)}


def answers(
    model: AdaptedModel, items: Sequence[Item], promised: Promised, *, documents: Sequence[Any] | None = None
) -> list[dict[str, Any]]:
    """Put what is predicted under the names that programs read; outputs are kept for a few items at a time.

    Args:
        model: Predicts.
        items: As the model's backbone reads them.
        promised: What is said beside each answer.
        documents: Of entities, what their offsets are in; the items themselves where None.

    Returns:
        A row for each item, as `predict` yields it, without its input.
    """
    given = items if documents is None else documents
    found: list[dict[str, Any]] = [{}] * len(items)
    for positions, features, outputs in model.looks_each(items):
        some = [given[position] for position in positions]
        said = zip(_named(model, some, outputs), promised.rows(features, outputs), strict=True)
        for position, (answer, beside) in zip(positions.tolist(), said, strict=True):
            found[position] = answer | beside
    return found


def _named(model: AdaptedModel, items: Sequence[Item], outputs: NDArray[Any]) -> Iterator[dict[str, Any]]:
    task = model.task
    if task.kind == "tagging":
        yield from (span_row(item, found) for item, found in zip(items, task.decode(outputs), strict=True))
    elif task.kind == "transcription":
        seconds = model.backbone.frame_seconds
        assert seconds is not None, "a backbone of whole recordings"
        yield from (transcript_row(heard, seconds) for heard in outputs)
    else:
        yield from answer_rows(task.kind, task.classes, outputs)
