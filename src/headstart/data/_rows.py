"""The rows of a source: one value per example, before any item is opened, and where its group comes from.

An entry that cannot be used is a `DataError` in its place, so that the caller decides whether to stop, skip or list it.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from headstart.data._findings import Finding
from headstart.data.dataset import PLURALS, Part
from headstart.errors import DataError, OptionError
from headstart.runtime import Item, Modality
from headstart.runtime.pictures import check_keyword, hashed_value
from headstart.tasks import Kind, Spelling

PARTS_BY_NAME: Final[dict[str, Part]] = {
    "train": "train", "training": "train", "val": "val", "valid": "val", "validation": "val", "dev": "val",
    "testa": "val", "test": "test", "testb": "test", "testing": "test",
}  # fmt: skip


FROM_FILES: Final = ("filename:", "dicom:")  # how groups are asked for that no column holds


@dataclass(frozen=True, slots=True)
class Row:
    """One example as the source describes it; what the source does not say is None.

    The label is as written, and may be empty: only the kind of the task says whether that is a fault. ``extra`` holds
    the columns that were asked for to slice scores by, as far as there are any; a missing value is empty.
    """

    item: Item
    place: str
    label: str | None = None
    group: str | None = None
    part: Part | None = None
    domain: str | None = None
    fold: str | None = None
    extra: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Names:
    """The columns to read: label and text column, where the group comes from; None for the usual names.

    ``labelled`` is False when inputs for prediction are read and a label column is not needed. ``kind`` is the kind of
    task asked for, None where the labels decide; ``modality`` what files are whose names do not say it; ``spelling``
    how transcripts are taken; ``slices`` names further columns to keep.
    """

    label: str | None = None
    text: str | None = None
    group: str | None = None
    labelled: bool = True
    kind: Kind | None = None
    modality: Modality | None = None
    spelling: Spelling = "plain"
    slices: tuple[str, ...] = ()


@dataclass(frozen=True)
class Found:
    """What a source holds: its entries in order, and what to say about how they were found.

    ``listed`` says that labels stand in lists, ``kind`` what they are where the source leaves no choice, ``counted``
    that groups are documents counted in a file, whose names mean nothing in another. ``findings`` is what `inspect`
    adds about how the source is written; the notes say it too. ``columns`` are those of its tables.
    """

    modality: Modality
    entries: tuple[Row | DataError, ...]
    labels_from: str
    notes: tuple[str, ...] = ()
    listed: bool = False
    kind: Kind | None = None
    findings: tuple[Finding, ...] = ()
    counted: bool = False
    columns: tuple[str, ...] = ()

    @property
    def what(self) -> str:
        """What the items are, in a word or three."""
        named: dict[Kind, str] = {"tagging": "tagged texts", "transcription": "sounds with transcripts"}
        return named[self.kind] if self.kind in named else PLURALS[self.modality]

    @property
    def rows(self) -> list[Row]:
        """The entries that can be used."""
        return [entry for entry in self.entries if isinstance(entry, Row)]


def noun_of(kind: Kind | None) -> str:
    """What stands beside an item, in a word."""
    return "transcript" if kind == "transcription" else "label"


def group_reader(group: str | None, modality: Modality) -> Callable[[Row], Row | DataError] | None:
    """Return a function that adds the group read from the file or its name, where the option asks for it.

    Args:
        group: The option: ``filename:REGEX``, whose first capture group is the group; ``dicom:KEYWORD``, where a hash
            of that element of the file's header is; or something else.
        modality: Texts have no file names.

    Returns:
        A function from a row to the row with its group, or to the fault of a file that has none; None where the option
        does not speak of files.

    Raises:
        OptionError: The expression is wrong, has no capture group, DICOM has no such element, or the items are no
            files, or no pictures.
    """
    if not group or not group.startswith(FROM_FILES):
        return None
    source, _, what = group.partition(":")
    if modality == "text" or (source == "dicom" and modality != "image"):
        needs, found = ("files", "a table of texts") if modality == "text" else ("pictures", "sounds")
        raise OptionError(f"--group {source}: needs {needs}, and this data is {found}", fix="Name a column.")
    return _by_header(what) if source == "dicom" else _by_name(what)


def _by_header(keyword: str) -> Callable[[Row], Row | DataError]:
    check_keyword(keyword)

    def add(row: Row) -> Row | DataError:
        where = row.place if row.place.endswith(row.item.name) else f"{row.place} ({row.item.name})"
        try:
            value = hashed_value(row.item, keyword)
        except DataError as error:
            return DataError(error.problem, where=where, fix=error.fix)
        if value:
            return replace(row, group=value)
        found = f"expected a value of {keyword} in the DICOM header, found none"
        return DataError(found, where=where, fix="Fill it, or use filename:REGEX or a column of a manifest.")

    return add


def _by_name(expression: str) -> Callable[[Row], Row | DataError]:
    try:
        pattern = re.compile(expression)
    except re.error as error:
        raise OptionError(f"--group: not a regular expression: {error}", fix="Correct it.") from error
    if not pattern.groups:
        found = f"--group: expected a capture group ( ) in {pattern.pattern!r}, found none"
        raise OptionError(found, fix='Write it as in "filename:(p[0-9]+)_".')

    def add(row: Row) -> Row | DataError:
        match = pattern.search(row.item.name)
        if match and match.group(1):
            return replace(row, group=match.group(1))
        found = f"expected a file name that matches {pattern.pattern!r}, found {row.item.name!r}"
        return DataError(found, where=row.place, fix="Correct the expression or rename the file.")

    return add
