"""What every task is: a codec between labels as data writes them and the numbers that models learn and predict."""

from collections.abc import Sequence
from typing import Any, Literal, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

Kind = Literal["classification", "multilabel", "regression"]
KINDS: tuple[Kind, ...] = ("classification", "multilabel", "regression")
Target: TypeAlias = NDArray[Any]


class Task(Protocol):
    """A label codec; `Classification`, `MultiLabel` and `Regression` are the ones there are."""

    @property
    def kind(self) -> Kind:
        """Which kind of task it is."""

    @property
    def classes(self) -> tuple[str, ...]:
        """Label names in the order of the output columns; none for regression."""

    @property
    def n_outputs(self) -> int:
        """K, the number of output columns."""

    def encode(self, labels: Sequence[str]) -> Target:
        """Turn N labels as the data writes them into numbers.

        (N,) class numbers for classification, (N, C) of 0 and 1 for multi-label, (N,) values for regression;
        `kind_of` tells them apart.
        """

    def decode(self, outputs: NDArray[Any]) -> list[Any]:
        """Turn outputs (N, K) into N predictions: label names, tuples of label names, or values."""

    def to_dict(self) -> dict[str, Any]:
        """Return the task as JSON values, from which `task_from_dict` builds it again."""


def kind_of(y: NDArray[Any]) -> Kind:
    """Tell what `Task.encode` has encoded.

    Args:
        y: (N,) whole numbers, an (N, C) matrix, or (N,) floating-point numbers.

    Returns:
        ``classification``, ``multilabel`` or ``regression``.
    """
    if y.ndim == 2:
        return "multilabel"
    return "regression" if np.issubdtype(y.dtype, np.floating) else "classification"
