"""Augmented views of sounds: a function of the samples, light, and never longer, shorter or in another place."""

import numpy as np
import pytest
import soundfile
import torch

from headstart import backbones
from headstart.backbones import Backbone, augmented, frame_backbone, interleave
from headstart.backbones._augment_sounds import GAIN, NOISE, PERIOD, SoundChange, _noise, heard_otherwise
from headstart.backbones._sounds import SoundPreparer
from headstart.data import Dataset, Sound
from headstart.features import FeatureSource, key_of
from tests.backbones.families import make

RATE = 16_000


def tone(seconds: float, *, pitch: float = 440, level: float = 0.3) -> np.ndarray:
    time = np.arange(round(seconds * RATE)) / RATE
    return (level * np.sin(2 * np.pi * pitch * time)).astype(np.float32)


def recordings() -> list[Sound]:
    return [Sound(tone(0.2 + 0.45 * i, pitch=300 + 200 * i), RATE) for i in range(5)]


def own() -> Backbone:
    def prepare(samples: np.ndarray) -> torch.Tensor:
        return torch.from_numpy(np.resize(samples, 4000).reshape(1, 50, 80).copy())

    return Backbone.from_module([("body", torch.nn.Conv2d(1, 4, 3))], prepare, modality="audio")


@pytest.fixture(params=["toy:audio", "whisper", "whisper-window", "conformer", "wav2vec2", "ast", "yamnet", "own"])
def backbone(request, tmp_path) -> Backbone:
    return own() if request.param == "own" else make(request.param, tmp_path)


def alone(backbone: Backbone, item: Sound) -> np.ndarray:
    return backbone.prepare([item]).values.numpy()


def test_a_recording_gives_the_same_view_in_any_company_and_from_a_file(backbone, tmp_path):
    items = recordings()
    soundfile.write(tmp_path / "a.wav", items[2].samples, RATE, subtype="FLOAT")
    view = augmented(backbone, 1)
    read = view.preparer.read(items)
    again = [augmented(backbone, 1).preparer.read([item])[0] for item in [*items[:2], tmp_path / "a.wav"]]
    for one, other in zip(read, again, strict=False):
        for window, same in zip(one, other, strict=True):
            np.testing.assert_array_equal(window, same)
    assert augmented(backbone, 0) is backbone


def test_views_and_seeds_differ_and_so_do_their_keys_but_not_shapes_weights_or_flips(backbone):
    item = recordings()[1]
    views = [backbone, augmented(backbone, 1), augmented(backbone, 2), augmented(backbone, 1, seed=1)]
    assert len({key_of(view).digest for view in views}) == 4
    assert len({alone(view, item).tobytes() for view in views}) == 4
    assert len({alone(view, item).shape for view in views}) == 1
    assert len({view.weights_hash for view in views}) == 1
    assert key_of(augmented(backbone, 1, flips="off")).digest == key_of(views[1]).digest


def test_what_marks_the_frames_that_hold_sound_stays(tmp_path):
    backbone, item = make("whisper-window", tmp_path), recordings()[0]
    plain, other = alone(backbone, item)[0], alone(augmented(backbone, 1), item)[0]
    np.testing.assert_array_equal(plain[:, -1], other[:, -1])
    assert 0 < plain[:, -1].sum() < len(plain)


def test_features_and_activations_of_a_view_are_rows_of_their_own(backbone):
    dataset, source = Dataset("audio", tuple(recordings()), tuple("abcde")), FeatureSource()
    plain, other = source.features(backbone, dataset), source.features(augmented(backbone, 1), dataset)
    assert source.computed == 10
    assert not np.array_equal(plain, other)
    cut = backbone.cuts[0]
    views = [source.activations(each, dataset, cut=cut) for each in (backbone, augmented(backbone, 1))]
    np.testing.assert_array_equal(views[0].sizes, views[1].sizes)


def changed(samples: np.ndarray, views: int = 60, *, shifts: bool = False) -> list[np.ndarray]:
    return [SoundChange(seed=0, view=view, rate=RATE, shifts=shifts)(samples) for view in range(1, views + 1)]


def test_noise_and_gain_keep_within_their_decibels():
    samples, ratios, gains = tone(1.0, level=0.2), [], []
    for other in changed(samples):
        gain = float(other @ samples / (samples @ samples))
        rest = other / gain - samples
        ratios.append(10 * np.log10(np.square(samples).mean() / np.square(rest).mean()))
        gains.append(20 * np.log10(gain))
    for values, (low, high) in ((ratios, NOISE), (gains, GAIN)):
        assert low - 0.2 < min(values) < low + 2
        assert high - 2 < max(values) < high + 0.2


def test_what_does_not_clip_still_does_not_and_what_does_gets_no_louder():
    for level in (0.98, 1.5):
        peaks = [float(np.abs(other).max()) for other in changed(tone(0.5, level=level))]
        assert max(peaks) <= max(1.0, level) * (1 + 1e-6)
        assert min(peaks) < 0.7 * level


def test_silence_and_single_samples_stay_finite():
    for samples in (np.zeros(800, np.float32), np.ones(1, np.float32), np.zeros(1, np.float32)):
        for other in changed(samples, 5, shifts=True):
            assert other.dtype == np.float32
            assert other.shape == samples.shape
            assert np.isfinite(other).all()
            assert np.isfinite(SoundChange(seed=0, view=1, rate=RATE).silence(other)).all()
    assert not np.any(changed(np.zeros(800, np.float32), 1)[0])


@pytest.mark.parametrize(("seconds", "most"), [(0.2, 160), (4.0, 800)])
def test_a_shift_loses_no_more_than_a_share_and_50_ms(seconds, most):
    samples = np.random.default_rng(0).normal(size=round(seconds * RATE)).astype(np.float32)
    lags = []
    for other in changed(samples, 40, shifts=True):
        spectrum = np.fft.rfft(other, 2 * len(samples)) * np.conj(np.fft.rfft(samples, 2 * len(samples)))
        lag = int(np.argmax(np.fft.irfft(spectrum)))
        lags.append(lag - 2 * len(samples) if lag > len(samples) else lag)
    assert max(map(abs, lags)) <= most
    assert min(lags) < -most / 3
    assert max(lags) > most / 3


def test_without_shifts_everything_stays_in_its_place():
    samples = np.random.default_rng(0).normal(size=RATE).astype(np.float32)
    for other in changed(samples, 20):
        assert np.corrcoef(other, samples)[0, 1] > 0.95


def test_white_noise_is_even_and_pink_noise_falls_by_3_decibels_an_octave():
    for pink, fall in ((False, 0.0), (True, 3.0)):
        noise = _noise(PERIOD + 5000, np.random.default_rng(0), pink=pink)
        assert np.square(noise[:PERIOD]).mean() == pytest.approx(1, rel=1e-3)
        np.testing.assert_array_equal(noise[:5000], noise[PERIOD:])
        power = np.square(np.abs(np.fft.rfft(noise[:PERIOD])))
        octaves = [10 * np.log10(power[2**i : 2 ** (i + 1)].mean()) for i in range(8, 16)]
        assert np.mean(np.diff(octaves)) == pytest.approx(-fall, abs=0.2)


def spectra_of(length: int, bands: int, *, number: int = 1) -> SoundPreparer:
    """A preparer whose frames are the same random spectra, whatever the samples: what changes in them is the masks."""
    frames = np.random.default_rng(0).normal(size=(length, bands)).astype(np.float32).reshape(length // number, -1)
    return SoundPreparer(lambda _: frames, RATE, 160 * number, 3000, {}, bands=bands)


@pytest.mark.parametrize("number", [1, 2])
def test_masks_hide_few_bands_and_short_spans_with_the_mean(number):
    length, bands, preparer = 400, 80, spectra_of(400, 80, number=number)
    plain = preparer.describe(np.zeros(160, np.float32)).reshape(length, bands)
    hidden_bands, hidden_times = [], []
    for view in range(1, 60):
        found = heard_otherwise(preparer, seed=0, view=view, shifts=True).describe(np.zeros(160, np.float32))
        hidden = found.reshape(length, bands) != plain
        np.testing.assert_allclose(found.reshape(length, bands)[hidden], plain.mean(), rtol=1e-6)
        assert (hidden == (hidden.all(axis=0)[None] | hidden.all(axis=1)[:, None])).all()
        hidden_bands.append(int(hidden.all(axis=0).sum()))
        hidden_times.append(int(hidden.all(axis=1).sum()))
    assert 10 < max(hidden_bands) <= 2 * bands // 8
    assert 10 < max(hidden_times) <= 2 * 10  # 0.1 seconds each
    assert min(hidden_bands) < 5
    assert min(hidden_times) < 5


def test_short_windows_lose_at_most_a_twentieth_under_one_mask():
    preparer = spectra_of(40, 16)
    plain = preparer.describe(np.zeros(1, np.float32))
    for view in range(1, 40):
        found = heard_otherwise(preparer, seed=0, view=view, shifts=True).describe(np.zeros(1, np.float32))
        assert (found != plain).all(axis=1).sum() <= 4


def test_of_samples_bands_are_filtered_out_and_spans_fade_to_silence():
    samples = np.random.default_rng(0).normal(size=RATE).astype(np.float32)
    lost, silent = [], []
    for view in range(1, 30):
        found = SoundChange(seed=0, view=view, rate=RATE).silence(samples)
        power = np.square(np.abs(np.fft.rfft(found))) / np.square(np.abs(np.fft.rfft(samples)))
        lost.append(float((np.convolve(power, np.ones(50) / 50, "valid") < 0.05).mean()))
        silent.append(float((found == 0).mean()))
    assert 0.1 < max(lost) < 0.6  # two eighths of the mel scale are up to half of all frequencies
    assert 0.04 < max(silent) <= 0.1


def test_frames_stay_as_many_and_where_they_are():
    backbone = frame_backbone(backbones.load("toy:audio"), 10)
    view, items = augmented(backbone, 1), [*recordings(), Sound(tone(4.0), RATE)]
    assert view.preparer.settings["augmentation"]["shift"] is None
    assert augmented(backbones.load("toy:audio"), 1).preparer.settings["augmentation"]["shift"] == [0.05, 0.05]
    plain, other = backbone.prepare(items), view.prepare(items)
    assert plain.owner is not None
    assert torch.equal(plain.words.places, other.words.places)
    assert not torch.equal(plain.values, other.values)
    parts = [backbone.prepare(items[::2]), view.prepare(items[1::2])]
    both = interleave(parts, [np.array([0, 2, 4]), np.array([1, 3, 5])])
    found, alone = (
        backbone.forward(both),
        [each.forward(each.prepare([item])) for item, each in zip(items, [backbone, view] * 3, strict=True)],
    )
    torch.testing.assert_close(found, torch.cat(alone), rtol=1e-4, atol=1e-5)
