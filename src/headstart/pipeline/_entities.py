"""Entities that were scored: what is wrong with them, and examples of it in their sentences."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np

from headstart.data import Dataset, Document, LeftOut
from headstart.errors import OptionError
from headstart.evaluation import Fold, Score, metric_name
from headstart.evaluation.entities import MATCHES, Match, Mistake, match_entities
from headstart.pipeline._options import Say
from headstart.pipeline._privacy import cut_short
from headstart.report import TaggedText, write_entities
from headstart.tasks import Entity, Kind, Ragged, Tagging, Task, entities_of, ragged

PAGE: Final = "entities.html"
EXAMPLES: Final = 2  # of each kind of mistake
_AROUND: Final = 6  # words on each side of an example


@dataclass(frozen=True)
class Example:
    """A mistake in its sentence.

    Attributes:
        place: Where the text came from.
        match: What is wrong.
        marked: First character, character after the last, and type of what is true; None where nothing is.
        predicted: The same of what was predicted, with its probability; None where nothing was.
        context: The words around it, with both sides in brackets behind it.
    """

    place: str
    match: Match
    marked: tuple[int, int, str] | None
    predicted: tuple[int, int, str, float] | None
    context: str

    def to_dict(self, *, texts: bool = True) -> dict[str, Any]:
        """Return it as JSON values, on request without the words of the text."""
        values = {
            "place": self.place,
            "match": self.match,
            "marked": self.marked and list(self.marked),
            "predicted": self.predicted and list(self.predicted),
        }
        return {**values, "context": self.context} if texts else values


@dataclass(frozen=True)
class EntityErrors:
    """What is right and wrong with the entities that were scored.

    Attributes:
        matches: How often each kind of match occurs.
        examples: The surest mistakes of each kind.
        interval_over: What the interval of the score draws: ``groups`` (documents, where they are marked) or ``items``.
        drawn: How many of them.
    """

    matches: Mapping[Match, int]
    examples: tuple[Example, ...]
    interval_over: Literal["groups", "items"]
    drawn: int

    def to_dict(self, *, texts: bool = True) -> dict[str, Any]:
        """Return it as JSON values, on request without any words of the texts: where the model is shipped."""
        return {
            "matches": dict(self.matches),
            "interval_over": self.interval_over,
            "drawn": self.drawn,
            "examples": [example.to_dict(texts=texts) for example in self.examples],
        }


def tagged_texts(dataset: Dataset, folds: Sequence[Fold], task: Task) -> list[TaggedText]:
    """Put what is marked and what was predicted beside each other; of an item scored several times the first.

    Args:
        dataset: The documents.
        folds: Predictions; of all documents in their order where they do not say of which.
        task: What the tags mean.

    Returns:
        The scored documents, in the order of the data.
    """
    found: dict[int, TaggedText] = {}
    for fold in folds:
        items = np.arange(len(dataset)) if fold.items is None else fold.items
        new = [row for row, item in enumerate(items) if int(item) not in found]
        told = task.decode(fold.probabilities[new])
        for row, entities in zip(new, told, strict=True):
            item = int(items[row])
            marked = entities_of([task.classes[tag] for tag in fold.y[row]])
            found[item] = TaggedText(dataset.places[item], dataset.items[item], tuple(marked), tuple(entities))
    return [found[item] for item in sorted(found)]


def entity_errors(texts: Sequence[TaggedText], folds: Sequence[Fold]) -> EntityErrors:
    """Count what is right and wrong, and choose examples.

    Args:
        texts: Scored documents.
        folds: The predictions they are from.

    Returns:
        The counts and examples.
    """
    matches, mistakes = match_entities([text.marked for text in texts], [text.predicted for text in texts])
    groups = [fold.groups for fold in folds if fold.groups is not None]
    drawn = len(np.unique(np.concatenate(groups))) if groups else len(texts)
    return EntityErrors(matches, tuple(_examples(texts, mistakes)), "groups" if groups else "items", drawn)


def with_unseen(task: Task, labels: Sequence[str]) -> tuple[Task, tuple[str, ...]]:
    """Add the types that data marks and a model never saw: their entities can only be missed, which is to be counted.

    Args:
        task: What the model knows.
        labels: The data's labels.

    Returns:
        The task, with these types behind its own, and their names; the task itself where there are none.
    """
    if not isinstance(task, Tagging):
        return task, ()
    here = Tagging.from_labels(labels).types
    unseen = tuple(name for name in here if name not in task.types)
    return (Tagging((*task.types, *unseen)) if unseen else task), unseen


def note_on_unseen(unseen: Sequence[str]) -> str:
    """Say which types were never seen in training."""
    return f"Never seen in training, so every entity of it is missed: {', '.join(map(repr, unseen))}."


def wider(outputs: Ragged, task: Task) -> Ragged:
    """Give the probabilities of words a column for every tag of a task; what was added is never predicted.

    Args:
        outputs: (N,) objects, (words, K) probabilities.
        task: With K tags or more, the further ones behind them.

    Returns:
        (N,) objects, a column for each of its tags.
    """
    more = task.n_outputs - (outputs[0].shape[1] if len(outputs) else 0)
    return ragged(np.pad(each, ((0, 0), (0, more))) for each in outputs)


def unquoted(message: str, kind: Kind) -> str:
    """Cut off what a message about tagged texts or transcripts quotes of them: what was found, or an example.

    Args:
        message: A note, or why an item was left out.
        kind: Of the task; messages about others quote no texts.

    Returns:
        The message, or its beginning.
    """
    if kind not in ("tagging", "transcription"):
        return message
    return cut_short(message)


def without_quotes(left_out: Sequence[LeftOut], kind: Kind) -> list[LeftOut]:
    """Cut off what reasons to leave items out quote of texts, as `unquoted` does."""
    return [replace(item, reason=unquoted(item.reason, kind)) for item in left_out]


def write_page(texts: Sequence[TaggedText], folder: Path, *, title: str, score: Score, say: Say) -> None:
    """Write the page of highlighted texts into a model folder; the model is worth having without it."""
    low, high = score.interval.low, score.interval.high
    name, value = metric_name(score.metric), f"{score.value:.3f} [{low:.3f}, {high:.3f}]"
    facts = [f"{name} {value} on {score.n:,} texts that were not trained on."]
    try:
        write_entities(texts, folder / PAGE, title=title, facts=facts)
    except OptionError as error:
        say(f"No page of the texts: {error}")


def _examples(texts: Sequence[TaggedText], mistakes: Sequence[Mistake]) -> Iterator[Example]:
    """Yield the surest mistakes of each kind, no two of one kind from one text where others have some."""
    for match in MATCHES:
        of_kind = sorted((each for each in mistakes if each.match == match), key=_surety)
        firsts = {each.document: each for each in reversed(of_kind)}  # the surest of each text
        others = [each for each in of_kind if firsts[each.document] is not each]
        for each in [*sorted(firsts.values(), key=_surety), *others][:EXAMPLES]:
            yield _example(texts[each.document], each)


def _surety(mistake: Mistake) -> float:
    return 0.0 if mistake.predicted is None else -mistake.predicted.probability


def _example(text: TaggedText, mistake: Mistake) -> Example:
    document, marked, told = text.document, mistake.marked, mistake.predicted
    return Example(
        text.name,
        mistake.match,
        None if marked is None else (*document.span(marked.start, marked.end), marked.type),
        None if told is None else (*document.span(told.start, told.end), told.type, told.probability),
        _context(document, mistake),
    )


def _context(document: Document, mistake: Mistake) -> str:
    """Write the entity with what is wrong behind it, among the words around it: ``said [Alan Turing](PER, missed)``."""
    shown = mistake.marked or mistake.predicted
    assert shown is not None
    first, last = max(0, shown.start - _AROUND), min(len(document.words), shown.end + _AROUND)
    start, stop = document.span(first, last)
    begin, end = document.span(shown.start, shown.end)
    before, after = document.text[start:begin], document.text[end:stop]
    pieces = ["... " * (first > 0), before, f"[{document.text[begin:end]}]({_wrong(document, mistake)})", after]
    return " ".join("".join([*pieces, " ..." * (last < len(document.words))]).split())


def _wrong(document: Document, mistake: Mistake) -> str:
    marked, told = mistake.marked, mistake.predicted
    if marked is None or told is None:
        return f"{_type(marked or told)}, {'missed' if told is None else 'predicted, not marked'}"
    start, end = document.span(told.start, told.end)
    words = "" if mistake.match == "wrong type" else f'"{document.text[start:end]}"'
    kind = "" if mistake.match == "wrong border" else told.type
    return f"{marked.type}, predicted {' '.join(filter(None, (kind, words)))}"


def _type(entity: Entity | None) -> str:
    return "" if entity is None else entity.type
