"""JSONL and Parquet, whose values have types, to columns of strings, and back to Parquet.

The only file that imports pyarrow. A row that cannot be trusted is a fault of that row; what spoils the whole table is
raised at once.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from headstart.data._lines import bad_lines, bad_text, place, read_bytes, text_lines
from headstart.data._table import Table, is_nested, unique
from headstart.errors import DataError
from headstart.tasks import join_labels

_JSON_NAMES: Final[Mapping[type, str]] = {list: "a list", str: "a text", bool: "true or false", type(None): "null"}


def read_json_lines(path: Path) -> Table:
    """Read one JSON object a line; see `read_table`."""
    lines = text_lines(path)
    bad = bad_lines(lines, path)
    records: list[tuple[int, dict[str, Any]]] = []
    faults: list[tuple[int, DataError]] = []
    for n, line in enumerate(lines, start=1):
        record = bad.get(n) or (_record(line, place(path, n)) if line.strip() else None)
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
    return dict(zip(unique([name for name, _ in pairs], ""), (value for _, value in pairs), strict=True))


def read_parquet(path: Path) -> Table:
    """Read a Parquet file; see `read_table`."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    if not read_bytes(path, limit=1):
        raise DataError("expected rows, found an empty file", where=path.name, fix="Fill the file or remove it.")
    try:
        with pq.ParquetFile(path) as file:
            schema = file.schema_arrow
            names = unique(schema.names, path.name)
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


def _from_values(
    path: Path, columns: dict[str, list[Any]], lines: list[int], faults: list[tuple[int, DataError]]
) -> Table:
    """Turn columns of JSON or Parquet values into columns of strings; rows with half characters or NUL are faults."""
    nested = [name for name, values in columns.items() if any(map(is_nested, values))]
    texts = {name: [_string(v) for v in values] for name, values in columns.items() if name not in nested}
    lists = {name: [_label_set(v) for v in columns[name]] for name in nested if all(map(_may_be_labels, columns[name]))}
    good = []
    for i, n in enumerate(lines):
        problem = next((p for values in (texts | lists).values() if (p := bad_text(values[i]))), None)
        if problem:
            faults.append((n, DataError(f"expected text, found {problem}", where=place(path, n), fix="Remove it.")))
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
