"""Who speaks, guessed from a column or from file names: suggested as ``--group``, never taken without being asked.

The same voice in training and test makes a score too good. Of file names such as ``1089-134686-0000.flac`` or
``go_anna_07.wav`` a part is suggested where all names have the same number of them: the first with letters, else the
first, that recurs, does not say the label itself and has every class in two values at least.
"""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from headstart.data._findings import Finding
from headstart.data._rows import Row
from headstart.data._table import Table

_COLUMNS: Final = ("speaker", "speaker_id", "speakerid", "client_id", "spk", "spk_id")
_BETWEEN: Final = re.compile("[_-]")
_FEWEST: Final = 6  # names that could show a system
_LEAST: Final = 3  # recordings of a speaker, on average


def speaker_column(table: Table, label: str) -> Finding | None:
    """Suggest a column of a table whose name speaks of speakers.

    Args:
        table: A table without a column of groups.
        label: The column of the labels, which is none of groups.

    Returns:
        The suggestion, or None.
    """
    named = next((name for name in table.columns if name.lower() in _COLUMNS and name != label), None)
    if named is None:
        return None
    return _suggested(table.path.name, f"column {named!r}", named)


def speakers_in_names(rows: Sequence[Row]) -> Finding | None:
    """Suggest a part of the file names that recurs as a speaker's would.

    Args:
        rows: Recordings without groups.

    Returns:
        The suggestion, or None.
    """
    stems = [row.item.stem for row in rows if isinstance(row.item, Path)]
    names = [_BETWEEN.split(stem) for stem in stems if "." not in stem]
    if len(names) < max(_FEWEST, len(rows)) or len({len(parts) for parts in names}) > 1:
        return None
    labels = [row.label for row in rows]
    ranked = sorted(_recurring(names, labels), key=lambda place: not any(map(str.isalpha, names[0][place])))
    if not ranked:
        return None
    place = ranked[0]
    said = f"part {place + 1} of the file names ({names[0][place]!r} of {rows[0].item.name!r})"
    skipped = f"(?:[^_-]+[_-]){{{place}}}" if place else ""
    return _suggested(rows[0].place, said, f'"filename:^{skipped}([^_.-]+)"')


def _recurring(names: Sequence[Sequence[str]], labels: Sequence[str | None]) -> Iterator[int]:
    for place, values in enumerate(zip(*names, strict=True)):
        different = len(set(values))
        says_label = len(set(zip(values, labels, strict=True))) == different and len(set(labels)) > 1
        counter = place > 0 and all(map(str.isdecimal, values))
        usable = not says_label and not counter and not _holds_a_class(values, labels)
        if 2 <= different <= len(values) / _LEAST and usable and min(map(len, values)):
            yield place


def _holds_a_class(values: Sequence[str], labels: Sequence[str | None]) -> bool:
    """Whether all of a class has one value, so that no split by it is possible; transcripts are no classes."""
    if len(set(labels)) > len(labels) / _LEAST:
        return False
    return min(Counter(label for label, _ in set(zip(labels, values, strict=True))).values()) < 2


def _suggested(where: str, what: str, group: str) -> Finding:
    found = f"{what} may say who speaks: --group {group} keeps each voice on one side of a split"
    return Finding(
        "possible-groups", "info", where, found, "If so, pass it; else the score is of voices known already."
    )
