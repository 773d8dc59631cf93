"""Scores with intervals from predictions, and paired comparisons on the same splits.

One split is a test part: its interval comes from resampling its items, or its groups. Several splits are the outer
folds of a cross-validation: their interval is Nadeau and Bengio's, because the folds share training examples. A fold
in which the metric is undefined is left out and counted; where fewer than two folds have a value, which tell no
interval, that is an error, never a nan.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from headstart.errors import DataError
from headstart.evaluation.entities import marked_entities
from headstart.evaluation.intervals import Interval, bootstrap_interval, nadeau_bengio, paired_interval
from headstart.evaluation.metrics import (
    ClassScores,
    all_metrics,
    find_metric,
    greater_is_better,
    per_class,
)
from headstart.tasks import Kind, kind_of

How = Literal["test", "holdout", "cv"]
Compared = Literal["ours", "pretrained probe"]


@dataclass(frozen=True)
class Fold:
    """One split of a measurement.

    Attributes:
        y: What is true of the items predicted: (n,) class numbers, (n, C) indicators of labels, (n,) values, (n,)
            objects, the tag numbers of the words of each, or (n,) transcripts.
        probabilities: What was predicted: (n, C) probabilities, (n, 1) values, (n,) objects of (words, C), or (n,)
            `Heard`.
        n_train: How many examples the model was fitted on.
        groups: (n,) group of each item, or None.
        items: (n,) which examples of the data set they are, so that repeats are counted once; None where no example is
            in two folds.
    """

    y: NDArray[Any]
    probabilities: NDArray[np.float64]
    n_train: int
    groups: NDArray[Any] | None = None
    items: NDArray[np.intp] | None = None

    @property
    def kind(self) -> Kind:
        """The kind of task that ``y`` belongs to."""
        return kind_of(self.y)


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
    """A model without pretraining, against one with it on the same splits.

    Attributes:
        value: Its score.
        interval: 95 % interval of its score.
        difference: The score of what it is compared with, minus its.
        difference_interval: 95 % interval of the difference, paired by item or fold.
        seconds: What it cost.
        compared: What it is compared with: ``ours``, the model to ship, or a ``pretrained probe`` on few examples.
    """

    value: float
    interval: Interval
    difference: float
    difference_interval: Interval
    seconds: float
    compared: Compared = "ours"


def score(folds: list[Fold], *, metric: str, how: How, n: int, seed: int) -> Score:
    """Score predictions.

    Args:
        folds: One test part, or the outer folds of a cross-validation.
        metric: A name from the table that `metrics_for` has for this kind of task.
        how: Where the splits come from.
        n: How many different examples they hold.
        seed: For the resampling.

    Returns:
        The score; over several folds, values are means of the folds.

    Raises:
        DataError: The metric is not defined on what was measured.
    """
    value, interval = _value_and_interval(folds, metric=metric, seed=seed)
    every = [all_metrics(fold.y, fold.probabilities) for fold in folds]
    means = {name: _mean([found[name] for found in every]) for name in every[0]}
    return Score(metric, value, interval, n, how, means)


def compare(ours: list[Fold], theirs: list[Fold], *, metric: str, seed: int, seconds: float) -> Comparison:
    """Compare two procedures on the same splits.

    Args:
        ours: Predictions of the model to ship.
        theirs: Predictions of the other model on the same items.
        metric: A name from the table that `metrics_for` has for this kind of task.
        seed: For the resampling; the same resamples serve both.
        seconds: What fitting the other model cost.

    Returns:
        The other's score and the paired difference, ours minus theirs; over several folds, the mean of those in which
        both have a value.

    Raises:
        DataError: The metric is not defined on what was measured.
    """
    value, interval = _value_and_interval(theirs, metric=metric, seed=seed)
    gaps = np.array(_fold_values(ours, metric)) - np.array(_fold_values(theirs, metric))
    _check_defined(gaps, ours, metric)
    if len(ours) == 1:
        a, b = ours[0], theirs[0]
        difference = paired_interval(metric, a.y, a.probabilities, b.probabilities, groups=a.groups, seed=seed)
    else:
        found = find_metric(metric, ours[0].kind)
        difference = _over_folds(gaps, ours, bounds=found.difference_bounds, typical=found.typical_difference)
    return Comparison(value, interval, float(np.nanmean(gaps)), difference, seconds)


def verdict(comparisons: Mapping[str, Comparison], *, metric: str) -> bool | None:
    """Say whether transfer helped: whether ours is better than every one of the other models.

    Args:
        comparisons: Other models by name; those that ours is not compared with do not count.
        metric: What they were scored by.

    Returns:
        True where the intervals of all differences lie on our side of zero, False where any lies on the other, else
        None.
    """
    found = [other.difference_interval for other in comparisons.values() if other.compared == "ours"]
    if not found:
        return None
    sign = 1 if greater_is_better(metric) else -1
    ends = [sorted((sign * interval.low, sign * interval.high)) for interval in found]
    if any(high < 0 for _, high in ends):
        return False
    return True if all(low > 0 for low, _ in ends) else None


def class_scores(folds: Sequence[Fold], classes: Sequence[str]) -> dict[str, ClassScores]:
    """Return precision, recall and F1 of every class over all folds together, and how many different items it has.

    Args:
        folds: One test part, or the outer folds of a cross-validation.
        classes: Class names, in the order of the class numbers.

    Returns:
        As `per_class`, so nothing for values and transcripts, and a row for each type of entity; an item that repeats
        have scored several times is in every ratio as often, but once in ``n``.
    """
    y = np.concatenate([fold.y for fold in folds])
    table = per_class(y, np.concatenate([fold.probabilities for fold in folds]), classes)
    items = joined([fold.items for fold in folds])
    if items is None or not table:
        return table
    once = y[np.unique(items, return_index=True)[1]]
    if folds[0].kind == "tagging":
        counts = marked_entities(once, len(table)).sum(axis=0)
    else:
        counts = np.bincount(once, minlength=len(classes)) if once.ndim == 1 else (once > 0).sum(axis=0)
    return {name: {**row, "n": int(n)} for (name, row), n in zip(table.items(), counts, strict=True)}


def _value_and_interval(folds: list[Fold], *, metric: str, seed: int) -> tuple[float, Interval]:
    values = np.array(_fold_values(folds, metric))
    _check_defined(values, folds, metric)
    if len(folds) == 1:
        only = folds[0]
        interval = bootstrap_interval(metric, only.y, only.probabilities, groups=only.groups, seed=seed)
        return float(values[0]), interval
    found = find_metric(metric, folds[0].kind)
    return float(np.nanmean(values)), _over_folds(values, folds, bounds=found.bounds, typical=found.typical)


def _check_defined(values: NDArray[np.float64], folds: list[Fold], metric: str) -> None:
    """Refuse a metric without a value, or over folds fewer than two; name what the first fold without one lacks."""
    known = int((~np.isnan(values)).sum())
    if known >= min(2, len(folds)):
        return
    if len(folds) == 1:
        where, there = "this test part", "there"
    elif known:
        where, there = "all but one of the folds", "in the first of these"
    else:
        where, there = "any of the folds", "in the first"
    lacking = _lack(folds[int(np.isnan(values).argmax())])
    raise DataError(f"{metric} is not defined on {where}: {lacking} {there}", fix="Choose another --metric.")


def _lack(fold: Fold) -> str:
    """What a fold has too little of for a metric to be defined."""
    if fold.kind == "regression":
        return "the values or the predictions are all equal"
    if fold.kind == "tagging":
        return "no entity is marked, or none is predicted,"
    if fold.kind == "transcription":
        return "no transcript holds a word"
    found = fold.y if fold.y.ndim == 1 else np.flatnonzero((fold.y > 0).any(axis=0))
    missing = np.setdiff1d(np.arange(fold.probabilities.shape[1]), found).tolist()
    kinds = ("class", "classes") if fold.y.ndim == 1 else ("label", "labels")
    names = f"{kinds[0]} {missing[0]} has" if len(missing) == 1 else f"{kinds[1]} {', '.join(map(str, missing))} have"
    return f"{names} no example"


def _fold_values(folds: list[Fold], metric: str) -> list[float]:
    """Score each fold; a fold in which the metric is undefined (AUROC of one class) is nan."""
    found = find_metric(metric, folds[0].kind)
    values = [found.score(fold.y, fold.probabilities) for fold in folds]
    return [float("nan") if value is None else value for value in values]


def _over_folds(
    values: NDArray[np.float64],
    folds: list[Fold],
    *,
    bounds: tuple[float, float],
    typical: tuple[float, float] | None,
) -> Interval:
    n_train = float(np.mean([fold.n_train for fold in folds]))
    n_test = float(np.mean([len(fold.y) for fold in folds]))
    scored = [fold for fold, value in zip(folds, values, strict=True) if not np.isnan(value)]
    units = _distinct_units(scored)
    return nadeau_bengio(values, n_train=n_train, n_test=n_test, bounds=bounds, typical=typical, units=units)


def _distinct_units(folds: list[Fold]) -> int:
    """How many different groups the folds hold, or items where there are no groups."""
    for units in ([fold.groups for fold in folds], [fold.items for fold in folds]):
        whole = joined(units)
        if whole is not None:
            return len(np.unique(whole))
    return sum(len(fold.y) for fold in folds)


def joined(parts: Sequence[NDArray[Any] | None]) -> NDArray[Any] | None:
    """Put what folds have of their items one after another, such as groups; None where one fold has none."""
    known = [part for part in parts if part is not None]
    return np.concatenate(known) if known and len(known) == len(parts) else None


def _mean(values: list[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return float(np.mean(known)) if known else None
