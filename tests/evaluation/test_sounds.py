"""The description of recordings for the classical baseline: its definition, and where there is little to hear."""

import tracemalloc

import numpy as np
import pytest

from headstart.evaluation import SOUND_RATE, describe_sound, sound_baseline
from tests.reference import sounds as reference


def tone(hertz, *, seconds=0.3, seed=0):
    rng = np.random.default_rng(seed)
    t = np.arange(int(seconds * SOUND_RATE)) / SOUND_RATE
    return (0.3 * np.sin(2 * np.pi * hertz * t + rng.uniform(0, 6)) + rng.normal(0, 0.01, len(t))).astype(np.float32)


@pytest.mark.parametrize("n", [30, 400, 720, 1500])
def test_the_description_is_what_its_definition_says(n):
    samples = tone(700)[:n] * np.linspace(0.2, 1, n, dtype=np.float32)
    found = describe_sound(samples)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, reference.describe(samples), rtol=1e-4, atol=1e-3)


@pytest.mark.parametrize("n", [0, 1, 399, 401, 561, 16_000])
@pytest.mark.parametrize("level", [0.0, 1e-9, 1.0])
def test_silence_and_very_short_recordings_give_finite_numbers(n, level):
    found = describe_sound(np.full(n, level, dtype=np.float32))
    assert found.shape == (180,)
    assert np.isfinite(found).all()


def test_of_a_long_recording_everything_counts_and_spectra_are_held_a_minute_at_a_time(monkeypatch):
    parts = [tone(hertz, seconds=40.0) for hertz in (500, 900, 1600)]
    whole = np.concatenate(parts)
    tracemalloc.start()
    found = describe_sound(whole)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 80e6  # the spectra of two minutes alone are 50 megabytes, their frames 38, and each is held twice
    middles = [describe_sound(part)[:20] for part in parts]
    np.testing.assert_allclose(found[120:].reshape(3, 20), middles, atol=0.05)
    np.testing.assert_allclose(found[:20], np.mean(middles, axis=0), atol=0.05)
    monkeypatch.setattr("headstart.evaluation.sounds._AT_ONCE", 10**6)
    np.testing.assert_allclose(found, describe_sound(whole), rtol=1e-5, atol=1e-5)


def test_tones_are_told_apart_by_pitch_and_by_what_comes_first():
    def clip(number):
        low, high = tone(300, seed=number), tone(2000, seed=number + 1000)
        return (low, high, np.concatenate([low, high]), np.concatenate([high, low]))[number % 4]

    y = np.arange(48) % 4
    descriptors = np.stack([describe_sound(clip(number)) for number in range(48)])
    baseline = sound_baseline(descriptors, y, n_classes=4, groups=None, seed=0)
    p = baseline.predict(np.arange(24), np.arange(24, 48))
    assert baseline.name == "MFCC statistics + logistic regression"
    assert (p.argmax(axis=1) == y[24:]).all()
    values = sound_baseline(descriptors, y.astype(float), n_classes=1, groups=None, seed=0)
    assert values.name == "MFCC statistics + ridge regression"
