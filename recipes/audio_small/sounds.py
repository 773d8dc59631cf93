"""Synthetic sounds: `sound(seed, index)` gives one to five seconds of one of FAMILIES, or of two mixed, at 16 kHz.

Every family is a function of a random source and a number of samples, with wide random parameters. None imitates a
recording; they are there so that the teacher is heard on more than speech, and what they sound like to it is its label.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np
from scipy.signal import fftconvolve, lfilter

from recipes.audio_small._creatures import barks, birds, coughs, crows, crying, insects, laughs
from recipes.audio_small._tones import SAMPLE_RATE as RATE
from recipes.audio_small._tones import (
    Array,
    Source,
    bumps,
    drift,
    harmonics,
    log_uniform,
    modes,
    noise,
    phase,
    placed,
    resonators,
    seconds,
)

Family = Callable[[Source, int], Array]
SHORTEST, LONGEST = 1.0, 5.0
LOUDEST: Final = 0.7
MIXED: Final = 0.25  # share of clips that are two families


@dataclass(frozen=True)
class Sound:
    """A synthetic sound.

    Attributes:
        samples: float32 at 16 kHz.
        family: Number in ``NAMES``; of a mixture, of the louder part.
        second: Of the other part, or -1.
    """

    samples: Array
    family: int
    second: int


def coloured_noise(source: Source, n: int) -> Array:
    """Noise with a random slope, a random band and a slow envelope."""
    slope = source.uniform(-2, 0.5)
    return noise(source, n, slope, *np.sort(log_uniform(source, 30, 7900, 2))) * drift(source, n, 3, 0.1)


def rain(source: Source, n: int) -> Array:
    """Many small drops through resonators, over a bed of noise."""
    drops = bumps(source, n, log_uniform(source, 50, 3000)) * source.exponential(1, n)
    heard = resonators(drops, log_uniform(source, 800, 7000, 5), source.uniform(0.9, 0.985, 5))
    return placed(heard) + source.uniform(0.05, 0.8) * placed(noise(source, n, source.uniform(-0.7, 0.3), 300, 7900))


def crackle(source: Source, n: int) -> Array:
    """Fire: rare sharp clicks of very different size over a rumble that breathes."""
    clicks = bumps(source, n, log_uniform(source, 3, 60)) * source.pareto(1.5, n).clip(0, 20)
    heard = resonators(clicks, log_uniform(source, 700, 6000, 4), source.uniform(0.7, 0.97, 4))
    rumble = noise(source, n, -1.5, 30, 2500) * drift(source, n, 6, 0.2)
    return placed(heard) + source.uniform(0.02, 0.5) * placed(rumble)


def wind(source: Source, n: int) -> Array:
    """Noise in a band whose place and loudness wander; sometimes it whistles."""
    lows = log_uniform(source, 60, 900, 4)
    parts = [noise(source, n, -1, low, 3 * low) * drift(source, n, source.uniform(0.5, 3), 0) ** 2 for low in lows]
    pitch = log_uniform(source, 300, 1200) * (0.8 + 0.4 * drift(source, n, 1, 0))
    whistle = np.sin(phase(pitch)) * drift(source, n, 2, 0) ** 3
    return sum(map(placed, parts), np.zeros(n)) + source.choice((0, 0, 0.5)) * whistle


def waves(source: Source, n: int) -> Array:
    """The sea: noise that rises, breaks and runs out, brighter when it is louder."""
    swell = 0.5 + 0.5 * np.sin(phase(np.full(n, source.uniform(0.1, 0.5))) + source.uniform(0, 6.3))
    swell = swell ** source.uniform(1, 4) * drift(source, n, 1, 0.4) + source.uniform(0.02, 0.2)
    foam = placed(noise(source, n, -0.3, 500, 7500)) * swell**2
    return placed(noise(source, n, -1, 40, 900)) * swell + foam * source.uniform(0.3, 1.5)


def engine(source: Source, n: int) -> Array:
    """A motor: harmonics of a firing rate that changes, with noise in the same rhythm."""
    turns = phase(log_uniform(source, 12, 120) * (0.6 + 0.8 * drift(source, n, source.uniform(0.2, 1.5), 0.2)))
    strength = np.arange(1, 25) ** -source.uniform(0.5, 1.8) * source.uniform(0.2, 1, 24)
    pulse = (0.5 + 0.5 * np.cos(turns)) ** source.uniform(1, 8)
    hiss = noise(source, n, -0.5, 80, log_uniform(source, 800, 7500))
    return harmonics(turns, strength) + source.uniform(0.1, 1.5) * pulse * hiss


def chain_saw(source: Source, n: int) -> Array:
    """A two-stroke motor: a buzzing pulse train at 60 to 220 Hz through fixed resonances, revved up and down."""
    speed = log_uniform(source, 60, 220) * (0.5 + drift(source, n, source.uniform(0.4, 2.5), 0.1))
    turns = phase(speed)
    buzz = np.sign(np.sin(turns) - source.uniform(-0.6, 0.6)) + 0.5 * ((turns / np.pi) % 2 - 1)
    buzz = buzz * (1 + 0.3 * np.sin(turns / 2)) + source.uniform(0.1, 0.7) * source.standard_normal(n)
    heard = resonators(buzz, log_uniform(source, 300, 5500, 5), source.uniform(0.8, 0.96, 5))
    return buzz * source.uniform(0, 0.4) + heard


def helicopter(source: Source, n: int) -> Array:
    """Low thumps 8 to 25 times a second, with noise chopped in the same rhythm and a turbine's whine."""
    turns = phase(source.uniform(8, 25) * (0.95 + 0.1 * drift(source, n, 0.5, 0)))
    chop = (0.5 + 0.5 * np.cos(turns)) ** source.uniform(2, 12)
    body = noise(source, n, -1.5, 25, 300) + source.uniform(0.1, 0.8) * noise(source, n, -0.5, 200, 5000)
    turbine = phase(np.full(n, log_uniform(source, 300, 2500)))
    whine = source.uniform(0, 0.15) * harmonics(turbine, np.array([1, 0.4, 0.2]))
    return body * (chop + source.uniform(0.05, 0.4)) + whine + source.uniform(0, 1) * np.sin(turns * 2) * chop


def ticks(source: Source, n: int) -> Array:
    """A clock: short resonant clicks at an even pace, each second one different."""
    step = int(RATE / source.uniform(1, 6))
    train = np.zeros(n)
    at = np.arange(int(source.integers(step)), n, step)
    train[at] = 1
    tick = modes(source, 1500, log_uniform(source, 1000, 7000, 6), 0.02)
    tock = modes(source, 1500, log_uniform(source, 800, 6000, 6), 0.02) * source.uniform(0.2, 1)
    train[at[1::2]] = 0
    second = np.zeros(n)
    second[at[1::2]] = 1
    return fftconvolve(train, tick)[:n] + fftconvolve(second, tock)[:n]


def _struck(source: Source, n: int, low: float, high: float, decay: float) -> Array:
    train = bumps(source, n, log_uniform(source, 0.5, 6)) * source.uniform(0.3, 1, n)
    if not train.any():
        train[n // 4] = 1
    length = min(n, int(decay * 5 * RATE) + 200)
    partials = log_uniform(source, low, high, int(source.integers(4, 16)))
    return fftconvolve(train, modes(source, length, partials, decay))[:n]


def wood(source: Source, n: int) -> Array:
    """Knocks on wood: low, quickly damped."""
    return _struck(source, n, 80, 1500, log_uniform(source, 0.01, 0.06))


def glass(source: Source, n: int) -> Array:
    """Glass: high, ringing; with breaking noise sometimes."""
    broken = noise(source, n, 0.2, 2000, 7900) * np.exp(-seconds(n) / source.uniform(0.05, 0.4))
    struck = _struck(source, n, 1500, 7500, log_uniform(source, 0.05, 0.5))
    return placed(struck) + source.choice((0, 0, 1)) * broken


def metal(source: Source, n: int) -> Array:
    """Metal plates: many inharmonic modes, long."""
    return _struck(source, n, 200, 7000, log_uniform(source, 0.1, 1.2))


def bells(source: Source, n: int) -> Array:
    """Church and hand bells: the usual partials of a bell, one to four strokes."""
    partials = np.array([0.5, 1, 1.2, 1.5, 2, 2.5, 3, 4, 5.4]) * source.uniform(0.99, 1.01, 9)
    partials = partials * log_uniform(source, 120, 1500)
    out = np.zeros(n)
    for at in source.integers(0, max(1, n - 4000), int(source.integers(1, 5))):
        stroke = modes(source, n - int(at), partials[partials < 7800], source.uniform(0.3, 2.5))
        out[at:] += stroke * source.uniform(0.4, 1)
    return out


def tones(source: Source, n: int) -> Array:
    """Frequency modulation with a falling or wobbling index."""
    carrier, ratio = log_uniform(source, 80, 3000), source.choice((0.5, 1, 1.41, 2, 3, 3.5, 5))
    index = source.uniform(0.5, 8) * drift(source, n, 2, 0)
    return np.sin(phase(np.full(n, carrier)) + index * np.sin(phase(np.full(n, carrier * ratio)))) * drift(
        source, n, 3, 0.1
    )


def chords(source: Source, n: int) -> Array:
    """Two to five harmonic tones held together: organ, strings, horn."""
    base, strength = log_uniform(source, 80, 500), np.arange(1, 13) ** -source.uniform(0.3, 2.5)
    steps = source.choice((0, 3, 4, 5, 7, 8, 9, 10, 12, 16), int(source.integers(2, 6)), replace=False)
    wobble = 1 + 0.01 * source.random() * np.sin(phase(np.full(n, source.uniform(3, 8))))
    return sum((harmonics(phase(base * 2 ** (step / 12) * wobble), strength) for step in steps), np.zeros(n)) * drift(
        source, n, 2, 0.3
    )


def siren(source: Source, n: int) -> Array:
    """Sweeps up and down, two tones in turn, or an alarm's beeps."""
    turns = phase(np.full(n, log_uniform(source, 0.2, 6))) + source.uniform(0, 6.3)
    shape = (np.sin(turns), np.sign(np.sin(turns)), (turns / np.pi) % 2 - 1)[int(source.integers(3))]
    pitch = log_uniform(source, 300, 2500) * 2 ** (shape * source.uniform(0.1, 1))
    gate = 1.0 if source.random() < 0.6 else (np.sin(turns * source.integers(1, 4)) > 0)
    return harmonics(phase(pitch), np.arange(1, 8) ** -source.uniform(0.8, 3)) * gate


def melody(source: Source, n: int) -> Array:
    """Plucked, struck or blown notes of a scale in even time."""
    out, step = np.zeros(n), int(RATE * source.uniform(0.1, 0.5))
    base, strength = log_uniform(source, 100, 600), np.arange(1, 11) ** -source.uniform(0.5, 2.5)
    attack, decay = source.uniform(0.002, 0.08), source.uniform(0.05, 0.8)
    for at in range(0, n, step):
        size = min(n - at, step * 3)
        pitch = base * 2 ** (source.choice((0, 2, 4, 5, 7, 9, 11, 12, 14)) / 12)
        t = seconds(size)
        out[at : at + size] += (
            harmonics(phase(np.full(size, pitch)), strength) * (1 - np.exp(-t / attack)) * np.exp(-t / decay)
        )
    return out


def drums(source: Source, n: int) -> Array:
    """A rhythm of a low drum, a snare and a cymbal."""
    step, out = int(RATE * source.uniform(0.1, 0.3)), np.zeros(n)
    length = int(0.4 * RATE)
    t = seconds(length)
    kick = np.sin(phase(50 + source.uniform(50, 250) * np.exp(-t * 30))) * np.exp(-t * source.uniform(8, 25))
    snare = noise(source, length, 0, 300, 7000) * np.exp(-t * source.uniform(10, 40))
    cymbal = noise(source, length, 0.5, 4000, 7900) * np.exp(-t * source.uniform(8, 60)) * 0.5
    pattern = source.random((3, 8)) < np.array([[0.35], [0.25], [0.6]])
    for number, at in enumerate(range(0, n, step)):
        for part, on in zip((kick, snare, cymbal), pattern[:, number % 8], strict=True):
            out[at : at + length] += on * part[: n - at]
    return out


def hum(source: Source, n: int) -> Array:
    """Mains hum, fans and fridges: steady low harmonics and a little noise."""
    strength = source.exponential(1, 12) * np.arange(1, 13) ** -source.uniform(0.3, 1.5)
    pitch = source.choice((50, 60, 100, 120)) * source.uniform(0.98, 1.02)
    return harmonics(phase(np.full(n, pitch)), strength) + source.uniform(0, 1) * noise(source, n, -1, 50, 4000)


def machine(source: Source, n: int) -> Array:
    """Regular work: a noise or a strike repeated at an even pace (washing, typing, footsteps, sawing)."""
    pace = np.sin(phase(np.full(n, log_uniform(source, 0.8, 9)) * (0.9 + 0.2 * drift(source, n, 2, 0))))
    low, high = np.sort(log_uniform(source, 60, 7900, 2))
    return noise(source, n, source.uniform(-1, 0.3), low, high + 100) * pace.clip(0, 1) ** source.uniform(0.5, 12)


def bubbles(source: Source, n: int) -> Array:
    """Water poured or dripping: short tones that rise quickly."""
    out = source.choice((0, 0.05, 0.3)) * placed(noise(source, n, -0.3, 400, 6000))
    for at in source.integers(0, max(1, n - 1600), int(log_uniform(source, 2, 120))):
        size = int(RATE * source.uniform(0.01, 0.1))
        t = seconds(min(size, n - int(at)))
        pitch = log_uniform(source, 300, 3000) * (1 + source.uniform(0, 12) * t)
        out[at : at + size] += np.sin(phase(pitch)) * np.exp(-t * source.uniform(30, 120)) * source.uniform(0.1, 1)
    return out


def clicks(source: Source, n: int) -> Array:
    """Switches, keys, a bad contact: clicks and gaps in noise or hum."""
    train = bumps(source, n, log_uniform(source, 1, 30)) * source.standard_normal(n)
    click = modes(source, 800, log_uniform(source, 500, 7500, 5), log_uniform(source, 0.001, 0.01))
    short = fftconvolve(train, click)[:n]
    gaps = drift(source, n, source.uniform(2, 15), 0) > 0.5
    bed = placed(noise(source, n, source.uniform(-1, 0.3), 50, 7900)) * source.choice((0, 0.02, 0.3))
    return placed(short) + gaps * bed


def thunder(source: Source, n: int) -> Array:
    """Explosions, thunder, fireworks: a crack and a long low rumble."""
    out = np.zeros(n)
    for at in source.integers(0, max(1, n - 8000), int(source.integers(1, 4))):
        t = seconds(n - int(at))
        crack = source.uniform(0, 1) * noise(source, len(t), 0, 300, 7500) * np.exp(-t * source.uniform(5, 60))
        rumble = noise(source, len(t), -1.5, 25, log_uniform(source, 150, 1500))
        out[at:] += crack + rumble * np.exp(-t * source.uniform(0.8, 6))
    return out * drift(source, n, 6, 0.3)


def applause(source: Source, n: int) -> Array:
    """Many hands: claps of filtered noise at random times."""
    claps = bumps(source, n, log_uniform(source, 4, 400)) * source.uniform(0.2, 1, n)
    shape = noise(source, 600, 0, 500, 6000) * np.exp(-np.arange(600) / source.uniform(30, 150))
    return fftconvolve(claps, shape)[:n]


def rustle(source: Source, n: int) -> Array:
    """Paper, leaves, cloth, frying: high noise in uneven short grains."""
    starts = bumps(source, n, log_uniform(source, 20, 800)) * source.exponential(1, n)
    grains = lfilter([1], [1, -log_uniform(source, 0.9, 0.999)], starts)
    return noise(source, n, source.uniform(-0.3, 0.5), log_uniform(source, 500, 2500), 7900) * grains


def quiet(source: Source, n: int) -> Array:
    """Next to nothing: a very low noise, or digital silence."""
    return source.choice((0, 1e-4, 1e-3)) * noise(source, n, source.uniform(-1, 0), 30, 7900)


FAMILIES: Final[tuple[Family, ...]] = (
    *(coloured_noise, rain, crackle, wind, waves, engine, chain_saw, helicopter, ticks, wood, glass, metal, bells),
    *(tones, chords, siren, birds, insects, barks, crows, crying, laughs, coughs, melody, drums, hum, machine),
    *(bubbles, clicks, thunder, applause, rustle, quiet),
)
NAMES: Final = (*(each.__name__ for each in FAMILIES), "babble")  # babble is made of utterances, by babble()


def babble(voices: list[Array], source: Source) -> Array:
    """Several people at once: utterances repeated, shifted and added."""
    n = int(source.uniform(SHORTEST, LONGEST) * RATE)
    parts = [np.roll(np.resize(np.pad(each, (0, 4000)), n), int(source.integers(n))) for each in voices]
    return placed(sum((placed(each) * source.uniform(0.3, 1) for each in parts), np.zeros(n)))


def _one(source: Source, n: int) -> tuple[Array, int]:
    # Next to nothing is one in a hundred; the rest share evenly.
    number = len(FAMILIES) - 1 if source.random() < 0.01 else int(source.integers(len(FAMILIES) - 1))
    made = np.asarray(FAMILIES[number](source, n), np.float64)
    return (made if FAMILIES[number] is quiet else placed(made)), number


def sound(seed: int, index: int) -> Sound:
    """Make one sound.

    Args:
        seed: Of the whole data set.
        index: Which one.

    Returns:
        The sound: a function of seed and index alone. Its peak is 0.7, but for silence.
    """
    source = np.random.default_rng((seed, 2, index))
    n = int(source.uniform(SHORTEST, LONGEST) * RATE)
    samples, family = _one(source, n)
    second = -1
    if source.random() < MIXED:
        other, second = _one(source, n)
        samples = placed(samples + other * 10 ** (-source.uniform(0, 15) / 20))
    return Sound((LOUDEST * samples).astype(np.float32), family, second)
