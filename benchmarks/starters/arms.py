"""What is compared: ways to train on one training part, all scored on the same test part.

An arm is given a `Cell` and returns which test items it has right, with what it chose. Features of frozen networks go
through the ordinary store, so a network's items are computed once for all seeds and numbers of labels.
"""

import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

import headstart
from headstart import data
from headstart.backbones import Backbone, from_scratch
from headstart.data import Dataset, Indices, read_image, read_sound
from headstart.engine import LocalEngine
from headstart.evaluation import (
    SOUND_RATE,
    describe_image,
    describe_sound,
    image_baseline,
    majority_baseline,
    sound_baseline,
)
from headstart.features import FeatureSource
from headstart.strategies import Probe, Run, Scratch, forecast
from headstart.tasks import Task, task_from_labels

Right = NDArray[np.bool_]  # (test items,)
FEWEST_STEPS = 60


@dataclass(frozen=True)
class Cell:
    """One draw of one data set.

    Attributes:
        folder: What `sets.write` made.
        seed: Of the draw, and of everything random in the arms.
        features: The store.
        scratch_seconds: How long training from scratch may take, as far as that can be predicted.
    """

    folder: Path
    seed: int
    features: FeatureSource
    scratch_seconds: float

    @cached_property
    def dataset(self) -> Dataset:
        return data.load(self.folder)

    @cached_property
    def task(self) -> Task:
        return task_from_labels("classification", self.dataset.take(self.train).labels or ())

    @cached_property
    def y(self) -> NDArray[np.intp]:
        return np.asarray(self.task.encode(self.dataset.labels or ()))

    @cached_property
    def train(self) -> Indices:
        return self._part("train")

    @cached_property
    def test(self) -> Indices:
        return self._part("test")

    @property
    def run(self) -> Run:
        return Run(self.features, seed=self.seed)

    def right(self, outputs: NDArray[np.float64]) -> Right:
        return np.asarray(outputs.argmax(axis=1) == self.y[self.test])

    def _part(self, name: str) -> Indices:
        return np.flatnonzero(np.array(self.dataset.parts) == name)


@dataclass(frozen=True)
class Answer:
    """Which test items an arm has right, and what it chose or did."""

    right: Right
    facts: Mapping[str, str | float]


def probe(cell: Cell, backbone: Backbone) -> Answer:
    """A linear model on frozen features."""
    fitted = Probe().fit(backbone, cell.dataset.take(cell.train), cell.task, run=cell.run)
    features = cell.features.features(backbone, cell.dataset.take(cell.test), view=fitted.model.view)
    return Answer(cell.right(fitted.model.head.outputs(features)), dict(fitted.chosen))


def ladder(cell: Cell, backbone: Backbone) -> Answer:
    """The default `fit`, scored on the given test part."""
    with tempfile.TemporaryDirectory() as name:
        options = headstart.FitOptions(
            backbones=(backbone,), proof="none", offline=True, seed=cell.seed, metric="accuracy"
        )
        result = headstart.fit(cell.folder, Path(name) / "model", options=options)
    (fold,) = result.outcome.predictions
    assert fold.items is not None
    right = np.zeros(len(cell.dataset), dtype=bool)
    right[fold.items] = fold.probabilities.argmax(axis=1) == fold.y
    facts = {"strategy": result.outcome.model.strategy, "adaptation_seconds": result.adaptation_seconds}
    assert sorted(fold.items) == cell.test.tolist(), "fit tests other items"
    return Answer(right[cell.test], facts)


def random_probe(cell: Cell, backbone: Backbone) -> Answer:
    """The same network with random weights, frozen."""
    return probe(cell, from_scratch(backbone, seed=cell.seed))


def scratch(cell: Cell, backbone: Backbone) -> Answer:
    """The same network trained from random weights, as the full proof does, with at least 60 steps."""
    train, strategy = cell.dataset.take(cell.train), Scratch()
    steps = strategy.work(len(train))[0]
    per_step = forecast(strategy, backbone, train, run=cell.run).training_seconds / steps
    steps = int(np.clip(cell.scratch_seconds / max(per_step, 1e-9), FEWEST_STEPS, steps))
    tuned = replace(strategy, steps=steps).tune(backbone, train, cell.task, run=cell.run)
    return Answer(cell.right(tuned.outputs(cell.dataset.take(cell.test), run=cell.run)), {"steps": steps})


def classical(cell: Cell, _backbone: None) -> Answer:
    """Colours and gradients, or MFCC statistics, with logistic regression."""
    items, groups = cell.dataset.items, cell.dataset.groups
    of_sound = cell.dataset.modality == "audio"
    describe: Callable[[object], NDArray[np.float32]] = (
        (lambda item: describe_sound(read_sound(item, rate=SOUND_RATE)))
        if of_sound
        else (lambda item: describe_image(read_image(item)))
    )
    rows = np.stack(list(LocalEngine().map(describe, items)))
    baseline = (sound_baseline if of_sound else image_baseline)(
        rows,
        cell.y,
        n_classes=cell.task.n_outputs,
        groups=None if groups is None else np.array(groups),
        seed=cell.seed,
    )
    return Answer(cell.right(baseline.predict(cell.train, cell.test)), {"baseline": baseline.name})


def majority(cell: Cell, _backbone: None) -> Answer:
    """The most frequent class."""
    baseline = majority_baseline(cell.y, n_classes=cell.task.n_outputs)
    return Answer(cell.right(baseline.predict(cell.train, cell.test)), {})


# On the starter, or on what was named in its place.
ARMS: Mapping[str, Callable[[Cell, Backbone], Answer]] = {
    "probe": probe,
    "ladder": ladder,
    "random probe": random_probe,
    "scratch": scratch,
}
# What the starter does not change; networks are probed under their own name.
WITHOUT: Mapping[str, Callable[[Cell, None], Answer]] = {"majority": majority, "classical": classical}


def timed(work: Callable[[], Answer]) -> tuple[Answer, float]:
    started = time.monotonic()
    answer = work()
    return answer, time.monotonic() - started
