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

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Self, final

import numpy as np
from numpy.typing import NDArray
from sklearn.covariance import ledoit_wolf_shrinkage

AXES: Final = 128
PARTS: Final = 5
KEPT: Final = 1001  # distances of training examples
FEWEST: Final = 20  # examples for any statement

Floats = NDArray[np.floating[Any]]


@final
@dataclass(frozen=True, eq=False)
class _Normal:
    """A normal distribution of features: some axes, and one variance for all others."""

    mean: Floats
    scale: Floats
    axes: Floats
    variances: Floats
    rest: float

    @classmethod
    def fit(cls, X: Floats) -> Self:
        """Fit (n, D) features."""
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
        return cls(mean, scale, axes[:kept], np.maximum(shrunk, 1e-12), max(rest, 1e-12))

    def distances(self, X: Floats) -> Floats:
        """Return (m,) squared distances of (m, D) features."""
        Z = (X - self.mean) / self.scale
        along = Z @ self.axes.T
        across = np.square(Z).sum(axis=1) - np.square(along).sum(axis=1)
        return np.asarray((np.square(along) / self.variances).sum(axis=1) + np.maximum(across, 0) / self.rest)


@final
@dataclass(frozen=True, eq=False)
class Novelty:
    """Tells how unlike the training data an item is.

    Attributes:
        normal: The training features.
        known: Rising distances of training examples from fits that left them out.
    """

    normal: _Normal
    known: Floats

    @classmethod
    def fit(cls, X: Floats, groups: NDArray[Any], *, seed: int) -> Self | None:
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
        held = np.concatenate([_Normal.fit(X[part != one]).distances(X[part == one]) for one in range(PARTS)])
        # Both ends are kept, so that what is farther than any training example has novelty 1.
        known = np.sort(held) if len(held) <= KEPT else np.quantile(held, np.linspace(0, 1, KEPT))
        return cls(_Normal.fit(X), known)

    def of(self, X: Floats) -> NDArray[np.float64]:
        """Return (m,) shares, 0 to 1, of training examples that are less unusual than (m, D) features."""
        found = np.searchsorted(self.known, self.normal.distances(X.astype(np.float64)), side="left")
        return np.asarray(found / len(self.known))

    def to_arrays(self) -> dict[str, NDArray[np.float32]]:
        """Return what `from_arrays` reads, in single precision."""
        parts = {**vars(self.normal), "known": self.known}
        return {name: np.asarray(value, dtype=np.float32) for name, value in parts.items()}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[Any]]) -> Self:
        """Build it from what `to_arrays` returned."""
        wide = {name: array.astype(np.float64) for name, array in arrays.items()}
        known, rest = wide.pop("known"), float(wide.pop("rest"))
        return cls(_Normal(**wide, rest=rest), known)
