"""What ranking costs beside the bare forward passes of the same networks, side by side in one run.

    python benchmarks/ranking/cost.py --data DATA --weights WEIGHTS --candidates FOLDER

1,000 sentences and 1,000 images, five candidates each, loaded before. Bare: decoding or tokenising on all processors,
then the network alone, sorted by length, at a batch size that is good for it (benchmarks/LOG.md). Ranking: an empty
store, features computed and kept, all scores, permutations, replicates, costs and similarity. In turn, several times;
medians are printed as JSON. A second ranking on the same store computes no row again.
"""

import argparse
import json
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import torch
from candidates import make

from headstart import backbones, data
from headstart.backbones import Backbone
from headstart.engine import LocalEngine, Resources, keep_freed_memory
from headstart.features import FeatureSource, Store
from headstart.tasks import task_from_labels
from headstart.transferability import rank

N = 1000
CHOSEN = {
    "text": ("minilm-2", "minilm-3", "minilm-4", "minilm-5", "minilm-6"),
    "image": ("mobilenet-224", "mobilenet-160", "mobilenet-96", "squeezenet-224", "squeezenet-96"),
}
SOURCES = {"text": "text/trec6/train.csv", "image": "images/flowers5"}
BATCH = {"text": 32, "image": 8}


def seconds(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def bare(networks: Sequence[Backbone], items: list) -> None:
    """Run all items through all networks and keep nothing."""
    for network in networks:
        ahead = Resources(ahead=64)
        read = LocalEngine().map(lambda part, n=network: n.preparer.read(part), parts(items, 16), resources=ahead)
        prepared = sorted((one for part in read for one in part), key=network.preparer.cost, reverse=True)
        with torch.inference_mode():
            for part in parts(prepared, BATCH[network.modality]):
                network.forward_views(network.preparer.collate(part))


def parts(values: list, size: int) -> list[list]:
    return [values[start : start + size] for start in range(0, len(values), size)]


def measure(modality: str, options: argparse.Namespace) -> dict:
    found = make(options.weights.resolve(), (options.candidates / modality).resolve(), modality)
    networks = [backbones.load(str(found[name])) for name in CHOSEN[modality]]
    dataset = data.load(options.data / SOURCES[modality])
    step = len(dataset) // N
    dataset = dataset.take(range(0, step * N, step))
    task = task_from_labels(dataset.kind, dataset.labels)
    keep_freed_memory()
    clocks: dict[str, list[float]] = {"bare": [], "rank": [], "rank again": []}
    for _ in range(options.repeats + 1):
        with tempfile.TemporaryDirectory() as folder:
            clocks["bare"].append(seconds(lambda: bare(networks, list(dataset.items))))
            for what in ("rank", "rank again"):
                source = FeatureSource(Store(Path(folder)))
                clocks[what].append(
                    seconds(lambda s=source: rank(dataset, networks, task=task, features=s, load=backbones.load))
                )
            computed = source.computed
    medians = {what: statistics.median(values[1:]) for what, values in clocks.items()}  # the first warms up
    return {
        "modality": modality,
        "items": len(dataset),
        "seconds": medians,
        "ratio": medians["rank"] / medians["bare"],
        "rows computed again": computed,
        "torch": torch.__version__,
        "threads": torch.get_num_threads(),
    }


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--weights", type=Path, required=True)
    parser.add_argument("--candidates", type=Path, required=True, help="where candidates are made")
    parser.add_argument("--only", choices=list(CHOSEN))
    parser.add_argument("--repeats", type=int, default=3)
    options = parser.parse_args()
    for modality in [options.only] if options.only else list(CHOSEN):
        print(json.dumps(measure(modality, options), indent=1), flush=True)
