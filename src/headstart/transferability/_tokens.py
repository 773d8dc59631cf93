"""Which words of tagged documents to rank on: there are many, and most of them are outside every entity."""

import numpy as np

from headstart.errors import DataError
from headstart.transferability._inputs import Indices

MOST_WORDS = 5000  # the nearest neighbours of all of them take the square of this
MOST_OF_A_GROUP = 500  # the discriminant without a group takes the square of its words


def word_rows(
    kinds: Indices, groups: Indices, *, most: int = MOST_WORDS, most_each: int = MOST_OF_A_GROUP, seed: int
) -> Indices:
    """Choose words at random: as many of entities as fit, and no more of the others than of those.

    Args:
        kinds: Class of each word of all documents, 0 outside every entity, (W,).
        groups: Number of the group that each word is in, (W,).
        most: How many words at most.
        most_each: How many words of one group at most; half of them outside, half of entities.
        seed: Same seed, same words.

    Returns:
        Their positions among all words, rising.

    Raises:
        DataError: No word is of an entity, or the lengths differ.
    """
    if len(kinds) != len(groups):
        raise DataError(f"expected a group for each of {len(kinds)} words, found {len(groups)}")
    if not (kinds > 0).any():
        raise DataError("expected words of entities to rank on, found none", fix="Mark entities in more documents.")
    rng = np.random.default_rng(seed)
    order = _some_of_each(2 * groups + (kinds == 0), most_each // 2, rng)
    entity, other = order[kinds[order] > 0], order[kinds[order] == 0]
    n_entity = min(len(entity), most - min(len(other), most // 2))
    n_other = min(len(other), n_entity, most - n_entity)
    chosen = [rng.choice(entity, n_entity, replace=False), rng.choice(other, n_other, replace=False)]
    return np.sort(np.concatenate(chosen))


def _some_of_each(cells: Indices, most: int, rng: np.random.Generator) -> Indices:
    """Return the rows of every cell, at most so many of each, drawn by chance."""
    order = rng.permutation(len(cells))
    order = order[np.argsort(cells[order], kind="stable")]
    starts = np.flatnonzero(np.diff(cells[order], prepend=-1))
    place = np.arange(len(order)) - np.repeat(starts, np.diff(np.append(starts, len(order))))
    return np.asarray(order[place < most])
