#!/usr/bin/env python3
"""Look for pictures that `starter:image-small` is measured on among those that it was pretrained on.

    python -m recipes.image_small.overlap --data tiny-imagenet-32.parquet --folder images/hymenoptera images/pacs/photo

Public sets are often drawn from one source, under other names and at other sizes. The pictures of a folder, each whole
and its middle square, and those of the pretraining are brought to 16 x 16 pixels; how alike two of them are is the
correlation of their pixels. Those from 0.9 on are printed as JSON, the most alike first. From 0.97 on they are nearly
always the same picture; look at what is below. A part of a picture is not found in the whole.
"""

import argparse
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.nn import functional

from recipes.image_small import pictures

SIDE: Final = 16
ALIKE: Final = 0.9
AT_ONCE: Final = 100  # pictures of a folder
SUFFIXES: Final = (".jpg", ".jpeg", ".png")


def described(values: Tensor) -> Tensor:
    """Turn (N, 3, S, S) pixels, S a multiple of 16, into rows of length 1 with mean 0."""
    rows = functional.adaptive_avg_pool2d(values.float(), SIDE).flatten(1)
    return functional.normalize(rows - rows.mean(1, keepdim=True))


def views(path: Path) -> Tensor:
    """Return the whole picture and its middle square, (2, 768)."""
    picture = Image.open(path).convert("RGB")
    width, height = picture.size
    left, upper = max(0, width - height) / 2, max(0, height - width) / 2
    seen = [
        picture.resize((SIDE, SIDE), Image.Resampling.BOX, box=box)
        for box in ((0, 0, width, height), (left, upper, width - left, height - upper))
    ]
    return described(torch.from_numpy(np.stack([np.asarray(each) for each in seen])).permute(0, 3, 1, 2))


def alike(paths: list[Path], data: pictures.Pictures) -> Iterator[tuple[float, Path, str]]:
    """Yield how alike each picture and the nearest of the pretraining are, and that one's class."""
    known = torch.cat([described(part) for part in data.values.split(5000)])
    for start in range(0, len(paths), AT_ONCE):
        some = paths[start : start + AT_ONCE]
        best, rows = (torch.stack([views(path) for path in some]) @ known.T).amax(1).max(1)
        for path, value, row in zip(some, best.tolist(), rows.tolist(), strict=True):
            yield value, path, data.classes[data.labels[row]]


def main() -> None:
    """Print what was found, a folder a line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--folder", type=Path, required=True, nargs="+", help="with its sub-folders")
    options = parser.parse_args()
    data = pictures.read(options.data, "train").of(held_out=False)
    for folder in options.folder:
        paths = sorted(path for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES)
        found = sorted((each for each in alike(paths, data) if each[0] >= ALIKE), key=lambda each: (-each[0], each[1]))
        rows = [[round(value, 3), path.relative_to(folder).as_posix(), name] for value, path, name in found]
        print(json.dumps({"folder": str(folder), "pictures": len(paths), "alike": rows}), flush=True)


if __name__ == "__main__":
    main()
