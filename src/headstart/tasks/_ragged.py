"""Columns whose items have several rows each: one array per item, held in an array of objects.

Tagging has a row for every word of a document. Kept item by item, such columns are indexed, split and resampled like
any other; only what fits, scores or decodes looks inside.
"""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Ragged = NDArray[Any]  # (N,) of objects, each an array of the item's rows


def ragged(parts: Iterable[Any]) -> Ragged:
    """Put what belongs to every item, mostly its rows, into one column.

    Args:
        parts: N arrays of (rows, ...), alike but for their number of rows, or N other objects.

    Returns:
        (N,) objects.
    """
    kept = list(parts)
    column = np.empty(len(kept), dtype=object)
    for number, part in enumerate(kept):  # numpy would make a matrix of items of one length
        column[number] = part
    return column


def is_ragged(values: NDArray[Any]) -> bool:
    """Tell whether items have several rows each."""
    return values.dtype == object


def flat(values: Ragged) -> NDArray[Any]:
    """Return the rows of all items, one item after another; a plain column is returned as it is."""
    if not is_ragged(values):
        return values
    return np.concatenate(list(values)) if len(values) else np.empty(0)


def counts(values: Ragged) -> NDArray[np.intp]:
    """Return how many rows each item has, (N,)."""
    return np.fromiter(map(len, values), dtype=np.intp, count=len(values))


def cut(rows: NDArray[Any], sizes: Sequence[int] | NDArray[np.intp]) -> Ragged:
    """Cut rows into items, which undoes `flat`.

    Args:
        rows: (R, ...) rows of all items.
        sizes: How many each item has; R together.

    Returns:
        (N,) objects.
    """
    return ragged(np.split(rows, np.cumsum(sizes)[:-1])) if len(sizes) else ragged([])


def unknown(y: NDArray[Any], n_outputs: int) -> NDArray[Any]:
    """Return outputs that are still to be filled in.

    Args:
        y: N encoded labels.
        n_outputs: K.

    Returns:
        (N, K) of nan, (N,) objects of (rows, K) where items have several rows, or (N,) objects where labels are texts.
    """
    if y.dtype.kind == "U":
        return np.empty(len(y), dtype=object)
    if is_ragged(y):
        return ragged(np.full((len(each), n_outputs), np.nan) for each in y)
    return np.full((len(y), n_outputs), np.nan)


def rows_of(items: NDArray[np.integer[Any]], sizes: NDArray[np.intp]) -> NDArray[np.intp]:
    """Return the numbers, among the rows of all items, of the rows of some.

    Args:
        items: (m,) positions of items, in any order.
        sizes: (N,) how many rows each of all items has.

    Returns:
        The rows of the first of them, then of the second, and so on.
    """
    ends = np.cumsum(sizes)
    chosen = sizes[items]
    within = np.arange(chosen.sum()) - np.repeat(np.cumsum(chosen) - chosen, chosen)
    return np.asarray(np.repeat((ends - sizes)[items], chosen) + within, dtype=np.intp)
