"""The frozen pass: items through a network without gradients, batched by size, reading ahead of computing.

The order of work is a function of the items alone: a window of items is read, sorted by size and cut into batches of
about equal cost, so the same items give the same batches, and so the same numbers, on every run. Items of one size
(images) stream through windows of one batch; items of many sizes are sorted in windows of two thousand texts, or of
some minutes of sound, which takes a thousand times the memory of a text.

Rows are stored at the end of a window only. So a pass that was interrupted leaves whole windows, and the next one cuts
what remains into the very same batches, which give the very same bits.

A recording of more than a minute runs alone, a few of its windows at a time, and these are read when their turn comes:
memory does not follow its length (`headstart.backbones.LongSound`).
"""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from headstart.backbones import Backbone, Batch, LongSound, ReadsLong
from headstart.data import Encoded, Item, Modality, Sound
from headstart.engine import Engine, LocalEngine, Resources, keep_freed_memory
from headstart.features._spread import BLOCK, spread_pass
from headstart.tasks import cut, ragged

# Measured on two cores (benchmarks/LOG.md): MobileNetV2 is fastest at 8 images a batch, MiniLM flat from 500 to 2,000
# tokens. A GPU wants more of both. A frame of sound is a token.
IMAGES_PER_BATCH = {"cpu": 8, "cuda": 128, "mps": 64}
TOKENS_PER_BATCH = {"cpu": 1024, "cuda": 65536, "mps": 16384}
TEXTS_PER_WINDOW = 2048
TOKENS_PER_WINDOW = 16384  # where words or frames have features of their own: 16,384 of 768 values are 48 MB
SOUNDS_PER_WINDOW, FRAMES_PER_WINDOW = 64, 16384
READ_AHEAD = 4  # windows
SOUNDS_AHEAD = 16  # a minute, the most that is kept of one, takes 2 to 5 MB as frames
FRAMES_PER_SECOND, BYTES_PER_FRAME = 50, 640  # of networks for sound; of 16-bit samples at 16 kHz
CHARACTERS_PER_TOKEN = 4  # of English, about

Join = Callable[[Iterator[NDArray[np.float32]]], Any]


@dataclass(frozen=True)
class Rows:
    """Features of a few items.

    Attributes:
        positions: (n,) which items of the sequence these are.
        values: (n, V, D) one row per item and feature view, float32; (n,) objects of (rows, V, D), or what was made of
            them, of a backbone that gives features of words or frames.
        ends_window: Whether these are the last of their window.
    """

    positions: NDArray[np.intp]
    values: NDArray[Any]
    ends_window: bool

    def moved(self, by: int) -> "Rows":
        """Return the same of items that lie further on."""
        return replace(self, positions=self.positions + by)


def joined(pieces: Iterator[NDArray[np.float32]]) -> NDArray[np.float32]:
    """Return consecutive rows as one array."""
    found = list(pieces)
    return found[0] if len(found) == 1 else np.concatenate(found)


def frozen_pass(backbone: Backbone, items: Sequence[Item], *, engine: Engine, join: Join = joined) -> Iterator[Rows]:
    """Run items through a frozen network.

    Args:
        backbone: The network; runs in evaluation mode on the device it is on.
        items: What to run, in any order of size.
        engine: Reads and prepares items ahead of the network, or runs the pass in other processes, block by block.
        join: What to make of the rows (rows, V, D) of an item that has several; those of a long recording come in
            consecutive pieces, and need not be kept.

    Yields:
        Rows batch by batch; together they cover every item once.
    """
    if engine.elsewhere:
        work = partial(_block, backbone, join=join)
        yield from spread_pass(work, items, engine=engine, block=BLOCK[backbone.modality])
        return
    backbone.network.eval()
    keep_freed_memory()
    cost = FRAMES_PER_WINDOW if backbone.modality == "audio" else math.inf
    if not backbone.one_row:  # rows of words wait in memory for the end of the window
        cost = max(TOKENS_PER_WINDOW, TOKENS_PER_BATCH[backbone.device.type])
    most = window_size(backbone, texts=TEXTS_PER_WINDOW)
    for batch in batches(backbone, items, engine=engine, most=most, cost=cost, long=True):
        if backbone.one_row:
            yield Rows(batch.positions, _compute(backbone, batch.prepared), batch.ends_window)
        else:
            pieces = _compute_words(backbone, batch.prepared)
            yield Rows(batch.positions, ragged(map(join, pieces)), batch.ends_window)


def _block(backbone: Backbone, items: Sequence[Item], *, join: Join) -> list[Rows]:
    """Run one block, in the process of a worker."""
    return list(frozen_pass(backbone, items, engine=LocalEngine(), join=join))


@dataclass(frozen=True)
class Prepared:
    """What runs through the network at once.

    Attributes:
        positions: (n,) which items of the sequence these are.
        prepared: The n items as their preparer reads them.
        ends_window: Whether these are the last of their window.
    """

    positions: NDArray[np.intp]
    prepared: list[Any]
    ends_window: bool


def batches(
    backbone: Backbone,
    items: Sequence[Item],
    *,
    engine: Engine,
    most: int,
    cost: float = math.inf,
    long: bool = False,
) -> Iterator[Prepared]:
    """Read items ahead and cut them into batches, window by window.

    Args:
        backbone: Its preparer reads the items.
        items: What to read.
        engine: Where reading runs.
        most: The number of items that fills a window.
        cost: The sum of their sizes (tokens, frames, pixels) that fills a window before that.
        long: Whether long recordings may be left to be read later, as `LongSound`.

    Yields:
        Batches; together they cover every item once.
    """
    start = 0
    stream = _prepared(backbone, items, engine, most=most, long=long)
    for window, costs in _windows(backbone, stream, most=most, cost=cost):
        cut = list(_batches(backbone, costs))
        for number, batch in enumerate(cut, start=1):
            positions = np.asarray(batch, dtype=np.intp) + start
            yield Prepared(positions, [window[i] for i in batch], ends_window=number == len(cut))
        start += len(window)


def _windows(
    backbone: Backbone, stream: Iterator[Any], *, most: int, cost: float
) -> Iterator[tuple[list[Any], list[int]]]:
    window: list[Any] = []
    costs: list[int] = []
    total = 0
    for prepared in stream:
        window.append(prepared)
        costs.append(backbone.preparer.cost(prepared))
        total += costs[-1]
        if len(window) == most or total >= cost:
            yield window, costs
            window, costs, total = [], [], 0
    if window:
        yield window, costs


def _compute(backbone: Backbone, prepared: Sequence[Any]) -> NDArray[np.float32]:
    with torch.inference_mode():
        total, weights = torch.zeros(()), 0.0
        for part, weight in _parts(backbone, prepared):
            total, weights = total + _views(backbone, part.to(backbone.device)) * weight, weights + weight
    rows: NDArray[np.float32] = (total / weights).numpy()
    return rows


def _views(backbone: Backbone, batch: Batch) -> Tensor:
    views = backbone.forward_views(batch)
    return torch.stack([views[name] for name in backbone.views], dim=1).float().cpu()


def _compute_words(backbone: Backbone, prepared: Sequence[Any]) -> Iterator[Iterator[NDArray[np.float32]]]:
    """Yield (rows, V, D) of each item, a row for every word or frame; of a long recording a few windows at a time."""
    if len(prepared) == 1 and isinstance(prepared[0], LongSound):
        yield _pieces(backbone, prepared[0])
        return
    batch = backbone.preparer.collate(prepared)
    with torch.inference_mode():
        rows = in_runs(backbone, batch, partial(_views, backbone))
    for each in cut(rows, list(map(_count_rows, prepared))):
        yield iter([each])


def _count_rows(prepared: Any) -> int:
    places = prepared.places if isinstance(prepared, LongSound) else prepared[-1]
    assert places is not None, "a backbone of words or frames"
    return int(places[-1, 2]) + 1 if len(places) else 0


def _pieces(backbone: Backbone, recording: LongSound) -> Iterator[NDArray[np.float32]]:
    """Yield the rows of its windows as `in_runs` computes them."""
    for part in recording.batches(max(1, TOKENS_PER_BATCH[backbone.device.type] // recording.longest)):
        with torch.inference_mode():
            found: NDArray[np.float32] = _views(backbone, part.to(backbone.device)).numpy()
        yield found


def in_runs(backbone: Backbone, batch: Batch, run: Callable[[Batch], Tensor]) -> NDArray[np.float32]:
    """Run the windows of items that have several rows a few at a time, so that memory does not follow their length.

    Args:
        backbone: Says how much runs at once, and where.
        batch: Inputs, or activations at a cut point.
        run: Takes a batch of some of the windows and returns a row for every word or frame in it.

    Returns:
        The rows of the whole batch.
    """
    assert batch.words is not None
    size = max(1, TOKENS_PER_BATCH[backbone.device.type] // row_length(batch))
    rows: NDArray[np.float32] | None = None
    for start in range(0, len(batch.values), size):
        chosen = torch.arange(start, min(start + size, len(batch.values)))
        words, which = batch.words.at(chosen)
        part = Batch(batch.values[chosen], None if batch.mask is None else batch.mask[chosen], words=words)
        found = run(part.to(backbone.device)).float().cpu().numpy()
        rows = np.empty((batch.words.count, *found.shape[1:]), dtype=np.float32) if rows is None else rows
        rows[which.cpu().numpy()] = found
    assert rows is not None, "a batch of nothing"
    return rows


def _parts(backbone: Backbone, prepared: Sequence[Any]) -> Iterator[tuple[Batch, int]]:
    """Cut one item that alone exceeds the budget into runs of windows, so that memory does not follow its length.

    Its row is the average of its windows weighted by their real tokens, and so is the average of such averages.
    """
    budget = TOKENS_PER_BATCH[backbone.device.type]
    first = prepared[0]
    if len(prepared) == 1 and isinstance(first, LongSound) and len(first.lengths) * first.longest > budget:
        runs = first.batches(max(1, budget // first.longest))
    else:
        batch = backbone.preparer.collate(prepared)
        if batch.owner is None or len(batch.values) * row_length(batch) <= budget or int(batch.owner.max()) > 0:
            yield batch, 1
            return
        runs = _runs(batch, max(1, budget // row_length(batch)))
    for run in runs:
        yield run, len(run.values) * row_length(run) if run.mask is None else int(run.mask.sum())


def _runs(batch: Batch, size: int) -> Iterator[Batch]:
    """Cut the windows of one item into runs of so many."""
    assert batch.owner is not None, "several windows"
    for start in range(0, len(batch.values), size):
        run = slice(start, start + size)
        yield Batch(batch.values[run], None if batch.mask is None else batch.mask[run], batch.owner[run])


def row_length(batch: Batch) -> int:
    """Return how many tokens or frames a row of a batch has, padding included."""
    return batch.values.shape[1] if batch.values.ndim > 1 else 1


def _prepared(
    backbone: Backbone, items: Sequence[Item], engine: Engine, *, most: int, long: bool = False
) -> Iterator[Any]:
    preparer, chunk = backbone.preparer, backbone.preparer.chunk
    read = preparer.read_long if long and isinstance(preparer, ReadsLong) else preparer.read
    chunks = [items[i : i + chunk] for i in range(0, len(items), chunk)]
    ahead = SOUNDS_AHEAD if backbone.modality == "audio" else max(2, READ_AHEAD * most // chunk)
    for prepared in engine.map(read, chunks, resources=Resources(ahead=ahead)):
        yield from prepared


def read_each(backbone: Backbone, items: Sequence[Item], engine: Engine) -> Iterator[Any]:
    """Read items as `read_all` does, one after another, for where not all of them are kept."""
    return _prepared(backbone, items, engine, most=SOUNDS_PER_WINDOW)


def read_all(backbone: Backbone, items: Sequence[Item], engine: Engine) -> list[Any]:
    """Return every item as the backbone's preparer reads it: bytes of pixels, token numbers."""
    return list(_prepared(backbone, items, engine, most=len(items)))


def window_size(backbone: Backbone, *, texts: int) -> int:
    """Return how many items make a window: one batch of images, or so many texts, or at most that many sounds."""
    if backbone.modality == "image":
        return IMAGES_PER_BATCH[backbone.device.type]
    return texts if backbone.modality == "text" else min(texts, SOUNDS_PER_WINDOW)


def rough_size(item: Item, modality: Modality) -> int:
    """Return an item's size as far as it is known before it is read, so that like goes with like.

    Args:
        item: Of that modality.
        modality: What it is.

    Returns:
        About the tokens of a text or the frames of a recording, of a file by its bytes; 1 for an image.
    """
    if modality == "image":
        return 1
    if modality == "text":
        return 1 + len(item) // CHARACTERS_PER_TOKEN
    if isinstance(item, Sound):
        return 1 + len(item.samples) * FRAMES_PER_SECOND // item.rate
    if isinstance(item, Encoded):
        return 1 + len(item.content) // BYTES_PER_FRAME
    try:
        return 1 + int(item.stat().st_size) // BYTES_PER_FRAME
    except OSError:
        return 1  # reading it will say what is wrong


def _batches(backbone: Backbone, costs: Sequence[int]) -> Iterator[list[int]]:
    """Cut a window into batches of like sizes: the longest item times the batch stays within the token budget."""
    if backbone.modality == "image":
        yield list(range(len(costs)))
        return
    budget = TOKENS_PER_BATCH[backbone.device.type]
    batch: list[int] = []
    for i in sorted(range(len(costs)), key=lambda i: (-costs[i], i)):
        if batch and costs[batch[0]] * (len(batch) + 1) > budget:
            yield batch
            batch = []
        batch.append(i)
    if batch:
        yield batch
