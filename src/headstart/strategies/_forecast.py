"""What training a strategy will take, measured on one batch before it starts."""

import time
from dataclasses import dataclass
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from headstart.backbones import Backbone
from headstart.data import Dataset
from headstart.engine import keep_freed_memory
from headstart.features import Inputs, LiveActivations, key_of
from headstart.strategies._base import Run
from headstart.strategies._thawed import Held, Thawed, Views, placed, seen
from headstart.strategies._tuning import Tuning, auto_precision
from headstart.training import in_precision

SECONDS_PER_UPDATE: Final = 2.2e-9  # per parameter, of the fused optimiser on two cores
BYTES_PER_PARAMETER: Final = 16  # weight, gradient, and two moments of the optimiser


@dataclass(frozen=True)
class TuningForecast:
    """What one training may take.

    Attributes:
        gathering_seconds: Activations at the cut that are not stored yet.
        training_seconds: One training on all examples.
        megabytes: Memory and store for weights, optimiser and activations.
    """

    gathering_seconds: float
    training_seconds: float
    megabytes: float


def forecast(strategy: Tuning, backbone: Backbone, train: Dataset, *, run: Run) -> TuningForecast:
    """Time one batch through the frozen part and one step of the part that trains.

    Args:
        strategy: What would be trained.
        backbone: The pretrained network, unchanged.
        train: The examples.
        run: The store and the seed.

    Returns:
        Seconds and megabytes.
    """
    keep_freed_memory()
    start, cut = strategy.start_from(backbone, run=run), strategy.cut_of(backbone)
    steps, size = strategy.work(len(train))
    sample = train.take(np.linspace(0, len(train) - 1, min(size, len(train))).astype(np.intp))
    per_item, megabytes = _gathering(start, sample, cut)
    views, live = strategy.views_of(start), 0.0
    missing = views * len(train) if cut is None else 0  # without a cut every view is kept in memory
    if cut is not None and placed(run, start, train, cut=cut, views=views) == "live":
        live = per_item * len(sample)
    elif cut is not None:
        keys = [key_of(view, cut=cut) for view in seen(start, views, seed=run.seed)]
        missing = sum(len(run.features.store.missing(key, train.hashes)) for key in keys)
    step_seconds, trained = _step(start, sample, cut, run)
    update = trained * SECONDS_PER_UPDATE if start.device.type == "cpu" else 0.0
    passes = steps + len(train) / max(1, len(sample))  # the steps, and the features before them
    return TuningForecast(
        gathering_seconds=missing * per_item,
        training_seconds=steps * update + passes * (step_seconds + live),
        megabytes=trained * BYTES_PER_PARAMETER / 2**20 + missing * megabytes,
    )


def _gathering(backbone: Backbone, sample: Dataset, cut: str | None) -> tuple[float, float]:
    """Seconds and megabytes per item of the frozen part."""
    if cut is None:
        read = Inputs(backbone, sample.items[:8]).prepared
        return 0.0, float(np.mean([np.asarray(item).nbytes for item in read])) / 2**20
    few = LiveActivations(backbone, sample.items[:8], cut)
    few.batch(np.arange(len(few)))
    began = time.perf_counter()
    values = few.batch(np.arange(len(few))).values
    return (time.perf_counter() - began) / len(few), values.nbytes / 2**20 / len(few)


def _step(backbone: Backbone, sample: Dataset, cut: str | None, run: Run) -> tuple[float, int]:
    """Seconds of one step without the update, and how many parameters train."""
    source = Inputs(backbone, sample.items, run.engine) if cut is None else LiveActivations(backbone, sample.items, cut)
    rows = np.arange(len(sample))
    batch = source.batch(rows)
    copy = backbone.copy(after=cut)
    thawed = Thawed(copy, cut, Views([Held(batch, source.sizes)]))
    parameters = trainable(copy, cut)
    for parameter in parameters:
        parameter.requires_grad_()
    seconds = [_timed(thawed, rows) for _ in range(3)]
    return float(np.median(seconds[1:])), sum(parameter.numel() for parameter in parameters)


def trainable(backbone: Backbone, cut: str | None) -> list[nn.Parameter]:
    """Return the parameters after a cut, each once; without a cut, all."""
    if cut is None:
        return list(backbone.network.parameters())
    modules = [module for block in backbone.after(cut) for module in block.modules]
    return list(dict.fromkeys(p for module in [*modules, *backbone.tail_modules] for p in module.parameters()))


def _timed(thawed: Thawed, rows: NDArray[np.intp]) -> float:
    began = time.perf_counter()
    device = thawed.backbone.device
    with in_precision(auto_precision(device), device):
        loss = thawed.features(rows).float().square().mean()
    torch.autograd.backward(loss)
    if device.type == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter() - began
