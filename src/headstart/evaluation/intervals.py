"""Intervals around scores: bootstrap for a test part, corrected t for cross-validation.

* On a test part, items (or whole groups, where items of a group resemble each other) are drawn again with replacement,
  and the interval runs between percentiles of the scores. The model is given; the interval is about the items.
* Recordings of fewer than five groups (speakers) are drawn one by one: so few groups, drawn again, tell next to nothing
  of others. The interval is then about these speakers, and its method says so: ``80 items of the same 3 groups``.
* Of two to four groups of anything else, both are drawn, and the interval is the wider on each side: two groups that
  happen to score alike are no proof that others would.
* In cross-validation the folds share training items, so a plain t interval over folds is far too narrow. Nadeau and
  Bengio (Inference for the generalization error, 2003) widen its variance.
* **No spread is not certainty.** Where all resamples or folds agree, both would answer with an interval of width 0.
  n is then the number of different units (items, or groups) scored, each counted once. At the highest or lowest
  possible value, as at accuracy 1.0, no unit departed from it; by Clopper and Pearson at most a share q = 1 -
  (alpha / 2)^(1 / n) of all units does; each at most as far as the metric reaches. Elsewhere equal means say nothing
  about the units (a stratified fold gives a constant answer exactly the share of its class): then Wilson's interval
  (Probable inference, 1927) on the range of the metric, because p (1 - p) is the largest variance that numbers from 0
  to 1 of mean p can have. It is never narrower than the share q allows, which decides for one to three units: the
  interval of a single group is nearly the whole range. A metric without a bound, such as an error, can be anything on
  that side for the share q: there the interval is open. Word error rates exceed 1 only where more is heard than was
  said; items that all agree are taken not to, and the method says so.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias, final

import numpy as np
import numpy.typing as npt
from scipy import special

from headstart.errors import OptionError
from headstart.evaluation.metrics import find_metric
from headstart.tasks import kind_of

__all__ = ["Interval", "bootstrap_interval", "drawn_groups", "figure_interval", "nadeau_bengio", "paired_interval"]

Floats: TypeAlias = npt.NDArray[np.floating[Any]]
Integers: TypeAlias = npt.NDArray[np.integer[Any]]

_CHUNK = 1 << 22  # counts held at once
_FEWEST_GROUPS = 5


@final
@dataclass(frozen=True)
class Interval:
    """Where a score lies, how that was found, and how many resamples or folds had to be left out as undefined."""

    low: float
    high: float
    method: str
    skipped: int = 0


def bootstrap_interval(
    metric: str,
    y: npt.NDArray[Any],
    p: Floats,
    *,
    groups: npt.NDArray[Any] | None = None,
    seed: int,
    resamples: int = 2000,
    level: float = 0.95,
) -> Interval:
    """Return the percentile-bootstrap interval of a metric on a test part.

    Args:
        metric: A name in the table that `metrics_for` has for what ``y`` is.
        y: Class numbers (N,), indicators (N, C), values (N,), tags (N,) of words or transcripts (N,).
        p: What was predicted, (N, K).
        groups: Group of each item (N,); whole groups are drawn, as `drawn_groups` has it.
        seed: Decides the resamples.
        resamples: How many.
        level: Nominal coverage.

    Returns:
        The interval of the score.
    """
    found = find_metric(metric, kind_of(y))
    bounds, typical = found.bounds, found.typical
    bootstrap = _Bootstrap(lambda counts: found.function(y, p, counts), bounds, typical, seed, resamples, level)
    return bootstrap.interval(y, groups)


def paired_interval(
    metric: str,
    y: npt.NDArray[Any],
    p_a: Floats,
    p_b: Floats,
    *,
    groups: npt.NDArray[Any] | None = None,
    seed: int,
    resamples: int = 2000,
    level: float = 0.95,
) -> Interval:
    """Return the interval of metric(a) - metric(b) on the same items, both scored on the same resamples.

    Args:
        metric: A name in the table that `metrics_for` has for what ``y`` is.
        y: Class numbers (N,), indicators (N, C), values (N,), tags (N,) of words or transcripts (N,).
        p_a: Predictions (N, K) of one model.
        p_b: Predictions (N, K) of the other.
        groups: Group of each item (N,); whole groups are drawn, as `drawn_groups` has it.
        seed: Decides the resamples.
        resamples: How many.
        level: Nominal coverage.

    Returns:
        The interval of the difference.
    """
    found = find_metric(metric, kind_of(y))

    def difference(counts: Floats) -> Floats:
        return np.asarray(found.function(y, p_a, counts) - found.function(y, p_b, counts))

    bounds, typical = found.difference_bounds, found.typical_difference
    return _Bootstrap(difference, bounds, typical, seed, resamples, level).interval(y, groups)


def figure_interval(
    figure: Callable[[Floats], Floats],
    y: npt.NDArray[Any],
    *,
    groups: npt.NDArray[Any] | None = None,
    bounds: tuple[float, float],
    typical: tuple[float, float] | None = None,
    seed: int,
    resamples: int = 2000,
    level: float = 0.95,
) -> Interval:
    """Return the percentile-bootstrap interval of any figure of scored items, such as a ratio of two scores.

    The same seed draws the same resamples as `bootstrap_interval`.

    Args:
        figure: From how often each item is drawn, (R, N) counts, to the figure of each resample (R,); nan where it is
            not defined.
        y: What is true of N items.
        groups: Group of each item (N,); whole groups are drawn, as `drawn_groups` has it.
        bounds: Lowest and highest possible value.
        typical: Lowest and highest value that items which all agree are taken to have, where ``bounds`` are open.
        seed: Decides the resamples.
        resamples: How many.
        level: Nominal coverage.

    Returns:
        The interval of the figure.
    """
    return _Bootstrap(figure, bounds, typical, seed, resamples, level).interval(y, groups)


def drawn_groups(y: npt.NDArray[Any], groups: npt.NDArray[Any] | None) -> npt.NDArray[Any] | None:
    """Return the groups that are drawn again; None where items are, as are recordings of fewer than five groups."""
    if groups is None or (kind_of(y) == "transcription" and len(np.unique(groups)) < _FEWEST_GROUPS):
        return None
    return groups


def nadeau_bengio(
    values: Sequence[float] | Floats,
    *,
    n_train: float,
    n_test: float,
    bounds: tuple[float, float],
    typical: tuple[float, float] | None = None,
    level: float = 0.95,
    units: int | None = None,
) -> Interval:
    """Return the corrected resampled t interval of a cross-validated score, or of a paired difference.

    mean +- t_{J-1} * sqrt(s^2 (1 / J + n_test / n_train)) over the J folds of all repeats, clipped to ``bounds``. The
    correction term stands for the covariance of folds that share training items; the paper derives it for random
    splits, and for (repeated) k-fold it is the usual approximation.

    Args:
        values: One score per fold, any shape; for a paired difference the difference per fold. nan is skipped and
            counted.
        n_train: Items in the training part of a fold (their mean, where folds differ).
        n_test: Items in the held-out part of a fold.
        bounds: Lowest and highest possible value: a metric's ``bounds``, or its ``difference_bounds``.
        typical: Its ``typical`` values or differences, for folds that all agree.
        level: Nominal coverage.
        units: How many different groups, or items where there are no groups, the folds scored, for folds that all
            agree. None stands for ``n_train + n_test`` items: right only without groups and with every fold scored.

    Returns:
        The interval of the mean.
    """
    scores = np.asarray(values, dtype=np.float64)
    known = scores[~np.isnan(scores)]
    skipped = scores.size - known.size
    if known.size < 2:
        raise OptionError(
            f"expected scores of at least 2 folds, found {known.size}",
            fix="Use more folds, or a metric that each can have.",
        )
    mean, spread = float(known.mean()), float(known.std(ddof=1))
    if np.isclose(spread, 0, atol=1e-12):
        scored = _Units(round(n_train + n_test), "items") if units is None else _Units(units, "units")
        return _no_spread(mean, bounds=bounds, typical=typical, level=level, units=scored, skipped=skipped)
    error = spread * np.sqrt(1 / known.size + n_test / n_train)
    half = float(special.stdtrit(known.size - 1, (1 + level) / 2) * error)
    method = f"Nadeau-Bengio, {known.size} folds"
    return Interval(float(max(mean - half, bounds[0])), float(min(mean + half, bounds[1])), method, skipped)


@dataclass(frozen=True)
class _Units:
    """What is drawn: how many, what they are called, and what of."""

    n: int
    name: str
    of_what: str = ""

    @classmethod
    def of(cls, y: npt.NDArray[Any], groups: npt.NDArray[Any] | None) -> "_Units":
        if groups is None:
            return cls(len(y), "items")
        n_groups = len(np.unique(groups))
        if drawn_groups(y, groups) is None:
            return cls(len(y), "items", f" of the same {n_groups} groups" if n_groups > 1 else " of the same group")
        return cls(n_groups, "groups")

    def __str__(self) -> str:
        return f"{self.n} {self.name if self.n != 1 else self.name.rstrip('s')}{self.of_what}"


@dataclass(frozen=True)
class _Bootstrap:
    """A score of resamples, (r, N) counts of items to (r,), within what bounds it lies, and how they are drawn."""

    score: Callable[[Floats], Floats]
    bounds: tuple[float, float]
    typical: tuple[float, float] | None
    seed: int
    resamples: int
    level: float

    def interval(self, y: npt.NDArray[Any], groups: npt.NDArray[Any] | None) -> Interval:
        """Return the interval over groups; of a few of them, no narrower than that over items."""
        whole = drawn_groups(y, groups)
        found = self._drawn(whole, len(y), _Units.of(y, groups))
        if whole is None or not 1 < len(np.unique(whole)) < _FEWEST_GROUPS:
            return found
        items = self._drawn(None, len(y), _Units.of(y, None))
        method = f"the wider of: {found.method}; {items.method}"
        return Interval(min(found.low, items.low), max(found.high, items.high), method, found.skipped + items.skipped)

    def _drawn(self, groups: npt.NDArray[Any] | None, n_items: int, units: _Units) -> Interval:
        scores = np.concatenate([self.score(c) for c in _resampled(n_items, groups, self.seed, self.resamples)])
        return _percentiles(scores, bounds=self.bounds, typical=self.typical, level=self.level, units=units)


def _resampled(
    n_items: int, groups: npt.NDArray[Any] | None, seed: int, resamples: int
) -> Iterator[npt.NDArray[np.float64]]:
    """Blocks (r, N) of how often each item is drawn."""
    unit = np.arange(n_items) if groups is None else np.unique(groups, return_inverse=True)[1]
    n_units = int(unit.max()) + 1
    rng = np.random.default_rng(seed)
    step = max(1, _CHUNK // n_items)
    for start in range(0, resamples, step):
        rows = min(step, resamples - start)
        drawn = rng.integers(n_units, size=(rows, n_units)) + n_units * np.arange(rows)[:, None]
        counts = np.bincount(drawn.ravel(), minlength=rows * n_units).reshape(rows, n_units)
        yield counts[:, unit].astype(np.float64)


def _percentiles(
    scores: Floats, *, bounds: tuple[float, float], typical: tuple[float, float] | None, level: float, units: _Units
) -> Interval:
    known = scores[~np.isnan(scores)]
    skipped = len(scores) - len(known)
    if skipped > len(scores) / 2:
        return Interval(*bounds, f"undefined in most resamples of {units}: the whole range", skipped)
    if np.ptp(known) < 1e-12:
        mean = float(known.mean())
        return _no_spread(mean, bounds=bounds, typical=typical, level=level, units=units, skipped=skipped)
    low, high = np.quantile(known, [(1 - level) / 2, (1 + level) / 2])
    return Interval(float(low), float(high), f"bootstrap of {units}", skipped)


def _no_spread(
    value: float,
    *,
    bounds: tuple[float, float],
    typical: tuple[float, float] | None,
    level: float,
    units: _Units,
    skipped: int,
) -> Interval:
    """The interval where n units agree: see the top of this module."""
    agreed = f"{units} without spread"
    if typical is not None and typical[0] <= value <= typical[1]:
        bounds, agreed = typical, f"{agreed}, each taken to lie from {typical[0]:g} to {typical[1]:g}"
    departing = 1 - ((1 - level) / 2) ** (1 / units.n)
    low, high = value - departing * (value - bounds[0]), value + departing * (bounds[1] - value)
    if np.isclose(value, bounds, rtol=0, atol=1e-9).any():
        return Interval(low, high, f"Clopper-Pearson, {agreed}", skipped)
    if not np.isfinite(bounds).all():
        return Interval(low, high, f"open, {agreed}", skipped)
    ends = wilson(value, n=units.n, bounds=bounds, level=level)
    method = f"Wilson with the largest possible variance, {agreed}"
    return Interval(min(low, ends[0]), max(high, ends[1]), method, skipped)


def wilson(
    value: float, *, n: int, bounds: tuple[float, float] = (0.0, 1.0), level: float = 0.95
) -> tuple[float, float]:
    """Return Wilson's interval of a mean, as if each of the numbers were one of the two bounds.

    Args:
        value: The mean.
        n: Of how many numbers.
        bounds: Between which they lie.
        level: Of the interval.

    Returns:
        Its lower and upper end.
    """
    reach = bounds[1] - bounds[0]
    p, z = (value - bounds[0]) / reach, float(special.ndtri((1 + level) / 2))
    centre, half = p + z**2 / (2 * n), z * float(np.sqrt(p * (1 - p) / n + (z / (2 * n)) ** 2))
    low, high = ((centre + side * half) / (1 + z**2 / n) for side in (-1, 1))
    return bounds[0] + reach * low, bounds[0] + reach * high
