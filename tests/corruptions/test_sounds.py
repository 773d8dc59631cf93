"""Corruptions of recordings, measured on signals whose answer is known."""

import numpy as np
import pytest

from headstart.corruptions import _sounds as sounds
from headstart.data import Sound

RATE = 16000


def rng():
    return np.random.default_rng(0)


def tone(hertz, *, rate=RATE, seconds=1.0, level=0.5):
    times = np.arange(int(rate * seconds)) / rate
    return Sound((level * np.sin(2 * np.pi * hertz * times)).astype(np.float32), rate)


def level(sound):
    """Decibels of the middle of a recording, relative to a tone of level 0.5."""
    middle = sound.samples[len(sound.samples) // 4 : -len(sound.samples) // 4].astype(float)
    return 10 * np.log10(np.square(middle).mean() / 0.125 + 1e-12)


@pytest.mark.parametrize(("severity", "decibels"), [(1, 20), (2, 10), (3, 0)])
def test_noise_has_its_ratio_to_the_recording(severity, decibels):
    clean = tone(440)
    added = sounds.noise(clean, severity, rng()).samples - clean.samples
    ratio = 10 * np.log10(np.square(clean.samples).mean() / np.square(added).mean())
    assert ratio == pytest.approx(decibels, abs=0.1)


def test_noise_is_pink_and_long_recordings_are_filled():
    clean = tone(440, seconds=20.0)
    added = sounds.noise(clean, 3, rng()).samples - clean.samples
    power = np.abs(np.fft.rfft(added)) ** 2
    octave = [power[int(20 * low) : int(20 * 2 * low)].sum() for low in (250, 500, 1000, 2000)]
    assert np.ptp(10 * np.log10(octave)) < 1
    assert np.square(added[-RATE:]).mean() == pytest.approx(np.square(added[:RATE]).mean(), rel=0.3)


def test_a_room_decays_by_sixty_decibels_in_its_time_with_its_direct_sound():
    response = sounds.room(0.6, 3.0, rate=RATE, rng=rng())
    assert response[0] == 1
    assert (response[1 : int(sounds.GAP * RATE)] == 0).all()
    assert 10 * np.log10(1 / np.square(response[1:]).sum()) == pytest.approx(3.0)
    left = np.cumsum(np.square(response[1:])[::-1])[::-1]  # Schroeder's integral
    early, late = (10 * np.log10(left[int(at * RATE)]) for at in (0.1, 0.3))
    assert (early - late) / 0.2 == pytest.approx(60 / 0.6, rel=0.1)


def test_reverb_smears_a_click_and_keeps_power_and_length():
    click = np.zeros(RATE, np.float32)
    click[1000] = 0.9
    found = sounds.reverb(Sound(click, RATE), 3, rng()).samples
    assert len(found) == RATE
    assert np.abs(found[:999]).max() < 1e-6
    assert np.abs(found[5000:6000]).max() > 1e-3
    assert np.square(found).sum() == pytest.approx(np.square(click).sum(), rel=1e-3)


@pytest.mark.parametrize("rate", [8000, 16000, 44100])
def test_low_pass_takes_away_what_is_above_and_keeps_what_is_below(rate):
    for severity, edge in enumerate(sounds.LOW_PASS, start=1):
        assert level(sounds.low_pass(tone(edge - 300, rate=rate), severity, rng())) == pytest.approx(0, abs=0.3)
        if edge + 300 < rate / 2:
            assert level(sounds.low_pass(tone(edge + 300, rate=rate), severity, rng())) < -40


def test_low_pass_does_not_move_the_recording():
    clean = tone(400)
    found = sounds.low_pass(clean, 3, rng())
    assert np.abs(found.samples - clean.samples)[1000:-1000].max() < 0.01


def test_a_filter_above_half_the_rate_changes_nothing():
    clean = tone(400, rate=4000)
    assert (sounds.low_pass(clean, 1, rng()).samples == clean.samples).all()


@pytest.mark.parametrize("rate", [6000, 8000, 16000])
def test_the_telephone_has_its_band(rate):
    assert level(sounds.telephone(tone(1000, rate=rate), 1, rng())) == pytest.approx(0, abs=0.3)
    assert level(sounds.telephone(tone(60, rate=rate), 1, rng())) < -30
    if rate > 8000:
        assert level(sounds.telephone(tone(5000, rate=rate), 1, rng())) < -35


def test_fewer_bits_are_fewer_values_and_more_error():
    clean = tone(1000)
    values = [len(np.unique(sounds.telephone(clean, severity, rng()).samples)) for severity in (1, 2, 3)]
    assert values == sorted(values, reverse=True)
    assert values[2] <= 15
    errors = [np.square(sounds.telephone(clean, s, rng()).samples - clean.samples).mean() for s in (1, 2, 3)]
    assert errors == sorted(errors)


def test_silence_stays_silence_and_a_short_recording_is_no_trouble():
    silent = Sound(np.zeros(4000, np.float32), RATE)
    short = tone(440, seconds=0.025)
    for corruption in sounds.SOUND_CORRUPTIONS:
        for severity in (1, 2, 3):
            assert np.abs(corruption(silent, severity, seed=0).samples).max() == 0
            assert len(corruption(short, severity, seed=0).samples) == 400
