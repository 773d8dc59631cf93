#!/usr/bin/env python3
"""Make the demo's sounds: eight command words spoken by espeak-ng, in src/headstart/examples/words.

    python -m recipes.spoken_words

Needs espeak-ng 1.51. The voices of the held-out part, and its accents, are none of those of the training part;
`starter:audio-small` drew none of these words from a list, and heard none of the held-out part's voices.
"""

import shutil
import sys
from pathlib import Path
from typing import Final

import numpy as np
import soundfile
import soxr

from recipes.audio_small import augment
from recipes.audio_small._tones import SAMPLE_RATE, Array, Source, noise
from recipes.audio_small.speaker import Request, Speaker
from recipes.audio_small.voices import HELD_OUT_VOICES, spoken
from recipes.audio_small.words import HELD_OUT_WORDS

TARGET: Final = Path(__file__).parent.parent / "src/headstart/examples/words"
SEED: Final = 20
CLIPS: Final = 12  # of a word, in each part
RATE: Final = 8000
PARTS: Final = {
    "train": (
        ("en-gb", "en-gb-x-rp", "en-gb-x-gbclan", "en-gb-x-gbcwmd", "en-us-nyc"),
        ("f1", "f2", "f3", "m1", "m3", "m5", "m7", "klatt2", "Annie", "Michael", "belinda", "david", "steph", "zac"),
    ),
    "test": (("en-us", "en-gb-scotland", "en-029"), HELD_OUT_VOICES),
}
SPELT: Final = {"en-gb": "en"}  # espeak-ng's own name where it differs


def recorded(samples: Array, source: Source) -> Array:
    """Put a spoken word in a room with some noise, and take it at 8 kHz."""
    heard = samples[np.flatnonzero(np.abs(samples) > 0.004)[0] : np.flatnonzero(np.abs(samples) > 0.004)[-1] + 1]
    before, after = source.uniform(0.02, 0.08, 2) * SAMPLE_RATE
    heard = np.pad(heard, (int(before), int(after)))
    if source.random() < 0.7:
        heard = augment.echo(heard, source)
    level = np.sqrt(np.mean(heard**2)) * 10 ** (-source.uniform(18, 38) / 20)
    heard = heard + level * noise(source, len(heard), source.uniform(-1.2, 0), 60, 7000)
    small = soxr.resample(heard, SAMPLE_RATE, RATE)
    return small / np.abs(small).max() * source.uniform(0.08, 0.3)


def clip(speaker: Speaker, word: str, who: tuple[str, str], source: Source) -> Array:
    """Speak one word in an accent with a voice."""
    accent, voice = who
    rate, pitch, spread = (int(source.integers(*each)) for each in ((130, 221), (20, 81), (30, 71)))
    request = Request(
        f"{SPELT.get(accent, accent)}+{voice}", word, rate, pitch, spread, 100, 0, int(source.integers(1, 2**31))
    )
    return recorded(spoken(speaker, request)[0], source)


def main() -> None:
    """Write all clips in place of those that are there."""
    with Speaker() as speaker:
        for number, (part, (accents, voices)) in enumerate(PARTS.items()):
            shutil.rmtree(TARGET / part, ignore_errors=True)
            pairs = [(accent, voice) for accent in accents for voice in voices]
            for place, word in enumerate(HELD_OUT_WORDS):
                source = np.random.default_rng((SEED, number, place))
                folder = TARGET / part / word
                folder.mkdir(parents=True)
                for chosen in source.permutation(len(pairs))[:CLIPS]:
                    accent, voice = pairs[chosen]
                    path = folder / f"{accent}-{voice.lower()}.flac"
                    soundfile.write(path, clip(speaker, word, pairs[chosen], source), RATE, subtype="PCM_16")
    size = sum(path.stat().st_size for path in TARGET.rglob("*.flac"))
    sys.stdout.write(f"{size} bytes\n")


if __name__ == "__main__":
    main()
