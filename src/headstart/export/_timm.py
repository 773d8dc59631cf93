"""A folder that ``timm.create_model("local-dir:FOLDER", pretrained=True)`` loads."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from headstart.artifact import Artifact
from headstart.backbones import known_licence, read_timm_folder, write_timm_folder
from headstart.data import Item, read_image, read_pixels
from headstart.errors import ArtifactError
from headstart.export._base import FIX, Written, labels_of, linear_head, outputs_of
from headstart.model import AdaptedModel

LOAD = """import timm, torch
from PIL import Image

model = timm.create_model("local-dir:{folder}", pretrained=True).eval()
transform = timm.data.create_transform(**timm.data.resolve_model_data_config(model))
labels = model.pretrained_cfg["label_names"]

picture = Image.open("picture.jpg").convert("RGB")
with torch.inference_mode():
    answer = model(transform(picture)[None]){link}
"""
LINKS = {"classification": ".softmax(1)", "multilabel": ".sigmoid()", "regression": "  # the value"}


def write(saved: Artifact, folder: Path) -> Written:
    """Write a model of pictures in timm's layout.

    Args:
        saved: The model.
        folder: An existing folder.

    Returns:
        What was written.

    Raises:
        ArtifactError: It is for something else than pictures, or its head is none that timm has.
        BackboneError: Its network is none that timm builds with such a classifier.
    """
    model = saved.model
    if model.backbone.modality != "image":
        problem = f"it is a model of {model.backbone.modality}, and timm holds image networks"
        raise ArtifactError(problem, where=str(saved.folder), fix=f"Try --format transformers; {FIX}")
    head = linear_head(model, "timm")
    write_timm_folder(
        model.backbone,
        torch.from_numpy(head.weights),
        torch.from_numpy(head.bias),
        labels=labels_of(model),
        licence=known_licence(model.pretrained),
        folder=folder,
    )
    return Written(
        answers=lambda items: _answers(model, folder, items),
        library="timm",
        load=LOAD.format(folder="{folder}", link=LINKS[model.task.kind]),
        call='timm.create_model("local-dir:{folder}", pretrained=True)',
        limits=_limits(model),
    )


def _answers(model: AdaptedModel, folder: Path, items: Sequence[Item]) -> NDArray[Any]:
    scores = read_timm_folder(folder)
    scale = model.backbone.pixels
    pictures = [read_image(item) if scale is None else read_pixels(item, scale) for item in items]
    return outputs_of(model, np.asarray(scores(pictures).numpy()))


def _limits(model: AdaptedModel) -> tuple[str, ...]:
    scale = model.backbone.pixels
    if scale is None:
        return ("Pictures with transparency are put on white by Headstart, and on black by Pillow's convert.",)
    ranges = ", ".join(f"{kind}: {known}" for kind, known in scale.ranges.items())
    return (
        f"It sees {scale.channels} channels, and pixels of more than 8 bits scaled to 0 (black) to 1 (white) by ranges "
        f"learnt from the training data ({ranges}). timm does not know these: scale pixels so before its resizing.",
    )
