"""Folders of recordings with their transcripts beside them: ``a.wav`` and ``a.txt``.

They may lie in ``train/``, ``val/`` and ``test/``, and in folders, which are taken as groups: a folder is a speaker, a
book or a day more often than not, and a score of other voices is the honest one.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

from headstart.data._lines import read_whole
from headstart.data._rows import PARTS_BY_NAME, Found, Names, Row
from headstart.data.dataset import Part
from headstart.errors import DataError

_ENOUGH: Final = 0.5  # of the recordings; below, a folder of notes on some of them is likelier


def from_texts_beside(root: Path, sounds: Sequence[Path], texts: Sequence[Path], names: Names) -> Found | None:
    """Read recordings whose transcripts lie beside them.

    Args:
        root: The folder.
        sounds: The recordings in it.
        texts: The ``.txt`` files in it.
        names: The kind of task asked for.

    Returns:
        One entry per recording, or None where the folder is none of this kind.

    Raises:
        DataError: Transcripts are asked for, and no recording has one.
    """
    if not sounds or names.kind not in (None, "transcription"):
        return None
    beside = set(texts)
    heard = [path for path in sounds if path.with_suffix(".txt") in beside]
    if not heard and names.kind == "transcription":
        problem = "expected a transcript beside each recording (a.txt beside a.wav), found none"
        raise DataError(problem, where=str(root), fix="Add them, or give a manifest with 'path' and 'transcript'.")
    if names.kind is None and len(heard) < _ENOUGH * len(sounds):
        return None
    parts = _parts(root, sounds)
    rows = [_read(root, path, beside, parts) for path in sounds if parts is None or _top(root, path) in parts]
    rows, noted = _grouped(rows, names)
    unread = sorted(beside - {path.with_suffix(".txt") for path in sounds})
    kinds = {
        "Text files without a recording, not used": unread,
        "Sounds outside the parts, not used": [path for path in sounds if parts and _top(root, path) not in parts],
    }
    notes = [f"{kind}: {len(found)} (first: {_name(root, found[0])})." for kind, found in kinds.items() if found]
    return Found("audio", tuple(rows), "files beside them", (*noted, *notes), kind="transcription")


def _parts(root: Path, sounds: Sequence[Path]) -> dict[str, Part] | None:
    """Return the parts by the name of their folder, None where there is none for training."""
    parts = {top: PARTS_BY_NAME[top.lower()] for path in sounds if (top := _top(root, path)).lower() in PARTS_BY_NAME}
    return parts if "train" in parts.values() else None


def _top(root: Path, path: Path) -> str:
    inner = path.relative_to(root).parts
    return inner[0] if len(inner) > 1 else ""


def _name(root: Path, path: Path) -> str:
    return path.relative_to(root).as_posix()


def _read(root: Path, path: Path, beside: set[Path], parts: Mapping[str, Part] | None) -> Row | DataError:
    place, text = _name(root, path), path.with_suffix(".txt")
    if text not in beside:
        problem = f"expected a transcript beside it, found no {text.name}"
        return DataError(problem, where=place, fix="Add the file, or remove the recording.")
    said = read_whole(text)
    if isinstance(said, DataError):
        return DataError(said.problem, where=_name(root, text) + said.where.removeprefix(text.name), fix=said.fix)
    folders = path.relative_to(root).parts[:-1]
    part = None if parts is None else parts[folders[0]]
    inner = folders if parts is None else folders[1:]
    return Row(path, place, said.strip(), group=inner[0] if inner else None, part=part)


def _grouped(rows: Sequence[Row | DataError], names: Names) -> tuple[list[Row | DataError], list[str]]:
    """Keep folders as groups where there are several of them and nothing else is asked for, and say so."""
    number = len({row.group for row in rows if isinstance(row, Row) and row.group})
    if number > 1 and not names.group:
        return list(rows), ["Each folder of recordings is taken as a group; --group filename:REGEX names others."]
    return [replace(row, group=None) if isinstance(row, Row) else row for row in rows], []
