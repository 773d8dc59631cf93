"""Folders of images: a folder per class, below ``train/`` and other parts if there are any; or images without classes.

Every image below a class folder belongs to that class. Files are taken in the order of their names, so that the same
folder gives the same data set everywhere. What is passed over is counted and said. A name that is not UTF-8 is refused,
since neither a table nor a message could hold it.
"""

import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Final, final

from headstart.data._rows import PARTS_BY_NAME, Found, Names, Row, group_reader
from headstart.data.dataset import PARTS, Part
from headstart.data.images import IMAGE_SUFFIXES
from headstart.errors import DataError, OptionError

_SYSTEM_FILES: Final = frozenset({"thumbs.db", "desktop.ini", "__macosx"})


def from_folder(root: Path, names: Names, *, tables: Sequence[Path]) -> Found:
    """Read a folder of images.

    Args:
        root: The folder.
        names: Only the group option applies.
        tables: Tables that lie in it, for advice where there are no images.

    Returns:
        One entry per image, labelled where there are class folders.

    Raises:
        DataError: There is no image, or no training part beside another.
        OptionError: The group option names a column.
    """
    if names.group and not names.group.startswith("filename:"):
        fix = "Use filename:REGEX, or write a manifest.csv."
        raise OptionError(f"--group {names.group}: folders of images have no columns", fix=fix)
    collected = _Collected(root)
    collected.add_everything()
    if not collected.rows:
        fix = f"Pass the file itself: {tables[0]}." if tables else "Put images into a folder per class."
        raise DataError("expected images in a folder per class, found no image", where=str(root), fix=fix)
    group_of = group_reader(names.group, "image")
    entries = tuple(group_of(row) if group_of else row for row in collected.rows)
    return Found("image", entries, "folder names", collected.notes())


def name_fault(name: str) -> DataError | None:
    """Return the fault of a file or folder name whose bytes are not UTF-8."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return DataError("expected a file name in UTF-8, found other bytes", where=repr(name), fix="Rename it.")
    return None


def images_below(folder: Path) -> list[Path]:
    """Return all images in a folder and its sub-folders, sorted."""
    return [path for path in _files(folder) if path.suffix.lower() in IMAGE_SUFFIXES and not _is_hidden(path.name)]


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
        """Read part folders where one of them is for training, else class folders, else plain images."""
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
                self.unparted += [self._name(path) for path in _files(folder)]

    def _add_classes(self, top: Path, part: Part | None) -> None:
        classes = _folders(top)
        for folder in classes:
            images = self._images(_files(folder))
            self.nested += [self._name(path) for path in images if path.parent != folder]
            self.rows += [Row(path, self._name(path), folder.name.strip(), part=part) for path in images]
            if not images:
                self.empty.append(self._name(folder))
        direct = self._images(path for path in sorted(top.iterdir()) if path.is_file())
        if classes or part:
            self.unclassed += [self._name(path) for path in direct]
        else:
            self.rows += [Row(path, self._name(path)) for path in direct]

    def _images(self, paths: Iterable[Path]) -> list[Path]:
        images = []
        for path in paths:
            if _is_hidden(path.name):
                self.hidden += 1
            elif path.suffix.lower() in IMAGE_SUFFIXES:
                images.append(path)
            else:
                self.others.append(self._name(path))
        return images

    def _name(self, path: Path) -> str:
        name = path.relative_to(self.root).as_posix()
        if fault := name_fault(name):
            raise fault
        return name

    def notes(self) -> tuple[str, ...]:
        """Say what was passed over, one sentence per kind."""
        kinds = {
            "Files that are not images, not used": self.others,
            "Files outside the parts, not used": self.unparted,
            "Images outside class folders, not used": self.unclassed,
            "Images in sub-folders of a class folder, taken into the class": self.nested,
            "Class folders without images": self.empty,
        }
        said = [f"{kind}: {len(names)} (first: {names[0]})." for kind, names in kinds.items() if names]
        return (*said, *([f"Hidden files passed over: {self.hidden}."] if self.hidden else []))


def _folders(top: Path) -> list[Path]:
    return sorted(path for path in top.iterdir() if path.is_dir() and not _is_hidden(path.name))


def _files(folder: Path) -> Iterator[Path]:
    """Walk in the order of names; linked sub-folders are not entered, since links can form rings."""
    for base, folders, files in os.walk(folder):
        folders[:] = sorted(name for name in folders if not _is_hidden(name))
        yield from (Path(base) / name for name in sorted(files))


def _is_hidden(name: str) -> bool:
    return name.startswith(".") or name.lower() in _SYSTEM_FILES
