"""Scores with intervals from predictions, and paired comparisons on the same splits.

One split is a test part: its interval comes from resampling its items, or its groups. Several splits are the outer
folds of a cross-validation: their interval is Nadeau and Bengio's, because the folds share training examples.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from headstart.evaluation.intervals import Interval, bootstrap_interval, nadeau_bengio, paired_interval
from headstart.evaluation.metrics import METRICS, all_metrics

How = Literal["test", "holdout", "cv"]


@dataclass(frozen=True)
class Fold:
    """One split of a measurement.

    Attributes:
        y: (n,) true class numbers of the items predicted.
        probabilities: (n, C) what was predicted.
        n_train: How many examples the model was fitted on.
        groups: (n,) group of each item, or None.
    """

    y: NDArray[np.intp]
    probabilities: NDArray[np.float64]
    n_train: int
    groups: NDArray[Any] | None = None


@dataclass(frozen=True)
class Score:
    """One number with its uncertainty.

    Attributes:
        metric: Its name.
        value: The score.
        interval: 95 % interval.
        n: How many examples it is measured on, each counted once.
        how: ``test`` (given part), ``holdout`` (a part held out once) or ``cv`` (outer folds around the whole choice).
        metrics: The other scores on the same predictions.
    """

    metric: str
    value: float
    interval: Interval
    n: int
    how: How
    metrics: Mapping[str, float | None]


@dataclass(frozen=True)
class Comparison:
    """A model without pretraining, against ours on the same splits.

    Attributes:
        value: Its score.
        interval: 95 % interval of its score.
        difference: Ours minus its.
        difference_interval: 95 % interval of the difference, paired by item or fold.
        seconds: What fitting it cost.
    """

    value: float
    interval: Interval
    difference: float
    difference_interval: Interval
    seconds: float


def score(folds: list[Fold], *, metric: str, how: How, n: int, seed: int) -> Score:
    """Score predictions.

    Args:
        folds: One test part, or the outer folds of a cross-validation.
        metric: A name from `METRICS`.
        how: Where the splits come from.
        n: How many different examples they hold.
        seed: For the resampling.

    Returns:
        The score; over several folds, values are means of the folds.
    """
    value, interval = _value_and_interval(folds, metric=metric, seed=seed)
    every = [all_metrics(fold.y, fold.probabilities) for fold in folds]
    means = {name: _mean([found[name] for found in every]) for name in METRICS}
    return Score(metric, value, interval, n, how, means)


def compare(ours: list[Fold], theirs: list[Fold], *, metric: str, seed: int, seconds: float) -> Comparison:
    """Compare two procedures on the same splits.

    Args:
        ours: Predictions of the model to ship.
        theirs: Predictions of the other model on the same items.
        metric: A name from `METRICS`.
        seed: For the resampling; the same resamples serve both.
        seconds: What fitting the other model cost.

    Returns:
        The other's score and the paired difference, ours minus theirs.
    """
    value, interval = _value_and_interval(theirs, metric=metric, seed=seed)
    own, _ = _value_and_interval(ours, metric=metric, seed=seed)
    if len(ours) == 1:
        a, b = ours[0], theirs[0]
        difference = paired_interval(metric, a.y, a.probabilities, b.probabilities, groups=a.groups, seed=seed)
    else:
        gaps = np.array(_fold_values(ours, metric)) - np.array(_fold_values(theirs, metric))
        difference = _over_folds(gaps, ours, bounds=METRICS[metric].difference_bounds)
    return Comparison(value, interval, own - value, difference, seconds)


def verdict(comparisons: Mapping[str, Comparison], *, metric: str) -> bool | None:
    """Say whether transfer helped: against the best of the other models.

    Args:
        comparisons: Other models by name.
        metric: What they were scored by.

    Returns:
        True where the interval of the difference lies on our side of zero, False where it lies on the other, else None.
    """
    if not comparisons:
        return None
    sign = 1 if METRICS[metric].greater_is_better else -1
    best = max(comparisons.values(), key=lambda other: sign * other.value)
    low, high = sorted((sign * best.difference_interval.low, sign * best.difference_interval.high))
    return True if low > 0 else False if high < 0 else None


def _value_and_interval(folds: list[Fold], *, metric: str, seed: int) -> tuple[float, Interval]:
    if len(folds) == 1:
        only = folds[0]
        interval = bootstrap_interval(metric, only.y, only.probabilities, groups=only.groups, seed=seed)
        return _fold_values(folds, metric)[0], interval
    values = _fold_values(folds, metric)
    return float(np.nanmean(values)), _over_folds(np.array(values), folds, bounds=METRICS[metric].bounds)


def _fold_values(folds: list[Fold], metric: str) -> list[float]:
    """Score each fold; a fold in which the metric is undefined (AUROC of one class) is nan."""
    values = [METRICS[metric].score(fold.y, fold.probabilities) for fold in folds]
    return [float("nan") if value is None else value for value in values]


def _over_folds(values: NDArray[np.float64], folds: list[Fold], *, bounds: tuple[float, float]) -> Interval:
    n_train = float(np.mean([fold.n_train for fold in folds]))
    n_test = float(np.mean([len(fold.y) for fold in folds]))
    return nadeau_bengio(values[~np.isnan(values)], n_train=n_train, n_test=n_test, bounds=bounds)


def _mean(values: list[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return float(np.mean(known)) if known else None
