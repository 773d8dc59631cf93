"""Cepstra of frames under the CTC loss: what is described, what is learnt, and what is not looked at."""

import numpy as np
import pytest

from headstart.evaluation import describe_speech, speech_baseline
from headstart.evaluation import speech_baselines as module
from headstart.evaluation.sounds import sound_frames
from headstart.evaluation.transcripts import wer
from tests.spoken import said, sound


def recordings(n: int, *, seed: int = 0):
    texts = said(n, seed=seed)
    return [sound(text, seed=100 * seed + i) for i, text in enumerate(texts)], np.array(texts)


def test_frames_are_standardised_over_the_recording_and_averaged():
    samples = sound("ab ba", seed=1)
    frames = sound_frames(samples)
    standard = (frames - frames.mean(axis=0)) / frames.std(axis=0)
    found = describe_speech(samples)
    assert found.dtype == np.float32
    assert found.shape == (-(-len(frames) // 4), 60)
    for t, row in enumerate(found):
        np.testing.assert_allclose(row, standard[4 * t : 4 * t + 4].mean(axis=0), atol=1e-5)


@pytest.mark.parametrize("samples", [np.zeros(16_000, np.float32), np.zeros(3, np.float32), sound("a")[:500]])
def test_silence_and_recordings_of_a_frame_are_described_too(samples):
    found = describe_speech(samples)
    assert np.isfinite(found).all()
    assert len(found) >= 1


def test_loudness_and_the_tone_of_a_microphone_go():
    samples = sound("cad", seed=2)
    np.testing.assert_allclose(describe_speech(0.1 * samples), describe_speech(samples), atol=0.02)


def test_what_is_said_is_learnt_by_the_training_part_alone():
    sounds, texts = recordings(40)
    frames = [describe_speech(samples) for samples in sounds]
    baseline = speech_baseline(frames, texts, groups=None, seed=0)
    assert baseline.name == "MFCC frames + CTC"
    train, test = np.arange(30), np.arange(30, 40)
    heard = baseline.predict(train, test)
    assert wer(texts[test], heard) < 0.2
    other = texts.copy()
    other[test] = "zzz"
    again = speech_baseline(frames, other, groups=None, seed=0).predict(train, test)
    assert [one.text for one in again] == [one.text for one in heard]
    assert set(again[0].characters) == set("".join(texts[train]))


def test_groups_are_kept_together_and_two_are_enough(monkeypatch):
    sounds, texts = recordings(12)
    groups, cut = np.array(["x", "y"] * 6), []
    choose = module.choose_frames
    monkeypatch.setattr(module, "choose_frames", lambda spoken, folds: cut.extend(folds) or choose(spoken, folds))
    monkeypatch.setattr("headstart.linear._speech.STEPS", 5)
    train = np.arange(10)
    frames = [describe_speech(samples) for samples in sounds]
    speech_baseline(frames, texts, groups=groups, seed=0).predict(train, np.array([10, 11]))
    assert len(cut) == 2
    for inside, outside in cut:
        assert set(groups[train][inside]).isdisjoint(groups[train][outside])
