"""Is a rung better than the one below it? A sequential paired test on held-out losses: arrays in, a verdict out.

Rungs are compared item by item on the same held-out folds, by loss, which is less noisy than accuracy. Folds come one
at a time, and the climb asks after each whether enough is known, so that a clear winner or a hopeless rung costs one
fold instead of all. Asking several times must not make a false yes more likely: early answers have to be surer, by the
boundary of O'Brien and Fleming (Biometrics, 1979), z_j = z * sqrt(J / j) at look j of J. A rung is given up where
looking at all folds would hardly end with a yes: predictive power (Spiegelhalter, Freedman and Blackburn, Controlled
Clinical Trials, 1986) below a tenth.

What is known from elsewhere may count. With sixteen labels per class a fold shows nothing beyond noise, and
staying with the probe is a guess as much as leaving it. So where a method has been measured on other data with so few
labels, its gain has a normal prior. One fold is enough where that makes a gain probable; in doubt all are looked at,
and what is more probable than not is taken; the report says so. A prior is added to what the folds show, never put in
its place: a rung that loses on the folds themselves is not taken, and with hardly any separate units it does not count.
"""

from dataclasses import dataclass
from math import inf, pi, sqrt
from typing import Any, Final, Literal, final

import numpy as np
from numpy.typing import NDArray
from scipy import special

CONFIDENCE: Final = 0.95  # one-sided: a rung is only ever accepted for being better
HOPELESS: Final = 0.10  # chance of a yes after all folds, below which a rung is given up
SURE_EARLY: Final = 0.80  # of a gain, before all folds have been looked at, where a prior would be content with less
FEWEST_UNITS: Final = 4  # held out, below which their spread is too uncertain to be weighed against a prior


@final
@dataclass(frozen=True)
class Prior:
    """What other data showed of a rung's gain in loss, and how sure one has to be to take it.

    Attributes:
        mean: Mean gain per item.
        spread: Its standard deviation between data sets; infinite where nothing is known.
        confidence: Probability of a gain from which the rung is taken.
    """

    mean: float = 0.0
    spread: float = inf
    confidence: float = CONFIDENCE


NOTHING_KNOWN: Final = Prior()


@final
@dataclass(frozen=True)
class Judgement:
    """What the folds so far say.

    Attributes:
        answer: ``better``, ``not better``, or ``open`` where another fold is needed.
        gain: Mean loss saved per item, over the folds so far.
        error: Its standard error, widened because folds share training items.
        probability: That the gain is above zero, prior included.
        prior: What other data showed, as far as it counted.
    """

    answer: Literal["better", "not better", "open"]
    gain: float
    error: float
    probability: float
    prior: Prior = NOTHING_KNOWN


def judge(
    gains: NDArray[np.float64],
    units: NDArray[Any],
    *,
    look: int,
    looks: int,
    test_per_train: float,
    prior: Prior = NOTHING_KNOWN,
) -> Judgement:
    """Decide from the paired differences of all folds so far.

    The standard error is that of the mean over units (groups, or items where there are none), widened by
    sqrt(1 + j * n_test / n_train), which is the correction of Nadeau and Bengio (2003) written for items instead of
    fold means. Few units tell little of their own spread: the probability is Student's, of units - 1 degrees.

    Args:
        gains: (n,) loss of the rung below minus loss of this one, for every item held out so far.
        units: (n,) group of each item.
        look: How many folds these are, from 1.
        looks: How many there will be at most.
        test_per_train: Held-out examples per training example of a fold.
        prior: What other data showed; it does not count where fewer than four units are held out.

    Returns:
        The answer and the numbers behind it.
    """
    separate = len(np.unique(units))
    if separate < FEWEST_UNITS:
        prior = NOTHING_KNOWN
    gain, error = _mean_and_error(gains, units)
    error *= sqrt(1 + look * test_per_train)
    mean, spread = _posterior(gain, _as_normal(gain, error, separate - 1), prior)
    probability = float(special.ndtr(mean / spread)) if spread > 0 else float(mean > 0)
    needed = float(special.ndtr(special.ndtri(prior.confidence) * sqrt(looks / look)))
    if look < looks:
        needed = max(needed, SURE_EARLY)
    answer: Literal["better", "not better", "open"] = "open"
    if probability >= needed and gain > 0:
        answer = "better"
    elif look == looks or (error < inf and _chance(probability, prior, _share(look, looks, test_per_train)) < HOPELESS):
        answer = "not better"
    return Judgement(answer, gain, error, probability, prior)


def _share(look: int, looks: int, test_per_train: float) -> float:
    """Return the variance of the mean over all folds over that of the mean so far: what is known of what will be."""
    now, then = ((1 + j * test_per_train) / j for j in (look, looks))
    return then / now


def _chance(probability: float, prior: Prior, share: float) -> float:
    """Return the chance of a yes after all folds, given what is known: Phi((z - z_needed sqrt(t)) / sqrt(1 - t))."""
    z, needed = float(special.ndtri(probability)), float(special.ndtri(prior.confidence))
    return float(special.ndtr((z - needed * sqrt(share)) / sqrt(1 - share)))


def weights_alike(y: NDArray[np.integer[Any]]) -> NDArray[np.float64]:
    """Weigh items so that every class present counts alike, as training does where the metric does.

    Args:
        y: (N,) class numbers.

    Returns:
        (N,) weights of mean 1: N / (K * n_c) for an item of a class with n_c items, one of K.
    """
    _, number, counts = np.unique(y, return_inverse=True, return_counts=True)
    return np.asarray((len(y) / (len(counts) * counts))[number])


def _mean_and_error(gains: NDArray[np.float64], units: NDArray[Any]) -> tuple[float, float]:
    """Mean over items, and its standard error from totals per unit (the ratio estimator of cluster sampling)."""
    _, number = np.unique(units, return_inverse=True)
    sizes = np.bincount(number)
    gain = float(gains.mean())
    residuals = np.bincount(number, weights=gains - gain)
    m = len(sizes)
    if m < 2:
        return gain, inf
    return gain, float(np.sqrt(m / (m - 1) * np.square(residuals).sum()) / sizes.sum())


def _as_normal(gain: float, error: float, degrees: int) -> float:
    """Return the standard error under which a normal gives the probability that Student's t gives."""
    if error in (0.0, inf):
        return error
    if abs(gain) < 1e-6 * error:
        # The densities at 0: of the normal 1 / sqrt(2 pi), of t  1 / (sqrt(degrees) B(1/2, degrees/2)).
        return error * float(sqrt(degrees / (2 * pi)) * special.beta(0.5, degrees / 2))
    beyond = float(special.stdtr(degrees, -abs(gain) / error))
    return abs(gain) / float(-special.ndtri(beyond))


def _posterior(gain: float, error: float, prior: Prior) -> tuple[float, float]:
    """Combine a normal measurement with a normal prior."""
    if prior.spread == inf:
        return (gain, error) if error < inf else (0.0, 1.0)
    if error == 0:
        return gain, 0.0
    weight, own = 1 / error**2, 1 / prior.spread**2
    return (gain * weight + prior.mean * own) / (weight + own), 1 / sqrt(weight + own)
