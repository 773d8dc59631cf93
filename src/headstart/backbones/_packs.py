"""Carrying a pretrained network to a machine without a network: pack it into a folder here, add that folder there.

A pack is the folder the backbone is read from plus ``headstart-pack.json``, which names the backbone and the SHA-256 of
every file and is written last. An added backbone is found under its own name before any cache or hub is asked.
"""

import hashlib
import json
import shutil
import uuid
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import Any

from headstart.backbones._names import parse_name
from headstart.data import hash_item
from headstart.engine import cache_folder
from headstart.errors import BackboneError, writing

FORMAT = 1
PACK = "headstart-pack.json"
KINDS = (".json", ".safetensors", ".txt", ".model")
CARDS = ("LICENSE", "README.md")


def write_pack(name: str, source: Path, target: Path) -> list[str]:
    """Copy a backbone's folder with its hashes.

    Args:
        name: Its address, such as ``hf:org/model``.
        source: The folder it is read from.
        target: The folder to make.

    Returns:
        The files packed.

    Raises:
        BackboneError: The target exists, or the network does not come from the hub.
    """
    address = parse_name(name)
    if address.scheme not in ("hf", "timm"):
        raise BackboneError(
            "only hub networks (hf:, timm:) are packed",
            where=name,
            fix="Copy the folder of a dir: network as it is; a starter comes with its package.",
        )
    if target.exists():
        raise BackboneError("the folder exists", where=str(target), fix="Choose another -o.")
    kept = sorted(p for p in source.rglob("*") if p.is_file() and (p.suffix in KINDS or p.name in CARDS))
    files = [path.relative_to(source).as_posix() for path in kept]
    with whole_or_absent(target, "the pack") as partial:
        _copy(files, source, partial)
        hashes = {inside: hash_item(partial / inside) for inside in files}
        (partial / PACK).write_text(
            json.dumps({"format": FORMAT, "name": address.name, "files": hashes}, indent=1), "utf-8"
        )
    return files


def add_pack(folder: Path) -> str:
    """Take a pack into this machine's cache, after checking every file.

    Args:
        folder: What `write_pack` made.

    Returns:
        The backbone's address, under which it is found from now on.

    Raises:
        BackboneError: It is no pack, or a file is missing or changed.
    """
    pack = _read(folder)
    name = str(pack["name"])
    parse_name(name)
    target = added_folder(name)
    for inside, expected in pack["files"].items():
        _check(folder, inside, expected)
    with whole_or_absent(target, "the pack") as partial:
        _copy(pack["files"], folder, partial)
    return name


def added_folder(name: str) -> Path:
    """Return where an added backbone lies, whether or not it has been added."""
    slug = "".join(letter if letter.isalnum() or letter in "-._" else "-" for letter in name)
    return cache_folder() / "models" / f"{slug}-{hashlib.sha256(name.encode()).hexdigest()[:8]}"


@contextmanager
def whole_or_absent(target: Path, what: str) -> Iterator[Path]:
    """Give a folder to fill, which takes the target's name and place at the end, or vanishes.

    Args:
        target: The folder to make, or to replace.
        what: What is being written, for an error.

    Yields:
        The folder to fill.

    Raises:
        BackboneError: The disk is full or not writable.
    """
    partial = target.with_name(f"{target.name}.{uuid.uuid4().hex[:8]}.partial")
    with writing(what, target, raises=BackboneError, fix="Free space there, or choose another place."):
        try:
            partial.mkdir(parents=True)
            yield partial
            shutil.rmtree(target, ignore_errors=True)
            partial.rename(target)
        finally:
            shutil.rmtree(partial, ignore_errors=True)


def _copy(files: Iterable[str], source: Path, target: Path) -> None:
    for inside in files:
        (target / inside).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source / inside, target / inside)


def _read(folder: Path) -> Mapping[str, Any]:
    try:
        pack = json.loads((folder / PACK).read_text("utf-8"))
        complete = pack["format"] == FORMAT and isinstance(pack["name"], str) and isinstance(pack["files"], dict)
    except (OSError, ValueError, KeyError, TypeError):
        complete = False
    if not complete:
        raise BackboneError(
            f"expected a folder with a readable {PACK}, found none",
            where=str(folder),
            fix="Make one with: headstart models pack NAME -o FOLDER",
        )
    return pack  # type: ignore[no-any-return]  # json returns Any; the fields were checked above


def _check(folder: Path, inside: str, expected: str) -> None:
    path = PurePosixPath(inside)
    if path.is_absolute() or ".." in path.parts:
        raise BackboneError(f"the pack names a file outside its folder, {inside!r}", where=str(folder / PACK))
    if not (folder / inside).is_file() or hash_item(folder / inside) != expected:
        raise BackboneError(
            "the file is missing or does not match its SHA-256", where=str(folder / inside), fix="Copy the pack again."
        )
