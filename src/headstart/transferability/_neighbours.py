"""Nearest neighbours: every example is told from the others by the labels of those most like it.

Similarity is the cosine of the rows as they are. Neighbours of an example's own group do not count. Equals in
similarity go by row number. The result is the mean over 1, 3 and 5 neighbours: the same for every backbone, where the
best of the three would be chosen on what it scores.
"""

from collections.abc import Sequence
from typing import Final

import numpy as np
import numpy.typing as npt

from headstart.tasks import Kind
from headstart.transferability._inputs import (
    Double,
    Floats,
    Indices,
    Score,
    Target,
    average,
    class_numbers,
    dividing_labels,
    group_numbers,
    mean_score,
    negative_error,
    several_values,
)
from headstart.transferability._spectrum import Spectrum, spectrum_of

SIZES: Final = (1, 3, 5)
_CHUNK: Final = 1 << 22  # similarities held at once


def neighbours(
    features: Spectrum | Floats, y: Target, *, kind: Kind, groups: npt.NDArray[np.generic] | None = None
) -> Score:
    """Return how well the nearest others tell an example, averaged over 1, 3 and 5 of them.

    * Classes: accuracy of the majority vote. Of the classes with most votes the one with the nearest neighbour wins.
      Sizes above the number of examples of the smallest class are left out, which could not win them; 1 stays.
    * Labels: each on its own by majority, the score is the balanced accuracy (mean of the share found of those that
      have it and of those that have not), averaged over the labels that some examples have and some have not; plain
      agreement would reward a rare label never found. Sizes are left out per label. The influence is the derivative of
      that ratio.
    * Values: R2 of the mean of the neighbours' values, 1 - squared error in variances; the influence is its derivative.

    In all of them the neighbours stay as they are when the weights of examples change.

    Args:
        features: F, (N, D), or its decomposition.
        y: Class numbers (N,), indicators (N, C) or values (N,).
        kind: What ``y`` is.
        groups: Group of each example (N,), or None.

    Returns:
        The score, at most 1.

    Raises:
        DataError: Features are not finite, there is nothing to tell apart, all examples are in one group, or the
            lengths differ.
    """
    return told_by(nearest(spectrum_of(features), groups), y, kind=kind)


def told_by(found: Indices, y: Target, *, kind: Kind) -> Score:
    """Return the score of these neighbours (N, K), nearest first; see `neighbours`."""
    n = len(found)
    if kind == "classification":
        numbers = class_numbers(y, n)
        return mean_score(hits(numbers, found, sizes_for(int(np.bincount(numbers).min()))))
    if kind == "multilabel":
        return _label_score(dividing_labels(y, n), found)
    values = several_values(y, n)
    errors = [negative_error(values, values[found[:, :size]].mean(axis=1)) for size in _available(SIZES, found)]
    mean = average(errors)
    return Score(1 + mean.value, mean.influence)


def nearest(spectrum: Spectrum, groups: npt.NDArray[np.generic] | None) -> Indices:
    """Return the row numbers of the most similar others, nearest first, (N, at most 5).

    There are fewer columns where an example has fewer others outside its group.
    """
    rows = spectrum.coordinates
    n = len(rows)
    codes = group_numbers(groups, n)
    own = np.arange(n) if codes is None else codes
    lengths = np.sqrt(np.square(rows).sum(axis=1))
    rows = rows / np.where(lengths > 0, lengths, 1)[:, None]
    width = min(max(SIZES), n - int(np.bincount(own).max()))
    found = np.empty((n, width), dtype=np.intp)
    step = max(1, _CHUNK // n)
    for start in range(0, n, step):
        block = slice(start, min(start + step, n))
        similar = rows[block] @ rows.T
        similar[own[block, None] == own] = -np.inf
        for rank in range(width):
            found[block, rank] = similar.argmax(axis=1)
            np.put_along_axis(similar, found[block, rank : rank + 1], -np.inf, axis=1)
    return found


def sizes_for(smallest: int) -> tuple[int, ...]:
    """Return the numbers of neighbours that can tell a class of so many examples."""
    return tuple(size for size in SIZES if size == 1 or size <= smallest)


def hits(numbers: Indices, found: Indices, sizes: Sequence[int]) -> Double:
    """Return for each example the share of ``sizes`` at which the vote is right.

    Args:
        numbers: Class numbers, (..., N); as many labellings at once as memory allows.
        found: Neighbours, (N, K).
        sizes: Numbers of neighbours; those above K are left out.

    Returns:
        Shares (..., N).
    """
    votes = numbers[..., found]
    used = _available(sizes, found)
    right = [_majority(votes[..., :size]) == numbers for size in used]
    return np.asarray(np.mean(right, axis=0))


def _available(sizes: Sequence[int], found: Indices) -> list[int]:
    return [size for size in sizes if size <= found.shape[1]]


def _majority(votes: Indices) -> Indices:
    """The class with most of the votes (..., K), nearest first; of equals the one of the nearest neighbour."""
    if votes.shape[-1] == 1:
        return votes[..., 0]
    counts = np.stack([(votes == votes[..., k : k + 1]).sum(axis=-1) for k in range(votes.shape[-1])], axis=-1)
    return np.take_along_axis(votes, counts.argmax(axis=-1)[..., None], axis=-1)[..., 0]


def _label_score(labels: Double, found: Indices) -> Score:
    """Balanced accuracy of every label by majority, averaged over the sizes that can tell it and over labels."""
    have = labels.sum(axis=0)
    fewest = np.minimum(have, len(labels) - have)
    scores, uses = np.zeros(labels.shape), np.zeros(labels.shape[1])
    for size in _available(SIZES, found):
        told = (labels[found[:, :size]].mean(axis=1) > 0.5) == labels
        used = (fewest >= size) | (size == 1)
        scores += told * used
        uses += used
    return average([_balanced(column, label == 1) for column, label in zip((scores / uses).T, labels.T, strict=True)])


def _balanced(right: Double, has: npt.NDArray[np.bool_]) -> Score:
    """Mean of the shares right (N,) among the examples that have the label and among those that have not."""
    value, influence = 0.0, np.zeros(len(right))
    for side in (has, ~has):
        share = float(right[side].mean())
        value += share / 2
        influence[side] = (right[side] - share) / (2 * side.mean())
    return Score(value, influence)
