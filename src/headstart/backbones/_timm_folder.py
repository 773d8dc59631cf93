"""An adapted image network as a folder in timm's layout, which ``timm.create_model("local-dir:FOLDER")`` reads.

timm is not imported here. Its classifiers of the families in `_timm.LINEAR` are linear layers on just the features that
Headstart's heads read, so weights are written as they are.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from headstart.backbones._base import Backbone
from headstart.backbones._images import ImagePreparer
from headstart.backbones._tensors import write_tensors
from headstart.backbones._timm import classifier_of, load_folder
from headstart.errors import BackboneError

FIX: Final = "headstart export MODEL -o FOLDER --format onnx keeps any model's answers."


def write_timm_folder(
    backbone: Backbone, weights: Tensor, bias: Tensor, *, labels: Sequence[str], licence: str | None, folder: Path
) -> None:
    """Write network and head in the layout of timm's hub.

    Args:
        backbone: An image network of timm, whole.
        weights: (K, D), on the view ``last``.
        bias: (K,).
        labels: K names.
        licence: Of the weights, if known.
        folder: An existing folder.

    Raises:
        BackboneError: It is no such network, or timm's classifier of it takes other features.
    """
    source = backbone.source
    if source.get("library") != "timm":
        raise BackboneError(f"its network comes from {source.get('library')}, not timm", where=backbone.name, fix=FIX)
    if "after" in source:
        problem = f"it is cut off after {source['after']!r}, and timm builds whole networks"
        raise BackboneError(problem, where=backbone.name, fix=FIX)
    preparer = backbone.preparer
    assert isinstance(preparer, ImagePreparer)
    channels = len(preparer.settings["mean"])
    arguments = dict(source["model_args"]) | ({"in_chans": channels} if channels != 3 else {})
    layer, expected = classifier_of(str(source["architecture"]), arguments, len(labels), where=backbone.name)
    head = {f"{layer}.weight": weights, f"{layer}.bias": bias}
    state = {**backbone.network.state_dict(), **head}
    differing = sorted(name for name in expected.keys() | state.keys() if expected.get(name) != _shape(state, name))
    if differing:
        problem = f"timm's classifier of it takes other weights than its features give, such as {differing[0]}"
        raise BackboneError(problem, where=backbone.name, fix=FIX)
    write_tensors(folder / "model.safetensors", state)
    preprocessing = _preprocessing(source["preprocessing"], preparer, channels)
    config = {
        "architecture": source["architecture"],
        "num_classes": len(labels),
        "num_features": int(weights.shape[1]),
        "label_names": list(labels),
        "model_args": arguments,
        "pretrained_cfg": {
            **preprocessing,
            "num_classes": len(labels),
            "classifier": layer,
            **({"license": licence} if licence else {}),
        },
    }
    (folder / "config.json").write_text(json.dumps(config, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def read_timm_folder(folder: Path) -> Callable[[Sequence[Any]], Tensor]:
    """Load a folder with timm's own loader and preprocessing, as its users do.

    Args:
        folder: What `write_timm_folder` made.

    Returns:
        A function of pictures, or of (H, W, C) arrays of values from 0 to 1, that gives (N, K) scores.
    """
    network, transform = load_folder(folder)

    def scores(pictures: Sequence[Any]) -> Tensor:
        with torch.inference_mode():
            return torch.cat([network(_read(transform, picture)[None]) for picture in pictures])

    return scores


def _read(transform: Any, picture: Image.Image | np.ndarray[Any, Any]) -> Tensor:
    if isinstance(picture, Image.Image):
        read: Tensor = transform(picture.convert("RGB"))
        return read
    *resizing, normalise = transform.transforms
    planes = []
    for plane in np.moveaxis(picture.astype(np.float32), -1, 0):
        image: Any = Image.fromarray(plane)
        for step in resizing:
            image = step(image)
        planes.append(image)
    joined: Tensor = normalise(torch.cat(planes).clamp(0, 1))
    return joined


def _shape(state: Mapping[str, Tensor], name: str) -> tuple[int, ...] | None:
    return tuple(state[name].shape) if name in state else None


def _preprocessing(stated: Mapping[str, Any], preparer: ImagePreparer, channels: int) -> dict[str, Any]:
    values = {name: list(preparer.settings[name]) for name in ("mean", "std")}
    return {**stated, **values, "input_size": [channels, *stated["input_size"][1:]]}
