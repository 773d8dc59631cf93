"""Features and activations of any data set from the store, computed where they are missing."""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar, final

import numpy as np
import torch
from numpy.typing import NDArray

from headstart.backbones import Backbone, View, frame_places
from headstart.data import Dataset, Item
from headstart.engine import Engine, LocalEngine
from headstart.errors import BudgetError
from headstart.features._activations import (
    Activations,
    BoundaryRows,
    Precision,
    boundary_pass,
    lies_channels_last,
)
from headstart.features._costs import Forecast, forecast
from headstart.features._frozen import Rows, frozen_pass, read_each
from headstart.features._store import Key, Store
from headstart.tasks import ragged

Progress = Callable[[str, int, int], None]
"""Called with (what is being done, how many items are done, how many there are)."""

R = TypeVar("R", Rows, BoundaryRows)

ROWS_PER_SHARD = {"image": 256, "text": 2048, "audio": 256}
BYTES_PER_SHARD = 64 * 2**20
# The first batches are slower than the rest (memory, kernels chosen); a prediction from less is not worth stopping for.
SECONDS_BEFORE_PREDICTING = 3.0


def silent(what: str, done: int, total: int) -> None:
    """Report nothing."""


@final
@dataclass
class FeatureSource:
    """Gives the features of items under a backbone: stored ones at once, missing ones by a frozen pass.

    Attributes:
        store: Where rows are kept.
        engine: Reads items ahead of the network.
        progress: Told about every batch of a frozen pass.
        deadline: `time.monotonic` value by which a frozen pass must be done, or None.
        items: How many items the whole run will ask for under one backbone; a pass that leaves no time for the rest of
            them is refused too.
        seconds: Time spent so far in computing and storing rows.
        computed: Rows computed so far.
        by_backbone: Both for each backbone, by its name.
    """

    store: Store = field(default_factory=Store)
    engine: Engine = field(default_factory=LocalEngine)
    progress: Progress = silent
    deadline: float | None = None
    items: int = 0
    seconds: float = 0.0
    computed: int = 0
    by_backbone: dict[str, tuple[float, int]] = field(default_factory=dict)
    _placed: dict[str, dict[str, NDArray[np.int32]]] = field(default_factory=dict, init=False, repr=False)

    def features(self, backbone: Backbone, dataset: Dataset, *, view: View = "last") -> NDArray[Any]:
        """Return one feature view of every item of a data set.

        Args:
            backbone: The frozen network.
            dataset: N items.
            view: One of the backbone's views.

        Returns:
            (N, D) features in the order of the items; (N,) objects of (rows, D) under a backbone for words or frames.
        """
        self.ensure(backbone, dataset)
        number = backbone.views.index(view)
        if backbone.one_row:
            return self.store.read(key_of(backbone), dataset.hashes, view=number)
        stored = dict(zip(dataset.hashes, self.store.read_ragged(key_of(backbone), dataset.hashes), strict=True))
        chosen = {item: np.ascontiguousarray(pieces[0][:, number]) for item, pieces in stored.items()}
        return ragged(chosen[item] for item in dataset.hashes)

    def ensure(self, backbone: Backbone, dataset: Dataset) -> int:
        """Compute and store what is missing; equal items are computed once.

        Args:
            backbone: The frozen network.
            dataset: Its items.

        Returns:
            How many rows were computed.

        Raises:
            BudgetError: Measured on the first batches, the pass cannot be done by the deadline.
        """
        key = key_of(backbone)
        hashes, items = self._missing(key, dataset)
        if hashes:
            shard = self._shard_of_several(key, hashes)
            if backbone.one_row:
                shard = _Shard(
                    hashes,
                    most=ROWS_PER_SHARD[backbone.modality],
                    size=lambda rows: len(rows.positions),
                    write=lambda names, rows: self.store.append(key, names, np.concatenate([r.values for r in rows])),
                )
            computed = frozen_pass(backbone, items, engine=self.engine)
            to_come = max(0, self.items - len(dataset))
            self._compute(f"features of {backbone.name}", computed, shard, to_come=to_come, where=backbone.name)
        return len(hashes)

    def _shard_of_several(self, key: Key, hashes: list[str]) -> "_Shard[Rows]":
        return _Shard(
            hashes,
            most=BYTES_PER_SHARD,
            size=lambda rows: sum(each.nbytes for each in rows.values),
            write=lambda names, rows: self.store.append_ragged(key, names, [(v,) for r in rows for v in r.values]),
        )

    def activations(
        self, backbone: Backbone, dataset: Dataset, *, cut: str, precision: Precision = "float32"
    ) -> Activations:
        """Return the activations of every item at a cut point; what is missing is computed and stored first.

        `predict_activations` says beforehand what that takes, and `Store.room` what there is.

        Args:
            backbone: The frozen network.
            dataset: N items.
            cut: A name from the backbone's cuts.
            precision: How they are stored; float16 takes half the space and is widened on reading.

        Returns:
            The activations, on the backbone's device batch by batch.

        Raises:
            BackboneError: There is no such cut point, or an activation is too large for the precision.
            BudgetError: Measured on the first batches, the pass cannot be done by the deadline.
            StoreError: The store cannot hold them; the windows stored so far are kept.
        """
        key = key_of(backbone, cut=cut, precision=precision)
        hashes, items = self._missing(key, dataset)
        if hashes:
            shard: _Shard[BoundaryRows] = _Shard(
                hashes,
                most=BYTES_PER_SHARD,
                size=lambda rows: rows.nbytes,
                write=lambda names, rows: self.store.append_ragged(key, names, [p for r in rows for p in r.pieces]),
            )
            computed = boundary_pass(backbone, items, cut=cut, engine=self.engine, precision=precision)
            self._compute(f"activations of {backbone.name} at {cut}", computed, shard, to_come=0, where=backbone.name)
        pieces = self.store.read_ragged(key, dataset.hashes)
        places = self._places(backbone, dataset, pieces)
        return Activations(pieces, backbone.device, lies_channels_last(backbone), places)

    def predict_activations(
        self, backbone: Backbone, dataset: Dataset, *, cut: str, precision: Precision = "float32"
    ) -> Forecast:
        """Predict what `activations` would add to the store, and how long it would take; stores nothing.

        Args:
            backbone: The frozen network.
            dataset: N items.
            cut: A name from the backbone's cuts.
            precision: How they would be stored.

        Returns:
            Megabytes and seconds for the items that have no row yet, measured on about two batches of them.

        Raises:
            BackboneError: There is no such cut point.
        """
        _, items = self._missing(key_of(backbone, cut=cut, precision=precision), dataset)
        return forecast(backbone, items, cut=cut, engine=self.engine, precision=precision)

    def rows_each(self, backbone: Backbone, dataset: Dataset) -> NDArray[np.intp] | None:
        """Tell how many rows of features each item has.

        Recordings are read for that only where neither their features nor activations have been asked for.

        Args:
            backbone: The frozen network.
            dataset: N items.

        Returns:
            (N,) the words of documents or the frames of recordings; None where each item has one row.
        """
        if backbone.one_row:
            return None
        if backbone.frames is None:
            return np.array([len(item.words) for item in dataset.items], dtype=np.intp)
        key, placed = key_of(backbone), self._placed.get(backbone.preprocessing_hash, {})
        unknown = [item for item in dict.fromkeys(dataset.hashes) if item not in placed]
        counts = {item: int(placed[item][-1, 2]) + 1 for item in dataset.hashes if item in placed}
        if unknown and not self.store.missing(key, unknown):
            stored = self.store.read_ragged(key, unknown)
            counts |= {item: len(rows) for item, (rows,) in zip(unknown, stored, strict=True)}
        elif unknown:
            places = self._look_up(backbone, dataset)
            counts = {item: int(each[-1, 2]) + 1 for item, each in zip(dataset.hashes, places, strict=True)}
        return np.array([counts[item] for item in dataset.hashes], dtype=np.intp)

    def _places(
        self, backbone: Backbone, dataset: Dataset, pieces: Sequence[tuple[NDArray[Any], ...]]
    ) -> list[NDArray[np.int32]] | None:
        """Return where the words or frames of every item are; the lengths of stored windows tell where frames are."""
        if backbone.one_row:
            return None
        if backbone.frames is not None:
            known = self._placed.setdefault(backbone.preprocessing_hash, {})
            windows = dict(zip(dataset.hashes, pieces, strict=True))
            known.update({item: frame_places(backbone, each) for item, each in windows.items() if item not in known})
        return self._look_up(backbone, dataset)

    def _look_up(self, backbone: Backbone, dataset: Dataset) -> list[NDArray[np.int32]]:
        """Return where the words or frames of every item are; they are read once."""
        known = self._placed.setdefault(backbone.preprocessing_hash, {})
        new = {item: i for i, item in enumerate(dataset.hashes) if item not in known}
        items = [dataset.items[i] for i in new.values()]
        known.update({item: each[-1] for item, each in zip(new, read_each(backbone, items, self.engine), strict=True)})
        return [known[item] for item in dataset.hashes]

    def _missing(self, key: Key, dataset: Dataset) -> tuple[list[str], list[Item]]:
        """Return the hashes that have no row, each once, with an item of each."""
        missing = self.store.missing(key, dataset.hashes)
        first = {item: position for position, item in reversed(list(enumerate(dataset.hashes)))} if missing else {}
        return missing, [dataset.items[first[item]] for item in missing]

    def _compute(self, what: str, computed: Iterator[R], shard: "_Shard[R]", *, to_come: int, where: str) -> None:
        started, done, warm, total = time.monotonic(), 0, None, len(shard.hashes)
        self.progress(what, 0, total)
        for rows in computed:
            shard.add(rows)
            done += len(rows.positions)
            self.progress(what, done, total)
            # The first batch is slower than the rest; a rate that counts it would refuse what fits.
            warm = warm or (time.monotonic(), done)
            self._check_budget(where, warm, done, total + to_come)
        shard.flush()
        seconds = time.monotonic() - started
        earlier, of_those = self.by_backbone.get(where, (0.0, 0))
        self.by_backbone[where] = (earlier + seconds, of_those + total)
        self.seconds += seconds
        self.computed += total

    def _check_budget(self, where: str, warm: tuple[float, int], done: int, total: int) -> None:
        now, (since, before) = time.monotonic(), warm
        if self.deadline is None or now - since < SECONDS_BEFORE_PREDICTING or done == before:
            return
        needed = (now - since) * (total - done) / (done - before)
        if now + needed > self.deadline:
            raise BudgetError(
                f"frozen passes over {total} items need about {needed:.0f} s more and the budget leaves "
                f"{max(0.0, self.deadline - now):.0f} s",
                where=where,
                fix=f"Give {int(1.3 * needed) + 30} s more, or a smaller --backbone; what was computed is kept.",
            )


class _Shard(Generic[R]):
    """Collects rows, and writes them at the first end of a window after enough have come."""

    def __init__(
        self,
        hashes: Sequence[str],
        *,
        most: int,
        size: Callable[[R], int],
        write: Callable[[list[str], list[R]], None],
    ) -> None:
        self.hashes, self._most = hashes, most
        self._size: Callable[[R], int] = size
        self._write: Callable[[list[str], list[R]], None] = write
        self._rows: list[R] = []
        self._held = 0

    def add(self, rows: R) -> None:
        self._rows.append(rows)
        self._held += self._size(rows)
        if rows.ends_window and self._held >= self._most:
            self.flush()

    def flush(self) -> None:
        if self._rows:
            self._write([self.hashes[p] for rows in self._rows for p in rows.positions], self._rows)
        self._rows, self._held = [], 0


def key_of(backbone: Backbone, *, cut: str | None = None, precision: Precision = "float32") -> Key:
    """Return what determines a backbone's rows besides the items.

    Args:
        backbone: The frozen network.
        cut: A cut point, or None for the feature views.
        precision: Number type of the stored values.

    Returns:
        The store's key.
    """
    return Key(
        weights=backbone.weights_hash,
        preprocessing=backbone.preprocessing_hash,
        cut="features" if cut is None else cut,  # a block may be called features; it has no views
        views=backbone.views if cut is None else (),
        precision=precision,
        engine=f"torch-{backbone.device.type}",
        library=f"torch {torch.__version__.split('.')[0]}",
        backbone=backbone.name,
    )
