"""A recording in numbers that speech recognisers used before networks: statistics of its cepstra (MFCC).

Davis and Mermelstein (IEEE Transactions on Acoustics, Speech and Signal Processing, 1980): spectra of short frames on
the mel scale, their logarithm, and a cosine transform that takes neighbouring bands apart.
"""

from functools import cache
from typing import Final, TypeAlias

import numpy as np
import numpy.typing as npt
from scipy.fft import dct, rfft

__all__ = ["SOUND_RATE", "describe_sound", "sound_frames"]

Floats: TypeAlias = npt.NDArray[np.float64]

SOUND_RATE: Final = 16_000
_FRAME, _HOP = 400, 160  # 25 and 10 ms
_TRANSFORM = 512
_BANDS, _COEFFICIENTS = 40, 20
_AT_ONCE = 6000  # frames whose spectra are held at a time: a minute
_QUIETEST = 1e-10  # power of a band, for digital silence
_REACH = 2  # frames to each side that a delta is fitted to
_PARTS = 3


def describe_sound(samples: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Describe a recording by its cepstra, (D,).

    20 coefficients of 40 mel bands (frames of 25 ms every 10 ms, Hann window), their slopes over five frames and the
    slopes of these: mean and standard deviation over the recording (120 numbers); and the mean coefficients of its
    first, second and last third (60), without which words of the same sounds would be one.

    Args:
        samples: Mono samples (N,) at 16 kHz, from -1 to 1; what is shorter than a frame is filled with silence.

    Returns:
        180 finite numbers.
    """
    frames = sound_frames(samples)
    cepstra = frames[:, :_COEFFICIENTS]
    thirds = [part if len(part) else cepstra for part in np.array_split(cepstra, _PARTS)]
    means = [third.mean(axis=0) for third in thirds]
    return np.concatenate([frames.mean(axis=0), frames.std(axis=0), *means], dtype=np.float32)


def sound_frames(samples: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
    """Describe each frame of a recording by its cepstra, their slopes and the slopes of these, (T, 60).

    Args:
        samples: As for `describe_sound`.

    Returns:
        A row for every 10 ms of which a whole frame is there, at least one.
    """
    cepstra = _cepstra(samples)
    slopes = _slopes(cepstra)
    return np.hstack([cepstra, slopes, _slopes(slopes)])


def _cepstra(samples: npt.NDArray[np.float32]) -> Floats:
    """Coefficients of every frame, (T, 20)."""
    padded = samples if len(samples) >= _FRAME else np.pad(samples, (0, _FRAME - len(samples)))
    frames = np.lib.stride_tricks.sliding_window_view(padded, _FRAME)[::_HOP]
    return np.concatenate([_cepstra_of(frames[at : at + _AT_ONCE]) for at in range(0, len(frames), _AT_ONCE)])


def _cepstra_of(frames: npt.NDArray[np.float32]) -> Floats:
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(_FRAME) / _FRAME)
    power = np.abs(rfft(frames * window, _TRANSFORM, axis=1)) ** 2
    bands = np.log(np.maximum(power @ _filters().T, _QUIETEST))
    return np.asarray(dct(bands, axis=1, norm="ortho")[:, :_COEFFICIENTS])


@cache
def _filters() -> Floats:
    """Triangles evenly spaced in mel from 0 to 8 kHz, (bands, frequencies), each with a peak of 1."""
    top = 2595 * np.log10(1 + SOUND_RATE / 2 / 700)
    edges = 700 * (10 ** (np.linspace(0, top, _BANDS + 2) / 2595) - 1)
    frequencies = np.arange(_TRANSFORM // 2 + 1) * SOUND_RATE / _TRANSFORM
    left, peak, right = (edges[start : start + _BANDS, None] for start in range(3))
    rising, falling = (frequencies - left) / (peak - left), (right - frequencies) / (right - peak)
    return np.maximum(0, np.minimum(rising, falling))


def _slopes(values: Floats) -> Floats:
    """Least-squares slope over five frames, the first and the last repeated beyond the ends."""
    n = len(values)
    padded = np.pad(values, ((_REACH, _REACH), (0, 0)), mode="edge")
    steps = range(1, _REACH + 1)
    ahead_less_behind = sum(k * (padded[_REACH + k :][:n] - padded[_REACH - k :][:n]) for k in steps)
    return np.asarray(ahead_less_behind / (2 * sum(k * k for k in steps)))
