"""The model folder: everything prediction needs, without pickle, checked byte by byte when it is loaded.

Files (format 1)::

    manifest.json         format version, and size and SHA-256 of every other file; written last
    weights.safetensors   ``head.*`` and, unless slim, ``backbone.*``
    task.json             classes in the order of the probabilities
    preprocessing.json    how to build the backbone again, its preprocessing, the feature view, the strategy
    evaluation.json       the score, the baselines, what was tried
    data.json             fingerprint, part and group of every item the model has seen
    assets/*              what the preprocessing needs (a tokenizer)

A slim folder leaves the backbone's weights out, names it, and checks its hash when it is loaded.

Changing the format: raise `FORMAT`, keep a reader for every older number in `_READERS`, and add a saved example of the
old one to ``tests/old_models``.
"""

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path, PurePosixPath
from typing import Any, Literal

import numpy as np
import torch

from headstart import backbones
from headstart.backbones import Backbone
from headstart.errors import ArtifactError, BackboneError, writing
from headstart.linear import KNearest, LinearModel
from headstart.model import AdaptedModel, Head
from headstart.tasks import Classification

FORMAT = 1
MANIFEST = "manifest.json"
WEIGHTS = "weights.safetensors"
Contents = Literal["whole", "slim"]


@dataclass(frozen=True, eq=False)
class Artifact:
    """A loaded model folder.

    Attributes:
        folder: Where it lies.
        model: The model, ready to predict.
        evaluation: What was measured when it was made.
        data: Which items it has seen.
    """

    folder: Path
    model: AdaptedModel
    evaluation: Mapping[str, Any]
    data: Mapping[str, Any]


def save(
    model: AdaptedModel,
    folder: Path,
    *,
    evaluation: Mapping[str, Any],
    data: Mapping[str, Any],
    contents: Contents = "whole",
) -> None:
    """Write a model into an existing folder; it is a model folder once the manifest is there.

    Args:
        model: What to save.
        folder: An existing folder.
        evaluation: JSON values for ``evaluation.json``.
        data: JSON values for ``data.json``.
        contents: ``slim`` leaves the backbone's weights out.

    Raises:
        ArtifactError: The disk is full or not writable.
    """
    tensors = _head_tensors(model.head)
    if contents == "whole" and model.backbone.source["library"] != "module":
        state = model.backbone.network.state_dict()
        tensors |= {f"backbone.{name}": tensor for name, tensor in state.items()}
    documents = {
        "task.json": model.task.to_dict(),
        "preprocessing.json": _describe(model, contents),
        "evaluation.json": evaluation,
        "data.json": data,
    }
    fix = "Free space there; the same command goes on from here."
    with writing("the model", folder, raises=ArtifactError, fix=fix):
        backbones.write_tensors(folder / WEIGHTS, tensors)
        for name, values in documents.items():
            _write_json(folder / name, values)
        for name, content in model.backbone.assets.items():
            path = folder / "assets" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        _write_manifest(folder)


def load(folder: str | Path, *, backbone: Backbone | str | None = None, offline: bool = False) -> Artifact:
    """Load a model folder; nothing in it is executed.

    Args:
        folder: The model folder.
        backbone: The backbone of a slim folder, or its address, where it is not the recorded one; or the network that
            was made with `Backbone.from_module`.
        offline: Open no connection to find a slim folder's backbone.

    Returns:
        The model and what was recorded about it.

    Raises:
        ArtifactError: It is no model folder, a file is missing or changed, its version is unknown, or the backbone
            is not the one the head was fitted on.
    """
    folder = Path(folder)
    manifest = _read_manifest(folder)
    reader = _READERS.get(manifest["format"])
    if reader is None:
        raise ArtifactError(
            f"format {manifest['format']} is unknown to headstart {version('headstart')}",
            where=str(folder / MANIFEST),
            fix="Update headstart: pip install -U headstart",
        )
    _check_files(folder, manifest)
    return reader(folder, backbone, offline)


def _read_format_1(folder: Path, backbone: Backbone | str | None, offline: bool) -> Artifact:  # noqa: FBT001  (one private table)
    facts = _read_json(folder / "preprocessing.json")
    tensors = backbones.read_tensors(folder / WEIGHTS)
    network = _backbone(folder, facts, tensors, backbone, offline=offline)
    task = Classification.from_dict(_read_json(folder / "task.json"))
    head = _head(tensors, facts["head"])
    model = AdaptedModel(network, head, task, facts["view"], facts["strategy"])
    return Artifact(folder, model, _read_json(folder / "evaluation.json"), _read_json(folder / "data.json"))


_READERS: dict[int, Callable[[Path, Backbone | str | None, bool], Artifact]] = {1: _read_format_1}


def _describe(model: AdaptedModel, contents: Contents) -> dict[str, Any]:
    backbone = model.backbone
    name = backbone.name
    if contents == "slim" and name.startswith("dir:"):  # loading must not depend on where one stands
        name = f"dir:{Path(name.removeprefix('dir:')).expanduser().resolve()}"
    return {
        "backbone": name,
        "weights_hash": backbone.weights_hash,
        "contents": contents,
        "modality": backbone.modality,
        "source": dict(backbone.source),
        "preprocessing": dict(backbone.preparer.settings),
        "assets": sorted(backbone.assets),
        "num_features": backbone.num_features,
        "view": model.view,
        "head": _head_kind(model.head),
        "strategy": model.strategy,
        "notes": list(backbone.notes),
    }


def _backbone(
    folder: Path,
    facts: Mapping[str, Any],
    tensors: Mapping[str, torch.Tensor],
    given: Backbone | str | None,
    *,
    offline: bool,
) -> Backbone:
    """Rebuild the backbone from the folder, or take the one named or given, and check that it is the right one."""
    state = {name.removeprefix("backbone."): t for name, t in tensors.items() if name.startswith("backbone.")}
    if isinstance(given, Backbone):
        network = given
    elif given is None and state:
        assets = {name: (folder / "assets" / name).read_bytes() for name in facts["assets"]}
        network = backbones.rebuild(facts["source"], assets, state, name=facts["backbone"])
    elif given is None and facts["source"]["library"] == "module":
        raise ArtifactError(
            "its backbone is a network of your own, whose code is not in the folder",
            where=str(folder),
            fix="Load it with headstart.load(folder, backbone=Backbone.from_module(...)).",
        )
    else:
        network = _find(folder, given or facts["backbone"], offline=offline)
    if network.weights_hash != facts["weights_hash"]:
        raise ArtifactError(
            f"expected backbone {facts['backbone']} with weights {facts['weights_hash'][:12]}, "
            f"found {network.name} with {network.weights_hash[:12]}",
            where=str(folder),
            fix="The head only fits the backbone it was fitted on: find those weights, or fit again.",
        )
    return network


def _find(folder: Path, name: str, *, offline: bool) -> Backbone:
    try:
        return backbones.load(name, offline=offline)
    except BackboneError as error:
        raise ArtifactError(
            f"the model is slim and its backbone {name} cannot be loaded: {error.problem}",
            where=str(folder),
            fix="Say where it lies: --backbone NAME, or headstart.load(folder, backbone=NAME).",
        ) from error


def _head_kind(head: Head) -> str:
    return "knn" if isinstance(head, KNearest) else "linear"


def _head_tensors(head: Head) -> dict[str, torch.Tensor]:
    if isinstance(head, KNearest):
        arrays = {"features": head.features, "labels": head.labels, "shape": np.array([head.n_classes, head.k])}
    else:
        arrays = {"weights": head.weights, "bias": head.bias}
    return {f"head.{name}": torch.from_numpy(np.ascontiguousarray(array)) for name, array in arrays.items()}


def _head(tensors: Mapping[str, torch.Tensor], kind: str) -> Head:
    arrays = {name.removeprefix("head."): t.numpy() for name, t in tensors.items() if name.startswith("head.")}
    if kind == "knn":
        n_classes, k = (int(value) for value in arrays["shape"])
        return KNearest(arrays["features"], arrays["labels"], n_classes, k)
    return LinearModel(arrays["weights"], arrays["bias"])


def _write_json(path: Path, values: Mapping[str, Any]) -> None:
    path.write_text(json.dumps(values, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def _read_json(path: Path) -> dict[str, Any]:
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ArtifactError(
            "the file is not valid JSON", where=str(path), fix="Copy the model folder again."
        ) from error
    if not isinstance(values, dict):
        raise ArtifactError("expected a JSON object", where=str(path), fix="Copy the model folder again.")
    return values


def _write_manifest(folder: Path) -> None:
    files = {
        path.relative_to(folder).as_posix(): {"bytes": path.stat().st_size, "sha256": _sha256(path)}
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name != MANIFEST
    }
    values: dict[str, Any] = {"format": FORMAT, "headstart": version("headstart"), "files": files}
    values["checksum"] = _checksum(values)
    _write_json(folder / MANIFEST, values)


def _read_manifest(folder: Path) -> dict[str, Any]:
    if not (folder / MANIFEST).is_file():
        raise ArtifactError(
            f"expected a model folder with {MANIFEST}, found {'no such folder' if not folder.is_dir() else 'none'}",
            where=str(folder),
            fix="Name the folder that `headstart fit DATA -o MODEL` wrote.",
        )
    values = _read_json(folder / MANIFEST)
    if values.pop("checksum", None) != _checksum(values):
        raise _changed(folder / MANIFEST, "its content does not match its own checksum")
    return values


def _check_files(folder: Path, manifest: Mapping[str, Any]) -> None:
    for name, facts in manifest["files"].items():
        path = folder / name
        if PurePosixPath(name).is_absolute() or ".." in PurePosixPath(name).parts:
            raise _changed(folder / MANIFEST, f"it names a file outside the folder, {name!r}")
        if not path.is_file():
            raise ArtifactError(
                "a file of the model is missing", where=str(path), fix="Copy the model folder again, whole."
            )
        if path.stat().st_size != facts["bytes"] or _sha256(path) != facts["sha256"]:
            raise _changed(path, f"its content does not match {MANIFEST}")


def _changed(path: Path, problem: str) -> ArtifactError:
    return ArtifactError(
        f"the model was changed or damaged: {problem}",
        where=str(path),
        fix="Copy the model folder again, or fit again.",
    )


def _checksum(values: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
