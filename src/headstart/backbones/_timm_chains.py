"""Where timm's image networks can be cut: one function per class of network; timm itself is not imported.

Every function returns a `Chain`. A unit is the smallest part whose output is one tensor (a residual unit, a layer of a
transformer), and there is a cut after each. What makes a picture smaller between two stages goes with the first unit
after it.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, cast

from torch import Tensor, nn

from headstart.backbones._base import Block
from headstart.backbones._batch import Batch
from headstart.backbones._images import block, link, residual_stages

Network = Any  # timm's classes share these attributes by custom, not by type
# Blocks, the tail, the modules it uses, and what pools the output of any block where all are equally wide.
Chain = tuple[Sequence[Block], Callable[[Batch], Tensor], Sequence[nn.Module], Callable[[Batch], Tensor] | None]


def uncut(network: Network) -> Chain:
    """Run the network as a whole."""
    return (), partial(_whole, network), (network,), None


def _whole(network: Network, batch: Batch) -> Tensor:
    return _head(network, (), Batch(network.forward_features(batch.values)))


def _head(network: Network, norms: tuple[nn.Module, ...], batch: Batch) -> Tensor:
    values = batch.values
    for norm in norms:
        values = norm(values)
    return cast(Tensor, network.forward_head(values, pre_logits=True))


def resnet(network: Network) -> Chain:
    """Cut after the stem and every residual unit."""
    stem = block("stem", network.conv1, network.bn1, network.act1, network.maxpool)
    return (stem, *residual_stages(network)), partial(_head, network, ()), (network.global_pool,), None


def regnet(network: Network) -> Chain:
    """Cut after the stem and every residual unit."""
    stages = ((f"s{i}", network.get_submodule(f"s{i}")) for i in range(1, 5))
    units = [block(f"{stage}.{name}", unit) for stage, inner in stages for name, unit in inner.named_children()]
    tail = (network.final_conv, network.head)
    return [block("stem", network.stem), *units], partial(_head, network, tail[:1]), tail, None


def vgg(network: Network) -> Chain:
    """Cut before every layer with weights of its own."""
    blocks = [*link("features", network.features.named_children()), block("pre_logits", network.pre_logits)]
    return blocks, partial(_vgg_head, network.head), (network.head,), None


def _vgg_head(head: nn.Module, batch: Batch) -> Tensor:
    return cast(Tensor, head(batch.values, pre_logits=True))


def _inverted_residuals(network: Network) -> list[Block]:
    stem = block("stem", network.conv_stem, network.bn1)
    stages = network.blocks.named_children()
    return [stem, *(block(f"blocks.{s}.{b}", unit) for s, stage in stages for b, unit in stage.named_children())]


def efficientnet(network: Network) -> Chain:
    """Cut after the stem, every inverted residual and the last convolution."""
    blocks = [*_inverted_residuals(network), block("conv_head", network.conv_head, network.bn2)]
    return blocks, partial(_head, network, ()), (network.global_pool,), None


def mobilenetv3(network: Network) -> Chain:
    """Cut after the stem and every inverted residual; the last convolution follows the pooling."""
    tail = (network.global_pool, network.conv_head, network.norm_head)
    return _inverted_residuals(network), partial(_head, network, ()), tail, None


def convnext(network: Network) -> Chain:
    """Cut after the stem and every residual unit."""
    blocks = [block("stem", network.stem), *_staged("stages", network.stages)]
    return blocks, partial(_head, network, (network.norm_pre,)), (network.norm_pre, network.head), None


def swin(network: Network) -> Chain:
    """Cut after the embeddings and every layer."""
    chain = [block("embeddings", network.patch_embed), *_staged("layers", network.layers)]
    blocks = [replace(each, space=(1, 2)) for each in chain]  # the channels come last
    return blocks, partial(_head, network, (network.norm,)), (network.norm, network.head), None


def _staged(prefix: str, stages: nn.Module) -> list[Block]:
    blocks = []
    for name, stage in stages.named_children():
        before: tuple[nn.Module, ...] = (stage.get_submodule("downsample"),)
        for inner, unit in stage.get_submodule("blocks").named_children():
            blocks.append(block(f"{prefix}.{name}.blocks.{inner}", *before, unit))
            before = ()
    return blocks


def vit(network: Network) -> Chain:
    """Cut after the embeddings and every layer."""
    first = Block("embeddings", (network.patch_embed, network.norm_pre), partial(_embed, network))
    blocks = [first, *(block(f"blocks.{name}", unit) for name, unit in network.blocks.named_children())]
    return blocks, partial(_head, network, (network.norm,)), _after_layers(network), partial(_pool, network)


def distilled(network: Network) -> Chain:
    """Cut a ViT that also learned from a teacher; its features are the mean of its two first tokens."""
    blocks, tail, tail_modules, _ = vit(network)
    return blocks, tail, tail_modules, _pool_two


def _pool_two(batch: Batch) -> Tensor:
    return batch.values[:, :2].mean(1)


def _embed(network: Network, batch: Batch) -> Tensor:
    values = network._pos_embed(network.patch_embed(batch.values))
    return cast(Tensor, network.norm_pre(network.patch_drop(values)))


def _pool(network: Network, batch: Batch) -> Tensor:
    return cast(Tensor, network.pool(batch.values))


def _after_layers(network: Network) -> list[nn.Module]:
    parts = (network.norm, getattr(network, "attn_pool", None), network.fc_norm)
    return [module for module in parts if module is not None]


def eva(network: Network, size: tuple[int, int]) -> Chain:
    """Cut a ViT with rotary positions (EVA, DINOv3) after the embeddings and every layer.

    Args:
        network: The network.
        size: Height and width of all pictures. Every layer turns its tokens by their places in the picture, which what
            is stored at a cut does not tell.

    Returns:
        The chain; without cuts where the rotations are learned layer by layer.
    """
    if getattr(network, "rope_mixed", False):
        return uncut(network)
    norm = getattr(network, "norm_pre", nn.Identity())  # versions of timm before DINOv3 have none
    # Rotations have no weights, only constants that all layers read; they count with the embeddings.
    modules = [module for module in (network.patch_embed, norm, network.rope) if module is not None]
    grid = tuple(network.patch_embed.dynamic_feat_size(size))
    first = Block("embeddings", tuple(modules), partial(_embed_rotary, network, norm))
    layers = network.blocks.named_children()
    blocks = [
        first,
        *(Block(f"blocks.{i}", (layer,), partial(_run_rotary, network, layer, grid)) for i, layer in layers),
    ]
    pool = partial(_pool, network) if hasattr(network, "pool") else None
    return blocks, partial(_head, network, (network.norm,)), _after_layers(network), pool


def _embed_rotary(network: Network, norm: nn.Module, batch: Batch) -> Tensor:
    values, _ = network._pos_embed(network.patch_embed(batch.values))
    return cast(Tensor, norm(values))


def _run_rotary(network: Network, layer: nn.Module, grid: tuple[int, ...], batch: Batch) -> Tensor:
    return cast(Tensor, layer(batch.values, rope=_rotations(network, grid)))


def _rotations(network: Network, grid: tuple[int, ...]) -> Tensor | None:
    """Ask for the rotations as the network does: kept for one grid of patches, or made for the one at hand."""
    if network.rope is None:
        return None
    kept = not network.dynamic_img_size and hasattr(network.rope, "feat_shape")
    return cast(Tensor, network.rope.get_embed() if kept else network.rope.get_embed(shape=grid))
