"""The first rung: one strategy on every candidate, as far as time allows. The best of them is a usable model."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from math import ceil

import numpy as np

from headstart.backbones import Backbone
from headstart.errors import BackboneError, BudgetError, DataError, HeadstartError, StoreError, TrainingError
from headstart.evaluation import Interval, find_metric, nadeau_bengio
from headstart.search._ladder import STOPPING, Expected
from headstart.search._owed import Owed
from headstart.search._problem import Problem, Rung
from headstart.strategies import (
    TUNING_FOLDS,
    Fitted,
    Probe,
    Strategy,
    Tuning,
    decide_now,
    forecast,
    say_nothing,
    seconds_of_probe,
)


@dataclass(frozen=True)
class Tried:
    """What the first rung led to.

    Attributes:
        fits: One per candidate that was fitted, at least one.
        rungs: What is told of each.
        notes: What was left out.
        fit_seconds: What fitting all candidates once took, frozen passes aside; of a strategy that moves weights, what
            one training took.
        interrupted: Whether the user wanted it to end here.
    """

    fits: Sequence[Fitted]
    rungs: Sequence[Rung]
    notes: Sequence[str]
    fit_seconds: float
    interrupted: bool

    @property
    def best(self) -> Fitted:
        """The fit of lowest cross-validated loss."""
        return best_of(self.fits)


def best_of(fits: Sequence[Fitted]) -> Fitted:
    """Return the fit of lowest cross-validated loss."""
    return min(fits, key=lambda fit: fit.loss)


@dataclass
class Attempt:
    """A candidate being fitted: what was expected of it, and what came of it."""

    backbone: Backbone
    started: float = field(default_factory=time.monotonic)
    expected: Expected | None = None
    fit: Fitted | None = None
    seconds: float = 0.0

    def elapsed(self) -> float:
        """Return the seconds since it began."""
        return time.monotonic() - self.started


def try_all(problem: Problem) -> Tried:
    """Fit the first rung on every candidate; out of time or interrupted, what was reached so far is the result.

    Args:
        problem: The data, the strategy and the candidates.

    Returns:
        The fits, told to whoever watches.

    Raises:
        HeadstartError: Every candidate failed; the first error of them.
        BudgetError: There is no time for the first candidate.
    """
    began, passes = time.monotonic(), problem.run.features.seconds
    done: list[Attempt] = []
    notes: list[str] = []
    failed: list[HeadstartError] = []
    interrupted = False
    for number, backbone in enumerate(problem.backbones):
        attempt = Attempt(backbone)
        try:
            why_not = _try(problem, attempt, failed, first=not done)
        except KeyboardInterrupt:
            if not done:  # there is no model yet
                raise
            problem.run.say(STOPPING)
            left = ", ".join(each.name for each in problem.backbones[number:])
            notes.append(f"Interrupted at the candidates: {left} left out, and the best so far is kept.")
            interrupted = True
            break
        if attempt.fit is None:
            notes.append(f"Left out {why_not}.")
            continue
        # A later process finds features and trainings done: what it took is what it took in the first.
        attempt.seconds = problem.run.decide(f"time taken by {backbone.name}", attempt.elapsed)
        done.append(attempt)
    if not done:
        raise failed[0]
    fits = [attempt.fit for attempt in done if attempt.fit is not None]
    best = best_of(fits)
    rungs = [_rung(attempt, fit, best, problem) for attempt, fit in zip(done, fits, strict=True)]
    for rung in rungs:
        problem.watch(rung)
    spent = time.monotonic() - began - (problem.run.features.seconds - passes)
    return Tried(fits, rungs, notes, best.seconds if isinstance(problem.strategy, Tuning) else spent, interrupted)


def _try(problem: Problem, attempt: Attempt, failed: list[HeadstartError], *, first: bool) -> str:
    """Fit one candidate; where time is short or it fails, or did when this run was interrupted, say why not."""
    name = attempt.backbone.name

    def choose() -> str:
        try:
            attempt.fit = _fit(problem, attempt)
        except BudgetError as error:
            if first:
                raise
            return f"for lack of time: {name} ({error.problem})"
        return ""

    try:
        why_not: str = problem.run.decide(f"left out: {name}", choose)
    except (BackboneError, DataError, StoreError, TrainingError) as error:  # not recorded: it fails again, or works
        failed.append(error)
        return f"because it failed: {name} ({error})"
    except (RuntimeError, ValueError) as error:  # a network from elsewhere; of several it must not end the rest
        if len(problem.backbones) == 1 or isinstance(error, HeadstartError):
            raise
        failed.append(BackboneError(f"it cannot be run ({' '.join(str(error).split())})", where=name))
        return f"because it failed: {failed[-1]}"
    if attempt.fit is None and not why_not:  # fitted before an interruption, and in time then
        attempt.fit = _fit(replace(problem, run=replace(problem.run, deadline=None)), attempt)
    return why_not


def _fit(problem: Problem, attempt: Attempt) -> Fitted:
    strategy = problem.strategy or Probe()
    if isinstance(strategy, Tuning):
        strategy.check_task(problem.task)
        _hold_to_the_budget(problem, attempt, strategy)
    elif problem.task.kind == "transcription":
        _hold_speech_to_the_budget(problem, attempt)
    return strategy.fit(attempt.backbone, problem.train, problem.task, run=problem.run)


def _hold_to_the_budget(problem: Problem, attempt: Attempt, strategy: Tuning) -> None:
    """Predict what a strategy that moves weights takes, and refuse what cannot be done in time before it starts."""
    run, backbone = problem.run, attempt.backbone
    # Where the activations will lie is decided, and said, when they are gathered: a refused run leaves nothing behind.
    asking = replace(run, decide=decide_now, say=say_nothing)

    def fits() -> bool:
        one = forecast(strategy, backbone, problem.train, run=asking)
        seconds = one.gathering_seconds + (TUNING_FOLDS + 1) * one.training_seconds
        attempt.expected = Expected(seconds, one.megabytes)
        owed = Owed(problem, backbone, one.training_seconds)
        if run.deadline is not None:
            _check_time(strategy, backbone, seconds + owed.scoring + owed.saving, left=run.deadline - time.monotonic())
        run.announce(f"{strategy} on {backbone.name}: up to {ceil(seconds)} s and {ceil(one.megabytes):,} MB expected.")
        return True

    run.decide(f"time for {strategy} on {backbone.name}", fits)


def _hold_speech_to_the_budget(problem: Problem, attempt: Attempt) -> None:
    """Predict what a probe of frames takes, which is not next to nothing, and refuse it where that is not left."""
    run, backbone = problem.run, attempt.backbone

    def fits() -> bool:
        run.features.ensure(backbone, problem.train)  # it keeps to the budget itself
        seconds = seconds_of_probe(backbone, problem.train, views=len(backbone.views), run=run)
        owed = Owed(problem, backbone, seconds)
        if run.deadline is not None:
            _check_time(Probe(), backbone, seconds + owed.scoring + owed.saving, left=run.deadline - time.monotonic())
        return True

    run.decide(f"time for a probe on {backbone.name}", fits)


def _check_time(strategy: Strategy, backbone: Backbone, needed: float, *, left: float) -> None:
    if needed > left:
        other = "a cheaper --strategy" if isinstance(strategy, Tuning) else "a smaller --backbone"
        raise BudgetError(
            f"{strategy} may take {needed:.0f} s with its cross-validation and its score, "
            f"and {max(0.0, left):.0f} s are left",
            where=backbone.name,
            fix=f"Give {ceil(needed - left) + 30} s more, or {other}.",
        )


def _rung(attempt: Attempt, fit: Fitted, best: Fitted, problem: Problem) -> Rung:
    values, own = np.array(fit.fold_values), problem.own(problem.plan.train)
    n = len(own)
    held_out, metric = n // len(values), find_metric(problem.run.metric, problem.task.kind)
    if np.isnan(values).sum() > len(values) - 2:
        interval = Interval(*metric.bounds, "not defined in the inner folds")
    else:
        groups = problem.dataset.groups
        units = n if groups is None else len({groups[i] for i in own})
        interval = nadeau_bengio(
            values,
            n_train=n - held_out,
            n_test=held_out,
            bounds=metric.bounds,
            typical=metric.typical,
            units=units,
        )
    return Rung(
        name=f"{fit.model.strategy.split('(')[0]} {fit.model.backbone.name}",
        strategy=fit.model.strategy,
        backbone=attempt.backbone.name,
        value=None if np.isnan(values).all() else float(np.nanmean(values)),
        interval=interval,
        seconds=attempt.seconds,
        accepted=fit is best,
        reason="lowest cross-validated loss" if fit is best else f"loss {fit.loss:.3f} > {best.loss:.3f}",
        predicted_seconds=attempt.expected.seconds if attempt.expected else None,
        predicted_megabytes=attempt.expected.megabytes if attempt.expected else None,
    )
