"""Corruptions of recordings: noise, a room, a low-pass filter, the telephone.

* **Noise**: pink (of equal power in every octave, as most backgrounds nearly are), 20, 10 or 0 dB below the power of
  the whole recording.
* **Reverb**: convolution with a synthetic room impulse response: the direct sound, then after 2 ms Gaussian noise that
  decays exponentially, by 60 dB in the reverberation time T: h(t) = n(t) 10^(-3 t / T) (the statistical model of
  Polack, La transmission de l'energie sonore dans les salles, 1988). Every recording gets a room of its own. The
  severities are a furnished room, a hall and a church: T = 0.3, 0.6 and 1.2 s, with the direct sound 6 dB above the
  rest, equal to it, and 6 dB below.
* **Low-pass**: nothing above 3,000, 2,000 or 1,000 Hz is left, as through a wall or a muffled microphone.
* **Telephone**: nothing below 300 and above 3,400 Hz, and mu-law companding (ITU-T G.711) in 8, 6 or 4 bits; 8 is the
  telephone, fewer a poor line.

The number of samples stays what it is, so that times do, and so does the power after reverb. A silent recording, and a
filter above half the recording's rate, change nothing.
"""

from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray

from headstart.corruptions._base import Corruption
from headstart.data import Sound

NOISE: Final = (20.0, 10.0, 0.0)  # decibels of the recording over the noise
REVERB: Final = ((0.3, 6.0), (0.6, 0.0), (1.2, -6.0))  # reverberation time in seconds, direct over the rest in decibels
GAP: Final = 0.002  # seconds between the direct sound and the rest
LOW_PASS: Final = (3000.0, 2000.0, 1000.0)  # Hz
TELEPHONE: Final = (300.0, 3400.0)  # Hz
BITS: Final = (8, 6, 4)
_MU: Final = 255
_TRANSITION: Final = 250.0  # Hz from what passes to what does not
_PERIOD: Final = 2**17  # samples after which noise repeats, so that long recordings take no more memory

Samples = NDArray[np.float32]  # (N,)


def noise(sound: Sound, severity: int, rng: np.random.Generator) -> Sound:
    """Add pink noise at a signal-to-noise ratio."""
    level = (_power(sound.samples) / 10 ** (NOISE[severity - 1] / 10)) ** 0.5
    return _like(sound, sound.samples + level * _pink(len(sound.samples), rng))


def reverb(sound: Sound, severity: int, rng: np.random.Generator) -> Sound:
    """Put the recording into a room."""
    response = room(*REVERB[severity - 1], rate=sound.rate, rng=rng)
    heard = _convolved(sound.samples, response, mode="full")[: len(sound.samples)]
    return _like(sound, heard * (_power(sound.samples) / (_power(heard) or 1.0)) ** 0.5)


def room(seconds: float, decibels: float, *, rate: int, rng: np.random.Generator) -> NDArray[np.float64]:
    """Return a synthetic room impulse response.

    Args:
        seconds: Reverberation time, in which the level falls by 60 dB.
        decibels: Energy of the direct sound over that of the rest.
        rate: Samples per second.
        rng: Draws the room.

    Returns:
        (seconds x rate,) samples, the first of which is the direct sound, 1.
    """
    times = np.arange(round(seconds * rate)) / rate
    response = rng.standard_normal(len(times)) * 10 ** (-3 * times / seconds)
    response[times < GAP] = 0
    response *= (10 ** (-decibels / 10) / np.square(response).sum()) ** 0.5
    response[0] = 1
    return response


def low_pass(sound: Sound, severity: int, rng: np.random.Generator) -> Sound:
    """Take away what is high; what is drawn by chance is nothing."""
    del rng
    return _like(sound, _filtered(sound, high=LOW_PASS[severity - 1]))


def telephone(sound: Sound, severity: int, rng: np.random.Generator) -> Sound:
    """Keep the band of a telephone, in a few bits; what is drawn by chance is nothing."""
    del rng
    samples = _filtered(sound, low=TELEPHONE[0], high=TELEPHONE[1])
    full = max(1.0, float(np.abs(samples).max()))
    steps = 2 ** (BITS[severity - 1] - 1)
    compressed = np.log1p(_MU * np.abs(samples) / full) / np.log1p(_MU)
    rounded = np.rint(compressed * (steps - 1)) / (steps - 1)
    return _like(sound, np.sign(samples) * full * np.expm1(rounded * np.log1p(_MU)) / _MU)


SOUND_CORRUPTIONS: Final = (
    Corruption("noise", ("20 dB", "10 dB", "0 dB"), noise),
    Corruption("reverb", ("0.3 s, 6 dB", "0.6 s, 0 dB", "1.2 s, -6 dB"), reverb),
    Corruption("low-pass", ("3,000 Hz", "2,000 Hz", "1,000 Hz"), low_pass),
    Corruption("telephone", ("8 bits", "6 bits", "4 bits"), telephone),
)


def _like(sound: Sound, samples: NDArray[Any]) -> Sound:
    return Sound(np.asarray(samples, dtype=np.float32), sound.rate)


def _power(samples: NDArray[Any]) -> float:
    return float(np.square(samples, dtype=np.float64).mean())


def _pink(count: int, rng: np.random.Generator) -> Samples:
    """Draw noise of power 1, the same in all octaves."""
    spectrum = np.fft.rfft(rng.standard_normal(min(max(count, 2), _PERIOD)))
    spectrum[0] = 0
    drawn = np.fft.irfft(spectrum / np.sqrt(np.maximum(1, np.arange(len(spectrum)))))
    return np.resize(drawn / (_power(drawn) or 1.0) ** 0.5, count).astype(np.float32)


def _filtered(sound: Sound, *, low: float | None = None, high: float) -> Samples:
    """Keep what lies between two frequencies, by a filter that delays nothing."""
    from scipy import signal

    reaches = high < sound.rate / 2
    if low is None and not reaches:
        return sound.samples
    taps = 2 * round(1.65 * sound.rate / _TRANSITION) + 1  # a Hamming window needs 3.3 / taps of the rate
    edges = [edge for edge in (low, high if reaches else None) if edge is not None]
    response = signal.firwin(taps, edges, pass_zero=low is None, fs=sound.rate)
    return _convolved(sound.samples, response, mode="same")


def _convolved(samples: Samples, response: NDArray[np.float64], *, mode: Literal["full", "same"]) -> Samples:
    """Convolve piece by piece, which takes no more memory than a few times the recording."""
    from scipy import signal

    return np.asarray(signal.oaconvolve(samples.astype(np.float64), response, mode=mode), dtype=np.float32)
