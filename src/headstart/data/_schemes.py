"""The schemes in which data writes tags of words, told from the tags, and turned into IOB2.

IOB2 marks the first word of every entity with ``B-``, IOB1 only that of one which follows another of its type, IO none;
BIOES (or BILOU) marks the last word too, with ``E-`` (``L-``), and a single one with ``S-`` (``U-``). Which entities
are meant is clear even where a sequence is impossible in its scheme, by the rule of the CoNLL tasks: a word goes on
with an entity where its mark says so and the word before it is of the same type; otherwise it begins one.
"""

import re
from collections.abc import Iterable, Sequence
from typing import Final, Literal, NamedTuple

from headstart.tasks import OUTSIDE

Scheme = Literal["IOB1", "IOB2", "IO", "BIOES", "BILOU"]

TAG: Final = re.compile(r"O|[BIELSU]-.+")
START: Final = "the start of the sentence"
_END: Final = "the end of the sentence"


class Broken(NamedTuple):
    """Where two tags cannot follow each other.

    Attributes:
        place: Number of the word in its sentence.
        found: The two of them, in words.
    """

    place: int
    found: str


def marks_of(scheme: Scheme) -> str:
    """Return the letters that may stand before the types."""
    return {"BIOES": "BIES", "BILOU": "BILU"}.get(scheme, "BI")


def recognise(sentences: Iterable[Sequence[str]]) -> Scheme:
    """Tell the scheme of a file from all its tags.

    Args:
        sentences: The tags of each sentence.

    Returns:
        The scheme with the fewest tags that could not be in it; IOB2 where several fit, since they mean the same.
    """
    seen = dict.fromkeys("BIELSUO", 0)
    starts_with_i = needless_b = 0  # impossible in IOB2, in IOB1
    for tags in sentences:
        before = OUTSIDE
        for tag in tags:
            mark, same = tag[0], tag[2:] == before[2:]
            seen[mark] += 1
            starts_with_i += mark == "I" and not same
            needless_b += mark == "B" and not same
            before = tag
    ends = seen["E"] + seen["L"] + seen["S"] + seen["U"]
    if ends and 2 * ends >= seen["B"] + seen["S"] + seen["U"]:  # a stray one is a slip
        return "BILOU" if seen["L"] + seen["U"] > seen["E"] + seen["S"] else "BIOES"
    if seen["I"] and not seen["B"]:
        return "IO"
    return "IOB1" if starts_with_i > needless_b else "IOB2"


def to_iob2(tags: Sequence[str], scheme: Scheme) -> tuple[list[str], list[Broken]]:
    """Write the tags of a sentence as IOB2.

    Args:
        tags: One for each word, all of the scheme.
        scheme: What they are written in.

    Returns:
        As many tags, and where the scheme does not allow what it read.
    """
    closes = scheme in ("BIOES", "BILOU")
    converted: list[str] = []
    broken: list[Broken] = []
    going_on = ""  # the type of an entity that the next word may go on with
    before = START
    for place, tag in enumerate(tags):
        mark, name = tag[0], tag[2:]
        follows = mark in "IEL" and name == going_on
        unasked = mark in "IEL" and not follows and scheme not in ("IOB1", "IO")
        if unasked or (closes and going_on and not follows):
            broken.append(Broken(place, f"{tag!r} after {before if before == START else repr(before)}"))
        converted.append(tag if mark == "O" else f"{'I' if follows else 'B'}-{name}")
        going_on = name if mark in "BI" else ""
        before = tag
    if closes and going_on:
        broken.append(Broken(len(tags) - 1, f"{_END} after {before!r}"))
    return converted, broken
