"""Frozen passes on a cluster of this machine against the same passes in one process.

    python benchmarks/cluster/overhead.py DATA [--backbone NAME] [--workers 2] [--repeats 3] [-o FILE.json]

DATA is a folder or table as the commands read it. Both begin with an empty store; the cluster is up and its workers
have imported and run a few items before the clock starts, and what that took is told by itself. Without a cluster
PyTorch has as many threads as there are workers.
"""

import argparse
import json
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch

from headstart.backbones import Backbone, load
from headstart.data import Dataset
from headstart.data import load as load_data
from headstart.engine import Engine, LocalEngine, open_engine
from headstart.features import FeatureSource, Store


def timed(backbone: Backbone, dataset: Dataset, engine: Engine, folder: Path) -> tuple[float, Any]:
    started = time.perf_counter()
    features = FeatureSource(Store(folder), engine=engine).features(backbone, dataset)
    return time.perf_counter() - started, features


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data")
    parser.add_argument("--backbone", default="starter:minilm-l6")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--items", type=int, help="at most so many, repeated with a number where there are fewer texts")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("-o", "--output", type=Path)
    asked = parser.parse_args()
    backbone, dataset = load(asked.backbone), load_data(asked.data)
    if asked.items:
        dataset = some(dataset, asked.items)
    dataset.hashes  # noqa: B018 - read once, before any clock
    started = time.perf_counter()
    engine = open_engine("ray", workers=asked.workers)
    up = time.perf_counter() - started
    found: dict[str, Any] = {"items": len(dataset), "workers": asked.workers, "seconds_until_up": round(up, 1)}
    with engine, tempfile.TemporaryDirectory() as folder:
        started = time.perf_counter()
        timed(backbone, dataset.take(range(asked.workers * 4)), engine, Path(folder) / "warm")
        timed(backbone, dataset.take(range(asked.workers * 4)), LocalEngine(), Path(folder) / "warm-here")
        found["seconds_until_warm"] = round(time.perf_counter() - started, 1)
        rows = []
        for turn in range(asked.repeats):
            torch.set_num_threads(asked.workers)
            here, ours = timed(backbone, dataset, LocalEngine(), Path(folder) / f"here{turn}")
            torch.set_num_threads(1)
            there, theirs = timed(backbone, dataset, engine, Path(folder) / f"there{turn}")
            difference = float(np.abs(ours - theirs).max() / np.abs(ours).max())
            rows.append({"local": round(here, 2), "ray": round(there, 2), "ratio": round(there / here, 3)})
            rows[-1]["largest_difference"] = difference
            print(rows[-1], flush=True)
        found["runs"] = rows
    print(json.dumps(found, indent=1))
    if asked.output:
        asked.output.write_text(json.dumps(found, indent=1) + "\n")


def some(dataset: Dataset, n: int) -> Dataset:
    if len(dataset) >= n or dataset.modality != "text":
        return dataset.take(range(min(n, len(dataset))))
    items = tuple(f"{dataset.items[i % len(dataset)]} {i}" for i in range(n))
    return Dataset("text", items, tuple(map(str, range(n))))


if __name__ == "__main__":
    main()
