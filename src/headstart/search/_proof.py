"""What the head start was worth: the same splits for models without pretraining, cheap ones first."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from headstart.backbones import Backbone, from_scratch
from headstart.data import Indices, Item, read_images, read_sound, types_present
from headstart.errors import BackboneError, BudgetError, DataError, StoreError, TrainingError
from headstart.evaluation import (
    SOUND_RATE,
    Baseline,
    Comparison,
    Fold,
    compare,
    describe_image,
    describe_sound,
    describe_speech,
    gazetteer_baseline,
    image_baseline,
    majority_baseline,
    sound_baseline,
    speech_baseline,
    text_baseline,
    word_baseline,
)
from headstart.features import silent
from headstart.search._owed import CAUTION, RANDOM_AT_MOST, Owed
from headstart.search._problem import Problem
from headstart.strategies import Fitted, Probe, Scratch, Tuning, forecast
from headstart.tasks import kind_of

FEWEST_STEPS: Final = 60  # of training from scratch
FEW_ROWS: Final = 500  # from which a baseline's time is predicted
FEW_RECORDINGS: Final = 40  # the same of transcribed ones, of which each is many rows
FEW_ITEMS: Final = 32  # from which the time to describe items for it is predicted
QUANTILES: Final = 10  # that a draw of values is alike in


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
    for make in (_majority, _classical):
        started = time.monotonic()
        baseline = make(problem, reserve)
        if baseline is None:
            continue
        if _too_long(problem, baseline, splits, reserve):
            _say_left_out(problem, baseline.name)
            continue
        folds = []
        for number, split in enumerate(problem.splits[:splits]):
            problem.run.progress(f"baseline {baseline.name}", number, splits)
            folds.append(problem.fold(split, baseline.predict(*split)))
        problem.run.progress(f"baseline {baseline.name}", splits, splits)
        found[baseline.name] = Measured(folds, time.monotonic() - started)
    return found


def _say_left_out(problem: Problem, name: str) -> None:
    problem.run.say(f"The baseline {name} was left out for lack of time.")


def _too_long(problem: Problem, baseline: Baseline, splits: int, reserve: float) -> bool:
    """Predict a model from a fit on a few examples, where there are many and time is limited."""
    run, (inside, outside) = problem.run, problem.splits[0]
    deadline, most = run.deadline, FEW_RECORDINGS if problem.task.kind == "transcription" else FEW_ROWS
    if deadline is None or len(inside) * splits <= 2 * most:
        return False

    def predict() -> bool:
        few = inside[:: max(1, len(inside) // most)]
        began = time.monotonic()
        baseline.predict(few, outside)
        now = time.monotonic()
        return now + (now - began) * splits * len(inside) / len(few) > deadline - reserve

    late: bool = run.decide(f"left out: {baseline.name}", predict)
    return late


def compare_all(problem: Problem, ours: list[Fold], theirs: dict[str, Measured]) -> dict[str, Comparison]:
    """Compare ours with each of the others, paired by item or fold; where the metric is not defined, say so."""
    found: dict[str, Comparison] = {}
    for name, other in theirs.items():
        found |= compared(problem, name, ours, other.folds, seconds=other.seconds)
    return found


def compared(
    problem: Problem, name: str, ours: list[Fold], theirs: list[Fold], *, seconds: float
) -> dict[str, Comparison]:
    """Compare with one other; empty, and said, where the metric is not defined, as ranks of a constant answer are."""
    run = problem.run
    try:
        return {name: compare(ours, theirs, metric=run.metric, seed=run.seed, seconds=seconds)}
    except DataError as error:
        run.say(f"No comparison with {name}: {error.problem}.")
        return {}


def random_weights(problem: Problem, backbone: Backbone, *, tried: Sequence[Fitted] = ()) -> dict[str, Comparison]:
    """Compare probes on the pretrained network and on the same network with random weights.

    Both are fitted on the same at most 300 training examples of the first split and scored on the same at most 300.

    Args:
        problem: The data.
        backbone: The pretrained network.
        tried: What was fitted on the whole training part; its probe is taken where the same examples are drawn.

    Returns:
        The comparison under its name; empty, and said, where the network cannot be made anew or the metric is not
        defined.
    """
    started = time.monotonic()
    run = problem.run
    try:
        blank = from_scratch(backbone, seed=run.seed)
    except BackboneError as error:
        run.say(f"No comparison with random weights: {error.problem}.")
        return {}
    inside, outside = (_some(problem, problem.own(part)) for part in problem.splits[0])
    run.progress("the same network with random weights", 0, 1)
    same = tried if np.array_equal(inside, problem.plan.train) else ()
    known = {id(fit.model.backbone): fit for fit in same if fit.model.strategy == str(Probe())}
    both = [_probe(problem, network, inside, outside, known.get(id(network))) for network in (backbone, blank)]
    run.progress("the same network with random weights", 1, 1)
    ours, theirs = ([problem.fold((inside, outside), outputs)] for outputs in both)
    spent = time.monotonic() - started
    name = f"random weights, probe ({len(inside)} to train, {len(outside)} to test)"
    found = compared(problem, name, ours, theirs, seconds=spent)
    return {name: replace(comparison, compared="pretrained probe") for name, comparison in found.items()}


def scratch(
    problem: Problem, backbone: Backbone, ours: list[Fold], *, seconds: float, owed: Owed
) -> dict[str, Comparison]:
    """Train the same network from random weights on the same splits, with as much time as ours took.

    Args:
        problem: The data.
        backbone: The pretrained network.
        ours: Our predictions; as many splits are trained.
        seconds: What adapting ours took.
        owed: Predicts what predicting, and saving afterwards, take.

    Returns:
        The comparison under its name; empty, and said, where the metric is not defined.

    Raises:
        BudgetError: The time left holds too few steps to say anything.
    """
    started, run = time.monotonic(), problem.run
    from_nothing = Scratch(flips=problem.strategy.flips) if isinstance(problem.strategy, Tuning) else Scratch()
    expected = forecast(from_nothing, backbone, problem.train, run=run)
    steps = from_nothing.work(len(problem.train))[0]
    splits = problem.splits[: len(ours)]

    def choose() -> int:
        per_step = max(1e-9, expected.training_seconds / steps)
        predicting = CAUTION * owed.per_item * sum(len(outside) for _, outside in splits)
        affordable = steps
        if run.deadline is not None:
            left = run.deadline - time.monotonic() - predicting - owed.saving
            affordable = int(left / len(splits) / per_step / 1.1)
        if affordable < FEWEST_STEPS:
            needed = FEWEST_STEPS * len(splits) * per_step + predicting
            raise BudgetError(f"{FEWEST_STEPS} steps need {needed:.0f} s")
        return min(affordable, int(np.clip(seconds / per_step, FEWEST_STEPS, steps)))

    allowed: int = run.decide("steps from scratch", choose)
    folds = []
    for number, (inside, outside) in enumerate(splits):
        run.progress("training from scratch", number, len(splits))
        tuned = replace(from_nothing, steps=allowed).tune(backbone, problem.dataset.take(inside), problem.task, run=run)
        folds.append(problem.fold((inside, outside), tuned.outputs(problem.dataset.take(outside), run=run)))
    spent = time.monotonic() - started
    return compared(problem, f"from scratch ({allowed} steps)", ours, folds, seconds=spent)


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
        except (BackboneError, BudgetError, DataError, StoreError, TrainingError) as error:
            problem.run.say(f"{what[0].upper()}{what[1:]} was given up: {error.problem}.")
            return {}
    problem.run.say(f"{what[0].upper()}{what[1:]} was left out for lack of time.")
    return {}


def _probe(
    problem: Problem, backbone: Backbone, inside: Indices, outside: Indices, known: Fitted | None
) -> NDArray[np.float64]:
    run = replace(problem.run, progress=silent)
    fitted = known or Probe().fit(backbone, problem.dataset.take(inside), problem.task, run=run)
    features = run.features.features(backbone, problem.dataset.take(outside), view=fitted.model.view)
    return fitted.model.head.outputs(features)


def _some(problem: Problem, part: Indices) -> Indices:
    """Draw at most 300 positions, in order: one of every class, label or quantile, then each by its share."""
    n = len(part)
    if n <= RANDOM_AT_MOST:
        return part
    order = np.random.default_rng([problem.run.seed, n]).permutation(n)
    rows, columns = _strata(problem.y[part[order]])
    in_turn, counts = np.argsort(columns, kind="stable"), np.bincount(columns)
    number = np.empty(len(rows), dtype=np.intp)  # of each example within its class, in chance order
    number[in_turn] = np.arange(len(rows)) - (np.cumsum(counts) - counts)[columns[in_turn]]
    # Sainte-Lague's quotients share the draw among the classes; the first of each goes before all others.
    turn = np.where(number == 0, 0.0, (2 * number + 1) / counts[columns])
    earliest = np.full(n, np.inf)
    np.minimum.at(earliest, rows, turn)
    drawn: Indices = np.sort(part[order[np.argsort(earliest, kind="stable")[:RANDOM_AT_MOST]]])
    return drawn


def _strata(y: NDArray[Any]) -> tuple[Indices, Indices]:
    """Pair each example with its class, its quantile, or each of its labels or types of entities (or having none).

    Transcripts count by their length. Pairs are in the order of the examples.
    """
    kind = kind_of(y)
    if kind == "transcription":
        y, kind = np.char.str_len(y).astype(np.float64), "regression"
    if kind == "tagging":
        y, kind = types_present(y), "multilabel"
    if kind == "multilabel":
        rows, columns = np.nonzero(np.column_stack([y > 0, ~(y > 0).any(axis=1)]))
        return rows, columns
    if kind == "regression":
        y = np.searchsorted(np.quantile(y, np.arange(1, QUANTILES) / QUANTILES), y, side="right")
    return np.arange(len(y)), y.astype(np.intp)


def _majority(problem: Problem, _reserve: float) -> Baseline:
    if problem.task.kind == "tagging":
        return gazetteer_baseline(_words(problem.dataset.items), problem.y, n_tags=problem.task.n_outputs)
    return majority_baseline(problem.y, n_classes=problem.task.n_outputs)


def _classical(problem: Problem, reserve: float) -> Baseline | None:
    """Describe all items for a classical model; None, and said, where that alone would take too long."""
    every = np.arange(len(problem.dataset))

    def predict() -> str:
        if problem.run.deadline is None:
            return ""
        few = every[:: max(1, len(every) // FEW_ITEMS)]
        began = time.monotonic()
        baseline = _described(problem, few)
        now = time.monotonic()
        too_long = now + (now - began) * len(every) / len(few) > problem.run.deadline - reserve
        return baseline.name if too_long else ""

    late: str = problem.run.decide("left out: describing items", predict)
    if late:
        _say_left_out(problem, late)
        return None
    return _described(problem, every)


def _described(problem: Problem, positions: Indices) -> Baseline:
    """Describe items once for the model without pretraining."""
    items, n_classes = [problem.dataset.items[i] for i in positions], problem.task.n_outputs
    y, groups, seed = problem.y[positions], problem.units(positions), problem.run.seed
    if problem.task.kind == "tagging":
        return word_baseline(_words(items), y, n_tags=n_classes, groups=groups, seed=seed)
    if problem.dataset.modality == "text":
        return text_baseline(items, y, n_classes=n_classes, groups=groups, seed=seed)
    if problem.task.kind == "transcription":
        spoken = problem.run.engine.map(lambda item: describe_speech(read_sound(item, rate=SOUND_RATE)), items)
        return speech_baseline(list(spoken), y, groups=groups, seed=seed)
    if problem.dataset.modality == "audio":
        sounds = problem.run.engine.map(lambda item: describe_sound(read_sound(item, rate=SOUND_RATE)), items)
        return sound_baseline(np.stack(list(sounds)), y, n_classes=n_classes, groups=groups, seed=seed)
    scale = problem.backbones[0].pixels  # as the network sees them

    def describe(item: Item) -> NDArray[np.float32]:
        return np.concatenate([describe_image(image) for image in read_images(item, scale)])

    rows = problem.run.engine.map(describe, items)
    return image_baseline(np.stack(list(rows)), y, n_classes=n_classes, groups=groups, seed=seed)


def _words(documents: Sequence[Any]) -> list[list[str]]:
    return [[each.text[start:end] for start, end in each.words] for each in documents]
