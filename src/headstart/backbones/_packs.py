"""Carrying pretrained networks to a machine without a network: pack them into one file here, add that file there.

A pack is a zip archive (see `_archive`). Its first entry, ``headstart-pack.json``, names the networks, their licences,
and size and SHA-256 of every file; the folder each is read from follows, with the licence's text where there is one. An
added network is found under its own name before any cache or hub is asked. Packs used to be folders of one network
each, with the same record; they are still read.
"""

import hashlib
import json
import shutil
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, Final, final

from headstart.backbones._archive import Archive, Limits, check_apart, check_inside, open_archive, write_archive
from headstart.backbones._catalogue import find
from headstart.backbones._folder import stated_licence
from headstart.backbones._names import parse_name
from headstart.data import hash_item
from headstart.engine import cache_folder, whole_or_absent
from headstart.errors import BackboneError, writing

FORMAT: Final = 2  # 1 is a folder of one network
PACK: Final = "headstart-pack.json"
KINDS: Final = (".json", ".safetensors", ".txt", ".model")
CARDS: Final = ("LICENSE", "LICENCE", "COPYING", "NOTICE", "README")  # whatever follows: .md, .txt, -MIT
RECORD_BYTES: Final = 16 << 20
USUAL: Final = Limits()


@final
@dataclass(frozen=True)
class Packed:
    """A network in a pack.

    Attributes:
        name: Its address, such as ``hf:org/model``.
        licence: Of its weights, as the catalogue or its folder states it; None where neither does.
        hashes: SHA-256 of its files, by their names inside its folder.
        sizes: Bytes of each of them.
    """

    name: str
    licence: str | None
    hashes: Mapping[str, str]
    sizes: Mapping[str, int]

    @property
    def megabytes(self) -> float:
        """Of all files together, 10^6 bytes each."""
        return sum(self.sizes.values()) / 1e6

    @property
    def folder(self) -> str:
        """Where its files are in an archive."""
        return f"networks/{_slug(self.name)}"


def write_pack(sources: Mapping[str, Path], target: Path) -> list[Packed]:
    """Write networks into one file; the same networks give the same bytes.

    Args:
        sources: The folder each is read from, by address, such as ``hf:org/model``.
        target: The file to make; it is there whole or not at all.

    Returns:
        What was packed, in order of name.

    Raises:
        BackboneError: The target exists or cannot be written, or a network does not come from the hub.
    """
    if target.exists():
        raise BackboneError("it exists", where=str(target), fix="Choose another -o.")
    folders = {_hub_name(name): folder for name, folder in sources.items()}
    with _whole_file(target) as partial:
        networks = [_packed(name, folders[name]) for name in sorted(folders)]
        record = {"format": FORMAT, "networks": [_to_dict(network) for network in networks]}
        files = [
            (f"{network.folder}/{inside}", folders[network.name] / inside)
            for network in networks
            for inside in network.hashes
        ]
        text = json.dumps(record, indent=1, ensure_ascii=False)
        write_archive(partial, [(PACK, text.encode()), *files])
    return networks


def add_pack(path: Path, *, limits: Limits = USUAL) -> list[Packed]:
    """Take a pack into this machine's cache, all of it or nothing; every file is checked on its way.

    Args:
        path: What `write_pack` made, or a folder that an earlier version did.
        limits: What may be unpacked.

    Returns:
        The networks, which are found under their names from now on.

    Raises:
        BackboneError: It is no pack, a file in it is missing, changed, of a kind that no network needs or outside its
            folder, there is too much, or the cache cannot be written.
    """
    if path.is_dir():
        return [_add_folder(path)]
    if not path.is_file():
        raise BackboneError("there is no such file", where=str(path), fix="Check the name of the pack.")
    with open_archive(path, limits) as archive, ExitStack() as stack:
        networks = _networks(archive, path)
        for network in networks:
            # Each takes its place when all have been unpacked.
            partial = stack.enter_context(whole_or_absent(added_folder(network.name), "the pack", raises=BackboneError))
            for inside, expected in network.hashes.items():
                target = partial / inside
                target.parent.mkdir(parents=True, exist_ok=True)
                archive.unpack(f"{network.folder}/{inside}", target, sha256=expected)
    return networks


def added_folder(name: str) -> Path:
    """Return where an added backbone lies, whether or not it has been added."""
    return cache_folder() / "models" / _slug(name)


def _slug(name: str) -> str:
    slug = "".join(letter if letter.isalnum() or letter in "-._" else "-" for letter in name)
    return f"{slug}-{hashlib.sha256(name.encode()).hexdigest()[:8]}"


@contextmanager
def _whole_file(target: Path) -> Iterator[Path]:
    partial = target.with_name(f"{target.name}.{uuid.uuid4().hex[:8]}.partial")
    with writing("the pack", target, raises=BackboneError, fix="Free space there, or choose another -o."):
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            yield partial
            partial.rename(target)
        finally:
            partial.unlink(missing_ok=True)


def _hub_name(name: str) -> str:
    """Return the name of the whole network; only those of the hub are packed."""
    address = parse_name(name)
    if address.scheme not in ("hf", "timm"):
        raise BackboneError(
            "only hub networks (hf:, timm:) are packed",
            where=name,
            fix="Copy the folder of a dir: network as it is; a starter comes with its package.",
        )
    return address.name


def _packed(name: str, folder: Path) -> Packed:
    found = sorted(path for path in folder.rglob("*") if path.is_file() and _belongs(path.name))
    files = {path.relative_to(folder).as_posix(): path for path in found}
    known = find(name)
    licence = None if known is None else known.licence
    return Packed(
        name,
        licence or stated_licence(folder),
        {inside: hash_item(path) for inside, path in files.items()},
        {inside: path.stat().st_size for inside, path in files.items()},
    )


def _belongs(name: str) -> bool:
    """Say whether a file is one that networks are read from, or says what they are."""
    return name.endswith(KINDS) or name.upper().startswith(CARDS)


def _to_dict(network: Packed) -> dict[str, Any]:
    files = {inside: {"bytes": network.sizes[inside], "sha256": sha256} for inside, sha256 in network.hashes.items()}
    return {"name": network.name, "licence": network.licence, "files": files}


def _networks(archive: Archive, path: Path) -> list[Packed]:
    """Read which networks an archive holds, and check that it holds their files and no others."""
    if not 0 < archive.sizes.get(PACK, 0) <= RECORD_BYTES:
        raise _no_pack(path)
    record = _parsed(archive.read(PACK), path)
    if record.get("format") != FORMAT:
        problem = f"expected a pack of format {FORMAT}, found {str(record.get('format'))[:20]!r}"
        raise BackboneError(problem, where=str(path), fix="Update headstart: pip install -U headstart")
    try:
        networks = [_from_dict(facts) for facts in record["networks"]]
    except (KeyError, TypeError, AttributeError, ValueError, OverflowError) as error:
        raise _no_pack(path) from error
    _check_networks(networks, path)
    named = {f"{network.folder}/{inside}": size for network in networks for inside, size in network.sizes.items()}
    differing = sorted((named.items() ^ archive.sizes.items()) - {(PACK, archive.sizes[PACK])})
    if differing:
        problem = f"its files are not those that {PACK} names, such as {differing[0][0]!r}"
        raise BackboneError(problem, where=str(path), fix="Make the pack again.")
    return networks


def _from_dict(facts: Mapping[str, Any]) -> Packed:
    files, licence = facts["files"], facts["licence"]
    hashes = {str(inside): str(each["sha256"]) for inside, each in files.items()}
    sizes = {str(inside): int(each["bytes"]) for inside, each in files.items()}
    return Packed(str(facts["name"]), None if licence is None else str(licence), hashes, sizes)


def _check_networks(networks: Sequence[Packed], path: Path) -> None:
    names = [network.name for network in networks]
    if not names or any(_hub_name(name) != name for name in names):
        raise _no_pack(path)
    check_apart(names, where=path)
    for network in networks:
        _check_names(network.hashes, path)


def _check_names(files: Mapping[str, str], path: Path) -> None:
    for inside in files:
        check_inside(inside, where=path)
        if not _belongs(PurePosixPath(inside).name):
            problem = f"it holds a file of a kind that no network is read from, {inside!r}"
            raise BackboneError(problem, where=str(path), fix="Add packs from sources you trust only.")
    check_apart(files, where=path)


def _parsed(content: bytes, path: Path) -> Mapping[str, Any]:
    try:
        record = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise _no_pack(path) from error
    if not isinstance(record, dict):
        raise _no_pack(path)
    return record


def _no_pack(path: Path) -> BackboneError:
    return BackboneError(
        f"expected a pack with a readable {PACK}, found none",
        where=str(path),
        fix="Make one with: headstart models pack NAME -o FILE",
    )


def _add_folder(folder: Path) -> Packed:
    """Add a pack of the first format: a folder of one network."""
    record = _parsed((folder / PACK).read_bytes(), folder) if (folder / PACK).is_file() else {}
    name, files = record.get("name"), record.get("files")
    if record.get("format") != 1 or not isinstance(name, str) or not isinstance(files, dict):
        raise _no_pack(folder)
    found = _packed(_hub_name(name), folder)
    _check_names(files, folder / PACK)
    for inside, expected in files.items():
        if found.hashes.get(inside) != expected or (folder / inside).is_symlink():
            problem = "the file is missing or does not match its SHA-256"
            raise BackboneError(problem, where=str(folder / inside), fix="Copy the pack again.")
    with whole_or_absent(added_folder(name), "the pack", raises=BackboneError) as partial:
        for inside in files:
            (partial / inside).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(folder / inside, partial / inside)
    return Packed(name, found.licence, files, {inside: found.sizes[inside] for inside in files})
