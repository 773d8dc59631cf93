"""Fitting at one strength: softmax classes, independent labels, values; and nearest class means."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self, final

import numpy as np
from scipy import optimize, sparse, special

from headstart.errors import OptionError
from headstart.linear._models import Double, Floats, Integers, LinearModel, Matrix, check
from headstart.linear._solver import ClassWeight, Design, Point, principal_axes, solve
from headstart.linear._targets import Classes, Indicators, Values

# What may be left to gain, in nats: choosing a strength needs less precision than a model.
WALKING, FINAL = 3e-6, 1e-7


def fit_logistic(
    X: Matrix,
    y: Integers,
    *,
    n_classes: int,
    strength: float,
    class_weight: ClassWeight = "none",
    sample_weight: Floats | None = None,
    start: LinearModel | None = None,
) -> LinearModel:
    """Fit the softmax classifier described at the top of `headstart.linear`.

    Args:
        X: Rows (N, D), dense or sparse, taken as they are: standardise dense features first.
        y: Class numbers (N,).
        n_classes: How many classes the model has, also where some have no row here.
        strength: Weight of the penalty, above 0.
        class_weight: ``balanced`` gives every class the same total weight.
        sample_weight: Weight of each row, (N,), 0 or more; only their proportions matter.
        start: Where to start; changes the time, not the answer.

    Returns:
        The classifier of rows like ``X``.
    """
    check(X, y, n_classes=n_classes)
    check_strengths([strength])
    if sample_weight is not None:
        _check_weights(sample_weight, len(y))
    design, target = Design.of(X), Classes.of(y, n_classes, class_weight, sample_weight)
    begin = target.start(design) if start is None else design.enter(start, target.present)
    return design.leave(target.complete(design, solve(design, target, begin, strength=strength, tolerance=FINAL)))


def fit_labels(X: Matrix, Y: Floats, *, strength: float, class_weight: ClassWeight = "none") -> LinearModel:
    """Fit one logistic regression per label, all with the same strength.

    The objective of each is its mean log loss + ``strength`` / 2 * (sum of squared weights), the bias free:
    scikit-learn's ``C`` is ``1 / (n * strength)``. A label that all rows have, or none, gets no weights and the
    probability that it would have after half an example more with it and half without it.

    Args:
        X: Rows (N, D), dense or sparse, taken as they are: standardise dense features first.
        Y: Zeros and ones (N, C).
        strength: Weight of the penalty, above 0.
        class_weight: ``balanced`` gives the rows with a label the same total weight as those without.

    Returns:
        The model of rows like ``X``, with independent probabilities.
    """
    check(X, Y, n_classes=Y.shape[-1], kind="multilabel")
    check_strengths([strength])
    design, target = Design.of(X), Indicators.of(Y, class_weight)
    return design.leave(target.complete(solve_labels(design, target, target.start(design), strength, FINAL)))


def solve_labels(design: Design, target: Indicators, start: Point, strength: float, tolerance: float) -> Point:
    """Minimise the mean of the labels' objectives, in which each label's penalty has its share."""
    share = strength / max(len(target.present), 1)
    return solve(design, target, start, strength=share, tolerance=tolerance)


def fit_ridge(X: Matrix, y: Floats, *, strength: float) -> LinearModel:
    """Fit ridge regression on a target that is standardised here and folded back.

    The objective is half the mean squared error of the standardised target + ``strength`` / 2 * (sum of squared
    weights), the bias free: scikit-learn's ``alpha`` is ``n * strength``. Dense rows have the closed form of `Ridge`.

    Args:
        X: Rows (N, D), dense or sparse, taken as they are: standardise dense features first.
        y: Values (N,).
        strength: Weight of the penalty, above 0.

    Returns:
        The model of rows like ``X``, with values in the unit of ``y``.
    """
    check(X, y, n_classes=1, kind="regression")
    check_strengths([strength])
    scale = TargetScale.of(y)
    if not sparse.issparse(X):
        return scale.undo(Ridge.of(X, scale.standardised(y)).model(strength))
    design, target = Design.of(X), Values(scale.standardised(y).astype(np.float32)[:, None])
    return scale.undo(design.leave(solve(design, target, target.start(design), strength=strength, tolerance=FINAL)))


@final
@dataclass(frozen=True)
class TargetScale:
    """Mean and standard deviation of the values to learn; a constant keeps deviation 1."""

    mean: float
    deviation: float

    @classmethod
    def of(cls, y: Floats) -> Self:
        mean, deviation = float(y.mean(dtype=np.float64)), float(y.std(dtype=np.float64))
        return cls(mean, 1.0 if deviation <= 1e-12 * abs(mean) else deviation)

    def standardised(self, y: Floats) -> Double:
        return (y.astype(np.float64) - self.mean) / self.deviation

    def undo(self, model: LinearModel) -> LinearModel:
        """Return the model of the values themselves."""
        weights, bias = model.weights * self.deviation, model.bias * self.deviation + self.mean
        return LinearModel(weights.astype(np.float32), bias.astype(np.float32), model.converged, model.link)


@final
@dataclass(frozen=True)
class Ridge:
    """Ridge regression of one set of dense rows at any strength.

    On the principal axes of the rows, which come from the smaller of the two Gram matrices in float64, the normal
    equations fall apart: weight j is (mean of row j * target) / (mean square of row j + strength).

    Attributes:
        axes: Orthonormal (D, k).
        moments: Mean square of each coordinate, (k,).
        products: Mean of each coordinate times the target, (k,).
        centre: Mean of the rows, (D,).
        level: Mean of the target.
    """

    axes: Double
    moments: Double
    products: Double
    centre: Double
    level: float

    @classmethod
    def of(cls, X: Floats, y: Double) -> Self:
        rows, centre = X.astype(np.float64), X.mean(axis=0, dtype=np.float64)
        axes = principal_axes(rows, centre).astype(np.float64)
        placed = (rows - centre) @ axes
        return cls(axes, np.square(placed).mean(axis=0), placed.T @ (y - y.mean()) / len(y), centre, float(y.mean()))

    def model(self, strength: float) -> LinearModel:
        """Return the model at one strength."""
        weights = self.axes @ (self.products / (self.moments + strength))
        bias = np.array([self.level - weights @ self.centre])
        return LinearModel(weights[None].astype(np.float32), bias.astype(np.float32), link="identity")


def fit_nearest_mean(X: Floats, y: Integers, *, n_classes: int) -> LinearModel:
    """Return the nearest-class-mean classifier of (standardised) rows ``X`` (N, D) as a linear model.

    The logit of class c is -|x - mean_c|^2 / (2 T), whose x^2 term is common to all classes. T is the within-class
    variance that the means can be trusted with: it minimises the leave-one-out log loss, for which |x - mean|^2 without
    x itself is (n_c / (n_c - 1))^2 times the plain distance. A variance over all features would count correlated ones
    many times and be far too sure. Where no class has two rows, T is the total variance.
    """
    check(X, y, n_classes=n_classes)
    rows, counts = X.astype(np.float64), np.bincount(y, minlength=n_classes)
    present = np.flatnonzero(counts)
    onehot = (y[:, None] == present).astype(np.float64)
    means = (onehot.T @ rows) / counts[present, None]
    squared = (rows**2).sum(axis=1)[:, None] - 2 * rows @ means.T + (means**2).sum(axis=1)
    temperature = _loo_temperature(np.maximum(squared, 0.0), onehot, counts[y], float(rows.var(axis=0).sum()))
    weights, bias = np.zeros((n_classes, rows.shape[1])), np.full(n_classes, np.nan)
    weights[present], bias[present] = means / temperature, -(means**2).sum(axis=1) / (2 * temperature)
    typical = special.logsumexp(rows @ weights[present].T + bias[present], axis=1).mean()
    bias[counts == 0] = typical + np.log(0.5 / len(y))
    return LinearModel(weights.astype(np.float32), bias.astype(np.float32))


def _loo_temperature(squared: Floats, onehot: Floats, n_own: Integers, total: float) -> float:
    known = n_own > 1
    if not known.any() or total == 0:
        return total or 1.0
    grown = np.where(onehot > 0, (n_own / np.maximum(n_own - 1, 1))[:, None] ** 2, 1.0)
    halves, own = (0.5 * squared * grown)[known], onehot[known].argmax(axis=1)

    def loss(log_temperature: float) -> float:
        logits = -halves / np.exp(log_temperature)
        return float((special.logsumexp(logits, axis=1) - logits[np.arange(len(own)), own]).mean())

    centre = np.log(total)
    return float(np.exp(optimize.minimize_scalar(loss, bounds=(centre - 12, centre + 4), method="bounded").x))


def check_strengths(strengths: Sequence[float]) -> None:
    if not strengths or not all(0 < s < np.inf for s in strengths):
        raise OptionError(
            f"expected strengths above 0, found {list(strengths)}", fix="Try strengths from 0.0001 to 10."
        )


def _check_weights(weights: Floats, n: int) -> None:
    if weights.shape != (n,) or not np.isfinite(weights).all() or weights.min() < 0 or weights.max() == 0:
        raise OptionError(
            f"expected {n} sample weights of 0 or more, not all 0, found {np.array2string(weights, threshold=6)}"
        )
