"""What a room, a microphone and a telephone do to a clip: `augmented(samples, frames, source)`.

Nothing stretches or shifts a clip, but for silence put before it in whole frames, with labels added; so a frame's label
stays true. Echo makes a sound last into the next label, as it does in a room.
"""

from typing import Final

import numpy as np
from scipy.signal import fftconvolve, firwin, lfilter

from recipes.audio_small._tones import SAMPLE_RATE, Array, Source, noise
from recipes.audio_small.shards import HOP

TELEPHONE: Final = firwin(127, 3800, fs=SAMPLE_RATE)  # what a recording at 8 kHz keeps
LONGEST_PAD: Final = 25  # frames: half a second before, half a second after


def echo(samples: Array, source: Source) -> Array:
    """Add a room: exponentially decaying noise, as strong as to be heard or hardly."""
    length = int(SAMPLE_RATE * source.uniform(0.05, 0.5))
    reply = source.standard_normal(length) * np.exp(-6.9 * np.arange(length) / length)
    reply[: int(source.integers(20, 200))] = 0
    if source.random() < 0.7:
        reply = lfilter([0.4], [1, -0.6], reply)
    reply *= source.uniform(0.1, 0.9) / (np.linalg.norm(reply) + 1e-9)
    reply[0] = 1
    return fftconvolve(samples, reply)[: len(samples)]


def tilted(samples: Array, source: Source) -> Array:
    """Raise and lower bands: a random smooth curve of up to 10 dB over frequency, by a short symmetric filter."""
    points = np.interp(np.linspace(0, 1, 65), np.linspace(0, 1, 6), source.uniform(-10, 10, 6))
    response = np.fft.irfft(10 ** (points / 20))
    return fftconvolve(samples, np.roll(response, 64) * np.hanning(128), "same")


def noisy(samples: Array, source: Source) -> Array:
    """Add noise of a random colour, 0 to 30 dB below the clip."""
    low, high = np.sort(np.exp(source.uniform(np.log(40), np.log(7900), 2)))
    low, high = (40, 7900) if source.random() < 0.6 else (low, high + 200)
    level = np.sqrt(np.mean(samples**2)) * 10 ** (-source.uniform(0, 30) / 20)
    return samples + level * noise(source, len(samples), source.uniform(-1.5, 0.3), low, high)


def narrowed(samples: Array, source: Source) -> Array:
    """Keep what is below 4 kHz; sometimes take the lowest notes too, as a telephone does."""
    kept = fftconvolve(samples, TELEPHONE, "same")
    return lfilter([0.95, -0.95], [1, -0.9], kept) if source.random() < 0.3 else kept


def coded(samples: Array, source: Source) -> Array:
    """Round as mu-law or as few bits do."""
    peak = np.abs(samples).max() + 1e-9
    if source.random() < 0.5:
        steps = np.round(127 * np.log1p(255 * np.abs(samples) / peak) / np.log(256)) / 127
        return np.sign(samples) * np.expm1(steps * np.log(256)) / 255 * peak
    levels = 2 ** source.integers(6, 11)
    return np.round(samples / peak * levels) / levels * peak


def louder(samples: Array, source: Source) -> Array:
    """Set the peak between -40 and 0 dB, loud ones likelier; clip a few."""
    peak = np.abs(samples).max() + 1e-9
    gain = 10 ** (-40 * source.beta(1, 2) / 20) / peak
    if source.random() < 0.05:
        gain *= source.uniform(1.5, 6)
    return (samples * gain).clip(-1, 1)


def padded(samples: Array, frames: Array, source: Source) -> tuple[Array, Array]:
    """Put silence before and after, in whole frames, with labels of silence."""
    before, after = (int(each) for each in source.integers(0, LONGEST_PAD + 1, 2))
    filled = -(-len(samples) // HOP) * HOP - len(samples)
    label = 255 if len(frames) and frames[0] == 255 else 0
    samples = np.pad(samples, (before * HOP, filled + after * HOP))
    return samples, np.pad(frames, (before, after), constant_values=label)


def augmented(samples: Array, frames: Array, source: Source) -> tuple[Array, Array]:
    """Change a clip.

    Args:
        samples: At 16 kHz.
        frames: Labels, one for each 320 samples begun.
        source: Where all choices come from.

    Returns:
        The changed samples (float32 within -1 and 1, a whole number of frames) and their labels.
    """
    out = np.asarray(samples, np.float64)
    if source.random() < 0.7:
        out, frames = padded(out, frames, source)
    for step, share in ((echo, 0.5), (tilted, 0.5), (noisy, 0.6), (narrowed, 0.5), (coded, 0.2)):
        if source.random() < share:
            out = step(out, source)
    floor = 10 ** (-source.uniform(50, 90) / 20) * np.abs(out).max(initial=0)
    out = louder(out + floor * source.standard_normal(len(out)), source)
    filled = len(frames) * HOP - len(out)
    return np.pad(out, (0, filled)).astype(np.float32), frames
