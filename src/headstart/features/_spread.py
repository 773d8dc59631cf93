"""A pass over many items in blocks, each by a worker of a cluster.

A block holds whole windows of the pass it is part of, so that workers cut the same batches as one process does, and the
same batches give the same bits. Where windows are filled by size and not by number (sounds, words) the last batches of
a block are others, and numbers may differ by rounding.

An item at which every worker dies (a broken file that takes a decoder down, one that needs more memory than there is)
is found by running its block item by item; all others are computed and kept before it is named.
"""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Final, Protocol, Self, TypeVar

import numpy as np
from numpy.typing import NDArray

from headstart.data import Item, Modality
from headstart.engine import Engine, Lost
from headstart.errors import DataError

BLOCK: Final[dict[Modality, int]] = {"image": 256, "text": 2048, "audio": 64}  # items; whole windows
_NAMED: Final = 3


class Part(Protocol):
    """Some rows of a pass."""

    @property
    def positions(self) -> NDArray[np.intp]:
        """Which items of the block these are."""

    def moved(self, by: int) -> Self:
        """Return the same of items that lie further on."""


P = TypeVar("P", bound=Part)
R = TypeVar("R")
Work = Callable[[Sequence[Item]], list[P]]


def spread_pass(work: Work[P], items: Sequence[Item], *, engine: Engine, block: int) -> Iterator[P]:
    """Run a pass block by block.

    Args:
        work: The pass over one block; it is sent to the workers, with the network that it holds.
        items: What to run.
        engine: Where.
        block: How many items a block has.

    Yields:
        Rows in the order of the items, block by block.

    Raises:
        DataError: An item cannot be read, also where this machine sees it and a worker does not; or workers die at it.
    """
    starts = range(0, len(items), block)
    deadly: list[tuple[Item, Lost]] = []
    results = _told(engine.spread(work, (items[start : start + block] for start in starts)))
    for start, found in zip(starts, results, strict=True):
        parts = _one_by_one(work, items[start : start + block], engine, deadly) if isinstance(found, Lost) else found
        yield from (part.moved(start) for part in parts)
    if deadly:
        raise _killers(deadly)


def _one_by_one(work: Work[P], items: Sequence[Item], engine: Engine, deadly: list[tuple[Item, Lost]]) -> Iterator[P]:
    """Run the items of a block that was lost, and remember those at which workers die again."""
    results = _told(engine.spread(work, ([item] for item in items)))
    for number, (item, found) in enumerate(zip(items, results, strict=True)):
        if isinstance(found, Lost):
            deadly.append((item, found))
        else:
            yield from (part.moved(number) for part in found)


def _told(results: Iterator[R]) -> Iterator[R]:
    """Say of a file that is here, and not there, that it is not shared."""
    try:
        yield from results
    except DataError as error:
        if "no such file" not in error.problem.lower() or not Path(error.where).exists():
            raise
        problem = "the file is on this machine, and a worker does not see it"
        fix = "Put the data into a folder that all nodes have under the same name."
        raise DataError(problem, where=error.where, fix=fix) from error


def _killers(deadly: Sequence[tuple[Item, Lost]]) -> DataError:
    first, lost = deadly[0]
    named = [str(item) if isinstance(item, Path) else f"an item of type {type(item).__name__}" for item, _ in deadly]
    more = f" and {len(named) - _NAMED} more" if len(named) > _NAMED else ""
    problem = f"{lost.times} workers died at {', '.join(named[:_NAMED])}{more} ({lost.reason})"
    fix = "Take it out of the data; all other items are computed, and the same command goes on from there."
    return DataError(problem, where=str(first) if isinstance(first, Path) else "", fix=fix)
