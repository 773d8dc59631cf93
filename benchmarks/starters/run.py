"""What a starter backbone is worth: against its own architecture without pretraining, and against what else there is.

    python benchmarks/starters/run.py --results FILE.jsonl
    python benchmarks/starters/table.py FILE.jsonl

For every data set (`sets.py`), number of labels per class and seed, on the same training and test examples:

* probe, ladder: the starter, frozen, and as the default `headstart fit` adapts it;
* random probe, scratch: the same network with random weights, frozen, and trained from there (the `Scratch` strategy
  that `--proof full` takes, with the steps that fit into --scratch-seconds, at least 60);
* classical, majority: colours and gradients or MFCC statistics with logistic regression, and the most frequent class;
* images also: probes on MobileNetV2 and SqueezeNet (ImageNet), far larger and pretrained on far more.

`--backbone dir:FOLDER` measures another network in the starter's place, say another recipe's; sets of other modalities
are then left out, and arms that do not rest on it are not measured again. Features go through the ordinary store
(HEADSTART_CACHE), so their seconds are those of the first use only. A row is printed and appended as soon as it is
there, and what the results file has is not measured again: stop and go on at will. Every row holds which test items
were right, so `table.py` pairs any two arms by item.
"""

import argparse
import hashlib
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from functools import cache, partial
from pathlib import Path

import numpy as np
from arms import ARMS, WITHOUT, Answer, Cell, probe, timed
from sets import MOST_TEST, SETS, Set, draw, write

from headstart import backbones
from headstart.backbones import Backbone
from headstart.evaluation import bootstrap_interval
from headstart.features import FeatureSource

sys.path.insert(0, str(Path(__file__).parents[1] / "peers"))
from machine import measured, record

STARTERS = {"image": "starter:image-small", "audio": "starter:audio-small"}
REFERENCES = ("mobilenetv2_100.in1k", "squeezenet1_0.in1k")
PER_CLASS = (10, 50)
Measure = Callable[[Cell], Answer]


@cache
def loaded(name: str) -> Backbone:
    return backbones.load(name, offline=True)


def starters(options: argparse.Namespace) -> dict[str, str]:
    """Return the address to measure by modality."""
    if not options.backbone:
        return STARTERS
    return {loaded(name).modality: name for name in options.backbone}


def arms_of(each: Set, options: argparse.Namespace) -> Iterator[tuple[str, Backbone | None, Measure]]:
    """Yield name, network and function of every arm asked for."""
    starter = starters(options)[each.modality]
    every = [(name, starter, arm) for name, arm in ARMS.items()]
    every += [(name, None, arm) for name, arm in WITHOUT.items()]
    if each.modality == "image":
        found = [name for name in REFERENCES if (options.weights / name).exists()]
        every += [(name.split("_")[0].split(".")[0], f"dir:{options.weights / name}", probe) for name in found]
    for name, address, arm in every:
        if name in (options.arm or [name]):
            network = None if address is None else loaded(address)
            yield name, network, partial(arm, backbone=network) if network else partial(arm, _backbone=None)


def cells(options: argparse.Namespace) -> list[tuple[Set, int, int]]:
    """List what to measure: the first seed of everything first, so that an early stop leaves a whole picture."""
    known = starters(options)
    chosen = [each for each in SETS if each.modality in known and each.name in (options.set or [each.name])]
    return [(each, n, seed) for seed in range(options.seeds) for n in options.per_class for each in chosen]


def measure(
    each: Set, n: int, seed: int, options: argparse.Namespace, *, scratch: Path, progress: Callable[[], str]
) -> None:
    """Measure all arms of one draw that the results do not have yet."""
    todo = []
    for name, network, arm in arms_of(each, options):
        about = {"set": each.name, "per_class": n, "seed": seed, "arm": name, **named(network)}
        if not measured(options.results, about):
            todo.append((about, arm))
    if not todo:
        return
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "data"
        folder.mkdir()
        parts = draw(each, options.data, scratch, per_class=n, seed=seed, most_test=options.most_test)
        write(folder, *parts)
        items = [Path(example.item).name for example in parts[1]]
        test = hashlib.sha256("\n".join(items).encode()).hexdigest()[:12]
        cell = Cell(folder, seed, FeatureSource(), options.scratch_seconds)
        for about, arm in todo:
            answer, seconds = timed(lambda arm=arm: arm(cell))
            row = {**about, "modality": each.modality, "n_train": len(cell.train), "test": test, **scored(answer)}
            append(options.results, {**row, "seconds": seconds}, progress=progress)


def named(network: Backbone | None) -> dict[str, str | None]:
    """Name a network by address and weights: a folder's content may change under the same name."""
    return {"backbone": network and network.name, "weights": network and network.weights_hash[:12]}


def scored(answer: Answer) -> dict:
    right = np.asarray(answer.right)
    one_hot = np.column_stack([~right, right]).astype(float)
    interval = bootstrap_interval("accuracy", np.ones(len(right), dtype=int), one_hot, groups=None, seed=0)
    return {
        "accuracy": float(right.mean()),
        "interval": [interval.low, interval.high],
        "n_test": len(right),
        "right": "".join("1" if each else "0" for each in right),
        **answer.facts,
    }


def append(results: Path, row: Mapping, *, progress: Callable[[], str]) -> None:
    record(results, row)
    low, high = row["interval"]
    print(
        f"{progress()} {row['set']} {row['per_class']} per class, seed {row['seed']}, {row['arm']}: "
        f"{row['accuracy']:.3f} [{low:.3f}, {high:.3f}] in {row['seconds']:.1f} s",
        flush=True,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"), help="folder with images/ and audio/")
    parser.add_argument("--weights", type=Path, default=Path("../shared/weights"), help="folder with the references")
    parser.add_argument("--results", type=Path, required=True, help="JSON lines; made, or added to")
    parser.add_argument("--set", action="append", choices=[each.name for each in SETS], help="may be repeated")
    parser.add_argument("--per-class", type=int, nargs="+", default=PER_CLASS, help="labels of each class")
    parser.add_argument("--seeds", type=int, default=3, help="draws of the labels")
    parser.add_argument("--backbone", action="append", help="in the starter's place; may be repeated for modalities")
    parser.add_argument("--arm", action="append", help="only this one, such as probe; may be repeated")
    parser.add_argument("--scratch-seconds", type=float, default=15, help="for training from scratch")
    parser.add_argument("--most-test", type=int, default=MOST_TEST, help="test examples of a set")
    options = parser.parse_args()
    options.data, options.weights = options.data.resolve(), options.weights.resolve()
    started, every = time.monotonic(), cells(options)
    with tempfile.TemporaryDirectory() as scratch:
        for number, (each, n, seed) in enumerate(every, 1):

            def progress(number: int = number) -> str:
                return f"[{number}/{len(every)}, {time.monotonic() - started:.0f} s]"

            measure(each, n, seed, options, scratch=Path(scratch), progress=progress)


if __name__ == "__main__":
    main()
