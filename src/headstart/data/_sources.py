"""Where the examples of a source lie: in one file, in a folder with tables, or in folders of images or sounds."""

from dataclasses import replace
from pathlib import Path

from headstart.data._folders import from_folder, name_fault
from headstart.data._manifests import from_lines, from_part_tables, from_table, only
from headstart.data._rows import PARTS_BY_NAME, Found, Names, Row
from headstart.data._tables import TABLE_SUFFIXES
from headstart.data.dataset import PLURALS
from headstart.errors import DataError, OptionError


def find(source: Path, names: Names) -> Found:
    """Choose the layout: a file; a folder with a manifest; with tables that are parts; of images or sounds."""
    if names.group and names.group.startswith("dicom:"):
        raise OptionError(f"--group {names.group}: DICOM files are not read yet", fix="Use filename:REGEX or a column.")
    if fault := path_fault(source):
        raise fault
    if source.is_file():
        return find_in_file(source, names)
    if not source.is_dir():
        raise DataError("expected a file or a folder, found nothing", where=str(source), fix="Check the path.")
    tables = sorted(path for path in source.iterdir() if path.suffix.lower() in TABLE_SUFFIXES and path.is_file())
    manifests = [path for path in tables if path.stem.lower() == "manifest"]
    if manifests:
        return from_table(only(manifests), names)
    if any(PARTS_BY_NAME.get(path.stem.lower()) == "train" for path in tables):
        return from_part_tables(tables, names)
    return from_folder(source, names, tables=tables)


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
    if path.suffix.lower() in TABLE_SUFFIXES:
        return from_table(path, names)
    if path.suffix.lower() == ".txt":
        return from_lines(path)
    kinds = ", ".join(sorted((*TABLE_SUFFIXES, ".txt")))
    raise DataError(f"expected a folder or a file of {kinds}, found {path.name!r}", where=str(path), fix="Convert it.")


def with_test(found: Found, tested: Found, source: Path) -> Found:
    """Append a second source as the test part."""
    if found.modality != tested.modality:
        raise DataError(
            f"expected {PLURALS[found.modality]} as in the training data, found {PLURALS[tested.modality]}",
            where=str(source),
            fix="Give a test source of the same kind.",
        )
    if any(row.part == "test" for row in found.rows):
        raise OptionError("--test: the data has a test part of its own", fix="Leave out --test, or the test part.")
    own_test = any(row.part == "test" for row in tested.rows)
    prefix = f"{source.name}/" if source.is_dir() else ""
    entries = tuple(
        replace(entry, part="test", place=prefix + entry.place) if isinstance(entry, Row) else entry
        for entry in tested.entries
        if not own_test or isinstance(entry, DataError) or entry.part == "test"
    )
    said = (f"Of {source}, only the test part is used.",) if own_test and len(entries) < len(tested.entries) else ()
    notes, listed = (*found.notes, *tested.notes, *said), found.listed or tested.listed
    return replace(found, entries=found.entries + entries, notes=notes, listed=listed)
