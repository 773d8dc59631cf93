"""The ladder: what is tried, in which order, and how the choice is measured.

Rung 0 is measured and never shipped: the majority class and a cheap classical model, on the same splits. Rung 1 is a
probe on every candidate backbone; the one with the lowest cross-validated loss, inside the training part, is kept, and
from then on there is a usable model. The rungs above thaw its last blocks, each accepted only where it is better on
held-out folds beyond noise. The score covers the choosing: it comes from a test part touched once, or, where there is
none, from outer folds in which the choice is repeated as far as time allows, with what was not repeated said.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Final, Literal

import numpy as np

from headstart.backbones import Backbone
from headstart.data import Dataset, Plan
from headstart.evaluation import Comparison, Fold, class_scores, score, verdict
from headstart.search._answers import answers_of
from headstart.search._first import Tried, try_all
from headstart.search._halving import Climbed, climb_finalists
from headstart.search._judging import Judgement, Prior, judge
from headstart.search._ladder import STOPPING, Best
from headstart.search._owed import Owed
from headstart.search._problem import Answers, Outcome, Problem, Proof, Rung, SourceUse, Watch, watch_nothing
from headstart.search._proof import Measured, compare_all, guarded, measure_baselines, random_weights, scratch
from headstart.search._scoring import SAVING, pretrained
from headstart.search._source import Chosen, Reached, compare_other, measured, with_and_without
from headstart.strategies import Probe, Run, Strategy, reading_for
from headstart.tasks import Task

__all__ = [
    "Answers",
    "Judgement",
    "Outcome",
    "Prior",
    "Proof",
    "Rung",
    "SourceUse",
    "Watch",
    "climb",
    "judge",
    "watch_nothing",
]

RANDOM: Final = "the comparison with random weights"
FROM_SCRATCH: Final = "training from scratch"
ASKED: Final = {"none": (), "quick": (RANDOM,), "full": (RANDOM, FROM_SCRATCH)}


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
    y = task.encode(dataset.labels)
    own = plan.train[np.isin(plan.train, dataset.own)]
    candidates = reading_for(backbones, dataset.take(own), task, run=run)
    problem = Problem(dataset, plan, task, candidates, strategy, run, y, effort, proof, watch)
    chosen = None if dataset.lent is None else with_and_without(problem, _reach)
    return _finish(_reach(problem) if chosen is None else chosen.reached, chosen)


def _reach(problem: Problem) -> Reached:
    """Fit the first rung on every candidate, measure the baselines, and climb."""
    tried = try_all(problem)
    problem.run.features.deadline = None  # there is a model: its score is owed
    owed = Owed(problem, pretrained(problem, tried.best), tried.fit_seconds)
    others, climbed = _climb_on(problem, tried, owed)
    return Reached(problem, tried, others, climbed)


def _finish(reached: Reached, chosen: Chosen | None) -> Outcome:
    """Measure what was reached, and compare it."""
    problem, climbed, others = reached.problem, reached.climbed, reached.others
    run, best = problem.run, climbed.best
    scored = measured(reached)
    ours = scored.folds
    comparisons = compare_all(problem, ours, {k: replace(m, folds=m.folds[: len(ours)]) for k, m in others.items()})
    stopped = climbed.interrupted or scored.interrupted
    source = None if chosen is None else compare_other(chosen, ours, stopped=stopped)
    seconds = sum(rung.seconds for rung in reached.rungs)
    proven, left_out = _prove(reached, ours, seconds=seconds, stopped=stopped)
    comparisons |= proven
    n = len(np.unique(np.concatenate([fold.items for fold in ours if fold.items is not None])))
    return Outcome(
        model=best.fitted.model,
        chosen=best.fitted.chosen,
        score=score(ours, metric=run.metric, how=problem.plan.how, n=n, seed=run.seed),
        classes=class_scores(ours, problem.task.classes),
        baselines=comparisons,
        transfer_helped=verdict(comparisons, metric=run.metric),
        rungs=reached.rungs if chosen is None else chosen.rungs,
        notes=(*reached.tried.notes, *climbed.notes, *scored.notes, *left_out, *(chosen.limits if chosen else ())),
        predictions=tuple(ours),
        chosen_once=scored.chosen_once or (chosen is not None and bool(chosen.limits)),
        source=source,
        answers=None if stopped else answers_of(reached, scored),
    )


def _climb_on(problem: Problem, tried: Tried, owed: Owed) -> tuple[dict[str, Measured], Climbed]:
    """Measure the baselines and climb from the first rung; an interrupt keeps what there is."""
    others: dict[str, Measured] = {}
    first = Best(tried.best, problem.strategy or Probe(), None)
    if tried.interrupted:
        notes = () if problem.proof == "none" else ("Interrupted before the baselines: they are left out.",)
        return others, Climbed(first, owed, (), notes, interrupted=True)
    if problem.proof != "none":
        try:
            splits = problem.once if problem.task.kind == "transcription" else problem.splits
            others = measure_baselines(problem, len(splits), reserve=owed.all)
        except KeyboardInterrupt:
            problem.run.say(STOPPING)
            note = "Interrupted at the baselines: they are left out, and the first rung is kept."
            return others, Climbed(first, owed, (), (note,), interrupted=True)
    return others, _climb(problem, tried, first, owed)


def _climb(problem: Problem, tried: Tried, first: Best, owed: Owed) -> Climbed:
    """Climb from the probes; a strategy that was asked for is all that is tried."""
    if problem.strategy is not None:
        return Climbed(first, owed)
    # Whether there was a budget may differ when a run is resumed; what it tries may not.
    problem = replace(problem, effort=problem.run.decide("effort", lambda: problem.effort))
    return climb_finalists(problem, tried, owed)


def _prove(
    reached: Reached, ours: list[Fold], *, seconds: float, stopped: bool
) -> tuple[dict[str, Comparison], list[str]]:
    """Compare with the same network without its pretraining, as far as asked for and time lasts.

    An interrupt, now or before, leaves out the rest, and that is noted.
    """
    problem, start, owed = reached.problem, reached.start, reached.climbed.owed

    def prove(what: str) -> dict[str, Comparison]:
        if what == RANDOM:
            needs = owed.random + owed.saving
            return guarded(problem, lambda: random_weights(problem, start, tried=reached.tried.fits), what, needs=needs)
        return guarded(
            problem, lambda: scratch(problem, start, ours, seconds=seconds, owed=owed), what, needs=owed.saving
        )

    found: dict[str, Comparison] = {}
    left = list(ASKED[problem.proof])
    try:
        while left and not stopped:
            found |= prove(left[0])
            left.pop(0)
    except KeyboardInterrupt:
        problem.run.say(SAVING)
    return found, [f"Interrupted, so left out: {' and '.join(left)}."] if left else []
