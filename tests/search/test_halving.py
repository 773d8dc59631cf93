"""Several candidates: who climbs, who wins, and what is told of it."""

from dataclasses import replace

import numpy as np
import pytest

from headstart import backbones
from headstart.errors import TrainingError
from headstart.features import FeatureSource
from headstart.search import _halving, _ladder, climb
from headstart.search._ladder import STOPPING
from headstart.search._rungs import Step
from headstart.strategies import TUNING_FOLDS, Probe, Run
from tests.search.test_ladder import TINY, WORDS, held_out, ladder
from tests.strategies.small import task_of, topics


def candidates(n=3):
    toy = backbones.load("toy:text")
    return [toy, *(replace(backbones.from_scratch(toy, seed=k), name=f"other {k}") for k in range(1, n))]


def go(networks, dataset, *steps, effort="usual", **run):
    with ladder(*steps):
        return climb(
            dataset,
            held_out(dataset),
            task_of(dataset),
            backbones=networks,
            strategy=None,
            run=Run(FeatureSource(), **run),
            effort=effort,
            proof="none",
        )


def test_all_take_the_first_rung_and_the_best_two_the_next():
    outcome = go(candidates(), topics(60), TINY)
    probes = [rung.name.removeprefix("probe ") for rung in outcome.rungs[:3]]
    assert probes == ["toy:text", "other 1", "other 2"]
    losses = {}
    for rung in outcome.rungs[:3]:
        losses[rung.name.removeprefix("probe ")] = (
            0.0 if rung.reason == "lowest cross-validated loss" else float(rung.reason.split()[1])
        )
    finalists = sorted(losses, key=losses.get)[:2]
    assert [rung.name.rpartition(") ")[2] for rung in outcome.rungs[3:]] == finalists


def test_one_candidate_climbs_alone_and_nothing_is_compared():
    outcome = go(candidates(1), topics(60), TINY)
    assert len(outcome.rungs) == 2
    assert not any(note.startswith("Chosen:") for note in outcome.notes)


def test_the_second_finalist_wins_where_it_loses_less_on_the_same_items(monkeypatch):
    """Words are told apart only after training: the one that may train overtakes, whoever had the better probe."""
    networks, dataset = candidates(2), topics(120)
    worse = go(networks, dataset).rungs[:2]
    overtaker = next(rung.name.removeprefix("probe ") for rung in worse if not rung.accepted)
    monkeypatch.setattr(
        _halving, "steps_above", lambda _problem, backbone: [Step(WORDS)] if backbone.name == overtaker else []
    )
    outcome = climb(
        dataset,
        held_out(dataset),
        task_of(dataset),
        backbones=networks,
        strategy=None,
        run=Run(FeatureSource()),
        proof="none",
    )
    assert outcome.model.base.name == overtaker
    (note,) = (note for note in outcome.notes if note.startswith("Chosen:"))
    assert f" on {overtaker}, not probe() on " in note
    gain = float(note.rpartition(": ")[2].split()[0])
    assert gain > 0


def test_finalists_are_compared_on_every_fold_that_both_know(monkeypatch):
    races, known, ran, better = [], [], _halving.race, _halving._better
    monkeypatch.setattr(_halving, "race", lambda *words, **more: races.append(ran(*words, **more)) or races[-1])

    def spy(first, second):
        known.append(min(first.known, second.known))
        return better(first, second)

    monkeypatch.setattr(_halving, "_better", spy)
    go(candidates(2), topics(120), WORDS)
    assert [found.looks for found in races] == known
    assert 1 <= known[0] <= TUNING_FOLDS


def test_further_rungs_are_climbed_by_the_winner_alone(monkeypatch):
    asked = []

    def steps(problem, backbone):
        asked.append((problem.effort, backbone.name))
        return []

    monkeypatch.setattr(_halving, "steps_above", steps)
    dataset = topics(60)
    outcome = climb(
        dataset,
        held_out(dataset),
        task_of(dataset),
        backbones=candidates(),
        strategy=None,
        run=Run(FeatureSource()),
        effort="more",
        proof="none",
    )
    assert [name for effort, name in asked if effort == "more"] == [outcome.model.backbone.name]
    assert len({name for effort, name in asked if effort == "usual"}) == 2


def failing(monkeypatch, *names):
    fit = Probe.fit

    def broken(self, backbone, *words, **more):
        if backbone.name in names:
            raise TrainingError("features are not finite", where=backbone.name)
        return fit(self, backbone, *words, **more)

    monkeypatch.setattr(Probe, "fit", broken)


@pytest.mark.parametrize("broken", ["toy:text", "other 2"])
def test_a_candidate_that_fails_is_left_out_and_said(monkeypatch, broken):
    failing(monkeypatch, broken)
    outcome = go(candidates(), topics(60), TINY)
    assert f"Left out because it failed: {broken} ({broken}: features are not finite)." in outcome.notes
    assert broken not in {rung.name.partition(" ")[2] for rung in outcome.rungs}


def test_where_all_fail_the_first_error_is_the_users(monkeypatch):
    failing(monkeypatch, "toy:text", "other 1", "other 2")
    with pytest.raises(TrainingError, match="^toy:text: features are not finite"):
        go(candidates(), topics(60), TINY)


def test_an_interrupt_at_the_first_finalist_leaves_the_second_out(monkeypatch):
    def interrupted(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(_ladder, "race", interrupted)
    said = []
    outcome = go(candidates(), topics(60), TINY, say=said.append)
    assert STOPPING in said
    assert [rung.reason for rung in outcome.rungs[3:]] == ["interrupted"]
    assert not any(note.startswith("Chosen:") for note in outcome.notes)


def test_an_interrupt_while_the_finalists_are_compared_keeps_the_first(monkeypatch):
    def interrupted(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(_halving, "race", interrupted)
    said = []
    outcome = go(candidates(2), topics(120), WORDS, effort="more", say=said.append)
    best = next(rung for rung in outcome.rungs if rung.accepted)
    assert outcome.model.base.name == best.backbone
    assert STOPPING in said


def test_one_network_may_be_a_candidate_twice(monkeypatch):
    """Two sizes of picture share their weights; the one that was chosen is the one that is measured."""
    toy = backbones.load("toy:text")
    twin = replace(toy, name="twin")
    monkeypatch.setattr(_halving, "_better", lambda first, second: (second, "Chosen: the second"))
    outcome = go([toy, twin], topics(120), WORDS)
    assert outcome.model.base is not None
    assert outcome.model.base.name == "twin"
    assert np.isfinite(outcome.score.value)


def test_of_several_one_whose_network_cannot_be_run_is_left_out(monkeypatch):
    fit = Probe.fit

    def broken(self, backbone, *words, **more):
        if backbone.name == "other 1":
            raise RuntimeError("shapes cannot\nbe multiplied")
        return fit(self, backbone, *words, **more)

    monkeypatch.setattr(Probe, "fit", broken)
    outcome = go(candidates(2), topics(60), TINY)
    assert "Left out because it failed: other 1: it cannot be run (shapes cannot be multiplied)." in outcome.notes
    monkeypatch.setattr(Probe, "fit", lambda *_, **__: (_ for _ in ()).throw(RuntimeError("shapes")))
    with pytest.raises(RuntimeError, match="^shapes$"):
        go(candidates(1), topics(60), TINY)


def test_where_neither_finalist_climbs_the_first_rung_has_chosen():
    for seed in range(3):
        outcome = go(candidates(), topics(60), TINY, seed=seed)
        if any(rung.accepted for rung in outcome.rungs[3:]):
            continue
        best = next(rung for rung in outcome.rungs if rung.accepted)
        assert outcome.model.backbone.name == best.backbone
        assert not any(note.startswith("Chosen:") for note in outcome.notes)
        return
    raise AssertionError("every run has climbed")
