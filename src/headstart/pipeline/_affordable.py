"""How much of a learning curve fits the time: which sizes and draws are given up first."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

FEWEST_DRAWS: Final = 2  # one has no spread to tell an interval from
GOOD_DRAWS: Final = 3  # two leave one degree of freedom, and intervals that say nothing
ENOUGH_SIZES: Final = 3  # of scratch: below, draws are given up before sizes
FOR_A_LAW: Final = 4  # sizes of fine-tuning: below, a curve cannot be extended
FEWEST_SIZES: Final = 2  # one size is no curve


@dataclass(frozen=True)
class Costs:
    """What one arm takes, by size.

    Attributes:
        training: Seconds of one training at each size, prediction of the test part included.
        first: Seconds of activations and of cross-validation, besides, in a first draw that ends at each size.
        again: Seconds of activations in every later draw that ends at each size, of examples that the first lacks.
    """

    training: tuple[float, ...] = ()
    first: tuple[float, ...] = ()
    again: tuple[float, ...] = ()

    def total(self, draws: int, sizes: int) -> float:
        """Return the seconds of so many draws of the first so many sizes."""
        if not sizes or not self.training:
            return 0.0
        activations = self.first[sizes - 1] + (draws - 1) * self.again[sizes - 1]
        return draws * sum(self.training[:sizes]) + activations


@dataclass(frozen=True)
class Extent:
    """How much is measured: draws, and of each arm the first so many sizes."""

    draws: int
    tuned: int
    scratch: int


def affordable(tuned: Costs, scratch: Costs, *, draws: int, sizes: int, left: float) -> Extent | None:
    """Choose how much is measured in the time left.

    Args:
        tuned: What the fine-tuned arm takes.
        scratch: What training from scratch takes.
        draws: How many draws are wanted, at least two.
        sizes: How many sizes there are.
        left: Seconds left.

    Returns:
        What fits first of: all; fewer sizes from scratch, at least three; fewer fine-tuned, at least four; two draws;
        fewer sizes of both, at least two; no fine-tuning; no scratch. None where not even two draws of two fine-tuned
        sizes fit.
    """
    for extent in _extents(draws, sizes, with_scratch=bool(scratch.training)):
        if tuned.total(extent.draws, extent.tuned) + scratch.total(extent.draws, extent.scratch) <= left:
            return extent
    return None


def _extents(draws: int, sizes: int, *, with_scratch: bool) -> Iterator[Extent]:
    """From the most wanted to the least."""
    enough, fewest = min(ENOUGH_SIZES, sizes), min(FEWEST_SIZES, sizes)
    if with_scratch:
        for count in range(draws, FEWEST_DRAWS - 1, -1):
            yield from (Extent(count, sizes, scratch) for scratch in range(sizes, enough - 1, -1))
            yield from (Extent(count, tuned, enough) for tuned in range(sizes - 1, FOR_A_LAW - 1, -1))
        for tuned in range(sizes, fewest - 1, -1):
            yield from (Extent(FEWEST_DRAWS, tuned, scratch) for scratch in range(enough, fewest - 1, -1))
        yield from (Extent(FEWEST_DRAWS, 0, scratch) for scratch in range(enough, fewest - 1, -1))
    for count in range(draws, FEWEST_DRAWS - 1, -1):
        yield from (Extent(count, tuned, 0) for tuned in range(sizes, min(FOR_A_LAW, sizes) - 1, -1))
    yield from (Extent(FEWEST_DRAWS, tuned, 0) for tuned in range(sizes, fewest - 1, -1))


def duration(seconds: float) -> str:
    """Write a duration: seconds, or minutes from ten on."""
    return f"{seconds:.0f} s" if seconds < 600 else f"{seconds / 60:.0f} min"
