"""Where the examples of a source lie: in one file, in a folder with tables, or in folders of images or sounds."""

from dataclasses import replace
from pathlib import Path

from headstart.data._columns import names_files
from headstart.data._conll import is_conll
from headstart.data._folders import from_folder, name_fault
from headstart.data._manifests import from_document, from_file, from_lines, from_part_tables, from_table, only
from headstart.data._rows import PARTS_BY_NAME, Found, Names, Row
from headstart.data._tables import TABLE_SUFFIXES, read_table
from headstart.errors import DataError, OptionError


def check_source(source: Path) -> None:
    """Refuse what is no place that data can lie at.

    Args:
        source: A file or a folder.

    Raises:
        DataError: There is nothing, or it is no name of a file.
    """
    if fault := path_fault(source):
        raise fault
    if not source.is_file() and not source.is_dir():
        raise DataError("expected a file or a folder, found nothing", where=str(source), fix="Check the path.")


def find(source: Path, names: Names) -> Found:
    """Choose the layout: a file; a folder with a manifest; with tables that are parts; of images or sounds."""
    check_source(source)
    if source.is_file():
        return find_in_file(source, names)
    tables = sorted(path for path in source.iterdir() if _is_read(path, names) and path.is_file())
    manifests = [path for path in tables if path.stem.lower() == "manifest" and path.suffix.lower() in TABLE_SUFFIXES]
    if manifests:
        return from_table(only(manifests), names)
    if any(PARTS_BY_NAME.get(path.stem.lower()) == "train" for path in tables):
        return from_part_tables(tables, names)
    metadata = [path for path in tables if path.stem.lower() == "metadata" and _is_metadata(path, names)]
    if metadata:
        return from_table(only(metadata), names)
    return from_folder(source, names, tables=tables)


def _is_metadata(path: Path, names: Names) -> bool:
    """Say whether a table is one of those that Hugging Face puts beside the files it describes."""
    try:
        return path.suffix.lower() in TABLE_SUFFIXES and names_files(read_table(path), names)
    except DataError:  # something else, which is none of the data
        return False


def path_fault(path: Path) -> DataError | None:
    """Return the fault of what the system does not take as a path, or of a name that cannot be printed."""
    text = str(path)
    try:
        path.exists()
    except OSError as error:
        fix = "Check the path; put texts into a file, one per line."
        found = f"{len(text)} characters ({(error.strerror or str(error)).lower()})"
        return DataError(f"expected a path, found {found}", where=text[:40], fix=fix)
    return name_fault(text)


def find_in_file(path: Path, names: Names) -> Found:
    if _is_read(path, names):
        return from_file(path, names)
    if path.suffix.lower() == ".txt":
        return from_document(path) if names.kind == "tagging" else from_lines(path)
    kinds = ", ".join(sorted((*TABLE_SUFFIXES, ".txt", ".conll")))
    raise DataError(f"expected a folder or a file of {kinds}, found {path.name!r}", where=str(path), fix="Convert it.")


def _is_read(path: Path, names: Names) -> bool:
    """Say whether a file is a table or one of CoNLL columns."""
    return path.suffix.lower() in TABLE_SUFFIXES or is_conll(path, names)


def with_test(found: Found, tested: Found, source: Path) -> Found:
    """Append a second source as the test part."""
    if found.what != tested.what:
        raise DataError(
            f"expected {found.what} as in the training data, found {tested.what}",
            where=str(source),
            fix="Give a test source of the same kind.",
        )
    if any(row.part == "test" for row in found.rows):
        raise OptionError("--test: the data has a test part of its own", fix="Leave out --test, or the test part.")
    own_test = any(row.part == "test" for row in tested.rows)
    prefix = f"{source.name}/" if source.is_dir() else ""
    entries = tuple(
        _as_test(entry, prefix, counted=tested.counted) if isinstance(entry, Row) else entry
        for entry in tested.entries
        if not own_test or isinstance(entry, DataError) or entry.part == "test"
    )
    said = (f"Of {source}, only the test part is used.",) if own_test and len(entries) < len(tested.entries) else ()
    notes, listed = (*found.notes, *tested.notes, *said), found.listed or tested.listed
    findings = (*found.findings, *tested.findings)
    columns = tuple(dict.fromkeys((*found.columns, *tested.columns)))
    entries = found.entries + entries
    return replace(found, entries=entries, notes=notes, listed=listed, findings=findings, columns=columns)


def _as_test(row: Row, prefix: str, *, counted: bool) -> Row:
    """Make a row one of the test part; document 3 of one file is not document 3 of another of the same name."""
    group = f"test {row.group}" if counted and row.group else row.group
    return replace(row, part="test", place=prefix + row.place, group=group)
