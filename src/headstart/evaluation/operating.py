"""Operating points of two classes: how many of one are found where nearly all of the other are let pass.

The class that is looked for (ill, spam, defect) is called positive. A threshold is fixed on held-out examples of the
training part and then scored on what it has not seen; what the scored part itself would allow stands beside it, which
is the usual "sensitivity at 95 % specificity" read off a ROC curve.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from headstart.evaluation._ratios import ratio
from headstart.evaluation.intervals import Interval, figure_interval

Floats = NDArray[np.floating[Any]]


@final
@dataclass(frozen=True)
class Rate:
    """A share with its interval; nan where there is nothing to take a share of."""

    value: float
    interval: Interval


@final
@dataclass(frozen=True)
class OperatingPoint:
    """What a threshold does on scored examples.

    Attributes:
        threshold: From which probability on an item is called positive.
        sensitivity: Share of the positive that is found.
        specificity: Share of the negative that is let pass.
        precision: Share of what is called positive that is.
        possible: Sensitivity at the wanted specificity, the threshold read off the scored part itself.
    """

    threshold: float
    sensitivity: Rate
    specificity: Rate
    precision: Rate
    possible: Rate


def threshold_for(positive: NDArray[np.bool_], p: Floats, specificity: float) -> float:
    """Return the least threshold that lets pass a wanted share of new negative items.

    Args:
        positive: (n,) truth of held-out examples.
        p: (n,) their probabilities of being positive.
        specificity: The share, above 0 and below 1.

    Returns:
        The ceil(s (m + 1))-th smallest probability of the m negative ones, and above it anything is called positive;
        infinity where m is too small for so high a share. A new negative item passes with probability at least s.
    """
    negatives = np.sort(p[~positive])
    rank = int(np.ceil(specificity * (len(negatives) + 1) - 1e-9))
    if rank > len(negatives):
        return float("inf")
    return float(np.nextafter(negatives[rank - 1], np.inf))


def operating_point(
    positive: NDArray[np.bool_],
    p: Floats,
    *,
    threshold: float,
    specificity: float,
    groups: NDArray[Any] | None = None,
    seed: int,
) -> OperatingPoint:
    """Score a threshold.

    Args:
        positive: (n,) truth of scored examples.
        p: (n,) probabilities of being positive.
        threshold: What was fixed before.
        specificity: What it was fixed for.
        groups: (n,) groups, drawn as a whole for the intervals.
        seed: For resampling.

    Returns:
        Shares with intervals.
    """
    called = p >= threshold

    possible = _rate(lambda counts: sensitivity_at(positive, p, specificity, counts), len(p), groups, seed)
    return OperatingPoint(
        threshold,
        rate(called, among=positive, groups=groups, seed=seed),
        rate(~called, among=~positive, groups=groups, seed=seed),
        rate(positive, among=called, groups=groups, seed=seed),
        possible,
    )


def rate(
    values: NDArray[np.bool_],
    *,
    among: NDArray[np.bool_] | None = None,
    groups: NDArray[Any] | None = None,
    seed: int,
) -> Rate:
    """Return a share of items with its interval.

    Args:
        values: (n,) what is counted.
        among: (n,) the items that it is a share of; all of them where None.
        groups: (n,) groups, drawn as a whole for the interval.
        seed: For resampling.

    Returns:
        The share; nan where there is nothing to take one of.
    """
    whole = np.ones(len(values)) if among is None else among.astype(np.float64)
    return _rate(lambda counts: ratio(counts @ (values * whole), counts @ whole), len(values), groups, seed)


def sensitivity_at(positive: NDArray[np.bool_], p: Floats, specificity: float, counts: Floats) -> Floats:
    """Return the sensitivity at the lowest threshold that reaches a specificity on these examples.

    Args:
        positive: (n,) truth.
        p: (n,) probabilities of being positive.
        specificity: The share of negative ones to let pass.
        counts: (..., n) how often each example is drawn.

    Returns:
        (...) sensitivities; nan where a resample lacks one of the two.
    """
    order, ends = _falling(p)
    found, called = (
        ratio(tallies, np.broadcast_to(tallies[..., -1:], tallies.shape))
        for tallies in (np.cumsum((counts * of)[..., order], axis=-1)[..., ends] for of in (positive, ~positive))
    )
    best = np.where(1 - called >= specificity - 1e-12, found, 0.0).max(axis=-1)
    return np.asarray(np.where(np.isnan(found + called).any(axis=-1), np.nan, best))


def precision_recall(positive: NDArray[np.bool_], p: Floats) -> tuple[Floats, Floats]:
    """Return the precision-recall curve.

    Args:
        positive: (n,) truth, some of it true.
        p: (n,) probabilities of being positive.

    Returns:
        Recall, rising, and the precision at each: one point per different probability, (m,) and (m,).
    """
    order, ends = _falling(p)
    hits = np.cumsum(positive[order])[ends]
    return hits / positive.sum(), hits / (ends + 1)


def _falling(p: Floats) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Order items by falling probability, and say where each run of equal ones ends."""
    order = np.argsort(-p, kind="stable")
    return order, np.flatnonzero(np.append(np.diff(p[order]) < 0, True))


def _rate(function: Callable[[Floats], Floats], n: int, groups: NDArray[Any] | None, seed: int) -> Rate:
    value, y = float(function(np.ones(n))), np.zeros(n, dtype=np.int64)  # what is true is in the function
    if np.isnan(value):
        return Rate(value, Interval(0.0, 1.0, "not defined: there is nothing to take a share of"))
    return Rate(value, figure_interval(function, y, groups=groups, bounds=(0.0, 1.0), seed=seed))
