"""Cepstra of a recording and their statistics written out sample by sample, as their definitions read."""

import cmath
import math

RATE, FRAME, HOP, LENGTH, BANDS, COEFFICIENTS = 16_000, 400, 160, 512, 40, 20


def mel(hertz):
    return 2595 * math.log10(1 + hertz / 700)


def hertz(mels):
    return 700 * (10 ** (mels / 2595) - 1)


def band_energies(frame):
    """Energies of one windowed frame in 40 triangles between 0 and 8 kHz."""
    turn = [cmath.exp(-2j * math.pi * k / LENGTH) for k in range(LENGTH)]
    power = []
    for k in range(LENGTH // 2 + 1):
        total = sum(sample * turn[k * n % LENGTH] for n, sample in enumerate(frame))
        power.append(abs(total) ** 2)
    edges = [hertz(mel(RATE / 2) * i / (BANDS + 1)) for i in range(BANDS + 2)]
    energies = []
    for band in range(BANDS):
        low, peak, high = edges[band : band + 3]
        energy = 0.0
        for k, value in enumerate(power):
            f = k * RATE / LENGTH
            if low <= f <= peak:
                energy += value * (f - low) / (peak - low)
            elif peak < f <= high:
                energy += value * (high - f) / (high - peak)
        energies.append(energy)
    return energies


def cepstrum(frame):
    """The orthonormal cosine transform (type 2) of the logarithms of the energies, first 20."""
    logs = [math.log(max(energy, 1e-10)) for energy in band_energies(frame)]
    found = []
    for k in range(COEFFICIENTS):
        total = sum(value * math.cos(math.pi * k * (2 * i + 1) / (2 * BANDS)) for i, value in enumerate(logs))
        found.append(total * math.sqrt((1 if k == 0 else 2) / BANDS))
    return found


def slopes(rows):
    """Slope of the straight line through five values, the ends repeated."""
    found = []
    for t in range(len(rows)):
        around = [rows[min(max(t + k, 0), len(rows) - 1)] for k in range(-2, 3)]
        found.append(
            [sum(k * row[c] for k, row in zip(range(-2, 3), around, strict=True)) / 10 for c in range(len(rows[0]))]
        )
    return found


def describe(samples):
    samples = [float(sample) for sample in samples]
    samples += [0.0] * (FRAME - len(samples))
    window = [0.5 - 0.5 * math.cos(2 * math.pi * n / FRAME) for n in range(FRAME)]
    starts = range(0, len(samples) - FRAME + 1, HOP)
    plain = [cepstrum([samples[start + n] * window[n] for n in range(FRAME)]) for start in starts]
    first = slopes(plain)
    joined = [a + b + c for a, b, c in zip(plain, first, slopes(first), strict=True)]
    columns = list(zip(*joined, strict=True))
    mean = [sum(column) / len(column) for column in columns]
    spread = [
        math.sqrt(sum((value - middle) ** 2 for value in column) / len(column))
        for column, middle in zip(columns, mean, strict=True)
    ]
    thirds, start = [], 0
    for part in range(3):
        length = len(plain) // 3 + (part < len(plain) % 3)
        own = plain[start : start + length] or plain
        start += length
        thirds += [sum(column) / len(column) for column in zip(*own, strict=True)]
    return mean + spread + thirds
