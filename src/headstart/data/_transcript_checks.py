"""What `inspect` says about recordings with transcripts."""

import re
import unicodedata
from collections import Counter
from collections.abc import Mapping, Sequence
from statistics import median
from typing import Final

from headstart.data._facts import Facts
from headstart.data._findings import Finding
from headstart.data._sides import given_sides
from headstart.data._transcripts import shortened, shown
from headstart.data.dataset import Dataset
from headstart.runtime.recordings import SoundFacts

_FAST: Final = 25  # characters per second; hurried speech in English has about 20
_SLOW: Final = 0.25  # of the usual pace: much of the recording is silent, or not transcribed
_RECURS: Final = 5  # times, before a transcript may stand for 'nothing'
_STANDS_OUT: Final = 10  # times as often as the others
_LISTED: Final = 12
_ONE_SCRIPT: Final = frozenset(
    {"CJK", "HIRAGANA", "KATAKANA", "KATAKANA-HIRAGANA", "HANGUL", "BOPOMOFO"}
)  # written together
_NUMBERS: Final = re.compile(
    r"\b(zero|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|twenty|thirty|forty|fifty|hundred|thousand|"
    r"null|zwei|drei|vier|fünf|sechs|sieben|acht|neun|zehn|elf|zwölf|zwanzig|hundert|tausend|"
    r"deux|trois|quatre|cinq|sept|huit|dix|vingt|trente|cent|mille|"
    r"cero|dos|tres|cuatro|cinco|seis|siete|ocho|nueve|diez|veinte|cien|mil)\b",
    re.IGNORECASE,
)  # in the languages of most speech data; without words that are articles too


def character_counts(dataset: Dataset, among: Sequence[int] | None = None) -> Counter[str]:
    """Count the characters of transcripts.

    Args:
        dataset: Recordings with transcripts.
        among: Those to count in; all without it.

    Returns:
        Numbers by character.
    """
    labels = dataset.labels or ()
    chosen = range(len(labels)) if among is None else among
    return Counter("".join(labels[i] for i in chosen))


def about_transcripts(dataset: Dataset, facts: Sequence[Facts] = ()) -> list[Finding]:
    """Find transcripts that hardly belong to their recordings, and characters that cannot be learnt.

    Args:
        dataset: Examples; others than recordings with transcripts have none of these.
        facts: How long each recording is, where they have been opened.

    Returns:
        Warnings, then what is good to know.
    """
    if dataset.kind != "transcription" or not dataset.labels:
        return []
    sides = (given_sides(dataset) or {}).get("parts", ("train",) * len(dataset))
    train = [i for i, side in enumerate(sides) if side == "train"]
    findings = [*_pace(dataset, facts), *_recurring(dataset), *_digits(dataset)]
    return [*findings, *_untrained(dataset, train), *_scripts(dataset), *_once(dataset, train)]


def _pace(dataset: Dataset, facts: Sequence[Facts]) -> list[Finding]:
    """Find transcripts that are said far too fast or too slowly to belong to the recording."""
    pace = {
        i: len(text) / fact.seconds
        for i, (text, fact) in enumerate(zip(dataset.labels or (), facts, strict=False))
        if isinstance(fact, SoundFacts)
    }
    usual = median(pace.values()) if pace else 0.0
    kinds = {
        f"more than {_FAST} characters per second": [i for i, each in pace.items() if each > _FAST],
        f"under a quarter of the usual {usual:.0f} characters per second": [
            i for i, each in pace.items() if each < _SLOW * usual
        ],
    }
    fix = "Listen to them: the transcript may belong to another recording, or miss a part of this one."
    return [
        Finding(
            "odd-pace",
            "warning",
            dataset.places[found[0]],
            f"transcripts of {what}: {len(found)} (first: {pace[found[0]]:.1f}, "
            f"{shortened((dataset.labels or ())[found[0]])})",
            fix,
        )
        for what, found in kinds.items()
        if found
    ]


def _recurring(dataset: Dataset) -> list[Finding]:
    """Find a transcript that stands for far more recordings than the others, and sets of a few phrases."""
    labels = dataset.labels or ()
    counts = Counter(labels)
    text, most = counts.most_common(1)[0]
    where = dataset.places[labels.index(text)]
    if most >= max(_RECURS, _STANDS_OUT * median(counts.values())):
        found = f"one transcript, {shortened(text)}, stands for {most} of {len(labels)} recordings"
        fix = "Nothing, if all of them say so; a mark for 'not transcribed' is no transcript: leave those rows out."
        return [Finding("repeated-transcript", "warning", where, found, fix)]
    if len(counts) > len(labels) / _RECURS:
        return []
    found = f"{len(counts)} different transcripts of {len(labels)} recordings"
    fix = "Other words are not learnt; to tell a few phrases apart, --task classification --label COLUMN is easier."
    return [Finding("few-phrases", "info", where, found, fix)]


def _digits(dataset: Dataset) -> list[Finding]:
    """Find numbers that some transcripts write in digits and others in words."""
    labels = dataset.labels or ()
    digits = [i for i, text in enumerate(labels) if any(map(str.isdigit, text))]
    words = [i for i, text in enumerate(labels) if _NUMBERS.search(text)]
    if not digits or not words:
        return []
    found = (
        f"numbers in digits in {len(digits)} transcripts, such as {shortened(labels[digits[0]])}, and in words in "
        f"{len(words)}, such as {shortened(labels[words[0]])} ({dataset.places[words[0]]})"
    )
    fix = "Write all of them in words, as they are said: a network hears no digits."
    return [Finding("digits", "warning", dataset.places[digits[0]], found, fix)]


def _untrained(dataset: Dataset, train: Sequence[int]) -> list[Finding]:
    known, counts = set(character_counts(dataset, train)), character_counts(dataset)
    lacking = {character: n for character, n in counts.most_common() if character not in known}
    if not lacking:
        return []
    found = f"characters outside the vocabulary, in no training transcript: {_listed(lacking)}"
    fix = "Add training recordings with them, or correct them; as it is, every one of them counts as an error."
    return [Finding("untrained-characters", "warning", _place_of(dataset, lacking), found, fix)]


def _scripts(dataset: Dataset) -> list[Finding]:
    """Find letters of several scripts, of which one may only look like another."""
    counts: Counter[str] = Counter()
    some: dict[str, str] = {}
    for character, n in character_counts(dataset).items():
        if character.isalpha() and (script := _script(character)):
            counts[script] += n
            some.setdefault(script, character)
    if len(counts) < 2:
        return []
    ranked = counts.most_common()
    listed = ", ".join(f"{script.capitalize()} {n}" for script, n in ranked[:_LISTED])
    found = f"letters of {len(ranked)} scripts: {listed} (such as {shown(some[ranked[-1][0]])})"
    fix = "Nothing, if it is meant; letters that only look alike are different characters to learn."
    return [Finding("several-scripts", "info", _place_of(dataset, some[ranked[-1][0]]), found, fix)]


def _once(dataset: Dataset, train: Sequence[int]) -> list[Finding]:
    once = {character: 1 for character, n in character_counts(dataset, train).items() if n == 1}
    if not once:
        return []
    found = f"characters that occur once in training: {', '.join(map(shown, sorted(once)[:_LISTED]))}"
    found += f", ... ({len(once)})" if len(once) > _LISTED else ""
    fix = "Nothing, or write them otherwise: what has one example can hardly be learnt."
    return [Finding("rare-characters", "info", _place_of(dataset, once), found, fix)]


def _script(character: str) -> str:
    name = unicodedata.name(character, "").split(" ")[0]
    return "CJK" if name in _ONE_SCRIPT else name


def _listed(counts: Mapping[str, int]) -> str:
    some = [f"{shown(character)} {n}" for character, n in list(counts.items())[:_LISTED]]
    return ", ".join(some) + (f", ... ({len(counts)})" if len(counts) > _LISTED else "")


def _place_of(dataset: Dataset, characters: Mapping[str, int] | str) -> str:
    """Name the first recording whose transcript has any of these."""
    wanted = set(characters)
    labels = dataset.labels or ()
    return next(place for place, text in zip(dataset.places, labels, strict=True) if not wanted.isdisjoint(text))
