"""Transcripts of recordings: what is wrong with one by itself or beside its recording, and how all are spelt.

Spelling is never silent: how many transcripts it changes is said with an example, and ``--transcripts written`` keeps
case and punctuation.
"""

import unicodedata
from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from headstart.data._findings import Finding
from headstart.data._rows import Found, Names, Row
from headstart.errors import DataError
from headstart.runtime.recordings import SoundFacts
from headstart.tasks import Spelling, frames_needed, plain, written

FRAMES: Final = 50  # per second: what most networks for speech give; each tells one character at most
_SHOWN: Final = 40  # characters
_LINE_ENDS: Final = "\t\n\r"


def transcribed(found: Found, names: Names) -> Found:
    """Spell the transcripts of a source, and make faults of those that cannot be used.

    Args:
        found: Recordings with transcripts.
        names: The spelling.

    Returns:
        The entries, with a note and a finding where spelling changes any.
    """
    judged = [_judged(entry) if isinstance(entry, Row) else entry for entry in found.entries]
    spell = plain if names.spelling == "plain" else written
    spelt = [replace(entry, label=spell(entry.label or "")) if isinstance(entry, Row) else entry for entry in judged]
    changed = [
        (before, after)
        for before, after in zip(judged, spelt, strict=True)
        if isinstance(before, Row) and isinstance(after, Row) and before.label != after.label
    ]
    findings = [_about_spelling(changed, len(found.rows), names.spelling)] if changed else []
    return replace(
        found,
        entries=tuple(spelt),
        findings=(*found.findings, *findings),
        notes=(*found.notes, *(finding.note() for finding in findings)),
    )


def too_long(row: Row, fact: SoundFacts) -> DataError | None:
    """Return the fault of a transcript that nobody can have said in the time.

    Args:
        row: The recording with its transcript.
        fact: How long it is.

    Returns:
        The fault where the transcript has more characters than the recording has frames.
    """
    text = plain(row.label or "")
    if frames_needed(text) <= FRAMES * fact.seconds:
        return None
    found = f"{len(text)} characters in {fact.seconds:.2f} s"
    fix = "Check that the transcript belongs to the recording and that none of it is cut off."
    return DataError(
        f"expected a transcript that can be said in the recording, found {found}", where=row.place, fix=fix
    )


def shortened(text: str) -> str:
    """Show a transcript in a message: quoted, its end left out where it is long."""
    return repr(text) if len(text) <= _SHOWN else repr(text[:_SHOWN].rstrip() + "...")


def shown(character: str) -> str:
    """Show a character in a message: quoted, or its number where it cannot stand alone."""
    alone = character.isprintable() and not unicodedata.combining(character)
    return repr(character) if alone else f"U+{ord(character):04X}"


def _judged(row: Row) -> Row | DataError:
    """Return the row, or the fault of its transcript."""
    text = row.label or ""
    odd = next((place for place, char in enumerate(text) if _is_broken(char)), None)
    if odd is not None:
        found = f"{_named(text[odd])} after {odd} characters of {shortened(text)}"
        return DataError(f"expected text, found {found}", where=row.place, fix="Write the transcript anew.")
    if not plain(text):
        found = f"expected words, found only punctuation: {shortened(text)}"
        return DataError(found, where=row.place, fix="Write what is said, or remove the row.")
    return row


def _is_broken(char: str) -> bool:
    return char == "\ufffd" or (unicodedata.category(char) == "Cc" and char not in _LINE_ENDS)


def _named(char: str) -> str:
    return "U+FFFD, a character that was lost" if char == "\ufffd" else f"the control character U+{ord(char):04X}"


def _about_spelling(changed: Sequence[tuple[Row, Row]], n: int, spelling: Spelling) -> Finding:
    before, after = (row.label or "" for row in changed[0])
    what, fix = "white space and accents of transcripts written alike (NFC)", "Nothing: they look the same."
    if spelling == "plain":
        what = "transcripts in lower case and without punctuation"
        fix = "Nothing, if this is meant; --transcripts written keeps case and punctuation."
    found = f"{what}: {len(changed)} of {n} change, such as {shortened(before)} -> {shortened(after)}"
    return Finding("spelling", "info", changed[0][0].place, found, fix)
