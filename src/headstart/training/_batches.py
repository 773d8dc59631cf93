"""Which rows make up a batch: pure functions of (seed, step), so that a resumed run draws the same ones."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from headstart.errors import OptionError


@final
@dataclass(frozen=True)
class Batches:
    """An endless sequence of batches.

    Attributes:
        per_epoch: After how many batches every row has been drawn about once.
        rows: Step number, from 0, to the positions of the rows in that batch.
    """

    per_epoch: int
    rows: Callable[[int], NDArray[np.intp]]


def epochs(n: int, size: int, seed: int) -> Batches:
    """Draw every row once per epoch, in a fresh order each time.

    The last batch of an epoch is short where the size does not divide n; a single row would be left, it joins the batch
    before it, because contrasts and BatchNorm statistics need two.

    Args:
        n: How many rows there are.
        size: Rows per batch.
        seed: Determines the orders.

    Returns:
        The batches.
    """
    _check(n, size)
    full, rest = divmod(n, size)
    per_epoch = max(1, full + (rest > 1))
    order = lru_cache(2)(lambda epoch: np.random.default_rng([seed, epoch]).permutation(n))

    def rows(step: int) -> NDArray[np.intp]:
        epoch, position = divmod(step, per_epoch)
        end = n if position == per_epoch - 1 else (position + 1) * size
        return order(epoch)[position * size : end].copy()

    return Batches(per_epoch, rows)


def balanced(y: ArrayLike, size: int, seed: int) -> Batches:
    """Draw equal numbers per class, for contrastive learning and for rare classes.

    Classes take turns in one fixed random order across batches, so in every batch their numbers differ by at most one,
    and over time by none. Within a class every row is drawn once before any is drawn again, in a fresh order each time;
    a batch repeats a row only where it holds more draws of a class than are left of a round.

    Args:
        y: (n,) class of every row.
        size: Rows per batch.
        seed: Determines the orders.

    Returns:
        The batches; an epoch is as many as draw the largest class once.
    """
    labels = np.asarray(y)
    _check(len(labels), size)
    names = np.random.default_rng([seed]).permutation(np.unique(labels))
    members = [np.flatnonzero(labels == name) for name in names]
    order = lru_cache(2 * len(members))(
        lambda turn, again: np.random.default_rng([seed, turn, again]).permutation(members[turn])
    )

    def row(slot: int) -> int:
        draw, turn = divmod(slot, len(members))
        again, position = divmod(draw, len(members[turn]))
        return int(order(turn, again)[position])

    def rows(step: int) -> NDArray[np.intp]:
        return np.array([row(slot) for slot in range(step * size, (step + 1) * size)], dtype=np.intp)

    return Batches(-(-max(map(len, members)) * len(members) // size), rows)


def _check(n: int, size: int) -> None:
    if n < 1 or size < 1:
        raise OptionError(f"expected at least 1 row and batches of at least 1, found {n} rows and size {size}")
