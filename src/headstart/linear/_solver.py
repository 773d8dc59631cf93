"""The optimum of one linear model: coordinates to solve in, objective, L-BFGS."""

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol, Self, TypeAlias

import numpy as np
from scipy import sparse

from headstart.linear._models import Double, Floats, Integers, LinearModel, Link, Matrix, Single, linked

ClassWeight: TypeAlias = Literal["none", "balanced"]
Objective: TypeAlias = Callable[[Single], tuple[float, Single]]

_MAX_STEPS = 1000
_MEMORY = 10


@dataclass(frozen=True)
class Point:
    """Parameters in the coordinates of a design, (k + 1, K) with the biases last."""

    parameters: Single
    converged: bool = True
    link: Link = "softmax"

    def outputs(self, rows: Matrix) -> Double:
        return linked(linear_scores(rows, self.parameters), self.link)


@dataclass(frozen=True)
class Design:
    """Training rows in the coordinates that are solved in.

    Attributes:
        rows: (N, k).
        columns: The same, (k, N), laid out for the gradient.
        moments: Mean square of each coordinate, (k,).
        centre: What was taken off the features, (D,).
        basis: Orthonormal axes (D, k); None for sparse features, whose coordinates are the features themselves.
    """

    rows: Matrix
    columns: Matrix
    moments: Double
    centre: Double
    basis: Single | None

    @classmethod
    def of(cls, X: Matrix) -> Self:
        if sparse.issparse(X):
            rows = X.astype(np.float32).tocsr()
            moments = np.asarray(rows.multiply(rows).mean(axis=0), dtype=np.float64).ravel()
            return cls(rows, rows.T.tocsr(), moments, np.zeros(X.shape[1]), None)
        X = X.astype(np.result_type(X.dtype, np.float32), copy=False)
        centre = X.mean(axis=0, dtype=np.float64)
        basis = principal_axes(X, centre)
        rows = ((X - centre.astype(X.dtype)) @ basis).astype(np.float32)
        return cls(rows, rows.T, np.square(rows, dtype=np.float64).mean(axis=0), centre, basis.astype(np.float32))

    def place(self, X: Matrix) -> Matrix:
        return X.astype(np.float32) if self.basis is None else (X - self.centre).astype(np.float32) @ self.basis

    def enter(self, model: LinearModel, present: Integers) -> Point:
        weights = model.weights[present].astype(np.float64)
        bias = model.bias[present] + weights @ self.centre
        inner = weights.T if self.basis is None else self.basis.T @ weights.T
        return Point(np.vstack([inner, bias]).astype(np.float32))

    def leave(self, point: Point) -> LinearModel:
        inner = point.parameters[:-1]
        weights = (inner if self.basis is None else self.basis @ inner).T
        bias = point.parameters[-1] - weights @ self.centre
        return LinearModel(weights.astype(np.float32), bias.astype(np.float32), point.converged, point.link)


class Target(Protocol):
    """What is to be learnt: a loss of the scores (N, K') of the columns that are solved for."""

    def curvature(self, scores: Single) -> Double:
        """Mean second derivative of the loss at these scores, per column (K',)."""

    def loss_and_slopes(self, scores: Single) -> tuple[float, Single]:
        """The loss, and its derivatives (N, K'); ``scores`` may be overwritten."""


def solve(design: Design, target: Target, start: Point, *, strength: float, tolerance: float) -> Point:
    """Minimise the objective from ``start``.

    The variables are the parameters over ``scale``, one over the root of the diagonal of the Hessian as it is expected
    from the curvature of the loss in each column and the mean square of each coordinate.
    """
    curvature = target.curvature(linear_scores(design.rows, start.parameters))
    expected = np.vstack([np.outer(design.moments, curvature) + strength, curvature])
    scale = (1 / np.sqrt(expected)).astype(np.float32)

    def objective(variables: Single) -> tuple[float, Single]:
        parameters = variables.reshape(scale.shape) * scale
        loss, gradient = _loss_and_gradient(design, target, parameters)
        penalty = 0.5 * strength * float(np.square(parameters[:-1]).sum(dtype=np.float64))
        gradient[:-1] += strength * parameters[:-1]
        return loss + penalty, (gradient * scale).ravel()

    variables, converged = _lbfgs(objective, (start.parameters / scale).ravel(), tolerance=tolerance)
    return Point(variables.reshape(scale.shape) * scale, converged, start.link)


def _lbfgs(objective: Objective, x: Single, *, tolerance: float) -> tuple[Single, bool]:
    """Minimise a smooth convex function whose Hessian is near the identity; say whether the minimum was reached.

    Liu & Nocedal 1989 with backtracking (convexity makes every step's curvature positive). It ends where the
    quasi-Newton decrement, half of g' H g and so an estimate of what is left to gain, is under ``tolerance``. scipy's
    L-BFGS-B spends longer on its bounds, which are not needed here, than the objective takes: 11 of 26 ms at 30,000
    variables.
    """
    value, gradient = objective(x)
    history: deque[_Step] = deque(maxlen=_MEMORY)
    for _ in range(_MAX_STEPS):
        direction = _descent(gradient, history)
        slope = float(gradient @ direction)
        if -slope <= 2 * tolerance:
            return x, True
        moved, value, new_gradient = _backtrack(objective, x, direction, value=value, slope=slope)
        step = _Step.of(moved - x, new_gradient - gradient)
        if step.curvature > 0 and step.squared_change > 0:  # rounding can undo convexity in a very small step
            history.append(step)
        x, gradient = moved, new_gradient
    return x, False


@dataclass(frozen=True)
class _Step:
    """A step taken and the change of the gradient along it; ``curvature`` is their product."""

    step: Single
    change: Single
    curvature: float
    squared_change: float

    @classmethod
    def of(cls, step: Single, change: Single) -> Self:
        return cls(step, change, float(step @ change), float(change @ change))


def _descent(gradient: Single, history: Sequence[_Step]) -> Single:
    """The two-loop recursion: minus the approximate inverse Hessian times ``gradient``."""
    direction, factors = -gradient, []
    for past in reversed(history):
        factors.append(float(past.step @ direction) / past.curvature)
        direction -= factors[-1] * past.change
    if history:
        direction *= history[-1].curvature / history[-1].squared_change
    for past, factor in zip(history, reversed(factors), strict=True):
        direction += (factor - float(past.change @ direction) / past.curvature) * past.step
    return direction


def _backtrack(
    objective: Objective, x: Single, direction: Single, *, value: float, slope: float
) -> tuple[Single, float, Single]:
    """Shorten the step until the value falls enough, or by less than float32 lets a loss be known (1e-7)."""
    length = 1.0
    while True:
        moved = x + length * direction
        new_value, new_gradient = objective(moved)
        excess = new_value - value - length * slope
        if new_value <= value + 1e-4 * length * slope + 1e-7 or length < 1e-6:
            return moved, new_value, new_gradient
        length *= float(np.clip(-0.5 * slope * length / excess, 0.1, 0.5))


def _loss_and_gradient(design: Design, target: Target, parameters: Single) -> tuple[float, Single]:
    loss, slopes = target.loss_and_slopes(linear_scores(design.rows, parameters))
    return loss, np.vstack([design.columns @ slopes, slopes.sum(axis=0)])


def principal_axes(X: Floats, centre: Floats) -> Floats:
    """Orthonormal axes (D, k) that hold all centred rows: any are exact, principal ones quick to solve in."""
    rows = X - centre.astype(X.dtype)
    if len(rows) > rows.shape[1]:
        return np.asarray(np.linalg.eigh((rows.T @ rows).astype(np.float64))[1])
    rows = rows.astype(np.float64)
    values, left = np.linalg.eigh(rows @ rows.T)
    kept = values > 1e-10 * max(float(values[-1]), 0.0)
    return np.asarray(rows.T @ (left[:, kept] / np.sqrt(values[kept])))


def linear_scores(rows: Matrix, parameters: Single) -> Single:
    out: Single = np.asarray(rows @ parameters[:-1])
    out += parameters[-1]
    return out
