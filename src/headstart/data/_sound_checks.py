"""What `check` finds in sounds that can be read: their levels, their rates, and what will be converted."""

from collections import Counter, defaultdict
from collections.abc import Sequence
from typing import Final

from headstart.data._facts import troubles
from headstart.data._findings import Finding
from headstart.data.readers import Reading
from headstart.runtime.recordings import USUAL_RATE, SoundFacts

_FIXES: Final = {
    "silent": "Replace the recordings or leave them out, unless silence is what they stand for.",
    "clipped": "Record at a lower level; what is cut off cannot be brought back.",
    "conversion": "Nothing, if this is meant.",
}
_LONG: Final = 60  # seconds
_LISTED: Final = 6  # rates
_NAMED: Final = 3  # sounds


def about_sounds(reading: Reading) -> list[Finding]:
    """Find silent, clipped and long sounds, mixed and low rates, and what will be converted."""
    heard = [
        (place, fact)
        for place, fact in zip(reading.dataset.places, reading.facts, strict=False)
        if isinstance(fact, SoundFacts)
    ]
    return [*_levels(heard), *_rates(reading, heard), *_low_rates(heard), *_long(reading, heard), *_conversions(heard)]


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
    found = f"{len(counts)} sampling rates: {_listed(counts)}"
    fix = "Check that no class goes with a rate: it would be told by what is missing above, not by what is heard."
    return [Finding("several-rates", "warning", reading.dataset.source, found, fix)]


def _low_rates(heard: Sequence[tuple[str, SoundFacts]]) -> list[Finding]:
    """Find sounds of a lower rate than networks take, in one finding however many they are.

    Where all sounds have one such rate it is a warning too, as it costs accuracy: the upper half of what a network was
    pretrained to hear, or more, is not there. But then it may be meant (telephone), and training and scores agree.
    """
    low = [(place, fact.rate) for place, fact in heard if fact.rate < USUAL_RATE]
    counts = Counter(rate for _, rate in low)
    if not low:
        return []
    if len(low) == len(heard) and len(counts) == 1:
        rate = low[0][1]
        found = f"all {_sounds(len(low))} are at {rate} Hz: nothing above {rate // 2} Hz is heard, in training or later"
        fix = (
            f"Use originals at {USUAL_RATE} Hz or more, if there are any; converting brings nothing back. Else record "
            f"new sounds the same way, at {rate} Hz: to hear no more than that is what is learnt."
        )
        return [Finding("low-rate", "warning", low[0][0], found, fix)]
    places = ", ".join(place for place, _ in low[:_NAMED]) + ", ..." * (len(low) > _NAMED)
    found = (
        f"{len(low)} of {_sounds(len(heard))} have a lower rate than the {USUAL_RATE} Hz that networks take: "
        f"{_listed(counts)} ({places}); nothing above half of their rate is heard in them, and a model fitted on "
        "sounds of higher rates is more often wrong about them"
    )
    fix = (
        f"Use originals at {USUAL_RATE} Hz or more, if there are any; converting brings nothing back. If new sounds "
        "will be like these, have many of them in training."
    )
    return [Finding("low-rate", "warning", low[0][0], found, fix)]


def _long(reading: Reading, heard: Sequence[tuple[str, SoundFacts]]) -> list[Finding]:
    """Find sounds that get one answer, and go on for longer than what it is about usually does."""
    long = [(place, fact.seconds) for place, fact in heard if fact.seconds > _LONG]
    if not long or reading.dataset.kind == "transcription":
        return []
    most = max(seconds for _, seconds in long)
    found = (
        f"longer than {_LONG} s: {_sounds(len(long))}, up to {most / 60:.1f} minutes; all frames of a recording are "
        "averaged, so what is heard in a part of it hardly counts"
    )
    fix = (
        "Nothing, if its label holds throughout. Else cut it up, and label the parts: "
        "ffmpeg -i LONG.wav -f segment -segment_time 10 PART-%03d.wav"
    )
    return [Finding("long-recordings", "warning", long[0][0], found, fix)]


def _conversions(heard: Sequence[tuple[str, SoundFacts]]) -> list[Finding]:
    """Find what `read_sound` will do to them, but for low rates, about which there is a finding of its own."""
    kinds: dict[str, list[str]] = defaultdict(list)
    for place, fact in heard:
        for said in fact.conversions():
            if not said.startswith(f"{fact.rate} Hz") or fact.rate > USUAL_RATE:
                kinds[said].append(place)
    return [
        Finding("conversion", "info", found[0], f"{said}: {_sounds(len(found))}", _FIXES["conversion"])
        for said, found in kinds.items()
    ]


def _listed(rates: Counter[int]) -> str:
    some = ", ".join(f"{rate} Hz {n}" for rate, n in rates.most_common(_LISTED))
    return some + (", ..." if len(rates) > _LISTED else "")


def _sounds(number: int) -> str:
    return f"{number} {'sound' if number == 1 else 'sounds'}"
