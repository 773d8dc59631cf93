"""Items made up to compare models by: they need no data, and nobody's data leaves with an exported model."""

import numpy as np
from PIL import Image

from headstart.runtime import Item, Modality, Sound

SIZES = ((96, 96), (200, 120), (64, 240), (301, 299))  # width and height: squares, and both shapes of rectangle
SENTENCES = (
    "Good.",
    "The service was slow, but the food made up for it twice over!",
    "Dr Anna Kovács-Müller of St. Mary's Hospital in Zürich wrote on 3 May 2021: “it costs £4.50”.",
    "東京の天気は晴れです。 Привет, мир 👋🏽",
    "",
)
LONG_TEXT = " ".join(f"sentence number {n} says something, though not much." for n in range(120))
SECONDS = (0.4, 1.0, 3.7, 12.3)
RATE = 16_000


def made_up(modality: Modality) -> list[Item]:
    """Return some items of a modality, of very different lengths and shapes; the same each time."""
    rng = np.random.default_rng(0)
    if modality == "image":
        return [_picture(rng, *size) for size in SIZES]
    if modality == "text":
        return [*SENTENCES, LONG_TEXT]
    return [_recording(rng, seconds) for seconds in SECONDS]


def _picture(rng: np.random.Generator, width: int, height: int) -> Image.Image:
    """Draw a few colours that run into each other, and noise."""
    coarse = Image.fromarray(rng.integers(0, 256, (5, 5, 3), dtype=np.uint8)).resize((width, height))
    noise = rng.normal(0, 12, (height, width, 3))
    return Image.fromarray((np.asarray(coarse) + noise).clip(0, 255).astype(np.uint8))


def _recording(rng: np.random.Generator, seconds: float) -> Sound:
    """Make tones that come and go, and noise."""
    time = np.arange(int(seconds * RATE)) / RATE
    pitches = rng.uniform(150, 3000, (4, 1))
    tones = (np.sin(2 * np.pi * pitches * time) * (np.sin(7 * time + pitches) > 0)).sum(axis=0)
    return Sound((0.1 * tones + rng.normal(0, 0.01, len(time))).astype(np.float32), RATE)
