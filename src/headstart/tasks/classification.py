"""Single-label classification: every item has exactly one of C classes."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from headstart.errors import DataError
from headstart.runtime import Kind


@final
@dataclass(frozen=True)
class Classification:
    """The label codec of a classification task.

    Attributes:
        classes: C label names, sorted; their order is the order of every probability column.
    """

    classes: tuple[str, ...]

    @property
    def kind(self) -> Kind:
        """``classification``."""
        return "classification"

    @property
    def n_outputs(self) -> int:
        """C, one probability per class; together they are 1."""
        return len(self.classes)

    @classmethod
    def from_labels(cls, labels: Iterable[str]) -> "Classification":
        """Build the task from the labels seen in training."""
        return cls(tuple(sorted(set(labels))))

    @classmethod
    def from_dict(cls, facts: Mapping[str, Any]) -> "Classification":
        """Build the task from what `to_dict` wrote."""
        return cls(tuple(facts["classes"]))

    def to_dict(self) -> dict[str, Any]:
        """Return the task as JSON values."""
        return {"kind": self.kind, "classes": list(self.classes)}

    def encode(self, labels: Sequence[str]) -> NDArray[np.intp]:
        """Turn label names into class numbers.

        Args:
            labels: N label names.

        Returns:
            (N,) numbers from 0 to C - 1.

        Raises:
            DataError: A label is not one of the classes.
        """
        number = {name: i for i, name in enumerate(self.classes)}
        unknown = sorted(set(labels) - set(number))
        if unknown:
            raise DataError(
                f"{len(unknown)} label(s) were never seen in training: {', '.join(map(repr, unknown[:3]))}",
                fix=f"The model knows {len(self.classes)} classes: {', '.join(map(repr, self.classes[:5]))}"
                f"{', ...' if len(self.classes) > 5 else ''}.",
            )
        return np.array([number[label] for label in labels], dtype=np.intp)

    def decode(self, outputs: NDArray[Any]) -> list[str]:
        """Return the most probable class of each row.

        Args:
            outputs: (N, C) probabilities.

        Returns:
            N label names; of equal values the first class wins.
        """
        return [self.classes[i] for i in outputs.argmax(axis=1)]
