"""Which scored examples have the worst answers, and a small copy of each to show: bounded, and apart from the model."""

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, final

import numpy as np
from numpy.typing import NDArray

from headstart.data import Dataset, Item, PixelScale, read_image, read_images
from headstart.errors import HeadstartError
from headstart.evaluation import Fold, match_entities
from headstart.model import AdaptedModel
from headstart.pipeline._mistakes import Mistakes
from headstart.pipeline._weighed import weighed
from headstart.report import TaggedText, beginning, spectrogram_bytes, thumbnail, wav_bytes, worst_clips
from headstart.tasks import Task

MOST: Final = {"image": 12, "text": 12, "audio": 6}  # items
MOST_TEXTS: Final = 10  # with entities
MOST_RECORDINGS: Final = 5  # with transcripts
_CLIP: Final = 5.0  # seconds of a recording with a class
_SPOKEN: Final = 10.0  # of one with a transcript
_EXCERPT: Final = 500  # characters
_WORDS: Final = 150  # of a text with entities
_LEAD: Final = 20  # words before the first mistake in a part of a longer one
_TOP: Final = 3  # classes named beside an answer


@final
@dataclass(frozen=True, eq=False)
class Answered:
    """Scored items, each once: of one scored several times the first answer counts.

    Attributes:
        items: (n,) positions in the data set.
        y: (n,) or (n, C): what is true, as the task encodes it.
        outputs: (n, ...) what was predicted.
        once: Whether none was scored several times.
    """

    items: NDArray[np.intp]
    y: NDArray[Any]
    outputs: NDArray[Any]
    once: bool

    @classmethod
    def of(cls, folds: Sequence[Fold]) -> "Answered":
        """Join folds.

        Args:
            folds: One test part, or outer folds that say which items they hold.

        Returns:
            The items, in their order.
        """
        items = np.concatenate([np.arange(len(f.y)) if f.items is None else f.items for f in folds])
        y, outputs = (np.concatenate([getattr(f, name) for f in folds]) for name in ("y", "probabilities"))
        found, first = np.unique(items, return_index=True)
        return cls(found.astype(np.intp), y[first], outputs[first], len(found) == len(items))


def worst_examples(dataset: Dataset, folds: Sequence[Fold], mistakes: Mistakes, model: AdaptedModel) -> dict[str, Any]:
    """Choose scored examples with the worst answers and keep of each what a page shows.

    Args:
        dataset: The examples.
        folds: Predictions of those that were scored.
        mistakes: What is wrong with texts and transcripts.
        model: What answers; words of texts are weighed by it.

    Returns:
        JSON values: the kind, a sentence, and the items.

    Raises:
        DataError: A recording cannot be read any more.
        MissingExtraError: matplotlib is missing or broken.
    """
    task, scale = model.task, model.backbone.pixels
    if task.kind == "tagging":
        return _tagged(mistakes.texts)
    if task.kind == "transcription":
        clips = worst_clips(mistakes.recordings, most=MOST_RECORDINGS, seconds=_SPOKEN)
        said = f"{len(clips)} of {len(mistakes.recordings):,} scored recordings, those with most errors first."
        return {"kind": task.kind, "said": said, "items": [clip.to_dict() for clip in clips]}
    answered = Answered.of(folds)
    answers, wrong = _ANSWERS[task.kind](answered, task)
    order = np.argsort([-answer["wrong_by"] for answer in answers], kind="stable")[: MOST[dataset.modality]]
    items = []
    for place in order.tolist():
        position, answer = int(answered.items[place]), dict(answers[place])
        del answer["wrong_by"]
        items.append(answer | {"place": dataset.places[position]} | _content(dataset, position, scale))
    if task.kind == "classification" and dataset.modality == "text":
        told = [task.classes.index(each["told"]) for each in items]
        for each, marks in zip(items, weighed(model, [each["text"] for each in items], told), strict=True):
            each["marks"] = [list(mark) for mark in marks]
    n = len(answers)
    said = f"{wrong:,} of {n:,} scored items are wrong; shown are the worst." if wrong is not None else ""
    if task.kind == "classification":
        said = f"{wrong:,} of {n:,} scored items are wrong; shown are those of which the model was surest."
        said = (
            said
            if wrong
            else f"None of {n:,} scored items is wrong; shown are those of which the model was least sure."
        )
    return {"kind": task.kind, "said": said or f"The largest errors among {n:,} scored items.", "items": items}


def _classes(answered: Answered, task: Task) -> tuple[list[dict[str, Any]], int]:
    y, p = answered.y, answered.outputs
    told, names = p.argmax(axis=1), task.classes
    found = []
    for true, said, row in zip(y.tolist(), told.tolist(), p, strict=True):
        top = [[names[k], float(row[k])] for k in np.argsort(-row)[:_TOP].tolist()]
        sure = float(row[said])
        wrong_by = sure if said != true else -sure  # the surest of the wrong ones first, then the least sure
        found.append({"true": names[true], "told": names[said], "p": sure, "top": top, "wrong_by": wrong_by})
    return found, int((told != y).sum())


def _labels(answered: Answered, task: Task) -> tuple[list[dict[str, Any]], int]:
    found, off_at_all = list[dict[str, Any]](), 0
    for true, told, row in zip(answered.y, task.decode(answered.outputs), answered.outputs, strict=True):
        real = [name for name, has in zip(task.classes, true, strict=True) if has]
        missed, wrong = [name for name in real if name not in told], [name for name in told if name not in real]
        labels = {"right": [name for name in told if name in real], "missed": missed, "wrong": wrong}
        off = float(np.abs(row - true).sum())
        found.append({"labels": labels, "wrong_by": len(missed) + len(wrong) + off / (len(row) + 1)})
        off_at_all += bool(missed or wrong)
    return found, off_at_all


def _values(answered: Answered, task: Task) -> tuple[list[dict[str, Any]], None]:
    rows = zip(answered.y.tolist(), task.decode(answered.outputs), strict=True)
    return [{"true": f"{y:.4g}", "told": f"{p:.4g}", "wrong_by": abs(y - p)} for y, p in rows], None


_ANSWERS: Final[Mapping[str, Any]] = {"classification": _classes, "multilabel": _labels, "regression": _values}


def _content(dataset: Dataset, position: int, scale: PixelScale | None) -> dict[str, Any]:
    """Keep a small copy of an item; of one that cannot be read any more, why."""
    item = dataset.items[position]
    if dataset.modality == "text":
        text = str(item)
        return {"text": text if len(text) <= _EXCERPT else f"{text[:_EXCERPT]} ..."}
    try:
        return _picture(item, scale) if dataset.modality == "image" else _clip(item)
    except HeadstartError as error:
        return {"problem": error.problem}


def _picture(item: Item, scale: PixelScale | None) -> dict[str, Any]:
    image = read_image(item) if scale is None else read_images(item, scale)[0]
    source, width, height = thumbnail(image)
    return {"picture": source, "width": width, "height": height}


def _clip(item: Item) -> dict[str, Any]:
    samples, rate = beginning(item, _CLIP + 0.5)
    whole = len(samples) / rate
    samples = samples[: round(_CLIP * rate)] if whole >= _CLIP + 0.5 else samples
    return {
        "audio": base64.b64encode(wav_bytes(samples, rate)).decode(),
        "spectrogram": base64.b64encode(spectrogram_bytes(samples, rate)).decode(),
        "rate": rate,
        "seconds": len(samples) / rate,
        "cut": whole > len(samples) / rate,
    }


def _tagged(texts: Sequence[TaggedText]) -> dict[str, Any]:
    _, mistakes = match_entities([text.marked for text in texts], [text.predicted for text in texts])
    wrong = np.bincount([each.document for each in mistakes], minlength=len(texts))
    first: dict[int, int] = {}
    for each in mistakes:
        side = each.marked or each.predicted
        if side is not None:
            first[each.document] = min(side.start, first.get(each.document, side.start))
    order = np.argsort(-wrong, kind="stable")[:MOST_TEXTS].tolist()
    said = f"{len(order)} of {len(texts):,} scored texts, those with most mistakes first."
    return {"kind": "tagging", "said": said, "items": [_part(texts[i], first.get(i, 0)) for i in order]}


def _part(text: TaggedText, first: int) -> dict[str, Any]:
    """Keep a text, of a long one the part in which its first mistake is."""
    words, whole = text.document.words, text.document.text
    low = max(0, first - _LEAD) if len(words) > _WORDS else 0
    high = min(len(words), low + _WORDS)
    start, end = (words[low][0], words[high - 1][1]) if len(words) > _WORDS else (0, len(whole))
    sides = {
        side: [
            [e.start - low, e.end - low, e.type, e.probability] for e in entities if low <= e.start and e.end <= high
        ]
        for side, entities in (("marked", text.marked), ("predicted", text.predicted))
    }
    cut = " (a part)" if len(words) > _WORDS else ""
    return {
        "place": text.name + cut,
        "text": whole[start:end],
        "words": [[a - start, b - start] for a, b in words[low:high]],
        **sides,
    }
