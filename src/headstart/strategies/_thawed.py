"""The part of a network that trains, fed from activations at the cut."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from typing import Final, Protocol, final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from headstart.backbones import Backbone, Batch, Flips, augmented, interleave
from headstart.data import Dataset, Modality
from headstart.features import Inputs, LiveActivations, Precision, Progress, in_runs, key_of, rough_size, silent
from headstart.strategies._base import Run
from headstart.tasks import cut, rows_of

ROWS_AT_ONCE: Final = 64
TOKENS_AT_ONCE: Final = 8192  # of documents, one of which may be as long as a hundred sentences
# One call of the network costs about as much as so many tokens; measured on MiniLM with two cores.
CALL: Final = 40
WORTH_SAYING: Final = 100.0  # megabytes of activations
SHARE_OF_ROOM: Final = 0.8  # sizes are measured on a sample, and others write to the store and the disk too


class Source(Protocol):
    """Where activations at the cut come from: the store, a live pass, or the network's own input."""

    def __len__(self) -> int: ...

    @property
    def sizes(self) -> NDArray[np.intp]:
        """(N,) how large each item is (tokens, frames, pixels), so that like goes with like."""

    def batch(self, rows: NDArray[np.intp]) -> Batch:
        """Gather (n,) rows into what the blocks after the cut take."""


@final
@dataclass(frozen=True)
class Reading:
    """How items are read before the part that trains.

    Attributes:
        views: Views of each item: the plain one and light random crops and flips, or of sounds with noise and masks.
        flips: Whether those of images are mirrored too.
        precision: Number type in which activations at a cut are stored.
        modality: What the items are.
    """

    views: int = 1
    flips: Flips = "on"
    precision: Precision = "float32"
    modality: Modality = "image"

    @classmethod
    def of(cls, backbone: Backbone, *, views: int, flips: Flips, precision: Precision = "float32") -> "Reading":
        """Return how a backbone's items are read where so many views are asked for; texts have one."""
        return cls(1 if backbone.modality == "text" else views, flips, precision, backbone.modality)

    @property
    def described(self) -> str | int:
        """Which views these are, for the report."""
        others = self.views - 1
        if not others:
            return 1
        if self.modality == "audio":
            return f"{self.views} (plain, {others} with noise, gain and masks)"
        change = ("crop" if others == 1 else "crops", "flip" if others == 1 else "flips")
        return f"{self.views} (plain, {others} random {' and '.join(change if self.flips == 'on' else change[:1])})"


@final
@dataclass(frozen=True)
class Views:
    """Several views of the same n items, one after another; row ``view * n + item``.

    Attributes:
        sources: One per view, the plain one first.
    """

    sources: Sequence[Source]

    @property
    def n(self) -> int:
        """How many items there are."""
        return len(self.sources[0])

    @property
    def sizes(self) -> NDArray[np.intp]:
        """(V * n,) sizes of all rows."""
        return np.concatenate([source.sizes for source in self.sources])

    def batch(self, rows: NDArray[np.intp]) -> Batch:
        """Gather rows of any views, which may be several of one item."""
        view, item = np.divmod(rows, self.n)
        if (view == view[0]).all():
            return self.sources[int(view[0])].batch(item)
        where = [np.flatnonzero(view == v) for v in np.unique(view)]
        parts = [self.sources[int(view[at[0]])].batch(item[at]) for at in where]
        joined, first = interleave(parts, where), parts[0].values
        layout = torch.channels_last if first.ndim == 4 and _lies_last(first) else torch.contiguous_format
        return replace(joined, values=joined.values.contiguous(memory_format=layout))


def _lies_last(values: Tensor) -> bool:
    return values.is_contiguous(memory_format=torch.channels_last)


@final
@dataclass(frozen=True)
class Held:
    """One batch at a cut, held in memory; gives any rows of it.

    Attributes:
        held: Activations of n items, one window each or all of them asked for at once.
        sizes: (n,) sizes.
    """

    held: Batch
    sizes: NDArray[np.intp]

    def __len__(self) -> int:
        return len(self.sizes)

    def batch(self, rows: NDArray[np.intp]) -> Batch:
        """Return the rows; all of them where items have several windows."""
        if self.held.owner is not None or len(rows) == len(self):
            return self.held
        some = self.held.at(torch.from_numpy(rows).to(self.held.values.device))
        longest = int(self.sizes[rows].max())
        if some.mask is None or bool(some.mask[:, longest:].any()):
            return some
        return replace(some, values=some.values[:, :longest], mask=some.mask[:, :longest])


@final
@dataclass(frozen=True)
class Thawed:
    """A copy of a backbone whose part after a cut trains.

    Attributes:
        backbone: The copy.
        cut: Its frozen boundary; None where all of it trains.
        views: Activations at the cut.
        rows_each: (n,) how many rows of features each item has; None for one each.
    """

    backbone: Backbone
    cut: str | None
    views: Views
    rows_each: NDArray[np.intp] | None = None

    def features(self, rows: NDArray[np.intp]) -> Tensor:
        """Return (n, D) features of rows of the views, or of their words or frames in this order, with gradient.

        Rows of like sizes go through the network together, so that little of the work is padding; normalisation over a
        batch (BatchNorm that trains) needs rows of one size, as images are.
        """
        parts = split_by_size(self.views.sizes[rows])
        features = torch.cat([self.forward(self.views.batch(rows[part])) for part in parts])
        if len(parts) == 1:
            return features
        order = np.concatenate(parts)
        back = np.argsort(order)
        if self.rows_each is not None:
            back = rows_of(back, self.rows_each[rows[order] % self.views.n])
        return features[torch.from_numpy(back).to(features.device)]

    def all_features(self, *, view: int = 0, progress: Progress = silent) -> NDArray[np.float32]:
        """Return (n, D) features of every item of one view, or (n,) objects of several rows each, without gradient.

        Long recordings run a few windows at a time.
        """
        sizes, each = self.views.sources[view].sizes, self.rows_each
        order = np.argsort(-sizes, kind="stable")
        plain = (len(order), self.backbone.num_features)
        out = np.empty(plain, dtype=np.float32) if each is None else np.empty(len(order), dtype=object)
        done = 0
        with torch.no_grad():
            while done < len(order):
                progress(f"features of {self.backbone.name}", done, len(order))
                most = ROWS_AT_ONCE if each is None else max(1, min(ROWS_AT_ONCE, TOKENS_AT_ONCE // sizes[order[done]]))
                rows = order[done : done + most]
                batch = self.views.batch(rows + view * self.views.n)
                if self.backbone.frames is None:
                    found = self.forward(batch).float().cpu().numpy()
                else:
                    found = in_runs(self.backbone, batch, self.forward)
                out[rows] = found if each is None else cut(found, each[rows])
                done += len(rows)
        progress(f"features of {self.backbone.name}", len(order), len(order))
        return out

    def forward(self, batch: Batch) -> Tensor:
        """Return the features of a batch at the cut, with gradient."""
        if self.cut is None:
            return self.backbone.forward(batch)
        return self.backbone.forward_from(batch, self.cut)


def split_by_size(sizes: NDArray[np.intp], *, most: int = 3) -> list[NDArray[np.intp]]:
    """Cut rows into at most so many parts of like sizes, at the least work: rows times the longest, and a call each.

    Args:
        sizes: (n,) size of every row.
        most: How many parts at most.

    Returns:
        Positions of each part; one part in the order given where all sizes are alike or parts would not pay.
    """
    order = np.argsort(sizes, kind="stable")
    n, ordered = len(order), sizes[order]
    steps = range(max(1, n // 12), n, max(1, n // 12))

    def work(cuts: tuple[int, ...]) -> int:
        ends = (*cuts, n)
        starts = (0, *cuts)
        return sum(int(ordered[end - 1]) * (end - start) + CALL for start, end in zip(starts, ends, strict=True))

    best = min((cuts for parts in range(most) for cuts in combinations(steps, parts)), key=work)
    return np.split(order, best) if best else [np.arange(n)]


def boundary(run: Run, backbone: Backbone, dataset: Dataset, *, cut: str | None, reading: Reading) -> Views:
    """Get the activations of a data set at a cut: from the store where they fit, else live.

    Args:
        run: The store, and what was decided about it before.
        backbone: The pretrained network, unchanged.
        dataset: N items.
        cut: The frozen boundary; None for the network's input.
        reading: Which views of each item, and how they are stored.

    Returns:
        The activations of all views.
    """
    networks = seen(backbone, reading)
    if cut is None:
        return Views([Inputs(each, dataset.items, run.engine) for each in networks])
    if placed(run, backbone, dataset, cut=cut, reading=reading) == "live":
        return Views([LiveActivations(each, dataset.items, cut, run.engine) for each in networks])
    precision = reading.precision
    return Views([run.features.activations(each, dataset, cut=cut, precision=precision) for each in networks])


def boundary_once(run: Run, backbone: Backbone, dataset: Dataset, *, cut: str | None, precision: Precision) -> Views:
    """Get the plain activations of items that are read once: from the store where all are there, else live.

    Args:
        run: The store; nothing is added to it.
        backbone: The pretrained network, unchanged.
        dataset: N items.
        cut: The frozen boundary; None for the network's input.
        precision: Number type of what is stored.

    Returns:
        The activations of the plain view; stored and live ones differ by rounding.
    """
    reading = Reading(precision=precision)
    if cut is None:
        return boundary(run, backbone, dataset, cut=None, reading=reading)
    if missing(run, backbone, dataset, cut=cut, reading=reading):
        return Views([LiveActivations(backbone, dataset.items, cut, run.engine)])
    return Views([run.features.activations(backbone, dataset, cut=cut, precision=precision)])


def placed(run: Run, backbone: Backbone, dataset: Dataset, *, cut: str, reading: Reading) -> str:
    """Decide once per cut, items and reading whether activations are ``stored`` or computed ``live``."""
    digest = hashlib.sha256("".join(dataset.hashes).encode()).hexdigest()[:8]
    how = f"{reading.views} views, flips {reading.flips}, {reading.precision}"
    name = f"activations at {cut} of {backbone.name}: {len(dataset)} items ({digest}), {how}"
    return str(run.decide(name, lambda: _place(run, backbone, dataset, cut, reading)))


def missing(run: Run, backbone: Backbone, dataset: Dataset, *, cut: str, reading: Reading) -> int:
    """Count what is not stored yet: items, over all views."""
    keys = [key_of(network, cut=cut, precision=reading.precision) for network in seen(backbone, reading)]
    return sum(len(run.features.store.missing(key, dataset.hashes)) for key in keys)


def seen(backbone: Backbone, reading: Reading) -> list[Backbone]:
    """Return the network as it sees each view: plain, then lightly augmented.

    A view is a function of its number and the item alone, so that runs with other seeds find the same ones stored.
    """
    return [augmented(backbone, view, flips=reading.flips) for view in range(reading.views)]


def _place(run: Run, backbone: Backbone, dataset: Dataset, cut: str, reading: Reading) -> str:
    """Decide whether activations are stored, and say how large they are where that matters."""
    if not missing(run, backbone, dataset, cut=cut, reading=reading):
        return "stored"
    views, precision = reading.views, reading.precision
    room = SHARE_OF_ROOM * run.features.store.room(key_of(backbone, cut=cut, precision=precision)) / 2**20
    megabytes = views * _rough_megabytes(backbone, dataset, cut) * np.dtype(precision).itemsize / 4
    if 4 * megabytes > room:  # a closer look, at what is not stored yet
        expected = [
            run.features.predict_activations(each, dataset, cut=cut, precision=precision)
            for each in seen(backbone, reading)
        ]
        megabytes = sum(each.megabytes for each in expected)
    live = megabytes > room
    if live or megabytes > WORTH_SAYING:
        run.say(
            f"Activations at {cut} take about {megabytes:,.0f} MB ({views} views of {len(dataset)} items)"
            + (f"; the store has {room:,.0f} MB for them, so the frozen part runs live." if live else ".")
        )
    return "live" if live else "stored"


def _rough_megabytes(backbone: Backbone, dataset: Dataset, cut: str) -> float:
    """Guess from the first item and the longest of a few."""
    few = sorted(dataset.items[:64], key=lambda item: -rough_size(item, backbone.modality))
    with torch.no_grad():
        values = backbone.forward_to(backbone.prepare(few[:1]), cut).values
    return len(dataset) * values.nbytes / 2**20


def rows_and_views(rows: NDArray[np.intp], views: int, n: int, *, seed: int, step: int) -> NDArray[np.intp]:
    """Draw a view for every row of a batch, as a function of seed and step.

    Args:
        rows: (b,) items.
        views: How many views there are.
        n: How many items there are.
        seed: Determines the draw.
        step: Number of the batch.

    Returns:
        (b,) rows of `Views`.
    """
    if views == 1:
        return rows
    return rows + n * np.random.default_rng([seed, step, 1]).integers(0, views, len(rows))
