"""Weights move on what another data set lends first, and on one's own examples from there."""

from dataclasses import replace

import numpy as np
import pytest

from headstart.data import Plan, lend
from headstart.features import FeatureSource
from headstart.strategies import FineTune, Run, forecast
from headstart.strategies._tuning import MOST_STEPS
from tests.strategies.small import FAST, recorded, task_of, topics, toy, tune


def lending(n=12, more=108):
    own = topics(n)
    pooled, plan = lend(own, Plan(np.arange(n), None, "cv", ()), topics(more, seed=1))
    return pooled.take(plan.train)


def test_what_is_lent_comes_first_with_more_steps_and_ones_own_last_each_once():
    (first, lent), (last, own) = FineTune(steps=10).stages(lending())
    assert (first.steps, last.steps) == (30, 10)
    assert (len(lent), len(own)) == (108, 12)
    assert lent.lent is None
    assert own.items == topics(12).items
    assert not set(lent.items) & set(own.items)


def test_steps_that_follow_the_number_of_examples_do_so_in_both_stages():
    (first, lent), (last, own) = FineTune().stages(lending())
    assert first == last == FineTune()
    assert first.work(len(lent)) != last.work(len(own))


def test_a_large_source_does_not_take_for_ever():
    (first, _), _ = FineTune(steps=400).stages(lending())
    assert first.steps == MOST_STEPS
    (first, _), _ = FineTune(steps=700).stages(lending())
    assert first.steps == 700


def test_without_a_source_or_where_only_copies_are_lent_there_is_one_stage():
    strategy, data = FineTune(), topics(12)
    assert strategy.stages(data) == [(strategy, data)]
    ((_, own),) = strategy.stages(replace(data, lent=(False,) * 11 + (True,)).take([*range(11), *range(11)]))
    assert len(own) == 22
    copied = replace(topics(24), items=topics(12).items * 2, lent=(False,) * 12 + (True,) * 12)
    assert [len(part) for _, part in strategy.stages(copied)] == [12]


@pytest.mark.parametrize("name", list(FAST))
def test_the_second_stage_goes_on_from_the_weights_of_the_first(name):
    backbone, train = toy(topics(3)), lending()
    with recorded() as runs:
        tuned = tune(FAST[name], backbone, train)
    assert len(runs) == 2
    moved = [key for key in runs[0].start if key in runs[1].start and "head" not in key]
    assert any(not np.array_equal(runs[0].start[key], runs[1].start[key]) for key in moved) or name == "lora"
    assert tuned.chosen["first on"] == "108 of the source"
    assert tuned.model.base.weights_hash == backbone.weights_hash
    told = tuned.outputs(topics(30, seed=2), run=Run(FeatureSource()))
    assert told.shape == (30, 3)


def test_cross_validation_tells_the_loss_of_ones_own_examples():
    train = lending()
    fitted = FAST["finetune"].fit(toy(train), train, task_of(train), run=Run(FeatureSource()))
    assert np.isfinite(fitted.loss)
    assert len(fitted.fold_values) == 3


def test_a_forecast_is_of_both_stages():
    train, run = lending(), Run(FeatureSource())
    whole = forecast(FineTune(last=1, steps=10), toy(train), train, run=run)
    alone = forecast(FineTune(last=1, steps=10), toy(train), topics(12), run=run)
    assert whole.training_seconds > alone.training_seconds


def test_both_stages_are_the_same_as_one_after_the_other_by_hand():
    backbone, train, run = toy(topics(3)), lending(), Run(FeatureSource())
    (first, lent), (last, own) = FAST["finetune"].stages(train)
    taught = first.tune(backbone, lent, task_of(train), run=run).model.backbone
    by_hand = last.tune(replace(taught, name="taught"), own, task_of(train), run=run)
    found = FAST["finetune"].tune(backbone, train, task_of(train), run=run)
    items = topics(30, seed=2)
    np.testing.assert_allclose(found.outputs(items, run=run), by_hand.outputs(items, run=run), atol=1e-4)
