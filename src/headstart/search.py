"""The ladder: what is tried, in which order, and how the choice is measured.

Rung 0 is measured and never shipped: the majority class and a cheap classical model, on the same splits. Rung 1 is a
probe on every candidate backbone; the one with the lowest cross-validated log loss, inside the training part, is kept.
The score covers that choosing: it comes from a test part touched once, or, where there is none, from outer folds in
each of which the whole choice is repeated.
"""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from headstart.backbones import Backbone
from headstart.data import Dataset, Indices, Plan, read_image, united_groups
from headstart.errors import BudgetError
from headstart.evaluation import (
    METRICS,
    Baseline,
    ClassScores,
    Comparison,
    Fold,
    Interval,
    Score,
    class_scores,
    compare,
    describe_image,
    image_baseline,
    majority_baseline,
    nadeau_bengio,
    score,
    text_baseline,
    verdict,
)
from headstart.model import AdaptedModel
from headstart.strategies import Fitted, Run, Strategy
from headstart.tasks import Classification

Splits = Sequence[tuple[Indices, Indices]]
MIN_OUTER_FOLDS = 3  # an interval from fewer says nothing


@dataclass(frozen=True)
class Rung:
    """One thing tried on the way up.

    Attributes:
        name: Strategy and backbone.
        value: Cross-validated score inside the training part, never the reported one; None where it is not defined.
        interval: Its interval.
        seconds: What the rung cost, its frozen pass included.
        accepted: Whether it became the model.
        reason: Why, in a few words.
    """

    name: str
    value: float | None
    interval: Interval
    seconds: float
    accepted: bool
    reason: str


@dataclass(frozen=True)
class Outcome:
    """Everything the search found.

    Attributes:
        model: The model to ship.
        chosen: Settings the strategy chose for it.
        score: How good it is.
        classes: Precision, recall and F1 per class on the same predictions.
        baselines: The models without pretraining, by name.
        transfer_helped: True or False where the paired difference to the best baseline excludes zero, else None.
        rungs: What was tried, in order.
        notes: What limits the numbers.
    """

    model: AdaptedModel
    chosen: Mapping[str, str | float]
    score: Score
    classes: Mapping[str, ClassScores]
    baselines: Mapping[str, Comparison]
    transfer_helped: bool | None
    rungs: tuple[Rung, ...]
    notes: tuple[str, ...]


@dataclass(frozen=True)
class _Problem:
    """What every step of the search needs."""

    dataset: Dataset
    plan: Plan
    task: Classification
    y: NDArray[np.intp]
    backbones: tuple[Backbone, ...]
    strategy: Strategy
    run: Run

    @property
    def splits(self) -> Splits:
        if self.plan.folds:
            return self.plan.folds
        assert self.plan.test is not None
        return ((self.plan.train, self.plan.test),)

    def fold(self, split: tuple[Indices, Indices], probabilities: NDArray[np.float64]) -> Fold:
        inside, outside = split
        groups = None if self.dataset.groups is None else np.array(self.dataset.groups)[outside]
        return Fold(self.y[outside], probabilities, len(inside), groups, outside)


def climb(
    dataset: Dataset, plan: Plan, task: Classification, *, backbones: Sequence[Backbone], strategy: Strategy, run: Run
) -> Outcome:
    """Choose a model for a data set and measure the choice.

    Args:
        dataset: Labelled examples.
        plan: Which of them train and which measure.
        task: The classes.
        backbones: Candidates, at least one.
        strategy: How each is adapted.
        run: Features, seed and deadline.

    Returns:
        The model, its score and what else was tried.
    """
    assert dataset.labels is not None
    problem = _Problem(dataset, plan, task, task.encode(dataset.labels), tuple(backbones), strategy, run)
    tried, rungs, skipped = _try_all(problem)
    best = _best(tried)
    run.features.deadline = None  # there is a model: its score is owed
    if plan.folds:
        ours, limits = _nested(problem, tried)
    else:
        split = problem.splits[0]
        ours, limits = [problem.fold(split, _predict(best.model, dataset.take(split[1]), run))], []
    baselines = _compare_baselines(problem, ours)
    n = len(np.unique(np.concatenate([fold.items for fold in ours if fold.items is not None])))
    final = score(ours, metric=run.metric, how=plan.how, n=n, seed=run.seed)
    return Outcome(
        model=best.model,
        chosen=best.chosen,
        score=final,
        classes=class_scores(ours, task.classes),
        baselines=baselines,
        transfer_helped=verdict(baselines, metric=run.metric),
        rungs=tuple(rungs),
        notes=(*skipped, *limits),
    )


def _try_all(problem: _Problem) -> tuple[list[Fitted], list[Rung], list[str]]:
    """Fit the strategy on every candidate; out of time, what was reached so far is the result."""
    tried: list[Fitted] = []
    seconds: list[float] = []
    skipped: list[str] = []
    for backbone in problem.backbones:
        started = time.monotonic()
        fit, why_not = _try(problem, backbone, first=not tried)
        if fit is None:
            skipped.append(f"Left out for lack of time: {backbone.name} ({why_not}).")
            continue
        tried.append(fit)
        seconds.append(time.monotonic() - started)
    best = _best(tried)
    rungs = [_rung(fit, best, spent, problem) for fit, spent in zip(tried, seconds, strict=True)]
    return tried, rungs, skipped


def _try(problem: _Problem, backbone: Backbone, *, first: bool) -> tuple[Fitted | None, str]:
    """Fit one candidate, unless time is short or was short when this run was interrupted."""
    train = problem.dataset.take(problem.plan.train)
    fits: list[Fitted] = []

    def choose() -> str:
        try:
            fits.append(problem.strategy.fit(backbone, train, problem.task, run=problem.run))
        except BudgetError as error:
            if first:
                raise
            return error.problem
        return ""

    why_not: str = problem.run.decide(f"left out: {backbone.name}", choose)
    if not fits and not why_not:
        fits.append(problem.strategy.fit(backbone, train, problem.task, run=problem.run))
    return (fits[0] if fits else None), why_not


def _best(tried: Sequence[Fitted]) -> Fitted:
    return min(tried, key=lambda fit: fit.log_loss)


def _rung(fit: Fitted, best: Fitted, seconds: float, problem: _Problem) -> Rung:
    values, n = np.array(fit.fold_values), len(problem.plan.train)
    held_out, bounds = n // len(values), METRICS[problem.run.metric].bounds
    if np.isnan(values).sum() > len(values) - 2:
        interval = Interval(*bounds, "not defined in the inner folds")
    else:
        groups = problem.dataset.groups
        units = n if groups is None else len({groups[i] for i in problem.plan.train})
        interval = nadeau_bengio(values, n_train=n - held_out, n_test=held_out, bounds=bounds, units=units)
    reason = "lowest cross-validated log loss" if fit is best else f"log loss {fit.log_loss:.3f} > {best.log_loss:.3f}"
    name = f"{fit.model.strategy.split('(')[0]} {fit.model.backbone.name}"
    value = None if np.isnan(values).all() else float(np.nanmean(values))
    return Rung(name, value, interval, seconds, fit is best, reason)


def _predict(model: AdaptedModel, dataset: Dataset, run: Run) -> NDArray[np.float64]:
    return model.head.probabilities(run.features.features(model.backbone, dataset, view=model.view))


def _nested(problem: _Problem, tried: Sequence[Fitted]) -> tuple[list[Fold], list[str]]:
    """Repeat the whole choice inside every outer fold; when time runs short, on fewer of them."""
    run, splits, done = problem.run, problem.splits, list[Fold]()
    candidates = [fit.model.backbone for fit in tried]
    started = time.monotonic()

    def measure(number: int) -> None:
        run.progress("scoring the choice on outer folds", number, len(splits))
        inside, outside = (problem.dataset.take(part) for part in splits[number])
        fits = [problem.strategy.fit(backbone, inside, problem.task, run=run) for backbone in candidates]
        done.append(problem.fold(splits[number], _predict(_best(fits).model, outside, run)))

    def while_time_lasts() -> int:
        for number in range(len(splits)):
            measure(number)
            next_ends = time.monotonic() + (time.monotonic() - started) / len(done)
            if run.deadline is not None and len(done) >= MIN_OUTER_FOLDS and next_ends > run.deadline:
                break
        return len(done)

    count: int = run.decide("outer folds", while_time_lasts)
    for number in range(len(done), count):
        measure(number)
    run.progress("scoring the choice on outer folds", len(splits), len(splits))
    return done, [f"The budget allowed {count} of {len(splits)} outer folds."] if count < len(splits) else []


def _compare_baselines(problem: _Problem, ours: list[Fold]) -> dict[str, Comparison]:
    """Fit the models without pretraining on the splits ours was measured on."""
    found = {}
    for baseline in _baselines(problem):
        started = time.monotonic()
        theirs = []
        for number, split in enumerate(problem.splits[: len(ours)]):
            problem.run.progress(f"baseline {baseline.name}", number, len(ours))
            theirs.append(problem.fold(split, baseline.predict(*split)))
        problem.run.progress(f"baseline {baseline.name}", len(ours), len(ours))
        found[baseline.name] = compare(
            ours, theirs, metric=problem.run.metric, seed=problem.run.seed, seconds=time.monotonic() - started
        )
    return found


def _baselines(problem: _Problem) -> list[Baseline]:
    """Describe the items once for the models without pretraining."""
    dataset, n_classes = problem.dataset, len(problem.task.classes)
    y, groups, seed = problem.y, united_groups(dataset), problem.run.seed
    if dataset.modality == "text":
        learner = text_baseline(dataset.items, y, n_classes=n_classes, groups=groups, seed=seed)
    else:
        rows = problem.run.engine.map(lambda item: describe_image(read_image(item)), dataset.items)
        learner = image_baseline(np.stack(list(rows)), y, n_classes=n_classes, groups=groups, seed=seed)
    return [majority_baseline(y, n_classes=n_classes), learner]
