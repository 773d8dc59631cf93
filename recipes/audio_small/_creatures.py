"""The sounds of animals and people among the synthetic sounds: chirps, calls of pulses through formants, coughs."""

import numpy as np

from recipes.audio_small._tones import SAMPLE_RATE as RATE
from recipes.audio_small._tones import Array, Source, harmonics, log_uniform, noise, phase, placed, resonators


def birds(source: Source, n: int) -> Array:
    """Short high chirps in groups, each a quick glide with a wobble."""
    out = np.zeros(n)
    low = log_uniform(source, 1500, 4500)
    length = int(RATE * source.uniform(0.04, 0.25))
    bend, wobble, speed = source.uniform(-1, 1), source.uniform(0, 0.15), source.uniform(10, 60)
    for at in np.sort(source.integers(0, max(1, n - length), int(source.integers(2, 16)))):
        t = np.linspace(0, 1, length)
        pitch = low * source.uniform(0.9, 1.1) * 2 ** (bend * t + wobble * np.sin(speed * t)) * np.ones(length)
        out[at : at + length] += (
            harmonics(phase(pitch), np.array([1, 0.15])) * np.hanning(length) * source.uniform(0.3, 1)
        )
    return out


def insects(source: Source, n: int) -> Array:
    """Crickets and cicadas: a high tone or band beaten fast, in bursts."""
    carrier = np.sin(phase(np.full(n, log_uniform(source, 2500, 7500)))) + source.uniform(0, 1) * noise(
        source, n, 0, 3000, 7900
    )
    beat = (0.5 + 0.5 * np.sin(phase(np.full(n, source.uniform(15, 120))))) ** 2
    return carrier * beat * (np.sin(phase(np.full(n, source.uniform(0.5, 4)))) > source.uniform(-1, 0.5))


def _calls(source: Source, n: int, pitch: tuple[float, float], length: tuple[float, float], glide: float) -> Array:
    """Voiced pulses through three formants, each with a rise and fall of pitch."""
    out, formants = np.zeros(n), log_uniform(source, 350, 3800, 3)
    base, rough = log_uniform(source, *pitch), source.uniform(0.05, 0.6)
    at = int(source.uniform(0, 0.3) * RATE)
    while at < n - 800:
        size = min(n - at, int(RATE * source.uniform(*length)))
        arch = np.sin(np.linspace(0, np.pi, size))
        turns = phase(base * source.uniform(0.9, 1.1) * 2 ** (glide * (arch - 0.5) + source.uniform(-0.1, 0.1)))
        voiced = harmonics(turns, np.arange(1, 30) ** -0.8) + rough * source.standard_normal(size)
        out[at : at + size] += (
            resonators(voiced, formants * source.uniform(0.95, 1.05), np.array([0.97, 0.96, 0.94])) * arch**0.5
        )
        at += size + int(RATE * source.uniform(0.05, 0.9))
    return out


def barks(source: Source, n: int) -> Array:
    """Dog-like: short rough pulses that fall in pitch."""
    return _calls(source, n, (150, 700), (0.08, 0.3), source.uniform(0.3, 1.2))


def crows(source: Source, n: int) -> Array:
    """Rooster-like and other long calls of animals: cows, cats, sheep."""
    return _calls(source, n, (120, 1000), (0.3, 1.4), source.uniform(-0.5, 1.2))


def crying(source: Source, n: int) -> Array:
    """A baby's cries: long harmonic glides at 300 to 600 Hz, with breath between."""
    return (
        _calls(source, n, (280, 620), (0.4, 1.3), source.uniform(0.2, 0.7))
        + placed(noise(source, n, -0.5, 500, 4000)) * 0.02
    )


def laughs(source: Source, n: int) -> Array:
    """Quick even voiced bursts."""
    return _calls(source, n, (130, 450), (0.07, 0.14), source.uniform(0, 0.5))


def coughs(source: Source, n: int) -> Array:
    """Sneezes, coughs and breaths: bursts of shaped noise with a sharp start, sometimes with an intake before."""
    out = np.zeros(n)
    for at in source.integers(0, max(1, n - 8000), int(source.integers(1, 4))):
        size = min(n - int(at), int(RATE * source.uniform(0.15, 0.6)))
        t = np.linspace(0, 1, size)
        shape = t ** source.uniform(0.02, 0.7) * np.exp(-t * source.uniform(2, 9))
        burst = source.standard_normal(size) + source.uniform(0, 1) * np.sign(
            np.sin(phase(np.full(size, source.uniform(80, 300))))
        )
        out[at : at + size] += resonators(
            burst * shape, log_uniform(source, 400, 6000, 4), source.uniform(0.75, 0.96, 4)
        )
    return out
