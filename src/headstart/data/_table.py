"""A file of rows as columns of strings, with the place of every row."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from headstart.data._lines import place
from headstart.errors import DataError


@dataclass(frozen=True)
class Table:
    """One file of rows.

    Attributes:
        path: The file.
        columns: Values by column name, one per good row; a missing value is the empty string.
        lines: The line (CSV, TSV, JSONL) or row number (Parquet) of every good row, counted from 1.
        faults: Rows that cannot be used, with their line.
        notes: What was assumed while reading, one sentence each.
        nested: Columns of lists, structures or bytes, which are not read as columns.
        lists: Those of them that hold label sets (lists of texts or whole numbers), written as
            `headstart.tasks.split_labels` reads them.
        missing: By column, the lines that have no value at all; in CSV and TSV that is no different from an empty one.
        values: Nested columns of JSONL as they are, one value per good row.
    """

    path: Path
    columns: dict[str, tuple[str, ...]]
    lines: tuple[int, ...]
    faults: tuple[tuple[int, DataError], ...] = ()
    notes: tuple[str, ...] = ()
    nested: tuple[str, ...] = ()
    lists: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    missing: Mapping[str, frozenset[int]] = field(default_factory=dict)
    values: Mapping[str, tuple[Any, ...]] = field(default_factory=dict)

    def column(self, name: str, *, option: str) -> tuple[str, ...]:
        """Return a column, or say which ones there are.

        Args:
            name: Its name.
            option: The command-line option that names another one; empty where there is none.

        Returns:
            One value per good row.

        Raises:
            DataError: The table has no such column.
        """
        if name in self.nested:
            raise DataError(
                f"expected text or numbers in column {name!r}, found lists, structures or bytes",
                where=self._where_nested(name),
                fix=f"Give one value per row, or name another column with {option} NAME."
                if option
                else "Give one value per row, or rename the column.",
            )
        if name not in self.columns:
            raise DataError(
                f"expected a column {name!r}, found {', '.join(map(repr, self.columns))}",
                where=self.path.name,
                fix=f"Name the right one with {option} NAME, or add a header line with it." if option else "Add it.",
            )
        return self.columns[name]

    def labels(self, name: str, *, option: str) -> tuple[str, ...]:
        """Return a column of labels, which may also be label sets in lists.

        Args:
            name: Its name.
            option: The command-line option that names another one.

        Returns:
            One value per good row.
        """
        return self.lists[name] if name in self.lists else self.column(name, option=option)

    def _where_nested(self, name: str) -> str:
        """Name the row where only some hold lists or structures, else the file."""
        nested = [line for line, value in zip(self.lines, self.values.get(name, ()), strict=False) if is_nested(value)]
        return self.place(nested[0]) if 0 < len(nested) < len(self.lines) else self.path.name

    def place(self, line: int) -> str:
        """Return how messages name a row: ``train.csv:12``."""
        return place(self.path, line)


def unique(names: Sequence[str], where: str) -> Sequence[str]:
    """Return the names, or say which there are twice."""
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        found = ", ".join(map(repr, twice))
        raise DataError(
            f"expected different column names, found {found} more than once", where=where, fix="Rename or remove one."
        )
    return names


def is_nested(value: object) -> bool:
    """Return whether a value is a list, a structure or bytes."""
    return isinstance(value, (list, dict, bytes))
