"""The climb on small made-up problems: what is accepted, refused, given up, replayed, and how it is measured."""

import re
import time
from contextlib import contextmanager
from dataclasses import replace

import numpy as np
import pytest
import torch

from headstart import backbones, search
from headstart.data import Dataset, Plan, make_folds
from headstart.errors import BackboneError, StoreError, TrainingError
from headstart.features import FeatureSource
from headstart.search import Prior, _halving, _ladder, _proof, _race, climb
from headstart.search._rungs import Step
from headstart.strategies import Contrastive, FineTune, Probe, Run, Tuning, TuningForecast
from tests.strategies.small import pictures, task_of, topics

# Sixteen random numbers a word tell topics apart badly; training them tells them apart well.
WORDS = FineTune(last="all", rate=0.03, steps=40, batch=16, smoothing=0.0)
TINY = FineTune(last=1, rate=1e-6, steps=2, batch=8)


def held_out(dataset: Dataset, n: int = 20) -> Plan:
    every = np.arange(len(dataset))
    return Plan(every[:-n], every[-n:], "holdout")


def outer(dataset: Dataset, repeats: int = 1) -> Plan:
    y = np.array(task_of(dataset).encode(dataset.labels))
    folds = [fold for r in range(repeats) for fold in make_folds(y, groups=np.arange(len(y)), n_splits=4, seed=r)]
    return Plan(np.arange(len(dataset)), None, "cv", tuple(folds))


def shuffled(dataset: Dataset) -> Dataset:
    labels = tuple(np.random.default_rng(0).permutation(dataset.labels).tolist())
    return Dataset(dataset.modality, dataset.items, dataset.places, labels=labels)


class Decisions(dict):
    """Decides once, like a model folder that is being written."""

    def __call__(self, name, choose):
        if name not in self:
            self[name] = choose()
        return self[name]


@contextmanager
def ladder(*steps):
    with pytest.MonkeyPatch.context() as patch:
        wanted = [step if isinstance(step, Step) else Step(step) for step in steps]
        patch.setattr(_halving, "steps_above", lambda _problem, _backbone: wanted)
        yield


def go(dataset, *steps, plan=None, proof="none", strategy=None, **run):
    with ladder(*steps):
        return climb(
            dataset,
            plan or held_out(dataset),
            task_of(dataset),
            backbones=[backbones.load(f"toy:{dataset.modality}")],
            strategy=strategy,
            run=Run(FeatureSource(), **run),
            proof=proof,
        )


def test_a_rung_is_accepted_where_what_is_to_be_learnt_needs_it():
    outcome = go(topics(110), WORDS)
    probe, rung = outcome.rungs
    assert rung.accepted
    assert rung.name == f"{WORDS} toy:text"
    assert rung.reason.startswith("better: gain in loss +0.")
    shown = re.search(r" ± 0\.\d{3}; accuracy (0\.\d+) to ([01]\.\d+) on the same \d+ items$", rung.reason)
    before, after = shown.groups()
    assert float(before) < float(after)
    assert after == f"{rung.value:.3f}"
    assert rung.value > probe.value
    assert rung.interval.low <= rung.value <= rung.interval.high
    assert outcome.model.strategy == str(WORDS)
    assert outcome.model.base.weights_hash == backbones.load("toy:text").weights_hash
    assert outcome.chosen["temperature"] > 0
    assert (outcome.score.how, outcome.score.n) == ("holdout", 20)
    assert outcome.notes == ()


def test_noise_is_not_climbed_on_and_the_probe_stays():
    outcome = go(shuffled(topics(70)), WORDS, TINY)
    assert [rung.accepted for rung in outcome.rungs] == [True, False]
    assert outcome.rungs[1].reason.startswith("not better beyond noise: gain in loss ")
    assert outcome.model.strategy == "probe()"
    assert outcome.model.base is None


def test_a_rung_the_deadline_cannot_hold_is_not_tried_and_says_what_it_needs(monkeypatch):
    monkeypatch.setattr(_ladder, "forecast", lambda *_, **__: TuningForecast(100.0, 1000.0, 7.0))
    outcome = go(topics(60), TINY, deadline=time.monotonic() + 600)
    rung = outcome.rungs[1]
    assert not rung.accepted
    assert rung.reason.startswith("not tried: it may take 4100 s and 5")
    assert rung.reason.endswith(" s are left")
    assert (rung.predicted_seconds, rung.predicted_megabytes, rung.value) == (4100.0, 7.0, None)


def test_a_rung_that_takes_too_long_is_tried_with_fewer_steps_and_that_is_replayed(monkeypatch):
    asked: list[int] = []

    def by_steps(strategy, *_, **__):
        asked.append(strategy.steps)
        return TuningForecast(0.0, float(strategy.steps), 7.0)  # four trainings of a second a step

    monkeypatch.setattr(_ladder, "forecast", by_steps)
    whole, decisions, said = replace(TINY, steps=240), Decisions(), []
    outcome = go(topics(60), whole, decide=decisions, deadline=time.monotonic() + 600, say=said.append)
    assert asked == [240, 120]
    rung = outcome.rungs[1]
    assert rung.strategy == str(replace(whole, steps=120))
    assert rung.predicted_seconds == 480.0
    assert rung.value is not None
    (note,) = [line for line in said if "fewer steps" in line]
    assert note.startswith(f"{whole}: it may take 960 s and 5")
    asked.clear()
    again = go(topics(60), whole, decide=decisions, deadline=time.monotonic() + 6000)
    assert again.rungs[1].strategy == rung.strategy
    assert asked == []
    short = go(topics(60), whole, deadline=time.monotonic() + 60)
    assert short.rungs[1].strategy == str(whole)
    assert short.rungs[1].reason.startswith("not tried: it may take 960 s and ")
    assert short.rungs[1].predicted_seconds == 960.0


def test_a_rung_that_memory_cannot_hold_is_not_tried_and_that_is_replayed(monkeypatch):
    monkeypatch.setattr(_ladder, "forecast", lambda *_, **__: TuningForecast(0.0, 1.0, 1234.5, 1e9))
    decisions, known = Decisions(), []
    for free in (1234.0, None, 1e9):
        monkeypatch.setattr(_ladder, "free_memory", lambda device, free=free: known.append(device) or free)
        outcome = go(topics(60), TINY, decide=decisions)
        assert outcome.rungs[1].reason == "not tried: it may take 1,234 MB of memory and 1,234 MB are free"
    assert known == ["cpu"]
    assert go(topics(60), TINY).rungs[1].reason.startswith("not better")


def test_a_rung_whose_forecast_or_training_runs_out_of_memory_is_left(monkeypatch):
    def full(*_, **__):
        raise TrainingError("expected memory for every step, found too little")

    monkeypatch.setattr(_ladder, "forecast", full)
    assert go(topics(60), TINY).rungs[1].reason == "not tried: expected memory for every step, found too little"
    monkeypatch.undo()
    monkeypatch.setattr("headstart.strategies.finetune.task_loss", lambda *_, **__: torch.empty(2**60))
    outcome = go(topics(60), TINY)
    assert re.match(
        r"given up: expected memory for every step, found none left for another \d+", outcome.rungs[1].reason
    )
    assert outcome.model.strategy == "probe()"


def test_time_for_outer_folds_is_kept_back(monkeypatch):
    monkeypatch.setattr(_ladder, "forecast", lambda *_, **__: TuningForecast(0.0, 100.0, 7.0))
    data = topics(60)
    for plan, tried in ((held_out(data), True), (outer(data), False)):
        outcome = go(data, TINY, plan=plan, deadline=time.monotonic() + 600)
        assert outcome.rungs[1].predicted_seconds == 400.0
        assert outcome.rungs[1].reason.startswith("not tried") != tried


@pytest.mark.parametrize("rungs_before", [0, 1])
def test_an_interrupt_keeps_the_best_so_far_and_says_so(rungs_before):
    def progress(what, done, _total):
        if what.startswith("contrastive") and done == 2:
            raise KeyboardInterrupt

    steps = [*([WORDS] * rungs_before), Contrastive(last=1, steps=6, batch=12), TINY]
    outcome = go(topics(110), *steps, progress=progress)
    assert outcome.notes == ("Interrupted at contrastive(last=1, steps=6, batch=12): the best so far is kept.",)
    assert [rung.accepted for rung in outcome.rungs] == [True, *([True] * rungs_before), False]
    assert (outcome.rungs[-1].reason, outcome.rungs[-1].value) == ("interrupted", None)
    assert outcome.model.strategy == (str(WORDS) if rungs_before else "probe()")


def test_what_a_rung_may_take_is_said_before_it_starts_and_not_again(monkeypatch):
    happened, decisions = [], Decisions()
    monkeypatch.setattr(_ladder, "forecast", lambda *_, **__: TuningForecast(1.5, 1000.0, 1234.5))
    told = {"announce": happened.append, "progress": lambda what, *_: happened.append(what), "decide": decisions}
    go(topics(60), TINY, FineTune(last=9), **told)
    (said,) = [text for text in happened if text.endswith(" expected.")]
    assert said == f"{TINY}: up to 4002 s and 1,235 MB expected."
    assert happened.index(said) < happened.index(str(TINY))
    happened.clear()
    go(topics(60), TINY, FineTune(last=9), **told)
    assert str(TINY) in happened
    assert said not in happened


def test_a_rung_is_expected_to_take_the_folds_that_the_best_was_accepted_without(monkeypatch):
    took = {str(WORDS): 100.0, str(TINY): 1000.0}
    monkeypatch.setattr(_ladder, "forecast", lambda strategy, *_, **__: TuningForecast(0.0, took[str(strategy)], 7.0))
    known = Step(WORDS, Prior(0.05, 0.06, confidence=0.5), "it gained on other data sets")
    _, first, second = go(topics(110), known, TINY).rungs
    assert first.accepted
    assert re.match(r"better with probability [01]\.\d\d: gain in loss \+0\.", first.reason)
    assert first.reason.endswith(" items; it gained on other data sets")
    assert (first.predicted_seconds, second.predicted_seconds) == (4 * 100.0, 4 * 1000.0 + 2 * 100.0)


def test_an_interrupt_at_the_baselines_keeps_the_probe(monkeypatch):
    def interrupted(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(search, "measure_baselines", interrupted)
    outcome = go(topics(60), TINY, proof="full")
    assert outcome.notes[0] == "Interrupted at the baselines: they are left out, and the first rung is kept."
    assert (outcome.model.strategy, len(outcome.rungs), outcome.baselines) == ("probe()", 1, {})
    assert outcome.score.n == 20


def test_an_interrupted_climb_goes_on_to_no_proof():
    def progress(what, done, _total):
        if what.startswith("finetune"):
            raise KeyboardInterrupt

    outcome = go(topics(60), TINY, proof="full", progress=progress)
    assert not any("random weights" in name or "scratch" in name for name in outcome.baselines)
    assert "majority class" in outcome.baselines


def test_a_rung_that_fails_is_given_up(monkeypatch):
    wild = FineTune(last=1, rate=1e30, steps=5, batch=8)
    rung = go(pictures(40), wild).rungs[1]
    assert not rung.accepted
    assert rung.reason.startswith("given up: expected finite ")

    def full(*_, **__):
        raise StoreError("the disk is full")

    monkeypatch.setattr(Tuning, "gather", full)
    outcome = go(pictures(40), TINY)
    assert outcome.rungs[1].reason == "given up: the disk is full"
    assert outcome.model.strategy == "probe()"


def test_a_rung_whose_folds_hold_too_few_groups_is_given_up():
    data, plan = topics(60), held_out(topics(60))
    groups = tuple("test" if i in plan.test else "ab"[i // 3 % 2] for i in range(60))
    outcome = go(replace(data, groups=groups), TINY, plan=plan)
    assert outcome.rungs[1].reason.startswith("given up: expected at least 2 separate examples or groups")
    assert (outcome.model.strategy, outcome.score.n) == ("probe()", 20)


def test_a_rung_that_does_not_fit_the_network_is_not_tried(monkeypatch):
    outcome = go(pictures(40), FineTune(last=9))
    assert outcome.rungs[1].reason == "not tried: expected fewer than 3 blocks to thaw, found last=9"

    def shared(*_, **__):
        raise BackboneError("blocks before and after the cut point share weights")

    monkeypatch.setattr(_ladder, "forecast", shared)
    assert "share weights" in go(pictures(40), TINY).rungs[1].reason


def test_decisions_are_recorded_and_replayed_whatever_the_time(monkeypatch):
    decisions, data = Decisions(), topics(110)
    first = go(data, WORDS, proof="quick", decide=decisions, deadline=time.monotonic() + 1000)
    assert {f"left out: {WORDS} on toy:text", f"given up: {WORDS} on toy:text", "left out: toy:text"} <= set(decisions)
    assert first.rungs[1].accepted

    def never(*_, **__):
        raise AssertionError("decided before")

    monkeypatch.setattr(_ladder, "forecast", never)
    recorded = dict(decisions)
    again = go(data, WORDS, proof="quick", decide=decisions, deadline=time.monotonic() - 1000)
    assert dict(decisions) == recorded
    assert again.rungs[1].accepted
    assert again.model.backbone.weights_hash == first.model.backbone.weights_hash
    assert again.score == first.score
    assert [again.rungs[1].seconds] == [first.rungs[1].seconds] == [decisions[f"seconds of {WORDS} on toy:text"]]


def test_a_rung_that_was_interrupted_is_timed_anew_when_it_is_tried_again():
    def progress(what, done, _total):
        if what.startswith("finetune"):
            raise KeyboardInterrupt

    decisions = Decisions()
    go(topics(60), TINY, decide=decisions, progress=progress)
    assert f"seconds of {TINY} on toy:text" not in decisions
    decisions[f"given up: {TINY} on toy:text"] = ""  # as if it had been finished, and its seconds
    decisions[f"seconds of {TINY} on toy:text"] = 77.0
    assert go(topics(60), TINY, decide=decisions).rungs[1].seconds == 77.0


def test_the_score_of_a_tuned_model_without_a_test_part_trains_it_in_outer_folds_past_the_deadline():
    data, decisions = topics(110), Decisions()
    plan = outer(data, repeats=2)
    outcome = go(data, WORDS, plan=plan, decide=decisions, deadline=time.monotonic() + 1000)
    assert outcome.rungs[1].accepted
    assert (outcome.score.how, outcome.score.n) == ("cv", 110)
    assert decisions["outer folds"] == 4
    assert any(note.startswith("The rung was chosen once, on all examples") for note in outcome.notes)
    decisions.pop("outer folds")
    late = go(data, WORDS, plan=plan, decide=decisions, deadline=time.monotonic() - 1000)
    assert decisions["outer folds"] == 3
    assert any(note == "The budget allowed 3 of 4 outer folds." for note in late.notes)
    assert 0.6 < late.score.value <= 1


def test_the_probe_that_was_accepted_is_the_one_that_outer_folds_measure(monkeypatch):
    data, fitted = pictures(48), []
    monkeypatch.setattr(_race, "judge", lambda *_, **__: search.Judgement("better", 0.1, 0.01, 1.0))
    fit = Probe.fit

    def spy(self, backbone, train, task, *, run):
        fitted.append((str(self), len(train)))
        return fit(self, backbone, train, task, run=run)

    monkeypatch.setattr(Probe, "fit", spy)
    outcome = go(data, Probe(views=2), plan=outer(data))
    assert outcome.model.strategy == "probe(views=2)"
    assert fitted.count(("probe(views=2)", 36)) == 4
    assert any(note.startswith("The rung was chosen once") for note in outcome.notes)


@pytest.mark.parametrize(
    ("proof", "expected"),
    [
        ("none", []),
        ("quick", ["majority class", "colour", "random weights, probe (20 to train, 20 to test)"]),
        (
            "full",
            ["majority class", "colour", "random weights, probe (20 to train, 20 to test)", "from scratch (60 steps)"],
        ),
    ],
)
def test_proof_decides_what_transfer_is_compared_with(proof, expected):
    outcome = go(pictures(40), proof=proof)
    found = list(outcome.baselines)
    assert len(found) == len(expected)
    assert [name for name in found if name in expected] == [name for name in expected if name != "colour"]
    assert (outcome.transfer_helped is None) or proof != "none"
    for other in outcome.baselines.values():
        assert other.seconds > 0
        assert other.difference_interval.low <= other.difference <= other.difference_interval.high


def test_random_weights_are_compared_with_the_pretrained_network_even_where_tuning_was_asked_for(monkeypatch):
    data, probed = pictures(40), []
    probe = _proof._probe
    monkeypatch.setattr(
        _proof, "_probe", lambda problem, network, *parts: probed.append(network) or probe(problem, network, *parts)
    )
    strategy = FineTune(last=1, steps=6, batch=8)
    outcome = go(data, strategy=strategy, proof="quick")
    assert outcome.model.strategy == str(strategy)
    pretrained = backbones.load("toy:image")
    assert [network.weights_hash == pretrained.weights_hash for network in probed] == [True, False]
    assert probed[0].weights_hash != outcome.model.backbone.weights_hash


def test_a_comparison_that_cannot_be_made_or_has_no_time_is_left_out_and_said(monkeypatch):
    def cannot(*_, **__):
        raise BackboneError("no layer's reset_parameters draws the weight w")

    said = []
    monkeypatch.setattr(_proof, "from_scratch", cannot)
    monkeypatch.setattr("headstart.strategies.scratch.from_scratch", cannot)
    outcome = go(pictures(40), proof="full", say=said.append)
    assert len(outcome.baselines) == 2
    assert "No comparison with random weights: no layer's reset_parameters draws the weight w." in said
    assert "Training from scratch was given up: no layer's reset_parameters draws the weight w." in said
    late = go(pictures(40), proof="full", say=said.append, deadline=time.monotonic() - 1)
    assert not late.baselines
    assert "Training from scratch was left out for lack of time." in said
