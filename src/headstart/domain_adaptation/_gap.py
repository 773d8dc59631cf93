"""How far apart two domains lie, on features: can they be told apart, and which of the target is like nothing?

Everything is measured on the same rows: as many of either domain, standardised together, along their first
`AXES` principal axes. With more axes than examples any two samples can be told apart, and distances say nothing.
"""

from dataclasses import dataclass
from typing import Any, Final, Self, TypeAlias, final

import numpy as np
import numpy.typing as npt

from headstart.domain_adaptation._alignment import (
    Double,
    Floats,
    Integers,
    Single,
    check_pair,
    principal_axes,
    squared_distances,
)
from headstart.domain_adaptation._weights import AXES, FOLDS, along_axes, told_apart
from headstart.evaluation import Interval, auroc, bootstrap_interval
from headstart.linear import Standardiser

Groups: TypeAlias = npt.NDArray[Any]

MOST_ROWS: Final = 2000  # of each domain
MOST_REFERENCES: Final = 5000  # rows of the source among which neighbours are looked up
KERNEL_ROWS: Final = 1000  # of each domain: the kernel takes the square of it
PERMUTATIONS: Final = 200
NEIGHBOURS: Final = 5
FEWEST: Final = 5  # rows of a class that have a mean worth naming
FAR: Final = 0.99  # of the source's own examples are nearer to others
TRIFLE: Final = 0.55  # an AUC; the interval holds 0.5 too seldom, because folds share what they train on
BANDWIDTHS: Final = (0.25, 0.5, 1.0, 2.0, 4.0)  # times the median squared distance


@final
@dataclass(frozen=True, eq=False)
class Pooled:
    """Rows of both domains in one space, as many of each.

    Attributes:
        rows: (2 n, k), those of the source first.
        units: The group of every row as a number; rows of different domains share none.
    """

    rows: Single
    units: Integers

    @classmethod
    def of(
        cls, source: Floats, target: Floats, *, groups: tuple[Groups | None, Groups | None], seed: int, most: int
    ) -> Self:
        """Draw the rows, standardise them together and turn them to their principal axes."""
        generator = np.random.default_rng(seed)
        n = min(len(source), len(target), most)
        chosen = tuple(np.sort(generator.permutation(len(rows))[:n]) for rows in (source, target))
        both = np.concatenate([source[chosen[0]], target[chosen[1]]])
        return cls(along_axes(both, n // 2), _units(chosen, groups))

    @property
    def domain(self) -> Integers:
        """0 for rows of the source, 1 for those of the target."""
        return np.repeat([0, 1], len(self.rows) // 2)


@final
@dataclass(frozen=True)
class Gap:
    """How far apart two domains lie.

    Attributes:
        auc: Area under the curve of a classifier that tells the domains apart, on held-out examples; 0.5 is chance.
        interval: Of it, 95 %.
        distance: Proxy A-distance, 2 (1 - 2 error), of that classifier: 0 where it guesses, 2 where it never errs.
        mmd: Squared maximum mean discrepancy, unbiased; about 0 for one distribution.
        mmd_p: Share of random swaps of the domains with as much of it, the domains themselves counted.
        unlike: Positions of target examples farther from the source than 99 % of its own are from each other, the
            farthest first.
        n: How many examples of each domain were compared.
    """

    auc: float
    interval: Interval
    distance: float
    mmd: float
    mmd_p: float
    unlike: Integers
    n: int

    @property
    def within_noise(self) -> bool:
        """Whether neither the classifier, but for a trifle, nor the discrepancy tells the domains apart."""
        return self.interval.low <= TRIFLE and self.mmd_p > 0.05


def measure_gap(
    source: Floats,
    target: Floats,
    *,
    groups: tuple[Groups | None, Groups | None] = (None, None),
    seed: int = 0,
) -> Gap:
    """Measure how far apart two domains lie.

    Ben-David et al. (A theory of learning from different domains, 2010) for the proxy A-distance, here of an L2
    logistic regression under cross-validation; Gretton et al. (A kernel two-sample test, 2012, eq. 3) for the
    discrepancy, with a sum of Gaussian kernels around the median distance.

    Args:
        source: Rows of the source, (N, D).
        target: Rows of the target, (M, D).
        groups: Groups of both, (N,) and (M,), or None: a group is never on both sides of a fold, and is swapped whole.
        seed: Of the rows drawn, the folds and the swaps.

    Returns:
        The gap.

    Raises:
        DataError: The widths differ, or a domain has fewer than two rows.
    """
    check_pair(source, target)
    pooled = Pooled.of(source, target, groups=groups, seed=seed, most=MOST_ROWS)
    auc, interval, error = _told_apart(pooled, seed)
    few = pooled
    if len(pooled.rows) > 2 * KERNEL_ROWS:
        few = Pooled.of(source, target, groups=groups, seed=seed, most=KERNEL_ROWS)
    mmd, p = discrepancy(few.rows, few.units, seed=seed)
    return Gap(
        auc=auc,
        interval=interval,
        distance=max(0.0, 2 * (1 - 2 * error)),
        mmd=mmd,
        mmd_p=p,
        unlike=unlike_anything(source, target),
        n=len(pooled.rows) // 2,
    )


def discrepancy(rows: Floats, units: Integers, *, seed: int) -> tuple[float, float]:
    """Return the squared maximum mean discrepancy of two halves and how often random halves have as much.

    Args:
        rows: (2 n, k), the first domain first.
        units: Rows of one number are swapped together, (2 n,).
        seed: Of the swaps.

    Returns:
        The unbiased estimate, and its p-value.
    """
    kernel, half = _kernel(rows), len(rows) // 2
    first = np.zeros((len(rows), PERMUTATIONS + 1))
    first[:half, 0] = 1.0
    generator, several = np.random.default_rng(seed), len(np.unique(units))
    for column in range(1, PERMUTATIONS + 1):
        order = generator.permutation(several)[units] if several < len(rows) else generator.permutation(len(rows))
        # Whole groups go over until the half is full; the last one may be cut.
        first[np.argsort(order, kind="stable")[:half], column] = 1.0
    second = 1.0 - first
    a, b = kernel @ first, kernel @ second
    within = ((first * a).sum(axis=0) + (second * b).sum(axis=0)) / (half * (half - 1))
    found = within - 2 * (first * b).sum(axis=0) / half**2
    return float(found[0]), float((found >= found[0] - 1e-12).mean())


def unlike_anything(source: Floats, target: Floats) -> Integers:
    """Find target rows whose neighbours in the source are farther than those of nearly all of the source's own rows.

    Args:
        source: Rows of the source, (N, D); above `MOST_REFERENCES` every so many of them is looked at.
        target: Rows of the target, (M, D).

    Returns:
        Their positions in the target, the farthest first.
    """
    own, other = _along_source(source[:: -(-len(source) // MOST_REFERENCES)], target)
    k = min(NEIGHBOURS, len(own) - 1)
    limit = np.quantile(_distances(own, own, k + 1), FAR)  # the nearest row of each is itself
    far = _distances(other, own, k)
    order = np.argsort(-far, kind="stable")
    return np.asarray(order[far[order] > limit])


def class_shifts(source: Floats, y: Integers, target: Floats, answers: Integers, *, n_classes: int) -> Double:
    """Return how far every class seems to have moved, in the spread that it has in the source.

    Args:
        source: Rows of the source, (N, D).
        y: Their class numbers, (N,).
        target: Rows of the target, (M, D).
        answers: Class numbers that a head gives them, (M,); where it errs, so does this.
        n_classes: C, how many classes there are.

    Returns:
        (C,) distances between the means of a class in both domains over the root mean square distance of its source
        rows to theirs, along the principal axes of the source; NaN for a class with fewer than `FEWEST` rows in either.
    """
    here, there = _along_source(source, target)
    shifts = np.full(n_classes, np.nan)
    for number in range(n_classes):
        own, other = here[y == number], there[answers == number]
        if min(len(own), len(other)) >= FEWEST:
            mean = own.mean(axis=0)
            spread = float(np.sqrt(np.square(own - mean).sum(axis=1).mean()))
            shifts[number] = float(np.linalg.norm(other.mean(axis=0) - mean)) / max(spread, 1e-12)
    return shifts


def _along_source(source: Floats, target: Floats) -> tuple[Single, Single]:
    """Return both domains as the source standardises them, along its principal axes."""
    standardiser = Standardiser.fit(source)
    here = standardiser.transform(source)
    axes = principal_axes(here, min(AXES, len(here) // 2, here.shape[1])).astype(np.float32)
    return here @ axes, standardiser.transform(target) @ axes


def _told_apart(pooled: Pooled, seed: int) -> tuple[float, Interval, float]:
    """Return AUC, its interval and the error of a cross-validated classifier of domains."""
    y, groups = pooled.domain, pooled.units
    n_splits = min(FOLDS, *(len(np.unique(groups[y == side])) for side in (0, 1)))
    if n_splits < 2:  # one speaker of each side: whatever tells the two apart may be the speakers
        groups, n_splits = np.arange(len(y)), min(FOLDS, len(y) // 2)
    outputs = told_apart(pooled.rows, y, groups=groups, n_splits=n_splits, seed=seed)
    several = groups if len(np.unique(groups)) < len(y) else None
    interval = bootstrap_interval("auroc", y, outputs, groups=several, seed=seed, resamples=500)
    error = float(((outputs[:, 1] > 0.5) != y).mean())
    return float(np.squeeze(auroc(y, outputs))), interval, error


def _kernel(rows: Floats) -> Double:
    """Sum of Gaussian kernels (n, n) around the median squared distance; zeros on the diagonal."""
    wide = rows.astype(np.float64)
    squared = squared_distances(wide, wide)
    median = float(np.median(squared[np.triu_indices(len(rows), 1)])) or 1.0
    kernel = sum(np.exp(-squared / (median * width)) for width in BANDWIDTHS)
    kernel = np.asarray(kernel / len(BANDWIDTHS))
    np.fill_diagonal(kernel, 0.0)
    return kernel


def _distances(rows: Single, among: Single, k: int, *, block: int = 1000) -> Double:
    """Return the mean distance (N,) of rows to their k nearest among others."""
    means = []
    for start in range(0, len(rows), block):
        nearest = np.partition(squared_distances(rows[start : start + block], among), k - 1, axis=1)[:, :k]
        means.append(np.sqrt(nearest).mean(axis=1))
    return np.concatenate(means).astype(np.float64)


def _units(chosen: tuple[Any, ...], groups: tuple[Groups | None, Groups | None]) -> Integers:
    """Number the groups of the rows drawn; rows without a group are one each."""
    numbered, after = [], 0
    for rows, names in zip(chosen, groups, strict=True):
        own = np.arange(len(rows)) if names is None else np.unique(np.asarray(names)[rows], return_inverse=True)[1]
        numbered.append(own + after)
        after += int(own.max()) + 1
    return np.concatenate(numbered).astype(np.intp)
