"""The score of the choice: what outer folds repeat, what is said of the rest, and what an interrupt leaves."""

from dataclasses import replace

import pytest

from headstart import backbones
from headstart.data import Dataset
from headstart.features import FeatureSource
from headstart.search import climb
from headstart.search._scoring import CHOSEN_ONCE, COOLED_ONCE, SAVING, SCORING
from headstart.strategies import FineTune, Run, Tuned, Tuning
from tests.conftest import make_values
from tests.search.test_ladder import TINY, WORDS, Decisions, go, ladder, outer
from tests.strategies.small import pictures, task_of, topics


def values(n: int) -> Dataset:
    """Texts with a number each."""
    texts, numbers = make_values(n)
    return Dataset("text", tuple(texts), tuple(map(str, range(n))), labels=tuple(map(str, numbers)), kind="regression")


def spied_trainings(monkeypatch):
    """Record how many examples every training has, and the temperatures that models get."""
    trained, temperatures = [], []
    tune, cooled = Tuning.tune, Tuned.cooled

    def tuning(self, backbone, train, task, *, run):
        trained.append(len(train))
        return tune(self, backbone, train, task, run=run)

    def cooling(self, temperature):
        temperatures.append(temperature.value)
        return cooled(self, temperature)

    monkeypatch.setattr(Tuning, "tune", tuning)
    monkeypatch.setattr(Tuned, "cooled", cooling)
    return trained, temperatures


def test_a_strategy_that_was_asked_for_trains_once_in_each_outer_fold_at_the_temperature_chosen(monkeypatch):
    data = pictures(48)
    trained, temperatures = spied_trainings(monkeypatch)
    outcome = go(data, strategy=FineTune(last=1, steps=6, batch=8), plan=outer(data, repeats=2))
    assert sorted(trained) == [32, 32, 32, 36, 36, 36, 36, 48]
    assert set(temperatures) == {outcome.chosen["temperature"]}
    assert len(temperatures) == 5
    assert (outcome.notes, outcome.chosen_once) == ((COOLED_ONCE,), True)
    assert (outcome.score.how, outcome.score.n) == ("cv", 48)


def test_values_have_no_temperature_so_the_whole_of_it_is_repeated():
    data = values(40)
    outcome = go(data, strategy=TINY, plan=outer(data), metric="rmse")
    assert (outcome.notes, outcome.chosen_once) == ((), False)


def test_a_network_that_was_chosen_once_among_several_is_said_to_be():
    data, toy = topics(60), backbones.load("toy:text")
    other = replace(backbones.from_scratch(toy, seed=1), name="other")
    run = Run(FeatureSource())
    outcome = climb(data, outer(data), task_of(data), backbones=[toy, other], strategy=TINY, run=run, proof="none")
    assert outcome.notes == (f"{CHOSEN_ONCE.format(what='network')} {COOLED_ONCE}",)


def test_where_several_networks_climb_the_note_says_that_the_network_was_chosen_too():
    data, toy = topics(110), backbones.load("toy:text")
    other = replace(backbones.from_scratch(toy, seed=1), name="other")
    run = Run(FeatureSource())
    with ladder(WORDS):
        outcome = climb(data, outer(data), task_of(data), backbones=[toy, other], strategy=None, run=run, proof="none")
    assert outcome.model.base is not None
    assert any(note.startswith(CHOSEN_ONCE.format(what="network with its rung")) for note in outcome.notes)


def test_a_rung_that_was_chosen_once_says_so_and_its_temperature_too():
    data = topics(110)
    outcome = go(data, WORDS, plan=outer(data))
    assert outcome.notes == (f"{CHOSEN_ONCE.format(what='rung')} {COOLED_ONCE}",)
    assert outcome.chosen_once


def test_a_choice_among_probes_is_repeated_wholly():
    data = topics(60)
    assert not go(data, plan=outer(data)).chosen_once


def interrupt(*moments):
    """Raise at moments of progress: what, and how much of it is done."""

    def progress(what, done, _total):
        if any(what.startswith(name) and done == number for name, number in moments):
            raise KeyboardInterrupt

    return progress


@pytest.mark.parametrize("known", [{}, {"outer folds": 4}])
def test_an_interrupt_in_outer_folds_keeps_those_done_where_they_are_enough(known):
    data, said, decisions = topics(60), [], Decisions(known)
    outcome = go(
        data, plan=outer(data), proof="full", progress=interrupt((SCORING, 3)), say=said.append, decide=decisions
    )
    assert outcome.notes == (
        "Interrupted: the score is of 3 of 4 outer folds.",
        "Interrupted, so left out: the comparison with random weights and training from scratch.",
    )
    assert SAVING in said
    assert (len(outcome.predictions), outcome.score.n) == (3, 45)
    assert "majority class" in outcome.baselines
    assert decisions.get("outer folds") == known.get("outer folds")  # the same command measures on all


def test_an_interrupt_in_the_first_outer_folds_stops():
    data = topics(60)
    with pytest.raises(KeyboardInterrupt):
        go(data, plan=outer(data), progress=interrupt((SCORING, 2)))


def test_a_second_interrupt_stops():
    data = topics(60)
    with pytest.raises(KeyboardInterrupt):
        go(data, TINY, plan=outer(data), progress=interrupt(("finetune", 1), (SCORING, 3)))


@pytest.mark.parametrize(
    ("moment", "left", "kept"),
    [
        ("the same network with random weights", "the comparison with random weights and training from scratch", 0),
        ("training from scratch", "training from scratch", 1),
    ],
)
def test_an_interrupt_in_the_proof_leaves_out_the_rest(moment, left, kept):
    said = []
    outcome = go(topics(60), proof="full", progress=interrupt((moment, 0)), say=said.append)
    assert outcome.notes == (f"Interrupted, so left out: {left}.",)
    assert SAVING in said
    assert len([name for name in outcome.baselines if name.startswith("random weights")]) == kept
    assert not any(name.startswith("from scratch") for name in outcome.baselines)
    assert outcome.score.n == 20


def test_after_an_interrupted_climb_the_proof_is_noted_as_left_out():
    outcome = go(topics(60), TINY, proof="quick", progress=interrupt(("finetune", 1)))
    assert outcome.notes[1:] == ("Interrupted, so left out: the comparison with random weights.",)
