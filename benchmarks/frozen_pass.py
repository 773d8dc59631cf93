"""Frozen pass through `headstart fit`'s own path against the bare network, side by side in one run.

    python benchmarks/frozen_pass.py text  TRAIN.csv
    python benchmarks/frozen_pass.py image FOLDER --backbone dir:NETWORK

Text: the bare network runs the same token ids, sorted by length, at its best batch size. Images: what decoding plus
forward allow is 1 / (1 / decoding rate + 1 / forward rate), each alone on all processors, the forward at its best batch
size. Ours reads, hashes, prepares, computes and stores. Each is run several times in turn; medians are printed as JSON.
"""

import argparse
import json
import os
import platform
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import torch

from headstart import backbones, data
from headstart.engine import LocalEngine, Resources, keep_freed_memory
from headstart.features import FeatureSource, Store


def rate(work: Callable[[], object], n: int) -> float:
    """Items per second of one call."""
    started = time.perf_counter()
    work()
    return n / (time.perf_counter() - started)


def chunks(values: list, size: int) -> list:
    return [values[i : i + size] for i in range(0, len(values), size)]


def forward_all(backbone: backbones.Backbone, batches: list) -> None:
    with torch.inference_mode():
        for batch in batches:
            backbone.forward(batch)


def bare_text(backbone: backbones.Backbone, items: list, batch_size: int) -> list:
    prepared = sorted(backbone.preparer.read(items), key=backbone.preparer.cost, reverse=True)
    return [backbone.preparer.collate(part) for part in chunks(prepared, batch_size)]


def bare_images(backbone: backbones.Backbone, items: list, batch_size: int) -> list:
    prepared = backbone.preparer.read(items[: 4 * batch_size])
    return [backbone.preparer.collate(part) for part in chunks(prepared, batch_size)]


def ours(backbone: backbones.Backbone, dataset: data.Dataset) -> None:
    with tempfile.TemporaryDirectory() as folder:
        FeatureSource(Store(Path(folder))).ensure(
            backbone, data.Dataset(dataset.modality, dataset.items, dataset.places)
        )


def decode(backbone: backbones.Backbone, items: list) -> None:
    for _ in LocalEngine().map(lambda item: backbone.preparer.read([item]), items, resources=Resources(ahead=64)):
        pass


def measure(modality: str, source: str, name: str, repeats: int) -> dict:
    backbone = backbones.load(name)
    dataset = data.load(source)
    if dataset.parts:
        dataset = dataset.take(i for i, part in enumerate(dataset.parts) if part == "train")
    items = list(dataset.items)
    make = bare_text if modality == "text" else bare_images
    rates: dict[str, list[float]] = {"ours": []}
    batches = {size: make(backbone, items, size) for size in (8, 16, 32, 64, 128, 256)}
    forward_all(backbone, batches[32])
    for size, prepared in batches.items():
        n = sum(len(batch.values) for batch in prepared)
        plain = rate(lambda p=prepared: forward_all(backbone, p), n)
        rates[f"bare at {size}, memory handed back after every batch"] = [plain]
    keep_freed_memory()
    for _ in range(repeats):
        for size, prepared in batches.items():
            n = sum(len(batch.values) for batch in prepared)
            rates.setdefault(f"bare at {size}", []).append(rate(lambda p=prepared: forward_all(backbone, p), n))
        rates["ours"].append(rate(lambda: ours(backbone, dataset), len(items)))
        if modality == "image":
            rates.setdefault("decode", []).append(rate(lambda: decode(backbone, items), len(items)))
    medians = {what: statistics.median(values) for what, values in rates.items()}
    bare = [what for what in medians if what.startswith("bare") and "memory" not in what]
    best = max(bare, key=medians.__getitem__)
    allowed = medians[best]
    if modality == "image":
        allowed = 1 / (1 / medians["decode"] + 1 / medians[best])
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False)
    return {
        "backbone": name, "items": len(items), "repeats": repeats, "per second (medians)": medians, "best": best,
        "allowed": allowed, "ratio": medians["ours"] / allowed, "torch": torch.__version__, "threads":
        torch.get_num_threads(), "processors": len(os.sched_getaffinity(0)), "machine": platform.processor() or
        platform.machine(), "commit": commit.stdout.strip(),
    }  # fmt: skip


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("modality", choices=["text", "image"])
    parser.add_argument("source")
    parser.add_argument("--backbone", default="starter:minilm-l6")
    parser.add_argument("--repeats", type=int, default=5)
    options = parser.parse_args()
    print(json.dumps(measure(options.modality, options.source, options.backbone, options.repeats), indent=1))
