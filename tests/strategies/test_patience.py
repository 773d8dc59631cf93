"""Stopping early: by a fold that is not learnt from, at the best weights, and the same after an interruption."""

from contextlib import contextmanager
from dataclasses import replace
from unittest.mock import patch

import numpy as np
import pytest
from torch import nn

from headstart.data import Dataset
from headstart.features import FeatureSource
from headstart.linear import item_losses
from headstart.strategies import Contrastive, FineTune, Run, _tuning
from headstart.strategies.finetune import Objective
from tests.backbones.families import make
from tests.strategies.small import FAST, pictures, task_of, toy, tune
from tests.strategies.test_probe import several

BATCH_NORM = nn.modules.batchnorm._BatchNorm


def noisy(n: int = 60) -> Dataset:
    """Pictures some of whose labels are drawn: long training learns those by heart."""
    train, rng = pictures(n), np.random.default_rng(0)
    labels = [str(rng.choice(["red", "green", "blue"])) if rng.random() < 0.4 else label for label in train.labels]
    return replace(train, labels=tuple(labels))


@contextmanager
def watched():
    """Record every training inside, the items it learns from and those it is held to."""
    trainings, learnt, held = [], [], []
    train, loss, measure = _tuning.train, Objective.loss, Objective.held_out

    def spy(*arguments, **more):
        trainings.append(train(*arguments, **more))
        return trainings[-1]

    def spy_loss(self, scores, items, **more):
        if scores.requires_grad:
            learnt.extend(items.tolist())
        return loss(self, scores, items, **more)

    def spy_measure(self):
        held.append(self.material.held_out)
        return measure(self)

    patches = [patch.object(Objective, "loss", spy_loss), patch.object(Objective, "held_out", spy_measure)]
    with patch.object(_tuning, "train", spy), patches[0], patches[1]:
        yield trainings, learnt, held


def test_training_stops_at_the_best_weights_and_says_when():
    train = noisy()
    strategy = FineTune(last=2, steps=200, batch=8, rate=1e-3, patience=2)
    with watched() as (trainings, _, held):
        tuned = tune(strategy, toy(train), train)
    (trained,) = trainings
    values = dict(trained.held_out)
    assert list(values) == list(range(0, trained.steps + 1, 20))
    assert tuned.chosen["steps"] == trained.steps == trained.best_step + 2 * 20 < 200
    assert trained.best_step > 0
    assert tuned.chosen["best step"] == trained.best_step == min(values, key=values.get)
    assert tuned.chosen["held out"] == len(held[0]) == 12
    y = task_of(train).encode(train.labels)[held[0]]
    kept = item_losses(y, tuned.model.predict_proba([train.items[i] for i in held[0]])).mean()
    assert kept == pytest.approx(min(values.values()), rel=1e-3)


def test_what_is_held_out_is_a_stratified_fold_of_whole_groups_that_nothing_learns_from():
    train = replace(pictures(60), groups=tuple(f"g{i // 3}" for i in range(60)))
    fitted, original = [], _tuning.fit_cross_validated

    def probe(X, y, *arguments, **more):
        fitted.append((len(X), len(y)))
        return original(X, y, *arguments, **more)

    with watched() as (_, learnt, held), patch.object(_tuning, "fit_cross_validated", probe):
        tune(FineTune(last=1, steps=30, batch=8, patience=9), toy(train), train)
    outside = set(held[0].tolist())
    assert set(learnt) == set(range(60)) - outside
    assert len(outside) == 12
    assert {train.groups[i] for i in outside}.isdisjoint(train.groups[i] for i in learnt)
    assert sorted(train.labels[i] for i in outside) == ["blue"] * 4 + ["green"] * 4 + ["red"] * 4
    assert fitted == [(48, 48)]


def test_without_patience_every_step_is_taken_on_every_example():
    train = noisy(40)
    with watched() as (trainings, learnt, held):
        tuned = tune(FineTune(last=1, steps=30, batch=8), toy(train), train)
    assert (trainings[0].steps, set(learnt), held) == (30, set(range(40)), [])
    assert not {"held out", "best step"} & set(tuned.chosen)


@pytest.mark.parametrize("name", ["finetune", "lora", "scratch"])
@pytest.mark.parametrize(("kind", "metric"), [("multilabel", "macro_f1"), ("regression", "rmse")])
def test_label_sets_and_values_stop_early_too(name, kind, metric):
    train = several(40, kind)
    tuned = tune(replace(FAST[name], steps=40, patience=1), toy(train), train, metric=metric)
    assert 6 <= tuned.chosen["held out"] <= 10
    assert tuned.chosen["best step"] <= tuned.chosen["steps"] <= 40
    assert np.isfinite(tuned.model.outputs(train.items)).all()


def test_a_check_neither_moves_batch_norm_nor_stops_it_from_moving(tmp_path):
    backbone, train, modes = make("resnet", tmp_path), pictures(20), []
    original, measure = Objective.loss, Objective.held_out

    def norms(self):
        return {m.training for m in self.material.thawed.backbone.network.modules() if isinstance(m, BATCH_NORM)}

    def spy(self):
        before = [(m, m.running_mean.clone()) for m in self.material.thawed.backbone.network.modules()
                  if isinstance(m, BATCH_NORM)]  # fmt: skip
        value = measure(self)
        assert all((m.running_mean == mean).all() for m, mean in before)
        assert norms(self) == {False}
        return value

    def spy_loss(self, scores, items, **more):
        if scores.requires_grad:
            modes.append(norms(self))
        return original(self, scores, items, **more)

    with patch.object(Objective, "held_out", spy), patch.object(Objective, "loss", spy_loss):
        tune(replace(FAST["scratch"], steps=4, patience=9), backbone, train)
    assert modes == [{True}] * 4


class StoppedError(Exception):
    pass


@pytest.mark.parametrize("at", [3, 20])
def test_an_interrupted_training_goes_on_to_the_same_bits(at, tmp_path):
    train = noisy(40)
    strategy = FineTune(last=1, steps=30, batch=8, rate=3e-3, patience=9, average=0.9)

    def stop(what, done, total):
        if what == str(strategy) and done == at:
            raise StoppedError

    with pytest.raises(StoppedError):
        tune(strategy, toy(train), train, folder=tmp_path, checkpoint_seconds=0.0, progress=stop)
    told = []
    whole = tune(strategy, toy(train), train)
    resumed = tune(
        strategy, toy(train), train, folder=tmp_path, checkpoint_seconds=0.0, progress=lambda *a: told.append(a)
    )
    assert next(done for what, done, _ in told if what == str(strategy)) == at
    assert resumed.model.backbone.weights_hash == whole.model.backbone.weights_hash
    np.testing.assert_array_equal(resumed.model.head.weights, whole.model.head.weights)
    assert resumed.chosen == whole.chosen


def test_a_forecast_counts_the_checks():
    assert FineTune(patience=3).checked(100) == 12 * 20
    assert FineTune().checked(100) == Contrastive().checked(100) == 0


def test_cross_validation_with_patience_reports_the_final_training():
    train = pictures(45)
    fitted = replace(FAST["finetune"], patience=1).fit(toy(train), train, task_of(train), run=Run(FeatureSource()))
    assert fitted.chosen["held out"] == 9
    assert len(fitted.fold_values) == 3
