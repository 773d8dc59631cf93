"""Recordings too long to be kept in memory: where their windows are, and reading these a few at a time.

An hour takes 230 MB as samples, and about as much again as what a network hears of them. So what is longer than a
minute is decoded twice: first to find faults and to count its samples, which tells where all its windows and frames
are, and again when the network has come so far. Windows and batches are those of reading it whole, to the last bit.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, Final, Protocol, final, runtime_checkable

import numpy as np
import torch
from numpy.typing import NDArray

from headstart.backbones._batch import Batch, Words
from headstart.data import Item, sound_blocks
from headstart.engine import LocalEngine, Resources
from headstart.errors import DataError
from headstart.runtime import Places

SECONDS_KEPT: Final = 60  # of a recording that is read whole
AHEAD: Final = 8  # windows
Samples = NDArray[np.float32]


@final
@dataclass(frozen=True, eq=False)
class LongSound:
    """A recording as its preparer leaves it, but for its windows, which are read when they are asked for.

    Attributes:
        windows: Reads them, one after another.
        lengths: (W,) frames of each.
        places: Where its frames are, if they have features of their own.
    """

    windows: Callable[[], Iterator[NDArray[Any]]]
    lengths: tuple[int, ...]
    places: Places | None = None

    @property
    def cost(self) -> int:
        """The frames of all windows together."""
        return sum(self.lengths)

    @property
    def longest(self) -> int:
        """The frames of its longest window."""
        return max(self.lengths)

    def batches(self, size: int) -> Iterator[Batch]:
        """Read it a few windows at a time.

        Args:
            size: How many, at least 1.

        Yields:
            What the batch of all its windows has in these rows: padded to the longest of all, with a mask if any is.
        """
        windows = self.windows()
        for start in range(0, len(self.lengths), size):
            yield self._batch(start, list(islice(windows, size)))

    def _batch(self, start: int, windows: Sequence[NDArray[Any]]) -> Batch:
        real = np.arange(self.longest) < np.array(self.lengths)[start : start + len(windows), None]
        values = np.zeros((*real.shape, *windows[0].shape[1:]), dtype=np.float32)
        values[real] = np.concatenate(windows)
        mask = torch.from_numpy(real) if min(self.lengths) < self.longest else None
        if self.places is not None:
            return Batch(torch.from_numpy(values), mask, words=self._words(start, start + len(windows)))
        owner = torch.zeros(len(windows), dtype=torch.long) if len(self.lengths) > 1 else None
        return Batch(torch.from_numpy(values), mask, owner)

    def _words(self, start: int, end: int) -> Words:
        """Place the frames that some windows answer; later ones are answered by later windows."""
        assert self.places is not None, "only of frames that have features of their own"
        first, last = np.searchsorted(self.places[:, 0], [start, end])
        window, frame, row = self.places[first:last].T.astype(np.int64)
        numbers, renumbered = np.unique(row, return_inverse=True)
        places = np.stack([window - start, frame, renumbered], axis=1)
        return Words(torch.from_numpy(places), len(numbers))


@runtime_checkable
class ReadsLong(Protocol):
    """A preparer of recordings that need not keep long ones."""

    def read_long(self, items: Sequence[Item]) -> list[Any]:
        """Decode as `Preparer.read` does; what is longer than a minute becomes a `LongSound`."""


def read_or_count(item: Item, *, rate: int) -> Samples | int:
    """Decode a recording completely.

    Args:
        item: A path or a `Sound`.
        rate: Samples per second.

    Returns:
        Its samples, or of a long one only how many there are.

    Raises:
        DataError: As for `headstart.data.read_sound`.
    """
    kept: list[Samples] = []
    count = 0
    for block in sound_blocks(item, rate=rate):
        count += len(block)
        kept = [*kept, block] if count <= SECONDS_KEPT * rate else []
    return np.concatenate(kept) if kept else count


def pieces(blocks: Iterator[NDArray[Any]], spans: Sequence[tuple[int, int]], *, where: str) -> Iterator[NDArray[Any]]:
    """Cut what comes block by block.

    Args:
        blocks: Samples, or other rows, that follow each other.
        spans: First row, and the row after the last, of each piece; ordered, overlapping or one after another.
        where: What to name in an error.

    Yields:
        The pieces.

    Raises:
        DataError: There are fewer rows than the last piece needs.
    """
    held, first = next(blocks), 0
    for start, end in spans:
        while first + len(held) < end:
            block = next(blocks, None)
            if block is None:
                problem = f"expected {spans[-1][1]:,} samples, as when it was first read, found {first + len(held):,}"
                raise DataError(problem, where=where, fix="Run it again when nothing writes to the file.")
            held = np.concatenate([held[max(0, start - first) :], block])
            first = max(first, start)
        yield held[start - first : end - first]


def described(describe: Callable[[Samples], NDArray[Any]], windows: Iterator[Samples]) -> Iterator[NDArray[Any]]:
    """Describe windows in threads, a few ahead of the network, each as `describe` does."""
    return LocalEngine().map(describe, windows, resources=Resources(ahead=AHEAD))
