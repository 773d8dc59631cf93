"""What a network takes to run on one item: milliseconds and megabytes, measured on this machine."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any, final

import torch
from torch import Tensor, nn

from headstart.backbones import Backbone
from headstart.data import Item
from headstart.engine import device_time, keep_freed_memory
from headstart.features._frozen import rough_size

REPETITIONS = 5
MEBIBYTE = 2**20


@final
@dataclass(frozen=True)
class RunningCost:
    """What it takes to run one item.

    Attributes:
        milliseconds: Reading and running one item alone, the median of five.
        memory_megabytes: The weights, and what goes into and comes out of the layer where that is most, in 2^20 bytes.
        weights_megabytes: The weights alone.
    """

    milliseconds: float
    memory_megabytes: float
    weights_megabytes: float


def running_cost(backbone: Backbone, items: Sequence[Item]) -> RunningCost:
    """Measure what one item takes.

    Args:
        backbone: The network; runs in evaluation mode on the device it is on.
        items: At least one item; some of middling length, or the first images, are run.

    Returns:
        Time and memory.
    """
    backbone.network.eval()
    keep_freed_memory()
    chosen = _middling(backbone, items)
    with torch.inference_mode():
        most = _largest_layer(backbone, chosen[0])
        times = [_milliseconds(backbone, item) for item in chosen]
    weights = sum(tensor.nbytes for tensor in backbone.network.state_dict().values()) / MEBIBYTE
    return RunningCost(median(times), weights + most / MEBIBYTE, weights)


def _middling(backbone: Backbone, items: Sequence[Item]) -> list[Item]:
    """Choose items to run; of middling length, because long ones cost more than short ones."""
    if backbone.modality != "image":
        items = sorted(items, key=lambda item: rough_size(item, backbone.modality))
        middle = max(0, len(items) // 2 - REPETITIONS // 2)
        items = items[middle:]
    return [items[n % len(items)] for n in range(REPETITIONS)]


def _milliseconds(backbone: Backbone, item: Item) -> float:
    device = str(backbone.device)
    started = device_time(device)
    backbone.forward_views(backbone.prepare([item]))
    return 1000 * (device_time(device) - started)


def _largest_layer(backbone: Backbone, item: Item) -> int:
    """Run one item and return the bytes that go into and come out of one layer at most."""
    sizes = [0]

    def note(_layer: nn.Module, inputs: tuple[Any, ...], output: Any) -> None:
        sizes.append(sum(t.nbytes for t in (*inputs, output) if isinstance(t, Tensor)))

    layers = [layer for layer in backbone.network.modules() if not any(True for _ in layer.children())]
    hooks = [layer.register_forward_hook(note) for layer in layers]
    try:
        backbone.forward_views(backbone.prepare([item]))
    finally:
        for hook in hooks:
            hook.remove()
    return max(sizes)
