"""Scores of subgroups, and whether the worst of them is worse than chance makes one of them look.

* A subgroup's score is that of its items alone, with a bootstrap interval over its items (or groups). Out-of-fold
  predictions of a cross-validation are pooled, and all predictions for one item are drawn together.
* A subgroup of fewer than 10 items is shown and marked, and is never the worst.
* **The worst** of K subgroups is compared with all other items by a bootstrap that draws all items. Whichever of K
  differences is looked at because it is the largest, it is covered as long as all K are: each at a level of
  1 - 0.05 / K (Bonferroni), so the interval is at that level. Where there are just two subgroups both differences are
  one, and K = 1. Resamples without an item of the subgroup are left out.
* Where groups are drawn and the subgroup has two to four, the interval is no narrower than that over items; a subgroup
  of a single group says nothing of others, and its interval is the whole range. Where every subgroup is one group
  (scores by patient or speaker), the question is about these groups, and their items are drawn.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, final

import numpy as np
import numpy.typing as npt

from headstart.evaluation._names import metric_name
from headstart.evaluation.intervals import Interval, bootstrap_interval, figure_interval
from headstart.evaluation.metrics import find_metric
from headstart.evaluation.proof import Fold, joined
from headstart.tasks import kind_of

FEW: Final = 10  # items
_FEW_GROUPS: Final = 5
_RESAMPLES: Final = 2000  # for one comparison; as many more as there are comparisons, since tails are as much thinner
_MOST_RESAMPLES: Final = 40000


@final
@dataclass(frozen=True)
class Subgroup:
    """The items with one value in a column.

    Attributes:
        name: The value.
        n: How many different items there are.
        value: Their score; None where it is not defined on them.
        interval: 95 % interval.
    """

    name: str
    n: int
    value: float | None
    interval: Interval | None

    @property
    def few(self) -> bool:
        """Whether there are too few items to say much."""
        return self.n < FEW


@final
@dataclass(frozen=True)
class Worst:
    """The worst subgroup against all other items.

    Attributes:
        name: Which one.
        difference: Its score minus that of all others.
        interval: Of the difference, with 95 % coverage although the worst was picked.
        compared: How many subgroups it is the worst of.
        is_worse: Whether it is worse beyond noise.
    """

    name: str
    difference: float
    interval: Interval
    compared: int
    is_worse: bool


@final
@dataclass(frozen=True)
class Slices:
    """The scores of all subgroups by one column.

    Attributes:
        column: The column.
        metric: What is scored.
        subgroups: In the order of their names.
        worst: The worst of those with enough items; None where fewer than two have a score.
        sentence: What may be said of it.
    """

    column: str
    metric: str
    subgroups: tuple[Subgroup, ...]
    worst: Worst | None
    sentence: str


@dataclass(frozen=True)
class _Pooled:
    """Predictions of all folds one after another, which item each is for, its subgroup, and what is drawn."""

    y: npt.NDArray[Any]
    p: npt.NDArray[Any]
    items: npt.NDArray[np.intp]
    names: npt.NDArray[np.str_]
    units: npt.NDArray[Any] | None

    @classmethod
    def of(cls, folds: Sequence[Fold], values: Sequence[str]) -> "_Pooled":
        y, p = np.concatenate([f.y for f in folds]), np.concatenate([f.probabilities for f in folds])
        several = len(folds) > 1 or folds[0].items is not None
        items = np.concatenate(
            [np.arange(len(f.y)) if f.items is None else f.items for f in folds] if several else [np.arange(len(y))]
        )
        groups = units = joined([f.groups for f in folds])
        if units is None and len(np.unique(items)) < len(items):
            units = items
        names = np.array(values, dtype=np.str_)[items]
        if (
            groups is not None
            and units is not None
            and len(set(zip(names.tolist(), units.tolist(), strict=True))) == len(set(names))
        ):
            units = items if len(np.unique(items)) < len(items) else None  # the subgroups are the groups
        return cls(y, p, items, names, units)

    def units_at(self, rows: npt.NDArray[np.bool_]) -> npt.NDArray[Any] | None:
        return None if self.units is None else self.units[rows]


def slice_scores(folds: Sequence[Fold], values: Sequence[str], *, column: str, metric: str, seed: int) -> Slices:
    """Score the subgroups that a column makes.

    Args:
        folds: One test part, or the outer folds of a cross-validation; where they do not say of which items, of all in
            their order.
        values: The column's value of every item of the data set.
        column: Its name.
        metric: A name in the table that `metrics_for` has for this kind of task.
        seed: Decides the resamples.

    Returns:
        The scores, the worst subgroup, and a sentence.
    """
    pooled = _Pooled.of(folds, values)
    subgroups = tuple(_subgroup(pooled, str(name), metric, seed) for name in np.unique(pooled.names))
    worst = _worst(pooled, subgroups, metric, seed)
    return Slices(column, metric, subgroups, worst, _sentence(column, subgroups, worst, metric))


def _subgroup(pooled: _Pooled, name: str, metric: str, seed: int) -> Subgroup:
    rows = pooled.names == name
    y, p, n = pooled.y[rows], pooled.p[rows], len(np.unique(pooled.items[rows]))
    value = find_metric(metric, kind_of(pooled.y)).score(y, p)
    if value is None:
        return Subgroup(name, n, None, None)
    return Subgroup(name, n, value, bootstrap_interval(metric, y, p, groups=pooled.units_at(rows), seed=seed))


def _worst(pooled: _Pooled, subgroups: Sequence[Subgroup], metric: str, seed: int) -> Worst | None:
    found = find_metric(metric, kind_of(pooled.y))
    scored = [(each.value, each) for each in subgroups if each.value is not None and not each.few]
    if len(scored) < 2:
        return None
    lowest = (min if found.greater_is_better else max)(scored, key=lambda pair: pair[0])[1]
    rows = pooled.names == lowest.name

    def difference(counts: npt.NDArray[Any]) -> npt.NDArray[Any]:
        inside, outside = counts[:, rows], counts[:, ~rows]
        drawn = (inside.sum(axis=1) > 0) & (outside.sum(axis=1) > 0)
        answer = np.full(len(counts), np.nan)
        if drawn.any():
            answer[drawn] = np.asarray(found.function(pooled.y[rows], pooled.p[rows], inside[drawn])) - np.asarray(
                found.function(pooled.y[~rows], pooled.p[~rows], outside[drawn])
            )
        return answer

    value = float(difference(np.ones((1, len(pooled.y))))[0])
    if np.isnan(value):
        return None
    looked_at = 1 if len(subgroups) == 2 else len(scored)

    def drawn(units: npt.NDArray[Any] | None) -> Interval:
        return figure_interval(
            difference,
            pooled.y,
            groups=units,
            bounds=found.difference_bounds,
            typical=found.typical_difference,
            seed=seed,
            resamples=min(_MOST_RESAMPLES, _RESAMPLES * looked_at),
            level=1 - 0.05 / looked_at,
        )

    interval = drawn(pooled.units)
    inside = None if pooled.units is None else len(np.unique(pooled.units[rows]))
    if inside == 1:
        interval = Interval(*found.difference_bounds, "a single group in the subgroup: the whole range")
    elif inside is not None and inside < _FEW_GROUPS:
        interval = _wider(interval, drawn(None))
    is_worse = interval.high < 0 if found.greater_is_better else interval.low > 0
    return Worst(lowest.name, value, interval, len(scored), is_worse)


def _wider(a: Interval, b: Interval) -> Interval:
    method = f"the wider of: {a.method}; {b.method}"
    return Interval(min(a.low, b.low), max(a.high, b.high), method, a.skipped + b.skipped)


def _sentence(column: str, subgroups: Sequence[Subgroup], worst: Worst | None, metric: str) -> str:
    if worst is None:
        few = sum(each.few for each in subgroups)
        if len(subgroups) < 2:
            return f"All scored items have one value in {column!r}: there is nothing to compare."
        if few == len(subgroups):
            return f"All {few} subgroups by {column!r} have fewer than {FEW} items: too few to compare."
        if few >= len(subgroups) - 1:
            return f"Only one subgroup by {column!r} has {FEW} items or more: there is nothing to compare it with."
        return f"{metric_name(metric)} is not defined on enough subgroups by {column!r} to compare them."
    low, high = worst.interval.low, worst.interval.high
    told = f"{metric_name(metric)} {worst.difference:+.3f} [{low:+.3f}, {high:+.3f}] against all other items"
    if len(subgroups) > 2:
        told += f", an interval that allows for {worst.compared} having been looked at"
    shown = "it is worse beyond noise" if worst.is_worse else "that it is worse than the others is not shown"
    return f"The worst subgroup by {column!r} is {worst.name!r}: {told}; {shown}."
