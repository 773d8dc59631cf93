"""Items that are like no other: far from their nearest neighbours, by a distance that is rare in the data itself."""

from typing import Any, Final

import numpy as np
import numpy.typing as npt

from headstart.audit._duplicates import nearest

Floats = npt.NDArray[np.floating[Any]]
Integers = npt.NDArray[np.integer[Any]]

NEIGHBOURS: Final = 5
_DEVIATIONS: Final = 3.5


def outliers(features: Floats, *, same: Integers) -> tuple[Integers, Floats]:
    """Find items whose mean distance to their nearest others is far above the usual.

    With the median m and the ninetieth percentile t of these distances, their logarithm is taken to be normal above the
    middle; the limit lies 3.5 deviations over it, where one in 4,300 items would be.

    Args:
        features: (N, F) of length 1.
        same: (N,) numbers; items of one number are copies, which are no neighbours.

    Returns:
        (K,) positions, the farthest first, and how many times the usual distance each is away.
    """
    if len(features) <= NEIGHBOURS:
        return np.empty(0, dtype=np.intp), np.empty(0)
    distances = np.maximum(nearest(features, same=same, k=NEIGHBOURS), 1e-9)
    middle, ninth = np.quantile(distances, [0.5, 0.9])
    limit = middle * np.exp(_DEVIATIONS * (np.log(ninth) - np.log(middle)) / 1.2816)
    order = np.argsort(-distances, kind="stable")
    far = order[distances[order] > limit]
    return far, distances[far] / middle
