"""Some of the documents or recordings, where all of them are more than choosing a setting needs."""

from dataclasses import replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from headstart.data import Dataset, Indices, united_groups

ENOUGH_WORDS: Final = 20_000  # to choose the strength of a penalty on; of recordings, frames


def some_documents(
    train: Dataset, rows_each: NDArray[np.intp], *, seed: int, words: int = ENOUGH_WORDS, most: int | None = None
) -> Dataset:
    """Return whole groups of documents, drawn at random until they hold enough words.

    Args:
        train: Documents or recordings; where some are lent, half of what is drawn is.
        rows_each: (N,) how many words or frames each has.
        seed: Determines the draw.
        words: How many words or frames are enough.
        most: How many documents are enough, or None.

    Returns:
        Some of the documents in their order, or all of them.
    """
    chosen = some_positions(train, rows_each, seed=seed, words=words, most=most)
    return train if len(chosen) == len(train) else train.take(chosen)


def some_positions(
    train: Dataset, rows_each: NDArray[np.intp], *, seed: int, words: int = ENOUGH_WORDS, most: int | None = None
) -> Indices:
    """Return the positions of what `some_documents` returns, rising."""
    every = (train.own, np.setdiff1d(np.arange(len(train)), train.own))
    sides = [side for side in every if len(side)]
    each, number = words // len(sides), None if most is None else max(1, most // len(sides))
    drawn = [side[_drawn(replace(train.take(side), lent=None), rows_each[side], seed, each, number)] for side in sides]
    return np.sort(np.concatenate(drawn))


def _drawn(train: Dataset, sizes: NDArray[np.intp], seed: int, words: int, most: int | None) -> Indices:
    groups = np.asarray(united_groups(train))
    _, number = np.unique(groups, return_inverse=True)
    order = np.random.default_rng([seed, len(train)]).permutation(number.max() + 1)
    counted = np.cumsum(np.bincount(number, sizes)[order])
    enough = int(np.searchsorted(counted, words)) + 1
    if most is not None:
        enough = min(enough, int(np.searchsorted(np.cumsum(np.bincount(number)[order]), most)) + 1)
    return np.arange(len(train)) if enough >= len(order) else np.flatnonzero(np.isin(number, order[:enough]))
