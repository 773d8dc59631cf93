"""A source that helps, one that hurts, and what is kept where there is no time for either."""

import time
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from headstart import backbones, search
from headstart.data import Dataset, Plan, lend
from headstart.errors import BudgetError
from headstart.features import FeatureSource
from headstart.search import _source, climb
from headstart.search._ladder import STOPPING
from headstart.search._problem import Problem
from headstart.strategies import FineTune, Probe, Run
from tests.strategies.small import task_of, topics

FEW, TEST = 15, 60
PROBE = Probe()
TUNED = FineTune(last=1, steps=12, batch=8, rate=3e-3)


def target() -> tuple[Dataset, Plan]:
    dataset = topics(FEW + TEST)
    return dataset, Plan(np.arange(FEW), np.arange(FEW, FEW + TEST), "test")


def folds() -> tuple[Dataset, Plan]:
    dataset, every = topics(30), np.arange(30)
    parts = tuple((np.setdiff1d(every, every[k::3]), every[k::3]) for k in range(3))
    return dataset, Plan(every, None, "cv", parts)


def helpful(n=150) -> Dataset:
    return topics(n, seed=1)


def hurtful(n=150) -> Dataset:
    labels = topics(n, seed=1).labels
    return replace(topics(n, seed=1), labels=labels[1:] + labels[:1])  # every topic under the name of another


def go(data, source, *, strategy=PROBE, watch=lambda _: None, **run):
    dataset, plan = data
    pooled, both = lend(dataset, plan, source)
    return climb(
        pooled,
        both,
        task_of(pooled),
        backbones=[backbones.load("toy:text")],
        strategy=strategy,
        run=Run(FeatureSource(), **run),
        proof="none",
        watch=watch,
    )


@pytest.mark.parametrize("strategy", [Probe(), None])
def test_a_source_that_helps_is_used_and_its_worth_is_measured_on_the_target(strategy):
    outcome = go(target(), helpful(), strategy=strategy)
    use = outcome.source
    assert (use.shipped, use.n) == ("source and target", 150)
    assert outcome.score.n == TEST
    assert use.other.value == pytest.approx(outcome.score.value - use.other.difference)
    assert use.other.difference > 0.1
    assert use.helped is True
    assert use.other.difference_interval.low > 0


def test_a_strategy_that_moves_weights_is_held_to_inner_folds_too(monkeypatch):
    def again(*_):
        raise AssertionError("trained on the inner folds a second time")

    monkeypatch.setattr(_source, "tuning", lambda *_: again)
    outcome = go(target(), helpful(), strategy=TUNED)
    both = [rung for rung in outcome.rungs if "target only" not in rung.name]
    assert len(both) == 1
    assert "the gain in loss by the source is" in outcome.source.why
    assert outcome.source.other is not None
    assert ("first on" in outcome.chosen) == (outcome.source.shipped == "source and target")


def test_a_source_that_hurts_is_set_aside_and_that_is_measured_too():
    outcome = go(target(), hurtful())
    alone = climb(
        *target(),
        task_of(topics(30)),
        backbones=[backbones.load("toy:text")],
        strategy=Probe(),
        run=Run(FeatureSource()),
        proof="none",
    )
    assert outcome.source.shipped == "target only"
    assert outcome.source.helped is False
    assert outcome.source.other.difference > 0.1
    assert outcome.score == alone.score  # nothing of the source is in the model
    assert "the gain in loss by the source is -" in outcome.source.why


def test_rungs_of_the_target_alone_say_so_and_are_watched():
    watched = []
    outcome = go(target(), helpful(), watch=watched.append)
    assert [rung.name for rung in outcome.rungs] == ["probe toy:text (target only)", "probe toy:text"]
    assert [rung.name for rung in watched] == [rung.name for rung in outcome.rungs]


def test_without_a_test_part_both_are_repeated_on_outer_folds_of_the_target():
    outcome = go(folds(), helpful())
    assert outcome.score.n == 30
    assert all(fold.items.max() < 30 for fold in outcome.predictions)
    assert outcome.source.other is not None
    assert _source.CHOSEN_ONCE in outcome.notes
    assert outcome.chosen_once


def test_what_is_scored_is_never_trained_on_nor_what_is_lent_ever_scored(monkeypatch):
    trained, fit = [], Probe.fit

    def spy(self, backbone, train, task, *, run):
        trained.append(set(train.items))
        return fit(self, backbone, train, task, run=run)

    monkeypatch.setattr(Probe, "fit", spy)
    go(target(), helpful())
    assert len(trained) == 2
    assert not set.union(*trained) & set(target()[0].items[FEW:])


def test_a_source_for_which_there_is_no_time_is_left_out_and_that_is_said(monkeypatch):
    said, reach = [], _source._in_time

    def late(problem, reach):
        raise BudgetError("the pass needs 99 s")

    monkeypatch.setattr(_source, "_in_time", late)
    outcome = go(target(), helpful(), say=said.append)
    assert (outcome.source.shipped, outcome.source.other) == ("target only", None)
    assert outcome.source.why == "left out: the pass needs 99 s"
    assert "The source was left out: the pass needs 99 s." in said
    assert reach is not late


def test_there_is_time_to_measure_the_target_alone_too():
    deadlines, reach = [], _source._in_time

    def spy(problem, climb_on):
        deadlines.append(problem.run.deadline)
        return reach(problem, climb_on)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_source, "_in_time", spy)
        outcome = go(target(), helpful(), deadline=1e12)
    assert deadlines[0] < 1e12
    assert outcome.source.other is not None


def interrupting(monkeypatch, at):
    fits, fit = [], Probe.fit

    def stop(self, *words, **more):
        fits.append(1)
        if len(fits) == at:
            raise KeyboardInterrupt
        return fit(self, *words, **more)

    monkeypatch.setattr(Probe, "fit", stop)


def test_an_interrupt_while_the_source_is_tried_keeps_the_model_of_the_target(monkeypatch):
    interrupting(monkeypatch, 2)
    said = []
    outcome = go(target(), helpful(), say=said.append)
    assert STOPPING in said
    assert (outcome.source.shipped, outcome.source.other) == ("target only", None)
    assert outcome.source.why == "interrupted before it was used"
    assert outcome.score.n == TEST


def test_an_interrupt_before_there_is_a_model_stops(monkeypatch):
    interrupting(monkeypatch, 1)
    with pytest.raises(KeyboardInterrupt):
        go(target(), helpful())


def test_an_interrupt_while_the_other_is_measured_saves_what_there_is(monkeypatch):
    measured, calls = _source.measured, []

    def stop(reached):
        calls.append(1)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return measured(reached)

    monkeypatch.setattr("headstart.search.measured", stop)
    monkeypatch.setattr(_source, "measured", stop)
    outcome = go(target(), helpful())
    assert (outcome.source.shipped, outcome.source.other) == ("source and target", None)


def test_decisions_on_the_target_alone_are_kept_apart_and_replayed():
    kept = {}

    def decide(name, choose):
        if name not in kept:
            kept[name] = choose()
        return kept[name]

    first = go(target(), helpful(), decide=decide)
    assert {"left out: toy:text", "target only: left out: toy:text", "left out: the source"} <= set(kept)
    before = dict(kept)
    second = go(target(), helpful(), decide=decide)
    assert kept == before
    assert (second.score, second.source.helped) == (first.score, first.source.helped)
    assert second.source.other.difference == first.source.other.difference


def test_time_is_kept_for_the_trainings_that_score_what_is_not_shipped():
    fitted = SimpleNamespace(seconds=50.0)
    owed = SimpleNamespace(scoring=4.0)

    def seconds(strategy, plan):
        climbed = SimpleNamespace(best=SimpleNamespace(strategy=strategy, fitted=fitted), owed=owed)
        return _source._scoring(SimpleNamespace(problem=SimpleNamespace(plan=plan), climbed=climbed))

    assert seconds(TUNED, folds()[1]) == 3 * 50.0  # the fewest outer folds
    assert seconds(Probe(), folds()[1]) == 4.0
    assert seconds(TUNED, target()[1]) == 4.0


def test_the_ladder_on_the_target_alone_leaves_half_of_the_time_to_the_source(monkeypatch):
    now = time.monotonic()
    known = Problem(*target(), task_of(topics(30)), (), None, Run(FeatureSource(), deadline=now + 1000), np.zeros(75))
    assert now + 495 < _source._halved(known).run.deadline < now + 520
    asked = replace(known, strategy=Probe())  # takes what it takes
    assert _source._halved(asked) is asked
    at_ease = replace(known, run=Run(FeatureSource()))
    assert _source._halved(at_ease) is at_ease

    deadlines, reach = [], search._reach

    def spy(problem):
        deadlines.append(problem.run.deadline)
        return reach(problem)

    monkeypatch.setattr(search, "_reach", spy)
    chosen = _source.with_and_without
    seen = []
    monkeypatch.setattr(search, "with_and_without", lambda *words: seen.append(chosen(*words)) or seen[-1])
    go(target(), helpful(60), strategy=None, deadline=1e12)
    assert deadlines[0] < 0.6e12 < deadlines[1]
    assert {each.problem.run.deadline for each in (seen[0].reached, seen[0].other)} == {1e12}  # of what is scored
