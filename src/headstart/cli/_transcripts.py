"""What people read on the screen about speech: errors with the worst recordings, and transcripts."""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from headstart.pipeline import SpeechErrors

_WORDS: Final[Mapping[str, str]] = {"same": "right"}
_LISTED: Final = 6
_MOST_GROUPS: Final = 12


def speech_lines(errors: "SpeechErrors") -> Iterator[str]:
    """Show what is right and wrong with what was heard: a line per kind of error, groups, the worst recordings.

    Args:
        errors: What was counted.

    Yields:
        Lines of text.
    """
    examples = {
        "substituted": [f"{said} by {heard} {n:,}" for said, heard, n in errors.substituted],
        "left out": [f"{word} {n:,}" for word, n in errors.left_out],
        "put in": [f"{word} {n:,}" for word, n in errors.put_in],
    }
    width = max(map(len, errors.counts))
    yield f"{'words':<{width}}  {'n':>6}"
    for edit, n in errors.counts.items():
        listed = examples.get(edit, [])
        more = ", ..." if len(listed) > _LISTED else ""
        yield f"{_WORDS.get(edit, edit):<{width}}  {n:>6}  {', '.join(listed[:_LISTED])}{more}".rstrip()
    if errors.outside:
        n = errors.outside_recordings
        where = f"in {n:,} {'transcript' if n == 1 else 'transcripts'}"
        yield f"Characters outside the vocabulary ({where}), each an error: {_characters(errors.outside)}."
    yield from _group_lines(errors)
    if errors.worst:
        yield ""
        yield "worst recordings"
        for each in errors.worst:
            yield f"  {each.place}: {each.errors} wrong, {each.words} said: {each.marked}"


def _characters(outside: Mapping[str, int]) -> str:
    shown = [f"{name!r} {n:,}" for name, n in outside.items()]
    return ", ".join(shown[:_LISTED]) + f" and {len(shown) - _LISTED} more" * (len(shown) > _LISTED)


def _group_lines(errors: "SpeechErrors") -> Iterator[str]:
    """Show the word error rate of every group, the highest first, where there are several."""
    if len(errors.groups) < 2:
        return
    rows = sorted(errors.groups.items(), key=lambda row: -(row[1].wer or 0.0))
    width = max(len("group"), *(len(name) for name, _ in rows[:_MOST_GROUPS]))
    yield ""
    yield f"{'group':<{width}}  recordings   words  errors  word error rate"
    for name, group in rows[:_MOST_GROUPS]:
        rate = "-" if group.wer is None else f"{group.wer:.3f}"
        yield f"{name:<{width}}  {group.recordings:>10}  {group.words:>6}  {group.errors:>6}  {rate:>15}"
    if len(rows) > _MOST_GROUPS:
        yield f"and {len(rows) - _MOST_GROUPS} more with lower rates"


def recordings_drawn(errors: "SpeechErrors", how: str) -> str:
    """Say in a few words what the interval of a score draws.

    Args:
        errors: What was scored.
        how: Where the score comes from; ``cv`` is outer folds.

    Returns:
        A part of a sentence.
    """
    over = "interval over folds of" if how == "cv" else "interval over"
    if errors.interval_over == "groups":
        return f"{over} {errors.drawn:,} groups (speakers)"
    n = len(errors.groups)
    few = f"of the same {n} groups (speakers)" if n > 1 else "of one group (speaker)"
    return f"{over} {errors.drawn:,} recordings{f' {few}' if n else ', since no groups (speakers) are marked'}"


def transcript_line(row: Mapping[str, Any]) -> str:
    """Show what was heard in an input.

    Args:
        row: A row of `headstart.predict`.

    Returns:
        Its name and the transcript, separated by a tab.
    """
    return f"{row['input']}\t{row['transcript'] or '-'}"


def transcript_row(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return the row of a table for one input.

    Args:
        row: A row of `headstart.predict`.

    Returns:
        Columns input, transcript, words (as JSON) and error.
    """
    words: Sequence[Any] = row["words"]
    return {
        "input": row["input"],
        "transcript": row["transcript"],
        "words": json.dumps(words, ensure_ascii=False),
        "error": None,
    }
