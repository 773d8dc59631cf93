"""Small recordings in which the toy network hears what is said: every letter is a tone, a space is silence."""

from pathlib import Path

import numpy as np
import soundfile

from headstart.data import Dataset, Sound

PITCHES = {"a": 300, "b": 1250, "c": 2750, "d": 5250}
WORDS = ("ab", "ba", "cad", "dab", "bad", "add", "c")
RATE = 16_000


def said(n: int, *, seed: int = 0) -> list[str]:
    """Texts of one to four words."""
    rng = np.random.default_rng([seed, n])
    return [" ".join(str(word) for word in rng.choice(WORDS, int(rng.integers(1, 5)))) for _ in range(n)]


def sound(text: str, *, seed: int = 0, letter: float = 0.14, noise: float = 0.01) -> np.ndarray:
    """Say a text: tones of so many seconds with short pauses between, in noise."""
    rng = np.random.default_rng(seed)
    parts = [np.zeros(int(rng.integers(800, 1600)))]
    for character in text:
        size = int(letter * RATE * rng.uniform(0.8, 1.2))
        tone = np.sin(2 * np.pi * PITCHES.get(character, 0) * np.arange(size) / RATE)
        parts += [0.3 * tone, np.zeros(int(0.3 * size))]
    samples = np.concatenate(parts)
    return np.asarray(samples + noise * rng.standard_normal(len(samples)), dtype=np.float32)


def spoken(n: int, *, seed: int = 0, groups: int = 0, noise: float = 0.01) -> Dataset:
    """Recordings with transcripts, perhaps by so many speakers in turn."""
    texts = said(n, seed=seed)
    items = tuple(Sound(sound(text, seed=1000 * seed + i, noise=noise), RATE) for i, text in enumerate(texts))
    speakers = tuple(f"s{i % groups}" for i in range(n)) if groups else None
    places = tuple(map(str, range(n)))
    return Dataset("audio", items, places, labels=tuple(texts), groups=speakers, kind="transcription")


def write_spoken(root: Path, n: int, *, seed: int = 0, groups: int = 0) -> Path:
    """The same as a folder with a manifest."""
    root.mkdir(parents=True, exist_ok=True)
    data, rows = spoken(n, seed=seed, groups=groups), ["path,transcript,group"]
    for i, (item, text) in enumerate(zip(data.items, data.labels or (), strict=True)):
        soundfile.write(root / f"{i:03d}.wav", item.samples, RATE)
        rows.append(f"{i:03d}.wav,{text},{data.groups[i] if data.groups else i}")
    (root / "manifest.csv").write_text("\n".join(rows) + "\n")
    return root
