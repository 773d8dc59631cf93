"""Adapting the last blocks to a target without labels: every deep way on a few pairs, one seed.

    python benchmarks/adaptation/deep.py --results FILE.jsonl
    python benchmarks/adaptation/deep_table.py FILE.jsonl

Rows hold what can be said without labels of the target (modularity on the neighbours of the frozen features, the
information of the answers, MixVal between classes), and the accuracy, for which they are looked at last. A row is
printed and appended as soon as it is there; what the results file has is not measured again.
"""

import argparse
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import get_args

import numpy as np
from sets import SETS, Set, dataset_of, network_of

from headstart.backbones import Backbone
from headstart.data import Dataset
from headstart.domain_adaptation import modularity, neighbours
from headstart.engine import keep_freed_memory
from headstart.features import FeatureSource
from headstart.strategies import DeepAdaptation, DeepMethod, Run, information, mixed_agreement
from headstart.tasks import Task, task_from_labels

sys.path.append(str(Path(__file__).parents[1] / "peers"))
from machine import describe, measured, record

OURS = ("headstart", "torch", "scikit-learn")
PAIRS = {
    "pacs, MobileNetV2": (
        ("photo", "cartoon"), ("cartoon", "photo"), ("art_painting", "sketch"), ("sketch", "art_painting"),
    ),
    "amazon, MiniLM": (("books", "electronics"), ("kitchen", "dvd")),
}  # fmt: skip


def domains_of(each: Set, names: tuple[str, str], options: argparse.Namespace) -> tuple[Dataset, Dataset]:
    """Take the same examples of two domains as `run.py` does."""
    dataset, domain = dataset_of(each, options.data)
    generator = np.random.default_rng(0)
    rows = [np.flatnonzero(np.array(domain) == name) for name in names]
    source, target = (dataset.take(np.sort(generator.permutation(some)[: options.most])) for some in rows)
    return source, target


def measure(
    method: DeepMethod, backbone: Backbone, source: Dataset, target: Dataset, task: Task, *, run: Run, steps: int
) -> dict:
    """Adapt, judge without labels, and only then look at them."""
    began = time.monotonic()
    strategy = DeepAdaptation(method=method, steps=steps)
    unlabelled = replace(target, labels=None)
    tuned = strategy.tune(backbone, source, task, run=run, target=unlabelled)
    seconds = time.monotonic() - began
    predicted = tuned.outputs(unlabelled, run=run)
    answers = predicted.argmax(axis=1)
    nearest = neighbours(run.features.features(backbone, unlabelled))
    return {
        "n": [len(source), len(target)],
        "modularity": float(modularity(answers, nearest, n_classes=task.n_outputs)[0]),
        "information": information(predicted),
        "mixval": mixed_agreement(tuned, unlabelled, answers, run=run),
        "accuracy": float((answers == np.asarray(task.encode(target.labels))).mean()),
        "chosen": dict(tuned.chosen),
        "adaptation_seconds": tuned.seconds,
        "seconds": seconds,
    }


def cells(options: argparse.Namespace) -> Iterator[tuple[Set, tuple[str, str]]]:
    for each in SETS:
        for pair in PAIRS.get(each.name, ()):
            if each.name in (options.set or [each.name]):
                yield each, pair


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"), help="folder with the sets")
    parser.add_argument("--weights", type=Path, default=Path("../shared/weights"), help="folder with MobileNetV2")
    parser.add_argument("--results", type=Path, required=True, help="JSON lines; made, or added to")
    parser.add_argument("--set", action="append", choices=list(PAIRS), help="may be repeated")
    parser.add_argument("--method", action="append", choices=get_args(DeepMethod), help="may be repeated")
    parser.add_argument("--most", type=int, default=2000, help="examples of a domain")
    parser.add_argument("--steps", type=int, default=0, help="of training; 0 for the usual")
    options = parser.parse_args()
    keep_freed_memory()
    run = Run(FeatureSource(), seed=0)
    for each, pair in cells(options):
        source, target = domains_of(each, pair, options)
        backbone, task = network_of(each, options.weights), task_from_labels(source.kind, source.labels)
        for method in options.method or get_args(DeepMethod):
            cell = {"set": each.name, "source": pair[0], "target": pair[1], "method": method, "steps": options.steps}
            if measured(options.results, cell) or (method == "adabn" and each.name.startswith("amazon")):
                continue  # MiniLM has no BatchNorm
            row = measure(method, backbone, source, target, task, run=run, steps=options.steps)
            record(options.results, cell | row | describe(sys.executable, OURS))
            print(
                f"{each.name} {pair[0]} > {pair[1]}, {method}: {row['accuracy']:.3f}, modularity "
                f"{row['modularity']:.3f}, information {row['information']:.3f}, MixVal {row['mixval']:.3f}, "
                f"{row['adaptation_seconds']:.0f} s",
                flush=True,
            )


if __name__ == "__main__":
    main()
