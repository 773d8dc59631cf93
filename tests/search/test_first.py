"""The first rung on every candidate: what an interrupt keeps, and how a strategy that was asked for is held to time."""

import time
from dataclasses import replace

import pytest

from headstart import backbones
from headstart.errors import BudgetError
from headstart.features import FeatureSource
from headstart.search import STOPPING, _first, climb
from headstart.strategies import Probe, Run, Tuning, TuningForecast
from tests.search.test_ladder import TINY, Decisions, go, held_out, ladder, outer
from tests.strategies.small import task_of, topics


def candidates():
    toy = backbones.load("toy:text")
    return [toy, *(replace(backbones.from_scratch(toy, seed=n), name=f"other {n}") for n in (1, 2))]


def go_with(networks, dataset, *, strategy=None, proof="none", **run):
    with ladder(TINY):
        return climb(
            dataset,
            held_out(dataset),
            task_of(dataset),
            backbones=networks,
            strategy=strategy,
            run=Run(FeatureSource(), **run),
            proof=proof,
        )


def interrupting(monkeypatch, name):
    fit = Probe.fit

    def stop(self, backbone, *words, **more):
        if backbone.name == name:
            raise KeyboardInterrupt
        return fit(self, backbone, *words, **more)

    monkeypatch.setattr(Probe, "fit", stop)


@pytest.mark.parametrize("proof", ["none", "full"])
def test_an_interrupt_at_a_later_candidate_keeps_the_best_so_far_and_says_what_is_left_out(monkeypatch, proof):
    interrupting(monkeypatch, "other 1")
    said = []
    outcome = go_with(candidates(), topics(60), proof=proof, say=said.append)
    assert [rung.name for rung in outcome.rungs] == ["probe toy:text"]
    assert (outcome.score.n, outcome.baselines) == (20, {})
    assert STOPPING in said
    assert outcome.notes[0] == (
        "Interrupted at the candidates: other 1, other 2 left out, and the best so far is kept."
    )
    assert list(outcome.notes[1:]) == [
        "Interrupted before the baselines: they are left out.",
        "Interrupted, so left out: the comparison with random weights and training from scratch.",
    ] * (proof == "full")


def test_an_interrupt_before_there_is_a_model_stops(monkeypatch):
    interrupting(monkeypatch, "toy:text")
    with pytest.raises(KeyboardInterrupt):
        go_with(candidates(), topics(60))


def predicting(monkeypatch, training, only=""):
    def forecast(_strategy, backbone, *_, **__):
        return TuningForecast(100.0, training, 7.0) if only in backbone.name else TuningForecast(0.0, 0.0, 1.0)

    monkeypatch.setattr(_first, "forecast", forecast)


@pytest.mark.parametrize(("plan", "needed"), [(held_out, "41"), (outer, "71")])
def test_a_strategy_that_cannot_be_done_in_time_is_refused_before_it_trains(monkeypatch, plan, needed):
    def never(*_, **__):
        raise AssertionError("nothing may train")

    predicting(monkeypatch, 1000.0)
    monkeypatch.setattr(Tuning, "tune", never)
    data, decisions = topics(60), Decisions()
    words = (
        rf"toy:text: finetune\(.*\) may take {needed}0\d s with its cross-validation and its score, and \d+ s are left"
    )
    with pytest.raises(BudgetError, match=rf"{words}\. Give \d+ s more, or a cheaper --strategy\."):
        go(data, strategy=TINY, plan=plan(data), decide=decisions, deadline=time.monotonic() + 4000)
    assert decisions == {}  # another strategy may be tried under the same name


def test_what_a_strategy_may_take_is_said_before_and_reported(monkeypatch):
    predicting(monkeypatch, 1000.0)
    happened = []
    said = {"announce": happened.append, "progress": lambda what, *_: happened.append(what)}
    outcome = go(topics(60), strategy=TINY, **said)
    (rung,) = outcome.rungs
    assert (rung.predicted_seconds, rung.predicted_megabytes) == (4100.0, 7.0)
    assert happened.index(f"{TINY} on toy:text: up to 4100 s and 7 MB expected.") < happened.index(str(TINY))


def test_a_run_that_is_resumed_predicts_nothing_anew_and_ends_alike(monkeypatch):
    decisions, data = Decisions(), topics(60)
    first = go(data, strategy=TINY, decide=decisions, deadline=time.monotonic() + 1000)
    monkeypatch.setattr(_first, "forecast", lambda *_, **__: pytest.fail("it was predicted before"))
    late = go(data, strategy=TINY, decide=decisions, deadline=time.monotonic() - 1000)
    assert late.score == first.score
    assert late.rungs[0].seconds == first.rungs[0].seconds
    del decisions["left out: toy:text"]  # as if killed while it trained
    again = go(data, strategy=TINY, decide=decisions, deadline=time.monotonic() + 1000)
    assert again.score == first.score


def test_a_later_candidate_that_would_take_too_long_is_left_out(monkeypatch):
    predicting(monkeypatch, 1000.0, only="other 1")
    outcome = go_with(candidates(), topics(60), strategy=TINY, deadline=time.monotonic() + 1000)
    assert len(outcome.rungs) == 2
    (note,) = outcome.notes
    assert note.startswith(f"Left out for lack of time: other 1 ({TINY} may take 41")
