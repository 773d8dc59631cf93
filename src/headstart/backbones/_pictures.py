"""An image network that sees pictures with all that they were measured with: more than 8 bits, or other channels.

How values become black and white is learnt from the training part (`headstart.data.learn_scale`) and is part of the
backbone from then on: of its source, from which a model folder builds it again, and of its preparer's settings, which
address what is stored of it.

A network for three channels is adapted to C others in its first convolution: the kernels of the three are repeated in
turn for the C channels and scaled by 3 / C, so that sums stay of one size; where C is a multiple of three, a picture of
equal channels gives what it gave in gray. That is what timm does for ``in_chans`` (Wightman, PyTorch Image Models,
2019). Every channel is normalised by the mean of the three means and of the three standard deviations.
"""

from collections.abc import Mapping
from copy import deepcopy
from dataclasses import replace
from statistics import fmean
from typing import Any, Final

import torch
from torch import Tensor, nn

from headstart.backbones._base import Backbone
from headstart.backbones._folder import Recipe
from headstart.backbones._images import ImagePreparer
from headstart.backbones._module import CallablePreparer
from headstart.data import PixelScale
from headstart.errors import BackboneError

RGB: Final = 3
PIXELS: Final = "pixels"  # the part of a backbone's source


def picture_backbone(backbone: Backbone, scale: PixelScale) -> Backbone:
    """Let an image network see pictures by a range of values and in a number of channels.

    Args:
        backbone: For images, of any family; it stays as it is. One that has a scale is given the other.
        scale: What becomes black and white, and how many channels there are.

    Returns:
        A backbone of the same name and cut points. For pictures in gray and colours its weights lie in the same memory;
        for other channels it is a copy with another first layer. A network of your own gets 8-bit RGB by that scale.

    Raises:
        BackboneError: It is not for images, is augmented, or its first layer cannot be adapted.
    """
    preparer = backbone.preparer
    if not isinstance(preparer, ImagePreparer | CallablePreparer) or backbone.modality != "image":
        raise BackboneError("it does not see pictures", where=backbone.name, fix="Choose a network for images.")
    if "augmentation" in preparer.settings:
        raise BackboneError("it is augmented already", where=backbone.name, fix="Pass the backbone it was made from.")
    kept: dict[str, Any] = scale.to_dict()
    adapted, known = backbone, backbone.pixels
    if scale.channels != (RGB if known is None else known.channels):
        first = _first_layer(backbone)
        adapted = _with_channels(backbone, first, scale.channels)
        kept["first"] = first
    elif known is not None and not scale.colours:
        kept["first"] = backbone.source[PIXELS]["first"]
    changed = replace(
        adapted,
        preparer=replace(preparer, scale=scale, settings=_settings(preparer.settings, scale)),
        source={**backbone.source, PIXELS: kept},
    )
    if adapted is backbone:
        vars(changed)["weights_hash"] = backbone.weights_hash  # the weights are the same; hashing them takes seconds
    return changed


def _settings(settings: Mapping[str, Any], scale: PixelScale) -> dict[str, Any]:
    several = {}
    if scale.channels != len(settings.get("mean", ())) and "mean" in settings:
        several = {key: [fmean(settings[key])] * scale.channels for key in ("mean", "std")}
    return {**settings, **several, PIXELS: scale.to_dict()}


def _first_layer(backbone: Backbone) -> str:
    """Name the only convolution that takes three channels."""
    layers = [
        name
        for name, module in backbone.network.named_modules()
        if isinstance(module, nn.Conv2d) and module.in_channels == RGB and module.groups == 1
    ]
    if len(layers) != 1 or not isinstance(backbone.preparer, ImagePreparer) or backbone.pixels is not None:
        problem = "it cannot be adapted to other channels than gray and RGB"
        raise BackboneError(problem, where=backbone.name, fix="Choose a convolutional network or ViT of timm.")
    return str(layers[0])


def _with_channels(backbone: Backbone, first: str, channels: int) -> Backbone:
    network, blocks, tail, tail_modules, pool = deepcopy(
        (backbone.network, backbone.blocks, backbone.tail, backbone.tail_modules, backbone.pool)
    )
    layer = network.get_submodule(first)
    assert isinstance(layer, nn.Conv2d)
    _replace_weight(layer, repeated(layer.weight.detach(), channels))
    return replace(backbone, network=network, blocks=blocks, tail=tail, tail_modules=tail_modules, pool=pool)


def repeated(kernels: Tensor, channels: int) -> Tensor:
    """Repeat the kernels of some channels in turn for others, and scale them so that sums stay of one size.

    Args:
        kernels: (out, in, h, w).
        channels: How many channels there are to be.

    Returns:
        (out, channels, h, w).
    """
    order = torch.arange(channels, device=kernels.device) % kernels.shape[1]
    return kernels[:, order] * (kernels.shape[1] / channels)


def _replace_weight(layer: nn.Conv2d, weight: Tensor) -> None:
    strided = layer.weight.is_contiguous(memory_format=torch.channels_last)
    weight = weight.contiguous(memory_format=torch.channels_last if strided else torch.contiguous_format)
    layer.in_channels = weight.shape[1]
    layer.weight = nn.Parameter(weight, requires_grad=layer.weight.requires_grad)


def plain(recipe: Recipe) -> Recipe:
    """Return the recipe of a network before it was made to see pictures by a scale."""
    source = {key: value for key, value in recipe.source.items() if key != PIXELS}
    first = f"{recipe.source.get(PIXELS, {}).get('first')}.weight"
    state = dict(recipe.state)
    if first in state and state[first].ndim == 4:
        out, _, height, width = state[first].shape
        state[first] = torch.zeros(out, RGB, height, width)  # in its place, until the network is there
    return replace(recipe, source=source, state=state)


def seeing(backbone: Backbone, recipe: Recipe) -> Backbone:
    """Make a network that was built from `plain` see pictures as the recipe says; others stay as they are.

    Args:
        backbone: What was built.
        recipe: What it was to be.

    Returns:
        The backbone, with the weights of the recipe.

    Raises:
        BackboneError: The recipe's first layer does not fit.
    """
    kept = recipe.source.get(PIXELS)
    if kept is None:
        return backbone
    changed = picture_backbone(backbone, PixelScale.from_dict(kept))
    if "first" not in kept:
        return changed
    layer = changed.network.get_submodule(str(changed.source[PIXELS]["first"]))
    weight = recipe.state.get(f"{kept['first']}.weight")
    assert isinstance(layer, nn.Conv2d)
    if kept["first"] != changed.source[PIXELS]["first"] or weight is None or weight.shape != layer.weight.shape:
        problem = f"its first layer {kept['first']!r} does not fit {layer.in_channels} channels"
        raise BackboneError(problem, where=backbone.name, fix="Copy the folder again, or write it again.")
    _replace_weight(layer, weight)
    return changed
