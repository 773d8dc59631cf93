"""Folders of images or sounds: a folder per class, below ``train/`` and other parts if there are any; or no classes.

Recordings with transcripts beside them are read by `headstart.data._beside`.

Every image or sound below a class folder belongs to that class. Files are taken in the order of their names, so that
the same folder gives the same data set everywhere. What is passed over is counted and said. A name that is not UTF-8 is
refused, since neither a table nor a message could hold it.
"""

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path, PurePath
from typing import Final, final

from headstart.data._beside import from_texts_beside
from headstart.data._rows import FROM_FILES, PARTS_BY_NAME, Found, Names, Row, group_reader
from headstart.data.dataset import PARTS, PLURALS, Part
from headstart.errors import DataError, OptionError
from headstart.runtime import Modality
from headstart.runtime.pictures import IMAGE_SUFFIXES, PREAMBLE, is_dicom
from headstart.runtime.recordings import SOUND_SUFFIXES, UNREAD_SUFFIXES

_SYSTEM_FILES: Final = frozenset({"thumbs.db", "desktop.ini", "__macosx"})


def from_folder(root: Path, names: Names, *, tables: Sequence[Path]) -> Found:
    """Read a folder of images, or of sounds, which may have transcripts beside them.

    Args:
        root: The folder.
        names: Only the group option and the kind of task apply.
        tables: Tables that lie in it, for advice where there is neither.

    Returns:
        One entry per image or sound, labelled where there are class folders or transcripts.

    Raises:
        DataError: There is neither image nor sound, or both, or no training part beside another.
        OptionError: The group option names a column.
    """
    if names.group and not names.group.startswith(FROM_FILES):
        fix = "Use filename:REGEX or dicom:PatientID, or write a manifest.csv."
        raise OptionError(f"--group {names.group}: folders of files have no columns", fix=fix)
    if spoken := _with_transcripts(root, names):
        group_of = group_reader(names.group, "audio")
        rows = (group_of(row) if group_of and isinstance(row, Row) else row for row in spoken.entries)
        return replace(spoken, entries=tuple(rows))
    collected = _Collected(root)
    collected.add_everything()
    if not collected.rows:
        fix = f"Pass the file itself: {tables[0]}." if tables else "Put images or sounds into a folder per class."
        raise DataError("expected images or sounds in a folder per class, found none", where=str(root), fix=fix)
    modality = collected.modality()
    group_of = group_reader(names.group, modality)
    entries = tuple(group_of(row) if group_of else row for row in collected.rows)
    return Found(modality, entries, "folder names", collected.notes(PLURALS[modality]))


def _with_transcripts(root: Path, names: Names) -> Found | None:
    if names.kind not in (None, "transcription"):
        return None
    files = [path for path in walk_files(root) if not _is_hidden(path.name)]
    sounds = [path for path in files if modality_of(path) == "audio"]
    texts = [path for path in files if path.suffix == ".txt"]
    fault = next((fault for path in sounds if (fault := name_fault(path.relative_to(root).as_posix()))), None)
    if fault:
        raise fault
    return from_texts_beside(root, sounds, texts, names)


def name_fault(name: str) -> DataError | None:
    """Return the fault of a file or folder name whose bytes are not UTF-8."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return DataError("expected a file name in UTF-8, found other bytes", where=repr(name), fix="Rename it.")
    return None


def modality_of(path: PurePath) -> Modality | None:
    """Say by the end of its name whether a file is an image or a sound, None where it is neither.

    Files of DICOM often have names without one, or end in the last number of an identifier; they say what they are.
    """
    suffix = path.suffix.lower()
    if suffix in IMAGE_SUFFIXES:
        return "image"
    if suffix in SOUND_SUFFIXES | UNREAD_SUFFIXES:
        return "audio"
    return "image" if isinstance(path, Path) and not suffix.strip(".0123456789") and _is_dicom(path) else None


def _is_dicom(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            return is_dicom(file.read(PREAMBLE))
    except OSError:
        return False


def files_below(folder: Path, modality: Modality) -> list[Path]:
    """Return all images, or all sounds, in a folder and its sub-folders, sorted."""
    return [path for path in walk_files(folder) if modality_of(path) == modality and not _is_hidden(path.name)]


@final
class _Collected:
    """What was met on the way through a folder."""

    def __init__(self, root: Path) -> None:
        self.root: Final = root
        self.rows: list[Row] = []
        self.others: list[str] = []
        self.unclassed: list[str] = []
        self.unparted: list[str] = []
        self.nested: list[str] = []
        self.empty: list[str] = []
        self.hidden = 0

    def add_everything(self) -> None:
        """Read part folders where one of them is for training, else class folders, else plain files."""
        folders = _folders(self.root)
        parts = [(PARTS_BY_NAME[path.name.lower()], path) for path in folders if path.name.lower() in PARTS_BY_NAME]
        if not any(part == "train" for part, _ in parts):
            if parts and len(parts) == len(folders):
                found = ", ".join(path.name + "/" for _, path in parts)
                fix = "Add train/ or rename the folders."
                raise DataError(f"expected train/, found only {found}", where=str(self.root), fix=fix)
            self._add_classes(self.root, None)
            return
        for part, folder in sorted(parts, key=lambda pair: PARTS.index(pair[0])):
            self._add_classes(folder, part)
        for folder in folders:
            if folder.name.lower() not in PARTS_BY_NAME:
                self.unparted += [self._name(path) for path in walk_files(folder)]

    def modality(self) -> Modality:
        """Say whether images or sounds were met; both are refused."""
        first: dict[Modality, str] = {}
        for row in self.rows:
            first.setdefault(modality_of(row.item) or "image", row.place)
        if len(first) == 1:
            return next(iter(first))
        found = ", ".join(f"{PLURALS[modality]} (first {place})" for modality, place in first.items())
        fix = "Put them into a folder each."
        raise DataError(f"expected images or sounds, found both: {found}", where=str(self.root), fix=fix)

    def _add_classes(self, top: Path, part: Part | None) -> None:
        classes = _folders(top)
        for folder in classes:
            items = self._items(walk_files(folder))
            self.nested += [self._name(path) for path in items if path.parent != folder]
            self.rows += [Row(path, self._name(path), folder.name.strip(), part=part) for path in items]
            if not items:
                self.empty.append(self._name(folder))
        direct = self._items(path for path in sorted(top.iterdir()) if path.is_file())
        if classes or part:
            self.unclassed += [self._name(path) for path in direct]
        else:
            self.rows += [Row(path, self._name(path)) for path in direct]

    def _items(self, paths: Iterable[Path]) -> list[Path]:
        items = []
        for path in paths:
            if _is_hidden(path.name):
                self.hidden += 1
            elif modality_of(path):
                items.append(path)
            else:
                self.others.append(self._name(path))
        return items

    def _name(self, path: Path) -> str:
        name = path.relative_to(self.root).as_posix()
        if fault := name_fault(name):
            raise fault
        return name

    def notes(self, items: str) -> tuple[str, ...]:
        """Say what was passed over, one sentence per kind; ``items`` are images or sounds."""
        kinds = {
            f"Files that are not {items}, not used": self.others,
            "Files outside the parts, not used": self.unparted,
            f"{items.capitalize()} outside class folders, not used": self.unclassed,
            f"{items.capitalize()} in sub-folders of a class folder, taken into the class": self.nested,
            f"Class folders without {items}": self.empty,
        }
        said = [f"{kind}: {len(names)} (first: {names[0]})." for kind, names in kinds.items() if names]
        return (*said, *([f"Hidden files passed over: {self.hidden}."] if self.hidden else []))


def _folders(top: Path) -> list[Path]:
    return sorted(path for path in top.iterdir() if path.is_dir() and not _is_hidden(path.name))


def walk_files(folder: Path) -> Iterator[Path]:
    """Walk in the order of names; linked sub-folders are not entered, since links can form rings."""
    for base, folders, files in os.walk(folder):
        folders[:] = sorted(name for name in folders if not _is_hidden(name))
        yield from (Path(base) / name for name in sorted(files))


def _is_hidden(name: str) -> bool:
    return name.startswith(".") or name.lower() in _SYSTEM_FILES
