"""Augmented views of sounds: the same network hears a recording a little louder or softer, later, in noise, in part.

The samples get noise, a gain and a small shift, which keep their number; then spans of bands and of time are masked in
the spectra (SpecAugment: Park et al., Interspeech 2019), with the mean of their window. Where a network takes samples
as they are, a mask of bands is a band-stop filter, and one of time silence. All of it is lighter than in training from
scratch, because a view is drawn once and stored.

A recording's frames stay where they are in every view, so that timings hold; where a network gives features of frames,
as for transcription, nothing is cut off either: there is no shift, and what is masked is shorter than a word.
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Final, final

import numpy as np
from numpy.typing import NDArray

from headstart.backbones._sounds import Samples, SoundPreparer

NOISE: Final = (15.0, 30.0)  # decibels of the signal over white or pink noise
GAIN: Final = (-6.0, 6.0)  # decibels
SHIFT: Final = (0.05, 0.05)  # share of the recording, and seconds, that are cut off at one end at most
MASKS: Final = 2  # of bands, and as many of time
BANDS: Final = 1 / 8  # share of the bands under one mask at most
SPAN: Final = (0.05, 0.1)  # share of the window, and seconds, under one mask at most
FADE: Final = 0.005  # seconds in which samples go to silence and back
PERIOD: Final = 2**17  # samples after which noise repeats, so that long recordings take no more memory
VERSION: Final = 1  # raised where the same seed gives other views, so that stored rows are not mixed


def heard_otherwise(preparer: SoundPreparer, *, seed: int, view: int, shifts: bool) -> SoundPreparer:
    """Return a preparer of one augmented view.

    Args:
        preparer: Of the plain view.
        seed: Other seeds give other views.
        view: Its number, from 1.
        shifts: Whether recordings are shifted in time, which cuts off a little at one end.

    Returns:
        A preparer of windows and frames of the same numbers. The same recording gives the same view, whatever else is
        read.
    """
    change = SoundChange(seed=seed, view=view, rate=preparer.rate, shifts=shifts)
    describe = partial(_described_silenced, change, preparer.describe)
    if preparer.bands:
        describe = partial(_described_masked, change, preparer)
    settings = {**preparer.settings, "augmentation": change.settings}
    return replace(preparer, change=change, describe=describe, settings=settings)


@final
@dataclass(frozen=True)
class SoundChange:
    """Noise, gain and shift, and masks; fixed by seed, view and the samples.

    Attributes:
        seed: Other seeds give other views.
        view: Its number.
        rate: Samples per second.
        shifts: Whether recordings are shifted in time.
    """

    seed: int
    view: int
    rate: int
    shifts: bool = True

    @property
    def settings(self) -> dict[str, Any]:
        """Everything that changes the result, as JSON values."""
        return {
            "version": VERSION,
            "seed": self.seed,
            "view": self.view,
            "noise": list(NOISE),
            "gain": list(GAIN),
            "shift": list(SHIFT) if self.shifts else None,
            "masks": [MASKS, BANDS, *SPAN],
        }

    def __call__(self, samples: Samples) -> Samples:
        """Shift, add noise and change the loudness; what does not clip still does not."""
        rng = self.generator(samples)
        shift = self._draw_shift(len(samples), rng)
        changed = _shifted(samples, shift if self.shifts else 0)
        power = float(np.square(samples, dtype=np.float64).mean())
        decibels, pink, gain = rng.uniform(*NOISE), rng.random() < 0.5, 10 ** (rng.uniform(*GAIN) / 20)
        if power > 0:
            level = (power / 10 ** (decibels / 10)) ** 0.5
            changed = changed + np.float32(level) * _noise(len(samples), rng, pink=pink)
        loudest = max(1.0, float(np.abs(samples).max()))
        return changed * np.float32(min(gain, loudest / max(1e-9, float(np.abs(changed).max()))))

    def generator(self, samples: Samples) -> np.random.Generator:
        """Return the random numbers of a view of these samples."""
        digest = hashlib.sha256(np.ascontiguousarray(samples, dtype="<f4").tobytes()).digest()
        return np.random.default_rng([self.seed, self.view, *np.frombuffer(digest, dtype="<u4").tolist()])

    def mask(self, spectra: NDArray[np.float32], *, seconds: float, rng: np.random.Generator) -> None:
        """Mask bands and spans of time, in place, with the mean.

        Args:
            spectra: (T, bands).
            seconds: From one spectrum to the next.
            rng: Draws the masks.
        """
        mean, (length, bands) = spectra.mean(), spectra.shape
        for _ in range(MASKS):
            spectra[:, _draw_span(bands, BANDS * bands, rng)] = mean
            spectra[_draw_span(length, min(SPAN[0] * length, SPAN[1] / seconds), rng)] = mean

    def silence(self, samples: Samples) -> Samples:
        """Filter bands out of the samples of one window, each a share of the mel scale, and fade spans to silence."""
        rng, count = self.generator(samples), len(samples)
        spectrum = np.fft.rfft(samples)
        mels = np.log1p(np.arange(len(spectrum)) * self.rate / count / 700)
        for _ in range(MASKS):
            width = mels[-1] * rng.uniform(0, BANDS)
            start = rng.uniform(0, mels[-1] - width)
            spectrum[(mels >= start) & (mels < start + width)] = 0
        changed, places = np.fft.irfft(spectrum, n=count), np.arange(count)
        for _ in range(MASKS):
            span = _draw_span(count, min(SPAN[0] * count, SPAN[1] * self.rate), rng)
            beside = np.maximum(span.start - places, places - span.stop + 1)  # samples to the span, up to 0 inside
            changed *= np.clip(beside / (FADE * self.rate), 0, 1) if span.stop > span.start else 1
        return changed.astype(np.float32)

    def _draw_shift(self, count: int, rng: np.random.Generator) -> int:
        most = int(min(SHIFT[0] * count, SHIFT[1] * self.rate))
        return int(rng.integers(-most, most + 1))


def _described_masked(change: SoundChange, preparer: SoundPreparer, samples: Samples) -> NDArray[np.float32]:
    """Describe one window and mask its spectra; a channel after them marks which frames hold sound."""
    frames, bands = np.array(preparer.describe(samples), dtype=np.float32), preparer.bands
    number, marked = divmod(frames.shape[1], bands)
    real = frames[:, number * bands] > 0.5 if marked else np.ones(len(frames), dtype=bool)
    spectra = frames[real, : number * bands].reshape(-1, bands)
    change.mask(spectra, seconds=preparer.step / preparer.rate / number, rng=change.generator(samples))
    frames[real, : number * bands] = spectra.reshape(-1, number * bands)
    return frames


def _described_silenced(
    change: SoundChange, describe: Callable[[Samples], NDArray[np.float32]], samples: Samples
) -> NDArray[np.float32]:
    return describe(change.silence(samples))


def _shifted(samples: Samples, by: int) -> Samples:
    """Move samples to a later place, or an earlier one, with silence where none are left."""
    shifted = np.zeros_like(samples)
    if by >= 0:
        shifted[by:] = samples[: len(samples) - by]
    else:
        shifted[:by] = samples[-by:]
    return shifted


def _noise(count: int, rng: np.random.Generator, *, pink: bool) -> Samples:
    """Draw noise of power 1: of the same power at all frequencies, or in all octaves."""
    noise = rng.standard_normal(min(count, PERIOD))
    if pink:
        spectrum = np.fft.rfft(noise)
        noise = np.fft.irfft(spectrum / np.sqrt(np.maximum(1, np.arange(len(spectrum)))), n=len(noise))
    noise /= np.sqrt(np.square(noise).mean()) or 1
    return np.resize(noise, count).astype(np.float32)


def _draw_span(count: int, most: float, rng: np.random.Generator) -> slice:
    """Draw a span of at most so many of the places."""
    width = int(rng.uniform(0, most + 1))
    start = int(rng.integers(count - min(width, count) + 1))
    return slice(start, start + min(width, count))
