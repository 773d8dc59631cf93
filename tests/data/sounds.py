"""Small sounds, in memory and in files of every kind."""

from pathlib import Path

import numpy as np
import soundfile

from headstart.data import Sound

RATE = 16_000


def tone(hertz: float = 440, *, seconds: float = 0.5, rate: int = RATE, level: float = 0.4) -> np.ndarray:
    """Return a sine."""
    return (level * np.sin(2 * np.pi * hertz * np.arange(round(seconds * rate)) / rate)).astype(np.float32)


def noise(seconds: float = 0.5, *, rate: int = RATE, seed: int = 0) -> np.ndarray:
    """Return quiet noise, different for every seed."""
    return (0.05 * np.random.default_rng(seed).standard_normal(round(seconds * rate))).astype(np.float32)


def write_sound(path: Path, samples: np.ndarray, rate: int = RATE, **options: str) -> Path:
    """Write samples (N,) or (N, C) in the format of the name and return the path."""
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, samples, rate, **options)
    return path


def write_classes(root: Path, counts: dict[str, int], *, suffix: str = ".wav") -> Path:
    """Write different sounds, so many per folder, and return the folder they are below."""
    for number, (folder, count) in enumerate(counts.items()):
        for i in range(count):
            write_sound(root / folder / f"{i}{suffix}", noise(0.1, seed=1000 * number + i))
    return root


def write_speech(root: Path, header: str, rows: list[str], *, name: str = "manifest.csv", seconds: float = 1) -> Path:
    """Write a manifest with a recording for the path that each row begins with, and return the folder."""
    for number, row in enumerate(rows):
        write_sound(root / row.split(",")[0], noise(seconds, rate=2000, seed=number), 2000)
    (root / name).write_text("\n".join([header, *rows]) + "\n", encoding="utf-8")
    return root


def both(path: Path) -> list[Path | Sound]:
    """Return a file and the same sound in memory."""
    samples, rate = soundfile.read(path, dtype="float32")
    return [path, Sound(samples, rate)]
