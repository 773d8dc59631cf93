"""Folds that are alike in what they hold and keep groups together.

What must be spread evenly are strata: classes, labels (an item may have several), types of entities in a text, or
quantile bins of a value. Texts that recur (names of classes, or a few phrases that are said again and again) are
classes too; transcripts that mostly do not are binned by their length, so that all folds hold about as much speech.
Classes and bins exclude each other, so without groups they are dealt out and the quotas are met exactly; with groups
the largest go first, each to the fold where its classes are rarest. So do texts and groups of texts by their types,
those without entities last: whole documents hold most types at once, and are spread more evenly so than label by label.

Labels follow the iterative stratification of Sechidis, Tsoumakas and Vlahavas (On the stratification of multi-label
data, 2011, algorithm 1): again and again the label with the fewest items left goes first, each of its items to the fold
that still wants most of this label, among equals the one that wants most items, then by chance. Ours differs in two
ways: what is given away are groups of items, the largest first, and a fold is passed over that would then hold all of
a label.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from headstart.errors import DataError
from headstart.tasks import Ragged, flat, is_ragged
from headstart.tasks import counts as sizes

Indices = NDArray[np.intp]
Fold = tuple[Indices, Indices]  # training side, scored side

_DRAWS: Final = 20  # before a training side that lacks a class is accepted, which no draw may avoid
_BINS: Final = 10
_MOSTLY: Final = 2  # times that each text occurs, on average, where texts are names


@dataclass(frozen=True)
class Strata:
    """Which strata every example belongs to, as pairs.

    Attributes:
        rows: The example of each pair, (P,).
        columns: Its stratum, (P,).
        n: Number of examples.
        disjoint: Whether every example is in exactly one stratum.
        tagged: Whether strata are the types of entities in texts.
    """

    rows: Indices
    columns: Indices
    n: int
    disjoint: bool
    tagged: bool = False

    @classmethod
    def of(cls, y: Sequence[Any] | NDArray[Any], *, n_splits: int) -> "Strata":
        """Make strata of class names, numbers, tags or transcripts (N,), or of zeros and ones of labels (N, C)."""
        values = np.asarray(y)
        if values.dtype.kind == "U" and _MOSTLY * len(np.unique(values)) > len(values):
            values = np.char.str_len(values).astype(np.float64)
        tagged = is_ragged(values)
        if tagged:
            values = types_present(values)
        if values.ndim == 2:
            rows, columns = np.nonzero(values)
            columns = codes(columns) if len(columns) else columns
            return cls(rows, columns, len(values), disjoint=False, tagged=tagged)
        numbers = quantile_bins(values, n_splits) if np.issubdtype(values.dtype, np.floating) else codes(values)
        return cls(np.arange(len(numbers)), numbers, len(numbers), disjoint=True)

    def spread(self, places: Indices) -> Indices:
        """Count in how many of these places (N,) each stratum is (S,)."""
        return np.bincount(np.unique(np.stack([self.columns, places[self.rows]]), axis=1)[0])


def types_present(y: Ragged) -> NDArray[np.int8]:
    """Say which types of entities are in each text.

    Args:
        y: (N,) objects, the tag numbers of each text as `headstart.tasks.Tagging` encodes them.

    Returns:
        (N, T) zeros and ones, T up to the last type that occurs.
    """
    tags = flat(y) if len(y) else np.zeros(0, np.intp)
    texts = np.repeat(np.arange(len(y)), sizes(y))
    present = np.zeros((len(y), (int(tags.max(initial=0)) + 1) // 2), dtype=np.int8)
    present[texts[tags > 0], (tags[tags > 0] - 1) // 2] = 1
    return present


def quantile_bins(values: NDArray[Any], n_splits: int) -> Indices:
    """Number each value by its quantile: up to 10 bins, of about as many values as there are folds or more."""
    bins = max(1, min(_BINS, len(values) // n_splits))
    inner = np.quantile(values, np.arange(1, bins) / bins)
    return codes(np.searchsorted(inner, values, side="right"))


def make_folds(
    y: Sequence[Any] | NDArray[Any],
    *,
    groups: Sequence[Any] | NDArray[Any] | None,
    n_splits: int,
    repeats: int = 1,
    seed: int,
) -> list[Fold]:
    """Cut examples into folds that are alike in their classes, labels or values and keep groups together.

    Without groups, every fold has every class to within one example, and all folds the same size to within one. With
    groups the same holds as far as the groups allow. A class of two groups or more is in at least two folds wherever
    possible, so that no training side lacks it. Labels are spread as far as their combinations allow.

    Args:
        y: N class names or numbers, (N, C) zeros and ones of labels, N floating-point numbers (spread by quantile), N
            transcripts (spread by length), or (N,) objects, the tag numbers of each text (spread by the types in it).
        groups: N group names, or None.
        n_splits: Number of folds; at least 2, at most the number of groups.
        repeats: How many times to cut anew.
        seed: Same seed, same folds.

    Returns:
        ``n_splits * repeats`` pairs of sorted indices: training side, scored side.

    Raises:
        DataError: There are fewer groups (or examples) than folds.
    """
    strata = Strata.of(y, n_splits=n_splits)
    units = np.arange(strata.n) if groups is None else codes(groups)
    available = int(units.max(initial=-1)) + 1
    if not 2 <= n_splits <= available:
        kind = "examples" if groups is None else "groups"
        raise DataError(
            f"expected 2 to {available} folds for {available} {kind}, found {n_splits}", fix="Use fewer folds."
        )
    folds: list[Fold] = []
    for random in np.random.default_rng(seed).spawn(repeats):
        fold_of = _covering(strata, units, n_splits, random)
        folds += [(np.flatnonzero(fold_of != k), np.flatnonzero(fold_of == k)) for k in range(n_splits)]
    return folds


def codes(values: Sequence[Any] | NDArray[Any]) -> Indices:
    """Number the distinct values from 0, in sorted order."""
    return np.unique(np.asarray(values), return_inverse=True)[1].astype(np.intp).reshape(-1)


def _covering(strata: Strata, units: Indices, n_splits: int, random: np.random.Generator) -> Indices:
    """Return the fold of every example (N,), drawing anew where one fold holds all of a class that could be divided."""
    divisible = strata.spread(units) > 1
    for _ in range(_DRAWS):
        fold_of = random.permutation(n_splits)[_assign(strata, units, n_splits, random)]
        if (strata.spread(fold_of) > 1)[divisible].all():
            break
    return fold_of


def _assign(strata: Strata, units: Indices, n_splits: int, random: np.random.Generator) -> Indices:
    """Deal out examples, or units of several, so that strata are spread evenly (N,)."""
    if strata.tagged:
        sizes = np.bincount(units).astype(np.float64)
        return _filled(_greedy(_counts(strata, units), n_splits, random, sizes=sizes), n_splits)[units]
    if not strata.disjoint:
        return _filled(_iterative(strata, units, n_splits, random), n_splits)[units]
    y = strata.columns
    shuffled = random.permutation(len(y))
    if units.max() + 1 == len(y):  # every example on its own: deal them out class by class
        fold_of = np.empty(len(y), dtype=np.intp)
        fold_of[shuffled[np.argsort(y[shuffled], kind="stable")]] = np.arange(len(y)) % n_splits
        return fold_of
    return _greedy(_counts(strata, units), n_splits, random)[units]


def _counts(strata: Strata, units: Indices) -> NDArray[np.float64]:
    """Count the examples of each stratum in each unit, (units, S)."""
    counts = np.zeros((units.max() + 1, strata.columns.max(initial=-1) + 1))
    np.add.at(counts, (units[strata.rows], strata.columns), 1)
    return counts


def _greedy(
    counts: NDArray[np.float64],
    n_splits: int,
    random: np.random.Generator,
    *,
    sizes: NDArray[np.float64] | None = None,
) -> Indices:
    """Give the largest units away first, each to the fold where its classes are rarest; return the fold of each.

    With ``sizes``, which say the number of examples where classes do not, these are spread like one more class.
    """
    order = random.permutation(len(counts))
    if sizes is not None:
        order = order[np.argsort(-sizes[order], kind="stable")]
    order = order[np.argsort(-counts[order].sum(axis=1), kind="stable")]
    counts = counts if sizes is None else np.column_stack([counts, sizes])
    totals = counts.sum(axis=0)
    filled = np.zeros((n_splits, len(totals)))
    fold_of_unit = np.empty(len(counts), dtype=np.intp)
    for unit in order:
        share = filled @ (counts[unit] / totals)  # how common the unit's classes already are in each fold
        after = filled + counts[unit]
        takes_all = ((after == totals) & (counts[unit] < totals)).any(axis=1)  # no training side would have the class
        fold_of_unit[unit] = np.lexsort((filled.sum(axis=1), share, takes_all))[0]
        filled[fold_of_unit[unit]] += counts[unit]
    return fold_of_unit


def _iterative(strata: Strata, units: Indices, n_splits: int, random: np.random.Generator) -> Indices:
    """Spread labels as the top of this module says; return the fold of each unit."""
    counts, sizes = _counts(strata, units), np.bincount(units).astype(np.float64)
    order = random.permutation(len(sizes))
    order = order[np.argsort(-sizes[order], kind="stable")]
    totals, left = counts.sum(axis=0), counts.sum(axis=0)
    wanted, room = np.tile(totals / n_splits, (n_splits, 1)), np.full(n_splits, sizes.sum() / n_splits)
    held = np.zeros_like(wanted)
    fold_of_unit = np.full(len(sizes), -1, dtype=np.intp)

    def give(unit: int, wish: NDArray[np.float64]) -> None:
        takes_all = ((held + counts[unit] == totals) & (counts[unit] < totals)).any(axis=1)
        fold = np.lexsort((random.random(n_splits), -room, -wish, takes_all))[0]
        fold_of_unit[unit] = fold
        held[fold] += counts[unit]
        wanted[fold] -= counts[unit]
        room[fold] -= sizes[unit]

    while left.any():
        label = np.where(left > 0, left, np.inf).argmin()
        for unit in order[(counts[order, label] > 0) & (fold_of_unit[order] < 0)]:
            give(unit, wanted[:, label])
            left -= counts[unit]
    for unit in order[fold_of_unit[order] < 0]:
        give(unit, room)
    return fold_of_unit


def _filled(fold_of_unit: Indices, n_splits: int) -> Indices:
    """Move a unit out of the fold of most units into every empty one."""
    for fold in np.setdiff1d(np.arange(n_splits), fold_of_unit):
        most = np.bincount(fold_of_unit).argmax()
        fold_of_unit[np.flatnonzero(fold_of_unit == most)[-1]] = fold
    return fold_of_unit
