"""Whether probabilities mean what they say: shares of right answers by confidence, and the expected calibration error.

The confidence of an answer is the probability of the class it names. Items are put into bins of equal number by
confidence (Nixon et al., Measuring calibration in deep learning, 2019: bins of equal width leave most items in one);
the error is the mean over items of |share of right answers - mean confidence| of their bin (Naeini et al., AAAI 2015,
eq. 3, there with equal widths). It is never zero on few items, so what a perfectly calibrated model would show on as
many stands beside it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, final

import numpy as np
from numpy.typing import NDArray

from headstart.errors import DataError
from headstart.evaluation.intervals import Interval, figure_interval, wilson

BINS: Final = 10
_DRAWS: Final = 500


@final
@dataclass(frozen=True)
class Bin:
    """Items of like confidence.

    Attributes:
        confidence: Their mean confidence.
        accuracy: The share of them that is right.
        interval: 95 % interval of that share (Wilson), items taken one by one.
        n: How many they are.
    """

    confidence: float
    accuracy: float
    interval: tuple[float, float]
    n: int


@final
@dataclass(frozen=True)
class Calibration:
    """How far probabilities are from what they say.

    Attributes:
        error: Expected calibration error.
        interval: Its 95 % interval.
        chance: Mean and 95th percentile of the error that a perfectly calibrated model shows on as many items.
        bins: Rising confidence.
        n: Number of items.
    """

    error: float
    interval: Interval
    chance: tuple[float, float]
    bins: Sequence[Bin]
    n: int


def calibration(
    y: NDArray[np.integer[Any]], p: NDArray[np.floating[Any]], *, groups: NDArray[Any] | None = None, seed: int
) -> Calibration:
    """Compare confidence with how often answers are right.

    Args:
        y: (N,) class numbers.
        p: (N, C) probabilities.
        groups: (N,) groups, drawn as a whole for the interval.
        seed: For resampling.

    Returns:
        The error, with what chance alone would show.
    """
    confidence, right = answers(y, p)
    of_bin = _bins(confidence)

    def error(counts: NDArray[np.floating[Any]]) -> NDArray[np.floating[Any]]:
        return _error(confidence, right, of_bin, counts)

    interval = figure_interval(error, y, groups=groups, bounds=(0.0, 1.0), seed=seed)
    rng = np.random.default_rng(seed)
    drawn = [_error(confidence, rng.random(len(y)) < confidence, of_bin, np.ones(len(y))) for _ in range(_DRAWS)]
    chance = float(np.mean(drawn)), float(np.quantile(drawn, 0.95))
    bins = tuple(_bin(confidence[of_bin == number], right[of_bin == number]) for number in range(of_bin.max() + 1))
    return Calibration(float(error(np.ones(len(y)))), interval, chance, bins, len(y))


def answers(
    y: NDArray[np.integer[Any]], p: NDArray[np.floating[Any]]
) -> tuple[NDArray[np.floating[Any]], NDArray[np.bool_]]:
    """Return how sure each answer is, and whether it is right.

    Args:
        y: (N,) class numbers.
        p: (N, C) probabilities.

    Returns:
        (N,) highest probabilities and (N,) truth.

    Raises:
        DataError: There are no items, or the shapes do not fit.
    """
    if p.ndim != 2 or len(p) != len(y) or not len(y):
        raise DataError(f"expected probabilities of shape ({len(y)}, classes) for one or more labels, found {p.shape}")
    return p.max(axis=1), p.argmax(axis=1) == y


def _bins(confidence: NDArray[np.floating[Any]]) -> NDArray[np.intp]:
    """Number the bin of every item: equal shares of the items, equal confidences in one bin."""
    edges = np.unique(np.quantile(confidence, np.linspace(0, 1, min(BINS, len(confidence)) + 1)[1:-1]))
    numbers = np.searchsorted(edges, confidence, side="left")
    return np.unique(numbers, return_inverse=True)[1]


def _error(
    confidence: NDArray[np.floating[Any]],
    right: NDArray[np.bool_],
    of_bin: NDArray[np.intp],
    counts: NDArray[np.floating[Any]],
) -> NDArray[np.floating[Any]]:
    """The error of resamples, (..., N) counts to (...)."""
    members = (of_bin[:, None] == np.arange(of_bin.max() + 1)).astype(np.float64)
    gaps = counts @ (members * (right - confidence)[:, None])
    return np.asarray(np.abs(gaps).sum(axis=-1) / counts.sum(axis=-1))


def _bin(confidence: NDArray[np.floating[Any]], right: NDArray[np.bool_]) -> Bin:
    share = float(right.mean())
    return Bin(float(confidence.mean()), share, wilson(share, n=len(right)), len(right))
