"""Scores of predicted values: values (N,) and predictions (N, 1) in, numbers out.

``counts`` is as in `headstart.evaluation.metrics`. Where a score is not defined it is nan.
"""

from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from headstart.errors import DataError

Floats: TypeAlias = npt.NDArray[np.floating[Any]]
Counts: TypeAlias = npt.NDArray[np.float64]
Score: TypeAlias = Any  # np.float64 for counts (N,), an array (R,) for counts (R, N)

_CONSTANT = 1e-12  # of the mean square: what rounding leaves of the variance of equal numbers


def rmse(y: Floats, p: Floats, counts: Counts | None = None) -> Score:
    """Return the root of the mean squared error, in the unit of ``y``."""
    times = _checked_counts(y, p, counts)
    return np.sqrt(times @ (p[:, 0] - y) ** 2 / times.sum(axis=-1))


def mae(y: Floats, p: Floats, counts: Counts | None = None) -> Score:
    """Return the mean absolute error, in the unit of ``y``."""
    times = _checked_counts(y, p, counts)
    return times @ np.abs(p[:, 0] - y) / times.sum(axis=-1)


def r2(y: Floats, p: Floats, counts: Counts | None = None) -> Score:
    """Return 1 - (sum of squared errors) / (sum of squares around the mean of ``y``); undefined for equal values."""
    times = _checked_counts(y, p, counts)
    return 1 - times @ (p[:, 0] - y) ** 2 / _sum_of_squares(y, times)


def spearman(y: Floats, p: Floats, counts: Counts | None = None) -> Score:
    """Return the correlation of ranks, equal values sharing their mean rank; undefined where all are equal."""
    times = _checked_counts(y, p, counts)
    ranks, others = _ranks(y, times), _ranks(p[:, 0], times)
    total = times.sum(axis=-1, keepdims=True)
    centred, other = (r - (times * r).sum(axis=-1, keepdims=True) / total for r in (ranks, others))
    product, one, two = ((times * a).sum(axis=-1) for a in (centred * other, centred**2, other**2))
    below = np.sqrt(one * two)
    return np.divide(product, below, out=np.full(np.shape(below), np.nan), where=below > 1e-9)


def _checked_counts(y: Floats, p: Floats, counts: Counts | None) -> Counts:
    if p.shape != (len(y), 1) or len(y) == 0:
        raise DataError(f"expected predictions of shape ({len(y)}, 1) for one or more values, found {p.shape}")
    if not np.isfinite(p).all():
        raise DataError(f"expected finite predictions, found {int((~np.isfinite(p)).sum())} that are not")
    return np.ones(len(y)) if counts is None else counts


def _sum_of_squares(y: Floats, times: Counts) -> Score:
    """Sum of squares around the mean of each resample, nan where its values are all equal."""
    around = y - y.mean()  # squares of large values would hide a small spread
    total, squares = times.sum(axis=-1), times @ around**2
    spread = squares - (times @ around) ** 2 / total
    return np.where(spread > _CONSTANT * (squares + total * np.finfo(float).tiny), spread, np.nan)


def _ranks(values: Floats, times: Counts) -> Floats:
    """Mean rank (..., N) of each item among the items of its resample."""
    run = np.unique(values, return_inverse=True)[1]
    order = np.argsort(run, kind="stable")
    starts = np.flatnonzero(np.diff(run[order], prepend=-1))
    per_run = np.add.reduceat(times[..., order], starts, axis=-1)
    return np.asarray((np.cumsum(per_run, axis=-1) - (per_run - 1) / 2)[..., run])
