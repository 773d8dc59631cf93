"""How much a random split flatters: items scored by models that did, and did not, know others of their group."""

from dataclasses import dataclass
from typing import Any, Final, final

import numpy as np
import numpy.typing as npt

from headstart.data import make_folds
from headstart.linear import cross_validate

Floats = npt.NDArray[np.floating[Any]]
Integers = npt.NDArray[np.integer[Any]]

SEEDS: Final = 5
FOLDS: Final = 5
_RESAMPLES: Final = 2000
_LEVEL: Final = 0.95


@final
@dataclass(frozen=True, eq=False)
class Flattery:
    """Accuracy under random and under grouped splits, and the difference item by item.

    Attributes:
        random: Accuracy where items are split at random, mean over seeds.
        grouped: Accuracy where groups stay together, mean over seeds.
        seeds: Both, (S, 2), seed by seed.
        difference: ``random - grouped``.
        low: Lower end of its 95 % interval, groups drawn again.
        high: Upper end.
        n_groups: How many groups there are.
    """

    random: float
    grouped: float
    seeds: Floats
    difference: float
    low: float
    high: float
    n_groups: int


def flattery(X: Floats, y: Integers, *, copies: Integers, groups: Integers, n_classes: int, seed: int) -> Flattery:
    """Score a probe under random and grouped splits of the same items, with the same folds' sizes.

    Args:
        X: (N, D) features.
        y: (N,) class numbers.
        copies: (N,) numbers of exact copies, which neither split tears apart.
        groups: (N,) numbers of what the grouped split keeps together.
        n_classes: How many classes there are.
        seed: Of the folds and of the groups drawn again.

    Returns:
        Both accuracies and the difference; its interval is over groups.
    """
    right = np.zeros((SEEDS, 2, len(y)))
    for turn in range(SEEDS):
        for side, units in enumerate((copies, groups)):
            n_splits = min(FOLDS, int(groups.max()) + 1)
            folds = make_folds(y, groups=units, n_splits=n_splits, seed=seed + turn)
            found = cross_validate(X, y, folds, n_classes=n_classes).outputs
            right[turn, side] = found.argmax(axis=1) == y
    seeds, gained = right.mean(axis=2), (right[:, 0] - right[:, 1]).mean(axis=0)
    low, high = _interval(gained, groups, seed)
    random, grouped = seeds.mean(axis=0).tolist()
    return Flattery(random, grouped, seeds, random - grouped, low, high, len(np.unique(groups)))


def _interval(gained: Floats, groups: Integers, seed: int) -> tuple[float, float]:
    """Percentiles of the mean of items, whole groups drawn again with replacement."""
    units = np.unique(groups, return_inverse=True)[1]
    sums, sizes = np.bincount(units, gained), np.bincount(units)
    generator = np.random.default_rng(seed)
    drawn = generator.integers(len(sums), size=(_RESAMPLES, len(sums)))
    means = sums[drawn].sum(axis=1) / sizes[drawn].sum(axis=1)
    low, high = np.quantile(means, [(1 - _LEVEL) / 2, (1 + _LEVEL) / 2])
    return float(low), float(high)
