"""What `check` finds in sounds that can be read: their levels, their rates, and what will be converted."""

from collections import Counter, defaultdict
from collections.abc import Sequence
from typing import Final

from headstart.data._facts import troubles
from headstart.data._findings import Finding
from headstart.data.readers import Reading
from headstart.data.sounds import USUAL_RATE, SoundFacts

_FIXES: Final = {
    "silent": "Replace the recordings or leave them out, unless silence is what they stand for.",
    "clipped": "Record at a lower level; what is cut off cannot be brought back.",
    "low-rate": "Use recordings of a higher rate, if there are any: what is missing above cannot be brought back.",
    "conversion": "Nothing, if this is meant.",
}


def about_sounds(reading: Reading) -> list[Finding]:
    """Find silent and clipped sounds, mixed and low rates, and what will be converted."""
    heard = [
        (place, fact)
        for place, fact in zip(reading.dataset.places, reading.facts, strict=False)
        if isinstance(fact, SoundFacts)
    ]
    return _levels(heard) + _rates(reading, heard) + _conversions(heard)


def _levels(heard: Sequence[tuple[str, SoundFacts]]) -> list[Finding]:
    places: dict[tuple[str, str], list[str]] = defaultdict(list)
    for place, fact in heard:
        for trouble in troubles(fact).items():
            places[trouble].append(place)
    return [
        Finding(kind, "warning", found[0], f"{said}: {_sounds(len(found))}", _FIXES[kind])
        for (kind, said), found in places.items()
    ]


def _rates(reading: Reading, heard: Sequence[tuple[str, SoundFacts]]) -> list[Finding]:
    """Find sounds of several rates, which a network can tell apart by ear."""
    counts = Counter(fact.rate for _, fact in heard)
    if len(counts) < 2:
        return []
    listed = ", ".join(f"{rate} Hz {n}" for rate, n in counts.most_common(6)) + (", ..." if len(counts) > 6 else "")
    found = f"{len(counts)} sampling rates: {listed}"
    fix = "Check that no class goes with a rate: it would be told by what is missing above, not by what is heard."
    return [Finding("several-rates", "warning", reading.dataset.source, found, fix)]


def _conversions(heard: Sequence[tuple[str, SoundFacts]]) -> list[Finding]:
    """Find what `read_sound` will do to them; of low rates, no more than that can be done."""
    kinds: dict[tuple[str, str], list[str]] = defaultdict(list)
    for place, fact in heard:
        for said in fact.conversions():
            low = said.startswith(f"{fact.rate} Hz") and fact.rate < USUAL_RATE
            kinds["low-rate" if low else "conversion", said].append(place)
    return [
        Finding(kind, "info", found[0], f"{said}: {_sounds(len(found))}", _FIXES[kind])
        for (kind, said), found in kinds.items()
    ]


def _sounds(number: int) -> str:
    return f"{number} {'sound' if number == 1 else 'sounds'}"
