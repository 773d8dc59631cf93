"""Multi-label classification: every item has any number of C labels, none included."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, final

import numpy as np
from numpy.typing import NDArray

from headstart.errors import DataError
from headstart.runtime import Kind

SEPARATOR: Final = "|"


@final
@dataclass(frozen=True)
class MultiLabel:
    """The label codec of a multi-label task.

    Attributes:
        classes: C label names, sorted; their order is the order of every probability column.
    """

    classes: tuple[str, ...]

    @property
    def kind(self) -> Kind:
        """``multilabel``."""
        return "multilabel"

    @property
    def n_outputs(self) -> int:
        """C, one independent probability per label."""
        return len(self.classes)

    @classmethod
    def from_labels(cls, labels: Iterable[str]) -> "MultiLabel":
        """Build the task from the label sets seen in training."""
        return cls(tuple(sorted({name for label in labels for name in split_labels(label)})))

    @classmethod
    def from_dict(cls, facts: Mapping[str, Any]) -> "MultiLabel":
        """Build the task from what `to_dict` wrote."""
        return cls(tuple(facts["classes"]))

    def to_dict(self) -> dict[str, Any]:
        """Return the task as JSON values."""
        return {"kind": self.kind, "classes": list(self.classes)}

    def encode(self, labels: Sequence[str]) -> NDArray[np.float64]:
        """Turn label sets into indicators.

        Args:
            labels: N label sets, written as `split_labels` reads them.

        Returns:
            (N, C) numbers: 1 where the item has the label, else 0.

        Raises:
            DataError: A label is not one of the classes.
        """
        number = {name: i for i, name in enumerate(self.classes)}
        sets = [split_labels(label) for label in labels]
        unknown = sorted({name for names in sets for name in names} - set(number))
        if unknown:
            raise DataError(
                f"{len(unknown)} label(s) were never seen in training: {', '.join(map(repr, unknown[:3]))}",
                fix=f"The model knows {len(self.classes)} labels: {', '.join(map(repr, self.classes[:5]))}"
                f"{', ...' if len(self.classes) > 5 else ''}.",
            )
        out = np.zeros((len(sets), len(self.classes)))
        for row, names in zip(out, sets, strict=True):
            row[[number[name] for name in names]] = 1.0
        return out

    def decode(self, outputs: NDArray[Any]) -> list[tuple[str, ...]]:
        """Return the labels of each row whose probability is above one half.

        Args:
            outputs: (N, C) probabilities.

        Returns:
            N tuples of label names, empty where no label is likely.
        """
        return [tuple(self.classes[i] for i in np.flatnonzero(row > 0.5)) for row in outputs]


def split_labels(text: str) -> tuple[str, ...]:
    """Read a label set as data writes it.

    Args:
        text: Label names separated by ``|``, or a JSON list of them; outer white space is no part of a name.

    Returns:
        The names, each once, in the order written; none for an empty text or list.

    Raises:
        DataError: There is an empty name between the separators.
    """
    listed = _listed(text)
    names = [name.strip() for name in (text.split(SEPARATOR) if listed is None else listed)]
    if listed is None and names == [""]:
        return ()
    if "" in names:
        raise DataError(
            f"expected label names separated by '|', found an empty one in {text!r}", fix="Remove the extra '|'."
        )
    return tuple(dict.fromkeys(names))


def join_labels(names: Iterable[str]) -> str:
    """Write a label set as `split_labels` reads it.

    Args:
        names: Label names.

    Returns:
        The names separated by ``|``; a JSON list where a name holds that sign.
    """
    kept = list(names)
    plain = SEPARATOR.join(kept)
    if not any(SEPARATOR in name for name in kept) and _listed(plain) is None:
        return plain
    return json.dumps(kept, ensure_ascii=False)


def _listed(text: str) -> list[str] | None:
    """The names in a JSON list of texts or whole numbers, None where the text is no such list."""
    if not text.lstrip().startswith("["):
        return None
    try:
        values = json.loads(text)
    except (ValueError, RecursionError):
        return None
    if not isinstance(values, list) or not all(isinstance(value, str | int) for value in values):
        return None
    return [str(value).lower() if isinstance(value, bool) else str(value) for value in values]
