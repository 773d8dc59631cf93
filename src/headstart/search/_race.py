"""Two ways to adapt, held to the same folds one after another until it is clear which is better."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, final

import numpy as np
from numpy.typing import NDArray

from headstart.backbones import Backbone
from headstart.data import Dataset, Indices
from headstart.evaluation import Interval, bootstrap_interval, find_metric
from headstart.search._judging import Judgement, Prior, judge
from headstart.search._problem import Problem, Splits
from headstart.strategies import Fitted, Probe, Temperature, Tuning, item_losses

Predict = Callable[[Dataset, Dataset], NDArray[np.float64]]
"""Fits on the first data set and gives (n, K) outputs on the second."""

AS_IT_IS: Final = Temperature()


@final
@dataclass
class Contender:
    """Something that can be held to the same folds as another.

    Attributes:
        problem: The data.
        folds: Positions in the training part.
        predict: How it is fitted and asked.
        cools: Whether its scores are divided by a temperature fitted on the folds looked at.
    """

    problem: Problem
    folds: Splits
    predict: Predict
    cools: bool = False
    _known: dict[int, NDArray[np.float64]] = field(default_factory=dict)

    @property
    def y(self) -> NDArray[Any]:
        """Labels of the training part."""
        return self.problem.y[self.problem.plan.train]

    def held_out(self, number: int) -> NDArray[np.float64]:
        """Return (n, K) outputs on a fold for a model fitted on the rest of the training part; fitted once."""
        if number not in self._known:
            inside, outside = (self.problem.train.take(part) for part in self.folds[number])
            self._known[number] = self.predict(inside, outside)
        return self._known[number]

    def first(self, looks: int) -> NDArray[np.float64]:
        """Return the outputs on the first so many folds, one after another."""
        return np.concatenate([self.held_out(number) for number in range(looks)])

    def temperature(self, looks: int) -> Temperature:
        """Fit the temperature on the first so many folds, if this contender's scores are cooled."""
        return Temperature.fit(self.first(looks), self.y[held_out_of(self.folds, looks)]) if self.cools else AS_IT_IS


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


@final
@dataclass(frozen=True)
class Race:
    """What a race showed.

    Attributes:
        contender: Who challenged.
        judgement: Whether it is better, and how sure that is.
        looks: How many folds were looked at.
        temperature: Of the challenger's scores.
    """

    contender: Contender
    judgement: Judgement
    looks: int
    temperature: Temperature

    def fold_scores(self) -> tuple[float, tuple[float, ...]]:
        """Return the mean loss and the wanted metric on each fold looked at, at the temperature."""
        problem, y = self.contender.problem, self.contender.y
        metric = find_metric(problem.run.metric, problem.task.kind)
        outs = [self.temperature.calibrate(self.contender.held_out(number)) for number in range(self.looks)]
        truth = [y[self.contender.folds[number][1]] for number in range(self.looks)]
        values = [metric.score(y, out) for y, out in zip(truth, outs, strict=True)]
        loss = float(np.concatenate([item_losses(y, out) for y, out in zip(truth, outs, strict=True)]).mean())
        return loss, tuple(float("nan") if value is None else value for value in values)

    def score(self) -> tuple[float | None, Interval]:
        """Score the folds looked at, as one set of items, with an interval; None where the metric is not defined."""
        problem, contender = self.contender.problem, self.contender
        outside, out = held_out_of(contender.folds, self.looks), contender.first(self.looks)
        y = contender.y[outside]
        value = find_metric(problem.run.metric, problem.task.kind).score(y, out)
        if value is None:
            return None, unmeasured(problem)
        units = problem.units(problem.plan.train[outside])
        return value, bootstrap_interval(problem.run.metric, y, out, groups=units, seed=problem.run.seed)


def unmeasured(problem: Problem) -> Interval:
    """Return the interval of a score that was not measured: the whole range of the metric."""
    return Interval(*find_metric(problem.run.metric, problem.task.kind).bounds, "not measured")


def race(challenger: Contender, best: Contender, cooling: Temperature, *, prior: Prior, looks: int) -> Race:
    """Hold both to one fold after another until the answer is clear.

    Args:
        challenger: Who may replace the best.
        best: The best so far, on the same folds.
        cooling: Temperature of the best's scores.
        prior: What is known of the gain from other data.
        looks: How many folds there are to look at, at least one.

    Returns:
        The judgement after the last fold looked at.
    """
    problem, folds, y = challenger.problem, challenger.folds, challenger.y
    inside, held = folds[0]

    def look_at(look: int) -> Race:
        outside, temperature = held_out_of(folds, look), challenger.temperature(look)
        before = item_losses(y[outside], cooling.calibrate(best.first(look)))
        after = item_losses(y[outside], temperature.calibrate(challenger.first(look)))
        judgement = judge(
            before - after,
            problem.units(problem.plan.train[outside]),
            look=look,
            looks=looks,
            test_per_train=len(held) / len(inside),
            prior=prior,
        )
        return Race(challenger, judgement, look, temperature)

    so_far = look_at(1)
    while so_far.judgement.answer == "open" and so_far.looks < looks:
        so_far = look_at(so_far.looks + 1)
    return so_far
