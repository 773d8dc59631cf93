"""Columns that say more of the items, to slice scores by; they change neither what trains nor the fingerprint."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from headstart.data._rows import Found, Row
from headstart.data.dataset import Dataset
from headstart.errors import OptionError

NO_VALUE: Final = "(none)"


def extra_columns(
    dataset: Dataset, found: Found, rows: Sequence[Row], names: Sequence[str]
) -> dict[str, tuple[str, ...]]:
    """Return the columns asked for.

    Args:
        dataset: The examples.
        found: The source they are from.
        rows: One per example.
        names: Columns of its tables, or ``group``, ``domain`` or ``folder``, where no column is named so.

    Returns:
        N values of each by its name; ``(none)`` where there is none.

    Raises:
        OptionError: There is no such column.
    """
    known = _known(dataset)
    columns = {}
    for name in names:
        if name in found.columns:
            columns[name] = tuple(row.extra.get(name) or NO_VALUE for row in rows)
        elif name in known:
            columns[name] = known[name]()
        else:
            there = ", ".join(map(repr, dict.fromkeys((*found.columns, *known)))) or "none"
            raise OptionError(
                f"expected a column {name!r}, found {there}", where="--slice", fix="Name one of these, or add it."
            )
    return columns


def _known(dataset: Dataset) -> dict[str, Callable[[], tuple[str, ...]]]:
    """Return what is known of the examples without a column of that name."""
    known: dict[str, Callable[[], tuple[str, ...]]] = {}
    groups, domains = dataset.groups, dataset.domains
    if groups is not None:
        known["group"] = lambda: groups
    if domains is not None:
        known["domain"] = lambda: domains
    if dataset.items and all(isinstance(item, Path) for item in dataset.items):
        known["folder"] = lambda: tuple(item.parent.name or NO_VALUE for item in dataset.items)
    return known
