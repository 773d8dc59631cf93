"""From several scores of several candidates to one order, with how sure it is: arrays in, numbers out.

No single score can be trusted (Chaves et al. 2024, arXiv 2405.20420, and a recalculation of published tables), and
their units differ. So every score is put on a common scale, their trimmed mean is taken, and what is published of a
network counts the more the fewer labels there are. How sure the order is comes from a bootstrap over the examples:
every score knows what each example contributes to it, so that a replicate is one matrix product and not another fit.
"""

from dataclasses import dataclass
from typing import Final, final

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

MOST: Final = 3.0  # deviations from the middle that count
BEYOND: Final = 0.1  # how much the logarithm of those beyond counts: little, but enough to keep their order
AS_NORMAL: Final = 1.4826  # times the median absolute deviation is the standard deviation of a normal
TRIMMED: Final = 1  # scores left out at either end: one of them may be wrong
TOP: Final = 3
SURE: Final = 0.95  # share of replicates in which one is ahead, from which the two are not a tie
REPLICATES: Final = 500
# Labels per class and how much a published number counts beside the mean of the scores.
PRIOR_WEIGHTS: Final = ((20.0, 1.0), (100.0, 0.5), (1000.0, 0.25))


@final
@dataclass(frozen=True)
class Order:
    """Candidates in numbers; C of them, as they were given.

    Attributes:
        score: (C,) trimmed mean of the standardised scores, and the weighted prior; larger is better.
        measured: (C,) the part that comes from the data.
        view: (C,) which view of each candidate counts.
        drawn: (B, C) the score in each replicate.
        p_top: (C,) share of replicates in which it is among the best three.
        tie: (C,) number of its group, from 1: members of a group cannot be told from its first.
        order: (C,) positions, best first.
    """

    score: Floats
    measured: Floats
    view: NDArray[np.intp]
    drawn: Floats
    p_top: Floats
    tie: NDArray[np.intp]
    order: NDArray[np.intp]

    def interval(self, candidate: int) -> tuple[float, float]:
        """Return the 95 % interval of a candidate's score over the replicates."""
        low, high = np.quantile(self.drawn[:, candidate], (0.025, 0.975))
        return float(low), float(high)


def combine(
    values: Floats, influence: Floats, *, prior: Floats, cheap_first: Floats, units: NDArray[np.intp], seed: int
) -> Order:
    """Order candidates.

    With m the value of a score, its median over candidates and views, MAD their median absolute deviation and e the
    typical standard error of a candidate's difference to the mean of all,
    z = (m - median) / sqrt((1.4826 MAD)^2 + e^2): differences that the examples cannot show count little. Beyond ±3 it
    is flattened; not cut off, because where most candidates are alike and bad, all good ones are beyond. A view's score
    is the mean of its z but the highest and the lowest, because any one score may be wrong (with fewer examples than
    dimensions the H-score prefers random weights; benchmarks/LOG.md); a candidate's is that of its best view, plus its
    prior. Of two or three candidates the scale
    tells the order of each score and little of its size.

    Args:
        values: (C, V, K) K scores of V views of C candidates, larger is better; nan where a candidate lacks a view.
        influence: (C, V, K, N) what each of N examples contributes: with weights w of mean 1 a score becomes about
            value + mean(w * influence).
        prior: (C,) what is known from elsewhere, on the scale of z and already weighted.
        cheap_first: (C,) cost; of equal scores the cheaper goes first.
        units: (N,) group of each example; whole groups are drawn.
        seed: Same seed, same replicates.

    Returns:
        The order.
    """
    weights = draw_weights(units, seed=seed)
    drawn = values + np.tensordot(weights, influence, axes=(1, 3)) / influence.shape[3]
    centre, scale = _scale(values, drawn)
    view_scores = _views(values, centre, scale)
    view = np.nanargmax(view_scores, axis=1)
    measured = view_scores[np.arange(len(values)), view]
    replicates = np.nanmax(_views(drawn, centre, scale), axis=2) + prior
    score = measured + prior
    order = np.lexsort((cheap_first, -score))
    return Order(score, measured, view, replicates, _p_top(replicates, order), _ties(replicates, order), order)


def draw_weights(units: NDArray[np.intp], *, seed: int, replicates: int = REPLICATES) -> Floats:
    """Draw bootstrap weights.

    Args:
        units: (N,) group of each example.
        seed: Of the draws.
        replicates: B.

    Returns:
        (B, N) weights of mean 1 in every row, equal within a group.
    """
    _, number = np.unique(units, return_inverse=True)
    groups = int(number.max()) + 1
    times = np.random.default_rng(seed).multinomial(groups, np.full(groups, 1 / groups), size=replicates)
    weights = times[:, number].astype(np.float64)
    return np.asarray(weights / weights.mean(axis=1, keepdims=True))


def prior_weight(labels_per_class: float) -> float:
    """Return how much a prior counts beside the data: 1 up to 20 labels per class, 0.5 at 100, 0.25 from 1,000."""
    at, weight = zip(*PRIOR_WEIGHTS, strict=True)
    return float(np.interp(np.log(max(labels_per_class, 1.0)), np.log(at), weight))


def standardise(numbers: Floats, *, least: float = 0.0) -> Floats:
    """Put numbers on the scale of deviations from their middle, clipped to ±3.

    Args:
        numbers: (C,) numbers; nan where one is not known.
        least: A difference that means something: the spread is taken to be no smaller.

    Returns:
        (C,) deviations; 0 where nothing is known, and for equal numbers.
    """
    known = numbers[~np.isnan(numbers)]
    if len(known) == 0:
        return np.zeros(len(numbers))
    middle = np.median(known)
    spread = max(AS_NORMAL * np.median(np.abs(known - middle)) or known.std(), least)
    z = (numbers - middle) / (spread or 1.0)
    return np.asarray(np.clip(np.nan_to_num(z), -MOST, MOST))


def _scale(values: Floats, drawn: Floats) -> tuple[Floats, Floats]:
    """Return centre and scale of each score, (K,): its spread over candidates, and the noise of their differences."""
    centre = np.nanmedian(values, axis=(0, 1))
    spread = AS_NORMAL * np.nanmedian(np.abs(values - centre), axis=(0, 1))
    differences = drawn - np.nanmean(drawn, axis=(1, 2), keepdims=True)
    noise = np.nanmedian(differences.std(axis=0), axis=(0, 1))
    return centre, np.sqrt(spread**2 + noise**2)


def _views(values: Floats, centre: Floats, scale: Floats) -> Floats:
    """Mean z over the scores but the highest and the lowest, where there are others; one alike for all says nothing."""
    z = (values - centre) / np.where(scale > 0, scale, 1.0)
    trimmed = TRIMMED if z.shape[-1] > 2 * TRIMMED else 0
    return np.asarray(np.sort(_flattened(z), axis=-1)[..., trimmed : z.shape[-1] - trimmed].mean(axis=-1))


def _flattened(z: Floats) -> Floats:
    """Leave z up to ±3 as it is and let it grow only slowly from there, so that order is never lost."""
    beyond = np.maximum(np.abs(z) - MOST, 0.0)
    return np.asarray(np.clip(z, -MOST, MOST) + np.sign(z) * BEYOND * np.log1p(beyond))


def _p_top(replicates: Floats, order: NDArray[np.intp]) -> Floats:
    """Count the replicates in which each is among the best; equals stand as they do in the order."""
    ranks = (-replicates[:, order]).argsort(axis=1, kind="stable").argsort(axis=1, kind="stable")
    found = np.empty(len(order))
    found[order] = (ranks < TOP).mean(axis=0)
    return found


def _ties(replicates: Floats, order: NDArray[np.intp]) -> NDArray[np.intp]:
    """Number the groups: a candidate that the first of a group does not surely beat belongs to it."""
    group = np.zeros(len(order), dtype=np.intp)
    leader, number = order[0], 1
    for candidate in order:
        if (replicates[:, leader] > replicates[:, candidate]).mean() >= SURE:
            leader, number = candidate, number + 1
        group[candidate] = number
    return group
