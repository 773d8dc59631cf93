"""CSV, TSV, JSONL and Parquet files to columns of strings, with the place of every row.

The only file that imports pyarrow. A row that cannot be trusted (ragged, broken encoding, NUL bytes, a quote in the
wrong place) is a fault of that row, so that all of them can be listed; what spoils the whole table is raised at once.

CSV goes through the standard library: it is strict about quotes and counts lines, so that ``train.csv:12`` is the line
an editor shows, also after texts with line breaks. TSV is read with quotes where that works for every row, otherwise
quote characters are text.
"""

import codecs
import csv
import io
import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final, Literal

from headstart.errors import DataError
from headstart.tasks import join_labels

Cells = Sequence[str]
Rows = list[tuple[int, Cells | DataError]]  # the line a row starts on, and its cells or what is wrong with them

_RESAVE: Final = "Save the file again as UTF-8 (in a spreadsheet: 'CSV UTF-8')."
_SURROGATE: Final = re.compile("[\ud800-\udfff]")
_SEPARATORS: Final = (",", ";", "\t")
_JSON_NAMES: Final[Mapping[type, str]] = {list: "a list", str: "a text", bool: "true or false", type(None): "null"}


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
                fix=f"Name the right one with {option} NAME, or add a header line with it.",
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
        nested = [line for line, value in zip(self.lines, self.values.get(name, ()), strict=False) if _is_nested(value)]
        return self.place(nested[0]) if 0 < len(nested) < len(self.lines) else self.path.name

    def place(self, line: int) -> str:
        """Return how messages name a row: ``train.csv:12``."""
        return _at(self.path, line)


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


def read_lines(path: Path) -> Rows:
    """Read a text file with one item per line.

    Args:
        path: A UTF-8 file.

    Returns:
        Every line with its number, as a row of one cell, or the fault of that line.

    Raises:
        DataError: The file is empty or cannot be read.
    """
    return _one_cell_each(_text_lines(path), path)


def read_whole(path: Path) -> str | DataError:
    """Read a text file as one text, its line ends as they are.

    Args:
        path: A UTF-8 file.

    Returns:
        Everything in it, without a byte order mark; or its fault: it is empty, or its first line that is no text.

    Raises:
        DataError: The file cannot be read.
    """
    lines = _decoded_lines(_bytes(path), path)
    if not any(line.strip() for line in lines):
        return DataError("expected a text, found an empty file", where=path.name, fix="Fill the file or remove it.")
    return next(iter(_bad_lines(lines, path).values()), None) or "".join(lines)


def split_lines(data: bytes, source: Path) -> Rows:
    """Split what was read from a stream as `read_lines` splits a file; nothing at all is no row.

    Args:
        data: UTF-8 text.
        source: The name that messages give the stream.

    Returns:
        Every line with its number, as a row of one cell, or the fault of that line.

    Raises:
        DataError: The data is UTF-16.
    """
    return _one_cell_each(_decoded_lines(data, source), source)


def _one_cell_each(lines: Sequence[str], path: Path) -> Rows:
    bad = _bad_lines(lines, path)
    return [(n, bad.get(n) or (line.rstrip("\r\n"),)) for n, line in enumerate(lines, start=1)]


def _read_separated(path: Path) -> Table:
    lines = _text_lines(path)
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
    bad = _bad_lines(lines, path)
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
            cells = DataError(f"expected well-formed quotes, found: {error}", where=_at(path, start), fix=fix)
        if bad:
            cells = next((bad[n] for n in range(start, reader.line_num + 1) if n in bad), cells)
        if not isinstance(cells, DataError) and cells:
            width = width or len(cells)
            cells = _same_width(cells, width, _at(path, start))
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
    names = _unique([name.strip() for name in header], _at(path, line))
    good = [(n, cells) for n, cells in rows if not isinstance(cells, DataError) and cells and n != line]
    by_column = zip(*(cells for _, cells in good), strict=True) if good else [() for _ in names]
    return Table(
        path,
        dict(zip(names, by_column, strict=True)),
        tuple(n for n, _ in good),
        tuple((n, cells) for n, cells in rows if isinstance(cells, DataError)),
        tuple(notes),
    )


def _unique(names: Sequence[str], where: str) -> Sequence[str]:
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        found = ", ".join(map(repr, twice))
        raise DataError(
            f"expected different column names, found {found} more than once", where=where, fix="Rename or remove one."
        )
    return names


def _read_json_lines(path: Path) -> Table:
    lines = _text_lines(path)
    bad = _bad_lines(lines, path)
    records: list[tuple[int, dict[str, Any]]] = []
    faults: list[tuple[int, DataError]] = []
    for n, line in enumerate(lines, start=1):
        record = bad.get(n) or (_record(line, _at(path, n)) if line.strip() else None)
        if isinstance(record, DataError):
            faults.append((n, record))
        elif record is not None:
            records.append((n, record))
    if faults and not records:
        raise faults[0][1]
    names = dict.fromkeys(name for _, record in records for name in record)
    columns = {name: [record.get(name) for _, record in records] for name in names}
    return _from_values(path, columns, [n for n, _ in records], faults)


def _record(line: str, where: str) -> dict[str, Any] | DataError:
    """Parse one line of JSONL."""
    try:
        record = json.loads(line, object_pairs_hook=_object)
    except DataError as error:
        return DataError(error.problem, where=where, fix=error.fix)
    except RecursionError:
        fix = "Write one flat object per line."
        return DataError("expected a JSON object, found one nested too deeply", where=where, fix=fix)
    except ValueError as error:
        reason = f"{error.msg} at character {error.pos + 1}" if isinstance(error, json.JSONDecodeError) else str(error)
        return DataError(f"expected a JSON object on one line, found: {reason}", where=where, fix="Correct the line.")
    if not isinstance(record, dict):
        found = _JSON_NAMES.get(type(record), "a number")
        return DataError(
            f"expected a JSON object, found {found}", where=where, fix='Write {"text": "...", "label": "..."}.'
        )
    return record


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    return dict(zip(_unique([name for name, _ in pairs], ""), (value for _, value in pairs), strict=True))


def _read_parquet(path: Path) -> Table:
    import pyarrow as pa
    import pyarrow.parquet as pq

    if not _bytes(path, limit=1):
        raise DataError("expected rows, found an empty file", where=path.name, fix="Fill the file or remove it.")
    try:
        with pq.ParquetFile(path) as file:
            schema = file.schema_arrow
            names = _unique(schema.names, path.name)
            flat = [f.name for f in schema if not (pa.types.is_nested(f.type) or "binary" in str(f.type))]
            flat += [f.name for f in schema if pa.types.is_list(f.type) and _is_label(f.type.value_type)]
            table = file.read(columns=flat)
            columns = {name: table.column(name).to_pylist() for name in flat}
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        reason = str(error).splitlines()[0]
        raise DataError(f"expected a Parquet file, found: {reason}", where=path.name, fix="Write it again.") from error
    nested: dict[str, list[Any]] = dict.fromkeys([name for name in names if name not in flat], [{}] * table.num_rows)
    return _from_values(path, columns | nested, list(range(1, table.num_rows + 1)), [])


def _is_label(kind: Any) -> bool:
    """Say whether a list of this Arrow type may be a label set; vectors of floating-point numbers are not."""
    import pyarrow as pa

    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_integer(kind))


def _is_nested(value: object) -> bool:
    return isinstance(value, (list, dict, bytes))


def _from_values(
    path: Path, columns: dict[str, list[Any]], lines: list[int], faults: list[tuple[int, DataError]]
) -> Table:
    """Turn columns of JSON or Parquet values into columns of strings; rows with half characters or NUL are faults."""
    nested = [name for name, values in columns.items() if any(map(_is_nested, values))]
    texts = {name: [_string(v) for v in values] for name, values in columns.items() if name not in nested}
    lists = {name: [_label_set(v) for v in columns[name]] for name in nested if all(map(_may_be_labels, columns[name]))}
    good = []
    for i, n in enumerate(lines):
        problem = next((p for values in (texts | lists).values() if (p := _bad_text(values[i]))), None)
        if problem:
            faults.append((n, DataError(f"expected text, found {problem}", where=_at(path, n), fix="Remove it.")))
        else:
            good.append(i)
    kept, sets = ({name: tuple(values[i] for i in good) for name, values in some.items()} for some in (texts, lists))
    missing = {
        name: frozenset(n for n, v in zip(lines, columns[name], strict=True) if _is_missing(v)) for name in kept | sets
    }
    faults.sort(key=lambda fault: fault[0])
    places = tuple(lines[i] for i in good)
    table = Table(path, kept, places, tuple(faults), nested=tuple(nested), lists=sets, missing=missing)
    return replace(table, values={name: tuple(columns[name][i] for i in good) for name in nested})


def _is_missing(value: object) -> bool:
    return value is None or value != value


def _may_be_labels(value: object) -> bool:
    """Say whether a value can stand in a column of label sets: a list of texts or whole numbers, one, or nothing."""
    if isinstance(value, list):
        return all(isinstance(name, str | int) for name in value)
    return _is_missing(value) or isinstance(value, str | int)


def _label_set(value: Any) -> str:
    return join_labels(map(_string, value)) if isinstance(value, list) else _string(value)


def _string(value: object) -> str:
    """Write a value as a label or text: whole numbers without a decimal point, missing values as nothing."""
    if _is_missing(value):
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)


def _bad_text(text: str) -> str | None:
    if "\0" in text:
        return "a NUL character"
    return "half a character (a lone surrogate)" if not text.isascii() and _SURROGATE.search(text) else None


def _text_lines(path: Path) -> list[str]:
    lines = _decoded_lines(_bytes(path), path)
    if not any(line.strip() for line in lines):
        raise DataError("expected rows, found an empty file", where=path.name, fix="Fill the file or remove it.")
    return lines


def _decoded_lines(data: bytes, path: Path) -> list[str]:
    """Decode lines without losing where their bad bytes are: they stay in the text as lone surrogates."""
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        raise DataError("expected UTF-8, found UTF-16", where=path.name, fix=_RESAVE)
    text = data.removeprefix(codecs.BOM_UTF8).decode("utf-8", "surrogateescape")
    return list(io.StringIO(text, newline=""))


def _bad_lines(lines: Sequence[str], path: Path) -> dict[int, DataError]:
    """Find the lines with NUL or undecodable bytes and say where in the line the first one is."""
    bad: dict[int, DataError] = {}
    for n, line in enumerate(lines, start=1):
        if "\0" in line:
            bad[n] = DataError("expected text, found a NUL byte", where=_at(path, n), fix="Remove the byte.")
        elif not line.isascii() and (match := _SURROGATE.search(line)):
            offset = len(line[: match.start()].encode())
            found = f"byte 0x{ord(match.group()) - 0xDC00:02X} after {offset} bytes of the line"
            bad[n] = DataError(f"expected UTF-8, found {found}", where=_at(path, n), fix=_RESAVE)
    return bad


def _bytes(path: Path, *, limit: int = -1) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(limit)
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise DataError(f"expected a file, found: {reason}", where=str(path), fix="Check the path.") from error


def _at(path: Path, line: int) -> str:
    return f"{path.name}:{line}"


def write_parquet(path: Path, names: Sequence[str], rows: Sequence[Mapping[str, Any]], *, target: Path) -> None:
    """Write rows to a Parquet file.

    Args:
        path: The file to write.
        names: The columns.
        rows: Values by column; a column missing from a row is null there.
        target: The name that messages give the file.

    Raises:
        DataError: The values of a column are of two kinds.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        pq.write_table(pa.table({name: [row.get(name) for row in rows] for name in names}), path)
    except pa.ArrowException as error:
        reason = str(error).splitlines()[0]
        raise DataError(f"the table cannot be written ({reason})", where=str(target), fix="Write a .csv.") from error


_READERS: Final[dict[str, Callable[[Path], Table]]] = {
    ".csv": _read_separated,
    ".tsv": _read_separated,
    ".jsonl": _read_json_lines,
    ".parquet": _read_parquet,
}
TABLE_SUFFIXES: Final = frozenset(_READERS)
