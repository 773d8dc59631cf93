"""Rank and curve on transcribed recordings end to end: what is scored, counted and said."""

import json
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

import headstart
from headstart import CurveOptions, RankOptions
from headstart.linear import _speech as fitting
from headstart.pipeline import _curve
from headstart.strategies import Probe, Tuning
from tests.spoken import write_spoken

QUICK = CurveOptions(backbone="toy:audio", offline=True, seeds=2, most=18)


@pytest.fixture(autouse=True)
def _few_steps(monkeypatch):
    """Train every network for a moment only, and fit in few steps."""
    tune = Tuning.tune
    monkeypatch.setattr(Tuning, "tune", lambda self, *args, **kwargs: tune(replace(self, steps=3), *args, **kwargs))
    monkeypatch.setattr(fitting, "STEPS", 8)


@pytest.fixture
def folder(tmp_path):
    return write_spoken(tmp_path / "digits", 36, groups=6)


def spy_on_probes(monkeypatch):
    seen, fit = [], Probe.fit
    monkeypatch.setattr(
        Probe, "fit", lambda self, b, train, *a, **k: seen.append(train) or fit(self, b, train, *a, **k)
    )
    return seen


def test_three_arms_are_measured_by_word_errors_against_the_number_of_recordings(folder, tmp_path):
    said = []
    result = headstart.curve(folder, tmp_path / "c.png", options=QUICK, say=said.append)
    assert list(result.points) == ["probe", "finetuned", "scratch"]
    assert {tuple(point.n for point in points) for points in result.points.values()} == {(8, 12, 18)}
    assert (result.metric, result.task, result.n_test) == ("wer", "audio-transcription", 12)
    assert result.points["probe"][-1].value < result.points["scratch"][-1].value
    assert result.unit == result.to_dict()["unit"] == "transcribed recordings"
    assert any(
        note.startswith("Transcribed recordings: 8, 12, 18; 2 seeds. Fine-tuned means finetune(") for note in said
    )
    assert "Few groups (4), so every size has recordings of each, in equal shares." in said
    assert any("a frame's features are of 40 ms of sound" in note for note in said)
    assert (tmp_path / "c.png").stat().st_size > 0
    assert json.dumps(result.to_dict())


def test_every_size_has_recordings_of_every_speaker_where_they_are_few(folder, monkeypatch):
    seen = spy_on_probes(monkeypatch)
    headstart.curve(folder, options=QUICK)
    assert [len(train) for train in seen] == [8, 12, 18] * 2
    for few, more in pairwise(seen):
        assert len(few) > len(more) or set(few.hashes) < set(more.hashes)
    for train in seen:
        counts = np.unique(train.groups, return_counts=True)[1]
        assert len(counts) == 4
        assert np.ptp(counts) <= 1


def test_the_sizes_asked_for_have_as_many_of_every_speaker_as_there_are(tmp_path, monkeypatch):
    folder = write_spoken(tmp_path / "speech", 40, groups=4)
    rows = (folder / "manifest.csv").read_text().splitlines()
    split = [f"{row},{'test' if i > 32 else 'train'}" for i, row in enumerate(rows[1:], start=1) if i not in (1, 5, 9)]
    (folder / "manifest.csv").write_text("\n".join([f"{rows[0]},split", *split]) + "\n")
    seen, said = spy_on_probes(monkeypatch), []
    options = replace(QUICK, most=None, sizes=(8, 20, 29), allow_straddling=True)
    headstart.curve(folder, options=options, say=said.append)
    assert "Few groups (4), so every size has recordings of each, in equal shares, as far as each goes." in said
    counts = [sorted(np.unique(train.groups, return_counts=True)[1].tolist()) for train in seen]
    assert counts == [[2, 2, 2, 2], [5, 5, 5, 5], [5, 8, 8, 8]] * 2
    for few, more in pairwise(seen):
        assert len(few) > len(more) or set(few.hashes) < set(more.hashes)


def test_whole_speakers_are_added_where_they_are_many(folder, monkeypatch):
    monkeypatch.setattr(_curve, "FEW_SPEAKERS", 3)
    seen, said = spy_on_probes(monkeypatch), []
    headstart.curve(folder, options=QUICK, say=said.append)
    assert not any(note.startswith("Few groups") for note in said)
    for train in seen:
        assert set(np.unique(train.groups, return_counts=True)[1].tolist()) == {6}


def test_a_network_that_says_nothing_has_learnt_nothing(folder):
    said = headstart.curve(folder, options=replace(QUICK, most=8)).sentence
    assert "from scratch nothing is learnt with up to 8 (1.00 word error rate)." in said


def test_candidates_are_ranked_by_the_loss_of_a_probe_of_frames(folder):
    result = headstart.rank(folder, options=RankOptions(backbones=("toy:audio", "toy:image"), offline=True))
    toy, other = result.ranking.candidates
    assert (toy.name, set(toy.scores)) == ("toy:audio", {"probe"})
    assert -3 < toy.scores["probe"] < 0
    assert "reads image and the data is audio" in other.error
    assert result.ranking.signal.detected
    assert any(note.startswith("Scored by the held-out loss of a probe of frames alone") for note in result.notes)
    assert json.loads(json.dumps(result.to_dict()))["candidates"][0]["scores"].keys() == {"probe"}


def test_a_long_data_set_is_ranked_on_a_few_minutes(tmp_path, monkeypatch):
    monkeypatch.setattr("headstart.transferability._sample.MOST_CHARACTERS", 60)
    monkeypatch.setattr("headstart.transferability._sample.FEWEST_RECORDINGS", 6)
    folder = write_spoken(tmp_path / "speech", 40, groups=2)
    result = headstart.rank(folder, options=RankOptions(backbones=("toy:audio",), offline=True))
    assert 6 <= result.ranking.n < 15
    assert f"Ranked on {result.ranking.n} of 40 training recordings, alike in labels." in result.notes
