"""The activation store: rows computed once, found again by what determines them.

Layout, under the cache folder (``HEADSTART_CACHE``, else the platform's)::

    features/v1/<key digest>/key.json          what determines the rows, readable
    features/v1/<key digest>/used              touched at every opening; its time orders eviction
    features/v1/<key digest>/<shard>.rows      raw little-endian rows
    features/v1/<key digest>/<shard>.json      manifest: type, shape, SHA-256, item hashes, for rows that differ in
                                               length (activations of texts) also their lengths; written last

Decisions:
  * A shard exists once its manifest does. Both files are written under another name, flushed and renamed, so a process
    killed at any moment leaves whole shards and at most one orphan, which the next writer sweeps away.
  * Processes never write to the same file: every shard has a name of its own. Two processes that compute the same rows
    at once store them twice, which costs space and nothing else; the first shard found is read.
  * A shard is checked against its SHA-256 when it is first read. A damaged one is refused, never skipped.
  * Above the size limit the least recently used keys go, never one opened in the last hour.

Breaking the format: raise `FORMAT`, which changes the folder; old rows are then evicted like any others.
"""

import hashlib
import json
import os
import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from shutil import disk_usage, rmtree
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from headstart.engine import cache_folder
from headstart.errors import OptionError, StoreError, writing
from headstart.features._shards import (
    FORMAT,
    Index,
    Pieces,
    describe_pieces,
    describe_rows,
    load_manifest,
    load_rows,
    sweep,
    write_file,
    write_shard,
)

DEFAULT_LIMIT = 20 * 2**30
IN_USE_SECONDS = 3600.0


@dataclass(frozen=True)
class Key:
    """Everything that determines a row besides the item itself.

    Attributes:
        weights: Hash of the network's weights.
        preprocessing: Hash of the preprocessing and of how the network is assembled.
        cut: The cut point, or ``features`` for the network's output.
        views: The feature views a row holds, in order; none at a cut point.
        precision: Number type of the stored values.
        engine: What computed them, such as ``torch-cpu``.
        library: Name and major version of the computing library.
        backbone: The network's address; for people, not part of the digest.
    """

    weights: str
    preprocessing: str
    cut: str
    views: tuple[str, ...]
    precision: str
    engine: str
    library: str
    backbone: str = ""

    @property
    def digest(self) -> str:
        """A name for the folder of this key."""
        facts = {name: value for name, value in asdict(self).items() if name != "backbone"}
        return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:32]


@dataclass(frozen=True)
class Shelf:
    """What the cache holds for one key, for listings."""

    digest: str
    backbone: str
    cut: str
    rows: int
    megabytes: float
    last_used: float


def size_limit() -> int:
    """Return the store's size limit: ``HEADSTART_CACHE_LIMIT`` (such as ``5GB``), else 20 GB.

    Returns:
        Bytes.

    Raises:
        OptionError: The variable is not a size.
    """
    text = os.environ.get("HEADSTART_CACHE_LIMIT", "").strip().upper()
    if not text:
        return DEFAULT_LIMIT
    units = {"KB": 2**10, "MB": 2**20, "GB": 2**30, "TB": 2**40}
    number, factor = (text[:-2], units[text[-2:]]) if text[-2:] in units else (text, 1)
    try:
        limit = int(float(number) * factor)
    except (ValueError, OverflowError):
        limit = 0
    if limit <= 0:
        raise OptionError(f"expected a size, found {text!r}", where="HEADSTART_CACHE_LIMIT", fix="Write 500MB or 20GB.")
    return limit


@final
class Store:
    """Reads and writes rows; see the module for the layout and its guarantees.

    Args:
        root: The cache folder; by default `cache_folder`.
        limit: Size limit in bytes; by default `size_limit`.
    """

    def __init__(self, root: Path | None = None, *, limit: int | None = None) -> None:
        self.root = (root or cache_folder()) / "features" / f"v{FORMAT}"
        self.limit = size_limit() if limit is None else limit
        self._indexes: dict[str, Index] = {}

    def missing(self, key: Key, hashes: Sequence[str]) -> list[str]:
        """Return the item hashes that have no row yet, each once, in order."""
        index = self._index(key)
        return [item for item in dict.fromkeys(hashes) if item not in index.place]

    def read(self, key: Key, hashes: Sequence[str], *, view: int) -> NDArray[np.float32]:
        """Gather rows.

        Args:
            key: What determines the rows.
            hashes: N item hashes, all of them stored.
            view: Which of the key's views.

        Returns:
            (N, ...) values in the order of the hashes.

        Raises:
            StoreError: A row is not there, or its shard is damaged.
        """
        index = self._index(key)
        gathered: NDArray[np.float32] | None = None
        for shard, (wanted, rows) in _by_shard(index, hashes, key).items():
            values = index.rows(shard)
            if gathered is None:
                gathered = np.empty((len(hashes), *values.shape[2:]), dtype=np.float32)
            gathered[wanted] = values[rows, view]
        return np.empty((0, 0), dtype=np.float32) if gathered is None else gathered

    def append(self, key: Key, hashes: Sequence[str], rows: NDArray[Any]) -> None:
        """Store rows as one new shard; all of them or none.

        Args:
            key: What determines the rows.
            hashes: N item hashes.
            rows: (N, views, ...) values.

        Raises:
            StoreError: The disk is full or not writable, or these rows alone exceed the limit.
        """
        rows = np.ascontiguousarray(rows)
        self._append(key, describe_rows(hashes, rows), [rows.data], size=rows.nbytes)

    def append_ragged(self, key: Key, hashes: Sequence[str], items: Sequence[Pieces]) -> None:
        """Store rows that differ in length as one new shard; all of them or none.

        Args:
            key: What determines the rows.
            hashes: N item hashes.
            items: For every item its pieces (the windows of a text; one piece for an image), each (t, ...) of one type
                and with the same axes after the first.

        Raises:
            StoreError: The disk is full or not writable, or these rows alone exceed the limit.
        """
        whole = [[np.ascontiguousarray(piece) for piece in item] for item in items]
        content = [piece.data for item in whole for piece in item]
        self._append(key, describe_pieces(hashes, whole), content, size=sum(part.nbytes for part in content))

    def read_ragged(self, key: Key, hashes: Sequence[str]) -> list[tuple[NDArray[Any], ...]]:
        """Find rows that differ in length, without copying them.

        Args:
            key: What determines the rows.
            hashes: N item hashes, all of them stored.

        Returns:
            The pieces of every item, in the order of the hashes, as read-only views of the mapped files. They stay
            valid when the rows are evicted. Equal hashes share one tuple.

        Raises:
            StoreError: A row is not there, or its shard is damaged.
        """
        index = self._index(key)
        found: dict[str, tuple[NDArray[Any], ...]] = {}
        for item in hashes:
            if item not in found:
                found[item] = index.pieces(*_place(index, item, key))
        return [found[item] for item in hashes]

    def room(self, key: Key) -> int:
        """Tell how much more can be stored under a key.

        Args:
            key: It is never evicted for its own rows.

        Returns:
            Bytes, counting what the least recently used keys would give up, and no more than the disk has.
        """
        sizes = self._sizes()
        total, kept = sum(sizes.values()), sum(sizes.values()) - sum(sizes[name] for name in self._idle(key, sizes))
        free = disk_usage(next(folder for folder in (self.root, *self.root.parents) if folder.exists())).free
        within = self.limit - kept
        return max(0, within if total + free >= self.limit else min(within, free))

    def shelves(self) -> list[Shelf]:
        """List what is stored, most recently used first."""
        return sorted((_shelf(folder) for folder in self._folders()), key=lambda shelf: -shelf.last_used)

    def clear(self) -> int:
        """Remove every row; returns the bytes freed."""
        freed = sum(_size(folder) for folder in self._folders())
        if self.root.exists():
            with _writing(self.root):
                rmtree(self.root)
        self._indexes.clear()
        return freed

    def clear_items(self, hashes: Iterable[str]) -> tuple[int, int]:
        """Remove every shard that holds a row of some items, whatever else it holds: that is computed again.

        Args:
            hashes: Item hashes.

        Returns:
            How many rows of these items were removed, and how many of others with them.

        Raises:
            StoreError: A file cannot be read or removed.
        """
        wanted, gone = set(hashes), [0, 0]
        for manifest in sorted(self.root.glob("*/*.json")):
            if manifest.name == "key.json":
                continue
            items = load_manifest(manifest)["items"]
            own = sum(item in wanted for item in items)
            if own:
                with _writing(manifest):
                    manifest.unlink(missing_ok=True)  # first: without it the rows are no shard
                    manifest.with_suffix(".rows").unlink(missing_ok=True)
                gone[0] += own
                gone[1] += len(items) - own
        self._indexes.clear()
        return gone[0], gone[1]

    def clear_damaged(self) -> list[Path]:
        """Remove shards that do not match their checksum, and return their manifests."""
        damaged = []
        for manifest in sorted(self.root.glob("*/*.json")):
            if manifest.name == "key.json":
                continue
            try:
                load_rows(manifest, load_manifest(manifest))
            except StoreError:
                damaged.append(manifest)
                manifest.unlink(missing_ok=True)
                manifest.with_suffix(".rows").unlink(missing_ok=True)
        self._indexes.clear()
        return damaged

    def _folders(self) -> list[Path]:
        return [folder for folder in self.root.glob("*") if folder.is_dir()]

    def _index(self, key: Key) -> Index:
        folder = self.root / key.digest
        if key.digest not in self._indexes:
            self._indexes[key.digest] = Index(folder)
            if folder.is_dir():
                with suppress(OSError):  # a read-only cache can still be read
                    (folder / "used").touch()
                sweep(folder)
        return self._indexes[key.digest]

    def _append(self, key: Key, manifest: Mapping[str, Any], content: "list[memoryview[Any]]", *, size: int) -> None:
        self._make_room(key, size)
        folder = self.root / key.digest
        with _writing(folder):
            folder.mkdir(parents=True, exist_ok=True)
            if not (folder / "key.json").exists():
                write_file(folder / "key.json", [json.dumps(asdict(key), indent=1).encode()])
            path = write_shard(folder, manifest, content)
            (folder / "used").touch()
        self._index(key).add(path, manifest)

    def _sizes(self) -> dict[str, int]:
        return {folder.name: _size(folder) for folder in self._folders()}

    def _idle(self, key: Key, names: Iterable[str]) -> list[str]:
        """Return what may be evicted for rows of a key, least recently used first."""
        ages = {name: time.time() - _last_used(self.root / name) for name in names if name != key.digest}
        return sorted((name for name in ages if ages[name] > IN_USE_SECONDS), key=lambda name: -ages[name])

    def _make_room(self, key: Key, incoming: int) -> None:
        """Evict least recently used keys until the incoming rows fit; nothing where they cannot."""
        sizes = self._sizes()
        excess = sum(sizes.values()) + incoming - self.limit
        if excess <= 0:
            return
        idle = self._idle(key, sizes)
        if excess > sum(sizes[name] for name in idle):
            raise StoreError(
                f"the store may hold {_megabytes(self.limit)} and {_megabytes(self.limit + excess)} are needed",
                where=str(self.root),
                fix="Run `headstart cache clear`, or raise HEADSTART_CACHE_LIMIT.",
            )
        for name in idle:
            if excess > 0:
                rmtree(self.root / name, ignore_errors=True)
                self._indexes.pop(name, None)
                excess -= sizes[name]


def _by_shard(index: Index, hashes: Sequence[str], key: Key) -> dict[Path, tuple[list[int], list[int]]]:
    grouped: dict[Path, tuple[list[int], list[int]]] = {}
    for position, item in enumerate(hashes):
        shard, row = _place(index, item, key)
        wanted, rows = grouped.setdefault(shard, ([], []))
        wanted.append(position)
        rows.append(row)
    return grouped


def _place(index: Index, item: str, key: Key) -> tuple[Path, int]:
    if item not in index.place:
        raise StoreError(f"no row is stored for item {item[:12]}", where=f"{key.backbone} ({key.cut})")
    return index.place[item]


def _writing(folder: Path) -> AbstractContextManager[None]:
    fix = "Free space there, or name another folder with HEADSTART_CACHE."
    return writing("the store", folder, raises=StoreError, fix=fix)


def _size(folder: Path) -> int:
    total = 0
    for path in folder.glob("*"):
        with suppress(OSError):  # another process may have removed it meanwhile
            total += path.stat().st_size
    return total


def _shelf(folder: Path) -> Shelf:
    key: Mapping[str, Any] = {}
    with suppress(OSError, ValueError):
        key = json.loads((folder / "key.json").read_bytes())
    rows = 0
    for manifest in folder.glob("*.json"):
        if manifest.name != "key.json":
            with suppress(StoreError):
                rows += len(load_manifest(manifest)["items"])
    return Shelf(
        digest=folder.name,
        backbone=str(key.get("backbone", "unknown")),
        cut=str(key.get("cut", "unknown")),
        rows=rows,
        megabytes=_size(folder) / 2**20,
        last_used=_last_used(folder),
    )


def _last_used(folder: Path) -> float:
    for path in (folder / "used", folder):
        with suppress(OSError):
            return path.stat().st_mtime
    return 0.0


def _megabytes(size: int) -> str:
    return f"{size / 2**20:,.1f} MB"
