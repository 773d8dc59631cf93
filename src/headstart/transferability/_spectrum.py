"""One decomposition of a feature matrix, from which LogME, H-score, discriminant and neighbours all follow.

F = U diag(s) V', thin and not centred, because LogME is of F as it is. What is centred follows from the mean in the
basis: F'F / N - m m' is diagonal less one outer product, and the scatter within C classes diagonal less C of them.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Self, final

import numpy as np

from headstart.errors import DataError
from headstart.transferability._inputs import Double, Floats


@final
@dataclass(frozen=True, eq=False)
class Spectrum:
    """The singular values and left singular vectors of a feature matrix F (N, D).

    Attributes:
        left: U, orthonormal columns, (N, k).
        singular: s, (k,), positive, from small to large; k is the numerical rank.
        width: D.
        variance: Sum of the D variances, with divisor N.
        squared_covariance: Sum of the squares of all D x D covariances, with divisor N.
    """

    left: Double
    singular: Double
    width: int
    variance: float
    squared_covariance: float

    @classmethod
    def of(cls, features: Floats) -> Self:
        """Decompose features through the smaller Gram matrix, N x N or D x D, in float64.

        Squares of singular values under ``max(N, D) * 2.2e-16`` of the largest are rounding and left out; float32
        features have nothing there but noise.

        Args:
            features: F, (N, D).

        Returns:
            The decomposition.

        Raises:
            DataError: Not a matrix of one or more rows and columns, or not finite.
        """
        _check(features)
        centred = features.astype(np.float64)
        mean = centred.mean(axis=0)
        centred -= mean
        n, width = centred.shape
        wide = n <= width
        # The Gram matrix is centred first: its sums of squares would cancel where the mean is large.
        gram = centred @ centred.T if wide else centred.T @ centred
        variance, squares = float(np.trace(gram)) / n, float(np.vdot(gram, gram)) / n**2
        towards = centred @ mean
        gram += towards[:, None] + towards + mean @ mean if wide else n * np.outer(mean, mean)
        energies, vectors = np.linalg.eigh(gram)
        kept = energies > max(n, width) * np.finfo(np.float64).eps * max(energies[-1], 0.0)
        singular, basis = np.sqrt(energies[kept]), vectors[:, kept]
        left = basis if wide else (centred @ basis + mean @ basis) / singular
        return cls(left, singular, width, variance, squares)

    @cached_property
    def energies(self) -> Double:
        """Squares of the singular values, the eigenvalues of F'F, (k,)."""
        return np.square(self.singular)

    @cached_property
    def coordinates(self) -> Double:
        """F V = U diag(s): the rows of F in the basis, (N, k)."""
        return self.left * self.singular

    @cached_property
    def mean(self) -> Double:
        """The mean row in the basis, (k,)."""
        mean: Double = self.coordinates.mean(axis=0)
        return mean

    @cached_property
    def centred(self) -> Double:
        """The rows in the basis less their mean, (N, k)."""
        return self.coordinates - self.mean

    @property
    def flat(self) -> bool:
        """Whether all rows are the same, up to rounding."""
        total = self.variance + float(self.mean @ self.mean)
        return bool(self.variance <= max(self.left.shape[0], self.width) * np.finfo(np.float64).eps * total)


def spectrum_of(features: Spectrum | Floats) -> Spectrum:
    """Return the decomposition of features that may be decomposed already."""
    return features if isinstance(features, Spectrum) else Spectrum.of(features)


def shrinkage(fourth: float, squares: float, trace: float, *, n: int, width: int) -> float:
    """Return the weight a of the scaled identity in the Ledoit-Wolf estimate (1 - a) S + a trace(S) / D I.

    Ledoit & Wolf, A well-conditioned estimator for large-dimensional covariance matrices, 2004, lemma 3.2 on, as
    scikit-learn has it: a = min(b / d, 1) with D d = ||S||^2 - trace(S)^2 / D and D b = (mean |x|^4 - ||S||^2) / N.

    Args:
        fourth: Mean over rows of the fourth power of their length.
        squares: Sum of the squares of S.
        trace: Trace of S.
        n: N, number of rows.
        width: D.

    Returns:
        From 0 to 1; 0 in one dimension.
    """
    noise, distance = max(fourth - squares, 0.0) / n, squares - trace**2 / width
    if width == 1 or noise == 0:
        return 0.0
    return min(1.0, noise / distance) if distance > 0 else 1.0


def _check(features: Floats) -> None:
    if features.ndim != 2 or 0 in features.shape:
        raise DataError(f"expected features of shape (N, D), found {features.shape}")
    if not np.isfinite(features).all():
        raise DataError(
            f"expected finite features, found {int((~np.isfinite(features)).sum())} that are not",
            fix="Look for empty or corrupt items, or compute the features in float32.",
        )
