"""Fitted classifiers as values: what they hold and how they predict."""

from dataclasses import dataclass
from typing import Any, Self, TypeAlias, final

import numpy as np
import numpy.typing as npt
from scipy import sparse, special

from headstart.errors import DataError

Floats: TypeAlias = npt.NDArray[np.floating[Any]]
Single: TypeAlias = npt.NDArray[np.float32]
Double: TypeAlias = npt.NDArray[np.float64]
Integers: TypeAlias = npt.NDArray[np.integer[Any]]
Sparse: TypeAlias = "sparse.csr_array[Any, tuple[int, int]] | sparse.csr_matrix[Any]"
Matrix: TypeAlias = "Floats | Sparse"

_CHUNK = 1 << 24  # numbers in one block of similarities


@final
@dataclass(frozen=True)
class Standardiser:
    """Mean and scale per feature, (D,) each; a constant feature keeps scale 1."""

    mean: Floats
    scale: Floats

    @classmethod
    def fit(cls, X: Floats) -> Self:
        """Measure ``X`` (N, D) in float64."""
        mean = X.mean(axis=0, dtype=np.float64)
        scale = X.std(axis=0, dtype=np.float64)
        constant = scale <= 1e-7 * np.abs(mean)  # what rounding leaves of a constant float32 feature
        return cls(mean=mean, scale=np.where(constant, 1.0, scale))

    def transform(self, X: Floats) -> Single:
        """Return ``X`` standardised, as float32."""
        wide = np.result_type(X.dtype, np.float32)
        out: Single = np.subtract(X, self.mean.astype(wide), dtype=wide).astype(np.float32)
        out /= self.scale.astype(np.float32)
        return out


@final
@dataclass(frozen=True)
class LinearModel:
    """Weights (C, D) and biases (C,) of a softmax classifier; ``converged`` is false where L-BFGS ran out of steps."""

    weights: Single
    bias: Single
    converged: bool = True

    def logits(self, X: Matrix) -> Floats:
        """Return the scores (N, C) of rows ``X`` (N, D)."""
        return np.asarray(X @ self.weights.T) + self.bias

    def probabilities(self, X: Matrix) -> Double:
        """Return the class probabilities (N, C) of rows ``X`` (N, D)."""
        return softmax(self.logits(X))

    def fold(self, standardiser: Standardiser) -> "LinearModel":
        """Return the same classifier for features that have not been standardised."""
        weights = self.weights / standardiser.scale
        bias = self.bias - weights @ standardiser.mean
        return LinearModel(weights.astype(np.float32), bias.astype(np.float32), self.converged)


@final
@dataclass(frozen=True)
class KNearest:
    """Votes of the ``k`` nearest rows by cosine, weighted by 1 / (distance + 0.01), and one more for all classes alike.

    That last vote keeps log losses finite: no class falls under 1 / (C * (k + 1)).
    """

    features: Single
    labels: Integers
    n_classes: int
    k: int

    @classmethod
    def fit(cls, X: Floats, y: Integers, *, n_classes: int, k: int = 5) -> Self:
        """Keep rows ``X`` (N, D) at length 1; with fewer than ``k`` of them, all vote."""
        check(X, y, n_classes=n_classes)
        return cls(unit(X), y, n_classes, min(k, len(y)))

    def probabilities(self, X: Floats) -> Double:
        """Return the class probabilities (N, C) of rows ``X`` (N, D), in blocks of bounded memory."""
        step = max(1, _CHUNK // len(self.labels))
        blocks = [self._votes(unit(X[i : i + step])) for i in range(0, len(X), step)]
        return np.concatenate(blocks) if blocks else np.empty((0, self.n_classes))

    def _votes(self, rows: Single) -> Double:
        similarity = rows @ self.features.T
        nearest = np.argpartition(-similarity, self.k - 1, axis=1)[:, : self.k]
        votes = 1.0 / (1.01 - np.take_along_axis(similarity, nearest, axis=1).clip(-1, 1).astype(np.float64))
        votes *= self.k / votes.sum(axis=1, keepdims=True)
        out = np.full((len(rows), self.n_classes), 1.0 / self.n_classes)
        np.add.at(out, (np.arange(len(rows))[:, None], self.labels[nearest]), votes)
        return out / (self.k + 1)


def softmax(logits: Floats) -> Double:
    return special.softmax(logits.astype(np.float64), axis=1)


def unit(X: Floats) -> Single:
    """Rows at length 1; a row of zeros stays, at cosine 0 to all."""
    lengths = np.linalg.norm(X, axis=1, keepdims=True)
    return (X / np.where(lengths > 0, lengths, 1)).astype(np.float32)


def check(X: Matrix, y: Integers, *, n_classes: int) -> None:
    if X.shape[0] != len(y) or len(y) == 0:
        raise DataError(f"expected one label for each of one or more rows, found {X.shape[0]} rows and {len(y)} labels")
    if int(y.min()) < 0 or int(y.max()) >= n_classes:
        raise DataError(f"expected class numbers from 0 to {n_classes - 1}, found {int(y.min())} to {int(y.max())}")
    finite = np.isfinite(X.data if sparse.issparse(X) else X)
    if not finite.all():
        raise DataError(
            f"expected finite features, found {int((~finite).sum())} that are not",
            fix="Look for empty or corrupt items, or compute the features in float32.",
        )
