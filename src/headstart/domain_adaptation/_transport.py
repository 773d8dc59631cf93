"""Entropic optimal transport, by POT: the only file that knows it."""

from typing import Final

import numpy as np

from headstart.domain_adaptation._alignment import Floats, Single, check_pair, squared_distances
from headstart.errors import OptionError

MOST: Final = 5000  # rows of a domain: the plan has the product of both
STEPS: Final = 2000
ENOUGH: Final = 1e-7
SHARPEST: Final = 0.01  # the kernel exp(-cost / blur) must not vanish, in double precision, for costs of some medians


def entropic_transport(source: Floats, target: Floats, *, blur: float) -> Single:
    """Move every row of the source to the mean of the target rows that its mass is carried to.

    Courty et al. (Optimal transport for domain adaptation, 2017, eq. 13), with equal masses, squared distances in
    units of their median, and the entropic plan of Cuturi (2013).

    Args:
        source: Rows of the source, (N, D).
        target: Rows of the target, (M, D).
        blur: Weight of the entropy, in median squared distances; the more, the closer the moved rows lie together.

    Returns:
        The source's rows moved, (N, D).

    Raises:
        DataError: The widths differ, or a domain has fewer than two rows.
        OptionError: The blur is too small, or a domain has more rows than a plan is made for.
    """
    check_pair(source, target)
    if not blur >= SHARPEST:
        raise OptionError(f"expected a blur of {SHARPEST} or more, found {blur}", fix="Try 0.05.")
    if max(len(source), len(target)) > MOST:
        raise OptionError(
            f"entropic transport plans for at most {MOST:,} examples of a domain, "
            f"found {len(source):,} and {len(target):,}",
            fix="Use linear_transport.",
        )
    import ot  # it looks for every array library there is, which takes a second

    squared = squared_distances(source.astype(np.float64), target.astype(np.float64))
    cost = squared / (float(np.median(squared)) or 1.0)
    masses = [np.full(len(rows), 1 / len(rows)) for rows in (source, target)]
    plan = ot.sinkhorn(*masses, cost, blur, numItermax=STEPS, stopThr=ENOUGH, warn=False)
    carried = plan / plan.sum(axis=1, keepdims=True)
    return np.asarray(carried @ target, dtype=np.float32)
