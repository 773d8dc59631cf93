"""Image networks from timm, each with its own preprocessing. The only file that imports timm.

The table below says, per class of network, where its blocks are. It is keyed by the exact class: a subclass may run its
layers in another way, so it works as a frozen extractor until it has a line of its own.
"""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from copy import copy
from difflib import get_close_matches
from functools import partial
from pathlib import Path
from statistics import fmean
from types import MappingProxyType
from typing import Any, Final, cast

import timm
import torch
from PIL import Image
from timm.data.config import resolve_data_config
from timm.data.transforms_factory import create_transform
from timm.models import (
    VGG,
    ConvNeXt,
    EfficientNet,
    Eva,
    MobileNetV3,
    RegNet,
    ResNet,
    SwinTransformer,
    VisionTransformer,
    VisionTransformerDistilled,
)
from torch import Tensor, nn

from headstart.backbones import _timm_chains as chains
from headstart.backbones._base import Backbone
from headstart.backbones._folder import Recipe, fill, misfits, read_json, read_weights, unfilled
from headstart.backbones._images import ImagePreparer
from headstart.backbones._source_head import source_head
from headstart.backbones._timm_chains import Chain, Network
from headstart.errors import BackboneError

Step = Callable[[Image.Image], Image.Image]  # keeps the mode
# timm leaves these two without types.
_resolve: Final[Callable[..., dict[str, Any]]] = resolve_data_config
_transform: Final[Callable[..., Any]] = create_transform
# Arguments of timm.create_model that fetch or unpickle weights, or that this file decides itself.
REFUSED: Final = {
    *("pretrained", "checkpoint_path", "pretrained_cfg", "pretrained_cfg_overlay", "cache_dir"),
    *("features_only", "num_classes"),
}
# Where timm would look for weights; they are read here, so it is told that there is nowhere.
NOWHERE: Final = dict.fromkeys(("url", "file", "hf_hub_id", "hf_hub_filename", "source"))
PREPROCESSING: Final = ("input_size", "interpolation", "mean", "std", "crop_pct", "crop_mode")


def check_name(target: str) -> str:
    """Check that timm knows these weights.

    Args:
        target: ``ARCH.TAG``, without ``timm:``.

    Returns:
        The same name.

    Raises:
        BackboneError: There is no such architecture or tag, or the tag is missing where there are several.
    """
    architecture, _, tag = target.partition(".")
    names = timm.list_models(pretrained=True)
    if target in names:
        return target
    if not timm.is_model(architecture):
        raise _unknown(architecture, get_close_matches(target, names, n=3), where=f"timm:{target}", prefix="timm:")
    tags = [name for name in names if name.partition(".")[0] == architecture]
    if not tags:
        fix = "Choose another; timm.list_models(pretrained=True) lists them."
        raise BackboneError(f"timm publishes no weights for {architecture!r}", where=f"timm:{target}", fix=fix)
    problem = f"timm publishes no weights with the tag {tag!r}" if tag else "the name lacks the tag of its weights"
    fix = f"Write one of: {', '.join(f'timm:{name}' for name in tags[:8])}."
    raise BackboneError(problem, where=f"timm:{target}", fix=fix)


def _unknown(architecture: str, close: Sequence[str], *, where: str, prefix: str = "") -> BackboneError:
    guesses = " or ".join(prefix + name for name in close)
    fix = f"Did you mean {guesses}?" if close else "timm.list_models() lists those it knows."
    return BackboneError(f"timm {timm.__version__} has no architecture {architecture!r}", where=where, fix=fix)


def read(folder: Path) -> Recipe:
    """Read a folder in timm layout.

    Args:
        folder: Holds config.json, as timm writes it, and safetensors weights.

    Returns:
        What `build` needs; the classifier is left out.

    Raises:
        BackboneError: The architecture is unknown, or the files are missing, unsafe, damaged or do not fit.
    """
    config = read_json(folder / "config.json")
    architecture, arguments = str(config["architecture"]), config.get("model_args") or {}
    network = _create(architecture, arguments, where=str(folder), overlay=config.get("pretrained_cfg") or {})
    weights, notes = read_weights(folder)
    heads = network.pretrained_cfg.get("classifier") or ()
    prefixes = tuple(f"{head}." for head in ((heads,) if isinstance(heads, str) else heads))
    state = {name: tensor for name, tensor in weights.items() if not name.startswith(prefixes)}
    head = source_head(weights, heads) if isinstance(heads, str) and type(network) in LINEAR else None
    if any(misfits(network, state)):
        state = _convert(config, weights, names=network.state_dict()) or state
    preprocessing = _resolve({}, pretrained_cfg=network.pretrained_cfg)
    source = {
        "library": "timm",
        "architecture": architecture,
        "model_args": arguments,
        "preprocessing": json.loads(json.dumps({key: preprocessing[key] for key in PREPROCESSING})),
    }
    return Recipe(source, {}, state, notes, head)


def build(recipe: Recipe, name: str) -> Backbone:
    """Assemble network, preprocessing and cut points; fails where pictures are not read with three channels."""
    source = recipe.source
    settings = source["preprocessing"]
    if settings["input_size"][0] != 3:
        raise BackboneError(
            f"expects images of {settings['input_size'][0]} channels, and pictures are read with 3",
            where=name,
            fix="Choose a network for RGB images.",
        )
    network = _create(str(source["architecture"]), source["model_args"], where=name)
    fill(network, recipe, where=name)
    blocks, tail, tail_modules, pool = _chain(network, settings["input_size"][1:])
    if type(network) in CONVOLUTIONAL:
        network.to(memory_format=torch.channels_last)
    note = f"no cut points are known for {type(network).__name__}; it works as a frozen extractor"
    return Backbone(
        name=name,
        modality="image",
        network=network,
        preparer=ImagePreparer(_resizing(settings), settings),
        blocks=tuple(blocks),
        tail=tail,
        num_features=getattr(network, "head_hidden_size", None) or network.num_features,
        source=source,
        tail_modules=tuple(tail_modules),
        pool=pool,
        notes=() if blocks else (note,),
    )


def _create(
    architecture: str, arguments: Mapping[str, Any], *, where: str, overlay: Mapping[str, Any] = MappingProxyType({})
) -> Network:
    _check_source(architecture, arguments, where=where)
    try:
        with unfilled():
            return timm.create_model(
                architecture, num_classes=0, pretrained_cfg_overlay={**overlay, **NOWHERE}, **arguments
            )
    except (TypeError, ValueError, RuntimeError, AssertionError) as error:
        raise BackboneError(
            f"timm cannot build {architecture} with {dict(arguments)} ({error})",
            where=where,
            fix='Check "model_args" in config.json.',
        ) from error


def classifier_of(
    architecture: str, arguments: Mapping[str, Any], classes: int, *, where: str
) -> tuple[str, dict[str, tuple[int, ...]]]:
    """Say which weights a network has with timm's own classifier.

    Args:
        architecture: Its name.
        arguments: Of ``timm.create_model``.
        classes: How many there are.
        where: What to name in an error.

    Returns:
        The name of the linear layer, and the shapes of all weights and buffers.

    Raises:
        BackboneError: The classifier is no one layer.
    """
    _check_source(architecture, arguments, where=where)
    with torch.device("meta"):
        network: Network = timm.create_model(architecture, num_classes=classes, **arguments)
    layer = network.pretrained_cfg.get("classifier")
    if not isinstance(layer, str):
        problem = f"timm's classifier of {type(network).__name__} is no one linear layer"
        raise BackboneError(problem, where=where, fix="headstart export MODEL -o FOLDER --format onnx keeps them.")
    return layer, {name: tuple(tensor.shape) for name, tensor in network.state_dict().items()}


def load_folder(folder: Path) -> tuple[nn.Module, Any]:
    """Load a folder with timm's own loader, as its users do.

    Args:
        folder: In timm's layout, with a classifier.

    Returns:
        The network in evaluation mode, and timm's preprocessing of a picture.
    """
    network = timm.create_model(f"local-dir:{folder}", pretrained=True).eval()
    settings = _resolve({}, pretrained_cfg=network.pretrained_cfg)
    return network, _transform(**settings, is_training=False)


def _check_source(architecture: str, arguments: object, *, where: str) -> None:
    """Refuse what would make timm go elsewhere; a name such as ``hf-hub:org/net`` is none of its own."""
    if ":" in architecture or not timm.is_model(architecture):
        raise _unknown(architecture, get_close_matches(architecture, timm.list_models(), n=3), where=where)
    fix = 'Check "model_args" in config.json.'
    if not isinstance(arguments, Mapping):
        problem = f'expected an object under "model_args", found a {type(arguments).__name__}'
        raise BackboneError(problem, where=where, fix=fix)
    refused = sorted(REFUSED.intersection(arguments))
    if refused:
        problem = f'"model_args" may only say how the network is built, found {", ".join(refused)}'
        raise BackboneError(problem, where=where, fix=fix)


def _convert(
    config: Mapping[str, Any], weights: Mapping[str, Tensor], *, names: Iterable[str]
) -> dict[str, Tensor] | None:
    """Let timm translate weights that carry the names of an older or foreign layout; None where it cannot."""
    overlay = {**(config.get("pretrained_cfg") or {}), **NOWHERE, "state_dict": dict(weights)}
    # Where the two numbers of classes differ, timm loads what fits and leaves the rest random; so they are made equal.
    classes = config.get("num_classes", overlay.get("num_classes", 1000))
    try:
        network = timm.create_model(
            config["architecture"],
            pretrained=True,
            pretrained_cfg_overlay={**overlay, "num_classes": classes},
            num_classes=classes,
            **(config.get("model_args") or {}),
        )
        translated = network.state_dict()
        return {name: translated[name] for name in names}
    except (RuntimeError, KeyError, AttributeError, TypeError, ValueError):
        return None  # the caller reports what does not fit, by name


def _resizing(settings: Mapping[str, Any]) -> Callable[[Image.Image], Image.Image]:
    """Return timm's own resizing and cropping, without its last step, which makes bytes of any picture."""
    *steps, _ = _transform(**settings, is_training=False, use_prefetcher=True).transforms
    return partial(_in_turn, steps, [_for_floats(step) for step in steps])


def _in_turn(steps: Sequence[Step], for_floats: Sequence[Step], image: Image.Image) -> Image.Image:
    for step in for_floats if image.mode == "F" else steps:
        image = step(image)
    return image


def _for_floats(step: Step) -> Step:
    """Let a step that fills up with a colour fill single channels up, from 0 to 1, with its gray."""
    fill = getattr(step, "fill", None)
    if not isinstance(fill, Sequence):
        return step
    changed: Any = copy(step)
    changed.fill = fmean(fill) / 255
    return cast(Step, changed)


def _chain(network: Network, size: Sequence[int]) -> Chain:
    if type(network) is Eva:
        return chains.eva(network, (size[0], size[1]))
    return FAMILIES.get(type(network), chains.uncut)(network)


FAMILIES: Final[Mapping[type[nn.Module], Callable[[Network], Chain]]] = {
    ResNet: chains.resnet,
    RegNet: chains.regnet,
    VGG: chains.vgg,
    EfficientNet: chains.efficientnet,
    MobileNetV3: chains.mobilenetv3,
    ConvNeXt: chains.convnext,
    SwinTransformer: chains.swin,
    VisionTransformer: chains.vit,
    VisionTransformerDistilled: chains.distilled,
}
CONVOLUTIONAL: Final = {ResNet, RegNet, VGG, EfficientNet, MobileNetV3, ConvNeXt}
# Their classifier takes the features as they are; elsewhere there may be a norm in between, or two classifiers.
LINEAR: Final = {*FAMILIES, Eva} - {VisionTransformerDistilled}
