"""How good the choice is: the test part predicted once, or outer folds in which choice or training are repeated."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from headstart.backbones import Backbone
from headstart.data import Dataset
from headstart.evaluation import Fold
from headstart.model import AdaptedModel
from headstart.search._first import best_of
from headstart.search._ladder import Best
from headstart.search._problem import MIN_OUTER_FOLDS, Problem, Splits
from headstart.strategies import Fitted, Probe, Run, Temperature, Tuning, say_nothing

Choose = Callable[[Dataset], Best]
"""Chooses or trains on the examples of an outer fold."""

CHOSEN_ONCE: Final = (
    "The {what} was chosen once, on all examples, and trained anew in each outer fold: "
    "the score may be a little too good."
)
COOLED_ONCE: Final = (
    "The temperature of the model's scores was fitted once, on all examples, which matters for log loss and Brier."
)
SAVING: Final = "Stopping here; the model will be saved with what is measured. Press Ctrl-C again to stop at once."
SCORING: Final = "scoring the choice on outer folds"


@dataclass(frozen=True)
class Scored:
    """Predictions that the score is of.

    Attributes:
        folds: One test part, or the outer folds there was time for.
        notes: What limits the score.
        chosen_once: Whether outer folds repeat the training of what was chosen, and not all of the choosing.
        interrupted: Whether the user wanted it to end here.
        features: (n, D) what the head read of a test part; None of outer folds.
    """

    folds: list[Fold]
    notes: Sequence[str] = ()
    chosen_once: bool = False
    interrupted: bool = False
    features: NDArray[Any] | None = None


def measure(problem: Problem, tried: Sequence[Fitted], best: Best, *, reserve: float, interruptible: bool) -> Scored:
    """Predict the test part once, or repeat the choice in outer folds.

    Args:
        problem: The data.
        tried: The first rung on every candidate.
        best: What was chosen.
        reserve: Seconds that are needed afterwards.
        interruptible: Whether an interrupt keeps the outer folds done, where they are enough.

    Returns:
        The predictions.
    """
    splits = problem.splits
    if not problem.plan.folds:
        seen = features(best, problem.dataset.take(splits[0][1]), problem.run)
        return Scored([problem.fold(splits[0], best.fitted.model.head.outputs(seen))], features=seen)
    if isinstance(best.strategy, Tuning):
        limit, choose = _limits(problem, best, tried), _training_again(problem, best, best.strategy)
    else:
        as_first = best.strategy == (problem.strategy or Probe())
        limit, choose = "" if as_first else CHOSEN_ONCE.format(what="rung"), _choosing_again(problem, best, tried)
    if limit or isinstance(best.strategy, Tuning) or problem.task.kind == "transcription":
        splits = problem.once
    return _outer(problem, splits, choose, limit=limit, reserve=reserve, interruptible=interruptible)


def pretrained(problem: Problem, fit: Fitted) -> Backbone:
    """Return the candidate a fit came from: its own backbone, or the one its weights were moved from."""
    base = fit.model.base
    if base is None:
        return fit.model.backbone
    # One network may be a candidate twice, at two sizes of picture.
    known = (base.name, base.weights_hash)
    return next(each for each in problem.backbones if (each.name, each.weights_hash) == known)


def predict(best: Best, dataset: Dataset, run: Run) -> NDArray[np.float64]:
    """Predict items: from activations at the cut where weights moved, else from stored features."""
    return best.fitted.model.head.outputs(features(best, dataset, run))


def features(best: Best, dataset: Dataset, run: Run) -> NDArray[Any]:
    """Return what the head of the best so far reads of items, (N, D)."""
    if best.tuned is not None:
        return best.tuned.features(dataset, run=run)
    model: AdaptedModel = best.fitted.model
    return run.features.features(model.backbone, dataset, view=model.view)


def _limits(problem: Problem, best: Best, tried: Sequence[Fitted]) -> str:
    """Say what of the choice of a trained network is not repeated in outer folds."""
    limits = []
    if problem.strategy is None or len(tried) > 1:
        several = "network with its rung" if len(tried) > 1 else "rung"
        limits.append(CHOSEN_ONCE.format(what=several if problem.strategy is None else "network"))
    if best.fitted.chosen["temperature"] != 1.0:
        limits.append(COOLED_ONCE)
    return " ".join(limits)


def _training_again(problem: Problem, best: Best, strategy: Tuning) -> Choose:
    """Train what was chosen, at the temperature chosen."""
    start, temperature = pretrained(problem, best.fitted), Temperature(float(best.fitted.chosen["temperature"]))
    # There is a model: its score is owed. What there is to say, the training on all examples has said.
    run = replace(problem.run, deadline=None, say=say_nothing)

    def again(inside: Dataset) -> Best:
        tuned = strategy.tune(start, inside, problem.task, run=run).cooled(temperature)
        return Best(replace(best.fitted, model=tuned.model), strategy, None, tuned, temperature)

    return again


def _choosing_again(problem: Problem, best: Best, tried: Sequence[Fitted]) -> Choose:
    """Choose among the candidates again; a rung above the first is fitted on what was chosen there."""
    first, run = problem.strategy or Probe(), replace(problem.run, deadline=None)
    candidates = [pretrained(problem, fit) for fit in tried]

    def again(inside: Dataset) -> Best:
        fit = best_of([first.fit(backbone, inside, problem.task, run=run) for backbone in candidates])
        if best.strategy != first:
            fit = best.strategy.fit(pretrained(problem, fit), inside, problem.task, run=run)
        return Best(fit, best.strategy, None)

    return again


def _outer(
    problem: Problem, splits: Splits, choose: Choose, *, limit: str, reserve: float, interruptible: bool
) -> Scored:
    """Repeat a choice inside every outer fold; out of time or interrupted, on fewer of them."""
    run, done, started = problem.run, list[Fold](), time.monotonic()

    def score_on(number: int) -> None:
        run.progress(SCORING, number, len(splits))
        inside, outside = (problem.dataset.take(part) for part in splits[number])
        done.append(problem.fold(splits[number], predict(choose(inside), outside, run)))

    def while_time_lasts() -> int:
        for number in range(len(splits)):
            score_on(number)
            next_ends = time.monotonic() + (time.monotonic() - started) / len(done)
            if run.deadline is not None and len(done) >= MIN_OUTER_FOLDS and next_ends > run.deadline - reserve:
                break
        return len(done)

    notes = [limit] if limit else []
    try:
        count: int = run.decide("outer folds", while_time_lasts)
        for number in range(len(done), count):
            score_on(number)
    except KeyboardInterrupt:
        if not interruptible or len(done) < MIN_OUTER_FOLDS:  # the same command goes on
            raise
        run.say(SAVING)
        notes.append(f"Interrupted: the score is of {len(done)} of {len(splits)} outer folds.")
        return Scored(done, notes, bool(limit), interrupted=True)
    run.progress(SCORING, len(splits), len(splits))
    if count < len(splits):
        notes.append(f"The budget allowed {count} of {len(splits)} outer folds.")
    return Scored(done, notes, bool(limit))
