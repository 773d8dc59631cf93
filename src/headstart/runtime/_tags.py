"""From tag probabilities to entities, so that no impossible sequence of tags is ever told: arrays in, entities out.

The model says of each word how probable each tag is. Among the sequences that IOB2 allows (``I-X`` only after ``B-X``
or ``I-X``) the most probable one is taken (Viterbi), under a chain whose only transitions are allowed or not. Under the
same chain the probability of an entity is that of its tags followed by no ``I-`` of its type, summed over all sequences
around it (forward-backward; Rabiner, Proceedings of the IEEE, 1989): a probability of the entity as a whole.

Column 0 is outside; columns 1 + 2 t and 2 + 2 t are the first and the further words of type t.
"""

from collections.abc import Iterator
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

FLOOR: Final = 1e-12
_WORDS: Final = 1 << 16  # decoded at once, padding included

Span = tuple[int, int, int, float]


def allowed(n_tags: int) -> NDArray[np.bool_]:
    """Return which tag may follow which.

    Args:
        n_tags: K.

    Returns:
        (K, K), from row to column.
    """
    out = np.ones((n_tags, n_tags), dtype=bool)
    for inside in range(2, n_tags, 2):
        out[:, inside] = False
        out[[inside - 1, inside], inside] = True
    return out


def best_tags(outputs: NDArray[Any]) -> list[NDArray[np.intp]]:
    """Return the most probable allowed tags of every document.

    Args:
        outputs: (N,) objects, (words, K) probabilities each.

    Returns:
        N arrays of (words,) tag numbers.
    """
    found = [np.empty(0, dtype=np.intp)] * len(outputs)
    for items, p, lengths in _blocks(outputs):
        for item, row, length in zip(items, _viterbi(np.log(p), lengths), lengths, strict=True):
            found[item] = row[:length]
    return found


def decode_entities(outputs: NDArray[Any]) -> list[list[Span]]:
    """Return the entities of every document with their probabilities.

    Args:
        outputs: (N,) objects, (words, K) probabilities each.

    Returns:
        (first word, word after the last, number of the type, probability) of each entity, in order.
    """
    found: list[list[Span]] = [[] for _ in range(len(outputs))]
    for items, p, lengths in _blocks(outputs):
        tags = _viterbi(np.log(p), lengths)
        forward, backward = _passes(p, lengths)
        for row, item in enumerate(items):
            spans = _runs(tags[row, : lengths[row]])
            found[item] = [
                (start, end, kind, _probability(p[row], forward[row], backward[row], (start, end, kind), lengths[row]))
                for start, end, kind in spans
            ]
    return found


def _blocks(outputs: NDArray[Any]) -> Iterator[tuple[list[int], NDArray[np.float64], NDArray[np.intp]]]:
    """Yield documents of like lengths together: their positions, padded probabilities (n, T, K) and lengths."""
    sizes = [len(each) for each in outputs]
    order = sorted((i for i, size in enumerate(sizes) if size), key=lambda i: (sizes[i], i))
    while order:
        fits = [number * sizes[i] <= _WORDS for number, i in enumerate(order, start=1)]
        block = order[: max(1, sum(fits))]  # they are in order of size, so what fits comes first
        order = order[len(block) :]
        lengths = np.array([sizes[i] for i in block])
        p = np.ones((len(block), lengths.max(), outputs[block[0]].shape[1]))
        for row, i in zip(p, block, strict=True):
            row[: sizes[i]] = np.maximum(outputs[i], FLOOR)
        yield block, p, lengths


def _viterbi(scores: NDArray[np.float64], lengths: NDArray[np.intp]) -> NDArray[np.intp]:
    """Return the best allowed tags (n, T) of padded documents; what lies beyond a document's length means nothing."""
    n, longest, k = scores.shape
    steps = np.where(allowed(k), 0.0, -np.inf)
    back = np.zeros((n, longest, k), dtype=np.int32)
    value = np.where(_starts(k) > 0, scores[:, 0], -np.inf)
    for place in range(1, longest):
        paths = value[:, :, None] + steps
        back[:, place] = paths.argmax(axis=1)
        ahead = paths.max(axis=1) + scores[:, place]
        value = np.where((place < lengths)[:, None], ahead, value)
    tags, at, items = np.zeros((n, longest), dtype=np.intp), value.argmax(axis=1), np.arange(n)
    for place in range(longest - 1, -1, -1):
        tags[:, place] = at
        at = np.where(place < lengths, back[items, place, at], at)
    return tags


def _passes(p: NDArray[np.float64], lengths: NDArray[np.intp]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return scaled forward and backward sums (n, T, K); at every place, together they give the marginals."""
    longest, k = p.shape[1:]
    may = allowed(k).astype(np.float64)
    forward, backward = np.empty_like(p), np.ones_like(p)
    forward[:, 0] = p[:, 0] * _starts(k)
    forward[:, 0] /= forward[:, 0].sum(axis=1, keepdims=True)
    for place in range(1, longest):
        forward[:, place] = (forward[:, place - 1] @ may) * p[:, place]
        forward[:, place] /= forward[:, place].sum(axis=1, keepdims=True)
    for place in range(longest - 2, -1, -1):
        onward = (p[:, place + 1] * backward[:, place + 1]) @ may.T
        onward /= onward.max(axis=1, keepdims=True)
        backward[:, place] = np.where((place + 1 < lengths)[:, None], onward, 1.0)
    return forward, backward


def _probability(
    p: NDArray[np.float64],
    forward: NDArray[np.float64],
    backward: NDArray[np.float64],
    span: tuple[int, int, int],
    length: int,
) -> float:
    """Return the share of all allowed sequences, by their weight, in which exactly this span is exactly this entity.

    The weight of the span is what leads to its first word, times its tags, times what may follow but for an ``I-`` of
    its type; that of everything is the same sum over any tags at its first word. Both are scaled alike up to there.
    """
    start, end, kind = span
    first, inside = 1 + 2 * kind, 2 + 2 * kind
    may = allowed(p.shape[1]).astype(np.float64)
    # From the first word on: one column follows the entity's tags, one sums over all tags; rescaled together.
    entity = np.zeros(p.shape[1])
    entity[first] = forward[start, first]
    every = forward[start].copy()
    for place in range(start + 1, end):
        onward = np.zeros_like(entity)
        onward[inside] = entity.sum() * p[place, inside]
        every = (every @ may) * p[place]
        scale = every.sum()
        entity, every = onward / scale, every / scale
    if end == length:
        return float(entity.sum() / every.sum())
    after = p[end] * backward[end]
    goes_on = may.copy()
    goes_on[[first, inside], inside] = 0.0
    return float((entity @ goes_on) @ after / ((every @ may) @ after))


def _starts(n_tags: int) -> NDArray[np.float64]:
    """Tell with 1 which tags a document may begin with: all but those that continue an entity."""
    starts = np.ones(n_tags)
    starts[2::2] = 0.0
    return starts


def _runs(tags: NDArray[np.intp]) -> list[tuple[int, int, int]]:
    """Return first word, word after the last and number of the type of every entity in allowed tags."""
    begins = np.flatnonzero(tags % 2 == 1)
    spans = []
    for start in begins:
        end = start + 1
        while end < len(tags) and tags[end] == tags[start] + 1:
            end += 1
        spans.append((int(start), int(end), int(tags[start] - 1) // 2))
    return spans
