"""Inputs for prediction: files, folders, tables and standard input, each item with its name or its error."""

import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from headstart.data._conll import CONLL_SUFFIXES
from headstart.data._facts import Facts, opened
from headstart.data._folders import files_below, name_fault, walk_files
from headstart.data._lines import split_lines
from headstart.data._manifests import only, text_entries
from headstart.data._rows import Names, Row
from headstart.data._sources import find_in_file, path_fault
from headstart.data._tables import TABLE_SUFFIXES
from headstart.data.dataset import PLURALS
from headstart.errors import DataError
from headstart.runtime import Document, Item, Modality
from headstart.tasks import Kind

Say = Callable[[str], None]


def _say_nothing(_text: str) -> None:
    """Do nothing."""


def load_items(
    inputs: Sequence[str | Path],
    modality: Modality,
    *,
    text: str | None = None,
    kind: Kind = "classification",
    look: Callable[[str, Facts], None] | None = None,
    say: Say = _say_nothing,
) -> list[tuple[str, Item | DataError]]:
    """Read inputs for prediction; what cannot be read stands as an error in its place.

    Args:
        inputs: Files, folders (read with their sub-folders, sorted), tables, and ``-`` for lines on standard input:
            texts, or paths.
        modality: What the model takes.
        text: The text column of tables, by default ``text``.
        kind: What the model predicts. For ``tagging`` items are `Document`, a ``.txt`` file is one, and so is each
            sentence of CoNLL columns, whose tags are not read.
        look: Told the name of each image or sound that can be read, and the facts about it.
        say: Told what of a folder is passed over.

    Returns:
        In input order, the name of each input (path of a file, ``file:line`` of a text) with the item or its error.
    """
    names = Names(text=text, labelled=False, modality=modality, kind="tagging" if kind == "tagging" else None)
    entries = [entry for one in inputs for entry in _input_entries(str(one), modality, names, say)]
    named = [(entry.where, entry) if isinstance(entry, DataError) else (_name(entry), entry) for entry in entries]
    if modality == "text":
        return [(name, entry if isinstance(entry, DataError) else _text_item(entry, kind)) for name, entry in named]
    found: list[tuple[str, Item | DataError]] = []
    for (name, entry), facts in zip(named, opened(entries, modality), strict=True):
        if look is not None and not isinstance(facts, Row | DataError):
            look(name, facts)
        found.append((name, facts if isinstance(facts, DataError) else entry.item if isinstance(entry, Row) else entry))
    return found


def _input_entries(source: str, modality: Modality, names: Names, say: Say) -> Iterable[Row | DataError]:
    """Return the rows of one input of a prediction; an input that cannot be read at all is one error."""
    try:
        if source == "-":
            return _standard_input(modality)
        path = Path(source)
        if fault := path_fault(path):
            return [fault]
        if modality != "text" and path.suffix.lower() not in TABLE_SUFFIXES and not path.is_dir():
            return [Row(path, source)]
        if path.is_dir():
            return _folder_entries(path, modality, names, say)
        if not path.exists():
            return [DataError("expected a file, found no such file", where=source, fix="Check the path.")]
        found = find_in_file(path, names)
    except DataError as error:
        return [DataError(error.problem, where=source, fix=error.fix)]
    if found.modality != modality or (found.kind == "tagging" and names.kind != "tagging"):
        there = f"expected {PLURALS[modality]}, found {found.what}"
        return [DataError(there, where=source, fix="Give the other kind.")]
    return [_as_given(entry, path.name, source) for entry in found.entries]


def _as_given(entry: Row | DataError, name: str, source: str) -> Row | DataError:
    """Put the file as the user has named it, folder and all, in front of the row's number."""
    if isinstance(entry, Row):
        return replace(entry, place=source + entry.place.removeprefix(name))
    return DataError(entry.problem, where=source + entry.where.removeprefix(name), fix=entry.fix)


def _folder_entries(folder: Path, modality: Modality, names: Names, say: Say) -> list[Row | DataError]:
    manifests = [path for path in sorted(folder.glob("manifest.*")) if path.suffix.lower() in TABLE_SUFFIXES]
    if manifests:
        return list(_input_entries(str(only(manifests)), modality, names, say))
    entries: list[Row | DataError]
    if modality != "text":
        files = files_below(folder, modality)
        entries = [name_fault(str(path)) or Row(path, str(path)) for path in files]
    else:
        read = {*TABLE_SUFFIXES, ".txt", *(CONLL_SUFFIXES if names.kind == "tagging" else ())}
        files = [path for path in sorted(folder.rglob("*")) if path.suffix.lower() in read]
        entries = [entry for path in files for entry in _input_entries(str(path), modality, names, say)]
    others = sorted({*walk_files(folder)} - {*files})
    if others:
        first = others[0].relative_to(folder).as_posix()
        say(f"{folder}: files that are not {PLURALS[modality]}, passed over: {len(others):,} (first: {first!r}).")
    if not entries:
        raise DataError(
            f"expected {PLURALS[modality]}, found none in the folder", where=str(folder), fix="Check the path."
        )
    return entries


def _standard_input(modality: Modality) -> list[Row | DataError]:
    """Read bytes, so that a line of another encoding is the fault of that line."""
    stream = getattr(sys.stdin, "buffer", None)  # a replaced standard input may be text only
    data = stream.read() if stream else sys.stdin.read().encode("utf-8", "surrogateescape")
    lines = split_lines(data, Path("-"))
    if modality == "text":
        return text_entries(lines, "-")
    return [
        cells if isinstance(cells, DataError) else Row(Path(cells[0]), f"-:{n}")
        for n, cells in lines
        if isinstance(cells, DataError) or cells[0]
    ]


def _text_item(row: Row, kind: Kind) -> str | Document:
    item: str | Document = row.item
    return Document.of_text(item) if kind == "tagging" and isinstance(item, str) else item


def _name(row: Row) -> str:
    return str(row.item) if isinstance(row.item, Path) else row.place
