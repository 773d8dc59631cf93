"""What every task is: a codec between labels as data writes them and the numbers that models learn and predict."""

from collections.abc import Sequence
from typing import Any, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from headstart.runtime import Kind
from headstart.tasks._ragged import is_ragged

KINDS: tuple[Kind, ...] = ("classification", "multilabel", "regression", "tagging", "transcription")
Target: TypeAlias = NDArray[Any]


class Task(Protocol):
    """A label codec; `Classification`, `MultiLabel`, `Regression`, `Tagging` and `Transcription` are there."""

    @property
    def kind(self) -> Kind:
        """Which kind of task it is."""

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the output columns, in their order: labels, or tags of words; none for regression."""

    @property
    def n_outputs(self) -> int:
        """K, the number of output columns."""

    def encode(self, labels: Sequence[str]) -> Target:
        """Turn N labels as the data writes them into numbers.

        (N,) class numbers for classification, (N, C) of 0 and 1 for multi-label, (N,) values for regression, (N,)
        objects for tagging, each the tag numbers of an item's words, (N,) strings for transcription; `kind_of` tells
        them apart.
        """

    def decode(self, outputs: NDArray[Any]) -> list[Any]:
        """Turn outputs (N, K) into N predictions: label names, tuples of them, values, lists of entities, or texts.

        Outputs for tagging are (N,) objects, (words, K) each; for transcription (N,) `Heard`.
        """

    def to_dict(self) -> dict[str, Any]:
        """Return the task as JSON values, from which `task_from_dict` builds it again."""


def kind_of(y: NDArray[Any]) -> Kind:
    """Tell what `Task.encode` has encoded.

    Args:
        y: (N,) whole numbers, an (N, C) matrix, (N,) floating-point numbers, (N,) objects, or (N,) strings.

    Returns:
        ``classification``, ``multilabel``, ``regression``, ``tagging`` or ``transcription``.
    """
    if y.dtype.kind == "U":
        return "transcription"
    if is_ragged(y):
        return "tagging"
    if y.ndim == 2:
        return "multilabel"
    return "regression" if np.issubdtype(y.dtype, np.floating) else "classification"
