"""What is in the data, in numbers: sizes, lengths, rates, words."""

from collections import Counter
from collections.abc import Iterable
from typing import Any, TypeVar

from headstart.data._kinds import entities_in
from headstart.data.dataset import Dataset
from headstart.data.readers import Reading
from headstart.runtime.pictures import ImageFacts
from headstart.runtime.recordings import SoundFacts
from headstart.tasks import read_number

Number = TypeVar("Number", int, float)


def summary_of(reading: Reading) -> dict[str, Any]:
    """Sum up examples in numbers.

    Args:
        reading: What was read.

    Returns:
        JSON values by name; none where nothing can be used.
    """
    if not len(reading.dataset):
        return {}
    values = {"values": _range(values_in(reading.dataset))} if reading.dataset.kind == "regression" else {}
    if reading.dataset.modality == "text":
        return {
            "characters": _range(len(text) for text in reading.dataset.items),
            **_summary_of_words(reading),
            **values,
        }
    return {**values, **_summary_of_images(reading), **_summary_of_sounds(reading), **_summary_of_speech(reading)}


def _summary_of_words(reading: Reading) -> dict[str, Any]:
    if reading.dataset.kind != "tagging":
        return {}
    return {
        "words": _range(len(document.words) for document in reading.dataset.items),
        "entities": _range(map(len, entities_in(reading.dataset))),
    }


def _summary_of_images(reading: Reading) -> dict[str, Any]:
    facts = [fact for fact in reading.facts if isinstance(fact, ImageFacts)]
    if not facts:
        return {}
    return {
        "width": _range(fact.size[0] for fact in facts),
        "height": _range(fact.size[1] for fact in facts),
        "modes": _tally(fact.mode for fact in facts),
        "formats": _tally(fact.format for fact in facts),
    }


def _summary_of_sounds(reading: Reading) -> dict[str, Any]:
    facts = [fact for fact in reading.facts if isinstance(fact, SoundFacts)]
    if not facts:
        return {}
    return {
        "seconds": _range(round(fact.seconds, 3) for fact in facts),
        "total_minutes": round(sum(fact.seconds for fact in facts) / 60, 2),
        "rates": _tally(f"{fact.rate} Hz" for fact in facts),
        "channels": _tally(str(fact.channels) for fact in facts),
        "formats": _tally(f"{fact.format} {fact.subtype}" for fact in facts),
    }


def _summary_of_speech(reading: Reading) -> dict[str, Any]:
    dataset = reading.dataset
    if dataset.kind != "transcription":
        return {}
    spoken = [text.split() for text in dataset.labels or ()]
    characters, seconds = (
        sum(map(len, dataset.labels or ())),
        sum(getattr(fact, "seconds", 0) for fact in reading.facts),
    )
    return {
        "words": _range(map(len, spoken)),
        "total_words": sum(map(len, spoken)),
        "distinct_words": len({word for words in spoken for word in words}),
        "characters_per_second": round(characters / seconds, 1) if seconds else 0.0,
    }


def _tally(values: Iterable[str]) -> dict[str, int]:
    return dict(Counter(values).most_common())


def values_in(dataset: Dataset) -> list[float]:
    """Return the numbers to predict."""
    return [read_number(label) for label in dataset.labels or ()]


def _range(values: Iterable[Number]) -> dict[str, Number]:
    numbers = sorted(values)
    return {"min": numbers[0], "median": numbers[len(numbers) // 2], "max": numbers[-1]}
