"""When to abstain, so that what is answered is wrong at most so often.

Answers are given from a threshold of confidence on. Of held-out examples it is known which answers are wrong, so every
threshold has a share of wrong ones, and what as many new answers will show an upper bound: the upper end of the
interval of Clopper and Pearson is a quantile of a beta distribution of the share, and new answers are drawn from it. (A
bound on the share itself would be lower, and broken by the luck of the new items.) Thresholds are tried that answer
shares of the examples fixed in advance. From one half upwards they are tried in order, each at level delta / 2,
up to the first whose bound is above the wanted share: a sequence that ends at its first failure spends its level once
(Angelopoulos et al., Learn then test, 2021, section 2.3.2). Two smaller shares have delta / 4 each. So the promise
holds with probability 1 - delta, whichever is chosen. (Geifman and El-Yaniv, Selective classification for deep neural
networks, NeurIPS 2017, search all thresholds and pay for each.) Examples of a group resemble each other: then they
count as so many independent ones as explain the spread of the share of errors between groups (the design effect of
survey statistics; Korn and Graubard 1998).
"""

from dataclasses import dataclass
from typing import Any, Final, final

import numpy as np
from numpy.typing import NDArray

from headstart.errors import OptionError
from headstart.evaluation._beta_binomial import beta_binomial_quantile

DELTA: Final = 0.1
RISING: Final = (0.5, 0.6, 0.7, 0.8, 0.85, 0.9, 0.95, 1.0)  # shares answered, tried in order
SMALL: Final = (0.35, 0.2)  # tried where one half is too much


@final
@dataclass(frozen=True)
class Abstention:
    """From which confidence on answers are given.

    Attributes:
        threshold: The least confidence of an answer.
        answered: Share of the held-out examples that is answered.
        wrong: Share of wrong ones among those.
        bound: What that share is at most in as many new answers, with probability 1 - `DELTA`.
    """

    threshold: float
    answered: float
    wrong: float
    bound: float


def abstention(
    confidence: NDArray[np.floating[Any]],
    right: NDArray[np.bool_],
    *,
    error: float,
    groups: NDArray[Any] | None = None,
) -> Abstention | None:
    """Find the lowest threshold at which answers are wrong at most so often.

    Args:
        confidence: (n,) how sure held-out answers are.
        right: (n,) which of them are right.
        error: The share of wrong answers that is wanted at most, above 0 and below 1.
        groups: (n,) groups of examples that resemble each other.

    Returns:
        The threshold; None where no share of the examples shows so few errors: there are too few of them, or too many
        are wrong.

    Raises:
        OptionError: The error is not between 0 and 1.
    """
    if not 0 < error < 1:
        raise OptionError(f"expected an error rate between 0 and 1, found {error:g}", fix="Write 0.05 for 5 %.")
    last = None
    for share in RISING:
        found = _answering(share, confidence, right, groups, level=1 - DELTA / 2)
        if found.bound > error:
            break
        last = found
    if last is not None:
        return last
    less = (_answering(share, confidence, right, groups, level=1 - DELTA / 4) for share in SMALL)
    return next((found for found in less if found.bound <= error), None)


def _answering(
    share: float,
    confidence: NDArray[np.floating[Any]],
    right: NDArray[np.bool_],
    groups: NDArray[Any] | None,
    *,
    level: float,
) -> Abstention:
    """Bound the errors where this share of the examples is answered."""
    threshold = float(np.quantile(confidence, 1 - share, method="higher")) if share < 1 else 0.0
    given = confidence >= threshold
    bound = upper_bound(~right[given], level=level, groups=None if groups is None else groups[given])
    return Abstention(threshold, float(given.mean()), float((~right[given]).mean()), bound)


def fewest_examples(error: float) -> int:
    """Return how many examples it takes to promise an error rate, if the surer half of the answers is right."""
    # Without a mistake, j of as many new answers are wrong with probability 2^-(j + 1), or nearly so.
    return 2 * int(np.ceil((np.ceil(np.log2(2 / DELTA)) - 1) / error))


def upper_bound(wrong: NDArray[np.bool_], *, level: float, groups: NDArray[Any] | None = None) -> float:
    """Bound from above what share as many new examples will show.

    Args:
        wrong: (n,) what is counted.
        level: With what probability the bound holds.
        groups: (n,) groups that resemble each other within.

    Returns:
        The bound, counting as many examples as are independent.
    """
    n, share = len(wrong), float(wrong.mean()) if len(wrong) else 1.0
    if share == 1:
        return 1.0
    effective = n / design_effect(wrong, groups)
    new = max(1, round(effective))
    return beta_binomial_quantile(level, new, share * effective + 1, (1 - share) * effective) / new


def design_effect(values: NDArray[np.bool_], groups: NDArray[Any] | None) -> float:
    """Return how many times larger the variance of a share is than if all examples were independent.

    Args:
        values: (n,) what is counted.
        groups: (n,) groups.

    Returns:
        At least 1; where no value differs, nothing can be seen and every group is taken for one example.
    """
    if groups is None:
        return 1.0
    n, mean = len(values), float(values.mean())
    numbers = np.unique(groups, return_inverse=True)[1]
    n_groups = int(numbers.max()) + 1
    if mean in (0.0, 1.0) or n_groups < 2:
        return n / n_groups
    residuals = np.bincount(numbers, weights=values - mean)
    variance = n_groups / (n_groups - 1) * float(np.square(residuals).sum()) / n**2
    return max(1.0, variance / (mean * (1 - mean) / n))
