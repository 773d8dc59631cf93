"""Workers killed at random during frozen passes: every run completes, with the same result.

    python benchmarks/cluster/faults.py [--runs 20] [--workers 2] [--items 6000] [--backbone toy:text] [-o FILE.json]

A thread kills a worker of the cluster every so often (SIGKILL) while features are computed into an empty store.
"""

import argparse
import json
import os
import random
import signal
import subprocess
import tempfile
import threading
import time
from pathlib import Path

import numpy as np

from headstart.backbones import load
from headstart.data import Dataset
from headstart.engine import open_engine
from headstart.features import FeatureSource, Store


def texts(n: int) -> Dataset:
    rng = np.random.default_rng(0)
    items = tuple(f"{number} " + "word " * int(length) for number, length in enumerate(rng.integers(1, 60, n)))
    return Dataset("text", items, tuple(map(str, range(n))))


def workers() -> list[int]:
    """Processes of this cluster's actors, by the name that Ray gives them."""
    found = subprocess.run(["pgrep", "-f", "ray::_Worker"], capture_output=True, text=True, check=False).stdout
    return [int(line) for line in found.split()]


def kill_now_and_then(stop: threading.Event, rng: random.Random, every: float, killed: list[int]) -> None:
    while not stop.wait(rng.uniform(0.3, 1.7) * every):
        if some := workers():
            killed.append(rng.choice(some))
            try:
                os.kill(killed[-1], signal.SIGKILL)
            except ProcessLookupError:
                killed.pop()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=20)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--items", type=int, default=20_000)
    parser.add_argument("--every", type=float, default=3.0, help="seconds between two deaths, on average")
    parser.add_argument("--backbone", default="toy:text")
    parser.add_argument("-o", "--output", type=Path)
    asked = parser.parse_args()
    backbone, dataset = load(asked.backbone), texts(asked.items)
    found = []
    with tempfile.TemporaryDirectory() as folder, open_engine("ray", workers=asked.workers) as engine:
        expected = FeatureSource(Store(Path(folder) / "here")).features(backbone, dataset)
        for run in range(asked.runs):
            stop, killed, started = threading.Event(), list[int](), time.monotonic()
            rng = random.Random(run)
            killer = threading.Thread(target=kill_now_and_then, args=(stop, rng, asked.every, killed), daemon=True)
            killer.start()
            source = FeatureSource(Store(Path(folder) / f"run{run}"), engine=engine)
            features = source.features(backbone, dataset)
            stop.set()
            killer.join()
            same = bool(np.array_equal(features, expected))
            largest = float(np.abs(features - expected).max())
            row = {"run": run, "killed": len(killed), "same": same, "largest_difference": largest}
            found.append(row | {"computed": source.computed, "seconds": round(time.monotonic() - started, 1)})
            print(found[-1], flush=True)
    if asked.output:
        asked.output.write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
