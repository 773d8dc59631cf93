"""Training from stored activations at the cut against the same network trained end to end, step by step.

    python -m benchmarks.exactness --mobilenet FOLDER --images FOLDER --minilm starter:minilm-l6 --texts FOLDER

For every network, 50 steps of fine-tuning three times from one head, in float32: from stored activations, with the
frozen part live, and by a plain loop (`tests/reference/training.py`) that knows nothing of cuts. Printed: the largest
relative difference of the losses, and of the predictions for other items, to each of the latter two. Networks whose
weights are not named are left out; random ones of three more families are always run.

Rounding grows in training: on 60 photos, MobileNetV2 whose head starts one bit off ends 4e-3 off in its losses and
9e-3 in its predictions, so differences of that size between two orders of the same sums mean nothing.
"""

import argparse
import json
import os
import tempfile
from pathlib import Path

import torch
from tests.backbones.families import make
from tests.strategies.small import data_for, three_ways

from headstart import data
from headstart.backbones import Backbone, load
from headstart.data import Dataset
from headstart.strategies import FineTune

RANDOM = {"resnet": 3, "vit-token": 1, "gpt2": 1}


def sample(source: str, train: int, test: int) -> tuple[Dataset, Dataset]:
    """Every k-th labelled example, so that all classes are there."""
    dataset = data.load(source)
    step = max(1, len(dataset) // (train + test))
    rows = list(range(0, step * (train + test), step))[: train + test]
    return dataset.take(rows[::2][:train] + rows[1::2][test:]), dataset.take(rows[1::2][:test])


def compare(backbone: Backbone, train: Dataset, test: Dataset, strategy: FineTune) -> dict:
    stored, live, plain = three_ways(strategy, backbone, train, test)
    facts: dict = {
        "network": backbone.name.partition("/tmp")[0],
        "strategy": str(strategy),
        "weights moved": stored.moved,
    }
    for name, other in (("live", live), ("end to end", plain)):
        facts[name] = dict(zip(("losses", "predictions"), stored.differences(other), strict=True))
    return facts


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mobilenet", help="folder with weights")
    parser.add_argument("--images", help="labelled images")
    parser.add_argument("--minilm", help="such as starter:minilm-l6")
    parser.add_argument("--texts", help="labelled texts")
    parser.add_argument("--steps", type=int, default=50)
    options = parser.parse_args()
    strategy = FineTune(steps=options.steps, batch=16)
    results = []
    with tempfile.TemporaryDirectory() as folder:
        os.environ["HEADSTART_CACHE"] = folder
        for name, source in ((options.mobilenet and f"dir:{options.mobilenet}", options.images),
                             (options.minilm, options.texts)):  # fmt: skip
            if name and source:
                results.append(compare(load(name), *sample(source, 60, 30), strategy))
        for family, last in RANDOM.items():
            backbone = make(family, Path(folder) / "networks" / family)
            train, test = data_for(backbone, 60), data_for(backbone, 30, seed=5)
            own = FineTune(last=last, steps=options.steps, batch=16, rate=1e-3)
            results.append(compare(backbone, train, test, own) | {"network": f"random {family}"})
    print(json.dumps({"torch": torch.__version__, "threads": torch.get_num_threads(), "results": results}, indent=1))


if __name__ == "__main__":
    main()
