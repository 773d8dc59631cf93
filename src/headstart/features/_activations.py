"""Activations at a cut point: computed once and stored, or computed anew for every batch.

Both kinds answer ``batch(rows)`` with what the blocks after the cut take: the values there, padded on the right to the
longest window, with mask and owners only where they say something, as `collate_windows` does. So training goes the same
way whether the frozen part runs or its output is read. Padding holds zeros where a live pass holds what the network
makes of padding; no real token ever sees either.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from typing import Any, Literal, final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from headstart.backbones import Backbone, Batch, Words
from headstart.data import Item
from headstart.engine import Engine, LocalEngine, keep_freed_memory
from headstart.errors import BackboneError
from headstart.features._frozen import (
    IMAGES_PER_BATCH,
    TOKENS_PER_BATCH,
    batches,
    read_all,
    rough_size,
    row_length,
    window_size,
)
from headstart.features._spread import BLOCK, spread_pass

Precision = Literal["float32", "float16"]

# Activations of a window wait in memory for its end: 16,384 tokens of 768 values are 48 MB.
TEXTS_PER_WINDOW = 256
TOKENS_PER_WINDOW = 16384


@dataclass(frozen=True)
class BoundaryRows:
    """Activations of a few items at a cut point.

    Attributes:
        positions: (n,) which items of the sequence these are.
        pieces: For each item its windows without padding, (t, ...) each; an image is one piece.
        ends_window: Whether these are the last of their window; see `frozen_pass`.
    """

    positions: NDArray[np.intp]
    pieces: list[tuple[NDArray[Any], ...]]
    ends_window: bool

    @property
    def nbytes(self) -> int:
        """Bytes of all pieces."""
        return sum(piece.nbytes for item in self.pieces for piece in item)

    def moved(self, by: int) -> "BoundaryRows":
        """Return the same of items that lie further on."""
        return replace(self, positions=self.positions + by)


def boundary_pass(
    backbone: Backbone, items: Sequence[Item], *, cut: str, engine: Engine, precision: Precision = "float32"
) -> Iterator[BoundaryRows]:
    """Run items through the blocks up to a cut point.

    Args:
        backbone: The network; runs in evaluation mode on the device it is on.
        items: What to run, in any order of size.
        cut: A name from the backbone's cuts.
        engine: Reads and prepares items ahead of the network.
        precision: Number type of the result.

    Yields:
        Rows batch by batch; together they cover every item once.

    Raises:
        BackboneError: The network has no such cut point, or an activation is too large for the precision.
    """
    if engine.elsewhere:
        work = partial(_block, backbone, cut=cut, precision=precision)
        yield from spread_pass(work, items, engine=engine, block=BLOCK[backbone.modality])
        return
    backbone.network.eval()
    keep_freed_memory()
    most = window_size(backbone, texts=TEXTS_PER_WINDOW)
    ragged = backbone.modality != "image"
    cost = max(TOKENS_PER_WINDOW, TOKENS_PER_BATCH[backbone.device.type]) if ragged else np.inf
    for batch in batches(backbone, items, engine=engine, most=most, cost=cost):
        inputs = backbone.preparer.collate(batch.prepared)
        pieces = _pieces(backbone, inputs, cut=cut, precision=precision)
        yield BoundaryRows(batch.positions, _by_item(pieces, inputs.owner), batch.ends_window)


def _block(backbone: Backbone, items: Sequence[Item], *, cut: str, precision: Precision) -> list[BoundaryRows]:
    """Run one block, in the process of a worker."""
    return list(boundary_pass(backbone, items, cut=cut, engine=LocalEngine(), precision=precision))


def _pieces(backbone: Backbone, batch: Batch, *, cut: str, precision: Precision) -> list[NDArray[Any]]:
    """Return the activations of every row of a batch, padding cut away."""
    pieces: list[NDArray[Any]] = []
    for part in runs(batch, backbone):
        with torch.no_grad():
            values = backbone.forward_to(part.to(backbone.device), cut).values.float().cpu().numpy()
        lengths = [values.shape[1]] * len(values) if part.mask is None else part.mask.sum(1).tolist()
        with np.errstate(over="ignore"):  # it is looked for below
            pieces += [row[:length].astype(precision) for row, length in zip(values, lengths, strict=True)]
        if precision == "float16" and np.abs(values).max(initial=0) > np.finfo(np.float16).max:
            raise BackboneError(
                f"expected activations up to 65,504, found {np.abs(values).max():.3g}",
                where=f"{backbone.name} ({cut})",
                fix="Keep them in float32, the default.",
            )
    return pieces


def _by_item(pieces: list[NDArray[Any]], owner: Tensor | None) -> list[tuple[NDArray[Any], ...]]:
    if owner is None:
        return [(piece,) for piece in pieces]
    ends = np.cumsum(np.bincount(owner.numpy()))
    return [tuple(pieces[start:end]) for start, end in zip([0, *ends], ends, strict=False)]


def runs(batch: Batch, backbone: Backbone) -> Iterator[Batch]:
    """Cut a batch into runs of rows, so that memory follows neither the length of an item nor the size of the batch.

    The blocks before a cut treat every row by itself, so the runs give what the whole gives.
    """
    kind = backbone.device.type
    size = IMAGES_PER_BATCH[kind]
    if backbone.modality != "image":
        size = max(1, TOKENS_PER_BATCH[kind] // max(1, row_length(batch)))
    for start in range(0, len(batch.values), size):
        yield batch.at(slice(start, start + size))


@final
@dataclass(frozen=True, eq=False, repr=False)
class Activations:
    """Activations at a cut point, read from the store.

    Attributes:
        pieces: For each of N items its windows, (t, ...) each, as mapped files; an image is one piece.
        device: Where batches are put.
        channels_last: Whether (N, C, H, W) batches lie with the channels last in memory, as the network's weights do.
        places: For each item where its words or frames are, (K, 3), of a backbone that gives features of these; else
            None.
    """

    pieces: Sequence[tuple[NDArray[Any], ...]]
    device: torch.device = field(default_factory=lambda: torch.device("cpu"))
    channels_last: bool = False
    places: Sequence[NDArray[np.int32]] | None = None

    def __len__(self) -> int:
        return len(self.pieces)

    @property
    def nbytes(self) -> int:
        """Bytes they take in the store; equal items count once."""
        return sum({id(item): sum(piece.nbytes for piece in item) for item in self.pieces}.values())

    @property
    def sizes(self) -> NDArray[np.intp]:
        """(N,) rows along the first axis that each item takes in a batch of its own: its windows times the longest."""
        return np.array([len(item) * max(map(len, item)) for item in self.pieces], dtype=np.intp)

    def batch(self, rows: NDArray[np.intp]) -> Batch:
        """Gather items into what ``backbone.forward_from`` takes.

        Args:
            rows: (n,) which items, in any order, n at least 1.

        Returns:
            (W, T, ...) float32 activations; a mask only where a window is padded, owners only where an item has
            several windows.
        """
        chosen = [self.pieces[int(row)] for row in rows]
        pieces = [piece for item in chosen for piece in item]
        lengths = np.array([len(piece) for piece in pieces])
        real = np.arange(lengths.max()) < lengths[:, None]
        values = np.empty((*real.shape, *pieces[0].shape[1:]), dtype=np.float32)
        for row, piece in zip(values, pieces, strict=True):
            row[: len(piece)] = piece
            row[len(piece) :] = 0
        tensor = torch.from_numpy(values)
        if self.channels_last and values.ndim == 4:
            tensor = tensor.contiguous(memory_format=torch.channels_last)
        owner = None
        if len(pieces) > len(chosen):
            owner = torch.from_numpy(np.repeat(np.arange(len(chosen)), [len(item) for item in chosen]))
        words = None
        if self.places is not None:
            words = Words.join([self.places[int(row)] for row in rows], [len(item) for item in chosen])
        return Batch(tensor, None if real.all() else torch.from_numpy(real), owner, words).to(self.device)


@final
@dataclass(frozen=True, eq=False, repr=False)
class LiveActivations:
    """Activations at a cut point, computed for every batch; for where the store cannot hold them.

    Attributes:
        backbone: The network; its blocks up to the cut stay frozen and in evaluation mode.
        items: N items.
        cut: A name from the backbone's cuts.
        engine: Reads the items of a batch.
    """

    backbone: Backbone
    items: Sequence[Item]
    cut: str
    engine: Engine = field(default_factory=LocalEngine)

    def __len__(self) -> int:
        return len(self.items)

    @property
    def nbytes(self) -> int:
        """Nothing is kept."""
        return 0

    @property
    def sizes(self) -> NDArray[np.intp]:
        """(N,) sizes as far as they are known before items are read; see `rough_size`."""
        return np.array([rough_size(item, self.backbone.modality) for item in self.items], dtype=np.intp)

    def batch(self, rows: NDArray[np.intp]) -> Batch:
        """Read items and run them up to the cut.

        Args:
            rows: (n,) which items, in any order, n at least 1.

        Returns:
            What `Activations.batch` returns, up to the rounding of float32 and what stands in the padding.
        """
        backbone, chosen = self.backbone, [self.items[int(row)] for row in rows]
        inputs = backbone.preparer.collate(read_all(backbone, chosen, self.engine))
        self._freeze()
        with torch.no_grad():
            parts = [backbone.forward_to(run.to(backbone.device), self.cut).values for run in runs(inputs, backbone)]
        values = parts[0] if len(parts) == 1 else torch.cat(parts)
        return replace(inputs, values=values).to(backbone.device)

    def _freeze(self) -> None:
        """Put the frozen blocks in evaluation mode; the blocks after the cut may be training."""
        for block in self.backbone.blocks:
            for module in block.modules:
                module.eval()
            if block.name == self.cut:
                return


@final
@dataclass(frozen=True, eq=False, repr=False)
class Inputs:
    """The network's own input, read once and kept in memory as its preparer leaves it; for training all of a network.

    Attributes:
        backbone: The network; only its preparer is used.
        items: N items.
        engine: Reads them.
    """

    backbone: Backbone
    items: Sequence[Item]
    engine: Engine = field(default_factory=LocalEngine)

    def __len__(self) -> int:
        return len(self.items)

    @cached_property
    def prepared(self) -> list[Any]:
        """Every item as the preparer reads it: bytes of pixels, token numbers or frames window by window."""
        return read_all(self.backbone, self.items, self.engine)

    @property
    def nbytes(self) -> int:
        """Bytes they take in memory."""
        return sum(part.nbytes for item in self.prepared for part in (item if isinstance(item, tuple) else (item,)))

    @cached_property
    def sizes(self) -> NDArray[np.intp]:
        """(N,) tokens, frames or pixels of each item."""
        return np.array([self.backbone.preparer.cost(prepared) for prepared in self.prepared], dtype=np.intp)

    def batch(self, rows: NDArray[np.intp]) -> Batch:
        """Join items into an input of the network.

        Args:
            rows: (n,) which items, in any order, n at least 1.

        Returns:
            The batch, on the network's device.
        """
        batch = self.backbone.preparer.collate([self.prepared[int(row)] for row in rows])
        return batch.to(self.backbone.device)


def lies_channels_last(backbone: Backbone) -> bool:
    """Tell whether a network's convolutions keep the channels last in memory."""
    return any(
        weight.ndim == 4 and weight.is_contiguous(memory_format=torch.channels_last) and not weight.is_contiguous()
        for weight in backbone.network.parameters()
    )
