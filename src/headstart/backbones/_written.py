"""Headstart's own layout of a folder: any backbone that can be built again, to be read back with ``dir:``.

Files::

    backbone.json       format version, how to build the network, notes, licence, and the SHA-256 of every other file
    model.safetensors   the weights, by the names the network gives them
    assets/*            what the preprocessing needs (a tokenizer)

What is read may come from a stranger. The description says which known architecture to build, never code or an address;
it is checked here for its form, and by the family it names for its content.
"""

import json
from collections.abc import Callable, Mapping
from math import inf
from pathlib import Path, PurePosixPath
from typing import Any, Final

from headstart.backbones._base import Backbone
from headstart.backbones._catalogue import find
from headstart.backbones._folder import RECORD, Recipe, read_json
from headstart.backbones._hashes import check_sha256
from headstart.backbones._load import rebuild
from headstart.backbones._tensors import read_tensors, write_tensors
from headstart.data import PixelScale, hash_item
from headstart.engine import whole_or_absent
from headstart.errors import BackboneError, DataError

FORMAT: Final = 1
WEIGHTS: Final = "model.safetensors"
ASSETS: Final = "assets"


def _kind(*kinds: type) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, kinds)


def _among(*values: str) -> Callable[[Any], bool]:
    return lambda value: value in values


def _positive(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 < value < inf


def _three(value: object) -> bool:
    return isinstance(value, list) and len(value) == 3 and all(isinstance(each, int | float) for each in value)


def _scale(value: object) -> bool:
    try:
        return isinstance(value, dict) and bool(PixelScale.from_dict(value))
    except DataError:
        return False


# What must be there, and how it must look; a table inside holds nothing else.
Form = Mapping[str, Any]  # rules, or tables of them
RECORDED: Final[Form] = {"source": _kind(dict), "files": _kind(dict), "notes": _kind(list)}
PICTURES: Final[Form] = {
    **dict.fromkeys(("input_size", "mean", "std"), _three),
    "interpolation": _kind(str),
    "crop_pct": _kind(int, float),
}
SOURCES: Final[Mapping[str, Form]] = {
    "timm": {
        "architecture": _kind(str),
        "model_args": _kind(dict),
        "preprocessing": {**PICTURES, "crop_mode": _kind(str)},
    },
    "torchvision": {"architecture": _kind(str), "preprocessing": PICTURES},
    "transformers": {
        "config": _kind(dict),
        "pooling": _among("mean", "cls", "last"),
        "window": _kind(int),
        "lower": _kind(bool),
    },
    "whisper": {
        "config": _kind(dict),
        "sound": dict.fromkeys(("rate", "bands", "hop", "fft"), _kind(int)),
        "pad": _among("none", "window"),
    },
    "wav2vec2-bert": {
        "config": _kind(dict),
        "sound": dict.fromkeys(("rate", "bands", "stride"), _kind(int)),
        "window": _kind(int),
    },
    "wav2vec2": {
        "kind": _among("wav2vec2", "hubert", "wavlm"),
        "config": _kind(dict),
        "sound": {"rate": _kind(int), "normalize": _kind(bool)},
        "window": _kind(int),
    },
    "ast": {
        "config": _kind(dict),
        "sound": {
            **dict.fromkeys(("rate", "bands", "most"), _kind(int)),
            **dict.fromkeys(("mean", "std"), _kind(int, float)),
            "normalize": _kind(bool),
        },
    },
    "toy": {"name": _among("image", "text", "audio")},
}
# Where items have several rows, how a Conformer hears silence, and how pixels become black to white.
MAYBE: Final[Form] = {
    "words": _among("first", "mean"),
    "frames": _positive,
    "quiet": dict.fromkeys(("floor", "spread"), _positive),
    "pixels": _scale,
}
NEEDED: Final[Mapping[str, tuple[str, ...]]] = {"transformers": (f"{ASSETS}/tokenizer.json",)}


def write_folder(backbone: Backbone, folder: str | Path, *, licence: str | None = None) -> None:
    """Write a backbone as a folder that ``load("dir:FOLDER")`` reads back: same outputs, same weights.

    Args:
        backbone: Any that was loaded, with its weights as they are now; also a truncated one.
        folder: The folder to make; it is there whole or not at all.
        licence: Licence of the weights; where None, what the catalogue says of the backbone's name.

    Raises:
        BackboneError: The folder exists or cannot be written, or the backbone cannot be built again from what a folder
            holds: one made from modules of your own, with adapters, or augmented.
    """
    folder = Path(folder)
    if folder.exists():
        raise BackboneError("the folder exists", where=str(folder), fix="Choose another.")
    _check_rebuildable(backbone)
    known = find(backbone.name)
    with whole_or_absent(folder, "the backbone", raises=BackboneError) as partial:
        write_tensors(partial / WEIGHTS, backbone.network.state_dict())
        for name, content in backbone.assets.items():
            path = partial / ASSETS / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        written = sorted(path for path in partial.rglob("*") if path.is_file())
        record = {
            "format": FORMAT,
            "source": dict(backbone.source),
            "notes": list(backbone.notes),
            "licence": licence or (None if known is None else known.licence),
            "files": {path.relative_to(partial).as_posix(): hash_item(path) for path in written},
        }
        (partial / RECORD).write_text(json.dumps(record, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def read(folder: Path) -> Recipe:
    """Read a folder in Headstart's own layout.

    Args:
        folder: What `write_folder` made.

    Returns:
        What the family needs to build it.

    Raises:
        BackboneError: A file is missing, damaged or of an unknown form.
    """
    path = folder / RECORD
    record = read_json(path)
    if record.get("format") != FORMAT:
        problem = f"expected format {FORMAT}, found {record.get('format')!r}"
        raise BackboneError(problem, where=str(path), fix="Update headstart, or write the folder again.")
    _check_form(record, RECORDED, path)
    source, files, library = record["source"], record["files"], str(record["source"].get("library"))
    # An unknown library is refused when it is built.
    more = {name: rule for name, rule in MAYBE.items() if name in source}
    _check_form(source, {"library": _kind(str), **SOURCES.get(library, {}), **more}, path, "source.")
    _check_files(folder, files, needed=(WEIGHTS, *NEEDED.get(library, ())))
    assets = {name.removeprefix(f"{ASSETS}/"): (folder / name).read_bytes() for name in files if name != WEIGHTS}
    return Recipe(source, assets, read_tensors(folder / WEIGHTS), tuple(map(str, record["notes"])))


def _check_rebuildable(backbone: Backbone) -> None:
    """Build it once: what could not be read back is not written."""
    if backbone.source["library"] == "module":
        raise BackboneError(
            "this backbone was made from your own modules, whose code no folder holds",
            where=backbone.name,
            fix="Keep the code that makes it, and its weights: "
            "headstart.backbones.write_tensors(PATH, backbone.network.state_dict()).",
        )
    fix = "Write the backbone it was made from; of one with adapters, the merged one."
    try:
        again = rebuild(backbone.source, backbone.assets, backbone.network.state_dict(), name=backbone.name)
    except BackboneError as error:
        problem = f"it cannot be built again from its description: {error.problem}"
        raise BackboneError(problem, where=backbone.name, fix=fix) from error
    if again.preprocessing_hash != backbone.preprocessing_hash:
        problem = "its items are prepared in a way that its description does not tell, such as augmentation"
        raise BackboneError(problem, where=backbone.name, fix=fix)


def _check_form(found: Mapping[str, Any], form: Form, path: Path, inside: str = "") -> None:
    """Check that every part that is needed is there and looks as it must."""
    for name, rule in form.items():
        value = found.get(name)
        table = isinstance(rule, Mapping)
        if not (isinstance(value, dict) if table else rule(value)):
            raise _damaged(path, f"{inside}{name} is {'missing' if value is None else repr(value)[:60]}")
        if table:
            _check_form(found[name], rule, path, f"{inside}{name}.")
            extra = sorted(set(found[name]) - set(rule))
            if extra:
                raise _damaged(path, f"{inside}{name}.{extra[0]} is unknown")


def _check_files(folder: Path, files: Mapping[str, Any], *, needed: tuple[str, ...]) -> None:
    missing = [name for name in needed if name not in files]
    if missing:
        raise _damaged(folder / RECORD, f"files.{missing[0]} is missing")
    for name, expected in files.items():
        parts = PurePosixPath(name).parts
        outside = ".." in parts or "\\" in name
        if outside or not (name == WEIGHTS or parts[:1] == (ASSETS,)):
            raise _damaged(folder / RECORD, f"it names a file that is no part of it, {name!r}")
        check_sha256(folder / name, str(expected), fix="Copy the folder again, whole, or write it again.")


def _damaged(path: Path, problem: str) -> BackboneError:
    fix = "Copy the folder again, whole, or write it again with headstart.backbones.write_folder."
    return BackboneError(f"not a description of a backbone: {problem}", where=str(path), fix=fix)
