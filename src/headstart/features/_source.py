"""Features of any data set from the store, computed where they are missing."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import final

import numpy as np
import torch
from numpy.typing import NDArray

from headstart.backbones import Backbone, View
from headstart.data import Dataset, Item
from headstart.engine import Engine, LocalEngine
from headstart.errors import BudgetError
from headstart.features._frozen import frozen_pass
from headstart.features._store import Key, Store

Progress = Callable[[str, int, int], None]
"""Called with (what is being done, how many items are done, how many there are)."""

ROWS_PER_SHARD = {"image": 256, "text": 2048}
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
    """

    store: Store = field(default_factory=Store)
    engine: Engine = field(default_factory=LocalEngine)
    progress: Progress = silent
    deadline: float | None = None
    items: int = 0
    seconds: float = 0.0
    computed: int = 0

    def features(self, backbone: Backbone, dataset: Dataset, *, view: View = "last") -> NDArray[np.float32]:
        """Return one feature view of every item of a data set.

        Args:
            backbone: The frozen network.
            dataset: N items.
            view: One of the backbone's views.

        Returns:
            (N, D) features in the order of the items.
        """
        self.ensure(backbone, dataset)
        return self.store.read(key_of(backbone), dataset.hashes, view=backbone.views.index(view))

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
        missing = self.store.missing(key, dataset.hashes)
        if missing:
            first = {item: position for position, item in reversed(list(enumerate(dataset.hashes)))}
            to_come = max(0, self.items - len(dataset))
            self._compute(backbone, key, missing, [dataset.items[first[item]] for item in missing], to_come=to_come)
        return len(missing)

    def _compute(
        self, backbone: Backbone, key: Key, hashes: Sequence[str], items: Sequence[Item], *, to_come: int
    ) -> None:
        started, done, warm = time.monotonic(), 0, None
        shard = _Shard(self.store, key, ROWS_PER_SHARD[backbone.modality], hashes)
        self.progress(f"features of {backbone.name}", 0, len(items))
        for rows in frozen_pass(backbone, items, engine=self.engine):
            shard.add(rows.positions, rows.values)
            done += len(rows.positions)
            self.progress(f"features of {backbone.name}", done, len(items))
            # The first batch is slower than the rest; a rate that counts it would refuse what fits.
            warm = warm or (time.monotonic(), done)
            self._check_budget(backbone, warm, done, len(items) + to_come)
        shard.flush()
        self.seconds += time.monotonic() - started
        self.computed += len(items)

    def _check_budget(self, backbone: Backbone, warm: tuple[float, int], done: int, total: int) -> None:
        now, (since, before) = time.monotonic(), warm
        if self.deadline is None or now - since < SECONDS_BEFORE_PREDICTING or done == before:
            return
        needed = (now - since) * (total - done) / (done - before)
        if now + needed > self.deadline:
            raise BudgetError(
                f"frozen passes over {total} items need about {needed:.0f} s more and the budget leaves "
                f"{max(0.0, self.deadline - now):.0f} s",
                where=backbone.name,
                fix=f"Give {int(1.3 * needed) + 30} s more, or a smaller --backbone; what was computed is kept.",
            )


class _Shard:
    """Collects rows, and stores them whenever enough have come."""

    def __init__(self, store: Store, key: Key, size: int, hashes: Sequence[str]) -> None:
        self._store, self._key, self._size, self._hashes = store, key, size, hashes
        self._positions: list[int] = []
        self._values: list[NDArray[np.float32]] = []

    def add(self, positions: NDArray[np.intp], values: NDArray[np.float32]) -> None:
        self._positions.extend(int(p) for p in positions)
        self._values.append(values)
        if len(self._positions) >= self._size:
            self.flush()

    def flush(self) -> None:
        if self._positions:
            hashes = [self._hashes[p] for p in self._positions]
            self._store.append(self._key, hashes, np.concatenate(self._values))
        self._positions, self._values = [], []


def key_of(backbone: Backbone) -> Key:
    """Return what determines a backbone's feature rows besides the items.

    Args:
        backbone: The frozen network.

    Returns:
        The store's key.
    """
    return Key(
        weights=backbone.weights_hash,
        preprocessing=backbone.preprocessing_hash,
        cut="features",
        views=backbone.views,
        precision="float32",
        engine=f"torch-{backbone.device.type}",
        library=f"torch {torch.__version__.split('.')[0]}",
        backbone=backbone.name,
    )
