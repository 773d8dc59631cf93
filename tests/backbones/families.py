"""One small backbone of every family, made offline, for what must hold for all of them."""

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import numpy as np
import torch
import torchvision
from PIL import Image
from torch import nn

from headstart.backbones import Backbone, augmented, load
from tests.backbones import (
    test_timm,
    test_transformers,
    test_transformers_conformer,
    test_transformers_patches,
    test_transformers_sounds,
    test_transformers_waves,
    test_yamnet,
)
from tests.backbones.layouts import TEXTS, pictures, randomise, sounds, write_folder

TIMM = (  # and "uncut", which has no cuts
    *("resnet", "vgg-bn", "mobilenetv2", "mobilenetv3", "mnasnet", "convnext", "swin"),
    *("vit-token", "vit-map", "vit-distilled", "vit-dinov3", "vit-dinov3-bias"),
)
TEXT = ("bert", "distilbert", "electra-narrow", "mpnet", "deberta", "deberta-v2", "deberta-v3", "gpt2")
CONFORMER = {"conformer": None, "conformer-relative": "relative_key"}  # and its kind of positions
WAVES = ("wav2vec2", "hubert-batch-norm", "wavlm-stable")
SOUND = ("whisper", "whisper-window", *CONFORMER, *WAVES, "ast", "yamnet")
WRITTEN: dict[str, Callable[[Path], Path]] = {
    **{name: partial(test_transformers_waves.tiny, name=name) for name in WAVES},
    "ast": test_transformers_patches.tiny,
    "yamnet": test_yamnet.random,
}
EVERY = (*TIMM, *TEXT, *SOUND, "squeezenet", "toy:image", "toy:text", "toy:audio", "own", "augmented")
SQUEEZENET = {"input_size": [3, 64, 64], "mean": [0.5] * 3, "std": [0.25] * 3}


def make(family: str, folder: Path) -> Backbone:
    """Write the network into a folder, with weights and statistics unlike any fresh ones, and load it."""
    if family == "own":
        return own()
    if family == "augmented":
        return augmented(make("resnet", folder), 1)
    if family in test_timm.FAMILIES:
        test_timm.tiny(folder, *test_timm.FAMILIES[family][:2])
    elif family in test_transformers.NETWORKS:
        test_transformers.tiny(folder, family)
    elif family in CONFORMER:
        test_transformers_conformer.tiny(folder, positions=CONFORMER[family])
    elif family in WRITTEN:
        WRITTEN[family](folder)
    elif family in SOUND:
        test_transformers_sounds.tiny(folder, pad="none" if family == "whisper" else "window")
    elif family == "squeezenet":
        network = randomise(torchvision.models.squeezenet1_1(weights=None))
        write_folder(folder, {**SQUEEZENET, "architecture": "torchvision:squeezenet1_1"}, network.state_dict())
    else:
        return load(family)
    return load(f"dir:{folder}")


def own() -> Backbone:
    torch.manual_seed(0)
    body = nn.Sequential(nn.Conv2d(4, 6, 3), nn.BatchNorm2d(6), nn.ReLU())
    parts = [("stem", nn.Conv2d(3, 4, 3)), ("norm", nn.BatchNorm2d(4)), ("body", body), ("last", nn.Conv2d(6, 5, 1))]
    for _, part in parts:
        randomise(part.requires_grad_(False))
    return Backbone.from_module(parts, small, name="mine")


def small(image: Image.Image) -> torch.Tensor:
    pixels = np.asarray(image.resize((8, 8)), dtype=np.float32)
    return torch.from_numpy(pixels).permute(2, 0, 1) / 255


def items(backbone: Backbone) -> Sequence[object]:
    return {"image": pictures(), "text": TEXTS, "audio": sounds()}[backbone.modality]
