"""The pictures that `starter:image-small` is pretrained on: Tiny ImageNet at 32 pixels, cut, pasted and coloured anew.

Every batch is a function of (seed, step). Three kinds of canvas:

one     a random part of one picture, enlarged: the only kind with a label
grid    four or nine pictures side by side near their own size: small things, and edges as sharp as the source
leaves  parts of pictures pasted over each other in discs, squares and stripes: sharp edges at every scale

Enlarged 32-pixel pictures are blurred as no camera's picture is; so a part of them is sharpened, and the last two kinds
exist. They have no label, and teach only what the teacher sees in them.
"""

import io
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import pyarrow.parquet as pq
import torch
from PIL import Image
from torch import Tensor
from torch.nn import functional

SIDE: Final = 32
HELD_OUT: Final = 10  # every tenth class, in order of its WordNet id, is never trained on: the card's figures use them
# Nor are bees and German shepherds: pictures of these are in sets that the network is measured on (`overlap.py`).
MEASURED: Final = ("n02206856", "n02106662")


@dataclass(frozen=True)
class Pictures:
    """Pictures as bytes with their labels.

    Attributes:
        values: (N, 3, 32, 32) bytes, RGB.
        labels: (N,) class numbers, in order of WordNet id.
        classes: The WordNet ids.
    """

    values: Tensor
    labels: Tensor
    classes: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.labels)

    def of(self, *, held_out: bool) -> "Pictures":
        """Keep the classes that are held out, or those to train on, and number them anew."""
        chosen = [
            k
            for k, name in enumerate(self.classes)
            if (k % HELD_OUT == HELD_OUT - 1) == held_out and name not in MEASURED
        ]
        number = torch.full((len(self.classes),), -1)
        number[chosen] = torch.arange(len(chosen))
        rows = number[self.labels] >= 0
        return Pictures(self.values[rows], number[self.labels[rows]], tuple(self.classes[k] for k in chosen))


def read(path: Path, split: str) -> Pictures:
    """Read one split of the parquet file."""
    table = pq.read_table(path, columns=["image", "label"], filters=[("split", "=", split)])
    values = np.stack([np.asarray(Image.open(io.BytesIO(each)).convert("RGB")) for each in table["image"].to_pylist()])
    names = table["label"].to_pylist()
    classes = tuple(sorted(set(names)))
    number = {name: k for k, name in enumerate(classes)}
    labels = torch.tensor([number[name] for name in names])
    return Pictures(torch.from_numpy(values).permute(0, 3, 1, 2).contiguous(), labels, classes)


@dataclass(frozen=True)
class Canvases:
    """One batch.

    Attributes:
        values: (N, 3, S, S) between -1 and 1.
        labels: (L,) class numbers of the first L canvases.
        rows: (L,) which picture each of these was cut from.
    """

    values: Tensor
    labels: Tensor
    rows: Tensor


def batch(pictures: Pictures, *, seed: int, step: int, size: int, count: int, side: int) -> Canvases:
    """Draw the canvases of one step.

    Args:
        pictures: Where parts are cut from.
        seed: The run's seed.
        step: The step's number.
        size: How many pictures are drawn with their label ("one").
        count: How many canvases of the other two kinds are drawn.
        side: Height and width of a canvas, in pixels.

    Returns:
        ``size + count`` canvases, the labelled ones first.
    """
    source = torch.Generator().manual_seed(seed * 1_000_003 + step)
    rows = torch.randint(len(pictures), (size,), generator=source)
    values = [_coloured(_enlarged(pictures.values[rows], side, source), source)]
    if count:
        half = count // 2
        values.append(_coloured(_grids(pictures.values, half, side, source), source))
        values.append(_coloured(_leaves(pictures.values, count - half, side, source), source))
    canvases = (torch.cat(values) * 2 - 1).contiguous(memory_format=torch.channels_last)
    return Canvases(canvases, pictures.labels[rows], rows)


def _uniform(n: int, low: float, high: float, source: torch.Generator) -> Tensor:
    return torch.rand(n, generator=source) * (high - low) + low


def _cut(values: Tensor, side: int, area: tuple[float, float], source: torch.Generator) -> Tensor:
    """Cut a random part out of each of (N, 3, 32, 32) bytes, mirror half of them, and resize to (side, side)."""
    n = len(values)
    share = _uniform(n, *area, source)
    ratio = torch.exp(_uniform(n, -0.29, 0.29, source))
    width, height = (share * ratio).sqrt().clamp(max=1), (share / ratio).sqrt().clamp(max=1)
    x, y = (_uniform(n, -1, 1, source) * (1 - extent) for extent in (width, height))
    mirror = torch.where(torch.rand(n, generator=source) < 0.5, -1.0, 1.0)
    theta = torch.zeros(n, 2, 3)
    theta[:, 0, 0], theta[:, 0, 2], theta[:, 1, 1], theta[:, 1, 2] = width * mirror, x, height, y
    grid = functional.affine_grid(theta, [n, 3, side, side], align_corners=False)
    floats = values.float().div_(255).contiguous(memory_format=torch.channels_last)
    return functional.grid_sample(floats, grid, mode="bilinear", padding_mode="reflection", align_corners=False)


def _enlarged(values: Tensor, side: int, source: torch.Generator) -> Tensor:
    canvases = _cut(values, side, (0.35, 1.0), source)
    # Unsharp masking by a random amount, on half of them.
    amount = _uniform(len(canvases), -2, 2, source).clamp(min=0)[:, None, None, None]
    blurred = functional.avg_pool2d(functional.pad(canvases, (2, 2, 2, 2), mode="replicate"), 5, stride=1)
    return (canvases + amount * (canvases - blurred)).clamp_(0, 1)


def _grids(values: Tensor, n: int, side: int, source: torch.Generator) -> Tensor:
    cells = int(torch.randint(2, 4, (1,), generator=source))
    cell = -(-side // cells)
    rows = torch.randint(len(values), (n * cells * cells,), generator=source)
    parts = _cut(values[rows], cell, (0.4, 1.0), source).reshape(n, cells, cells, 3, cell, cell)
    return parts.permute(0, 3, 1, 4, 2, 5).reshape(n, 3, cells * cell, cells * cell)[:, :, :side, :side]


def _leaves(values: Tensor, n: int, side: int, source: torch.Generator) -> Tensor:
    """Paste four layers in random shapes over a first one."""
    line = torch.linspace(-1, 1, side)
    canvas = _cut(values[torch.randint(len(values), (n,), generator=source)], side, (0.1, 1.0), source)
    for _ in range(4):
        rows = torch.randint(len(values), (n,), generator=source)
        layer = _cut(values[rows], side, (0.05, 1.0), source)
        x, y = (line - _uniform(n, -1, 1, source)[:, None] for _ in range(2))
        angle = _uniform(n, 0, np.pi, source)[:, None, None]
        u = x[:, None, :] * angle.cos() + y[:, :, None] * angle.sin()
        v = y[:, :, None] * angle.cos() - x[:, None, :] * angle.sin()
        radius = torch.exp(_uniform(n, -2.5, -0.2, source))[:, None, None]
        kind = torch.randint(3, (n, 1, 1), generator=source)
        disc, square = (u * u + v * v).sqrt() - radius, torch.maximum(u.abs(), v.abs()) - radius
        distance = torch.where(kind == 0, disc, torch.where(kind == 1, square, u.abs() - radius / 3))
        canvas = torch.where((distance < 0)[:, None], layer, canvas)
    return canvas


def _coloured(canvases: Tensor, source: torch.Generator) -> Tensor:
    """Leave half as they are; of the rest change brightness, contrast and colour, make some gray, negative or noisy."""
    n = len(canvases)
    original = canvases
    each = (n, 1, 1, 1)
    gray = (canvases * torch.tensor([0.299, 0.587, 0.114])[:, None, None]).sum(1, keepdim=True)
    saturation = _uniform(n, 0.4, 1.6, source)
    saturation[torch.rand(n, generator=source) < 0.3] = 0
    canvases = torch.lerp(gray, canvases, saturation.reshape(each))
    contrast = _uniform(n, 0.6, 1.4, source).reshape(each)
    mean = canvases.mean((1, 2, 3), keepdim=True)
    tint = (torch.rand(n, 3, 1, 1, generator=source) - 0.5) * 0.2
    tint = tint * (saturation > 0).reshape(each)
    canvases = (canvases - mean) * contrast + mean * _uniform(n, 0.6, 1.4, source).reshape(each) + tint
    negative = (torch.rand(n, generator=source) < 0.1).reshape(each)
    canvases = torch.where(negative, 1 - canvases, canvases)
    noise = _uniform(n, -0.15, 0.08, source).clamp(min=0).reshape(each)
    changed = (canvases + noise * torch.randn(canvases.shape, generator=source)).clamp_(0, 1)
    return torch.where(torch.rand(each, generator=source) < 0.5, original, changed)
