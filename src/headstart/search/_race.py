"""Two ways to adapt, held to the same folds one after another until it is clear which is better.

What is compared is what each knows, not how sure it is of it: the scores of both are divided by a temperature of their
own, fitted on the folds looked at. One number for each, so neither is favoured. And where the wanted metric counts rare
classes as much as common ones, so do the items of theirs here.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from headstart.backbones import Backbone
from headstart.data import Dataset, Indices
from headstart.evaluation import Interval, Metric, bootstrap_interval, f1_gains, find_metric, word_gains
from headstart.linear import item_losses
from headstart.search._judging import Judgement, Prior, judge, weights_alike
from headstart.search._problem import Problem, Splits
from headstart.strategies import Fitted, Probe, Temperature, Tuning, class_weight_for, say_nothing
from headstart.tasks import kind_of

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
    folds: Splits
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

    def missing(self, looks: int) -> int:
        """Count the folds among the first so many that it has not been fitted for."""
        return len(set(range(looks)) - set(self._known))


def held_out_by(fitted: Fitted, folds: Splits) -> dict[int, NDArray[np.float64]]:
    """Return what a fit predicted by fold where it was chosen on these folds; nothing where that is not kept."""
    if fitted.held_out is None:
        return {}
    return {number: fitted.held_out[outside] for number, (_, outside) in enumerate(folds)}


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
    """Train a strategy that moves weights; what there is to say, the final training says."""
    run = replace(problem.run, say=say_nothing)

    def predict(inside: Dataset, outside: Dataset) -> NDArray[np.float64]:
        return strategy.tune(backbone, inside, problem.task, run=run).outputs(outside, run=run)

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
        outputs: (n, K) of the challenger on those folds, at its temperature.
        before: (n, K) of the best so far on the same items, at its own temperature.
    """

    contender: Contender
    judgement: Judgement
    looks: int
    temperature: Temperature
    outputs: NDArray[np.float64]
    before: NDArray[np.float64]

    def fold_scores(self) -> tuple[float, tuple[float, ...]]:
        """Return the mean loss and the wanted metric on each fold looked at."""
        y, metric = self._y, self._metric
        ends = np.cumsum([len(outside) for _, outside in self.contender.folds[: self.looks]])[:-1]
        parts = zip(np.split(y, ends), np.split(self.outputs, ends), strict=True)
        values = [metric.score(truth, out) for truth, out in parts]
        loss = float(item_losses(y, self.outputs).mean())
        return loss, tuple(float("nan") if value is None else value for value in values)

    def score(self) -> tuple[float | None, Interval]:
        """Score the folds looked at, as one set of items, with an interval; None where the metric is not defined."""
        problem, y, (_, value) = self.contender.problem, self._y, self.values()
        if value is None:
            return None, unmeasured(problem)
        units = problem.units(problem.plan.train[held_out_of(self.contender.folds, self.looks)])
        return value, bootstrap_interval(problem.run.metric, y, self.outputs, groups=units, seed=problem.run.seed)

    def values(self) -> tuple[float | None, float | None]:
        """Return the wanted metric of the best so far and of the challenger, on the same items; None: not defined."""
        return self._metric.score(self._y, self.before), self._metric.score(self._y, self.outputs)

    @property
    def n(self) -> int:
        """How many items were looked at."""
        return len(self._y)

    @property
    def compared(self) -> str:
        """What the gain is of."""
        return {"tagging": "entity F1", "transcription": "words right"}.get(kind_of(self._y), "loss")

    @property
    def _y(self) -> NDArray[Any]:
        """Labels of the items looked at."""
        return self.contender.problem.train_y[held_out_of(self.contender.folds, self.looks)]

    @property
    def _metric(self) -> Metric:
        problem = self.contender.problem
        return find_metric(problem.run.metric, problem.task.kind)


def unmeasured(problem: Problem) -> Interval:
    """Return the interval of a score that was not measured: the whole range of the metric."""
    return Interval(*find_metric(problem.run.metric, problem.task.kind).bounds, "not measured")


def race(challenger: Contender, best: Contender, *, prior: Prior, looks: int, first: int = 1) -> Race:
    """Hold both to one fold after another until the answer is clear.

    Args:
        challenger: Who may replace the best.
        best: The best so far, on the same folds.
        prior: What is known of the gain from other data.
        looks: How many folds there are to look at, at least one.
        first: How many to look at before the first answer: all, where none of them costs anything.

    Returns:
        The judgement after the last fold looked at.
    """
    problem, folds, y = challenger.problem, challenger.folds, challenger.problem.train_y
    inside, held = folds[0]
    weights = _weights(problem, y[problem.train.own])  # which stand before what is lent

    def look_at(look: int) -> Race:
        outside = held_out_of(folds, look)
        (temperature, after), (_, before) = (_cooled(each.first(look), y[outside]) for each in (challenger, best))
        gains = _gains(y[outside], before, after)
        judgement = judge(
            weights[outside] * gains,
            problem.units(problem.plan.train[outside]),
            look=look,
            looks=looks,
            test_per_train=len(held) / len(problem.own(problem.plan.train[inside])),
            prior=prior,
        )
        return Race(challenger, judgement, look, temperature, after, before)

    so_far = look_at(first)
    while so_far.judgement.answer == "open" and so_far.looks < looks:
        so_far = look_at(so_far.looks + 1)
    return so_far


def _gains(y: NDArray[Any], before: NDArray[np.float64], after: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return what is gained on each item: loss saved, of documents the entities better told, of recordings the words.

    Nearly all words are outside of entities, so the loss of a document says more of these than of what is looked for.
    """
    kind = kind_of(y)
    if kind in ("tagging", "transcription"):
        gains = f1_gains if kind == "tagging" else word_gains
        return np.asarray(gains(y, before, after), dtype=np.float64)
    return item_losses(y, before) - item_losses(y, after)


def _cooled(outputs: NDArray[np.float64], y: NDArray[Any]) -> tuple[Temperature, NDArray[np.float64]]:
    """Fit a temperature on outputs, and apply it; values have none."""
    temperature = Temperature.fit(outputs, y)
    return temperature, temperature.calibrate(outputs)


def _weights(problem: Problem, y: NDArray[Any]) -> NDArray[np.float64]:
    """Return how much each item's gain counts: classes alike where the metric has it so, else every item as much."""
    alike = problem.task.kind == "classification" and class_weight_for(problem.run.metric) == "balanced"
    return weights_alike(y) if alike else np.ones(len(y))
