#!/usr/bin/env python3
"""Synthetic utterances with their phonemes: `utterance(speaker, seed, index)` is the same wherever it is called.

    python -m recipes.audio_small.voices            # writes phonemes.json, the classes, from a sample

One to five words, spoken by a random voice of a random language at a random speed, pitch and volume, 0.4 to 4 s at
16 kHz. Words for numbers may occur as ordinary words of the lists (see words.py); recordings of people never occur.
The voices in HELD_OUT_VOICES and the demo's words are left out, for tests on voices and words never heard.
"""

import json
import sys
import unicodedata
from collections import Counter
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

import numpy as np
import soxr

from recipes.audio_small import words
from recipes.audio_small._tones import SAMPLE_RATE
from recipes.audio_small.shards import HOP
from recipes.audio_small.speaker import RATE, Request, Speaker

SHORTEST, LONGEST = 0.4, 4.0
CLASSES: Final = 80
SILENCE: Final = 0
VOCABULARY: Final = Path(__file__).parent / "phonemes.json"

HELD_OUT_VOICES: Final = ("f5", "m8", "klatt4", "Andy", "linda")
VOICES: Final = (
    *("", "f1", "f2", "f3", "f4", "m1", "m2", "m3", "m4", "m5", "m6", "m7", "klatt", "klatt2", "klatt3", "klatt5"),
    *("klatt6", "Alex", "Alicia", "Andrea", "Annie", "Denis", "Diogo", "Gene", "Gene2", "Henrique", "Hugo", "Jacky"),
    *("Lee", "Marco", "Mario", "Michael", "Mike", "Storm", "Tweaky", "adam", "anika", "antonio", "aunty", "belinda"),
    *("benjamin", "boris", "caleb", "david", "ed", "edward", "edward2", "grandma", "grandpa", "gustave", "iven"),
    *("iven2", "iven3", "iven4", "john", "kaukovalta", "marcelo", "max", "michel", "miguel", "norbert", "pablo"),
    *("paul", "pedro", "quincy", "rob", "robert", "sandro", "shelby", "steph", "steph2", "steph3", "travis", "victor"),
    *("zac", "Nguyen", "RicishayMax", "RicishayMax2", "RicishayMax3"),
)
RARE_VOICES: Final = ("whisper", "whisperf", "croak", "Demonic", "UniRobot", "announcer", "robosoft", "robosoft4")
ALL_VOICES: Final = VOICES + RARE_VOICES
# Names that espeak-ng leaves in its own spelling, or spells in two ways.
_NAMES: Final = "s. ts. z. i. n^ l^ t. d. ph th kh tsh tʃh tS dZ S Z A E I O U ll ε"
_IN_IPA: Final = "ʂ tʂ ʐ ɨ ɲ ʎ ʈ ɖ p t k ts tʃ tʃ dʒ ʃ ʒ ɑ ɛ ɪ ɔ ʊ ɫ ɛ"
_RESPELT: Final = dict(zip(_NAMES.split(), _IN_IPA.split(), strict=True))
UNNAMED: Final = "?"  # a sound that espeak-ng has no IPA name for


@dataclass(frozen=True)
class Utterance:
    """Something said.

    Attributes:
        samples: float32 at 16 kHz, within -1 and 1.
        frames: uint8, the class of the phoneme heard in the middle of each 320 samples.
        language: Number in ``words.LANGUAGES``.
        voice: Number in ``ALL_VOICES``.
        request: What was asked of espeak-ng.
    """

    samples: np.ndarray
    frames: np.ndarray
    language: int
    voice: int
    request: Request


def folded(name: str) -> str:
    """Reduce an IPA name to its letters: no length, stress, tone, aspiration; empty where nothing is left."""
    letters = unicodedata.normalize("NFD", _RESPELT.get(name, name))
    left = "".join(each for each in letters if unicodedata.category(each) in ("Ll", "Lo", "Lu"))
    return left or UNNAMED * (UNNAMED in name)


@cache
def classes() -> dict[str, int]:
    """Number of each class, by its folded name; ``(silence)`` is 0 and the last is ``(other)``."""
    return {name: number for number, name in enumerate(json.loads(VOCABULARY.read_text(encoding="utf-8")))}


def class_of(name: str) -> int:
    """Class of a folded name; one that is not in the vocabulary takes its first letter's."""
    known = classes()
    return known.get(name, known.get(name[:1], known["(other)"])) if name else SILENCE


def spans(events: list[tuple[int, str | None]]) -> list[tuple[int, str]]:
    """Where each phoneme begins: (sample at 22,050 Hz, folded name); the name of a pause is empty, as is the last.

    espeak-ng gives a pause an empty name, and also some releases inside a word, which belong to the sound before; marks
    of a change of language, in brackets, are no sound.
    """
    found: list[tuple[int, str]] = [(0, "")]
    heard = [(at, name) for at, name in events if not (name or "").startswith("(")]
    for number, (at, name) in enumerate(heard):
        if name is None:
            continue
        letters = folded(name)
        following = heard[number + 1][1] if number + 1 < len(heard) else None
        if letters or (not name and not following):
            found.append((at, letters))
    return found


def draw(seed: int, index: int, attempt: int = 0) -> tuple[int, int, Request]:
    """Draw what to say: the language's number, the voice's, and the request."""
    source = np.random.default_rng((seed, 1, index, attempt))
    weights = np.array([each.weight for each in words.LANGUAGES])
    language = int(source.choice(len(weights), p=weights / weights.sum()))
    rare = source.random() < 0.04
    voice = int(source.integers(len(VOICES), len(ALL_VOICES)) if rare else source.integers(len(VOICES)))
    count = int(source.choice((1, 2, 3, 4, 5), p=(0.3, 0.25, 0.2, 0.15, 0.1)))
    text = " ".join(words.word(words.LANGUAGES[language], source) for _ in range(count))
    name = words.LANGUAGES[language].voice + ("+" + ALL_VOICES[voice] if ALL_VOICES[voice] else "")
    rate, pitch, spread = (int(source.integers(*each)) for each in ((110, 301), (10, 91), (10, 91)))
    volume, gap, noise = (int(source.integers(*each)) for each in ((60, 111), (0, 6), (1, 2**31)))
    return language, voice, Request(name, text, rate, pitch, spread, volume, gap, noise)


def labelled(starts: list[tuple[int, str]], length: int) -> np.ndarray:
    """Class of the phoneme in the middle of each frame of a waveform of so many samples at 16 kHz."""
    middles = (np.arange(-(-length // HOP)) + 0.5) * HOP * RATE / SAMPLE_RATE
    where = np.searchsorted(np.array([at for at, _ in starts]), middles, side="right") - 1
    return np.array([class_of(name) for _, name in starts], np.uint8)[where]


def cut(samples: np.ndarray, starts: list[tuple[int, str]]) -> tuple[np.ndarray, list[tuple[int, str]]]:
    """Cut at the last phoneme boundary before the longest length, with a fade of 5 ms."""
    if len(samples) <= LONGEST * SAMPLE_RATE:
        return samples, starts
    kept = [(at, name) for at, name in starts if at <= LONGEST * RATE]
    at, _ = kept.pop()
    samples = samples[: at * SAMPLE_RATE // RATE].copy()
    samples[-80:] *= np.linspace(1, 0, 80, dtype=np.float32)
    return samples, [*kept, (at, "")]


def spoken(speaker: Speaker, request: Request) -> tuple[np.ndarray, list[tuple[int, str]]]:
    """Say a request at 16 kHz, with the places (at 22,050 Hz) where phonemes begin; empty where nothing was said."""
    content, events = speaker.say(request)
    starts = spans(events)
    if sum(bool(name) for _, name in starts) < 2:
        return np.zeros(0, np.float32), []
    samples = soxr.resample(np.frombuffer(content, np.int16).astype(np.float32) / 32768, RATE, SAMPLE_RATE)
    return cut(samples.clip(-1, 1), starts)


def utterance(speaker: Speaker, seed: int, index: int) -> Utterance:
    """Make one utterance.

    Args:
        speaker: The server.
        seed: Of the whole data set.
        index: Which one.

    Returns:
        The utterance: a function of seed and index alone.

    Raises:
        RuntimeError: Nothing could be said, twenty times over.
    """
    for attempt in range(20):
        language, voice, request = draw(seed, index, attempt)
        samples, starts = spoken(speaker, request)
        if len(samples) and np.abs(samples).max() > 0.01:
            short = int(SHORTEST * SAMPLE_RATE) - len(samples)
            samples = np.pad(samples, (0, max(0, short)))
            return Utterance(samples, labelled(starts, len(samples)), language, voice, request)
    raise RuntimeError(f"espeak-ng said nothing, 20 times, for example {index} of seed {seed}")


def count(sample: int) -> Counter[str]:
    """Count folded names over a sample."""
    found: Counter[str] = Counter()
    with Speaker() as speaker:
        for index in range(sample):
            _, events = speaker.say(draw(12345, index)[2])
            found.update(name for _, name in spans(events) if name not in ("", UNNAMED))
    return found


def main() -> None:
    """Write the classes: silence, the most frequent names, and the rest."""
    found = count(4000)
    kept = sorted(sorted(found, key=lambda name: (-found[name], name))[: CLASSES - 2])
    text = json.dumps(["(silence)", *kept, "(other)"], ensure_ascii=False, indent=0)
    VOCABULARY.write_text(text + "\n", encoding="utf-8")
    share = sum(found[name] for name in kept) / sum(found.values())
    sys.stdout.write(f"{len(kept)} of {len(found)} names cover {share:.3f}\n")


if __name__ == "__main__":
    main()
