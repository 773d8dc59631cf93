"""The parts that sounds are made of: coloured noise, slow random curves, harmonics, resonators, ringing modes."""

from typing import Final

import numpy as np
from scipy.signal import lfilter

SAMPLE_RATE: Final = 16000
Source = np.random.Generator
Array = np.ndarray


def log_uniform(source: Source, low: float, high: float, size: int | None = None) -> Array:
    """Draw evenly on a logarithmic scale."""
    return np.exp(source.uniform(np.log(low), np.log(high), size))


def seconds(n: int) -> Array:
    """The time of each sample."""
    return np.arange(n) / SAMPLE_RATE


def placed(samples: Array) -> Array:
    """Scale to a peak of 1; what is all but silent stays."""
    peak = np.abs(samples).max(initial=0)
    return samples / peak if peak > 1e-9 else samples


def noise(source: Source, n: int, slope: float, low: float, high: float) -> Array:
    """Noise with amplitude as frequency to the power of slope, within a band with soft edges; its spread is 1."""
    size = 1 << (n - 1).bit_length()
    frequency = np.fft.rfftfreq(size, 1 / SAMPLE_RATE)[1:]
    shape = (frequency / 1000) ** slope / np.sqrt((1 + (low / frequency) ** 8) * (1 + (frequency / high) ** 8))
    spectrum = np.zeros(size // 2 + 1, np.complex64)
    parts = source.standard_normal((2, len(shape)), np.float32)
    spectrum[1:] = (parts[0] + 1j * parts[1]) * shape.astype(np.float32)
    made = np.fft.irfft(spectrum, size)[:n]
    return made / (made.std() + 1e-12)


def drift(source: Source, n: int, pace: float, floor: float) -> Array:
    """A smooth random curve between floor and 1 with about so many turns a second."""
    points = max(4, int(n / SAMPLE_RATE * pace * 2) + 3)
    values = source.uniform(floor, 1, points)
    at = np.linspace(0, points - 1.001, n)
    left = at.astype(int)
    t = at - left
    t = t * t * (3 - 2 * t)
    return values[left] * (1 - t) + values[left + 1] * t


def phase(pitch: Array) -> Array:
    """Phase of a tone of changing pitch in Hz."""
    return np.cumsum(pitch) * (2 * np.pi / SAMPLE_RATE)


def harmonics(turns: Array, strength: Array) -> Array:
    """Add harmonics of a phase by Chebyshev's recurrence, none above 7.8 kHz."""
    # cos(k t) = 2 cos(t) cos((k - 1) t) - cos((k - 2) t): one multiplication a harmonic instead of one cosine.
    highest = (turns[-1] - turns[0]) / (2 * np.pi * max(1, len(turns) - 1)) * SAMPLE_RATE
    count = max(1, min(len(strength), int(7800 / max(highest, 1))))
    once = np.cos(turns)
    before, now, out = np.ones_like(once), once, strength[0] * once
    for value in strength[1:count]:
        before, now = now, 2 * once * now - before
        out = out + value * now
    return out


def bumps(source: Source, n: int, rate: float) -> Array:
    """Ones at random times, about rate a second, zeros elsewhere."""
    out = np.zeros(n)
    out[source.integers(0, n, source.poisson(rate * n / SAMPLE_RATE))] = 1
    return out


def resonators(samples: Array, frequency: Array, radius: Array) -> Array:
    """Two-pole resonators side by side, each scaled to the same strength."""
    out = np.zeros(len(samples))
    for centre, r in zip(frequency, radius, strict=True):
        a = [1, -2 * r * np.cos(2 * np.pi * centre / SAMPLE_RATE), r * r]
        out += lfilter([(1 - r * r) * 0.5], a, samples)
    return out


def modes(source: Source, n: int, frequency: Array, decay: float) -> Array:
    """What a struck body rings with: decaying sines, higher ones shorter."""
    t = seconds(n)
    length = decay * source.uniform(0.5, 1.5, len(frequency)) * (frequency.min() / frequency) ** 0.5
    starts = source.uniform(0, 6.3, len(frequency))
    rings = np.exp(-t[:, None] / length) * np.sin(2 * np.pi * frequency * t[:, None] + starts)
    return np.asarray(rings @ source.uniform(0.2, 1, len(frequency)))
