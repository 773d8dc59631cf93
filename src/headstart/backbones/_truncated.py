"""A network cut off after one of its blocks: a shallower candidate from the same weights.

What the first blocks have learned serves far more data than what the last have. Raghu et al., "Transfusion:
Understanding Transfer Learning for Medical Imaging", NeurIPS 2019, found on medical images that most of what
pretraining gives lies in the lowest layers, and that the upper ones can be cut down at no cost.

Here nothing is put on top: the features are the activations of the last block that is kept, pooled. A final norm of
the whole network is fitted to its last block and is not carried over to an earlier one.
"""

from collections.abc import Sequence
from copy import deepcopy
from dataclasses import replace
from functools import partial
from typing import Any, Final

import numpy as np
import torch
from torch import Tensor, nn

from headstart.backbones._base import Backbone
from headstart.backbones._batch import Batch
from headstart.backbones._module import examples
from headstart.backbones._tensors import tensors_of
from headstart.backbones._texts import pool_tokens
from headstart.errors import BackboneError

NOTE: Final = "cut off after "


def truncated(backbone: Backbone, after: str) -> Backbone:
    """Do what `Backbone.truncated` says."""
    kept = backbone._position(after)
    if kept == len(backbone.blocks):
        return backbone
    # Parameters of their own over shared memory: moving this one says nothing about the whole network.
    memo: dict[int, Any] = {
        id(parameter): nn.Parameter(parameter.detach(), requires_grad=False)
        for parameter in backbone.network.parameters()
    }
    network, blocks, parts, pool = deepcopy(
        (backbone.network, backbone.blocks, backbone.tail_modules, backbone.pool), memo
    )
    network.eval()
    before = backbone.source.get("after")
    short = replace(
        backbone,
        name=f"{backbone.name.removesuffix(f'#{before}')}#{after}",
        network=network,
        blocks=blocks[:kept],
        tail=pool or partial(_average, blocks[kept - 1].space),
        pool=pool,
        source={**backbone.source, "after": after},
        notes=(*(note for note in backbone.notes if not note.startswith(NOTE)), f"{NOTE}{after}"),
        source_head=None,
    )
    width, tail_modules = _run(short, parts)
    used = tensors_of([*(module for block in short.blocks for module in block.modules), *tail_modules])
    later = tensors_of([*(module for block in blocks[kept:] for module in block.modules), *parts])
    _remove(network, later - used)
    return replace(short, num_features=width, tail_modules=tail_modules)


def _run(short: Backbone, parts: Sequence[nn.Module]) -> tuple[int, tuple[nn.Module, ...]]:
    """Run one item: find the width of the features, and which parts of the tail pooling uses."""
    called: list[nn.Module] = []
    hooks = [part.register_forward_pre_hook(lambda module, _: called.append(module)) for part in parts]
    try:
        with torch.no_grad():
            activations = short.forward_to(short.prepare([_example(short)]), short.cuts[-1])
            shape = tuple(activations.values.shape)
            if short.pool is None and len(shape) not in (2, 4):
                fix = f"Choose another of its cut points: {', '.join(short.cuts)}."
                problem = f"expected activations of shape (N, D) or (N, D, H, W), found {shape}"
                raise BackboneError(problem, where=short.name, fix=fix)
            width = short.tail(activations).shape[1]
    finally:
        for hook in hooks:
            hook.remove()
    return width, tuple(part for part in parts if part in called)


def _example(short: Backbone) -> Any:
    """Return an item that it can read: of pictures one with its channels."""
    example, pixels = examples(short.modality)[0], short.pixels
    if pixels is None or pixels.channels == 3:
        return example
    return np.resize(np.asarray(example), (60, 90, pixels.channels))


def _average(space: tuple[int, int], batch: Batch) -> Tensor:
    values = batch.values.mean(space) if batch.values.ndim == 4 else batch.values
    return values if batch.owner is None else pool_tokens("mean", Batch(values[:, None], None, batch.owner))


def _remove(parent: nn.Module, unused: set[int]) -> None:
    """Put nothing in the place of every module that has weights, all of them unused; the others keep their names."""
    for name, child in list(parent.named_children()):
        own = tensors_of([child])
        if own and own <= unused:
            setattr(parent, name, nn.Identity())
        elif own & unused:
            _remove(child, unused)
