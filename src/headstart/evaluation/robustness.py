"""What corruptions cost a model, and whether they cost one model less than another: predictions in, numbers out.

* **Mean over corruptions**: of each corruption the mean score over its severities, then the mean of these, as Hendrycks
  and Dietterich (ICLR 2019) average errors. Ours are plain scores in the user's metric, not errors relative to AlexNet.
* **Relative drop**: the share of the clean score that is lost on average, (clean - corrupted) / clean; of an error, the
  share by which it grows. It is their relative corruption error put as a share. A model that is little better than
  guessing has little to lose, so it never decides alone: the corrupted scores themselves are compared beside it.

Every interval is a bootstrap over items (or groups) with the same resamples for all figures, so differences are paired:
an item is drawn with all its corrupted versions. Where a difference is 0 in every resample, no item tells the two
apart; then at most a share q = 1 - 0.025^(1 / n) of all items does (Clopper and Pearson). The corruptions are fixed;
the intervals say nothing of other ones.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, final

import numpy as np
import numpy.typing as npt

from headstart.evaluation._names import metric_name
from headstart.evaluation.intervals import Interval, bootstrap_interval, drawn_groups, figure_interval, paired_interval
from headstart.evaluation.metrics import find_metric, greater_is_better
from headstart.tasks import kind_of

Floats = npt.NDArray[np.floating[Any]]
Figure = Callable[[Floats], Floats]
_TINY: Final = 1e-9  # a clean score of zero has no share that could be lost


@final
@dataclass(frozen=True)
class Condition:
    """Predictions for items under one corruption.

    Attributes:
        corruption: Its name.
        severity: From 1.
        level: What that severity is, in words.
        outputs: (N, K) predictions, in the order of the clean ones.
    """

    corruption: str
    severity: int
    level: str
    outputs: npt.NDArray[Any]


@final
@dataclass(frozen=True)
class Measured:
    """A figure with its interval; both None where it is not defined.

    Attributes:
        value: The figure.
        interval: 95 % interval.
    """

    value: float | None
    interval: Interval | None


@final
@dataclass(frozen=True)
class ConditionScore:
    """The score under one corruption, and what that is worse than the clean one.

    Attributes:
        corruption: Its name.
        severity: From 1; 0 for the mean over the severities.
        level: What that severity is, in words.
        score: The score.
        difference: Corrupted minus clean, paired by item.
    """

    corruption: str
    severity: int
    level: str
    score: Measured
    difference: Measured


@final
@dataclass(frozen=True)
class Robustness:
    """What corruptions cost one model.

    Attributes:
        metric: What is scored.
        clean: The score of the items as they are.
        conditions: Under every corruption and severity.
        corruptions: Under every corruption, the mean over severities.
        mean: The mean over corruptions.
        difference: The mean minus the clean score.
        relative_drop: The share of the clean score that is lost on average; below 0 where the score is better.
    """

    metric: str
    clean: Measured
    conditions: tuple[ConditionScore, ...]
    corruptions: tuple[ConditionScore, ...]
    mean: Measured
    difference: Measured
    relative_drop: Measured


@final
@dataclass(frozen=True)
class RobustnessGap:
    """One model against another on the same corrupted items.

    Attributes:
        clean: Score of the first minus that of the second on items as they are.
        mean: The same of the means over corruptions.
        conditions: The same under every corruption and severity.
        relative_drop: Relative drop of the second minus that of the first: above 0 where the first is more robust.
        better: Whether the first is better on corrupted items; None where that is within noise.
        more_robust: Whether it loses a smaller share of its score; None where that is within noise.
        sentence: Both in words.
    """

    clean: Measured
    mean: Measured
    conditions: tuple[Measured, ...]
    relative_drop: Measured
    better: bool | None
    more_robust: bool | None
    sentence: str


@dataclass(frozen=True)
class _Items:
    """What all figures are about: the items, how they are drawn, and the metric."""

    metric: str
    y: npt.NDArray[Any]
    groups: npt.NDArray[Any] | None
    seed: int

    def measured(self, figure: Figure, bounds: tuple[float, float], typical: tuple[float, float] | None) -> Measured:
        """Return a figure with its interval."""
        value = float(figure(np.ones((1, len(self.y))))[0])
        if np.isnan(value):
            return Measured(None, None)
        interval = figure_interval(figure, self.y, groups=self.groups, bounds=bounds, typical=typical, seed=self.seed)
        return Measured(value, interval)

    def score(self, p: npt.NDArray[Any]) -> Measured:
        """Return the score of predictions."""
        value = find_metric(self.metric, kind_of(self.y)).score(self.y, p)
        if value is None:
            return Measured(None, None)
        return Measured(value, bootstrap_interval(self.metric, self.y, p, groups=self.groups, seed=self.seed))

    def gap(self, a: npt.NDArray[Any], b: npt.NDArray[Any]) -> Measured:
        """Return metric(a) - metric(b)."""
        found = find_metric(self.metric, kind_of(self.y))
        values = found.score(self.y, a), found.score(self.y, b)
        if values[0] is None or values[1] is None:
            return Measured(None, None)
        interval = paired_interval(self.metric, self.y, a, b, groups=self.groups, seed=self.seed)
        return Measured(values[0] - values[1], self._unless_alike(interval, found.difference_bounds[1]))

    def _unless_alike(self, interval: Interval, reach: float) -> Interval:
        """Narrow the interval of a difference that is 0 in every resample: no item tells the two apart."""
        centre = (interval.low + interval.high) / 2
        if "without spread" not in interval.method or abs(centre) > _TINY or not np.isfinite(reach):
            return interval
        drawn = drawn_groups(self.y, self.groups)
        units = len(self.y) if drawn is None else len(np.unique(drawn))
        most = (1 - 0.025 ** (1 / units)) * reach
        what = "items" if drawn is None else "groups"
        return Interval(-most, most, f"Clopper-Pearson, no difference on {units} {what}", interval.skipped)

    def of(self, p: npt.NDArray[Any]) -> Figure:
        """Return the score of predictions as a figure of resamples."""
        function = find_metric(self.metric, kind_of(self.y)).function
        return lambda counts: np.asarray(function(self.y, p, counts))


def robustness(
    y: npt.NDArray[Any],
    clean: npt.NDArray[Any],
    conditions: Sequence[Condition],
    *,
    metric: str,
    groups: npt.NDArray[Any] | None = None,
    seed: int,
) -> Robustness:
    """Score predictions for corrupted items beside those for the items as they are.

    Args:
        y: What is true of N items, as ``Task.encode`` returned it.
        clean: Predictions for the items as they are.
        conditions: Predictions under corruptions, of each the same severities.
        metric: A name in the table that `metrics_for` has for what ``y`` is.
        groups: Group of each item (N,); whole groups are drawn.
        seed: Decides the resamples.

    Returns:
        The scores, the paired differences and what is lost on average.
    """
    items, found = _Items(metric, y, groups, seed), find_metric(metric, kind_of(y))
    rows = tuple(
        ConditionScore(
            each.corruption, each.severity, each.level, items.score(each.outputs), items.gap(each.outputs, clean)
        )
        for each in conditions
    )
    names = list(dict.fromkeys(each.corruption for each in conditions))
    by_name = {name: _mean_over(items, [c for c in conditions if c.corruption == name]) for name in names}
    start, whole = items.of(clean), _mean_over(items, conditions)

    def against_clean(figure: Figure) -> Measured:
        return items.measured(
            lambda counts: figure(counts) - start(counts), found.difference_bounds, found.typical_difference
        )

    return Robustness(
        metric,
        items.score(clean),
        rows,
        tuple(
            ConditionScore(name, 0, "", items.measured(figure, found.bounds, found.typical), against_clean(figure))
            for name, figure in by_name.items()
        ),
        items.measured(whole, found.bounds, found.typical),
        against_clean(whole),
        items.measured(_drop(items, clean, conditions), (-np.inf, np.inf), (0.0, 1.0)),
    )


def robustness_gap(
    y: npt.NDArray[Any],
    ours: tuple[npt.NDArray[Any], Sequence[Condition]],
    theirs: tuple[npt.NDArray[Any], Sequence[Condition]],
    *,
    metric: str,
    groups: npt.NDArray[Any] | None = None,
    seed: int,
    name: str = "the other model",
) -> RobustnessGap:
    """Compare what corruptions cost two models.

    Args:
        y: What is true of N items.
        ours: Clean predictions of one model and those under corruptions.
        theirs: The same of the other, in the same order.
        metric: A name in the table that `metrics_for` has for what ``y`` is.
        groups: Group of each item (N,); whole groups are drawn.
        seed: Decides the resamples.
        name: What the sentence calls the other.

    Returns:
        The paired differences and what may be said of them.
    """
    items, found = _Items(metric, y, groups, seed), find_metric(metric, kind_of(y))
    (clean, conditions), (other_clean, others) = ours, theirs
    a, b = _mean_over(items, conditions), _mean_over(items, others)
    mean = items.measured(lambda counts: a(counts) - b(counts), found.difference_bounds, found.typical_difference)
    drop, other_drop = _drop(items, clean, conditions), _drop(items, other_clean, others)
    drops = items.measured(lambda counts: other_drop(counts) - drop(counts), (-np.inf, np.inf), (-1.0, 1.0))
    gap = RobustnessGap(
        items.gap(clean, other_clean),
        mean,
        tuple(items.gap(c.outputs, o.outputs) for c, o in zip(conditions, others, strict=True)),
        drops,
        _side(mean, up=found.greater_is_better),
        _side(drops, up=True),
        "",
    )
    once = np.ones((1, len(y)))
    lost = float(drop(once)[0]), float(other_drop(once)[0])
    sentence = _sentence(gap, lost, metric=metric, name=name)
    if gap.more_robust is not None:
        steadier, called = (clean, "This model") if gap.more_robust else (other_clean, name[0].upper() + name[1:])
        if _guesses(items, steadier):
            sentence += f" {called} is not shown to be better than the most frequent answer: it has little to lose."
    return replace(gap, sentence=sentence)


def _guesses(items: _Items, clean: npt.NDArray[Any]) -> bool:
    """Say whether classes are not shown to be told apart: the score may be that of the most frequent class."""
    if kind_of(items.y) != "classification":
        return False
    frequent = np.zeros_like(clean)
    frequent[:, np.bincount(items.y, minlength=clean.shape[1]).argmax()] = 1
    up = find_metric(items.metric).greater_is_better
    return _side(items.gap(clean, frequent), up=up) is not True


def _mean_over(items: _Items, conditions: Sequence[Condition]) -> Figure:
    """Return the mean over corruptions of the means over their severities."""
    names = [each.corruption for each in conditions]
    weights = np.array([1 / names.count(name) for name in names]) / len(set(names))
    scores = [items.of(each.outputs) for each in conditions]

    def mean(counts: Floats) -> Floats:
        return np.asarray(sum(weight * score(counts) for weight, score in zip(weights, scores, strict=True)))

    return mean


def _drop(items: _Items, clean: npt.NDArray[Any], conditions: Sequence[Condition]) -> Figure:
    """Return the share of the clean score that is lost; of an error, by which it grows."""
    sign = 1 if find_metric(items.metric, kind_of(items.y)).greater_is_better else -1
    start, mean = items.of(clean), _mean_over(items, conditions)

    def drop(counts: Floats) -> Floats:
        whole = start(counts)
        known = np.where(whole > _TINY, whole, np.nan)
        return np.asarray(sign * (whole - mean(counts)) / known)

    return drop


def _side(found: Measured, *, up: bool) -> bool | None:
    """Say on which side of zero an interval lies: True on the good one, None where it holds zero or is not known."""
    if found.interval is None:
        return None
    low, high = found.interval.low, found.interval.high
    if low > 0:
        return up
    return not up if high < 0 else None


def _sentence(gap: RobustnessGap, lost: tuple[float, float], *, metric: str, name: str) -> str:
    """Say who is better on corrupted items, and who loses less: two questions with two answers."""
    if gap.mean.value is None or gap.mean.interval is None:
        return f"On corrupted items {metric_name(metric)} is not defined."
    low, high = gap.mean.interval.low, gap.mean.interval.high
    told = f"{metric_name(metric)} {gap.mean.value:+.3f} [{low:+.3f}, {high:+.3f}] against {name}"
    how = {True: "it is better", False: "it is worse", None: "no difference is shown"}[gap.better]
    first = f"On corrupted items {how}: {told}."
    if gap.relative_drop.value is None or gap.relative_drop.interval is None:
        return f"{first} What share of a score is lost is not defined."
    ours, theirs = lost
    both = f"It loses {ours:.1%} of its clean score and {name} {theirs:.1%}"
    if not greater_is_better(metric):
        both = f"Its error grows by {ours:.1%} and that of {name} by {theirs:.1%}"
    low, high = -100 * gap.relative_drop.interval.high, -100 * gap.relative_drop.interval.low
    points = f"{-100 * gap.relative_drop.value:+.1f} points [{low:+.1f}, {high:+.1f}]"
    shown = {True: "it is more robust", False: "it is less robust", None: "neither is shown to be more robust"}
    return f"{first} {both}: {points}, so {shown[gap.more_robust]}."
