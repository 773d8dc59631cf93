"""Image networks from timm, each with its own preprocessing. The only file that imports timm.

The tables below say, per class of network, where its blocks are. They are keyed by the exact class: a subclass may run
its layers in another way, so it works as a frozen extractor until it has a line of its own.
"""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from difflib import get_close_matches
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final, cast

import numpy as np
import timm
import torch
from PIL import Image
from timm.data.config import resolve_data_config
from timm.data.transforms_factory import create_transform
from timm.models import VGG, EfficientNet, MobileNetV3, ResNet, VisionTransformer
from torch import Tensor, nn

from headstart.backbones._base import Backbone, Batch, Block
from headstart.backbones._folder import Recipe, fill, misfits, read_json, read_weights, unfilled
from headstart.backbones._images import ImagePreparer, Pixels, block, link, residual_stages
from headstart.errors import BackboneError

# timm leaves these two without types.
_resolve: Final[Callable[..., dict[str, Any]]] = resolve_data_config
_transform: Final[Callable[..., Callable[[Image.Image], Any]]] = create_transform
Network = Any  # timm's classes share these attributes by custom, not by type
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
    if any(misfits(network, state)):
        state = _convert(config, weights, names=network.state_dict()) or state
    preprocessing = _resolve({}, pretrained_cfg=network.pretrained_cfg)
    source = {
        "library": "timm",
        "architecture": architecture,
        "model_args": arguments,
        "preprocessing": json.loads(json.dumps({key: preprocessing[key] for key in PREPROCESSING})),
    }
    return Recipe(source, {}, state, notes)


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
    fill(network, recipe.state, where=name)
    blocks, tail, tail_modules, pool = FAMILIES.get(type(network), _uncut)(network)
    if type(network) in CONVOLUTIONAL:
        network.to(memory_format=torch.channels_last)
    note = f"no cut points are known for {type(network).__name__}; it works as a frozen extractor"
    transform = _transform(**settings, is_training=False, use_prefetcher=True)
    return Backbone(
        name=name,
        modality="image",
        network=network,
        preparer=ImagePreparer(partial(_resize, transform), settings),
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


def _resize(transform: Callable[[Image.Image], Any], image: Image.Image) -> Pixels:
    """Run timm's own resizing and cropping, which ends in (3, H, W) bytes."""
    return np.moveaxis(np.asarray(transform(image)), 0, -1)


Chain = tuple[Sequence[Block], Callable[[Batch], Tensor], Sequence[nn.Module], Callable[[Batch], Tensor] | None]


def _uncut(network: Network) -> Chain:
    return (), partial(_whole, network), (network,), None


def _whole(network: Network, batch: Batch) -> Tensor:
    return _head(network, (), Batch(network.forward_features(batch.values)))


def _head(network: Network, norms: tuple[nn.Module, ...], batch: Batch) -> Tensor:
    values = batch.values
    for norm in norms:
        values = norm(values)
    return cast(Tensor, network.forward_head(values, pre_logits=True))


def _resnet(network: Network) -> Chain:
    stem = block("stem", network.conv1, network.bn1, network.act1, network.maxpool)
    return (stem, *residual_stages(network)), partial(_head, network, ()), (network.global_pool,), None


def _vgg(network: Network) -> Chain:
    blocks = [*link("features", network.features.named_children()), block("pre_logits", network.pre_logits)]
    return blocks, partial(_vgg_head, network.head), (network.head,), None


def _vgg_head(head: nn.Module, batch: Batch) -> Tensor:
    return cast(Tensor, head(batch.values, pre_logits=True))


def _inverted_residuals(network: Network) -> list[Block]:
    stem = block("stem", network.conv_stem, network.bn1)
    stages = network.blocks.named_children()
    return [stem, *(block(f"blocks.{s}.{b}", unit) for s, stage in stages for b, unit in stage.named_children())]


def _efficientnet(network: Network) -> Chain:
    blocks = [*_inverted_residuals(network), block("conv_head", network.conv_head, network.bn2)]
    return blocks, partial(_head, network, ()), (network.global_pool,), None


def _mobilenetv3(network: Network) -> Chain:
    tail = (network.global_pool, network.conv_head, network.norm_head)
    return _inverted_residuals(network), partial(_head, network, ()), tail, None


def _vit(network: Network) -> Chain:
    parts = [network.patch_embed, network.norm_pre]
    first = Block("embeddings", tuple(parts), partial(_embed, network))
    blocks = [first, *(block(f"blocks.{name}", unit) for name, unit in network.blocks.named_children())]
    tail = [module for module in (network.norm, network.attn_pool, network.fc_norm) if module is not None]
    return blocks, partial(_head, network, (network.norm,)), tail, partial(_pool, network)


def _embed(network: Network, batch: Batch) -> Tensor:
    values = network._pos_embed(network.patch_embed(batch.values))
    return cast(Tensor, network.norm_pre(network.patch_drop(values)))


def _pool(network: Network, batch: Batch) -> Tensor:
    return cast(Tensor, network.pool(batch.values))


FAMILIES: Final[Mapping[type[nn.Module], Callable[[Network], Chain]]] = {
    ResNet: _resnet,
    VGG: _vgg,
    EfficientNet: _efficientnet,
    MobileNetV3: _mobilenetv3,
    VisionTransformer: _vit,
}
CONVOLUTIONAL: Final = {ResNet, VGG, EfficientNet, MobileNetV3}
