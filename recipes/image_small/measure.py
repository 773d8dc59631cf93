#!/usr/bin/env python3
"""Measure a pretrained network on what its pretraining kept out: 20 classes, by a linear probe on 10 and 50 per class.

    python -m recipes.image_small.measure --data tiny-imagenet-32.parquet --folder runs/image

The recipe's settings were chosen by these figures alone, on runs of a twentieth of its length.
"""

import argparse
import json
from pathlib import Path

import numpy as np
import timm
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from torch.nn import functional

from recipes.image_small import pictures
from recipes.image_small.train import ARCHITECTURE


def network(folder: str) -> torch.nn.Module:
    """Build the network of a folder; ``random`` takes the recipe's architecture without its weights."""
    if folder == "random":
        torch.manual_seed(0)
        return timm.create_model(ARCHITECTURE, num_classes=0).eval()
    return timm.create_model(f"local-dir:{folder}", pretrained=True, num_classes=0).eval()


@torch.no_grad()
def features(net: torch.nn.Module, values: torch.Tensor, side: int) -> np.ndarray:
    """Return the pooled features of enlarged pictures."""
    net = net.to(memory_format=torch.channels_last)
    rows = []
    for part in values.split(128):
        pixels = functional.interpolate(part.float() / 127.5 - 1, size=side, mode="bicubic", antialias=True)
        rows.append(net(pixels.contiguous(memory_format=torch.channels_last)))
    return torch.cat(rows).numpy()


def accuracies(
    train: tuple[np.ndarray, np.ndarray], test: tuple[np.ndarray, np.ndarray], n: int, draws: int
) -> list[float]:
    """Probe with n per class, several draws."""
    found = []
    for seed in range(draws):
        source = np.random.default_rng(seed)
        rows = np.concatenate([source.permutation(np.flatnonzero(train[1] == k))[:n] for k in np.unique(train[1])])
        probe = make_pipeline(StandardScaler(), LogisticRegression(C=0.01, max_iter=500)).fit(
            train[0][rows], train[1][rows]
        )
        found.append(float(probe.score(*test)))
    return found


def main() -> None:
    """Print the figures as JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", required=True)
    parser.add_argument("--folder", required=True, nargs="+", help="folders in timm's layout, or random")
    parser.add_argument("--side", type=int, nargs="+", default=[128])
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    parts = [pictures.read(Path(options.data), split).of(held_out=True) for split in ("train", "val")]
    few = torch.cat([torch.nonzero(parts[0].labels == k)[:150, 0] for k in range(len(parts[0].classes))])
    for folder in options.folder:
        net = network(folder)
        for side in options.side:
            train = features(net, parts[0].values[few], side), parts[0].labels[few].numpy()
            test = features(net, parts[1].values, side), parts[1].labels.numpy()
            figures = {n: accuracies(train, test, n, 5) for n in (10, 50)}
            shown = {
                f"{n} per class": [round(float(np.mean(v)), 3), round(float(np.std(v)), 3)] for n, v in figures.items()
            }
            print(json.dumps({"folder": folder, "side": side, **shown}), flush=True)


if __name__ == "__main__":
    main()
