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
from headstart.backbones._catalogue import Candidate, catalogue
from headstart.backbones._folder import Recipe, layout
from headstart.backbones._names import Address, parse_name
from headstart.backbones._packs import added_folder
from headstart.data import Modality
from headstart.errors import BackboneError

# Imported when needed: one family's library is enough to use it.
Family = Any  # a module of this package with `read` (from a folder) and `build`
FAMILIES = {
    "timm": "headstart.backbones._timm",
    "torchvision": "headstart.backbones._torchvision",
    "transformers": "headstart.backbones._transformers",
    "toy": "headstart.backbones._toy",
}


def load(name: str, *, offline: bool = False) -> Backbone:
    """Load a pretrained network with its preprocessing and cut points.

    Args:
        name: ``timm:ARCH.TAG``, ``hf:org/model@revision``, ``dir:PATH``, ``starter:NAME`` or ``toy:image|text``.
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
            recipe = _family(layout(folder)).read(folder)
    return _build(recipe, name)


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
        The catalogue's default candidates that can be loaded: packages that are installed and, unless offline, those
        on the hub where no package serves the modality.
    """
    defaults = [known for known in catalogue() if known.default and known.modality == modality]
    here = [
        known for known in defaults if known.source == "package" and _starter.installed(parse_name(known.name).target)
    ]
    return here if here or offline else [known for known in defaults if known.source == "hub"]


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
        backbone: Backbone = _family(str(library)).build(recipe, name)
    return replace(backbone, notes=(*recipe.notes, *backbone.notes))
