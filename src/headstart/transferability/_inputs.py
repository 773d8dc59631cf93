"""What goes in and what comes out: targets as columns, groups as numbers, and scores."""

from dataclasses import dataclass
from typing import Any, TypeAlias, final

import numpy as np
import numpy.typing as npt

from headstart.errors import DataError, OptionError
from headstart.tasks import Kind

Floats: TypeAlias = npt.NDArray[np.floating[Any]]
Double: TypeAlias = npt.NDArray[np.float64]
Indices: TypeAlias = npt.NDArray[np.intp]
Target: TypeAlias = npt.NDArray[Any]


@final
@dataclass(frozen=True, eq=False)
class Score:
    """A score of one feature matrix; larger is better.

    Attributes:
        value: The score.
        influence: What each example adds, (N,), of mean 0: with weights w (N,) of mean 1 on the examples the score is
            ``value + mean((w - 1) * influence)``. Exact for a mean over held-out examples, whose predictions stay
            where they are; of first order elsewhere. So a bootstrap over examples is one matrix product.
    """

    value: float
    influence: Double


def mean_score(values: Double) -> Score:
    """Return the score that is the mean of ``values`` (N,), one per example."""
    value = float(values.mean())
    return Score(value, values - value)


def average(scores: list[Score]) -> Score:
    """Return the mean of one or more scores of the same examples."""
    influence = np.mean([score.influence for score in scores], axis=0)
    return Score(float(np.mean([score.value for score in scores])), influence)


def negative_error(y: Double, predicted: Double) -> Score:
    """Return minus the mean squared error in variances of ``y``, and its derivative by the weight of each example."""
    away, squared = np.square(y - y.mean()), np.square(y - predicted)
    variance, error = float(away.mean()), float(squared.mean())
    influence = error * (away - variance) / variance**2 - (squared - error) / variance
    return Score(-error / variance, influence)


def class_numbers(y: Target, n: int) -> Indices:
    """Return the classes of ``y`` (N,) counted through without gaps, once they are two and ``n`` labels."""
    _check_length(y, n, dimensions=1)
    found, numbers = np.unique(y, return_inverse=True)
    if len(found) < 2:
        raise DataError(f"expected examples of at least 2 classes, found {len(found)}")
    return numbers.astype(np.intp)


def dividing_labels(y: Target, n: int) -> Double:
    """Return the columns of ``y`` (N, C) that some examples have and some have not, as float64."""
    _check_length(y, n, dimensions=2)
    labels = y[:, y.any(axis=0) & ~y.all(axis=0)].astype(np.float64)
    if labels.shape[1] == 0:
        raise DataError("expected a label that some examples have and some have not, found none")
    return labels


def several_values(y: Target, n: int) -> Double:
    """Return ``y`` (N,) as float64, once it is ``n`` finite values that are not all the same."""
    _check_length(y, n, dimensions=1)
    values = y.astype(np.float64)
    if not np.isfinite(values).all():
        raise DataError(f"expected finite values, found {int((~np.isfinite(values)).sum())} that are not")
    if np.ptp(values) <= 1e-12 * float(np.abs(values).max()):
        raise DataError("expected at least 2 different values, found 1")
    return values


def indicators(y: Target, n: int, *, kind: Kind) -> Double:
    """Return zeros and ones (N, C): one column per class that occurs, or per label that divides the examples."""
    if kind == "multilabel":
        return dividing_labels(y, n)
    numbers = class_numbers(y, n)
    return one_hot(numbers)


def one_hot(numbers: Indices) -> Double:
    """Return zeros and ones (N, C) of class numbers without gaps (N,)."""
    columns: Double = (numbers[:, None] == np.arange(int(numbers.max()) + 1)).astype(np.float64)
    return columns


def refuse_values(kind: Kind, name: str) -> None:
    """Raise where a score of classes is asked about values."""
    if kind == "regression":
        raise OptionError(f"{name} scores classes or labels, found {kind}", fix="Use logme, neighbours or probe.")


def group_numbers(groups: npt.NDArray[Any] | None, n: int) -> Indices | None:
    """Return group names (N,) as numbers counted through, None where every example is on its own."""
    if groups is None:
        return None
    if len(groups) != n:
        raise DataError(f"expected a group for each of {n} rows, found {len(groups)}")
    found, numbers = np.unique(groups, return_inverse=True)
    if len(found) == 1:
        raise DataError(
            "expected examples of at least 2 groups, found 1", fix="Leave the groups out, or look at their column."
        )
    return None if len(found) == n else numbers.astype(np.intp)


def _check_length(y: Target, n: int, *, dimensions: int) -> None:
    if len(y) != n or y.ndim != dimensions:
        raise DataError(f"expected {n} labels in {dimensions} dimension(s), one per row, found shape {y.shape}")
