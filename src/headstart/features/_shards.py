"""The files of the activation store: shards of rows, each with a manifest, whole or absent.

Two kinds. A *fixed* shard holds N rows of one shape. A *ragged* shard holds, for every item, one or several pieces (the
windows of a text) that differ in length: all pieces lie one after the other along the first axis, and the manifest
carries their lengths item by item. Its format number is another, so that a reader that knows only fixed shards refuses.
"""

import hashlib
import json
import os
import time
import uuid
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from itertools import accumulate, pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from headstart.errors import StoreError

FORMAT = 1
RAGGED_FORMAT = 2
ORPHAN_SECONDS = 24 * 3600.0

Pieces = Sequence[NDArray[Any]]  # one item: (t_j, ...) arrays that differ in t_j only


class Index:
    """Where the rows of one key are; reads manifests once and maps shards on demand.

    Args:
        folder: The key's folder; it need not exist yet.
    """

    def __init__(self, folder: Path) -> None:
        self.place: dict[str, tuple[Path, int]] = {}
        self._manifests: dict[Path, Mapping[str, Any]] = {}
        self._mapped: dict[Path, NDArray[Any]] = {}
        self._bounds: dict[Path, list[int]] = {}
        for manifest in sorted(folder.glob("*.json")):
            if manifest.name != "key.json":
                self.add(manifest, load_manifest(manifest))

    def add(self, path: Path, manifest: Mapping[str, Any]) -> None:
        """Take in one shard; an item that is already known stays where it is."""
        self._manifests[path] = manifest
        for row, item in enumerate(manifest["items"]):
            self.place.setdefault(item, (path, row))

    def rows(self, shard: Path) -> NDArray[Any]:
        """Map a fixed shard: (N, views, ...)."""
        if "lengths" in self._manifests[shard]:
            raise StoreError("expected rows of one shape, found rows of several lengths", where=str(shard))
        return self._values(shard)

    def pieces(self, shard: Path, row: int) -> tuple[NDArray[Any], ...]:
        """Return the pieces of one item as views of the mapped shard; a fixed row is one piece."""
        values, lengths = self._values(shard), self._manifests[shard].get("lengths")
        if lengths is None:
            return (values[row],)
        if shard not in self._bounds:
            self._bounds[shard] = list(accumulate((sum(each) for each in lengths), initial=0))
        ends = list(accumulate(lengths[row], initial=self._bounds[shard][row]))
        return tuple(values[start:end] for start, end in pairwise(ends))

    def _values(self, shard: Path) -> NDArray[Any]:
        if shard not in self._mapped:
            self._mapped[shard] = load_rows(shard, self._manifests[shard])
        return self._mapped[shard]


def describe_rows(hashes: Sequence[str], rows: NDArray[Any]) -> dict[str, Any]:
    """Make the manifest of a fixed shard."""
    return {
        "format": FORMAT,
        "dtype": rows.dtype.newbyteorder("<").str,
        "shape": list(rows.shape),
        "sha256": hashlib.sha256(rows.data).hexdigest(),
        "items": list(hashes),
    }


def describe_pieces(hashes: Sequence[str], items: Sequence[Pieces]) -> dict[str, Any]:
    """Make the manifest of a ragged shard."""
    lengths = [[len(piece) for piece in item] for item in items]
    first, digest = items[0][0], hashlib.sha256()
    for item in items:
        for piece in item:
            digest.update(piece.data)
    return {
        "format": RAGGED_FORMAT,
        "dtype": first.dtype.newbyteorder("<").str,
        "shape": [sum(map(sum, lengths)), *first.shape[1:]],
        "sha256": digest.hexdigest(),
        "items": list(hashes),
        "lengths": lengths,
    }


def write_shard(folder: Path, manifest: Mapping[str, Any], content: Iterable["bytes | memoryview[Any]"]) -> Path:
    """Write the rows, then the manifest that makes them a shard.

    Args:
        folder: The key's folder.
        manifest: What `describe_rows` or `describe_pieces` returned.
        content: The rows, in order.

    Returns:
        The path of the manifest.
    """
    stem = f"{time.time_ns():x}-{uuid.uuid4().hex[:8]}"
    write_file(folder / f"{stem}.rows", content)
    try:
        write_file(folder / f"{stem}.json", [json.dumps(manifest).encode()])
    except BaseException:  # rows without a manifest are nothing but lost space
        (folder / f"{stem}.rows").unlink(missing_ok=True)
        raise
    return folder / f"{stem}.json"


def write_file(path: Path, content: Iterable["bytes | memoryview[Any]"]) -> None:
    """Write a file so that it is whole or absent."""
    partial = path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}.tmp")
    try:
        with partial.open("wb") as file:
            for part in content:
                file.write(part)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise


def load_manifest(path: Path) -> Mapping[str, Any]:
    """Read a shard's manifest and check its fields.

    Args:
        path: The manifest.

    Returns:
        Its content.

    Raises:
        StoreError: It cannot be read, or is of another format.
    """
    try:
        manifest = json.loads(path.read_bytes())
        fits = _fits(manifest)
        np.dtype(manifest["dtype"])
    except (OSError, ValueError, KeyError, TypeError, IndexError) as error:
        raise _damaged(path, f"its manifest cannot be read ({type(error).__name__})") from error
    if not fits:
        raise _damaged(path, "its manifest does not fit its format")
    return manifest  # type: ignore[no-any-return]  # json returns Any; the fields were checked above


def _fits(manifest: Mapping[str, Any]) -> bool:
    items, shape = manifest["items"], manifest["shape"]
    if manifest["format"] == RAGGED_FORMAT:
        lengths = manifest["lengths"]
        whole = all(isinstance(n, int) and n >= 0 for each in lengths for n in each)
        return bool(whole and len(lengths) == len(items) and sum(map(sum, lengths)) == shape[0])
    return bool(manifest["format"] == FORMAT and len(items) == shape[0] and len(shape) >= 2)


def load_rows(path: Path, manifest: Mapping[str, Any]) -> NDArray[Any]:
    """Map a shard's rows after checking them.

    Args:
        path: Its manifest's path.
        manifest: What `load_manifest` returned.

    Returns:
        A read-only view of the file, in the manifest's shape.

    Raises:
        StoreError: The file is missing, or not of the length or content the manifest states.
    """
    rows = path.with_suffix(".rows")
    shape, dtype = tuple(manifest["shape"]), np.dtype(manifest["dtype"])
    expected = int(np.prod(shape)) * dtype.itemsize
    if not rows.exists() or rows.stat().st_size != expected:
        found = rows.stat().st_size if rows.exists() else "no file"
        raise _damaged(rows, f"expected {expected} bytes, found {found}")
    with rows.open("rb") as file:
        if hashlib.file_digest(file, "sha256").hexdigest() != manifest["sha256"]:
            raise _damaged(rows, "its content does not match its SHA-256")
    if not expected:
        return np.empty(shape, dtype)
    # A plain array over the mapping: slices of np.memmap itself are ten times as slow to make.
    return np.asarray(np.memmap(rows, dtype=dtype, mode="r", shape=shape))


def _damaged(path: Path, problem: str) -> StoreError:
    return StoreError(
        f"a stored shard is damaged: {problem}",
        where=str(path),
        fix="Run `headstart cache clear --damaged`; the rows are then computed again.",
    )


def sweep(folder: Path) -> None:
    """Remove what a killed process left: unfinished files, and rows whose manifest never came."""
    for path in [*folder.glob(".*.tmp"), *folder.glob("*.rows")]:
        orphan = path.suffix == ".tmp" or not path.with_suffix(".json").exists()
        with suppress(OSError):
            if orphan and time.time() - path.stat().st_mtime > ORPHAN_SECONDS:
                path.unlink()
