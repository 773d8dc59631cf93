"""One file that holds several: a zip archive whose contents are stored as they are, and that is read without trust.

A zip archive and not a tar: its table of contents says every name and size before anything is read, it opens on every
system, and what it can hold besides plain files (links, compressed or encrypted entries) shows in that table and is
refused. Nothing is compressed, because weights hardly shrink; so an entry cannot grow when it is read either.

The same files give the same bytes: entries are in order, and carry no time, no owner and no rights.
"""

import hashlib
import shutil
import stat
import unicodedata
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Final, final

from headstart.errors import BackboneError

EPOCH: Final = (1980, 1, 1, 0, 0, 0)  # the first time that the format knows
PLAIN: Final = stat.S_IFREG | 0o644
PIECE: Final = 1 << 20
# What the library raises for archives that are damaged, encrypted or of a kind it cannot read.
DAMAGED: Final = (zipfile.BadZipFile, EOFError, NotImplementedError, RuntimeError, UnicodeDecodeError, ValueError)
COPY_AGAIN: Final = "Copy the file again, or make it again with: headstart models pack NAME -o FILE"


@final
@dataclass(frozen=True)
class Limits:
    """What may be unpacked from one archive.

    Attributes:
        gigabytes: Of all files together, 10^9 bytes each.
        files: How many there may be.
    """

    gigabytes: float = 20.0
    files: int = 10_000


@final
class Archive:
    """An open archive, its table of contents checked.

    Args:
        opened: The library's own.
        path: Where it lies, for errors.
        limits: What may be unpacked.

    Raises:
        BackboneError: An entry is no plain stored file, reaches outside, is there twice, or there is too much.
    """

    def __init__(self, opened: zipfile.ZipFile, path: Path, limits: Limits) -> None:
        self._opened, self._path = opened, path
        entries = opened.infolist()
        total, most = sum(entry.file_size for entry in entries), int(limits.gigabytes * 1e9)
        if len(entries) > limits.files:
            problem = f"it holds {len(entries):,} files, at most {limits.files:,} are unpacked"
            raise BackboneError(problem, where=str(path), fix=f"If you trust it, add --max-files {len(entries)}.")
        if total > most:
            problem = f"it unpacks to {total / 1e9:.1f} GB, at most {limits.gigabytes:g} are allowed"
            fix = f"If you trust it, add --max-gb {total / 1e9 + 0.1:.1f}."
            raise BackboneError(problem, where=str(path), fix=fix)
        for entry in entries:
            _check_entry(entry, path)
        check_apart([entry.filename for entry in entries], where=path)
        self.sizes: Final[Mapping[str, int]] = {entry.filename: entry.file_size for entry in entries}

    def read(self, name: str) -> bytes:
        """Return the content of a small entry."""
        with _told(self._path):
            return self._opened.read(name)

    def unpack(self, name: str, target: Path, *, sha256: str) -> None:
        """Write an entry to a file and check its hash on the way.

        Args:
            name: The entry.
            target: The file to make, in a folder that is there.
            sha256: What its content must be.

        Raises:
            BackboneError: It is damaged, or another.
            OSError: The disk is full or not writable.
        """
        digest = hashlib.sha256()
        with target.open("wb") as file, _told(self._path), self._opened.open(name) as entry:
            while piece := entry.read(PIECE):
                digest.update(piece)
                file.write(piece)
        if digest.hexdigest() != sha256:
            raise BackboneError(f"{name} does not match its SHA-256", where=str(self._path), fix=COPY_AGAIN)


@contextmanager
def open_archive(path: Path, limits: Limits) -> Iterator[Archive]:
    """Open an archive that may come from anybody.

    Args:
        path: The file.
        limits: What may be unpacked.

    Yields:
        The archive.

    Raises:
        BackboneError: It is no archive, or its table of contents is refused.
    """
    try:
        with _told(path):
            opened = zipfile.ZipFile(path)
    except OSError as error:
        raise BackboneError(f"it cannot be read ({error.strerror})", where=str(path), fix=COPY_AGAIN) from error
    with opened:
        yield Archive(opened, path, limits)


def write_archive(target: Path, contents: Iterable[tuple[str, bytes | Path]]) -> None:
    """Write an archive.

    Args:
        target: The file to make.
        contents: Names, and what is there: bytes, or the file that holds them.

    Raises:
        OSError: The disk is full or not writable.
    """
    with zipfile.ZipFile(target, "w", compression=zipfile.ZIP_STORED) as archive:
        for name, content in contents:
            entry = zipfile.ZipInfo(name, EPOCH)
            entry.create_system, entry.external_attr = 3, PLAIN << 16  # on every system as on Unix
            if isinstance(content, bytes):
                archive.writestr(entry, content)
                continue
            entry.file_size = content.stat().st_size
            with content.open("rb") as file, archive.open(entry, "w") as stored:
                shutil.copyfileobj(file, stored, PIECE)


def check_inside(name: str, *, where: Path) -> None:
    """Refuse the name of a file that would lie outside a folder, here or on another system.

    Args:
        name: With ``/`` between its parts.
        where: What names it, for an error.

    Raises:
        BackboneError: It is absolute, leaves the folder, or means something else on another system.
    """
    parts = name.split("/")
    odd = any(part in ("", ".", "..") or part != part.rstrip(". ") for part in parts)
    signs = any(sign in '\\:<>"|?*' or unicodedata.category(sign).startswith("C") for sign in name)
    if odd or signs or PurePosixPath(name).is_absolute():
        raise BackboneError(f"it names a file outside its folder, or on no system, {name!r}", where=str(where))


def check_apart(names: Iterable[str], *, where: Path) -> None:
    """Refuse names that would be one file on a system that does not tell capital letters apart.

    Args:
        names: The names.
        where: What names them, for an error.

    Raises:
        BackboneError: Two are alike.
    """
    seen: set[str] = set()
    for name in names:
        alike = unicodedata.normalize("NFC", name).casefold()
        if alike in seen:
            raise BackboneError(f"it holds the file {name!r} twice", where=str(where), fix=COPY_AGAIN)
        seen.add(alike)


def _check_entry(entry: zipfile.ZipInfo, path: Path) -> None:
    check_inside(entry.orig_filename, where=path)
    kind = stat.S_IFMT(entry.external_attr >> 16)
    problem = ""
    if kind not in (0, stat.S_IFREG):
        problem = "is a link, a folder or a device"
    elif entry.flag_bits & 0x1:
        problem = "is encrypted"
    elif entry.compress_type != zipfile.ZIP_STORED or entry.compress_size != entry.file_size:
        problem = "is compressed, and a pack stores its files as they are"
    if problem:
        raise BackboneError(f"its entry {entry.filename!r} {problem}", where=str(path), fix=COPY_AGAIN)


@contextmanager
def _told(path: Path) -> Iterator[None]:
    try:
        yield
    except BackboneError:
        raise
    except DAMAGED as error:
        raise BackboneError(f"not a complete zip archive ({error})", where=str(path), fix=COPY_AGAIN) from error
