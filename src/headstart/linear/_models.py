"""Fitted models as values: what they hold and how they predict."""

from dataclasses import dataclass
from typing import Any, Literal, Self, TypeAlias, final

import numpy as np
import numpy.typing as npt
from scipy import sparse, special

from headstart.errors import DataError, OptionError
from headstart.tasks import Kind, counts, cut, flat, is_ragged

Link: TypeAlias = Literal["softmax", "sigmoid", "identity"]
LINKS: dict[Kind, Link] = {
    "classification": "softmax",
    "multilabel": "sigmoid",
    "regression": "identity",
    "tagging": "softmax",
    "transcription": "softmax",
}
"""The link of each kind of task."""

Floats: TypeAlias = npt.NDArray[np.floating[Any]]
Single: TypeAlias = npt.NDArray[np.float32]
Double: TypeAlias = npt.NDArray[np.float64]
Integers: TypeAlias = npt.NDArray[np.integer[Any]]
Sparse: TypeAlias = "sparse.csr_array[Any, tuple[int, int]] | sparse.csr_matrix[Any]"
Matrix: TypeAlias = "Floats | Sparse"

DEAD = 1e-5  # of the typical deviation of all features; what varies less is constant

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
        # What rounding leaves of a constant feature: next to its own mean, or to what the others vary. Some networks
        # have features that are all but zero; scaled up, their rounding would get weights of any size.
        typical = float(np.median(scale[scale > 0])) if scale.any() else 0.0
        constant = scale <= np.maximum(1e-7 * np.abs(mean), DEAD * typical)
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
    """A linear map and what makes outputs of its scores.

    Attributes:
        weights: (K, D).
        bias: (K,).
        converged: False where L-BFGS ran out of steps.
        link: ``softmax``: C probabilities that are 1 together; ``sigmoid``: C independent ones; ``identity``: values.
    """

    weights: Single
    bias: Single
    converged: bool = True
    link: Link = "softmax"

    def logits(self, X: Matrix) -> Floats:
        """Return the scores (N, K) of rows ``X`` (N, D)."""
        return np.asarray(X @ self.weights.T) + self.bias

    def outputs(self, X: Matrix) -> Double:
        """Return what is predicted for rows ``X`` (N, D): probabilities (N, C), or values (N, 1).

        Where items have several rows each, (N,) objects in and out.
        """
        if isinstance(X, np.ndarray) and is_ragged(X):
            return cut(self.outputs(flat(X)), counts(X)) if len(X) else np.asarray(X)
        return linked(self.logits(X), self.link)

    def probabilities(self, X: Matrix) -> Double:
        """Return the class or label probabilities (N, C) of rows ``X`` (N, D)."""
        return _probable(self.link, self.outputs(X))

    def fold(self, standardiser: Standardiser) -> "LinearModel":
        """Return the same model for features that have not been standardised."""
        weights = self.weights / standardiser.scale
        bias = self.bias - weights @ standardiser.mean
        return LinearModel(weights.astype(np.float32), bias.astype(np.float32), self.converged, self.link)


@final
@dataclass(frozen=True)
class KNearest:
    """Mean of what the ``k`` nearest rows by cosine have, weighted by 1 / (distance + 0.01).

    Classes get one more vote for all of them alike, labels one at their frequency among all rows (shrunk as if half an
    example had it and half had not). That last vote keeps log losses finite: no class falls under 1 / (C * (k + 1)).
    Values get none.

    Attributes:
        features: Rows (N, D) at length 1.
        labels: (N,) class numbers (``softmax``), (N, C) indicators (``sigmoid``), (N,) values (``identity``).
        n_classes: K, the number of output columns.
        k: How many neighbours vote.
        link: Which of the three it is.
    """

    features: Single
    labels: npt.NDArray[Any]
    n_classes: int
    k: int
    link: Link = "softmax"

    @classmethod
    def fit(cls, X: Floats, y: npt.NDArray[Any], *, n_classes: int, k: int = 5, kind: Kind = "classification") -> Self:
        """Keep rows ``X`` (N, D) at length 1; with fewer than ``k`` of them, all vote."""
        check(X, y, n_classes=n_classes, kind=kind)
        return cls(unit(X), y, n_classes, min(k, len(y)), LINKS[kind])

    def outputs(self, X: Floats) -> Double:
        """Return what is predicted for rows ``X`` (N, D), (N, K), in blocks of bounded memory."""
        step = max(1, _CHUNK // len(self.labels))
        blocks = [self._votes(unit(X[i : i + step])) for i in range(0, len(X), step)]
        return np.concatenate(blocks) if blocks else np.empty((0, self.n_classes))

    def probabilities(self, X: Floats) -> Double:
        """Return the class or label probabilities (N, C) of rows ``X`` (N, D), in blocks of bounded memory."""
        return _probable(self.link, self.outputs(X))

    def _votes(self, rows: Single) -> Double:
        similarity = rows @ self.features.T
        nearest = np.argpartition(-similarity, self.k - 1, axis=1)[:, : self.k]
        votes = 1.0 / (1.01 - np.take_along_axis(similarity, nearest, axis=1).clip(-1, 1).astype(np.float64))
        votes *= self.k / votes.sum(axis=1, keepdims=True)
        if self.link == "identity":
            return np.asarray((votes * self.labels[nearest]).sum(axis=1, keepdims=True) / self.k)
        if self.link == "sigmoid":
            counted: Double = np.einsum("nk,nkc->nc", votes, self.labels[nearest])
            return (counted + shrunk_frequencies(self.labels)) / (self.k + 1)
        out = np.full((len(rows), self.n_classes), 1.0 / self.n_classes)
        np.add.at(out, (np.arange(len(rows))[:, None], self.labels[nearest]), votes)
        return out / (self.k + 1)


def shrunk_frequencies(indicators: Floats) -> Double:
    """Frequency (C,) of each label among rows (N, C), as if half an example more had it and half had not."""
    return np.asarray((indicators.sum(axis=0, dtype=np.float64) + 0.5) / (len(indicators) + 1))


def linked(scores: Floats, link: Link) -> Double:
    """Turn scores (N, K) into outputs."""
    if link == "softmax":
        return softmax(scores)
    return np.asarray(special.expit(scores.astype(np.float64)) if link == "sigmoid" else scores.astype(np.float64))


def _probable(link: Link, outputs: Double) -> Double:
    if link == "identity":
        raise OptionError("expected a model of classes or labels, found one of values", fix="Use its outputs.")
    return outputs


def softmax(logits: Floats) -> Double:
    return special.softmax(logits.astype(np.float64), axis=1)


def unit(X: Floats) -> Single:
    """Rows at length 1; a row of zeros stays, at cosine 0 to all."""
    lengths = np.linalg.norm(X, axis=1, keepdims=True)
    return (X / np.where(lengths > 0, lengths, 1)).astype(np.float32)


def check(X: Matrix, y: npt.NDArray[Any], *, n_classes: int, kind: Kind = "classification") -> None:
    if X.shape[0] != len(y) or len(y) == 0:
        raise DataError(f"expected one label for each of one or more rows, found {X.shape[0]} rows and {len(y)} labels")
    _check_target(y, n_classes, kind)
    finite = np.isfinite(X.data if sparse.issparse(X) else X)
    if not finite.all():
        raise DataError(
            f"expected finite features, found {int((~finite).sum())} that are not",
            fix="Look for empty or corrupt items, or compute the features in float32.",
        )


def _check_target(y: npt.NDArray[Any], n_classes: int, kind: Kind) -> None:
    if kind == "classification":
        if int(y.min()) < 0 or int(y.max()) >= n_classes:
            raise DataError(f"expected class numbers from 0 to {n_classes - 1}, found {int(y.min())} to {int(y.max())}")
    elif kind == "multilabel":
        if y.shape[1:] != (n_classes,) or not np.isin(y, (0, 1)).all():
            raise DataError(f"expected {len(y)} rows of {n_classes} zeros and ones, found shape {y.shape} or others")
    elif y.ndim != 1 or not np.isfinite(y).all():
        raise DataError(f"expected {len(y)} finite values, found shape {y.shape} or values that are not finite")
