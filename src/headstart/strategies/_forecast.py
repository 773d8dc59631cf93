"""What training a strategy will take, measured on one batch before it starts."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from headstart.backbones import Backbone
from headstart.data import Dataset
from headstart.engine import device_time, keep_freed_memory
from headstart.features import Inputs, LiveActivations, rough_size
from headstart.strategies._base import Run
from headstart.strategies._precision import auto_precision
from headstart.strategies._speech import seconds_of_probe, seconds_per_recording
from headstart.strategies._thawed import Held, Thawed, Views, missing, placed
from headstart.strategies._tuning import Tuning
from headstart.training import in_precision, within_memory

SECONDS_PER_UPDATE: Final = 2.2e-9  # per parameter, of the fused optimiser on two cores
BYTES_PER_PARAMETER: Final = 16  # weight, gradient, and two moments of the optimiser
FORWARD: Final = 0.5  # of a step, what a pass without gradient takes at most; a third was measured
FEW: Final = 8  # items whose frozen part is timed


@dataclass(frozen=True)
class TuningForecast:
    """What one training may take.

    Attributes:
        gathering_seconds: Activations at the cut that are not stored yet.
        training_seconds: One training on all examples.
        megabytes: Memory for weights, gradients, optimiser, inputs that are kept, and what a step keeps for the way
            back.
        stored_megabytes: What is added to the store.
    """

    gathering_seconds: float
    training_seconds: float
    megabytes: float
    stored_megabytes: float = 0.0


@dataclass(frozen=True)
class _Step:
    """One step on a sample: its seconds without the update, how many parameters train, and megabytes kept meanwhile."""

    seconds: float
    parameters: int
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

    Raises:
        TrainingError: One step alone takes more memory than there is.
    """
    keep_freed_memory()
    with within_memory(str(strategy)):
        stages = [_forecast(each, backbone, part, run) for each, part in strategy.stages(train)]
    return TuningForecast(
        sum(stage.gathering_seconds for stage in stages),
        sum(stage.training_seconds for stage in stages),
        max(stage.megabytes for stage in stages),
        sum(stage.stored_megabytes for stage in stages),
    )


def _forecast(strategy: Tuning, backbone: Backbone, train: Dataset, run: Run) -> TuningForecast:
    start, cut, n = strategy.start_from(backbone, run=run), strategy.cut_of(backbone), len(train)
    steps, size = strategy.work(n, classes=len(set(train.labels or ())))
    sample = train.take(_typical(train, min(size, n)))
    reading = strategy.reading_of(start)
    per_item, megabytes = _gathering(start, sample, cut, run)
    step = _step(start, sample, cut, run)
    # The steps, the features before them, and the checks between; the latter two run forward alone.
    others = (n + strategy.checked(n)) / max(1, len(sample))
    passes, training = steps + others, (steps + FORWARD * others) * step.seconds
    if train.kind == "transcription":
        training += passes * len(sample) * seconds_per_recording(start, train, run=run)
        training += seconds_of_probe(start, train, run=run) if strategy.from_probe else 0.0
    if start.device.type == "cpu":
        training += steps * step.parameters * SECONDS_PER_UPDATE
    memory = step.parameters * BYTES_PER_PARAMETER / 2**20 + step.megabytes
    if cut is None:  # every training reads every view anew, and keeps it in memory
        rows = reading.views * n
        return TuningForecast(0.0, training + rows * per_item, memory + rows * megabytes)
    if placed(run, start, train, cut=cut, reading=reading) == "live":
        return TuningForecast(0.0, training + passes * len(sample) * per_item, memory)
    rows = missing(run, start, train, cut=cut, reading=reading)
    stored = rows * megabytes * np.dtype(reading.precision).itemsize / 4
    return TuningForecast(rows * per_item, training, memory, stored)


def _typical(train: Dataset, size: int) -> NDArray[np.intp]:
    """Choose as many items as a step has, of all sizes in their proportion: one long document would stand for many."""
    sizes = np.array([rough_size(item, train.modality) for item in train.items])
    order = np.argsort(sizes, kind="stable")
    return np.sort(order[((np.arange(size) + 0.5) * len(order) / size).astype(np.intp)])


def _gathering(backbone: Backbone, sample: Dataset, cut: str | None, run: Run) -> tuple[float, float]:
    """Seconds and megabytes per item of what comes before the part that trains: reading, and the frozen part."""
    device = str(backbone.device)
    if cut is None:
        _ = Inputs(backbone, sample.items[:1], run.engine).nbytes  # the first is slower than the rest
        began, inputs = device_time(device), Inputs(backbone, sample.items, run.engine)
        size = inputs.nbytes  # they are read now
        return (device_time(device) - began) / len(inputs), size / 2**20 / len(inputs)
    few = LiveActivations(backbone, sample.items[:FEW], cut, run.engine)
    few.batch(np.arange(len(few)))
    began = device_time(device)
    values = few.batch(np.arange(len(few))).values
    return (device_time(device) - began) / len(few), values.nbytes / 2**20 / len(few)


def _step(backbone: Backbone, sample: Dataset, cut: str | None, run: Run) -> _Step:
    """Take a step three times, without the update: once to warm up and to see what it keeps, twice for the time."""
    items, engine = sample.items, run.engine
    source = Inputs(backbone, items, engine) if cut is None else LiveActivations(backbone, items, cut, engine)
    rows = np.arange(len(sample))
    batch = source.batch(rows)
    copy = backbone.copy(after=cut)
    # Items of several windows are held as one batch, which must not be asked for part by part.
    sizes = source.sizes if batch.owner is None else np.ones(len(sample), dtype=np.intp)
    thawed = Thawed(copy, cut, Views([Held(batch, sizes)]))
    parameters = trainable(copy, cut)
    for parameter in parameters:
        parameter.requires_grad_()
    with _kept(copy.network) as kept:
        _timed(thawed, rows)
    seconds = [_timed(thawed, rows) for _ in range(2)]
    size = sum(parameter.numel() for parameter in parameters)
    return _Step(float(np.median(seconds)), size, sum(kept.values()) / 2**20)


@contextmanager
def _kept(network: nn.Module) -> Iterator[dict[int, int]]:
    """Collect bytes by address of what is kept for the way back; parameters and buffers are there anyway."""
    known = {tensor.untyped_storage().data_ptr() for tensor in (*network.parameters(), *network.buffers())}
    kept: dict[int, int] = {}

    def note(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in known:
            kept[storage.data_ptr()] = storage.nbytes()
        return tensor.detach()  # the tensor itself would keep its graph alive in a circle

    with torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor):
        yield kept


def trainable(backbone: Backbone, cut: str | None) -> list[nn.Parameter]:
    """Return the parameters after a cut, each once; without a cut, all."""
    if cut is None:
        return list(backbone.network.parameters())
    modules = [module for block in backbone.after(cut) for module in block.modules]
    return list(dict.fromkeys(p for module in [*modules, *backbone.tail_modules] for p in module.parameters()))


def _timed(thawed: Thawed, rows: NDArray[np.intp]) -> float:
    device = thawed.backbone.device
    began = device_time(str(device))
    with in_precision(auto_precision(device), device):
        loss = thawed.features(rows).float().square().mean()
    torch.autograd.backward(loss)
    return device_time(str(device)) - began
