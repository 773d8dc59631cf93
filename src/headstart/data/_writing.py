"""Rows of results to CSV and Parquet files, which appear once they are whole."""

import csv
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Literal

from headstart.data._typed import write_parquet
from headstart.errors import DataError, OptionError


def check_table_name(path: Path, *, overwrite: Literal["never", "file"] = "never") -> None:
    """Check that a table can be written under this name.

    Args:
        path: The file to write.
        overwrite: ``file`` allows an existing file to be replaced.

    Raises:
        OptionError: The name ends in neither ``.csv`` nor ``.parquet``, the folder does not exist, or the file does.
    """
    if path.suffix.lower() not in (".csv", ".parquet"):
        raise OptionError(f"expected a name ending in .csv or .parquet, found {path.name!r}", where="-o")
    if not path.parent.is_dir():
        raise OptionError("the folder does not exist", where=str(path.parent), fix="Make it, or choose another -o.")
    if path.exists() and overwrite == "never":
        raise OptionError("the file exists", where=str(path), fix="Choose another -o, or add --overwrite.")


def write_table(path: Path, rows: Iterable[Mapping[str, Any]]) -> int:
    """Write rows to a CSV or Parquet file, which appears once it is whole.

    Args:
        path: A name that `check_table_name` accepts.
        rows: Columns by name; a column missing from a row is empty there.

    Returns:
        The number of rows.

    Raises:
        DataError: The file cannot be written.
    """
    kept = list(rows)
    names = list(dict.fromkeys(name for row in kept for name in row))
    partial = path.with_name(f".{path.name}.partial")
    try:
        if path.suffix.lower() == ".csv":
            _write_csv(partial, names, kept)
        else:
            write_parquet(partial, names, kept, target=path)
        partial.replace(path)
    except OSError as error:
        fix = "Free some space, or choose another -o."
        raise DataError(f"the table cannot be written ({error.strerror})", where=str(path), fix=fix) from error
    finally:
        with suppress(OSError):  # what stopped the writing is the error to show
            partial.unlink()
    return len(kept)


def _write_csv(path: Path, names: Sequence[str], rows: Iterable[Mapping[str, Any]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, names)
        writer.writeheader()
        writer.writerows(rows)
