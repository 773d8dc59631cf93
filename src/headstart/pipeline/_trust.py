"""What a classifier's promises are worth on scored items: calibration, sets, abstention and operating points."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Final, final

import numpy as np
from numpy.typing import NDArray

from headstart import report
from headstart.confidence import Confidence, HeldOut
from headstart.evaluation import (
    Calibration,
    Fold,
    OperatingPoint,
    Rate,
    answers,
    calibration,
    joined,
    operating_point,
    precision_recall,
    prediction_sets,
    rate,
)
from headstart.pipeline._confidence import Wanted, positive_class, why_no_promise
from headstart.pipeline._values import plain
from headstart.strategies import Temperature
from headstart.tasks import Task

MOST_POINTS: Final = 200  # of a curve
MEASURED: Final = Wanted(max_error=0.05, specificity=0.95)


@dataclass(frozen=True)
class Sets:
    """Sets of classes on scored items.

    Attributes:
        wanted: The coverage promised.
        band: Where the coverage of so many items lies in 95 of 100 cases, if they are like the training part.
        coverage: Rate of the sets that holds the right class.
        size: Mean number of classes in a set.
        single: Rate of the sets with one class.
    """

    wanted: float
    band: tuple[float, float]
    coverage: Rate
    size: float
    single: float


@dataclass(frozen=True)
class Abstaining:
    """What comes of abstaining on scored items.

    Attributes:
        wanted: The share of wrong answers promised at most.
        threshold: The least confidence of an answer; None where nothing can be promised.
        answered: Rate of the items that is answered.
        wrong: Rate of the answers that is wrong; None where none is given.
        why: Why nothing can be promised.
    """

    wanted: float
    threshold: float | None = None
    answered: float = 0.0
    wrong: Rate | None = None
    why: str = ""


@final
@dataclass(frozen=True)
class Trust:
    """How far a classifier's answers can be trusted, on scored items.

    Attributes:
        calibration: Whether probabilities mean what they say.
        uncalibrated: The same before the temperature; None where there is none.
        temperature: What the scores were divided by.
        novel: Rate of the items that are more unusual than 95 % of the training examples; None where not kept.
        sets: Of classes; None where no part was kept apart to measure them on.
        abstaining: The same.
        operating: Of two classes, the point at the wanted specificity; the same.
        positive: Which class is looked for there.
        curve: Of two classes, recall and precision of that class, at most `MOST_POINTS` of each.
        share: How frequent that class is.
    """

    calibration: Calibration
    uncalibrated: Calibration | None = None
    temperature: float = 1.0
    novel: float | None = None
    sets: Sets | None = None
    abstaining: Abstaining | None = None
    operating: OperatingPoint | None = None
    positive: str = ""
    curve: tuple[Sequence[float], Sequence[float]] | None = None
    share: float = 0.0

    @property
    def broken(self) -> bool:
        """Whether a promise is broken beyond noise, as where the items are unlike the training part."""
        covered = self.sets is not None and self.sets.coverage.interval.high < self.sets.band[0]
        wrong = None if self.abstaining is None else self.abstaining.wrong
        return covered or (
            self.abstaining is not None and wrong is not None and wrong.interval.low > self.abstaining.wanted
        )

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON values."""
        found: dict[str, Any] = plain(asdict(self)) | {"broken": self.broken}
        return found


def trust(
    confidence: Confidence,
    folds: Sequence[Fold],
    task: Task,
    *,
    wanted: Wanted = MEASURED,
    apart: bool,
    temperature: float = 1.0,
    features: NDArray[Any] | None = None,
    seed: int,
) -> Trust | None:
    """Measure on scored items what a classifier's answers are worth.

    Args:
        confidence: What is kept beside the model.
        folds: Predictions of the scored items.
        task: What they mean.
        wanted: What is promised.
        apart: Whether the items were kept apart from what the promises rest on.
        temperature: What the scores were divided by.
        features: (N, D) of the scored items, in the order of the folds; None leaves their novelty out.
        seed: For resampling.

    Returns:
        What was found; None for tasks other than classification.
    """
    if task.kind != "classification":
        return None
    y = np.concatenate([fold.y for fold in folds])
    p = np.concatenate([fold.probabilities for fold in folds])
    groups = joined([fold.groups for fold in folds])
    raw = None
    if temperature != 1.0:
        raw = calibration(y, Temperature(1 / temperature).calibrate(p), groups=groups, seed=seed)
    novel = None
    if confidence.novelty is not None and features is not None:
        novel = float((confidence.novelty.of(features) > 0.95).mean())
    found = Trust(calibration(y, p, groups=groups, seed=seed), raw, temperature, novel)
    column = positive_class(task.classes, wanted.positive) if len(task.classes) == 2 else None
    if column is not None:
        curve, share = _curve(y == column, p[:, column]), float((y == column).mean())
        found = replace(found, positive=task.classes[column], curve=curve, share=share)
    held = confidence.held_out
    if held is None or not len(held) or not apart:
        return found
    promises = _Promises(held, y, p, groups, seed)
    return replace(
        found,
        sets=promises.sets(wanted),
        abstaining=None if wanted.max_error is None else promises.abstaining(wanted.max_error),
        operating=None if column is None or wanted.specificity is None else promises.operating(wanted, column),
    )


def _curve(positive: NDArray[np.bool_], p: NDArray[Any]) -> tuple[Sequence[float], Sequence[float]] | None:
    """Return the precision-recall curve, thinned; None where no item is positive."""
    if not positive.any():
        return None
    recall, precision = precision_recall(positive, p)
    kept = np.unique(np.linspace(0, len(recall) - 1, min(MOST_POINTS, len(recall))).round().astype(int))
    return recall[kept].tolist(), precision[kept].tolist()


@dataclass(frozen=True, eq=False)
class _Promises:
    """Held-out examples, and scored items to hold the promises to."""

    held: HeldOut
    y: NDArray[Any]
    p: NDArray[Any]
    groups: NDArray[Any] | None
    seed: int

    def sets(self, wanted: Wanted) -> Sets:
        """Measure sets of classes."""
        inside = prediction_sets(self.p, self.held.set_thresholds(wanted.coverage, per_class=wanted.per_class))
        band = self.held.coverage_band(wanted.coverage, new=len(self.y))
        covered = rate(inside[np.arange(len(self.y)), self.y], groups=self.groups, seed=self.seed)
        sizes = inside.sum(axis=1)
        return Sets(wanted.coverage, band, covered, float(sizes.mean()), float((sizes == 1).mean()))

    def abstaining(self, error: float) -> Abstaining:
        """Measure answers above a threshold."""
        found = self.held.abstention(error)
        if found is None:
            return Abstaining(error, why=why_no_promise(self.held, error))
        confidence, right = answers(self.y, self.p)
        given = confidence >= found.threshold
        wrong = rate(~right, among=given, groups=self.groups, seed=self.seed) if given.any() else None
        return Abstaining(error, found.threshold, float(given.mean()), wrong)

    def operating(self, wanted: Wanted, column: int) -> OperatingPoint:
        """Measure the point at a wanted specificity."""
        assert wanted.specificity is not None
        threshold = self.held.positive(column).operating_threshold(wanted.specificity)
        return operating_point(
            self.y == column,
            self.p[:, column],
            threshold=threshold,
            specificity=wanted.specificity,
            groups=self.groups,
            seed=self.seed,
        )


def trust_lines(found: Trust | None) -> list[tuple[str, str]]:
    """Say what answers are worth.

    Args:
        found: What was measured; None where there is nothing to say.

    Returns:
        Names and texts of the lines of a screen or page.
    """
    return [] if found is None else list(report.trust_lines(found.to_dict()))
