"""Regression: every item has one number."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, final

import numpy as np
from numpy.typing import NDArray

from headstart.errors import DataError
from headstart.runtime import Kind

# What float() takes besides, such as 1_000, nan and inf, is hardly ever meant as a number to predict.
_NUMBER: Final = re.compile(r"\s*[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?\s*", re.ASCII)


@final
@dataclass(frozen=True)
class Regression:
    """The label codec of a regression task: numbers stay numbers."""

    @property
    def kind(self) -> Kind:
        """``regression``."""
        return "regression"

    @property
    def classes(self) -> tuple[str, ...]:
        """None: there are no classes."""
        return ()

    @property
    def n_outputs(self) -> int:
        """One value."""
        return 1

    @classmethod
    def from_labels(cls, _labels: Iterable[str]) -> "Regression":
        """Build the task; nothing is learnt from the labels."""
        return cls()

    @classmethod
    def from_dict(cls, _facts: Mapping[str, Any]) -> "Regression":
        """Build the task from what `to_dict` wrote."""
        return cls()

    def to_dict(self) -> dict[str, Any]:
        """Return the task as JSON values."""
        return {"kind": self.kind}

    def encode(self, labels: Sequence[str]) -> NDArray[np.float64]:
        """Turn numbers as data writes them into values.

        Args:
            labels: N numbers such as ``-3``, ``0.25`` or ``1e-4``.

        Returns:
            (N,) values.

        Raises:
            DataError: One of them is not a finite number.
        """
        return np.array([read_number(label) for label in labels], dtype=np.float64)

    def decode(self, outputs: NDArray[Any]) -> list[float]:
        """Return the values as plain numbers.

        Args:
            outputs: (N, 1) values.

        Returns:
            N numbers.
        """
        return [float(value) for value in outputs[:, 0]]


def read_number(text: str) -> float:
    """Read a number as data writes it.

    Args:
        text: A number with a decimal point, outer white space allowed.

    Returns:
        Its value.

    Raises:
        DataError: It is no number, or not a finite one.
    """
    value = float(text) if _NUMBER.fullmatch(text) else float("nan")
    if not np.isfinite(value):
        fix = "Correct it (decimal point, no unit, no thousands separator) or remove the row."
        raise DataError(f"expected a finite number, found {text!r}", fix=fix)
    return value
