"""Which training examples each point of a learning curve gets: rising sizes, and subsets nested in one another."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

import numpy as np
import numpy.typing as npt

from headstart.errors import OptionError
from headstart.evaluation.entities import marked_entities
from headstart.tasks import flat, kind_of

__all__ = ["nested_subsets", "sizes"]

Floats: TypeAlias = npt.NDArray[np.float64]
Indices: TypeAlias = npt.NDArray[np.intp]

_POINTS: Final = 6
_FEWEST_LABELS: Final = 8
_FEWEST_PER_CLASS: Final = 2
_SMALLEST_STEP: Final = 1.5
_BINS: Final = 10
_FEW_TEXTS: Final = 50


def sizes(n: int, n_classes: int, most: int | None = None) -> tuple[int, ...]:
    """Choose the training sizes of a curve: a geometric series of at most 6, each at least 1.5 times the one before.

    Args:
        n: How many training examples there are.
        n_classes: How many classes, labels or types of entity; 1 for values and transcripts.
        most: The largest size wanted; all of them where None.

    Returns:
        Rising sizes, from two per class (at least 8) to the largest; only the largest where that is hardly more.
    """
    last = n if most is None else min(n, most)
    first = max(_FEWEST_LABELS, _FEWEST_PER_CLASS * n_classes)
    steps = int(np.log(last / first) / np.log(_SMALLEST_STEP)) if last > first else 0
    if steps == 0:
        return (last,)
    series = np.geomspace(first, last, min(steps + 1, _POINTS))
    return tuple(int(size) for size in np.round(series))


def nested_subsets(
    y: npt.NDArray[Any], groups: npt.NDArray[Any] | None, wanted: Sequence[int], *, seed: int, equal: bool = False
) -> tuple[Indices, ...]:
    """Draw one subset of the examples per size, each inside the next, alike in classes, labels or values.

    Groups, or examples where there are none, are added one by one: first one of every class, rarest first, then always
    one of the class that is furthest below its share by Sainte-Lague's quotient, total / (2 held + 1). A group enters
    whole and only if it brings the size nearer to the one wanted; that every class is present goes before that.

    Args:
        y: Class numbers (N,), indicators (N, C), values (N,), spread by quantile, or (N,) objects, the tags of words,
            spread by the types of entity that occur in a document, or transcripts (N,), drawn by chance, or spread as
            classes are where there are at most 50 different ones.
        groups: Group of each example (N,), or None.
        wanted: Rising sizes, at most N.
        seed: Same seed, same subsets.
        equal: Whether all classes have the same share, as far as each goes, and not that of its examples.

    Returns:
        For each size, sorted indices. Without groups there are exactly as many as wanted; with groups the length says
        how many there are.

    Raises:
        OptionError: The sizes do not rise, or are not between 1 and N.
    """
    steps = np.asarray(wanted)
    if len(steps) == 0 or (np.diff(steps) <= 0).any() or not 1 <= steps[0] <= steps[-1] <= len(y):
        raise OptionError(f"expected rising sizes from 1 to {len(y)}, found {list(wanted)}")
    group = np.arange(len(y)) if groups is None else np.unique(groups, return_inverse=True)[1].reshape(-1)
    unit = np.random.default_rng(seed).permutation(int(group.max()) + 1)[group]  # numbered in chance order
    counts = np.stack([np.bincount(unit, column).astype(np.float64) for column in _strata(y, int(steps[0])).T], axis=1)
    chosen = _Chosen(counts, np.bincount(unit), np.ones(len(counts), dtype=bool), groups is not None, equal)
    subsets = []
    for size in steps:
        chosen.grow(int(size))
        subsets.append(np.flatnonzero(~chosen.left[unit]))
    return tuple(subsets)


def _strata(y: npt.NDArray[Any], smallest: int) -> Floats:
    """Which strata each example is in, (N, S): its class, its labels or types (or having none), or its quantile."""
    kind = kind_of(y)
    if kind == "transcription":
        # Where everything differs, to have something of each first would mean to have the rarest first.
        kind = "classification"
        if len(np.unique(y)) > _FEW_TEXTS:
            y = np.zeros(len(y), dtype=np.intp)
    if kind == "tagging":
        n_types = (int(flat(y).max(initial=0)) + 1) // 2
        y, kind = marked_entities(y, n_types), "multilabel"
    if kind == "multilabel":
        columns = np.column_stack([y > 0, ~(y > 0).any(axis=1)])
        return columns[:, columns.any(axis=0)].astype(np.float64)
    bins = min(_BINS, smallest)
    codes = y if kind == "classification" else np.searchsorted(np.quantile(y, np.arange(1, bins) / bins), y, "right")
    names, numbers = np.unique(codes, return_inverse=True)
    return np.eye(len(names))[numbers.reshape(-1)]


@dataclass
class _Chosen:
    """The groups chosen so far; the first of equals goes first, so they must be numbered in chance order."""

    counts: Floats  # examples of each stratum in each group, (G, S)
    examples: npt.NDArray[np.signedinteger[Any]]  # in each group, (G,)
    left: npt.NDArray[np.bool_]  # whether each group is still to be had, (G,)
    whole: bool  # whether groups may be of several examples
    equal: bool  # whether strata have equal shares

    def grow(self, size: int) -> None:
        """Add groups until there are about ``size`` examples."""
        if size == self.examples.sum():
            self.left[:] = False
        has = np.asfortranarray(self.counts > 0)
        total = np.ones(self.counts.shape[1]) if self.equal else self.counts.sum(axis=0)
        held, room = self.counts[~self.left].sum(axis=0), size - int(self.examples[~self.left].sum())
        while self.left.any():
            pick = self._next(has, held, total, room)
            if pick is None:
                break
            self.left[pick] = False
            held, room = held + self.counts[pick], room - int(self.examples[pick])

    def _next(self, has: npt.NDArray[np.bool_], held: Floats, total: Floats, room: int) -> int | None:
        """The group to add, or None where the size is as near as it gets."""
        fits = self.left & (self.examples < 2 * room)  # else the size would be nearer without it
        missing = np.flatnonzero(held == 0)
        if len(missing) and (room > 0 or self.whole):
            with_it = self.left & has[:, missing[np.argmin(has[:, missing].sum(axis=0))]]
            smallest = int(np.where(with_it, self.examples, np.inf).argmin())
            return _first(with_it & fits, otherwise=smallest)
        ordered = np.argsort(-total / (2 * held + 1), kind="stable")
        found = (_first(fits & has[:, stratum], otherwise=None) for stratum in ordered)
        return next((pick for pick in found if pick is not None), None)


def _first(mask: npt.NDArray[np.bool_], otherwise: int | None) -> int | None:
    found = int(mask.argmax())
    return found if mask[found] else otherwise
