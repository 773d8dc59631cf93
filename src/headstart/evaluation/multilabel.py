"""Scores of label probabilities: indicators (N, C) and independent probabilities (N, C) in, numbers out.

``counts`` is as in `headstart.evaluation.metrics`. A label is predicted where its probability is above one half. Where
a score is not defined it is nan.
"""

from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from headstart.errors import DataError
from headstart.evaluation._ratios import Score, mean_where, ratio
from headstart.linear import PROBABILITY_FLOOR

Floats: TypeAlias = npt.NDArray[np.floating[Any]]
Counts: TypeAlias = npt.NDArray[np.float64]


def micro_f1(y: Floats, p: Floats, counts: Counts | None = None) -> Score:
    """Return the F1 of all label decisions together; undefined where no item has a label and none is predicted."""
    right, actual, predicted = label_tallies(y, p, counts)
    return ratio(2 * right.sum(axis=-1), (actual + predicted).sum(axis=-1))


def macro_f1(y: Floats, p: Floats, counts: Counts | None = None) -> Score:
    """Return the mean F1 of the labels that occur in ``y`` or among the predictions."""
    right, actual, predicted = label_tallies(y, p, counts)
    return mean_where(ratio(2 * right, actual + predicted), actual + predicted > 0)


def subset_accuracy(y: Floats, p: Floats, counts: Counts | None = None) -> Score:
    """Return the share of items whose labels are all right, none missing and none too many."""
    times = _checked_counts(y, p, counts)
    return times @ ((p > 0.5) == (y > 0)).all(axis=1) / times.sum(axis=-1)


def mean_average_precision(y: Floats, p: Floats, counts: Counts | None = None) -> Score:
    """Return the mean average precision of the labels that occur in ``y``.

    The average precision of a label is the sum over thresholds of (recall gained) * precision, items of equal
    probability entering together.
    """
    times = _checked_counts(y, p, counts)
    each = np.stack([_average_precision(y[:, c] > 0, p[:, c], times) for c in range(y.shape[1])], axis=-1)
    return mean_where(each, ~np.isnan(each))


def label_log_loss(y: Floats, p: Floats, counts: Counts | None = None) -> Score:
    """Return the mean over items and labels of -ln(probability of what is the case), clipped below at 1e-7."""
    times = _checked_counts(y, p, counts)
    losses = -np.log(np.maximum(np.where(y > 0, p, 1 - p), PROBABILITY_FLOOR))
    return times @ losses.mean(axis=1) / times.sum(axis=-1)


def label_tallies(y: Floats, p: Floats, counts: Counts | None) -> tuple[Floats, Floats, Floats]:
    """Items that rightly get, that have, and that get each label, (..., C)."""
    times = _checked_counts(y, p, counts)
    has, gets = (y > 0).astype(np.float64), (p > 0.5).astype(np.float64)
    return times @ (has * gets), times @ has, times @ gets


def _checked_counts(y: Floats, p: Floats, counts: Counts | None) -> Counts:
    if p.shape != y.shape or len(y) == 0:
        raise DataError(f"expected probabilities of shape {y.shape} for one or more items, found {p.shape}")
    if not np.isfinite(p).all():
        raise DataError(f"expected finite probabilities, found {int((~np.isfinite(p)).sum())} that are not")
    return np.ones(len(y)) if counts is None else counts


def _average_precision(has: npt.NDArray[np.bool_], scores: Floats, counts: Counts) -> Score:
    order = np.argsort(-scores, kind="stable")
    ends = np.flatnonzero(np.append(np.diff(scores[order]) < 0, True))  # the last item of each run of equal scores
    taken = np.cumsum(counts[..., order], axis=-1)[..., ends]
    right = np.cumsum(np.where(has, counts, 0)[..., order], axis=-1)[..., ends]
    precision = np.divide(right, taken, out=np.zeros_like(right), where=taken > 0)
    return ratio((np.diff(right, axis=-1, prepend=0) * precision).sum(axis=-1), right[..., -1])
