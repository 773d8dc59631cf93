"""CSV, TSV, JSONL and Parquet files to columns of strings, with the place of every row.

A row that cannot be trusted (ragged, broken encoding, NUL bytes, a quote in the wrong place) is a fault of that row, so
that all of them can be listed; what spoils the whole table is raised at once.

CSV goes through the standard library: it is strict about quotes and counts lines, so that ``train.csv:12`` is the line
an editor shows, also after texts with line breaks. TSV is read with quotes where that works for every row, otherwise
quote characters are text.
"""

import csv
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final, Literal

from headstart.data._lines import Cells, Rows, bad_lines, place, text_lines
from headstart.data._table import Table, unique
from headstart.data._typed import read_json_lines, read_parquet
from headstart.errors import DataError

_SEPARATORS: Final = (",", ";", "\t")


def read_table(path: Path) -> Table:
    """Read a file of rows, by its suffix.

    Args:
        path: A file with one of `TABLE_SUFFIXES`.

    Returns:
        Its columns as strings.

    Raises:
        DataError: The file is empty, has no rows, duplicated columns, another encoding, or is not of its kind.
    """
    table = _READERS[path.suffix.lower()](path)
    if not table.lines and not table.faults:
        raise DataError("expected rows, found only a header", where=path.name, fix="Add the rows or remove the file.")
    return table


def _read_separated(path: Path) -> Table:
    lines = text_lines(path)
    separator = _separator(lines[0], path)
    rows = _parse(lines, path, delimiter=separator)
    notes = [] if separator in (",", "\t") else [f"{path.name} is separated by {separator!r}."]
    if path.suffix.lower() == ".tsv" and _has_faults(rows):
        plain = _parse(lines, path, delimiter=separator, quoting=csv.QUOTE_NONE)
        if not _has_faults(plain):
            rows = plain
            notes.append(f"Quote characters in {path.name} are taken as text.")
    if blank := sum(not isinstance(cells, DataError) and not cells for _, cells in rows):
        notes.append(f"Blank lines in {path.name}, passed over: {blank}.")
    return _table(path, rows, notes)


def _separator(header: str, path: Path) -> str:
    if path.suffix.lower() == ".tsv":
        return "\t"
    return next((mark for mark in _SEPARATORS if mark in header), ",")


def _parse(lines: Sequence[str], path: Path, *, delimiter: str, quoting: Literal[0, 3] = csv.QUOTE_MINIMAL) -> Rows:
    """Run the csv module to the end, keeping the line each row starts on; a bad row does not end the file."""
    bad = bad_lines(lines, path)
    reader = csv.reader(lines, delimiter=delimiter, quoting=quoting, strict=True)
    rows: Rows = []
    width = 0
    while True:
        start = reader.line_num + 1
        try:
            cells: Cells | DataError = next(reader)
        except StopIteration:
            return rows
        except csv.Error as error:
            fix = (
                'Double every quote inside a quoted field ("") and close every quote; give texts above 128 kB as JSONL.'
            )
            cells = DataError(f"expected well-formed quotes, found: {error}", where=place(path, start), fix=fix)
        if bad:
            cells = next((bad[n] for n in range(start, reader.line_num + 1) if n in bad), cells)
        if not isinstance(cells, DataError) and cells:
            width = width or len(cells)
            cells = _same_width(cells, width, place(path, start))
        rows.append((start, cells))


def _has_faults(rows: Rows) -> bool:
    return any(isinstance(cells, DataError) for _, cells in rows)


def _same_width(cells: Cells, width: int, where: str) -> Cells | DataError:
    if len(cells) == width:
        return cells
    fix = "Put texts that contain the separator in double quotes."
    return DataError(f"expected {width} fields as in the header, found {len(cells)}", where=where, fix=fix)


def _table(path: Path, rows: Rows, notes: Sequence[str]) -> Table:
    """Turn rows, the first of them the header, into columns."""
    line, header = next(row for row in rows if isinstance(row[1], DataError) or row[1])
    if isinstance(header, DataError):
        raise header
    names = unique([name.strip() for name in header], place(path, line))
    good = [(n, cells) for n, cells in rows if not isinstance(cells, DataError) and cells and n != line]
    by_column = zip(*(cells for _, cells in good), strict=True) if good else [() for _ in names]
    return Table(
        path,
        dict(zip(names, by_column, strict=True)),
        tuple(n for n, _ in good),
        tuple((n, cells) for n, cells in rows if isinstance(cells, DataError)),
        tuple(notes),
    )


_READERS: Final[dict[str, Callable[[Path], Table]]] = {
    ".csv": _read_separated,
    ".tsv": _read_separated,
    ".jsonl": read_json_lines,
    ".parquet": read_parquet,
}
TABLE_SUFFIXES: Final = frozenset(_READERS)
