"""Peak memory of the frozen pass against the number of images, each count in a process of its own.

    python benchmarks/memory.py --backbone dir:NETWORK 2000 20000

The images are written by this script: noise on gradients, JPEG, 96 pixels a side. Prints one JSON line per count.
"""

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from PIL import Image


def write_images(folder: Path, n: int) -> list[Path]:
    rng = np.random.default_rng(0)
    base = np.linspace(0, 200, 96)[:, None, None] + np.zeros((96, 96, 3))
    paths = []
    for i in range(n):
        paths.append(folder / f"{i:06d}.jpg")
        pixels = np.clip(base + rng.normal(0, 25, size=base.shape), 0, 255).astype(np.uint8)
        Image.fromarray(pixels).save(paths[-1], quality=80)
    return paths


def extract(backbone: str, n: int) -> dict:
    from headstart import backbones
    from headstart.data import Dataset
    from headstart.features import FeatureSource, Store

    with tempfile.TemporaryDirectory() as folder:
        paths = write_images(Path(folder), n)
        dataset = Dataset("image", tuple(paths), tuple(map(str, paths)))
        started = time.perf_counter()
        FeatureSource(Store(Path(folder) / "store")).ensure(backbones.load(backbone), dataset)
        seconds = time.perf_counter() - started
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {"images": n, "peak_resident_mb": round(peak, 1), "seconds": round(seconds, 1)}


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("counts", nargs="+", type=int)
    parser.add_argument("--backbone", required=True)
    options = parser.parse_args()
    if len(options.counts) == 1:
        print(json.dumps(extract(options.backbone, options.counts[0])), flush=True)
    else:
        for count in options.counts:
            command = [sys.executable, __file__, str(count), "--backbone", options.backbone]
            subprocess.run(command, check=True)
