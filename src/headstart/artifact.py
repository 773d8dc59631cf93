"""The model folder: everything prediction needs, without pickle, checked byte by byte when it is loaded.

Files::

    manifest.json         format version, and size and SHA-256 of every other file; written last
    weights.safetensors   ``head.*``, unless slim ``backbone.*``, and where it is known ``confidence.*``
    task.json             kind of task, and classes in the order of the probabilities
    preprocessing.json    how to build the backbone again, its preprocessing, the feature view, the strategy
    evaluation.json       the score, the baselines, what was tried
    data.json             fingerprint, part and group of every item the model has seen
    assets/*              what the preprocessing needs (a tokenizer)

A slim folder leaves the pretrained weights out, names the network, and checks its hash when it is loaded. Of a backbone
that was adapted it keeps the tensors that were trained; they are copied into the pretrained network, and the hash of
the whole is checked too.

Format 1 holds classes on a pretrained backbone; format 2 adds labels, values, adapted and truncated backbones; format 3
adds entities, on backbones that give features of words, and transcripts, on those that give features of frames; format
4 adds pictures of more than 8 bits or of other channels, whose range an older version would not apply.
A folder carries the lowest number that can hold it: an older version reads what it understands and refuses the rest.

A file that the manifest does not name, such as the report and what it shows of scored examples, is no part of the model
and may be removed.

Changing the format: raise `FORMAT`, keep a reader for every older number in `_READERS`, and add a saved example of the
new one to ``tests/old_models``.
"""

import copy
import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from importlib.metadata import version
from pathlib import Path, PurePosixPath
from typing import Any, Literal

import numpy as np
import torch

from headstart import backbones
from headstart.backbones import Backbone
from headstart.confidence import Confidence
from headstart.data import PixelScale, hash_item
from headstart.errors import ArtifactError, BackboneError, writing
from headstart.linear import LINKS, FrameModel, KNearest, LinearModel
from headstart.model import AdaptedModel, Base, Head
from headstart.tasks import Task, Transcription, decoder_from, task_from_dict

FORMAT = 4
MANIFEST = "manifest.json"
WEIGHTS = "weights.safetensors"
CONFIDENCE = "confidence."  # before the names of what is known of its answers
NOTHING_KNOWN = Confidence()
DECODER = "decoder."  # before the names of what a head for speech decodes with
Contents = Literal["whole", "slim"]


@dataclass(frozen=True, eq=False)
class Artifact:
    """A loaded model folder.

    Attributes:
        folder: Where it lies.
        model: The model, ready to predict.
        evaluation: What was measured when it was made.
        data: Which items it has seen.
        confidence: What is known of its answers; nothing in folders of versions that did not keep it.
    """

    folder: Path
    model: AdaptedModel
    evaluation: Mapping[str, Any]
    data: Mapping[str, Any]
    confidence: Confidence = NOTHING_KNOWN


@dataclass(frozen=True)
class Documents:
    """What a model folder says in words and numbers; no weight is read for it.

    Attributes:
        folder: Where it lies.
        version: The headstart that wrote it.
        task: ``task.json``.
        network: ``preprocessing.json``.
        evaluation: ``evaluation.json``.
        data: ``data.json``.
    """

    folder: Path
    version: str
    task: Mapping[str, Any]
    network: Mapping[str, Any]
    evaluation: Mapping[str, Any]
    data: Mapping[str, Any]


def save(
    model: AdaptedModel,
    folder: Path,
    *,
    evaluation: Mapping[str, Any],
    data: Mapping[str, Any],
    contents: Contents = "whole",
    confidence: Confidence = NOTHING_KNOWN,
) -> None:
    """Write a model into an existing folder; it is a model folder once the manifest is there.

    Args:
        model: What to save.
        folder: An existing folder.
        evaluation: JSON values for ``evaluation.json``.
        data: JSON values for ``data.json``.
        contents: ``slim`` leaves the pretrained weights out.
        confidence: What is known of its answers.

    Raises:
        ArtifactError: The disk is full or not writable.
    """
    known = {f"{CONFIDENCE}{name}": torch.from_numpy(array) for name, array in confidence.to_arrays().items()}
    tensors = _head_tensors(model.head) | _backbone_tensors(model, contents) | known
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
            write_json(folder / name, values)
        for name, content in model.backbone.assets.items():
            path = folder / "assets" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        _write_manifest(folder, _format(model))


def load(folder: str | Path, *, backbone: Backbone | str | None = None, offline: bool = False) -> Artifact:
    """Load a model folder; nothing in it is executed.

    Args:
        folder: The model folder.
        backbone: The backbone of a slim folder, or its address, where it is not the recorded one; or the network that
            was made with `Backbone.from_module`. For an adapted one, the network it started from; it is not changed.
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


def read_documents(folder: str | Path) -> Documents:
    """Read what a model folder says, without building its network.

    Args:
        folder: The model folder, of any format.

    Returns:
        Its documents.

    Raises:
        ArtifactError: It is no model folder, or a file is missing or changed.
    """
    folder = Path(folder)
    manifest = _read_manifest(folder)
    _check_files(folder, manifest)
    names = ("task.json", "preprocessing.json", "evaluation.json", "data.json")
    return Documents(folder, manifest["headstart"], *(_read_json(folder / name) for name in names))


def replace_documents(folder: Path, *, evaluation: Mapping[str, Any], data: Mapping[str, Any]) -> None:
    """Put other values into ``evaluation.json`` and ``data.json`` of a model folder, as where names are taken out.

    Args:
        folder: The model folder.
        evaluation: JSON values for ``evaluation.json``.
        data: JSON values for ``data.json``.

    Raises:
        ArtifactError: The disk is full or not writable; until all is written the folder is as it was.
    """
    manifest = _read_manifest(folder)
    fresh = {"evaluation.json": evaluation, "data.json": data}
    with writing("the model", folder, raises=ArtifactError, fix="Free space there, and repeat the command."):
        for name, values in fresh.items():
            path = folder / f"{name}.new"
            write_json(path, values)
            manifest["files"][name] = {"bytes": path.stat().st_size, "sha256": hash_item(path)}
        manifest["checksum"] = _checksum(manifest)
        write_json(folder / f"{MANIFEST}.new", manifest)
        for name in (*fresh, MANIFEST):
            (folder / f"{name}.new").replace(folder / name)


def _read_folder(folder: Path, backbone: Backbone | str | None, offline: bool) -> Artifact:  # noqa: FBT001  (one private table)
    facts = _read_json(folder / "preprocessing.json")
    tensors = backbones.read_tensors(folder / WEIGHTS)
    network = _backbone(folder, facts, tensors, backbone, offline=offline)
    task = task_from_dict(_read_json(folder / "task.json"))
    head = _head(tensors, facts["head"], task)
    model = AdaptedModel(network, head, task, facts["view"], facts["strategy"], _base(facts))
    evaluation, data = _read_json(folder / "evaluation.json"), _read_json(folder / "data.json")
    known = {name.removeprefix(CONFIDENCE): t.numpy() for name, t in tensors.items() if name.startswith(CONFIDENCE)}
    return Artifact(folder, model, evaluation, data, Confidence.from_arrays(known))


# Every format only adds to the one before, so one reader serves all.
_READERS: dict[int, Callable[[Path, Backbone | str | None, bool], Artifact]] = dict.fromkeys((1, 2, 3, 4), _read_folder)


def _format(model: AdaptedModel) -> int:
    if model.backbone.pixels is not None:
        return FORMAT
    if model.task.kind in ("tagging", "transcription"):
        return 3
    plain = model.base is None and "after" not in model.backbone.source
    return 1 if model.task.kind == "classification" and plain else 2


def _describe(model: AdaptedModel, contents: Contents) -> dict[str, Any]:
    backbone = model.backbone
    base = model.base and asdict(replace(model.base, name=_address(model.base.name, contents)))
    return {
        **({"base": base} if base else {}),
        "backbone": _address(backbone.name, contents),
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


def _address(name: str, contents: Contents) -> str:
    """Make a slim folder's address absolute: loading must not depend on where one stands."""
    if contents == "slim" and name.startswith("dir:"):
        return f"dir:{Path(name.removeprefix('dir:')).expanduser().resolve()}"
    return name


def _base(facts: Mapping[str, Any]) -> Base | None:
    base = facts.get("base")
    return base and Base(base["name"], base["weights_hash"], tuple(base["trained"]))


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
    base = _base(facts)
    if given is None and _holds_backbone(facts["contents"], facts["source"]):
        assets = {name: (folder / "assets" / name).read_bytes() for name in facts["assets"]}
        network = backbones.rebuild(facts["source"], assets, state, name=facts["backbone"])
    else:
        network = _pretrained(folder, facts, given, offline=offline)
        after = facts["source"].get("after")
        network = network.truncated(after) if after in network.cuts else network
        network = _reading_alike(network, facts["source"], folder)
        if base is not None and network.weights_hash != facts["weights_hash"]:
            _check_weights(network, base.name, base.weights_hash, folder)
            network = _with_trained(network, base, state, folder, name=facts["backbone"])
    _check_weights(network, facts["backbone"], facts["weights_hash"], folder)
    return network


def _holds_backbone(contents: Contents, source: Mapping[str, Any]) -> bool:
    """Say whether the folder has all the weights; a network of the user's own could not be built from them."""
    return contents == "whole" and source["library"] != "module"


def _pretrained(folder: Path, facts: Mapping[str, Any], given: Backbone | str | None, *, offline: bool) -> Backbone:
    """Take the network given, or find the one named or recorded."""
    if isinstance(given, Backbone):
        return given
    if given is None and facts["source"]["library"] == "module":
        raise ArtifactError(
            "its backbone is a network of your own, whose code is not in the folder",
            where=str(folder),
            fix="Load it with headstart.load(folder, backbone=Backbone.from_module(...)).",
        )
    base = _base(facts)
    return _find(folder, given or (base.name if base else facts["backbone"]), offline=offline)


def _reading_alike(network: Backbone, source: Mapping[str, Any], folder: Path) -> Backbone:
    """Let a network that was found or given make features of words or frames, or see, as the recorded one does."""
    pooling, per_second = source.get("words"), source.get("frames")
    try:
        if pooling not in (None, network.pooling_of_words):
            return backbones.word_backbone(network, pooling)
        if per_second not in (None, network.frames):
            return backbones.frame_backbone(network, per_second)
        if "pixels" in source and source["pixels"] != network.source.get("pixels"):
            return backbones.picture_backbone(network, PixelScale.from_dict(source["pixels"]))
        return network
    except BackboneError as error:
        fix = "The head only fits the backbone it was fitted on: name that one."
        raise ArtifactError(f"{network.name}: {error.problem}", where=str(folder), fix=fix) from error


def _with_trained(
    pretrained: Backbone, base: Base, state: Mapping[str, torch.Tensor], folder: Path, *, name: str
) -> Backbone:
    """Copy what was trained into a copy of the pretrained network."""
    # The preparer holds no weights, and may hold a function of the user's that cannot be copied.
    adapted = copy.deepcopy(pretrained, {id(pretrained.preparer): pretrained.preparer})
    own = adapted.network.state_dict()
    for tensor in base.trained:
        if tensor not in own or tensor not in state or own[tensor].shape != state[tensor].shape:
            raise _changed(folder / WEIGHTS, f"it has no {tensor} that fits the backbone")
        own[tensor].copy_(state[tensor])  # a state dict shares its memory with the network
    return replace(adapted, name=name)  # without the hash that the copy has taken along


def _check_weights(network: Backbone, name: str, weights_hash: str, folder: Path) -> None:
    if network.weights_hash != weights_hash:
        raise ArtifactError(
            f"expected backbone {name} with weights {weights_hash[:12]}, "
            f"found {network.name} with {network.weights_hash[:12]}",
            where=str(folder),
            fix="The head only fits the backbone it was fitted on: find those weights, or fit again.",
        )


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
    if isinstance(head, FrameModel):
        return "frames"
    return "knn" if isinstance(head, KNearest) else "linear"


def _head_tensors(head: Head) -> dict[str, torch.Tensor]:
    if isinstance(head, KNearest):
        arrays = {"features": head.features, "labels": head.labels, "shape": np.array([head.n_classes, head.k])}
    elif isinstance(head, FrameModel):
        decoder = {f"{DECODER}{name}": array for name, array in head.decoder.to_arrays().items()}
        arrays = {"weights": head.weights, "bias": head.bias, "mean": head.mean, "scale": head.scale, **decoder}
    else:
        arrays = {"weights": head.weights, "bias": head.bias}
    return {f"head.{name}": torch.from_numpy(np.ascontiguousarray(array)) for name, array in arrays.items()}


def _backbone_tensors(model: AdaptedModel, contents: Contents) -> dict[str, torch.Tensor]:
    """All weights of the backbone, or those that were trained."""
    state = model.backbone.network.state_dict()
    trained = () if model.base is None else model.base.trained
    names = state if _holds_backbone(contents, model.backbone.source) else trained
    return {f"backbone.{name}": state[name] for name in names}


def _head(tensors: Mapping[str, torch.Tensor], kind: str, task: Task) -> Head:
    arrays = {name.removeprefix("head."): t.numpy() for name, t in tensors.items() if name.startswith("head.")}
    link = LINKS[task.kind]
    if kind == "knn":
        n_classes, k = (int(value) for value in arrays["shape"])
        return KNearest(arrays["features"], arrays["labels"], n_classes, k, link)
    if isinstance(task, Transcription):
        kept = {name.removeprefix(DECODER): array for name, array in arrays.items() if name.startswith(DECODER)}
        decoder = decoder_from(kept, task.characters)
        weights, bias, mean, scale = (arrays[name] for name in ("weights", "bias", "mean", "scale"))
        return FrameModel(weights, bias, mean, scale, task.characters, decoder)
    return LinearModel(arrays["weights"], arrays["bias"], link=link)


def write_json(path: Path, values: Any) -> None:
    """Write JSON values as all documents of a folder are written."""
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


def _write_manifest(folder: Path, number: int) -> None:
    files = {
        path.relative_to(folder).as_posix(): {"bytes": path.stat().st_size, "sha256": hash_item(path)}
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name != MANIFEST
    }
    values: dict[str, Any] = {"format": number, "headstart": version("headstart"), "files": files}
    values["checksum"] = _checksum(values)
    write_json(folder / MANIFEST, values)


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
        if path.stat().st_size != facts["bytes"] or hash_item(path) != facts["sha256"]:
            raise _changed(path, f"its content does not match {MANIFEST}")


def _changed(path: Path, problem: str) -> ArtifactError:
    return ArtifactError(
        f"the model was changed or damaged: {problem}",
        where=str(path),
        fix="Copy the model folder again, or fit again.",
    )


def _checksum(values: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()
