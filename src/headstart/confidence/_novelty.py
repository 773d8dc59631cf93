"""How unlike the training data an item is, by the distance of its features.

The features of the training part are described by one normal distribution: its first axes exactly, all others
together by their mean variance (Tipping and Bishop, Probabilistic principal component analysis, 1999), the whole shrunk
as Ledoit and Wolf (2004) have it, because there are more features than examples. The squared Mahalanobis distance told
flowers, insects and chest X-rays from each other better than the distance to the fifth nearest neighbour (Sun et al.,
ICML 2022) or the highest probability; figures in benchmarks/LOG.md. It says nothing of a single training example, as
neighbours would, and needs no labels.

Novelty is the share of training examples that lie nearer: their distances are taken from fits that left them out, one
fifth of the groups at a time.
"""

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from headstart.runtime import Normal, Novelty

AXES: Final = 128
PARTS: Final = 5
KEPT: Final = 1001  # distances of training examples
FEWEST: Final = 20  # examples for any statement

Floats = NDArray[np.floating[Any]]


def fit_novelty(X: Floats, groups: NDArray[Any], *, seed: int) -> Novelty | None:
    """Describe the training features.

    Args:
        X: (n, D) features.
        groups: (n,) groups that are left out as a whole.
        seed: For the parts.

    Returns:
        The description; None for fewer than `FEWEST` examples or five groups.
    """
    rng = np.random.default_rng(seed)
    numbers = np.unique(groups, return_inverse=True)[1]
    n_groups = int(numbers.max(initial=-1)) + 1
    if len(X) < FEWEST or n_groups < PARTS:
        return None
    part = (rng.permutation(n_groups) % PARTS)[numbers]
    held = np.concatenate([fit_normal(X[part != one]).distances(X[part == one]) for one in range(PARTS)])
    # Both ends are kept, so that what is farther than any training example has novelty 1.
    known = np.sort(held) if len(held) <= KEPT else np.quantile(held, np.linspace(0, 1, KEPT))
    return Novelty(fit_normal(X), known)


def fit_normal(X: Floats) -> Normal:
    """Fit a normal distribution to (n, D) features."""
    from sklearn.covariance import ledoit_wolf_shrinkage  # takes seconds, and a prediction needs none

    mean, spread = X.mean(axis=0, dtype=np.float64), X.std(axis=0, dtype=np.float64)
    scale = np.where(spread > 1e-3 * (np.sqrt(np.square(spread).mean()) or 1.0), spread, np.inf)
    Z = (X - mean) / scale  # a feature that does not vary says nothing
    n, width = Z.shape
    _, singular, axes = np.linalg.svd(Z, full_matrices=False)
    variances = np.square(singular) / n
    shrinkage = float(ledoit_wolf_shrinkage(Z, assume_centered=True))
    level = variances.sum() / width
    kept = min(AXES, max(1, n - 1), width)
    others = float(variances[kept:].sum()) / (width - kept) if width > kept else level
    shrunk = (1 - shrinkage) * variances[:kept] + shrinkage * level
    rest = (1 - shrinkage) * others + shrinkage * level
    return Normal(mean, scale, axes[:kept], np.maximum(shrunk, 1e-12), max(rest, 1e-12))
