"""Which words of tagged sentences to rank on: there are many, and most of them are outside every entity."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import final

import numpy as np

from headstart.errors import DataError
from headstart.transferability._inputs import Indices


@final
@dataclass(frozen=True, eq=False)
class TokenRows:
    """Words to score on.

    Attributes:
        rows: Their positions among all words, rising, (n,).
        groups: The sentence of each, counted through, (n,).
    """

    rows: Indices
    groups: Indices


def token_rows(
    tags: Sequence[str], sentences: Sequence[object], *, most: int = 5000, outside: str = "O", seed: int
) -> TokenRows:
    """Choose words at random: as many of entities as fit, and no more of the others than of those.

    Args:
        tags: Tag of each word of all sentences, (W,).
        sentences: Sentence of each word, (W,).
        most: How many words at most.
        outside: The tag of words that belong to no entity.
        seed: Same seed, same words.

    Returns:
        The words and their sentences, which are their groups.

    Raises:
        DataError: No word has a tag other than ``outside``, or the lengths differ.
    """
    if len(tags) != len(sentences):
        raise DataError(f"expected a sentence for each of {len(tags)} words, found {len(sentences)}")
    is_outside = np.fromiter((tag == outside for tag in tags), dtype=bool, count=len(tags))
    entity, other = np.flatnonzero(~is_outside), np.flatnonzero(is_outside)
    if len(entity) == 0:
        raise DataError(f"expected words with a tag other than {outside!r}, found none")
    rng = np.random.default_rng(seed)
    n_entity = min(len(entity), most - min(len(other), most // 2))
    n_other = min(len(other), n_entity, most - n_entity)
    chosen = [rng.choice(entity, n_entity, replace=False), rng.choice(other, n_other, replace=False)]
    rows = np.sort(np.concatenate(chosen))
    number = {name: i for i, name in enumerate(dict.fromkeys(sentences))}
    return TokenRows(rows, np.array([number[sentences[row]] for row in rows], dtype=np.intp))
