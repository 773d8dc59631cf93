"""Items that are nearly copies of each other: which pairs, and from which distance on that is sure for this data.

Two distances of every pair count: of what the items look like (`headstart.audit._signatures`) and of their features.
How near a copy lies is measured on altered copies of a sample, how near two different items lie on every item's nearest
other one. A pair is taken where its signatures are both as near as those of 99 % of the known copies and nearer than
different items get. Where both distributions overlap, that leaves only the sure pairs, and the answer says so;
signatures up to twice as far apart are then believed where the features say the same.

How near different items get is told from the bulk of the nearest distances, because the nearest of all may be the very
copies that are looked for (those nearer than the middle one of the known copies are left out, where both are well apart
on the whole): with the median m and the tenth percentile t of the distances, their logarithm is taken to
be normal below the middle, and the limit lies 3.5 deviations under it, where one in 4,300 items would be.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final, final

import numpy as np
import numpy.typing as npt
from scipy import sparse

Floats = npt.NDArray[np.floating[Any]]
Integers = npt.NDArray[np.integer[Any]]

_BLOCK: Final = 1024  # rows of a product
_KNOWN: Final = 0.99  # of the known copies are proposed
_DEVIATIONS: Final = 4.0
_SECOND: Final = 2.0  # times the sure limit, where features agree
_LEAST: Final = 1e-6
_MOST_PAIRS: Final = 100  # times as many as there are items; more say that all items are alike


@final
@dataclass(frozen=True, eq=False)
class Copies:
    """Altered copies of some items.

    Attributes:
        of: (M,) which item each is a copy of.
        signatures: (M, D) of length 1.
        features: (M, F) of length 1.
    """

    of: Integers
    signatures: Floats
    features: Floats


@final
@dataclass(frozen=True, eq=False)
class NearDuplicates:
    """Pairs of items that are nearly copies.

    Attributes:
        pairs: (P, 2) positions, the smaller first, the nearest pairs first.
        distances: (P,) cosine distances of their signatures.
        feature_distances: (P,) cosine distances of their features.
        limit: Signatures nearer than this alone make a pair.
        found: Share of the known copies that the rule takes.
        overlap: Whether known copies reach beyond what different items allow, so that only sure pairs are taken.
    """

    pairs: Integers
    distances: Floats
    feature_distances: Floats
    limit: float
    found: float
    overlap: bool


def near_duplicates(signatures: Floats, features: Floats, known: Copies, *, same: Integers) -> NearDuplicates:
    """Find the pairs, by blocks of matrix products: 10,000 items take seconds.

    Args:
        signatures: (N, D) of length 1.
        features: (N, F) of length 1.
        known: Altered copies of some of the items.
        same: (N,) numbers; items of one number are exact copies, which are no news here.

    Returns:
        The pairs, and what they were judged by.
    """
    looks, deep = (
        _Limits.of(signatures, known.signatures, known.of, same),
        _Limits.of(features, known.features, known.of, same),
    )
    reach = min(looks.copies, _SECOND * looks.sure)
    limits = (reach, looks.sure, deep.sure)
    found = list(_taken(signatures, features, limits, same))
    pairs, distances, apart = (np.concatenate([each[part] for each in found]) for part in range(3))
    order = np.argsort(distances, kind="stable")[: _MOST_PAIRS * len(signatures)]
    caught = (looks.of_known <= looks.sure) | ((looks.of_known <= reach) & (deep.of_known <= deep.sure))
    share = float(caught.mean()) if len(caught) else float("nan")
    return NearDuplicates(pairs[order], distances[order], apart[order], looks.sure, share, looks.copies > looks.sure)


def united(units: Integers, pairs: Integers) -> Integers:
    """Number what must stay together once pairs are known.

    Args:
        units: (N,) numbers of what stays together anyway.
        pairs: (P, 2) positions that do as well.

    Returns:
        (N,) numbers.
    """
    several = int(units.max()) + 1
    links = sparse.coo_array((np.ones(len(pairs)), (units[pairs[:, 0]], units[pairs[:, 1]])), shape=(several, several))
    return np.asarray(sparse.csgraph.connected_components(links, directed=False)[1][units])


def nearest(rows: Floats, *, same: Integers, k: int = 1) -> Floats:
    """Return the mean cosine distance of every row to its k nearest others.

    Args:
        rows: (N, D) of length 1.
        same: (N,) numbers; rows of one number are no others.
        k: How many.

    Returns:
        (N,) distances; 1 where there are fewer others.
    """
    found = []
    for start, block in _products(rows):
        block[same[start : start + len(block), None] == same] = 0.0
        few = min(k, len(rows))
        found.append(1 - np.partition(block, len(rows) - few, axis=1)[:, len(rows) - few :].mean(axis=1))
    return np.concatenate(found)


@dataclass(frozen=True)
class _Limits:
    """How near known copies lie, nearly all of them, and how near different items get."""

    copies: float
    different: float
    of_known: Floats

    @classmethod
    def of(cls, rows: Floats, copies: Floats, originals: Integers, same: Integers) -> "_Limits":
        of_known = 1 - np.einsum("md,md->m", copies, rows[originals])
        usual = nearest(rows, same=same)
        if len(of_known) and np.median(usual) > np.quantile(
            of_known, 0.9
        ):  # copies that are there would count as others
            usual = usual[usual > np.median(of_known)]
        middle, tenth = np.maximum(np.quantile(usual, [0.5, 0.1]), _LEAST)
        deviation = (np.log(middle) - np.log(tenth)) / 1.2816
        different = float(middle * np.exp(-_DEVIATIONS * deviation))
        return cls(float(np.quantile(of_known, _KNOWN)) if len(of_known) else 0.0, different, of_known)

    @property
    def sure(self) -> float:
        """As near as known copies, and nearer than different items get."""
        return min(self.copies, self.different)


def _taken(
    signatures: Floats, features: Floats, limits: tuple[float, float, float], same: Integers
) -> Iterator[tuple[Integers, Floats, Floats]]:
    """Yield pairs with both distances, block by block."""
    reach, sure, deep = limits
    for (start, looks), (_, felt) in zip(_products(signatures), _products(features), strict=True):
        near = (looks >= 1 - sure) | ((looks >= 1 - reach) & (felt >= 1 - deep))
        first, second = np.nonzero(near)
        later = (second > first + start) & (same[first + start] != same[second])
        first, second = first[later], second[later]
        yield np.stack([first + start, second], axis=1), 1 - looks[first, second], 1 - felt[first, second]


def _products(rows: Floats) -> Iterator[tuple[int, Floats]]:
    for start in range(0, len(rows), _BLOCK):
        yield start, rows[start : start + _BLOCK] @ rows.T
