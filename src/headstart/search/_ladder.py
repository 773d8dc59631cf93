"""The climb: from the probe to deeper adaptation, one rung at a time, while the gain is real and time lasts."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from math import inf
from typing import Any, Final, final

import numpy as np
from numpy.typing import NDArray

from headstart.backbones import Backbone
from headstart.data import Dataset, Indices
from headstart.errors import BackboneError, BudgetError, StoreError, TrainingError
from headstart.evaluation import Interval, bootstrap_interval, find_metric
from headstart.search._judging import NOTHING_KNOWN, Judgement, Prior, judge
from headstart.search._owed import CAUTION, Owed
from headstart.search._problem import MIN_OUTER_FOLDS, Problem, Rung
from headstart.strategies import (
    TUNING_FOLDS,
    Contrastive,
    FineTune,
    Fitted,
    Probe,
    Strategy,
    Temperature,
    Tuned,
    Tuning,
    forecast,
    inner_folds,
    item_losses,
)

FEWEST: Final = 16  # labels per class up to which contrastive tuning moves all layers, at a small rate
STEPS_PER_CLASS: Final = 10  # two classes with so few labels are learnt in half the steps that four take
FEW: Final = 64  # labels per class up to which contrastive tuning of texts has a prior
# Gain in loss per item of contrastive tuning over the probe on other data sets; benchmarks/LOG.md has the runs.
CONTRASTIVE_WITH_FEW: Final = Prior(0.05, 0.06, confidence=0.5)

STOPPING: Final = "Stopping here; the best so far will be measured and saved. Press Ctrl-C again to stop at once."


@dataclass(frozen=True)
class Step:
    """A rung that may be tried.

    Attributes:
        strategy: How the network is adapted.
        prior: What is known of its gain from other data.
        why: What the prior rests on, said where it decided.
    """

    strategy: Strategy
    prior: Prior = NOTHING_KNOWN
    why: str = ""

    @property
    def looks(self) -> int:
        """How many folds are looked at: with a prior one, which is there to see a disaster."""
        return 1 if self.prior.spread < inf else TUNING_FOLDS


def steps_above(problem: Problem, backbone: Backbone) -> list[Step]:
    """List the rungs above the probe, cheapest first.

    Args:
        problem: Modality, task and effort decide.
        backbone: The network chosen.

    Returns:
        The rungs; none where the network has no cut points.
    """
    if not backbone.cuts:
        return []
    text, classes = backbone.modality == "text", problem.task.kind == "classification"
    if text:
        usual = [_contrastive(problem, backbone) if classes else Step(FineTune())]
    else:
        usual = [Step(Probe(views=2)), Step(FineTune())]
    if problem.effort == "usual":
        return usual
    deeper: list[Step] = []
    half = max(1, len(backbone.cuts) // 2)
    if text and classes:
        deeper.append(Step(Contrastive(last=max(1, len(backbone.cuts) - 1), rate=1e-4)))
    elif not text:
        deeper.append(Step(FineTune(last=half, views=4)))
    return [*usual, *deeper, Step(FineTune(last="all", rate=1e-4, views=4, unfreezing="gradual"))]


def _contrastive(problem: Problem, backbone: Backbone) -> Step:
    """Contrastive tuning: of all layers at a small rate where labels are fewest, else of half of them."""
    counts = np.bincount(problem.y[problem.plan.train])
    per_class = float(np.median(counts[counts > 0]))
    strategy = Contrastive()
    if per_class <= FEWEST:
        steps = min(Contrastive.steps, STEPS_PER_CLASS * problem.task.n_outputs)
        strategy = Contrastive(last=max(1, len(backbone.cuts) - 1), rate=5e-5, steps=steps)
    if per_class > FEW:
        return Step(strategy)
    why = f"up to {FEW} labels per class show little by themselves, so its gain on other data sets counts too"
    return Step(strategy, CONTRASTIVE_WITH_FEW, why)


Predict = Callable[[Dataset, Dataset], NDArray[np.float64]]
"""Fits on the first data set and gives (n, K) outputs on the second."""


@final
@dataclass
class Contender:
    """Something that can be held to the same folds as another.

    Attributes:
        problem: The data.
        folds: Positions in the training part.
        predict: How it is fitted and asked.
    """

    problem: Problem
    folds: Sequence[tuple[Indices, Indices]]
    predict: Predict
    _known: dict[int, NDArray[np.float64]] = field(default_factory=dict)

    def held_out(self, number: int) -> NDArray[np.float64]:
        """Return (n, K) outputs on a fold for a model fitted on the rest of the training part; fitted once."""
        if number not in self._known:
            inside, outside = (self.problem.train.take(part) for part in self.folds[number])
            self._known[number] = self.predict(inside, outside)
        return self._known[number]

    def first(self, looks: int) -> NDArray[np.float64]:
        """Return the outputs on the first so many folds, one after another."""
        return np.concatenate([self.held_out(number) for number in range(looks)])

    def temperature(self, looks: int, y: NDArray[Any]) -> Temperature:
        """Fit the temperature on the first so many folds."""
        return Temperature.fit(self.first(looks), y[held_out_of(self.folds, looks)])


def held_out_of(folds: Sequence[tuple[Indices, Indices]], looks: int) -> Indices:
    """Return the positions held out by the first so many folds, one fold after another."""
    return np.concatenate([outside for _, outside in folds[:looks]])


def probing(problem: Problem, strategy: Probe, fitted: Fitted) -> Predict:
    """Refit a probe with the settings chosen before."""
    backbone, run = fitted.model.backbone, problem.run

    def predict(inside: Dataset, outside: Dataset) -> NDArray[np.float64]:
        model = strategy.refit(backbone, inside, problem.task, chosen=fitted.chosen, run=run)
        return model.head.outputs(run.features.features(backbone, outside, view=model.view))

    return predict


def tuning(problem: Problem, strategy: Tuning, backbone: Backbone) -> Predict:
    """Train a strategy that moves weights."""

    def predict(inside: Dataset, outside: Dataset) -> NDArray[np.float64]:
        return strategy.tune(backbone, inside, problem.task, run=problem.run).outputs(outside, run=problem.run)

    return predict


@dataclass(frozen=True)
class Best:
    """The best rung so far: a usable model, and how it does on held-out folds.

    Attributes:
        fitted: Model and settings.
        strategy: How it was made.
        contender: Its held-out predictions.
        tuned: The trained network where weights moved.
        temperature: Of its scores.
    """

    fitted: Fitted
    strategy: Strategy
    contender: Contender | None
    tuned: Tuned | None = None
    temperature: Temperature = field(default_factory=Temperature)


@final
class Climb:
    """One climb from a fitted probe.

    Args:
        problem: The data.
        first: The probe that was fitted; folds on which all rungs are compared are cut here.
        owed: Predicts what scoring, proof and saving still need.
    """

    def __init__(self, problem: Problem, first: Fitted, *, owed: Owed) -> None:
        self.problem, self._owed = problem, owed
        self.folds = inner_folds(problem.train, self.y, seed=problem.run.seed, n_splits=TUNING_FOLDS)
        self.best = Best(first, Probe(), Contender(problem, self.folds, probing(problem, Probe(), first)))
        self.rungs: list[Rung] = []
        self.notes: list[str] = []

    @property
    def y(self) -> NDArray[Any]:
        """Labels of the training part."""
        return self.problem.y[self.problem.plan.train]

    def run(self, steps: Sequence[Step]) -> Best:
        """Try the rungs in order until one does not pay; an interrupt keeps the best so far."""
        for step in steps:
            try:
                accepted = self._try(step)
            except KeyboardInterrupt:
                self._stop(step)
                break
            if not accepted and isinstance(step.strategy, Tuning):
                break
        return self.best

    def _stop(self, step: Step) -> None:
        """Say how an interrupted climb goes on."""
        self.problem.run.say(STOPPING)
        self._report(step, None, self._began, accepted=False, reason="interrupted")
        self.notes.append(f"Interrupted at {step.strategy}: the best so far is kept.")

    _began: float = 0.0

    def _try(self, step: Step) -> bool:
        """Predict, cross-validate as far as needed, and train the rung if it is better."""
        started, problem = time.monotonic(), self.problem
        self._began, name = started, f"{step.strategy}"
        why_not: str = self.problem.run.decide(f"left out: {name}", lambda: self._why_not(step))
        if why_not:
            self._report(step, None, started, accepted=False, reason=f"not tried: {why_not}")
            return False
        found: list[tuple[Judgement, Best | None]] = []

        def measure() -> str:
            try:
                with self._hurried():
                    found.append(self._measure(step))
            except (BackboneError, BudgetError, StoreError, TrainingError) as error:
                return error.problem
            return ""

        failed: str = self.problem.run.decide(f"given up: {name}", measure)
        if failed:
            self._report(step, None, started, accepted=False, reason=f"given up: {failed}")
            return False
        if not found:  # tried before an interruption, and in time then: the same again, whatever the time
            self.problem = replace(self.problem, run=replace(self.problem.run, deadline=None))
            found.append(self._measure(step))
            self.problem = problem
        judgement, better = found[0]
        below = self.best
        self.best = better or below
        self._report(step, judgement, started, accepted=better is not None, reason=_reason(judgement, step))
        return better is not None

    def _why_not(self, step: Step) -> str:
        """Say why a rung cannot be tried, or nothing."""
        run, strategy = self.problem.run, step.strategy
        backbone = self.best.fitted.model.backbone
        if run.deadline is not None and time.monotonic() + self._owed.all > run.deadline:
            return "no time is left"  # a forecast takes seconds too
        try:
            if isinstance(strategy, Tuning):
                strategy.cut_of(backbone)
            self._expected = self.forecast(step)
        except BackboneError as error:
            return error.problem
        if run.deadline is None or self._expected is None:
            return ""
        left = run.deadline - time.monotonic() - self._owed.all - self._expected.scoring_seconds
        if self._expected.seconds > left:
            return f"it may take {self._expected.seconds:.0f} s and {max(0.0, left):.0f} s are left"
        return ""

    _expected: "Expected | None" = None

    def forecast(self, step: Step) -> "Expected | None":
        """Predict the most a rung may take: all folds and the final training."""
        if isinstance(step.strategy, Probe):
            missing = step.strategy.missing(self._start, self.problem.train, run=self.problem.run)
            seconds = CAUTION * (missing * self._owed.per_item + 2 * step.strategy.views * self._owed.probe_seconds)
            return Expected(seconds, missing * self._start.num_features * 4 / 2**20, 0.0)
        if not isinstance(step.strategy, Tuning):
            return None
        one = forecast(step.strategy, self._start, self.problem.train, run=self.problem.run)
        trainings, outer = min(step.looks, len(self.folds)) + 1, MIN_OUTER_FOLDS if self.problem.plan.folds else 0
        return Expected(
            seconds=one.gathering_seconds + trainings * one.training_seconds,
            megabytes=one.megabytes,
            scoring_seconds=outer * one.training_seconds,
        )

    @contextmanager
    def _hurried(self) -> Iterator[None]:
        """Have a rung end in time for what follows it, its frozen passes included."""
        problem, features = self.problem, self.problem.run.features
        expected, deadline, before = self._expected, self.problem.run.deadline, features.deadline
        if deadline is not None:
            deadline -= self._owed.all + (expected.scoring_seconds if expected else 0.0)
            features.deadline = deadline
        self.problem = replace(problem, run=replace(problem.run, deadline=deadline))
        try:
            yield
        finally:
            self.problem, features.deadline = problem, before

    @property
    def _start(self) -> Backbone:
        """The pretrained network, also where the best so far has moved its weights."""
        return self.best.tuned.start if self.best.tuned else self.best.fitted.model.backbone

    def _measure(self, step: Step) -> tuple[Judgement, Best | None]:
        problem, strategy = self.problem, step.strategy
        if isinstance(strategy, Probe):
            fitted = strategy.fit(self._start, problem.train, problem.task, run=problem.run)
            probe = Contender(problem, self.folds, probing(problem, strategy, fitted))
            judgement = self._race(probe, step, lambda _looks: Temperature())
            better = Best(fitted, strategy, probe) if judgement.answer == "better" else None
            return judgement, better
        assert isinstance(strategy, Tuning)
        strategy.gather(self._start, problem.train, run=problem.run)
        tuned = Contender(problem, self.folds, tuning(problem, strategy, self._start))
        judgement = self._race(tuned, step, lambda looks: tuned.temperature(looks, self.y))
        if judgement.answer != "better":
            return judgement, None
        return judgement, self._train(strategy, tuned)

    def _race(self, contender: Contender, step: Step, temperature: Callable[[int], Temperature]) -> Judgement:
        """Hold both to one fold after another until the answer is clear."""
        assert self.best.contender is not None
        self._last = contender
        folds, y = self.folds, self.y
        judgement: Judgement | None = None
        looks = min(step.looks, len(folds))
        for look in range(1, looks + 1):
            outside, ours, theirs = held_out_of(folds, look), contender.first(look), self.best.contender.first(look)
            gains = item_losses(y[outside], self.best.temperature.calibrate(theirs)) - item_losses(
                y[outside], temperature(look).calibrate(ours)
            )
            inside, held = folds[0]
            judgement = judge(
                gains,
                self.problem.units(self.problem.plan.train[outside]),
                look=look,
                looks=looks,
                test_per_train=len(held) / len(inside),
                prior=step.prior,
            )
            self._looked = look
            if judgement.answer != "open":
                break
        assert judgement is not None
        return judgement

    _looked: int = 0

    def _train(self, strategy: Tuning, contender: Contender) -> Best:
        """Train the accepted rung on the whole training part."""
        problem = self.problem
        temperature = contender.temperature(self._looked, self.y)
        tuned = strategy.tune(self._start, problem.train, problem.task, run=problem.run).cooled(temperature)
        chosen = {**tuned.chosen, "temperature": temperature.value}
        loss, values = self._scores(contender, temperature)
        fitted = Fitted(tuned.model, loss, values, chosen, tuned.seconds)
        return Best(fitted, strategy, contender, tuned, temperature)

    def _scores(self, contender: Contender, temperature: Temperature) -> tuple[float, tuple[float, ...]]:
        """Mean loss and the wanted metric on the folds looked at."""
        metric = find_metric(self.problem.run.metric, self.problem.task.kind)
        outs = [temperature.calibrate(contender.held_out(number)) for number in range(self._looked)]
        truth = [self.y[self.folds[number][1]] for number in range(self._looked)]
        values = [metric.score(y, out) for y, out in zip(truth, outs, strict=True)]
        loss = float(np.concatenate([item_losses(y, out) for y, out in zip(truth, outs, strict=True)]).mean())
        return loss, tuple(float("nan") if value is None else value for value in values)

    def _report(self, step: Step, judgement: Judgement | None, started: float, *, accepted: bool, reason: str) -> None:
        value, interval = self._held_out_score() if judgement else (None, _unmeasured(self.problem))
        rung = Rung(
            name=f"{step.strategy} {self._start.name}",
            value=value,
            interval=interval,
            seconds=time.monotonic() - started,
            accepted=accepted,
            reason=reason,
            predicted_seconds=self._expected.seconds if self._expected else None,
            predicted_megabytes=self._expected.megabytes if self._expected else None,
        )
        self._expected = None
        self.rungs.append(rung)
        self.problem.watch(rung)

    def _held_out_score(self) -> tuple[float | None, Interval]:
        """Score the folds looked at, as one set of items."""
        contender = self._last
        metric = find_metric(self.problem.run.metric, self.problem.task.kind)
        if contender is None:
            return None, _unmeasured(self.problem)
        outside, out = held_out_of(self.folds, self._looked), contender.first(self._looked)
        y = self.y[outside]
        value = metric.score(y, out)
        if value is None:
            return None, _unmeasured(self.problem)
        units = self.problem.units(self.problem.plan.train[outside])
        interval = bootstrap_interval(self.problem.run.metric, y, out, groups=units, seed=self.problem.run.seed)
        return value, interval

    _last: Contender | None = None


@dataclass(frozen=True)
class Expected:
    """The most a rung may take, and what scoring it costs afterwards where there is no test part."""

    seconds: float
    megabytes: float
    scoring_seconds: float


def _unmeasured(problem: Problem) -> Interval:
    bounds = find_metric(problem.run.metric, problem.task.kind).bounds
    return Interval(*bounds, "not measured")


def _reason(judgement: Judgement, step: Step) -> str:
    how_sure = f"gain in loss {judgement.gain:+.3f} ± {judgement.error:.3f}"
    if judgement.answer != "better":
        return f"not better beyond noise: {how_sure}"
    if step.why:
        return f"better with probability {judgement.probability:.2f}: {how_sure}; {step.why}"
    return f"better: {how_sure}"
