"""What the head start was worth: the same splits for models without pretraining, cheap ones first."""

import time
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from headstart.backbones import Backbone, from_scratch
from headstart.data import Indices, read_image, united_groups
from headstart.errors import BackboneError, BudgetError, TrainingError
from headstart.evaluation import (
    Baseline,
    Comparison,
    Fold,
    compare,
    describe_image,
    image_baseline,
    majority_baseline,
    text_baseline,
)
from headstart.search._owed import RANDOM_AT_MOST
from headstart.search._problem import Problem
from headstart.strategies import Probe, Scratch, forecast

FEWEST_STEPS = 60  # of training from scratch
FEW_ROWS = 500  # from which a baseline's time is predicted


@dataclass(frozen=True)
class Measured:
    """Predictions of a model without pretraining, on the splits ours is measured on.

    Attributes:
        folds: One per split.
        seconds: What they cost.
    """

    folds: list[Fold]
    seconds: float


def measure_baselines(problem: Problem, splits: int, *, reserve: float = 0.0) -> dict[str, Measured]:
    """Fit the majority answer and the classical model on the first so many splits.

    Args:
        problem: The data.
        splits: How many splits ours is measured on.
        reserve: Seconds that are needed afterwards; a model that would not leave them is left out, and that is said.

    Returns:
        Their predictions by name.
    """
    found: dict[str, Measured] = {}
    run = problem.run
    deadline = run.deadline
    late = run.decide("left out: baselines", lambda: deadline is not None and time.monotonic() + reserve > deadline)
    if late:
        run.say("The baselines were left out for lack of time.")
        return found
    for baseline in _baselines(problem):
        if _too_long(problem, baseline, splits, reserve):
            problem.run.say(f"The baseline {baseline.name} was left out for lack of time.")
            continue
        started = time.monotonic()
        folds = []
        for number, split in enumerate(problem.splits[:splits]):
            problem.run.progress(f"baseline {baseline.name}", number, splits)
            folds.append(problem.fold(split, baseline.predict(*split)))
        problem.run.progress(f"baseline {baseline.name}", splits, splits)
        found[baseline.name] = Measured(folds, time.monotonic() - started)
    return found


def _too_long(problem: Problem, baseline: Baseline, splits: int, reserve: float) -> bool:
    """Predict a model from a fit on a few examples, where there are many and time is limited."""
    run, (inside, outside) = problem.run, problem.splits[0]
    deadline = run.deadline
    if deadline is None or len(inside) * splits <= 2 * FEW_ROWS:
        return False

    def predict() -> bool:
        few = inside[:: max(1, len(inside) // FEW_ROWS)]
        began = time.monotonic()
        baseline.predict(few, outside)
        now = time.monotonic()
        return now + (now - began) * splits * len(inside) / len(few) > deadline - reserve

    late: bool = run.decide(f"left out: {baseline.name}", predict)
    return late


def compare_all(problem: Problem, ours: list[Fold], theirs: dict[str, Measured]) -> dict[str, Comparison]:
    """Compare ours with each of the others, paired by item or fold."""
    run = problem.run
    return {
        name: compare(ours, other.folds, metric=run.metric, seed=run.seed, seconds=other.seconds)
        for name, other in theirs.items()
    }


def random_weights(problem: Problem, backbone: Backbone) -> dict[str, Comparison]:
    """Compare probes on the pretrained network and on the same network with random weights.

    Both are fitted on the same at most 300 training examples of the first split and scored on the same at most 300.

    Args:
        problem: The data.
        backbone: The pretrained network.

    Returns:
        The comparison under its name; empty where the network cannot be made anew.
    """
    started = time.monotonic()
    run = problem.run
    try:
        blank = from_scratch(backbone, seed=run.seed)
    except BackboneError as error:
        run.say(f"No comparison with random weights: {error.problem}.")
        return {}
    inside, outside = (_some(problem, part) for part in problem.splits[0])
    run.progress("the same network with random weights", 0, 1)
    both = [_probe(problem, network, inside, outside) for network in (backbone, blank)]
    run.progress("the same network with random weights", 1, 1)
    ours, theirs = ([problem.fold((inside, outside), outputs)] for outputs in both)
    spent = time.monotonic() - started
    name = f"random weights, probe ({len(inside)} to train, {len(outside)} to test)"
    return {name: compare(ours, theirs, metric=run.metric, seed=run.seed, seconds=spent)}


def scratch(
    problem: Problem, backbone: Backbone, ours: list[Fold], *, seconds: float, reserve: float = 0.0
) -> dict[str, Comparison]:
    """Train the same network from random weights on the same splits, with as much time as ours took.

    Args:
        problem: The data.
        backbone: The pretrained network.
        ours: Our predictions; as many splits are trained.
        seconds: What adapting ours took.
        reserve: Seconds that are needed afterwards.

    Returns:
        The comparison under its name.

    Raises:
        BudgetError: The time left holds too few steps to say anything.
    """
    started, run = time.monotonic(), problem.run
    expected = forecast(Scratch(), backbone, problem.train, run=run)
    steps = Scratch().work(len(problem.train))[0]

    def choose() -> int:
        per_step = max(1e-9, expected.training_seconds / steps)
        affordable = steps
        if run.deadline is not None:
            affordable = int((run.deadline - reserve - time.monotonic()) / len(ours) / per_step / 1.1)
        if affordable < FEWEST_STEPS:
            raise BudgetError(f"{FEWEST_STEPS} steps need {FEWEST_STEPS * len(ours) * per_step:.0f} s")
        return min(affordable, int(np.clip(seconds / per_step, FEWEST_STEPS, steps)))

    allowed: int = run.decide("steps from scratch", choose)
    folds = []
    for number, (inside, outside) in enumerate(problem.splits[: len(ours)]):
        run.progress("training from scratch", number, len(ours))
        tuned = Scratch(steps=allowed).tune(backbone, problem.dataset.take(inside), problem.task, run=run)
        folds.append(problem.fold((inside, outside), tuned.outputs(problem.dataset.take(outside), run=run)))
    spent = time.monotonic() - started
    name = f"from scratch ({allowed} steps)"
    return {name: compare(ours, folds, metric=run.metric, seed=run.seed, seconds=spent)}


def guarded(
    problem: Problem, measure: Callable[[], dict[str, Comparison]], what: str, *, needs: float = 0.0
) -> dict[str, Comparison]:
    """Measure unless the time left is shorter than what it needs; say what was left out."""
    deadline = problem.run.deadline
    late: bool = problem.run.decide(
        f"left out: {what}", lambda: deadline is not None and time.monotonic() + needs > deadline
    )
    if not late:
        try:
            return measure()
        except (BackboneError, BudgetError, TrainingError) as error:
            problem.run.say(f"{what} was given up: {error.problem}.")
            return {}
    problem.run.say(f"{what} was left out for lack of time.")
    return {}


def _probe(problem: Problem, backbone: Backbone, inside: Indices, outside: Indices) -> NDArray[np.float64]:
    run = replace(problem.run, progress=lambda *_: None)
    fitted = Probe().fit(backbone, problem.dataset.take(inside), problem.task, run=run)
    features = run.features.features(backbone, problem.dataset.take(outside), view=fitted.model.view)
    return fitted.model.head.outputs(features)


def _some(problem: Problem, part: Indices) -> Indices:
    """Draw at most 300 positions, in order."""
    if len(part) <= RANDOM_AT_MOST:
        return part
    rng = np.random.default_rng([problem.run.seed, len(part)])
    return np.sort(rng.choice(part, RANDOM_AT_MOST, replace=False))


def _baselines(problem: Problem) -> list[Baseline]:
    """Describe the items once for the models without pretraining."""
    dataset, n_classes = problem.dataset, problem.task.n_outputs
    y, groups, seed = problem.y, united_groups(dataset), problem.run.seed
    if dataset.modality == "text":
        learner = text_baseline(dataset.items, y, n_classes=n_classes, groups=groups, seed=seed)
    else:
        rows = problem.run.engine.map(lambda item: describe_image(read_image(item)), dataset.items)
        learner = image_baseline(np.stack(list(rows)), y, n_classes=n_classes, groups=groups, seed=seed)
    return [majority_baseline(y, n_classes=n_classes), learner]
