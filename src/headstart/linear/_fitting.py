"""Fitting: one strength, the choice among strengths by cross-validation, and nearest class means."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias, final

import numpy as np
from scipy import optimize, sparse, special

from headstart.errors import OptionError
from headstart.linear._models import Double, Floats, Integers, LinearModel, Matrix, Standardiser, check
from headstart.linear._solver import ClassWeight, Design, Target, solve

Fold: TypeAlias = tuple[Integers, Integers]

STRENGTHS = (10.0, 3.0, 1.0, 0.3, 0.1, 0.03, 0.01, 0.003, 0.001, 0.0003, 0.0001)
"""Strengths tried by default on standardised features; where weak ones are not needed, the walk ends before them."""

PROBABILITY_FLOOR = 1e-7
"""Log losses clip probabilities here: float32 cannot tell 1 - 1e-8 from 1, so less would be rounding, no confidence."""

_TURNED_UP = 1.05  # times the best loss: beyond the wiggles of fold means seen on real features
# What may be left to gain, in nats: choosing a strength needs less precision than a model.
_WALKING, _FINAL = 3e-6, 1e-7


@final
@dataclass(frozen=True)
class CrossValidation:
    """What cross-validation found, strengths from strong to weak.

    Attributes:
        strengths: The S strengths walked, shape (S,); the walk may end before the last one asked for.
        log_loss: Mean held-out log loss per fold and strength, (folds, S), with the class weights of training.
        accuracy: Held-out accuracy per fold and strength, (folds, S).
        strength: The strength of the lowest mean log loss, the stronger of equals.
        probabilities: Out-of-fold probabilities at that strength, (N, C); means where an item was held out several
            times, nan where it never was.
    """

    strengths: Double
    log_loss: Double
    accuracy: Double
    strength: float
    probabilities: Double


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
    _check_strengths([strength])
    if sample_weight is not None:
        _check_weights(sample_weight, len(y))
    design, target = Design.of(X), Target.of(y, n_classes, class_weight, sample_weight)
    begin = target.start(design) if start is None else design.enter(start, target)
    return design.leave(target.complete(design, solve(design, target, begin, strength=strength, tolerance=_FINAL)))


def cross_validate(
    X: Matrix,
    y: Integers,
    folds: Sequence[Fold],
    *,
    n_classes: int,
    strengths: Sequence[float] = STRENGTHS,
    class_weight: ClassWeight = "none",
) -> CrossValidation:
    """Choose a strength by held-out log loss.

    Dense features are standardised inside each fold; sparse ones are taken as they are. All folds walk together, so
    that every strength is judged by all of them; the rotated rows of every fold are held in memory meanwhile (about
    ``len(folds)`` times X).

    Args:
        X: Rows (N, D).
        y: Class numbers (N,).
        folds: Training and held-out row numbers of each fold; folds of several repeats may follow one another.
        n_classes: How many classes there are.
        strengths: Strengths to try, in any order.
        class_weight: As for ``fit_logistic``.

    Returns:
        Losses of every fold and strength, the strength chosen, and the out-of-fold probabilities.
    """
    check(X, y, n_classes=n_classes)
    _check_strengths(strengths)
    paths = [_Path(X, y, fold, n_classes=n_classes, class_weight=class_weight) for fold in folds]
    walked, losses, accuracies = [], [], []
    best, chosen, held_out = np.inf, np.nan, list[Double]()
    for strength in sorted(set(strengths), reverse=True):
        predictions = [path.step(strength) for path in paths]
        walked.append(strength)
        losses.append([path.loss(p) for path, p in zip(paths, predictions, strict=True)])
        accuracies.append([path.accuracy(p) for path, p in zip(paths, predictions, strict=True)])
        mean = float(np.mean(losses[-1]))
        if mean < best:
            best, chosen, held_out = mean, strength, predictions
        elif mean > _TURNED_UP * best:
            break
    probabilities = _pool([test for _, test in folds], held_out, len(y))
    return CrossValidation(np.array(walked), np.array(losses).T, np.array(accuracies).T, chosen, probabilities)


def fit_cross_validated(
    X: Matrix,
    y: Integers,
    folds: Sequence[Fold],
    *,
    n_classes: int,
    strengths: Sequence[float] = STRENGTHS,
    class_weight: ClassWeight = "none",
) -> tuple[LinearModel, CrossValidation]:
    """Choose a strength with ``cross_validate`` and fit all rows with it; the model takes rows as ``X`` has them."""
    found = cross_validate(X, y, folds, n_classes=n_classes, strengths=strengths, class_weight=class_weight)
    if sparse.issparse(X):
        return fit_logistic(X, y, n_classes=n_classes, strength=found.strength, class_weight=class_weight), found
    standardiser = Standardiser.fit(X)
    rows = standardiser.transform(X)
    model = fit_logistic(rows, y, n_classes=n_classes, strength=found.strength, class_weight=class_weight)
    return model.fold(standardiser), found


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


@final
class _Path:
    """One fold on its way from strong to weak."""

    def __init__(self, X: Matrix, y: Integers, fold: Fold, *, n_classes: int, class_weight: ClassWeight) -> None:
        train, test = fold
        rows: Matrix
        held_out: Matrix
        if sparse.issparse(X):
            rows, held_out = X[train], X[test]
        else:
            standardiser = Standardiser.fit(X[train])
            rows, held_out = standardiser.transform(X[train]), standardiser.transform(X[test])
        self._design, self._target = Design.of(rows), Target.of(y[train], n_classes, class_weight, None)
        self._point = self._target.start(self._design)
        self._held_out, self._labels = self._design.place(held_out), y[test]

    def step(self, strength: float) -> Double:
        self._point = solve(self._design, self._target, self._point, strength=strength, tolerance=_WALKING)
        return self._target.complete(self._design, self._point).probabilities(self._held_out)

    def loss(self, probabilities: Floats) -> float:
        own = probabilities[np.arange(len(self._labels)), self._labels]
        weights = self._target.class_weights[self._labels]
        return float(np.average(-np.log(np.maximum(own, PROBABILITY_FLOOR)), weights=weights))

    def accuracy(self, probabilities: Floats) -> float:
        return float((probabilities.argmax(axis=1) == self._labels).mean())


def _pool(tests: Sequence[Integers], predictions: Sequence[Double], n: int) -> Double:
    """Mean prediction (N, C) of each item over the folds that held it out, nan where none did."""
    total, times = np.zeros((n, predictions[0].shape[1])), np.zeros(n)
    for test, prediction in zip(tests, predictions, strict=True):
        total[test] += prediction
        times[test] += 1
    return np.divide(total, times[:, None], out=np.full_like(total, np.nan), where=times[:, None] > 0)


def _check_strengths(strengths: Sequence[float]) -> None:
    if not strengths or not all(0 < s < np.inf for s in strengths):
        raise OptionError(
            f"expected strengths above 0, found {list(strengths)}", fix="Try strengths from 0.0001 to 10."
        )


def _check_weights(weights: Floats, n: int) -> None:
    if weights.shape != (n,) or not np.isfinite(weights).all() or weights.min() < 0 or weights.max() == 0:
        raise OptionError(
            f"expected {n} sample weights of 0 or more, not all 0, found {np.array2string(weights, threshold=6)}"
        )
