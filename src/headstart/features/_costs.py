"""What a pass will take: space and time at a cut point, and the time each block takes, measured on a few items.

Both depend on the data: texts of a thousand words cost more than tweets, and reading photographs can cost more than the
network. So nothing is looked up. The sample is spread over the sizes of the items, and what it shows is carried over by
size: bytes and seconds per token for texts, per frame for sounds, per item for images, which are all brought to one
size.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from statistics import median

import numpy as np
import torch
from numpy.typing import NDArray

from headstart.backbones import Backbone, Batch
from headstart.data import Dataset, Item
from headstart.engine import Engine, LocalEngine, device_time, keep_freed_memory
from headstart.features._activations import Precision, boundary_pass, runs
from headstart.features._frozen import TOKENS_PER_BATCH, batches, read_all, rough_size, window_size

SAMPLE_BATCHES = 2
# Beyond so many texts or sounds, a sample spread over their rough sizes counts for all.
MOST_READ = {"text": 8192, "audio": 64}
REPETITIONS = 3


@dataclass(frozen=True)
class Forecast:
    """What a pass up to a cut point would take.

    Attributes:
        megabytes: What it would add to the store, in 2^20 bytes.
        seconds: How long it would take.
    """

    megabytes: float
    seconds: float


@dataclass(frozen=True)
class BlockSeconds:
    """Seconds per item that a forward pass spends in each part of a network.

    Attributes:
        blocks: One number per block, input to output, so one per cut point.
        tail: Final norm, pooling; the whole network where it has no cut points.
        reading: Decoding and resizing, or tokenising, in one thread.
    """

    blocks: tuple[float, ...]
    tail: float
    reading: float


def forecast(backbone: Backbone, items: Sequence[Item], *, cut: str, engine: Engine, precision: Precision) -> Forecast:
    """Predict what `boundary_pass` would take, from about two batches of the items.

    Args:
        backbone: The frozen network.
        items: What would be run.
        cut: A name from the backbone's cuts.
        engine: Reads items ahead of the network.
        precision: How the activations would be stored.

    Returns:
        Megabytes and seconds.

    Raises:
        BackboneError: There is no such cut point.
    """
    if not items:
        return Forecast(0.0, 0.0)
    engine = LocalEngine() if engine.elsewhere else engine  # a few items say nothing of workers that begin with them
    sample, scale = _sample(backbone, items, engine)
    warm_up = sample[: window_size(backbone, texts=1)]
    _measure(backbone, warm_up, cut=cut, engine=engine, precision=precision)
    size, seconds = _measure(backbone, sample, cut=cut, engine=engine, precision=precision)
    return Forecast(scale * size / 2**20, scale * seconds)


def _measure(
    backbone: Backbone, items: Sequence[Item], *, cut: str, engine: Engine, precision: Precision
) -> tuple[int, float]:
    """Run items up to a cut; returns bytes and seconds."""
    started = time.perf_counter()
    size = sum(rows.nbytes for rows in boundary_pass(backbone, items, cut=cut, engine=engine, precision=precision))
    return size, time.perf_counter() - started


def block_seconds(
    backbone: Backbone, dataset: Dataset, *, n: int = SAMPLE_BATCHES, engine: Engine | None = None
) -> BlockSeconds:
    """Measure where a forward pass spends its time, to choose cut points by share of compute and to predict training.

    Args:
        backbone: The network; runs in evaluation mode on the device it is on.
        dataset: At least one item; a few of them are run, spread over their sizes.
        n: How many batches.
        engine: Reads items, to tell their sizes.

    Returns:
        Seconds per item: the median of three repetitions after a warm-up.
    """
    backbone.network.eval()
    keep_freed_memory()
    engine = engine or LocalEngine()
    items, _ = _sample(backbone, dataset.items, engine, n=n)
    started = time.perf_counter()
    for item in items:
        backbone.preparer.read([item])
    reading = (time.perf_counter() - started) / len(items)
    inputs = [
        run.to(backbone.device)
        for batch in batches(backbone, items, engine=engine, most=window_size(backbone, texts=len(items)))
        for run in runs(backbone.preparer.collate(batch.prepared), backbone)
    ]
    timed = [np.sum([_time_blocks(backbone, batch) for batch in inputs], axis=0) for _ in range(1 + REPETITIONS)]
    *blocks, tail = (float(median(each)) / len(items) for each in zip(*timed[1:], strict=True))
    return BlockSeconds(tuple(blocks), tail, reading)


def _time_blocks(backbone: Backbone, batch: Batch) -> list[float]:
    """Return the seconds of every block and of the tail."""
    device = str(backbone.device)
    clock = [device_time(device)]
    with torch.inference_mode():
        for block in backbone.blocks:
            batch = replace(batch, values=block.forward(batch))
            clock.append(device_time(device))
        backbone.tail(batch)
        clock.append(device_time(device))
    return np.diff(clock).tolist()


def _sample(
    backbone: Backbone, items: Sequence[Item], engine: Engine, *, n: int = SAMPLE_BATCHES
) -> tuple[list[Item], float]:
    """Choose about n batches of items; returns them and by what their cost is multiplied to give that of all."""
    if backbone.modality == "image":
        chosen = _spread(len(items), n * window_size(backbone, texts=0))
        return [items[i] for i in chosen], len(items) / len(chosen)
    by_length = sorted(items, key=lambda item: rough_size(item, backbone.modality))
    counted = [by_length[i] for i in _spread(len(items), MOST_READ[backbone.modality])]
    costs = np.array([backbone.preparer.cost(p) for p in read_all(backbone, counted, engine)])
    order = np.argsort(costs, kind="stable")
    size = max(1, int(n * TOKENS_PER_BATCH[backbone.device.type] / max(1.0, costs.mean())))
    chosen = order[_spread(len(counted), size)]
    return [counted[i] for i in chosen], float(costs.mean()) * len(items) / float(costs[chosen].sum())


def _spread(total: int, size: int) -> NDArray[np.intp]:
    """Return at most so many positions, evenly spread over all."""
    size = min(size, total)
    return ((np.arange(size) + 0.5) * total / size).astype(np.intp)
