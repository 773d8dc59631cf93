"""Text files to lines, with the place of every line that is no text."""

import codecs
import io
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from headstart.errors import DataError

Cells = Sequence[str]
Rows = list[tuple[int, Cells | DataError]]  # the line a row starts on, and its cells or what is wrong with them

_RESAVE: Final = "Save the file again as UTF-8 (in a spreadsheet: 'CSV UTF-8')."
_SURROGATE: Final = re.compile("[\ud800-\udfff]")


def read_lines(path: Path) -> Rows:
    """Read a text file with one item per line.

    Args:
        path: A UTF-8 file.

    Returns:
        Every line with its number, as a row of one cell, or the fault of that line.

    Raises:
        DataError: The file is empty or cannot be read.
    """
    return _one_cell_each(text_lines(path), path)


def read_whole(path: Path) -> str | DataError:
    """Read a text file as one text, its line ends as they are.

    Args:
        path: A UTF-8 file.

    Returns:
        Everything in it, without a byte order mark; or its fault: it is empty, or its first line that is no text.

    Raises:
        DataError: The file cannot be read.
    """
    lines = _decoded_lines(read_bytes(path), path)
    if not any(line.strip() for line in lines):
        return DataError("expected a text, found an empty file", where=path.name, fix="Fill the file or remove it.")
    return next(iter(bad_lines(lines, path).values()), None) or "".join(lines)


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
    bad = bad_lines(lines, path)
    return [(n, bad.get(n) or (line.rstrip("\r\n"),)) for n, line in enumerate(lines, start=1)]


def text_lines(path: Path) -> list[str]:
    """Read a text file in lines; an empty one is an error."""
    lines = _decoded_lines(read_bytes(path), path)
    if not any(line.strip() for line in lines):
        raise DataError("expected rows, found an empty file", where=path.name, fix="Fill the file or remove it.")
    return lines


def _decoded_lines(data: bytes, path: Path) -> list[str]:
    """Decode lines without losing where their bad bytes are: they stay in the text as lone surrogates."""
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        raise DataError("expected UTF-8, found UTF-16", where=path.name, fix=_RESAVE)
    text = data.removeprefix(codecs.BOM_UTF8).decode("utf-8", "surrogateescape")
    return list(io.StringIO(text, newline=""))


def bad_lines(lines: Sequence[str], path: Path) -> dict[int, DataError]:
    """Find the lines with NUL or undecodable bytes and say where in the line the first one is."""
    bad: dict[int, DataError] = {}
    for n, line in enumerate(lines, start=1):
        if "\0" in line:
            bad[n] = DataError("expected text, found a NUL byte", where=place(path, n), fix="Remove the byte.")
        elif not line.isascii() and (match := _SURROGATE.search(line)):
            offset = len(line[: match.start()].encode())
            found = f"byte 0x{ord(match.group()) - 0xDC00:02X} after {offset} bytes of the line"
            bad[n] = DataError(f"expected UTF-8, found {found}", where=place(path, n), fix=_RESAVE)
    return bad


def read_bytes(path: Path, *, limit: int = -1) -> bytes:
    """Read the beginning of a file, or all of it."""
    try:
        with path.open("rb") as file:
            return file.read(limit)
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise DataError(f"expected a file, found: {reason}", where=str(path), fix="Check the path.") from error


def bad_text(text: str) -> str | None:
    """Return what makes a text of JSON or Parquet no text, or None."""
    if "\0" in text:
        return "a NUL character"
    return "half a character (a lone surrogate)" if not text.isascii() and _SURROGATE.search(text) else None


def place(path: Path, line: int) -> str:
    """Return how messages name a line: ``train.csv:12``."""
    return f"{path.name}:{line}"
