"""Which columns of a table hold the items, and which their labels: told from their names, or asked for."""

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Final

from headstart.data._folders import modality_of
from headstart.data._rows import Names
from headstart.data._table import Table
from headstart.data.dataset import PLURALS
from headstart.errors import DataError, OptionError
from headstart.runtime import Modality
from headstart.tasks import Kind

FILE_NAME: Final = "file_name"  # read as ``path`` where there is none
TRANSCRIPTS: Final = ("transcript", "transcription")
_LIKELY: Final = ("sentence", "text", "normalized_text", "utterance")  # transcripts too, if the user says so


@dataclass(frozen=True)
class Columns:
    """The columns that were chosen.

    Attributes:
        modality: What the items are.
        item: The column of paths or texts.
        label: The column of labels or transcripts.
        kind: ``transcription`` where it holds transcripts.
        notes: What was inferred, one sentence each.
    """

    modality: Modality
    item: str
    label: str
    kind: Kind | None = None
    notes: tuple[str, ...] = ()


def choose_columns(table: Table, names: Names) -> Columns:
    """Choose the columns of items and labels.

    Args:
        table: What was read.
        names: What the user asks for.

    Returns:
        The columns; that of the labels may be missing where none are needed.

    Raises:
        DataError: There is no column of items, both of two, or none of transcripts that are asked for.
        OptionError: Transcripts are asked for of what is not heard, or something else of transcripts.
    """
    present = {*table.columns, *table.nested}
    modality = _modality(table, names)
    item = (names.text or "text") if modality == "text" else _path_column(present)
    notes = (f"Files are named by the column {item!r}.",) if item == FILE_NAME else ()
    if modality != "audio" or not names.labelled:
        if names.labelled and names.kind == "transcription":
            fix = "Give recordings with their transcripts, or another --task."
            raise OptionError(f"task 'transcription' does not fit: the data holds {PLURALS[modality]}", fix=fix)
        return Columns(modality, item, names.label or "label", notes=notes)
    label, kind, note = _label(table, names, present)
    return Columns(modality, item, label, kind, (*notes, *([note] if note else [])))


def names_files(table: Table, names: Names) -> bool:
    """Say whether a table describes the files around it: it names them, and says what they are.

    Args:
        table: What was read.
        names: The label column, if it has a name of its own.

    Returns:
        Whether it is read in place of the folder's names.
    """
    return FILE_NAME in table.columns and not {names.label or "label", *TRANSCRIPTS}.isdisjoint(table.columns)


def _path_column(present: Collection[str]) -> str:
    return FILE_NAME if "path" not in present and FILE_NAME in present else "path"


def _label(table: Table, names: Names, present: Collection[str]) -> tuple[str, Kind | None, str]:
    """Choose between classes and transcripts of recordings: the column, what it holds, and a note."""
    spoken = next((name for name in TRANSCRIPTS if name in present), None)
    likely = next((name for name in _LIKELY if name in present), None)
    if names.kind == "transcription":
        if not (names.label or spoken):
            raise _no_transcripts(table, likely)
        return names.label or spoken or "", "transcription", ""
    if names.kind is None and names.label in (*TRANSCRIPTS, "sentence"):
        return names.label, "transcription", ""
    if names.label or "label" in present:
        unused = spoken and not names.label and names.kind is None
        note = f"The column {spoken!r} is not used: there is 'label'; --task transcription reads it." if unused else ""
        return names.label or "label", None, note
    if spoken and names.kind is None:
        return spoken, "transcription", ""
    if spoken:
        fix = "Leave out --task to recognise speech, or name a column of labels with --label."
        raise OptionError(f"task {names.kind!r} does not fit: the data holds transcripts", fix=fix)
    if likely and names.kind is None:
        raise _no_transcripts(table, likely, or_label="'label' or ")
    return "label", None, ""


def _no_transcripts(table: Table, likely: str | None, *, or_label: str = "") -> DataError:
    named = ", ".join(map(repr, table.columns))
    problem = f"expected a column {or_label}'transcript', found {named}"
    fix = f"If {likely!r} is what is said, pass --task transcription --label {likely}."
    return DataError(problem, where=table.path.name, fix=fix if likely else "Name the right one with --label NAME.")


def _modality(table: Table, names: Names) -> Modality:
    if names.text:
        return "text"
    present = {*table.columns, *table.nested}
    known = {"path", "text"} & present
    if FILE_NAME in present and (not known or (known == {"text"} and _asks_for_files(names))):
        known = {FILE_NAME}
    if len(known) == 2 and _asks_for_files(names):
        known = {"path"}
    if len(known) == 2:
        raise DataError(
            "expected a column 'path' or a column 'text', found both",
            where=table.path.name,
            fix="Pass --text text to read the texts, --task transcription --label text if they are what is said in the "
            "files, or rename that column to read the files.",
        )
    if not known:
        raise DataError(
            f"expected a column 'path' (images or sounds) or 'text', found {', '.join(map(repr, table.columns))}",
            where=table.path.name,
            fix="Name the column of the texts with --text NAME, or rename the column of file paths to path.",
        )
    return "text" if known == {"text"} else _modality_of_paths(table, names, known.pop())


def _asks_for_files(names: Names) -> bool:
    return names.modality in ("image", "audio")


def _modality_of_paths(table: Table, names: Names, column: str) -> Modality:
    """Tell images from sounds by the ends of their names; where these say nothing, take what is asked for."""
    places: dict[Modality, str] = {}
    for path, line in zip(table.columns.get(column, ()), table.lines, strict=False):
        if modality := modality_of(PurePosixPath(path.strip())):
            places.setdefault(modality, f"{path.strip()} in line {line}")
    if len(places) > 1:
        found = ", ".join(f"{PLURALS[modality]} (first {place})" for modality, place in places.items())
        fix = "Put them into a manifest each."
        raise DataError(f"expected images or sounds, found both: {found}", where=table.path.name, fix=fix)
    asked = names.modality if names.modality != "text" else None
    return next(iter(places), asked or "image")
