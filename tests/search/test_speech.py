"""Transcribed recordings on the ladder: compared by words, held to time, and measured beside what knows no speech."""

import re
import time
from dataclasses import replace

import numpy as np
import pytest

from headstart import backbones
from headstart.data import Plan, make_folds
from headstart.errors import BudgetError
from headstart.features import FeatureSource
from headstart.linear import _speech as fitting
from headstart.search import _first, _proof, climb
from headstart.search._judging import NOTHING_KNOWN
from headstart.search._proof import _too_long, measure_baselines
from headstart.search._rungs import steps_above
from headstart.strategies import FineTune, Probe, Run, finetuning
from headstart.tasks import Heard
from tests.search.test_ladder import Decisions, go, held_out
from tests.search.test_proof import drawn, problem_of
from tests.search.test_race import Setting
from tests.spoken import spoken
from tests.strategies.small import task_of

TUNED = FineTune(last=2, steps=12, batch=8, rate=1e-2, views=1)


@pytest.fixture(autouse=True)
def _quick_fits(monkeypatch):
    monkeypatch.setattr(fitting, "STEPS", 8)


def outer(data, *, repeats: int = 1, n_splits: int = 4) -> Plan:
    y = task_of(data).encode(data.labels)
    folds = [fold for r in range(repeats) for fold in make_folds(y, groups=None, n_splits=n_splits, seed=r)]
    return Plan(np.arange(len(data)), None, "cv", tuple(folds))


def heard_as(texts, *, sure: float):
    """What hears these texts; the probabilities, which are not those of the texts, are more or less sure of nothing."""
    row = np.array([sure, (1 - sure) / 2, (1 - sure) / 2], np.float32)
    found = np.empty(len(texts), dtype=object)
    found[:] = [Heard(np.tile(row, (6, 1)), text, ("a", "b")) for text in texts]
    return found


def test_recordings_are_compared_by_the_words_that_are_heard_right():
    rng = np.random.default_rng(0)
    said = [" ".join(rng.choice(["a", "b"], 3)) for _ in range(90)]
    wrong = [text if i % 3 else "a" for i, text in enumerate(said)]
    setting = Setting(said, metric="wer", kind="transcription")
    found = setting.race(heard_as(wrong, sure=0.4), heard_as(said, sure=0.9))  # of a higher loss
    assert found.compared == "words right"
    assert found.judgement.answer == "better"
    assert found.temperature.value == 1.0
    was, now = found.values()
    assert (now, was - now) == (0.0, pytest.approx(found.judgement.gain))
    loss, per_fold = found.fold_scores()
    assert loss > 1
    assert per_fold == (0.0,) * found.looks
    value, interval = found.score()
    assert (value, interval.low) == (0.0, 0.0)
    same = setting.race(heard_as(said, sure=0.4), heard_as(said, sure=0.9))
    assert (same.judgement.answer, same.judgement.gain) == ("not better", 0.0)


@pytest.mark.parametrize("effort", ["usual", "more"])
def test_speech_is_fine_tuned_as_was_measured_and_with_more_time_as_a_whole(effort):
    data = spoken(8)
    problem = replace(problem_of(data), effort=effort)
    (toy,) = problem.backbones
    first, *rest = steps_above(problem, toy)
    assert first.strategy == finetuning(toy, problem.own_train)
    assert (first.prior, first.why) == (NOTHING_KNOWN, "")
    assert [step.strategy.last for step in rest] == ["all"] * (effort == "more")
    assert steps_above(problem, replace(toy, blocks=())) == []


def test_the_ladder_reads_frames_and_measures_against_what_knows_no_speech():
    outcome = go(spoken(36), TUNED, proof="full", metric="wer")
    names = [re.sub(r" \(.*", "", name) for name in outcome.baselines]
    assert names == ["most frequent transcript", "MFCC frames + CTC", "random weights, probe", "from scratch"]
    assert outcome.model.backbone.frames == 25.0
    assert [rung.strategy for rung in outcome.rungs] == ["probe()", str(TUNED)]
    assert "gain in words right" in outcome.rungs[1].reason
    assert "word error rate" in outcome.rungs[1].reason
    assert (outcome.score.metric, outcome.score.n, outcome.score.how) == ("wer", 20, "holdout")
    assert outcome.baselines["most frequent transcript"].value >= outcome.score.value
    assert all(np.isfinite(other.value) for other in outcome.baselines.values())


def test_a_probe_is_not_fitted_again_on_the_folds_it_was_chosen_on(monkeypatch):
    monkeypatch.setattr(Probe, "refit", lambda *_, **__: pytest.fail("it has been fitted on these folds"))
    outcome = go(spoken(30), TUNED, metric="wer")
    assert len(outcome.rungs) == 2


def test_outer_folds_are_scored_once_however_often_they_are_repeated():
    data = spoken(16)
    outcome = go(data, plan=outer(data, repeats=3), proof="quick", metric="wer")
    assert (outcome.score.how, outcome.score.n) == ("cv", 16)
    assert len(outcome.predictions) == 4
    assert not any("budget" in note for note in outcome.notes)
    assert outcome.baselines["MFCC frames + CTC"].interval.high > 0


def test_how_frames_are_read_is_replayed(monkeypatch):
    data, decisions = spoken(24), Decisions()
    one = go(data, TUNED, metric="wer", decide=decisions)
    assert decisions["frames a second on toy:audio"] == 25.0
    monkeypatch.setattr("headstart.strategies._frames._too_short", lambda *_: pytest.fail("it was decided"))
    again = go(data, TUNED, metric="wer", decide=decisions, deadline=time.monotonic() - 1)
    assert one.model.head.weights.tolist() == again.model.head.weights.tolist()
    assert [rung.accepted for rung in one.rungs] == [rung.accepted for rung in again.rungs]


def test_a_probe_that_time_does_not_hold_is_refused_before_it_is_fitted(monkeypatch):
    monkeypatch.setattr(_first, "seconds_of_probe", lambda *_, **__: 500.0)
    monkeypatch.setattr(Probe, "fit", lambda *_, **__: pytest.fail("there is no time"))
    with pytest.raises(BudgetError, match=r"probe\(\) may take 50\d s .*Give .* s more, or a smaller --backbone"):
        go(spoken(24), metric="wer", deadline=time.monotonic() + 100)


def test_a_second_candidate_is_left_out_for_lack_of_time_and_said(monkeypatch):
    monkeypatch.setattr(_first, "seconds_of_probe", lambda backbone, *_, **__: 500.0 * (backbone.name == "other"))
    toy, data = backbones.load("toy:audio"), spoken(26)
    networks = [toy, replace(backbones.from_scratch(toy, seed=1), name="other")]
    run = Run(FeatureSource(), metric="wer", deadline=time.monotonic() + 100)
    outcome = climb(data, held_out(data), task_of(data), backbones=networks, strategy=Probe(), run=run, proof="none")
    (note,) = outcome.notes
    assert note.startswith("Left out for lack of time: other (probe() may take 50")


@pytest.mark.parametrize(("left", "kept"), [(0.2, False), (60.0, True)])
def test_the_time_of_a_baseline_of_speech_is_told_from_a_few_recordings(monkeypatch, left, kept):
    monkeypatch.setattr(_proof, "FEW_RECORDINGS", 4)
    asked = []

    class Slow:
        name = "slow"

        def predict(self, train, _test):
            asked.append(len(train))
            time.sleep(0.01 * len(train))

    problem = problem_of(spoken(40), deadline=time.monotonic() + left)
    assert _too_long(problem, Slow(), 1, 0.0) is not kept
    assert asked == [4]


def test_baselines_learn_from_the_training_part():
    data = spoken(30)
    found = measure_baselines(problem_of(data, metric="wer"), 1)
    assert list(found) == ["most frequent transcript", "MFCC frames + CTC"]
    (fold,) = found["MFCC frames + CTC"].folds
    assert [heard.text for heard in fold.probabilities] != [fold.probabilities[0].text] * 20
    assert fold.kind == "transcription"


def test_a_draw_of_transcripts_is_alike_in_their_lengths():
    y = np.array(["a" * int(n) for n in np.random.default_rng(0).integers(1, 200, 3000)])
    ends = np.quantile(np.char.str_len(y), np.arange(1, 10) / 10)
    counts = np.bincount(np.searchsorted(ends, np.char.str_len(y[drawn(y)]), side="right"), minlength=10)
    assert counts.sum() == 300
    assert (np.abs(counts - 30) <= 2).all()
