"""Joining items that were cut into windows into what a network takes at once."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from headstart.runtime._aligned import Places


class Joined(NamedTuple):
    """Windows of several items.

    Attributes:
        values: (W, T, ...) padded on the right to the longest.
        real: (W, T) true where nothing is padded.
        owner: (W,) whose each window is.
    """

    values: NDArray[Any]
    real: NDArray[np.bool_]
    owner: NDArray[np.int64]


def join_windows(prepared: Sequence[Sequence[NDArray[Any]]], *, fill: int, dtype: type[np.generic]) -> Joined:
    """Join items that are cut into windows, padded on the right to their longest window.

    Args:
        prepared: The windows of each item, (T, ...) each.
        fill: What fills the rest.
        dtype: Number type of the values.

    Returns:
        All windows, those of the first item first.
    """
    rows = [window for windows in prepared for window in windows]
    lengths = np.array([len(row) for row in rows])
    real = np.arange(lengths.max(initial=0)) < lengths[:, None]
    values = np.full((*real.shape, *rows[0].shape[1:]), fill, dtype=dtype)
    values[real] = np.concatenate(rows)
    owner = np.repeat(np.arange(len(prepared), dtype=np.int64), [len(windows) for windows in prepared])
    return Joined(values, real, owner)


def join_places(items: Sequence[Places], windows: Sequence[int]) -> tuple[NDArray[np.int64], int]:
    """Number the words of several items one after another.

    Args:
        items: The places of each item's words.
        windows: How many windows each item has.

    Returns:
        (K, 3) row of all windows, token in that row, word of all; and how many words there are.
    """
    counts = [int(each[-1, 2]) + 1 if len(each) else 0 for each in items]
    lengths = [len(each) for each in items]
    places = np.concatenate(items).astype(np.int64)
    places[:, 0] += np.repeat(np.cumsum(windows) - windows, lengths)
    places[:, 2] += np.repeat(np.cumsum(counts) - counts, lengths)
    return places, sum(counts)
