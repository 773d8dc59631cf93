"""Scores of entities: tag numbers and tag probabilities of the words of N documents in, numbers out; and what is wrong.

``counts`` is as in `headstart.evaluation.metrics`; a document drawn twice counts twice with all its words and entities.
What is predicted are the most probable valid tags (`headstart.tasks.best_tags`), the same that predictions tell.

* An entity is **right** if its first word, its last word and its type are: strict, as seqeval counts in its mode
  ``strict`` under ``IOB2``, against which the tests check it. The score is that of all entities together (micro).
* A **partial** match is worth one half, as in MUC-5 (Chinchor and Sundheim, MUC-5 Evaluation Metrics, 1993): an entity
  predicted with other borders that shares a word with a true one of the same type. Matches are one to one and as many
  as possible: an entity found in three pieces has one partial match, and two pieces too many.

Decoding and tallying cost as much as thousands of resamples, so the last few pairs of labels and predictions are
remembered: by their arrays, which are held and so cannot give way to others, and must not be changed in place.
"""

from collections import Counter, deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from operator import is_
from typing import Any, Final, Literal, Self, TypeAlias, cast, final

import numpy as np
import numpy.typing as npt

from headstart.errors import DataError
from headstart.evaluation._ratios import Score, mean_where, ratio
from headstart.linear import PROBABILITY_FLOOR
from headstart.tasks import Entity, Ragged, best_tags, flat
from headstart.tasks import counts as sizes_of

Floats: TypeAlias = npt.NDArray[np.floating[Any]]
Indices: TypeAlias = npt.NDArray[np.intp]
Counts: TypeAlias = npt.NDArray[np.float64]
Match: TypeAlias = Literal["exact", "wrong type", "wrong border", "wrong type and border", "missed", "spurious"]

MATCHES: Final[tuple[Match, ...]] = (
    "exact",
    "wrong type",
    "wrong border",
    "wrong type and border",
    "missed",
    "spurious",
)
_REMEMBERED: Final = 4


def entity_f1(y: Ragged, p: Ragged, counts: Counts | None = None) -> Score:
    """Return the F1 of all entities together; undefined where none is marked and none is predicted."""
    right, actual, predicted = entity_tallies(y, p, counts)
    return ratio(2 * right.sum(axis=-1), (actual + predicted).sum(axis=-1))


def entity_precision(y: Ragged, p: Ragged, counts: Counts | None = None) -> Score:
    """Return the share of predicted entities that are right; undefined where none is predicted."""
    right, _, predicted = entity_tallies(y, p, counts)
    return ratio(right.sum(axis=-1), predicted.sum(axis=-1))


def entity_recall(y: Ragged, p: Ragged, counts: Counts | None = None) -> Score:
    """Return the share of marked entities that are found; undefined where none is marked."""
    right, actual, _ = entity_tallies(y, p, counts)
    return ratio(right.sum(axis=-1), actual.sum(axis=-1))


def macro_f1(y: Ragged, p: Ragged, counts: Counts | None = None) -> Score:
    """Return the mean F1 of the types that occur in ``y`` or among the predictions."""
    right, actual, predicted = entity_tallies(y, p, counts)
    return mean_where(ratio(2 * right, actual + predicted), actual + predicted > 0)


def partial_f1(y: Ragged, p: Ragged, counts: Counts | None = None) -> Score:
    """Return the F1 of all entities together in which a partial match is worth one half."""
    tallies = _Tallies.of(y, p)
    times = _times(tallies, counts)
    worth = times @ (tallies.right + tallies.partial / 2).sum(axis=1)
    return ratio(2 * worth, times @ (tallies.actual + tallies.predicted).sum(axis=1))


def token_accuracy(y: Ragged, p: Ragged, counts: Counts | None = None) -> Score:
    """Return the share of words whose predicted tag is right."""
    tallies = _Tallies.of(y, p)
    times = _times(tallies, counts)
    return ratio(times @ tallies.right_words, times @ tallies.words)


def word_log_loss(y: Ragged, p: Ragged, counts: Counts | None = None) -> Score:
    """Return the mean over words of -ln(probability of the right tag), probabilities clipped below at 1e-7."""
    tallies = _Tallies.of(y, p)
    times = _times(tallies, counts)
    return ratio(times @ tallies.losses, times @ tallies.words)


def entity_tallies(y: Ragged, p: Ragged, counts: Counts | None) -> tuple[Floats, Floats, Floats]:
    """Entities of each type that are right, marked, and predicted, (..., T)."""
    tallies = _Tallies.of(y, p)
    times = _times(tallies, counts)
    return times @ tallies.right, times @ tallies.actual, times @ tallies.predicted


def f1_gains(y: Ragged, before: Ragged, after: Ragged) -> Floats:
    """Return what each document adds to a gain in F1; their mean is the F1 of ``after`` minus that of ``before``.

    With r right, m marked and p predicted entities, F1 is 2 r / (m + p) over all documents. Document i adds
    N (2 (r_i' - r_i) - F (p_i' - p_i)) / D, where F is the mean of both scores and D that of both sums m + p. The gain
    is exactly the mean of these, and their spread that of the linearised gain.

    Args:
        y: (N,) objects, the tag numbers of each document.
        before: (N,) objects, the tag probabilities of one model.
        after: Those of another.

    Returns:
        (N,) gains; zeros where neither F1 is defined.
    """
    one, other = _Tallies.of(y, before), _Tallies.of(y, after)
    totals = [float((each.actual + each.predicted).sum()) for each in (one, other)]
    if not any(totals):
        return np.zeros(len(y))
    # Where only one predicts anything and nothing is marked, the other's score is that of no right entity: 0.
    scores = [2 * float(each.right.sum()) / max(total, 1.0) for each, total in zip((one, other), totals, strict=True)]
    right, told = (other.right - one.right).sum(axis=1), (other.predicted - one.predicted).sum(axis=1)
    return np.asarray(len(y) * (2 * right - float(np.mean(scores)) * told) / float(np.mean(totals)))


def types_of(classes: Sequence[str]) -> list[str]:
    """Return the names of the types that the tags of a task are of: O, B-a, I-a, B-b, I-b give a, b."""
    return [tag[2:] for tag in classes[1::2]]


def marked_entities(y: Ragged, n_types: int) -> npt.NDArray[np.int64]:
    """Return how many entities of each type every document has, (N, T).

    Args:
        y: (N,) objects, the tag numbers (words,) of each document.
        n_types: T.

    Returns:
        The numbers.
    """
    sizes = sizes_of(y)
    spans = _spans(flat(y) if len(y) else np.empty(0, dtype=np.intp), sizes)
    return _per_document(spans, sizes, n_types).astype(np.int64)


@final
@dataclass(frozen=True)
class Mistake:
    """An entity that was not found as it is marked, or that is not there.

    Attributes:
        document: Number of the document.
        match: What is wrong with it.
        marked: What is true; None of a spurious entity.
        predicted: What was told instead; None of a missed entity.
    """

    document: int
    match: Match
    marked: Entity | None
    predicted: Entity | None


def match_entities(
    marked: Sequence[Sequence[Entity]], predicted: Sequence[Sequence[Entity]]
) -> tuple[dict[Match, int], list[Mistake]]:
    """Count what is right and wrong with predicted entities, and tell each mistake.

    Every entity is in one match at most. The same words of the same type are exact; the same words of another type are
    a wrong type; of the others, those that share a word have a wrong border if they are of one type, else a wrong type
    and border; what is left is missed or spurious.

    Args:
        marked: The true entities of N documents, in order, no two of a document sharing a word.
        predicted: The predicted entities of the same documents, alike.

    Returns:
        How often each of `MATCHES` occurs, and all but the exact ones in the order of the text.

    Raises:
        DataError: There are not as many documents of both.
    """
    if len(marked) != len(predicted):
        raise DataError(f"expected the predicted entities of {len(marked)} documents, found {len(predicted)}")
    every = [
        Mistake(number, match, true, told)
        for number, (own, guesses) in enumerate(zip(marked, predicted, strict=True))
        for match, true, told in _matches(own, guesses)
    ]
    found = Counter(each.match for each in every)
    return {match: found[match] for match in MATCHES}, [each for each in every if each.match != "exact"]


def _matches(marked: Sequence[Entity], predicted: Sequence[Entity]) -> list[tuple[Match, Entity | None, Entity | None]]:
    found: list[tuple[Match, Entity | None, Entity | None]] = []
    guessed = {(told.start, told.end): told for told in predicted}
    # Entities on the same words share none with any other, so these matches take nothing from what is matched later.
    for true in marked:
        told = guessed.get((true.start, true.end))
        if told is not None:
            found.append(("exact" if told.type == true.type else "wrong type", true, told))
    for kind in [*sorted({true.type for true in marked}), None]:
        own, guesses = (_left(entities, found, side) for side, entities in ((1, marked), (2, predicted)))
        alike = [[each for each in side if kind in (None, each.type)] for side in (own, guesses)]
        match: Match = "wrong type and border" if kind is None else "wrong border"
        found += [(match, alike[0][i], alike[1][j]) for i, j in _pairs(*alike)]
    found += [("missed", true, None) for true in _left(marked, found, 1)]
    found += [("spurious", None, told) for told in _left(predicted, found, 2)]
    return sorted(found, key=lambda each: min(side.start for side in each[1:] if side is not None))


def _left(entities: Sequence[Entity], found: Sequence[tuple[Any, ...]], side: int) -> list[Entity]:
    """The entities that are in no match yet."""
    taken = {match[side].start for match in found if match[side] is not None}
    return [each for each in entities if each.start not in taken]


def _pairs(own: Sequence[Sequence[Any]], guesses: Sequence[Sequence[Any]]) -> Iterator[tuple[int, int]]:
    """Pair spans (start, end, ...) that share a word, each side in order, one to one and as many as possible.

    Of the first two, the one that ends first can share words with no later span of the other side. So pairing it now,
    if they overlap, costs no pair.
    """
    i = j = 0
    while i < len(own) and j < len(guesses):
        a, b = own[i], guesses[j]
        overlaps = a[0] < b[1] and b[0] < a[1]
        if overlaps:
            yield i, j
        ahead = a[1] <= b[1]
        i, j = i + (overlaps or ahead), j + (overlaps or not ahead)


@final
@dataclass(frozen=True)
class _Tallies:
    """What each document adds to the scores.

    Attributes:
        arrays: The arrays of labels and predictions that these are the tallies of.
        right: Entities of each type predicted exactly, (N, T).
        partial: Partial matches of each type, (N, T).
        actual: Entities of each type marked, (N, T).
        predicted: Entities of each type predicted, (N, T).
        words: Words, (N,).
        right_words: Words with the right tag, (N,).
        losses: Sum of the losses of the words, (N,).
    """

    arrays: tuple[Any, ...]
    right: Floats
    partial: Floats
    actual: Floats
    predicted: Floats
    words: Floats
    right_words: Floats
    losses: Floats

    @classmethod
    def of(cls, y: Ragged, p: Ragged) -> Self:
        arrays = (*y, *p)
        for known in tuple(_MEMORY):
            if len(known.arrays) == len(arrays) and all(map(is_, known.arrays, arrays)):
                return cast(Self, known)
        found = cls._count(y, p, arrays)
        _MEMORY.append(found)
        return found

    @classmethod
    def _count(cls, y: Ragged, p: Ragged, arrays: tuple[Any, ...]) -> Self:
        tags, outputs, sizes = _checked(y, p)
        n_types, document = (outputs.shape[1] - 1) // 2, np.repeat(np.arange(len(y)), sizes)
        guesses = np.concatenate(best_tags(p))
        marked, told = _spans(tags, sizes), _spans(guesses, sizes)
        exact, partly = _compared(marked, told, n_types)
        right, partial, actual, predicted = (
            _per_document(spans, sizes, n_types) for spans in (marked[exact], marked[partly], marked, told)
        )
        losses = -np.log(np.maximum(outputs[np.arange(len(tags)), tags], PROBABILITY_FLOOR))
        words, right_words, summed = (
            np.bincount(document, values, minlength=len(y)).astype(np.float64)
            for values in (np.ones(len(tags)), tags == guesses, losses)
        )
        return cls(arrays, right, partial, actual, predicted, words, right_words, summed)


_MEMORY: Final[deque[Any]] = deque(maxlen=_REMEMBERED)


def _times(tallies: _Tallies, counts: Counts | None) -> Counts:
    return np.ones(len(tallies.words)) if counts is None else counts


def _checked(y: Ragged, p: Ragged) -> tuple[Indices, Floats, Indices]:
    """Return the tags of all words, their probabilities, and how many words each document has."""
    if len(y) == 0 or len(y) != len(p):
        raise DataError(f"expected the probabilities of {len(y)} documents, one or more, found {len(p)}")
    sizes, outputs = sizes_of(y), flat(p)
    if outputs.ndim != 2 or outputs.shape[1] % 2 == 0 or not np.array_equal(sizes, sizes_of(p)):
        wrong = np.flatnonzero(sizes != sizes_of(p))[:1].tolist()
        where = f", first in document {wrong[0]}" if wrong else ""
        raise DataError(
            f"expected 1 + 2 * types probabilities of each of {sizes.sum()} words, found {outputs.shape}{where}"
        )
    if not np.isfinite(outputs).all():
        raise DataError(f"expected finite probabilities, found {int((~np.isfinite(outputs)).sum())} that are not")
    tags = flat(y).astype(np.intp)
    if len(tags) and not 0 <= tags.min() <= tags.max() < outputs.shape[1]:
        raise DataError(f"expected tag numbers from 0 to {outputs.shape[1] - 1}, found {tags.min()} to {tags.max()}")
    return tags, outputs, sizes


def _spans(tags: npt.NDArray[Any], sizes: Indices) -> Indices:
    """Entities as first word, word after the last, and type, (E, 3); words are numbered through all documents."""
    within = (tags > 0) & (tags % 2 == 0)
    within[1:] &= (tags[:-1] == tags[1:]) | (tags[:-1] == tags[1:] - 1)
    first = np.cumsum(sizes) - sizes
    within[first[first < len(tags)]] = False
    begins = np.flatnonzero((tags > 0) & ~within)
    ends = np.flatnonzero((tags > 0) & ~np.append(within[1:], False)) + 1
    return np.stack([begins, ends, (tags[begins] - 1) // 2], axis=1).astype(np.intp)


def _compared(marked: Indices, told: Indices, n_types: int) -> tuple[Indices, Indices]:
    """Which marked entities are predicted exactly, and which partly."""
    exact = {tuple(span) for span in marked.tolist()} & {tuple(span) for span in told.tolist()}
    known, guessed = (np.array([tuple(span) in exact for span in side.tolist()], dtype=bool) for side in (marked, told))
    partly: list[int] = []
    for number in range(n_types):
        own, guesses = (
            np.flatnonzero(~is_exact & (side[:, 2] == number)) for is_exact, side in ((known, marked), (guessed, told))
        )
        partly += [int(own[i]) for i, _ in _pairs(marked[own].tolist(), told[guesses].tolist())]
    return np.flatnonzero(known), np.array(partly, dtype=np.intp)


def _per_document(spans: Indices, sizes: Indices, n_types: int) -> Floats:
    """How many spans of each type every document has, (N, T)."""
    document = np.searchsorted(np.cumsum(sizes), spans[:, 0], side="right")
    places = document * n_types + spans[:, 2]
    return np.bincount(places, minlength=len(sizes) * n_types).reshape(len(sizes), n_types).astype(np.float64)
