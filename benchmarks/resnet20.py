"""ResNet-20 for pictures of 32 by 32 pixels as a backbone; neither timm nor torchvision has it.

    from resnet20 import load
    backbone = load(Path("weights/resnet20.cifar10"))

He et al., "Deep Residual Learning for Image Recognition", CVPR 2016, section 4.2. The shortcut is option A there: where
a stage begins, every second pixel, with zeros for the new channels, half of them on either side.
"""

import json
from collections import OrderedDict
from functools import partial
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from safetensors.torch import load_file
from torch import Tensor, nn

from headstart.backbones import Backbone


class Unit(nn.Module):
    """Two convolutions and a shortcut."""

    def __init__(self, narrow: int, wide: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(narrow, wide, 3, stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(wide)
        self.conv2 = nn.Conv2d(wide, wide, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(wide)
        self.stride, self.pad = stride, (wide - narrow) // 2

    def forward(self, values: Tensor) -> Tensor:
        inner = self.bn2(self.conv2(self.bn1(self.conv1(values)).relu()))
        shortcut = values[:, :, :: self.stride, :: self.stride]
        return (inner + nn.functional.pad(shortcut, (0, 0, 0, 0, self.pad, self.pad))).relu()


def load(folder: Path) -> Backbone:
    """Read config.json and model.safetensors; the blocks are conv1 and layer1.0 to layer3.2, the features 64 wide."""
    config = json.loads((folder / "config.json").read_text("utf-8"))
    state = load_file(folder / "model.safetensors")
    width = config["stem"]["channels"]
    stem = OrderedDict(conv1=nn.Conv2d(3, width, 3, padding=1, bias=False), bn1=nn.BatchNorm2d(width), relu=nn.ReLU())
    blocks: list[tuple[str, nn.Module]] = [("conv1", nn.Sequential(stem))]
    blocks[0][1].load_state_dict({name: value for name, value in state.items() if name.startswith(("conv1.", "bn1."))})
    for stage in config["stages"]:
        for i in range(stage["blocks"]):
            unit = Unit(width, stage["channels"], stage["first_stride"] if i == 0 else 1)
            name, width = f"{stage['name']}.{i}", stage["channels"]
            unit.load_state_dict({n.removeprefix(f"{name}."): v for n, v in state.items() if n.startswith(f"{name}.")})
            blocks.append((name, unit))
    return Backbone.from_module(blocks, partial(prepare, config), name="resnet20.cifar10")


def prepare(config: dict, image: Image.Image) -> Tensor:
    height, width = config["input_size"][1:]
    pixels = np.asarray(image.resize((width, height), Image.Resampling.BILINEAR), dtype=np.float32) / 255
    values = (pixels - np.float32(config["mean"])) / np.float32(config["std"])
    return torch.from_numpy(values).permute(2, 0, 1).contiguous()
