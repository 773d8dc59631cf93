"""Sets of classes that hold the right one as often as promised: conformal prediction on held-out probabilities.

The most probable class is always in the set of an item, and any other whose probability is at least a threshold. That
is read off what held-out examples gave to their right class, q, where a right answer counts as q = 1 (Vovk et al.,
Algorithmic learning in a random world, 2005; the thresholded probability is that of Sadinle, Lei and Wasserman, Least
ambiguous set-valued classifiers, JASA 2019, whose sets may be empty). For n examples and coverage 1 - a it is the
floor(a (n + 1))-th smallest q: a new example that is exchangeable with them is covered with probability at least 1 - a.
The held-out probabilities come from the folds of a cross-validation, so no example is given up for calibration (Vovk,
Cross-conformal predictors, 2015; Barber et al., Predictive inference with the jackknife+, 2021, prove 1 - 2a for such
schemes, and coverage is about 1 - a in practice).

The promise is an average over calibration sets. Of the one at hand, coverage is Beta(n + 1 - l, l) with
l = floor(a (n + 1)) (Vovk, Conditional validity of inductive conformal predictors, 2012), which is the band given.
Where more answers are right than sets are wanted to cover, the sets are single classes and cover as many.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import special

from headstart.errors import OptionError
from headstart.evaluation._beta_binomial import beta_binomial_quantile


def set_threshold(y: NDArray[np.integer[Any]], p: NDArray[np.floating[Any]], coverage: float) -> float:
    """Return from which probability on a class is in the set, besides the most probable one.

    Args:
        y: (n,) right classes of held-out examples.
        p: (n, C) their probabilities.
        coverage: The share of sets wanted to hold the right class, above 0 and below 1.

    Returns:
        The threshold: 0.0, every class, where n is too small for so high a coverage, and infinity where the most
        probable class is enough.

    Raises:
        OptionError: The coverage is not between 0 and 1.
    """
    rank = _rank(len(y), coverage)
    if rank == 0:
        return 0.0
    wrong = p.argmax(axis=1) != y
    missed = np.sort(p[wrong, y[wrong]])
    return float(missed[rank - 1]) if rank <= len(missed) else float("inf")


def coverage_band(
    n: int, coverage: float, *, right: float = 0.0, new: int | None = None, level: float = 0.95
) -> tuple[float, float]:
    """Return between which coverages that of the sets lies, whichever n examples calibrate them.

    Args:
        n: How many held-out examples, or groups where examples of one resemble each other.
        coverage: As for `set_threshold`.
        right: Share of the held-out answers that is right.
        new: The band is of so many new examples; of endlessly many where None.
        level: With what probability.

    Returns:
        Lowest and highest coverage; where more answers are right than wanted, the highest is that share's upper bound.

    Raises:
        OptionError: The coverage is not between 0 and 1.
    """
    rank = _rank(n, coverage)
    if rank == 0:
        return 1.0, 1.0  # every class is in every set
    low, high = _beta_band(n + 1 - rank, rank, new, (1 - level) / 2)
    if right > coverage:
        high = max(high, _beta_band(right * n + 1, max((1 - right) * n, 1e-9), new, (1 - level) / 2)[1])
    return low, high


def _beta_band(a: float, b: float, new: int | None, tail: float) -> tuple[float, float]:
    if new is None:
        return float(special.betaincinv(a, b, tail)), float(special.betaincinv(a, b, 1 - tail))
    return beta_binomial_quantile(tail, new, a, b) / new, beta_binomial_quantile(1 - tail, new, a, b) / new


def _rank(n: int, coverage: float) -> int:
    if not 0 < coverage < 1:
        raise OptionError(f"expected a coverage between 0 and 1, found {coverage:g}", fix="Write 0.9 for 90 %.")
    return int(np.floor((1 - coverage) * (n + 1) + 1e-9))
