"""What the image families share: preparing pictures, and chains of modules that map one tensor to the next.

Pictures are decoded and resized one at a time, in threads: those of 8 bits to bytes, which are four times smaller to
hand over, others to floats, of which nothing is rounded. Normalising happens once for the whole batch, which is
cheaper.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, final

import torch
from PIL import Image
from torch import Tensor, nn

from headstart.backbones._base import Block
from headstart.backbones._batch import Batch
from headstart.data import Item, PixelScale
from headstart.runtime.pictures import Pixels, Planes, read_resized, stack_pixels


@final
@dataclass(frozen=True, eq=False)
class ImagePreparer:
    """Decodes, resizes and normalises pictures.

    Attributes:
        resize: An image of mode RGB or F to one of the same mode, and of one size for all images.
        settings: What `resize` does, with ``mean`` and ``std`` of the values in [0, 1], one for each channel.
        chunk: Images are decoded one a call.
        scale: How pixels of more than 8 bits are scaled, and how many channels there are; None where all pictures
            become 8-bit RGB.
        change: What is done to a picture before it is resized.
    """

    resize: Callable[[Image.Image], Image.Image]
    settings: Mapping[str, Any]
    chunk: int = 1
    scale: PixelScale | None = None
    change: Callable[[Planes], Planes] | None = None

    def read(self, items: Sequence[Item]) -> list[Pixels]:
        """Decode and resize."""
        return [read_resized(item, self.resize, self.scale, self.change) for item in items]

    def cost(self, prepared: Pixels) -> int:
        """Count the pixels."""
        return int(prepared.shape[0] * prepared.shape[1])

    def collate(self, prepared: Sequence[Pixels]) -> Batch:
        """Stack and normalise; (N, C, H, W) with the channels last in memory, as the pixels lie."""
        mean, std = (torch.tensor(self.settings[key]).mul(255)[:, None, None] for key in ("mean", "std"))
        values = torch.from_numpy(stack_pixels(prepared, len(mean))).permute(0, 3, 1, 2).float()
        return Batch(values.sub_(mean).div_(std))


def block(name: str, *modules: nn.Module) -> Block:
    """Make a block of modules that run one after the other."""
    return Block(name, modules, partial(_run, modules))


def _run(modules: tuple[nn.Module, ...], batch: Batch) -> Tensor:
    values = batch.values
    for module in modules:
        values = module(values)
    return values


def link(prefix: str, modules: Iterable[tuple[str, nn.Module]]) -> list[Block]:
    """Cut a plain sequence of layers before every layer that has weights of its own.

    Activations and pooling stay with the layer before them, so that what is stored at a cut is small; so does
    BatchNorm. The block carries the name of its last layer.

    Args:
        prefix: Put before the names.
        modules: The layers by name, input to output.

    Returns:
        The blocks.
    """
    groups: list[list[tuple[str, nn.Module]]] = []
    for name, module in modules:
        opens = any(True for _ in module.parameters()) and not isinstance(module, nn.BatchNorm2d)
        if opens or not groups:
            groups.append([])
        groups[-1].append((name, module))
    return [block(f"{prefix}.{group[-1][0]}", *(module for _, module in group)) for group in groups]


def residual_stages(network: nn.Module) -> list[Block]:
    """Cut a ResNet after each of its residual units; timm and torchvision name them alike."""
    stages = [(f"layer{i}", network.get_submodule(f"layer{i}")) for i in range(1, 5)]
    return [block(f"{stage}.{i}", unit) for stage, units in stages for i, unit in units.named_children()]
