"""Some of the documents, where all of them are more than choosing a setting needs."""

from typing import Final

import numpy as np

from headstart.data import Dataset, united_groups

ENOUGH_WORDS: Final = 20_000  # to choose the strength of a penalty on


def some_documents(train: Dataset, *, seed: int, words: int = ENOUGH_WORDS, most: int | None = None) -> Dataset:
    """Return whole groups of documents, drawn at random until they hold enough words.

    Args:
        train: Documents.
        seed: Determines the draw.
        words: How many words are enough.
        most: How many documents are enough, or None.

    Returns:
        Some of the documents in their order, or all of them.
    """
    groups = np.asarray(united_groups(train))
    _, number = np.unique(groups, return_inverse=True)
    sizes = np.array([len(item.words) for item in train.items])
    order = np.random.default_rng([seed, len(train)]).permutation(number.max() + 1)
    counted = np.cumsum(np.bincount(number, sizes)[order])
    enough = int(np.searchsorted(counted, words)) + 1
    if most is not None:
        enough = min(enough, int(np.searchsorted(np.cumsum(np.bincount(number)[order]), most)) + 1)
    return train if enough >= len(order) else train.take(np.flatnonzero(np.isin(number, order[:enough])))
