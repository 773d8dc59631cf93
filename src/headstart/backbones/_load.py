"""From a name, a folder or a saved recipe to a backbone."""

from collections.abc import Mapping
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from headstart.backbones import _starter
from headstart.backbones._base import Backbone
from headstart.backbones._catalogue import Candidate, catalogue, find, pinned
from headstart.backbones._folder import Recipe, check_fit, layout, stated_licence
from headstart.backbones._frames import frame_backbone
from headstart.backbones._hashes import check_sha256
from headstart.backbones._names import Address, parse_name
from headstart.backbones._packs import added_folder
from headstart.backbones._pictures import plain, seeing
from headstart.backbones._words import word_backbone
from headstart.data import Modality
from headstart.errors import BackboneError

# Imported when needed: one family's library is enough to use it.
Family = Any  # a module of this package with `read` (from a folder) and `build`
FAMILIES = {
    "timm": "headstart.backbones._timm",
    "torchvision": "headstart.backbones._torchvision",
    "transformers": "headstart.backbones._transformers",
    "whisper": "headstart.backbones._transformers_sounds",
    "wav2vec2-bert": "headstart.backbones._transformers_conformer",
    "wav2vec2": "headstart.backbones._transformers_waves",
    "ast": "headstart.backbones._transformers_patches",
    "yamnet": "headstart.backbones._yamnet",
    "toy": "headstart.backbones._toy",
}
READERS = {**FAMILIES, "headstart": "headstart.backbones._written"}  # by the layout of the folder


def load(name: str, *, offline: bool = False) -> Backbone:
    """Load a pretrained network with its preprocessing and cut points.

    Args:
        name: ``timm:ARCH.TAG``, ``hf:org/model@revision``, ``dir:PATH``, ``starter:NAME`` or
            ``toy:image|text|audio``; with ``#CUT`` behind it, as `Backbone.truncated` names it, the network cut off
            after that block.
        offline: Open no connection; hub names must be in the local cache.

    Returns:
        The backbone, on the CPU, in evaluation mode, in float32.

    Raises:
        BackboneError: The name is ambiguous or unknown, or its files are missing, unsafe, damaged or do not fit.
        MissingExtraError: A starter's package is not installed.
    """
    address = parse_name(name)
    if address.scheme == "toy":
        recipe = _family("toy").recipe(address.target)
    else:
        folder = _folder(address, offline=offline)
        with torch.random.fork_rng(devices=[]):
            recipe = import_module(READERS[layout(folder)]).read(folder)
    if address.after is None:
        return _build(recipe, name)
    short = _build(recipe, name.removesuffix(f"#{address.after}")).truncated(address.after)
    return replace(short, name=name)  # after the last block it is the whole network, which has another name


def rebuild(
    source: Mapping[str, Any], assets: Mapping[str, bytes], state: Mapping[str, Tensor], *, name: str = "rebuilt"
) -> Backbone:
    """Build a backbone again from what `Backbone` carries, with no network and no files.

    Args:
        source: `Backbone.source`.
        assets: `Backbone.assets`.
        state: ``Backbone.network.state_dict()``.
        name: What to call it in reports.

    Returns:
        A backbone with identical outputs.

    Raises:
        BackboneError: It was made from the user's own modules, or by a newer version.
    """
    return _build(Recipe(source, assets, state), name)


def candidates(modality: Modality, *, offline: bool = True) -> list[Candidate]:
    """List the backbones to try when none is named.

    Args:
        modality: What the items are.
        offline: Leave out those that would have to be downloaded.

    Returns:
        The catalogue's default candidates that can be loaded: starters whose files are here and, unless offline, those
        on the hub that are larger.
    """
    defaults = [known for known in catalogue() if known.default and known.modality == modality]
    here = [
        known for known in defaults if known.source == "package" and _starter.installed(parse_name(known.name).target)
    ]
    if offline:
        return here
    size = max((known.megabytes or 0 for known in here), default=0)
    return [*here, *(known for known in defaults if known.source == "hub" and (known.megabytes or 0) > size)]


def licence_of(name: str) -> str | None:
    """Return the licence of an address's weights, from the catalogue or from its folder on this machine.

    Args:
        name: As for `load`.

    Returns:
        The licence; None where neither says.

    Raises:
        BackboneError: The name is unknown, or a file of the folder is not a JSON object.
    """
    address = parse_name(name)
    if address.scheme == "dir":
        return stated_licence(Path(address.target).expanduser())
    known = find(address.name)
    return None if known is None else known.licence


def known_licence(name: str) -> str | None:
    """Return what `licence_of` does; None also of what has no address, such as a network of the user's own."""
    try:
        return licence_of(name)
    except BackboneError:
        return None


def card_of(name: str) -> Path:
    """Find the card of a starter backbone.

    Args:
        name: ``starter:NAME``.

    Returns:
        A Markdown file that says what it was pretrained on, how good it is and where it should not be used.

    Raises:
        BackboneError: There is no such starter, or the backbone is no starter.
    """
    address = parse_name(name)
    if address.scheme != "starter":
        fix = "The card of a hub network is on its page; that of a folder, if any, lies in it."
        raise BackboneError("only starters come with a card", where=name, fix=fix)
    return _starter.card(address.target)


def locate(name: str, *, offline: bool = False) -> Path:
    """Find the folder a pretrained network is read from, fetching it if need be.

    Args:
        name: As for `load`.
        offline: Open no connection.

    Returns:
        The folder.

    Raises:
        BackboneError: The name is unknown or its files are not there, or it has no folder.
    """
    address = parse_name(name)
    if address.scheme == "toy":
        raise BackboneError("toy backbones are made by code and have no folder", where=name)
    folder = _folder(address, offline=offline)
    layout(folder)
    return folder


def _family(library: str) -> Family:
    return import_module(FAMILIES[library])


def _folder(address: Address, *, offline: bool) -> Path:
    if address.scheme == "dir":
        return Path(address.target).expanduser()
    if address.scheme == "starter":
        return _starter.locate(address.target)
    folder = _hub_folder(address, offline=offline)
    # At every load: a note that the file was once right could be written by whoever changes the file.
    if expected := pinned(address.name):
        fix = "If you trust this file, load its folder with dir:."
        check_sha256(folder / "model.safetensors", expected, fix=fix)
    return folder


def _hub_folder(address: Address, *, offline: bool) -> Path:
    added = added_folder(address.name)
    if added.is_dir():
        return added
    from headstart.backbones._hub import fetch  # only hub names need the hub's library

    if address.scheme == "timm":
        return fetch(f"timm/{_family('timm').check_name(address.target)}", offline=offline)
    return fetch(address.target, revision=address.revision, offline=offline)


def _build(recipe: Recipe, name: str) -> Backbone:
    library = recipe.source.get("library")
    if library == "module":
        raise BackboneError(
            "this backbone was made from your own modules, whose code is not saved",
            where=name,
            fix="Make it again with Backbone.from_module and pass it: headstart.load(folder, backbone=...).",
        )
    if library not in FAMILIES:
        known = ", ".join(FAMILIES)
        raise BackboneError(f"expected a library among {known}, found {library!r}", where=name, fix="Update headstart.")
    # What still draws random numbers while a network is created must not shift the caller's.
    with torch.random.fork_rng(devices=[]):
        first = plain(recipe)
        backbone: Backbone = _family(str(library)).build(first, name)
        if "after" in recipe.source:
            backbone = replace(backbone.truncated(recipe.source["after"]), name=name)
            check_fit(backbone.network, first.state, where=name)
        backbone = seeing(backbone, recipe)
        if "words" in recipe.source:
            backbone = word_backbone(backbone, recipe.source["words"])
        if "frames" in recipe.source:
            backbone = frame_backbone(backbone, recipe.source["frames"])
    linear = recipe.head is not None and recipe.head.weight.shape[1] == backbone.num_features
    notes = tuple(dict.fromkeys((*recipe.notes, *backbone.notes)))  # what was written once comes with its notes
    return replace(backbone, notes=notes, source_head=recipe.head if linear else None)
