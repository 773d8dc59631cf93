"""The ladder: what is tried, in which order, and how the choice is measured.

Rung 0 is measured and never shipped: the majority class and a cheap classical model, on the same splits. Rung 1 is a
probe on every candidate backbone; the one with the lowest cross-validated loss, inside the training part, is kept, and
from then on there is a usable model. The rungs above thaw its last blocks, each accepted only where it is better on
held-out folds beyond noise. The score covers the choosing: it comes from a test part touched once, or, where there is
none, from outer folds in which the choice is repeated as far as time allows, with what was not repeated said.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from headstart.backbones import Backbone
from headstart.data import Dataset, Plan
from headstart.errors import BudgetError
from headstart.evaluation import Comparison, Fold, Interval, class_scores, find_metric, nadeau_bengio, score, verdict
from headstart.model import AdaptedModel
from headstart.search._judging import Judgement, Prior, judge
from headstart.search._ladder import STOPPING, Best, Climb
from headstart.search._owed import Owed
from headstart.search._problem import MIN_OUTER_FOLDS, Outcome, Problem, Proof, Rung, Watch, watch_nothing
from headstart.search._proof import Measured, compare_all, guarded, measure_baselines, random_weights, scratch
from headstart.search._rungs import steps_above
from headstart.strategies import Fitted, Probe, Run, Strategy, Tuning
from headstart.tasks import Task

__all__ = ["Judgement", "Outcome", "Prior", "Proof", "Rung", "Watch", "climb", "judge", "watch_nothing"]


def climb(
    dataset: Dataset,
    plan: Plan,
    task: Task,
    *,
    backbones: Sequence[Backbone],
    strategy: Strategy | None,
    run: Run,
    effort: Literal["usual", "more"] = "usual",
    proof: Proof = "quick",
    watch: Callable[[Rung], None] = watch_nothing,
) -> Outcome:
    """Choose a model for a data set and measure the choice.

    Args:
        dataset: Labelled examples.
        plan: Which of them train and which measure.
        task: What their labels mean.
        backbones: Candidates, at least one.
        strategy: How each is adapted; None climbs the ladder on the best of them.
        run: Features, seed and deadline.
        effort: ``usual`` tries the rungs that usually pay, ``more`` goes on while the budget lasts.
        proof: What transfer is compared with: ``none`` nothing, ``quick`` baselines and random weights, ``full`` also
            the same network trained from scratch.
        watch: Told about every rung as it ends.

    Returns:
        The model, its score and what else was tried.
    """
    assert dataset.labels is not None
    y = np.asarray(task.encode(dataset.labels))
    problem = Problem(dataset, plan, task, tuple(backbones), strategy, run, y, effort, proof, watch)
    began, passes = time.monotonic(), run.features.seconds
    tried, rungs, notes = _try_all(problem)
    run.features.deadline = None  # there is a model: its score is owed
    first = _best(tried)
    fits = time.monotonic() - began - (run.features.seconds - passes)
    owed = Owed(problem, _pretrained(problem, first), fits)
    others, climbed = _climb_on(problem, first, owed)
    best = climbed.best
    ours, limits = _measure(problem, tried, best, reserve=owed.random + owed.saving)
    comparisons = compare_all(problem, ours, {k: replace(m, folds=m.folds[: len(ours)]) for k, m in others.items()})
    rungs = [*rungs, *climbed.rungs]
    if not climbed.interrupted:
        start = best.tuned.start if best.tuned else _pretrained(problem, best.fitted)
        comparisons |= _prove(problem, start, ours, owed=owed, seconds=sum(rung.seconds for rung in rungs))
    n = len(np.unique(np.concatenate([fold.items for fold in ours if fold.items is not None])))
    return Outcome(
        model=best.fitted.model,
        chosen=best.fitted.chosen,
        score=score(ours, metric=run.metric, how=plan.how, n=n, seed=run.seed),
        classes=class_scores(ours, task.classes),
        baselines=comparisons,
        transfer_helped=verdict(comparisons, metric=run.metric),
        rungs=tuple(rungs),
        notes=(*notes, *climbed.notes, *limits),
        predictions=tuple(ours),
    )


def _try_all(problem: Problem) -> tuple[list[Fitted], list[Rung], list[str]]:
    """Fit the first rung on every candidate; out of time, what was reached so far is the result."""
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
    for rung in rungs:
        problem.watch(rung)
    return tried, rungs, skipped


def _try(problem: Problem, backbone: Backbone, *, first: bool) -> tuple[Fitted | None, str]:
    """Fit one candidate, unless time is short or was short when this run was interrupted."""
    fits: list[Fitted] = []

    def choose() -> str:
        try:
            fits.append(_fit(problem, backbone))
        except BudgetError as error:
            if first:
                raise
            return error.problem
        return ""

    why_not: str = problem.run.decide(f"left out: {backbone.name}", choose)
    if not fits and not why_not:
        fits.append(_fit(problem, backbone))
    return (fits[0] if fits else None), why_not


def _fit(problem: Problem, backbone: Backbone) -> Fitted:
    strategy = problem.strategy or Probe()
    return strategy.fit(backbone, problem.train, problem.task, run=problem.run)


def _best(tried: Sequence[Fitted]) -> Fitted:
    return min(tried, key=lambda fit: fit.loss)


def _rung(fit: Fitted, best: Fitted, seconds: float, problem: Problem) -> Rung:
    values, n = np.array(fit.fold_values), len(problem.plan.train)
    held_out, bounds = n // len(values), find_metric(problem.run.metric, problem.task.kind).bounds
    if np.isnan(values).sum() > len(values) - 2:
        interval = Interval(*bounds, "not defined in the inner folds")
    else:
        groups = problem.dataset.groups
        units = n if groups is None else len({groups[i] for i in problem.plan.train})
        interval = nadeau_bengio(values, n_train=n - held_out, n_test=held_out, bounds=bounds, units=units)
    reason = "lowest cross-validated loss" if fit is best else f"loss {fit.loss:.3f} > {best.loss:.3f}"
    name = f"{fit.model.strategy.split('(')[0]} {fit.model.backbone.name}"
    value = None if np.isnan(values).all() else float(np.nanmean(values))
    return Rung(name, value, interval, seconds, fit is best, reason)


@dataclass(frozen=True)
class Climbed:
    """Where the climb ended, what it tried, and whether it was interrupted."""

    best: Best
    rungs: Sequence[Rung] = ()
    notes: Sequence[str] = ()
    interrupted: bool = False


def _climb_on(problem: Problem, first: Fitted, owed: Owed) -> tuple[dict[str, Measured], Climbed]:
    """Measure the baselines and climb from the probe; an interrupt keeps what there is."""
    others: dict[str, Measured] = {}
    if problem.proof != "none":
        try:
            others = measure_baselines(problem, len(problem.splits), reserve=owed.all)
        except KeyboardInterrupt:
            problem.run.say(STOPPING)
            note = "Interrupted at the baselines: they are left out, and the first rung is kept."
            return others, Climbed(Best(first, problem.strategy or Probe(), None), (), (note,), interrupted=True)
    return others, _climb(problem, first, owed)


def _climb(problem: Problem, first: Fitted, owed: Owed) -> Climbed:
    """Climb from the probe; a strategy that was asked for is all that is tried."""
    if problem.strategy is not None:
        return Climbed(Best(first, problem.strategy, None))
    # Whether there was a budget may differ when a run is resumed; what it tries may not.
    problem = replace(problem, effort=problem.run.decide("effort", lambda: problem.effort))
    ladder = Climb(problem, first, owed=owed)
    best = ladder.run(steps_above(problem, first.model.backbone))
    return Climbed(best, ladder.rungs, ladder.notes, ladder.interrupted)


def _prove(problem: Problem, start: Backbone, ours: list[Fold], *, owed: Owed, seconds: float) -> dict[str, Comparison]:
    """Compare with the same network without its pretraining, as far as asked for and time lasts."""
    found: dict[str, Comparison] = {}
    if problem.proof != "none":
        found |= guarded(
            problem,
            lambda: random_weights(problem, start),
            "the comparison with random weights",
            needs=owed.random + owed.saving,
        )
    if problem.proof == "full":
        found |= guarded(
            problem,
            lambda: scratch(problem, start, ours, seconds=seconds, reserve=owed.saving),
            "training from scratch",
            needs=owed.saving,
        )
    return found


def _measure(problem: Problem, tried: Sequence[Fitted], best: Best, *, reserve: float) -> tuple[list[Fold], list[str]]:
    """Predict the test part once, or repeat the choice in outer folds; ``reserve`` seconds are needed after that."""
    if not problem.plan.folds:
        split = problem.splits[0]
        return [problem.fold(split, predict(best, problem.dataset.take(split[1]), problem.run))], []
    if best.tuned is not None:
        return _outer(problem, lambda inside: _retrained(problem, best, inside), CHOSEN_ONCE, reserve=reserve)
    first, owed = problem.strategy or Probe(), replace(problem.run, deadline=None)
    candidates = [_pretrained(problem, fit) for fit in tried]

    def again(inside: Dataset) -> Best:
        fit = _best([first.fit(backbone, inside, problem.task, run=owed) for backbone in candidates])
        if best.strategy != first:
            fit = best.strategy.fit(_pretrained(problem, fit), inside, problem.task, run=owed)
        return Best(fit, best.strategy, None)

    return _outer(problem, again, None if best.strategy == first else CHOSEN_ONCE, reserve=reserve)


CHOSEN_ONCE: Final = (
    "The rung was chosen once, on all examples, and trained anew in each outer fold: "
    "the score may be a little too good."
)


def _pretrained(problem: Problem, fit: Fitted) -> Backbone:
    """The candidate a fit came from: its own backbone, or the one its weights were moved from."""
    base = fit.model.base
    if base is None:
        return fit.model.backbone
    return next(backbone for backbone in problem.backbones if backbone.weights_hash == base.weights_hash)


def _retrained(problem: Problem, best: Best, inside: Dataset) -> Best:
    assert best.tuned is not None
    assert isinstance(best.strategy, Tuning)
    owed = replace(problem.run, deadline=None)  # there is a model: its score is owed
    tuned = best.strategy.tune(best.tuned.start, inside, problem.task, run=owed).cooled(best.temperature)
    return Best(replace(best.fitted, model=tuned.model), best.strategy, None, tuned, best.temperature)


def predict(best: Best, dataset: Dataset, run: Run) -> NDArray[np.float64]:
    """Predict items: from activations at the cut where weights moved, else from stored features."""
    if best.tuned is not None:
        return best.tuned.outputs(dataset, run=run)
    model: AdaptedModel = best.fitted.model
    return model.head.outputs(run.features.features(model.backbone, dataset, view=model.view))


def _outer(
    problem: Problem, choose: Callable[[Dataset], Best], limit: str | None, *, reserve: float
) -> tuple[list[Fold], list[str]]:
    """Repeat a choice inside every outer fold; when time runs short, on fewer of them."""
    run, splits, done = problem.run, problem.splits, list[Fold]()
    if limit is not None or isinstance(problem.strategy, Tuning):  # trainings cost: one repeat of the folds is enough
        splits = splits[: max(MIN_OUTER_FOLDS, round(len(problem.dataset) / len(splits[0][1])))]
    started = time.monotonic()

    def measure(number: int) -> None:
        run.progress("scoring the choice on outer folds", number, len(splits))
        inside, outside = (problem.dataset.take(part) for part in splits[number])
        done.append(problem.fold(splits[number], predict(choose(inside), outside, run)))

    def while_time_lasts() -> int:
        for number in range(len(splits)):
            measure(number)
            next_ends = time.monotonic() + (time.monotonic() - started) / len(done)
            if run.deadline is not None and len(done) >= MIN_OUTER_FOLDS and next_ends > run.deadline - reserve:
                break
        return len(done)

    count: int = run.decide("outer folds", while_time_lasts)
    for number in range(len(done), count):
        measure(number)
    run.progress("scoring the choice on outer folds", len(splits), len(splits))
    notes = [] if limit is None else [limit]
    if count < len(splits):
        notes.append(f"The budget allowed {count} of {len(splits)} outer folds.")
    return done, notes
