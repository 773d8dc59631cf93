"""Learning curves: scores against the number of labels, what lies between the sizes measured, and beyond.

A curve belongs to an arm, such as a probe or the same network from scratch. Every point of it is measured by several
draws: each draws its own nested subsets of the training examples, and draw j of one arm is draw j of every other arm.

**What is drawn again.** Intervals of everything that is read off a curve come from replicates of its points,

    mean + sum_j w_j (value_j - mean) sqrt((1 / J + k) / (J - 1)) sqrt((J - 1) / X) + test noise,

with w_j ~ N(0, 1) and X ~ chi-squared with J - 1 degrees of freedom, both the same for all sizes and arms: a multiplier
bootstrap. Unlike draws drawn again, of which three allow ten results, it has for every sum of points, and for the
difference of two arms, exactly the paired t distribution. k is 0 where all draws share a test part, whose resamples
(the same for all sizes and arms) are the test noise; where each draw has its own, it is Nadeau and Bengio's n_test /
n_train. The labelled examples that subsets are drawn from are taken as given.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Final, Literal, TypeAlias, final

import numpy as np
import numpy.typing as npt
from scipy import special

from headstart.errors import DataError, OptionError
from headstart.evaluation.intervals import Interval, _resampled, drawn_groups, nadeau_bengio
from headstart.evaluation.metrics import Metric, find_metric, metrics_for
from headstart.evaluation.proof import Fold, score
from headstart.tasks import KINDS, flat

__all__ = [
    "CurveFit",
    "CurvePoint",
    "Estimate",
    "curve_point",
    "fit_curve",
    "point_of_values",
]

Floats: TypeAlias = npt.NDArray[np.float64]

_REPLICATES: Final = 1000
_LEVEL: Final = 0.95
_SAME: Final = 1e-12
_EXPONENTS: Final = np.linspace(0.01, 2, 200)


@final
@dataclass(frozen=True)
class CurvePoint:
    """What one arm reaches with one number of labels.

    Attributes:
        arm: Its name.
        n: Number of labels, the mean over draws.
        value: Mean score over draws.
        interval: 95 % interval of it.
        values: One score per draw.
        correction: n_test / n_train where each draw has its own test part; 0 where all share one.
        test_noise: What each of 1,000 resamples of the shared test part adds to ``value``, or None.
    """

    arm: str
    n: int
    value: float
    interval: Interval
    values: tuple[float, ...]
    correction: float = 0.0
    test_noise: Floats | None = field(default=None, compare=False, repr=False)


def curve_point(arm: str, draws: Sequence[Fold], *, metric: str, seed: int) -> CurvePoint:
    """Score the draws of one arm and size.

    On a shared test part the interval is as in `point_of_values`, the test error from resampling items, or groups.
    Where each draw has its own test part, it is `nadeau_bengio`'s with n_train = all other items of all test parts: a
    small training subset does not make the test parts overlap more.

    Args:
        arm: Its name.
        draws: One prediction of a test part per draw, in the same order for all arms.
        metric: A name from the table that `metrics_for` has for this kind of task.
        seed: For the resampling; use one for all points.

    Returns:
        The point.

    Raises:
        DataError: The metric is not defined on a test part.
    """
    found = find_metric(metric, draws[0].kind)
    values = [found.score(draw.y, draw.probabilities) for draw in draws]
    known = [value for value in values if value is not None]
    if len(known) < len(values):
        raise DataError(f"{metric} is not defined on a test part of {arm}", fix="Choose another --metric.")
    n = round(float(np.mean([draw.n_train for draw in draws])))
    if not all(np.array_equal(flat(draw.y), flat(draws[0].y)) for draw in draws):
        return _point_of_parts(arm, n, known, draws, metric=metric, seed=seed)
    noise = _test_noise(found, draws, seed)
    groups = drawn_groups(draws[0].y, draws[0].groups)
    units = len(draws[0].y) if groups is None else len(np.unique(groups))
    error = float(noise.std(ddof=1))
    point = point_of_values(arm, n, known, bounds=found.bounds, typical=found.typical, n_test=units, test_error=error)
    return replace(point, test_noise=noise)


def _test_noise(metric: Metric, draws: Sequence[Fold], seed: int) -> Floats:
    """Deviation of the mean over draws in each resample of the test part; none where the metric is undefined."""
    first = draws[0]
    scores = np.concatenate(
        [
            np.mean([metric.function(first.y, draw.probabilities, counts) for draw in draws], axis=0)
            for counts in _resampled(len(first.y), drawn_groups(first.y, first.groups), seed, _REPLICATES)
        ]
    )
    return np.asarray(np.nan_to_num(scores - np.nanmean(scores)))


def _point_of_parts(
    arm: str, n: int, values: Sequence[float], draws: Sequence[Fold], *, metric: str, seed: int
) -> CurvePoint:
    items = [draw.items for draw in draws if draw.items is not None]
    known = len(items) == len(draws)
    total = len(np.unique(np.concatenate(items))) if known else sum(len(draw.y) for draw in draws)
    n_test = float(np.mean([len(draw.y) for draw in draws]))
    whole = [replace(draw, n_train=round(total - n_test)) for draw in draws]
    found = score(whole, metric=metric, how="cv", n=total, seed=seed)
    return CurvePoint(arm, n, found.value, found.interval, tuple(values), correction=n_test / round(total - n_test))


def point_of_values(
    arm: str,
    n: int,
    values: Sequence[float],
    *,
    bounds: tuple[float, float],
    typical: tuple[float, float] | None = None,
    n_test: int,
    test_error: float = 0.0,
) -> CurvePoint:
    """Combine the scores of draws that share a test part: mean +- t_f * sqrt(s^2 / J + e^2), clipped to ``bounds``.

    s^2 is the variance over the J draws, which holds the luck of subset and training; e the standard error that the
    test part leaves in their mean, which no number of draws lessens. The degrees of freedom are Welch's and
    Satterthwaite's, f = (s^2 / J + e^2)^2 / ((s^2 / J)^2 / (J - 1) + e^4 / (n_test - 1)). Without any spread the
    interval is that of `nadeau_bengio` for ``n_test`` units that agree.

    Args:
        arm: Its name.
        n: Number of labels.
        values: One score per draw.
        bounds: Lowest and highest possible value.
        typical: A metric's ``typical`` values, for draws without any spread.
        n_test: How many items, or groups, the test part has.
        test_error: e; 0 where unknown, and the interval is then about these test items only.

    Returns:
        The point.

    Raises:
        OptionError: There is one draw and no test error, so nothing to tell an interval from.
    """
    scores, J = np.asarray(values, dtype=np.float64), len(values)
    if J < 2 and test_error == 0:
        raise OptionError(f"expected scores of at least 2 draws at {n} labels, found {J}", fix="Use more draws.")
    mean, spread, test = float(scores.mean()), float(scores.var(ddof=1)) / J if J > 1 else 0.0, test_error**2
    if spread + test < _SAME**2:
        interval = Interval(*bounds, "one draw without spread")
        if J > 1:
            interval = nadeau_bengio(scores, n_train=n, n_test=0, bounds=bounds, typical=typical, units=n_test)
        return CurvePoint(arm, n, mean, interval, tuple(values))
    freedom = (spread + test) ** 2 / (spread**2 / max(J - 1, 1) + test**2 / max(n_test - 1, 1))
    half = float(special.stdtrit(freedom, (1 + _LEVEL) / 2) * np.sqrt(spread + test))
    method = f"t over {J} draw{'s' * (J > 1)}" + (f" and resamples of {n_test} test units" if test else "")
    interval = Interval(max(mean - half, bounds[0]), min(mean + half, bounds[1]), method)
    return CurvePoint(arm, n, mean, interval, tuple(float(value) for value in values))


def replicates(points: Sequence[CurvePoint], bounds: tuple[float, float], seed: int) -> Floats:
    """Draw what the points could have been as well, as the top of this module says.

    Args:
        points: S points of one arm, with two draws or test noise each.
        bounds: Lowest and highest possible value.
        seed: Arms that are compared need the same.

    Returns:
        The values themselves (first row) and 1,000 replicates, (1001, S).
    """
    random = np.random.default_rng([seed, 0])
    luck = random.random(_REPLICATES)
    weights = random.standard_normal((max(len(point.values) for point in points), _REPLICATES))
    columns = [point.value + _noise(point, weights[: len(point.values)], luck) for point in points]
    rows = np.vstack([[point.value for point in points], np.stack(columns, axis=1)])
    return np.asarray(np.clip(rows, *bounds))


def _noise(point: CurvePoint, weights: Floats, luck: Floats) -> Floats:
    """What the luck of draws and test part adds to a point in each replicate, (R,)."""
    values, J = np.array(point.values), len(point.values)
    test = np.zeros(_REPLICATES) if point.test_noise is None else point.test_noise
    if np.ptp(values) < _SAME:
        return test if np.ptp(test) > _SAME else _noise_of_interval(point, weights[0])
    scale = np.sqrt((1 / J + point.correction) / special.chdtri(J - 1, 1 - luck))
    return np.asarray((values - values.mean()) @ weights * scale + test)


def _noise_of_interval(point: CurvePoint, weights: Floats) -> Floats:
    """Normal noise as wide as the interval of a point without any spread, which is not certainty."""
    widths = np.abs(np.array([point.interval.low, point.interval.high]) - point.value) / special.ndtri(0.975)
    down, up = np.where(np.isfinite(widths), widths, 0.0)
    return np.asarray(np.where(weights < 0, down, up) * weights)


@final
@dataclass(frozen=True)
class Estimate:
    """A number and its 95 % interval."""

    value: float
    interval: Interval


@final
@dataclass(frozen=True, eq=False)
class CurveFit:
    """A smooth curve through the points of one arm, and through each of their replicates.

    Attributes:
        arm: Its name.
        sizes: The sizes measured, rising.
        form: ``power law``: best possible score minus score is a + b * n^-c; ``interpolation``, in log n, between means
            made monotone, where there are fewer than four sizes.
        parameters: a, b and c, or the error at every size, of the points (first row) and of each replicate.
        bounds: Lowest and highest possible score.
        greater_is_better: Which way is better.
    """

    arm: str
    sizes: tuple[int, ...]
    form: Literal["power law", "interpolation"]
    parameters: Floats
    bounds: tuple[float, float]
    greater_is_better: bool

    def predict(self, n: int) -> Estimate:
        """Predict the score with n labels.

        Args:
            n: How many.

        Returns:
            The score; the interval covers the luck of draws and test part, not that the curve might have another form.

        Raises:
            OptionError: n is not between the sizes measured, and they are too few for a power law.
        """
        best = self.bounds[1] if self.greater_is_better else self.bounds[0]
        return _estimate(np.clip(best - self._sign * self._errors(n), *self.bounds))

    def gain(self, more: int = 100) -> Estimate | None:
        """Predict what more labels would bring beyond the largest size measured.

        Args:
            more: How many more.

        Returns:
            The improvement in the unit of the metric, positive for the better and never negative; None where the sizes
            are too few for a power law.
        """
        if self.form == "interpolation":
            return None
        last = self.sizes[-1]
        return _estimate(self._errors(last) - self._errors(last + more))

    @property
    def _sign(self) -> int:
        return 1 if self.greater_is_better else -1

    def _errors(self, n: int) -> Floats:
        if self.form == "power law":
            a, b, c = self.parameters.T
            return np.asarray(a + b * float(n) ** -c)
        if not self.sizes[0] <= n <= self.sizes[-1]:
            raise OptionError(
                f"expected {self.sizes[0]} to {self.sizes[-1]} labels, found {n}",
                fix="Measure four sizes or more, so that a curve can be extended.",
            )
        return np.array([np.interp(np.log(n), np.log(self.sizes), row) for row in self.parameters])


def _estimate(rows: Floats) -> Estimate:
    low, high = np.quantile(rows[1:], [(1 - _LEVEL) / 2, (1 + _LEVEL) / 2])
    return Estimate(float(rows[0]), Interval(float(low), float(high), f"{len(rows) - 1} replicates"))


def fit_curve(points: Sequence[CurvePoint], *, metric: str, seed: int) -> CurveFit:
    """Fit error(n) = a + b * n^-c with a, b >= 0 and 0 < c <= 2 to the points of one arm by weighted least squares.

    The error is the best possible score minus the score, or for losses the loss itself. Weights are inverse squares of
    the widths of the intervals, smoothed over n. For a given c the rest is linear (variable projection), so a fine grid
    of c finds the best of all fits without starting values. Intervals of what is predicted covered about 90 % in
    simulations of 3 to 5 draws, less (75 to 90 %) where the true floor a is 0.

    Args:
        points: The points of one arm.
        metric: What they were scored by.
        seed: Decides the replicates.

    Returns:
        The fit; monotone interpolation where there are fewer than four different sizes.
    """
    found, ordered = metric_of(metric), by_size(points)
    n = np.array([point.n for point in ordered], dtype=np.float64)
    best = found.bounds[1] if found.greater_is_better else found.bounds[0]
    errors = np.abs(best - replicates(ordered, found.bounds, seed))
    whole = tuple(point.n for point in ordered)
    if len(set(whole)) < 4:
        rows = -monotone(-errors)
        return CurveFit(ordered[0].arm, whole, "interpolation", rows, found.bounds, found.greater_is_better)
    rows = _power_laws(n, errors, _weights(ordered))
    return CurveFit(ordered[0].arm, whole, "power law", rows, found.bounds, found.greater_is_better)


def by_size(points: Sequence[CurvePoint]) -> list[CurvePoint]:
    """Return the points by rising number of labels.

    Args:
        points: At least one.

    Returns:
        The same points.

    Raises:
        OptionError: There are none.
    """
    if not points:
        raise OptionError("expected the points of a curve, found none")
    return sorted(points, key=lambda point: point.n)


def metric_of(name: str) -> Metric:
    """Return the metric of this name, which means the same in every kind of task that has it."""
    return find_metric(name, next((kind for kind in KINDS if name in metrics_for(kind)), "classification"))


def _weights(points: Sequence[CurvePoint]) -> Floats:
    """One weight per point, of sum 1: the inverse square of what a power of n says of the width of its interval.

    Widths themselves would favour the points whose few draws agree by chance.
    """
    widths = np.array([point.interval.high - point.interval.low for point in points])
    n = np.log([point.n for point in points])
    known = np.isfinite(widths) & (widths > 0)
    several = len(np.unique(n[known])) > 1
    slope = np.clip(np.polyfit(n[known], np.log(widths[known]), 1)[0], -1, 0) if several else 0.0
    inverse = np.exp(-2 * slope * (n - n[0]))
    return np.asarray(inverse / inverse.sum())


def _power_laws(n: Floats, errors: Floats, weights: Floats) -> Floats:
    """a, b and c (R, 3) of the best fit to each row of errors (R, S)."""
    centre = float(np.exp(np.log(n).mean()))
    basis = (n / centre) ** -_EXPONENTS[:, None]
    mean, level = basis @ weights, (errors @ weights)[:, None]
    covariance = (errors * weights) @ basis.T - level * mean
    b = covariance / ((basis - mean[:, None]) ** 2 @ weights)
    a = level - b * mean
    without_floor = (errors * weights) @ basis.T / (basis**2 @ weights)
    b, a = np.where(a < 0, without_floor, b), np.maximum(a, 0)
    a, b = np.where(b < 0, level, a), np.maximum(b, 0)  # a rising error: the best that does not rise is flat
    missed = (errors**2 @ weights)[:, None] - 2 * (a * level + b * ((errors * weights) @ basis.T))
    missed = missed + a**2 + 2 * a * b * mean + b**2 * (basis**2 @ weights)
    row, column = np.arange(len(errors)), missed.argmin(axis=1)
    c = _EXPONENTS[column]
    return np.stack([a[row, column], b[row, column] * centre**c, c], axis=1)


def monotone(rows: Floats) -> Floats:
    """Return for each row (R, S) the closest one that never falls: isotonic regression by its max-min formula.

    Value i is the largest over j <= i of the smallest over k >= i of mean(j, ..., k) (Barlow et al., Statistical
    inference under order restrictions, 1972).
    """
    width = rows.shape[1]
    sums = np.concatenate([np.zeros((len(rows), 1)), rows.cumsum(axis=1)], axis=1)
    result = np.full(rows.shape, -np.inf)
    for j in range(width):
        means = (sums[:, j + 1 :] - sums[:, [j]]) / np.arange(1, width - j + 1)
        smallest = np.minimum.accumulate(means[:, ::-1], axis=1)[:, ::-1]
        result[:, j:] = np.maximum(result[:, j:], smallest)
    return result
