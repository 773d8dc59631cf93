"""What a page shows of recordings: a part of each, with its words at their times."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from headstart.data import Item, SoundFacts, read_sound
from headstart.evaluation import Alignment, Operation
from headstart.runtime.recordings import USUAL_RATE
from headstart.tasks import Heard, timed_words

_FOR_SOUND: Final = 4_000_000  # bytes of a page
_LENGTHS: Final = (30, 20, 15, 10, 8)  # seconds of a clip, at most
_LEAD: Final = 0.3  # seconds before the first word of a part


@dataclass(frozen=True)
class HeardRecording:
    """A recording with its transcript and what a model made of it.

    Attributes:
        name: Where it came from.
        item: The file, or the sound in memory.
        said: The transcript, as the model spells.
        heard: What the model made of it.
        group: Who speaks, or what else its group is.
    """

    name: str
    item: Item
    said: str
    heard: Heard
    group: str | None = None


@dataclass(frozen=True)
class Shown:
    """A recording that is on the page."""

    recording: HeardRecording
    alignment: Alignment
    facts: SoundFacts


@dataclass(frozen=True)
class Word:
    """A pair of words, or one without its other, and when."""

    operation: Operation
    start: float
    end: float
    probability: float | None

    @property
    def wrong(self) -> bool:
        return self.operation.edit != "same"


@dataclass(frozen=True)
class Clip:
    """A part of a recording: its samples, and the words in it with seconds from its beginning."""

    samples: NDArray[np.float32]
    rate: int
    start: float
    whole: float
    words: tuple[Word, ...]

    @property
    def seconds(self) -> float:
        return len(self.samples) / self.rate


@dataclass(frozen=True)
class KeptClip:
    """A part of a recording as a page shows it, without the recording.

    Attributes:
        name: Where it came from.
        said: How many errors it has, and which part of it this is.
        audio: A WAV file, in base64.
        spectrogram: A PNG, in base64; empty where it could not be drawn.
        problem: Why not.
        start: Seconds from the beginning of the recording.
        seconds: How long it is.
        rate: Samples per second.
        words: What is said and heard in it, with seconds from its beginning.
    """

    name: str
    said: str
    audio: str
    spectrogram: str
    problem: str
    start: float
    seconds: float
    rate: int
    words: tuple[Word, ...]

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON values."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "KeptClip":
        """Read what `to_dict` wrote."""
        words = (Word(**{**word, "operation": Operation(**word["operation"])}) for word in values["words"])
        return cls(**{**values, "words": tuple(words)})


def clip_length(found: Sequence[SoundFacts]) -> float:
    """Choose how long clips may be, so that there is room for all or at least for some."""
    for most in _LENGTHS:
        samples = sum(min(each.rate, USUAL_RATE) * min(each.seconds, most) for each in found)
        if samples * 2 * 4 / 3 <= _FOR_SOUND:  # two bytes each, and four letters for three bytes
            return most
    return _LENGTHS[-1]


def cut_clip(shown: Shown, most: float) -> Clip:
    rate = min(USUAL_RATE, shown.facts.rate)
    samples = read_sound(shown.recording.item, rate=rate)
    whole = len(samples) / rate
    words = _timed(shown.alignment, shown.recording.heard, whole)
    start = _start(words, whole, most)
    end = min(whole, start + most)
    inside = [
        Word(word.operation, word.start - start, word.end - start, word.probability)
        for word in words
        if word.start >= start and word.end <= end + 1e-6
    ]
    return Clip(samples[round(start * rate) : round(end * rate)], rate, start, whole, tuple(inside))


def _timed(alignment: Alignment, heard: Heard, seconds: float) -> list[Word]:
    """Put words at their times; those that were not heard between their neighbours."""
    frames = len(heard.probabilities)
    told = timed_words(heard, seconds / frames) if frames else []
    found, place, last = list[Word](), 0, 0.0
    for each in alignment.operations:
        if each.heard:
            word = told[place]
            place, last = place + 1, word.end
            found.append(Word(each, word.start, word.end, word.probability))
        else:
            following = told[place].start if place < len(told) else seconds
            found.append(Word(each, last, following, None))
    return found


def _start(words: Sequence[Word], seconds: float, most: float) -> float:
    """Choose where the part with most errors begins."""
    if seconds <= most:
        return 0.0
    wrong = np.array([word.start for word in words if word.wrong])
    if not len(wrong):
        return 0.0
    many = np.searchsorted(wrong, wrong + most - 1, side="right") - np.arange(len(wrong))
    return float(min(max(0.0, wrong[many.argmax()] - _LEAD), seconds - most))
