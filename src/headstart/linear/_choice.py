"""The choice among strengths by cross-validation, for every kind of task."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol, TypeAlias, final

import numpy as np
import numpy.typing as npt
from scipy import sparse

from headstart.linear._fitting import (
    WALKING,
    Ridge,
    TargetScale,
    check_strengths,
    fit_labels,
    fit_logistic,
    fit_ridge,
    solve_labels,
)
from headstart.linear._models import Double, Floats, Integers, LinearModel, Matrix, Standardiser, check
from headstart.linear._solver import ClassWeight, Design, solve
from headstart.linear._targets import Classes, Indicators, Values
from headstart.tasks import Kind, character_numbers, counts, ctc_loss, cut, flat, is_ragged, kind_of, rows_of

Fold: TypeAlias = tuple[Integers, Integers]
Target: TypeAlias = npt.NDArray[Any]

STRENGTHS = (10.0, 3.0, 1.0, 0.3, 0.1, 0.03, 0.01, 0.003, 0.001, 0.0003, 0.0001)
"""Strengths tried by default on standardised features; where weak ones are not needed, the walk ends before them."""

RIDGE_STRENGTHS = (1000.0, 300.0, 100.0, 30.0, *STRENGTHS)
"""Strengths tried for values: squared errors do not level off as log losses do, so noise needs stronger ones."""

PROBABILITY_FLOOR = 1e-7
"""Log losses clip probabilities here: float32 cannot tell 1 - 1e-8 from 1, so less would be rounding, no confidence."""

_TURNED_UP = 1.05  # times the best loss: beyond the wiggles of fold means seen on real features


@final
@dataclass(frozen=True)
class CrossValidation:
    """What cross-validation found, strengths from strong to weak.

    Attributes:
        strengths: The S strengths walked, shape (S,); the walk may end before the last one asked for.
        loss: Mean held-out loss per fold and strength, (folds, S): log loss with the class weights of training, its
            mean over labels, or the mean squared error in variances of the training part's target.
        accuracy: Held-out accuracy per fold and strength, (folds, S): of classes, or of single label decisions; nan
            for values.
        strength: The strength of the lowest mean loss, the stronger of equals.
        outputs: Out-of-fold outputs at that strength, (N, K); means where an item was held out several times, nan
            where it never was.
    """

    strengths: Double
    loss: Double
    accuracy: Double
    strength: float
    outputs: Double

    @property
    def log_loss(self) -> Double:
        """The losses, under the name they have for classes and labels."""
        return self.loss

    @property
    def probabilities(self) -> Double:
        """The outputs, under the name they have for classes and labels."""
        return self.outputs


def cross_validate(
    X: Matrix,
    y: Target,
    folds: Sequence[Fold],
    *,
    n_classes: int,
    strengths: Sequence[float] | None = None,
    class_weight: ClassWeight = "none",
    kind: Kind = "classification",
) -> CrossValidation:
    """Choose a strength by held-out loss.

    Dense features are standardised inside each fold; sparse ones are taken as they are. All folds walk together, so
    that every strength is judged by all of them; the rotated rows of every fold are held in memory meanwhile (about
    ``len(folds)`` times X).

    Args:
        X: Rows (N, D).
        y: Class numbers (N,), zeros and ones (N, C), values (N,), or (N,) objects of the words' tag numbers, with ``X``
            alike: what ``Task.encode`` returns.
        folds: Training and held-out row numbers of each fold; folds of several repeats may follow one another.
        n_classes: How many output columns there are: classes, labels, or 1.
        strengths: Strengths to try, in any order; `STRENGTHS`, or for values `RIDGE_STRENGTHS`, where None.
        class_weight: As for ``fit_logistic`` and ``fit_labels``; values have none.
        kind: What ``y`` is.

    Returns:
        Losses of every fold and strength, the strength chosen, and the out-of-fold outputs.
    """
    if kind == "tagging":
        sizes = counts(y)
        by_word = [(rows_of(train, sizes), rows_of(test, sizes)) for train, test in folds]
        rows = flat(np.asarray(X))
        found = cross_validate(
            rows, flat(y), by_word, n_classes=n_classes, strengths=strengths, class_weight=class_weight
        )
        return replace(found, outputs=cut(found.outputs, sizes))
    check(X, y, n_classes=n_classes, kind=kind)
    if strengths is None:
        strengths = RIDGE_STRENGTHS if kind == "regression" else STRENGTHS
    check_strengths(strengths)
    paths = [_path(X, y, fold, n_classes, class_weight, kind) for fold in folds]
    walked, losses, accuracies = [], [], []
    best, chosen, held_out = np.inf, np.nan, list[Double]()
    for strength in sorted(set(strengths), reverse=True):
        outputs = [path.step(strength) for path in paths]
        walked.append(strength)
        losses.append([path.loss(out) for path, out in zip(paths, outputs, strict=True)])
        accuracies.append([path.accuracy(out) for path, out in zip(paths, outputs, strict=True)])
        mean = float(np.mean(losses[-1]))
        if mean < best:
            best, chosen, held_out = mean, strength, outputs
        elif mean > _TURNED_UP * best:
            break
    pooled = _pool([test for _, test in folds], held_out, len(y))
    return CrossValidation(np.array(walked), np.array(losses).T, np.array(accuracies).T, chosen, pooled)


def fit_cross_validated(
    X: Matrix,
    y: Target,
    folds: Sequence[Fold],
    *,
    n_classes: int,
    strengths: Sequence[float] | None = None,
    class_weight: ClassWeight = "none",
    kind: Kind = "classification",
) -> tuple[LinearModel, CrossValidation]:
    """Choose a strength with ``cross_validate`` and fit all rows with it; the model takes rows as ``X`` has them."""
    found = cross_validate(X, y, folds, n_classes=n_classes, strengths=strengths, class_weight=class_weight, kind=kind)
    model = fit_standardised(X, y, n_classes=n_classes, strength=found.strength, class_weight=class_weight, kind=kind)
    return model, found


def fit_standardised(
    X: Matrix,
    y: Target,
    *,
    n_classes: int,
    strength: float,
    class_weight: ClassWeight = "none",
    kind: Kind = "classification",
) -> LinearModel:
    """Fit all rows at one strength, dense rows standardised first; the model takes rows as ``X`` has them."""
    if kind == "tagging":
        X, y, kind = flat(np.asarray(X)), flat(y), "classification"
    if not sparse.issparse(X):
        standardiser = Standardiser.fit(X)
        rows: Matrix = standardiser.transform(X)
        return _fit_rows(rows, y, n_classes, strength, class_weight, kind).fold(standardiser)
    return _fit_rows(X, y, n_classes, strength, class_weight, kind)


def _fit_rows(
    rows: Matrix, y: Target, n_classes: int, strength: float, class_weight: ClassWeight, kind: Kind
) -> LinearModel:
    if kind == "multilabel":
        return fit_labels(rows, y, strength=strength, class_weight=class_weight)
    if kind == "regression":
        return fit_ridge(rows, y, strength=strength)
    return fit_logistic(rows, y, n_classes=n_classes, strength=strength, class_weight=class_weight)


class _Path(Protocol):
    """One fold on its way from strong to weak."""

    def step(self, strength: float) -> Double:
        """Fit at this strength and return the held-out outputs."""

    def loss(self, outputs: Double) -> float:
        """Mean loss of held-out outputs."""

    def accuracy(self, outputs: Double) -> float:
        """Share of right decisions."""


def _path(X: Matrix, y: Target, fold: Fold, n_classes: int, class_weight: ClassWeight, kind: Kind) -> _Path:
    train, test = fold
    rows: Matrix
    held_out: Matrix
    if sparse.issparse(X):
        rows, held_out = X[train], X[test]
    else:
        standardiser = Standardiser.fit(X[train])
        rows, held_out = standardiser.transform(X[train]), standardiser.transform(X[test])
    if kind == "regression":
        return _ValuePath(rows, held_out, y[train], y[test])
    design = Design.of(rows)
    if kind == "multilabel":
        return _LabelPath(design, design.place(held_out), Indicators.of(y[train], class_weight), y[test])
    return _ClassPath(design, design.place(held_out), Classes.of(y[train], n_classes, class_weight, None), y[test])


@final
class _ClassPath:
    def __init__(self, design: Design, held_out: Matrix, target: Classes, labels: Integers) -> None:
        self._design, self._held_out, self._target, self._labels = design, held_out, target, labels
        self._point = target.start(design)

    def step(self, strength: float) -> Double:
        self._point = solve(self._design, self._target, self._point, strength=strength, tolerance=WALKING)
        return self._target.complete(self._design, self._point).outputs(self._held_out)

    def loss(self, outputs: Double) -> float:
        own = outputs[np.arange(len(self._labels)), self._labels]
        weights = self._target.class_weights[self._labels]
        return float(np.average(-np.log(np.maximum(own, PROBABILITY_FLOOR)), weights=weights))

    def accuracy(self, outputs: Double) -> float:
        return float((outputs.argmax(axis=1) == self._labels).mean())


@final
class _LabelPath:
    def __init__(self, design: Design, held_out: Matrix, target: Indicators, labels: Floats) -> None:
        self._design, self._held_out, self._target, self._labels = design, held_out, target, labels
        self._point = target.start(design)

    def step(self, strength: float) -> Double:
        self._point = solve_labels(self._design, self._target, self._point, strength, WALKING)
        return self._target.complete(self._point).outputs(self._held_out)

    def loss(self, outputs: Double) -> float:
        right = np.where(self._labels > 0, outputs, 1 - outputs)
        losses, weights = -np.log(np.maximum(right, PROBABILITY_FLOOR)), self._target.case_weights(self._labels)
        return float((np.sum(weights * losses, axis=0) / weights.sum(axis=0)).mean())

    def accuracy(self, outputs: Double) -> float:
        return float(((outputs > 0.5) == (self._labels > 0)).mean())


@final
class _ValuePath:
    def __init__(self, rows: Matrix, held_out: Matrix, y: Floats, values: Floats) -> None:
        self._scale, self._held_out, self._values = TargetScale.of(y), held_out, values
        target = self._scale.standardised(y)
        self._ridge = None if sparse.issparse(rows) else Ridge.of(rows, target)
        if self._ridge is None:
            self._design, self._target = Design.of(rows), Values(target.astype(np.float32)[:, None])
            self._point = self._target.start(self._design)

    def step(self, strength: float) -> Double:
        if self._ridge is not None:
            return self._scale.undo(self._ridge.model(strength)).outputs(self._held_out)
        self._point = solve(self._design, self._target, self._point, strength=strength, tolerance=WALKING)
        return self._scale.undo(self._design.leave(self._point)).outputs(self._held_out)

    def loss(self, outputs: Double) -> float:
        return float(np.square((outputs[:, 0] - self._values) / self._scale.deviation).mean())

    def accuracy(self, _outputs: Double) -> float:
        return float("nan")


def _pool(tests: Sequence[Integers], predictions: Sequence[Double], n: int) -> Double:
    """Mean prediction (N, K) of each item over the folds that held it out, nan where none did."""
    total, times = np.zeros((n, predictions[0].shape[1])), np.zeros(n)
    for test, prediction in zip(tests, predictions, strict=True):
        total[test] += prediction
        times[test] += 1
    return np.divide(total, times[:, None], out=np.full_like(total, np.nan), where=times[:, None] > 0)


def item_losses(y: Target, outputs: Double) -> Double:
    """Return the loss of every item, by which rungs are compared: nats, or squared errors in variances of y.

    Args:
        y: (N,) class numbers, (N, C) indicators, (N,) values, (N,) objects of tag numbers, or (N,) transcripts.
        outputs: (N, K) probabilities or values, (N,) objects of them, or (N,) `Heard`.

    Returns:
        (N,) losses; of a document the sum over its words, divided by the mean number of words, so that the mean over
        documents is that over words; of a recording its `transcript_nats`, divided by the mean number of characters.
    """
    if kind_of(y) == "transcription":
        return np.asarray(transcript_nats(y, outputs) / (float(np.char.str_len(y).mean()) or 1.0))
    if is_ragged(y):
        sizes = counts(y)
        by_word = item_losses(flat(y), flat(outputs))
        summed = np.bincount(np.repeat(np.arange(len(y)), sizes), by_word, minlength=len(y))
        return np.asarray(summed / max(float(sizes.mean()), 1e-9))
    if y.ndim == 2:
        own = np.where(y > 0.5, outputs, 1 - outputs)
        losses: Double = -np.log(np.maximum(own, PROBABILITY_FLOOR)).mean(axis=1)
        return losses
    if y.dtype.kind == "f":
        return np.asarray(np.square(outputs[:, 0] - y) / (y.var() or 1.0))
    return np.asarray(-np.log(np.maximum(outputs[np.arange(len(y)), y], PROBABILITY_FLOOR)))


def transcript_nats(y: npt.NDArray[np.str_], outputs: npt.NDArray[Any]) -> Double:
    """Return -ln(probability) of each transcript: of all ways together in which the frames can say it.

    Probabilities of frames are clipped below at `PROBABILITY_FLOOR`. A frame at the floor is also the price of each
    character that the model does not know, and, where there are too few frames for a transcript, of each that it needs.

    Args:
        y: (N,) transcripts.
        outputs: (N,) `Heard`.

    Returns:
        (N,) nats.
    """
    price = -float(np.log(PROBABILITY_FLOOR))
    nats = np.zeros(len(y))
    for place, (said, heard) in enumerate(zip(y.tolist(), outputs, strict=True)):
        numbers = character_numbers(said, heard.characters)
        nats[place] = ctc_loss(np.log(np.maximum(heard.probabilities, PROBABILITY_FLOOR)), numbers)
        if np.isinf(nats[place]):
            nats[place] = price * (len(numbers) + int((numbers[1:] == numbers[:-1]).sum()))
        nats[place] += price * (len(said) - len(numbers))
    return nats
