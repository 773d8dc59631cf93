"""Scores of class probabilities: labels (N,) and probabilities (N, C) in, numbers out; and the table of every metric.

Labels that are not exclusive have theirs in `headstart.evaluation.multilabel`, values in
`headstart.evaluation.regression`, entities in `headstart.evaluation.entities`, transcripts in
`headstart.evaluation.transcripts`; `metrics_for` returns the table of a kind of task.

Every function takes ``counts``, how often each item is in a resample: (N,), or (R, N) for R resamples at once, and
answers with one number or (R,) of them. So the plain score and its bootstrap are one implementation, and 2,000
resamples are a few matrix products. Without ``counts`` every item counts once. Where a score is not defined it is nan
here and None in `all_metrics`.

The predicted class is the one of highest probability, the first of equals.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from types import MappingProxyType
from typing import Any, TypeAlias, final

import numpy as np
import numpy.typing as npt

from headstart.errors import DataError, OptionError
from headstart.evaluation import entities, multilabel, regression, transcripts
from headstart.evaluation._ratios import Score, mean_where, ratio
from headstart.linear import PROBABILITY_FLOOR
from headstart.tasks import KINDS, Kind, kind_of

__all__ = [
    "DEFAULT_METRICS",
    "METRICS",
    "ClassScores",
    "Metric",
    "accuracy",
    "all_metrics",
    "auroc",
    "balanced_accuracy",
    "brier",
    "find_metric",
    "greater_is_better",
    "log_loss",
    "macro_f1",
    "metrics_for",
    "per_class",
]

Integers: TypeAlias = npt.NDArray[np.integer[Any]]
Floats: TypeAlias = npt.NDArray[np.floating[Any]]
Counts: TypeAlias = npt.NDArray[np.float64]
ClassScores: TypeAlias = Mapping[str, float | int | None]


def accuracy(y: Integers, p: Floats, counts: Counts | None = None) -> Score:
    """Return the share of items whose predicted class is right."""
    times = _counts(y, p, counts)
    return _mean(p.argmax(axis=1) == y, times)


def balanced_accuracy(y: Integers, p: Floats, counts: Counts | None = None) -> Score:
    """Return the mean recall of the classes that occur in ``y``."""
    right, actual, _ = _tallies(y, p, _counts(y, p, counts))
    return mean_where(ratio(right, actual), actual > 0)


def macro_f1(y: Integers, p: Floats, counts: Counts | None = None) -> Score:
    """Return the mean F1 of the classes that occur in ``y`` or among the predictions."""
    right, actual, predicted = _tallies(y, p, _counts(y, p, counts))
    return mean_where(ratio(2 * right, actual + predicted), actual + predicted > 0)


def log_loss(y: Integers, p: Floats, counts: Counts | None = None) -> Score:
    """Return the mean of -ln(probability of the right class), probabilities clipped below at 1e-7."""
    times = _counts(y, p, counts)
    return _mean(-np.log(np.maximum(p[np.arange(len(y)), y], PROBABILITY_FLOOR)), times)


def brier(y: Integers, p: Floats, counts: Counts | None = None) -> Score:
    """Return the mean over items of the sum over classes of (p - [class is right])^2: 0 to 2, for two classes also."""
    times = _counts(y, p, counts)
    return _mean((p**2).sum(axis=1) - 2 * p[np.arange(len(y)), y] + 1, times)


def auroc(y: Integers, p: Floats, counts: Counts | None = None) -> Score:
    """Return the area under the ROC curve of class 1, or with three and more classes the mean one-against-rest area.

    It is the chance that an item of the class scores above one of the others, ties half. Undefined where a class has no
    item.
    """
    times = _counts(y, p, counts)
    classes = [1] if p.shape[1] == 2 else range(p.shape[1])
    return np.mean([_area(y == c, p[:, c], times) for c in classes], axis=0)


@final
@dataclass(frozen=True)
class Metric:
    """A metric and what must be known to compare it.

    Attributes:
        function: Of targets, predictions and counts.
        greater_is_better: Which way is better.
        bounds: Lowest and highest possible value; infinite where there is none.
        typical: Lowest and highest value that items which all agree are taken to have, where ``bounds`` are open: their
            interval would else be.
    """

    function: Callable[..., Score]
    greater_is_better: bool
    bounds: tuple[float, float]
    typical: tuple[float, float] | None = None

    @property
    def difference_bounds(self) -> tuple[float, float]:
        """Lowest and highest possible difference of two scores."""
        reach = self.bounds[1] - self.bounds[0]
        return -reach, reach

    @property
    def typical_difference(self) -> tuple[float, float] | None:
        """Lowest and highest difference of two typical scores."""
        return self.typical and (self.typical[0] - self.typical[1], self.typical[1] - self.typical[0])

    def score(self, y: npt.NDArray[Any], p: Floats) -> float | None:
        """Return the score, None where it is not defined."""
        value = float(self.function(y, p))
        return None if np.isnan(value) else value


_LARGEST_LOSS = -float(np.log(PROBABILITY_FLOOR))

METRICS: Mapping[str, Metric] = MappingProxyType(
    {
        "accuracy": Metric(accuracy, greater_is_better=True, bounds=(0.0, 1.0)),
        "balanced_accuracy": Metric(balanced_accuracy, greater_is_better=True, bounds=(0.0, 1.0)),
        "macro_f1": Metric(macro_f1, greater_is_better=True, bounds=(0.0, 1.0)),
        "log_loss": Metric(log_loss, greater_is_better=False, bounds=(0.0, _LARGEST_LOSS)),
        "brier": Metric(brier, greater_is_better=False, bounds=(0.0, 2.0)),
        "auroc": Metric(auroc, greater_is_better=True, bounds=(0.0, 1.0)),
    }
)
"""Every metric of single labels by its name in files and tables."""

_TABLES: Mapping[Kind, Mapping[str, Metric]] = MappingProxyType(
    {
        "classification": METRICS,
        "multilabel": MappingProxyType(
            {
                "micro_f1": Metric(multilabel.micro_f1, greater_is_better=True, bounds=(0.0, 1.0)),
                "macro_f1": Metric(multilabel.macro_f1, greater_is_better=True, bounds=(0.0, 1.0)),
                "subset_accuracy": Metric(multilabel.subset_accuracy, greater_is_better=True, bounds=(0.0, 1.0)),
                "mean_average_precision": Metric(
                    multilabel.mean_average_precision, greater_is_better=True, bounds=(0.0, 1.0)
                ),
                "log_loss": Metric(multilabel.label_log_loss, greater_is_better=False, bounds=(0.0, _LARGEST_LOSS)),
            }
        ),
        "regression": MappingProxyType(
            {
                "rmse": Metric(regression.rmse, greater_is_better=False, bounds=(0.0, np.inf)),
                "mae": Metric(regression.mae, greater_is_better=False, bounds=(0.0, np.inf)),
                "r2": Metric(regression.r2, greater_is_better=True, bounds=(-np.inf, 1.0)),
                "spearman": Metric(regression.spearman, greater_is_better=True, bounds=(-1.0, 1.0)),
            }
        ),
        "tagging": MappingProxyType(
            {
                "entity_f1": Metric(entities.entity_f1, greater_is_better=True, bounds=(0.0, 1.0)),
                "entity_precision": Metric(entities.entity_precision, greater_is_better=True, bounds=(0.0, 1.0)),
                "entity_recall": Metric(entities.entity_recall, greater_is_better=True, bounds=(0.0, 1.0)),
                "macro_f1": Metric(entities.macro_f1, greater_is_better=True, bounds=(0.0, 1.0)),
                "partial_f1": Metric(entities.partial_f1, greater_is_better=True, bounds=(0.0, 1.0)),
                "token_accuracy": Metric(entities.token_accuracy, greater_is_better=True, bounds=(0.0, 1.0)),
                "log_loss": Metric(entities.word_log_loss, greater_is_better=False, bounds=(0.0, _LARGEST_LOSS)),
            }
        ),
        "transcription": MappingProxyType(
            {
                "wer": Metric(transcripts.wer, greater_is_better=False, bounds=(0.0, np.inf), typical=(0.0, 1.0)),
                "cer": Metric(transcripts.cer, greater_is_better=False, bounds=(0.0, np.inf), typical=(0.0, 1.0)),
                "exact": Metric(transcripts.exact, greater_is_better=True, bounds=(0.0, 1.0)),
                "log_loss": Metric(transcripts.transcript_log_loss, greater_is_better=False, bounds=(0.0, np.inf)),
            }
        ),
    }
)

DEFAULT_METRICS: Mapping[Kind, str] = MappingProxyType(
    {
        "classification": "accuracy",
        "multilabel": "micro_f1",
        "regression": "rmse",
        "tagging": "entity_f1",
        "transcription": "wer",
    }
)
"""What is reported first. Micro F1 judges the labels that are printed, and chance gains nothing from it in a fold of a
few items, where average precision rewards any order over a constant answer. The error in the unit of the values is
defined on a single item and steady over small folds, where R2 divides by the variance of a handful. Strict F1 judges
whole entities, as they are told and as others report them. Wrong words are what a reader of a transcript corrects."""


def metrics_for(kind: Kind) -> Mapping[str, Metric]:
    """Return every metric of a kind of task by its name in files and tables."""
    return _TABLES[kind]


def find_metric(name: str, kind: Kind = "classification") -> Metric:
    """Return a metric of a kind of task.

    Args:
        name: Its name.
        kind: The kind of task.

    Returns:
        The metric.

    Raises:
        OptionError: The kind has no such metric.
    """
    known = _TABLES[kind]
    if name not in known:
        kinds = [other for other in KINDS if name in _TABLES[other]]
        found = f"{name!r}, which is one of {kinds[0]}" if kinds else f"{name!r}"
        meant = [metric for metric in known if name in metric] or get_close_matches(name, known, n=1)
        hint = f"Did you mean {' or '.join(meant)}? " if meant else ""
        raise OptionError(f"expected a metric, found {found}", fix=f"{hint}Use one of {', '.join(known)}.")
    return known[name]


def greater_is_better(name: str) -> bool:
    """Say which way a metric is better; a name means the same in every kind of task that has it."""
    return next(table[name] for table in _TABLES.values() if name in table).greater_is_better


def all_metrics(y: npt.NDArray[Any], p: Floats, kind: Kind | None = None) -> dict[str, float | None]:
    """Return every metric by name, None where it is not defined for these labels.

    Args:
        y: What ``Task.encode`` returned for N items.
        p: What was predicted, (N, K); for tagging (N,) objects of (words, K), for transcription (N,) `Heard`.
        kind: The kind of task; told from ``y`` where None.

    Returns:
        The scores.
    """
    return {name: metric.score(y, p) for name, metric in metrics_for(kind or kind_of(y)).items()}


def per_class(y: npt.NDArray[Any], p: Floats, classes: Sequence[str]) -> dict[str, ClassScores]:
    """Return precision, recall, F1 and number of items ``n`` of every class, None where a ratio has no denominator.

    Args:
        y: Class numbers (N,), indicators (N, C) of labels, or the tags of words, (N,) objects; values and transcripts
            have no classes.
        p: Probabilities (N, C), or (N,) objects of (words, C); a label is predicted above one half.
        classes: C names.

    Returns:
        The scores by name, by type for tags, whose ``n`` is the number of entities; empty for values and
        transcripts.
    """
    kind = kind_of(y)
    if kind in ("regression", "transcription"):
        return {}
    if kind == "tagging":
        classes = entities.types_of(classes)
        tallies = entities.entity_tallies(y, p, None)
    elif kind == "multilabel":
        tallies = multilabel.label_tallies(y, p, None)
    else:
        tallies = _tallies(y, p, _counts(y, p, None))
    right, actual, predicted = tallies
    ratios = np.stack([ratio(right, predicted), ratio(right, actual), ratio(2 * right, actual + predicted)], axis=-1)
    table: dict[str, ClassScores] = {}
    for name, n, row in zip(classes, actual, ratios.tolist(), strict=True):
        precision, recall, f1 = (None if np.isnan(share) else share for share in row)
        table[name] = {"precision": precision, "recall": recall, "f1": f1, "n": int(n)}
    return table


def _counts(y: Integers, p: Floats, counts: Counts | None) -> Counts:
    if p.ndim != 2 or len(p) != len(y) or len(y) == 0:
        raise DataError(f"expected probabilities of shape ({len(y)}, classes) for one or more labels, found {p.shape}")
    if not np.isfinite(p).all():
        raise DataError(f"expected finite probabilities, found {int((~np.isfinite(p)).sum())} that are not")
    if int(y.min()) < 0 or int(y.max()) >= p.shape[1]:
        raise DataError(f"expected class numbers from 0 to {p.shape[1] - 1}, found {int(y.min())} to {int(y.max())}")
    return np.ones(len(y)) if counts is None else counts


def _mean(values: npt.NDArray[Any], counts: Counts) -> Score:
    return counts @ values / counts.sum(axis=-1)


def _tallies(y: Integers, p: Floats, counts: Counts) -> tuple[Floats, Floats, Floats]:
    """Items predicted rightly as, belonging to, and predicted as each class, (..., C)."""
    classes, predicted = np.arange(p.shape[1]), p.argmax(axis=1)
    belongs, chosen = (y[:, None] == classes).astype(np.float64), (predicted[:, None] == classes).astype(np.float64)
    return counts @ (belongs * chosen), counts @ belongs, counts @ chosen


def _area(positive: npt.NDArray[np.bool_], scores: Floats, counts: Counts) -> Score:
    """Share of (positive, negative) pairs in the right order, from running sums over the items by rising score."""
    order = np.argsort(scores, kind="stable")
    ends = np.flatnonzero(np.append(np.diff(scores[order]) > 0, True))  # the last item of each run of equal scores
    up_to = np.cumsum(np.where(positive, 0, counts)[..., order], axis=-1)[..., ends]
    ups = np.cumsum(np.where(positive, counts, 0)[..., order], axis=-1)[..., ends]
    below, own = up_to - np.diff(up_to, axis=-1, prepend=0) / 2, np.diff(ups, axis=-1, prepend=0)
    return ratio((below * own).sum(axis=-1), up_to[..., -1] * ups[..., -1])
