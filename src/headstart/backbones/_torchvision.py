"""Image networks in torchvision's layout, for ``dir:`` folders. The only file that imports torchvision.

The folder's config.json says ``"architecture": "torchvision:NAME"`` and carries the preprocessing, which torchvision's
own weight files do not.
"""

from collections.abc import Callable, Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Final

import torch
import torchvision
from torch import Tensor, nn
from torchvision.models import VGG, ResNet, SqueezeNet
from torchvision.transforms import CenterCrop, Compose, InterpolationMode, Resize

from headstart.backbones._base import Backbone, Block
from headstart.backbones._batch import Batch
from headstart.backbones._folder import Recipe, fill, read_json, read_weights, unfilled
from headstart.backbones._images import ImagePreparer, block, link, residual_stages
from headstart.backbones._source_head import source_head
from headstart.errors import BackboneError

Network = Any  # a VGG, ResNet or SqueezeNet
PREFIX: Final = "torchvision:"
FAMILIES: Final = ("squeezenet1_", "vgg", "resnet", "resnext", "wide_resnet")


def read(folder: Path) -> Recipe:
    """Read a folder in torchvision layout.

    Args:
        folder: Holds config.json with ``architecture``, ``input_size``, ``mean``, ``std``, and safetensors weights.

    Returns:
        What `build` needs; the classifier's last layer is left out.

    Raises:
        BackboneError: The architecture is not supported, or the files are missing, unsafe, damaged or do not fit.
    """
    config = read_json(folder / "config.json")
    missing = [key for key in ("input_size", "mean", "std") if key not in config]
    if missing:
        fix = 'For ImageNet: "input_size": [3, 224, 224], "mean": [0.485, 0.456, 0.406], "std": [0.229, 0.224, 0.225].'
        raise BackboneError(f"config.json lacks {', '.join(missing)}", where=str(folder), fix=fix)
    source: dict[str, Any] = {
        "library": "torchvision",
        "architecture": str(config["architecture"]),
        "preprocessing": {
            "input_size": config["input_size"],
            "mean": config["mean"],
            "std": config["std"],
            "interpolation": config.get("interpolation", "bilinear"),
            "crop_pct": config.get("crop_pct", 0.875),
        },
    }
    network = _create(source["architecture"], where=str(folder))
    weights, notes = read_weights(folder)
    last = _last_layer(network)
    state = {name: value for name, value in weights.items() if not name.startswith(last)}
    # SqueezeNet's classifier is a convolution, averaged after a ReLU; the others' last layer is linear.
    return Recipe(source, {}, state, notes, source_head(weights, last.removesuffix(".")))


def build(recipe: Recipe, name: str) -> Backbone:
    """Assemble network, preprocessing and cut points."""
    settings = recipe.source["preprocessing"]
    network = _create(recipe.source["architecture"], where=name)
    blocks, tail, tail_modules, width = _chain(network)
    fill(network, recipe, where=name)
    network.to(memory_format=torch.channels_last)
    return Backbone(
        name=name,
        modality="image",
        network=network,
        preparer=ImagePreparer(_transform(settings), settings),
        blocks=tuple(blocks),
        tail=tail,
        num_features=width,
        source=recipe.source,
        tail_modules=tail_modules,
    )


def _create(architecture: str, *, where: str) -> Network:
    """Create an architecture with random weights and without its last layer."""
    name = architecture.removeprefix(PREFIX)
    known = [known for known in torchvision.models.list_models(torchvision.models) if known.startswith(FAMILIES)]
    if name not in known:
        close = get_close_matches(name, known, n=3) or known[:4]
        fix = f"Supported are SqueezeNet, VGG and ResNet: {', '.join(PREFIX + name for name in close)}."
        raise BackboneError(f"torchvision layout {name!r} is not supported", where=where, fix=fix)
    with unfilled():
        network = torchvision.models.get_model(name, weights=None)
    if isinstance(network, SqueezeNet):
        network.classifier = nn.Identity()
    elif isinstance(network, VGG):
        network.classifier = network.classifier[:-1]
    else:
        network.fc = nn.Identity()
    return network


def _last_layer(network: nn.Module) -> str:
    """Name what `_create` took away."""
    return "classifier." if isinstance(network, SqueezeNet) else "classifier.6." if isinstance(network, VGG) else "fc."


def _chain(network: Network) -> tuple[list[Block], Callable[[Batch], Tensor], tuple[nn.Module, ...], int]:
    """Return blocks, tail, the tail's modules and the width of the features."""
    if isinstance(network, ResNet):
        stem = block("stem", network.conv1, network.bn1, network.relu, network.maxpool)
        width = [m for m in network.layer4.modules() if isinstance(m, nn.Conv2d)][-1].out_channels
        return [stem, *residual_stages(network)], _average, (), width
    features = link("features", network.features.named_children())
    if isinstance(network, SqueezeNet):
        return features, _average, (), 512
    first, second = network.classifier[:3], network.classifier[3:]
    dense = [
        block("classifier.2", network.avgpool, nn.Flatten(1), *first),
        block("classifier.5", *second),
    ]
    return [*features, *dense], _values, (), network.classifier[3].out_features


def _values(batch: Batch) -> Tensor:
    return batch.values


def _average(batch: Batch) -> Tensor:
    return batch.values.mean((2, 3))


def _transform(settings: Mapping[str, Any]) -> Compose:
    """Resize the short side so that the crop keeps ``crop_pct`` of it, then crop the centre."""
    height, width = settings["input_size"][1:]
    mode = InterpolationMode(settings["interpolation"])
    return Compose([Resize(int(min(height, width) / settings["crop_pct"]), mode), CenterCrop((height, width))])
