"""Files of examples: one manifest, or ``train.*`` with other parts beside it.

Paths are relative to the manifest's folder and may not leave it. Apart from texts, outer white space is not part of a
value, nor of a path; that it was removed is said for labels.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path, PurePosixPath
from typing import Final

from headstart.data._columns import Columns, choose_columns
from headstart.data._conll import from_conll, is_conll
from headstart.data._lines import Rows, read_lines, read_whole
from headstart.data._name_groups import group_column
from headstart.data._rows import FROM_FILES, PARTS_BY_NAME, Found, Names, Row, group_reader, noun_of
from headstart.data._spans import Odd, about_spans, with_spans
from headstart.data._table import Table
from headstart.data._tables import read_table
from headstart.data.dataset import PARTS, Part
from headstart.errors import DataError
from headstart.runtime import Modality

_FILL: Final = "Fill it or remove the row."


def only(paths: Sequence[Path]) -> Path:
    """Return the one path there should be."""
    if len(paths) > 1:
        raise DataError(
            f"expected one file, found {' and '.join(path.name for path in paths)}",
            where=str(paths[0].parent),
            fix="Keep one of them.",
        )
    return paths[0]


def from_lines(path: Path) -> Found:
    """Read a text file with one unlabelled item per line."""
    return Found("text", tuple(text_entries(read_lines(path), path.name)), "")


def from_document(path: Path) -> Found:
    """Read a text file as one unlabelled document."""
    text = read_whole(path)
    return Found("text", (text if isinstance(text, DataError) else Row(text, path.name),), "")


def text_entries(lines: Rows, source: str) -> list[Row | DataError]:
    """Return a row or a fault per line of texts; ``source`` is the name in their places."""
    entries: list[Row | DataError] = []
    for line, cells in lines:
        place = f"{source}:{line}"
        if isinstance(cells, DataError):
            entries.append(cells)
        else:
            entries.append(text_fault(cells[0], place) or Row(cells[0], place))
    return entries


def text_fault(text: str, place: str) -> DataError | None:
    """Return the fault of an empty text."""
    if text.strip():
        return None
    return DataError("expected a text, found an empty one", where=place, fix=_FILL)


def from_part_tables(tables: Sequence[Path], names: Names) -> Found:
    """Read the files of a folder whose names say their parts.

    Args:
        tables: All tables and files of columns in the folder; one of them is for training.
        names: The columns to read.

    Returns:
        The entries of train, val and test, in this order.

    Raises:
        DataError: Two files are the same part, hold different kinds of items, or one cannot be read.
    """
    by_part: dict[Part, list[Path]] = {}
    others = []
    for path in tables:
        part = PARTS_BY_NAME.get(path.stem.lower())
        if part is None:
            others.append(path.name)
        else:
            by_part.setdefault(part, []).append(path)
    found = [from_file(only(by_part[part]), names, part=part) for part in PARTS if part in by_part]
    kinds = list(dict.fromkeys(one.what for one in found))
    if len(kinds) > 1:
        where = str(tables[0].parent)
        raise DataError(f"expected one kind of items, found {' and '.join(kinds)}", where=where, fix="Separate them.")
    notes = [note for one in found for note in one.notes]
    if others:
        notes.append(f"Tables that are no part of the data: {', '.join(others)}.")
    return replace(
        found[0],
        entries=tuple(entry for one in found for entry in one.entries),
        notes=tuple(notes),
        listed=any(one.listed for one in found),
        findings=tuple(finding for one in found for finding in one.findings),
        counted=any(one.counted for one in found),
        columns=tuple(dict.fromkeys(name for one in found for name in one.columns)),
    )


def from_file(path: Path, names: Names, *, part: Part | None = None) -> Found:
    """Read one file of labelled or unlabelled examples: CoNLL columns, or a table."""
    return from_conll(path, names, part=part) if is_conll(path, names) else from_table(path, names, part=part)


def from_table(path: Path, names: Names, *, part: Part | None = None) -> Found:
    """Read one table.

    Args:
        path: The file.
        names: The columns to read.
        part: What the file's name says about all its rows.

    Returns:
        One entry per row, bad rows included, in their order.

    Raises:
        DataError: The table cannot be read or lacks a column.
    """
    table = read_table(path)
    spans = _spans_column(table, names)
    if spans:
        return _from_spans(table, spans, names, part)
    chosen = choose_columns(table, names)
    items = table.column(chosen.item, option="--text" if chosen.modality == "text" else "")
    columns = _columns(table, names, chosen)
    kind, label = chosen.kind or names.kind, chosen.label
    notes = [*table.notes, *chosen.notes, *_notes_on_labels(table, columns.get("label", ()), noun_of(kind))]
    notes += _notes_on_part(table, columns, part)
    make = _row_maker(path.parent, chosen.modality, names, part, column=chosen.item)
    extra = _extra_columns(table, names)
    entries: dict[int, Row | DataError] = dict(table.faults)
    unlabelled = table.missing.get(label, frozenset()) if names.labelled else frozenset()
    for i, line in enumerate(table.lines):
        values = {name: values[i].strip() for name, values in columns.items()}
        missing = line in unlabelled or (kind == "transcription" and not values["label"])
        fault = no_label(label, table.place(line), noun=noun_of(kind)) if missing else None
        entries[line] = fault or _with_extra(make(items[i], table.place(line), values), extra, i)
    ordered = tuple(entries[line] for line in sorted(entries))
    listed = names.labelled and chosen.kind is None and label in table.lists
    guesses = part in (None, "train") and _open_group(table, names)
    finding = group_column(table, chosen.label, chosen.modality) if guesses else None
    findings = (finding,) if finding else ()
    notes += [finding.note() for finding in findings]
    found = Found(chosen.modality, ordered, f"column {label!r}", tuple(notes), listed, chosen.kind, findings=findings)
    return replace(found, columns=tuple(table.columns))


def _from_spans(table: Table, column: str, names: Names, part: Part | None) -> Found:
    """Read texts with the spans of their entities."""
    items = table.column(names.text or "text", option="--text")
    columns = _descriptions(table, names)
    notes = [*table.notes, *_notes_on_part(table, columns, part)]
    make = _row_maker(table.path.parent, "text", names, part)
    extra = _extra_columns(table, names)
    entries: dict[int, Row | DataError] = dict(table.faults)
    odd: list[Odd] = []
    for i, line in enumerate(table.lines):
        row = make(items[i], table.place(line), {name: values[i].strip() for name, values in columns.items()})
        row = _with_extra(row, extra, i)
        entries[line] = with_spans(row, table.values[column][i], odd) if isinstance(row, Row) else row
    findings = about_spans(odd, table.path.name)
    notes += [finding.note() for finding in findings]
    ordered = tuple(entries[line] for line in sorted(entries))
    found = Found("text", ordered, f"column {column!r}", tuple(notes), kind="tagging", findings=findings)
    return replace(found, columns=tuple(table.columns))


def _spans_column(table: Table, names: Names) -> str | None:
    """Return the column of spans, where there is one and the task leaves it open or asks for it."""
    column = names.label or "spans"
    if not names.labelled or names.kind not in (None, "tagging"):
        return None
    is_json = table.path.suffix.lower() == ".jsonl"
    if names.kind is None:
        return (
            column
            if column == "spans" and is_json and column in table.nested and "label" not in table.columns
            else None
        )
    if is_json and column in table.nested:
        return column
    there = f"{column!r} without lists" if column in table.columns else ", ".join(map(repr, table.columns))
    raise DataError(
        f"expected a column {column!r} of spans in JSONL, found {there if is_json else table.path.suffix}",
        where=table.path.name,
        fix='Write {"text": "...", "spans": [[start, end, type], ...]} in a .jsonl file, or CoNLL columns.',
    )


def _notes_on_part(table: Table, columns: dict[str, Sequence[str]], part: Part | None) -> list[str]:
    """Leave the column of parts out where the file's name says its part."""
    if part and columns.pop("split", None):
        return [f"The column 'split' of {table.path.name} is not used: the file's name says its part."]
    return []


def no_label(column: str, place: str, *, noun: str = "label") -> DataError:
    """Return the fault of a row without a label or transcript."""
    return DataError(f"expected a {noun}, found nothing in {column!r}", where=place, fix=_FILL)


def _columns(table: Table, names: Names, chosen: Columns) -> dict[str, Sequence[str]]:
    """Read the columns that describe the items, by the name of the row's field they fill."""
    if not names.labelled:
        return {}
    read = table.labels if (chosen.kind or names.kind) in (None, "multilabel") else table.column
    return {"label": read(chosen.label, option="--label"), **_descriptions(table, names)}


def _open_group(table: Table, names: Names) -> bool:
    """Say whether groups are neither asked for nor given, though they could be."""
    return names.labelled and names.group is None and "group" not in {*table.columns, *table.nested}


def _descriptions(table: Table, names: Names) -> dict[str, Sequence[str]]:
    """Choose the columns that say more of the items than their labels."""
    present = {*table.columns, *table.nested}  # lists in them are refused: without groups, splits would leak
    columns: dict[str, Sequence[str]] = {
        name: table.column(name, option="") for name in ("split", "domain", "fold") if name in present
    }
    if names.group and not names.group.startswith(FROM_FILES):
        columns["group"] = table.column(names.group, option="--group")
    elif not names.group and "group" in present:
        columns["group"] = table.column("group", option="--group")
    return columns


def _extra_columns(table: Table, names: Names) -> dict[str, Sequence[str]]:
    """Read the columns to slice scores by; one that this table lacks may be in another."""
    present = {*table.columns, *table.nested}
    return {name: table.column(name, option="--slice") for name in names.slices if name in present}


def _with_extra(row: Row | DataError, extra: dict[str, Sequence[str]], i: int) -> Row | DataError:
    """Add what row number i has in further columns."""
    if not extra or isinstance(row, DataError):
        return row
    return replace(row, extra={name: values[i].strip() for name, values in extra.items()})


def _notes_on_labels(table: Table, labels: Sequence[str], noun: str) -> list[str]:
    stripped = [line for line, text in zip(table.lines, labels, strict=False) if text != text.strip()]
    if not stripped:
        return []
    return [
        f"{noun.capitalize()}s with outer white space, removed: {len(stripped)} (first: {table.place(stripped[0])})."
    ]


def _row_maker(
    root: Path, modality: Modality, names: Names, part: Part | None, *, column: str = "text"
) -> Callable[[str, str, dict[str, str]], Row | DataError]:
    """Return a function from (path or text, place, other columns) to a row or its fault."""
    inside = _containment(root, column)
    group_of = group_reader(names.group, modality)

    def make(item: str, place: str, values: dict[str, str]) -> Row | DataError:
        empty = next((name for name, value in values.items() if not value and name != "label"), None)
        if empty:
            return DataError(f"expected a {empty}, found nothing in {empty!r}", where=place, fix=_FILL)
        split = values.pop("split", None)
        named = PARTS_BY_NAME.get(split.lower()) if split else part
        if split and not named:
            return DataError(f"expected train, val or test, found {split!r}", where=place, fix="Correct the split.")
        problem = text_fault(item, place) if modality == "text" else inside(item.strip(), place)
        if problem:
            return problem
        taken = item if modality == "text" else root / item.strip()
        label, group, domain, fold = (values.get(name) for name in ("label", "group", "domain", "fold"))
        row = Row(taken, place, label, group, named, domain, fold)
        return group_of(row) if group_of else row

    return make


def _containment(root: Path, column: str) -> Callable[[str, str], DataError | None]:
    """Return a check that a path of a manifest stays in the manifest's folder, also through links."""
    home = root.resolve()

    @cache
    def is_outside(folder: Path) -> bool:
        return not folder.resolve().is_relative_to(home)

    def check(text: str, place: str) -> DataError | None:
        if not text:
            return DataError(f"expected a path, found nothing in {column!r}", where=place, fix=_FILL)
        written, path = PurePosixPath(text), root / text
        try:
            leaves = written.is_absolute() or ".." in written.parts or is_outside(path.parent)
            leaves = leaves or (path.is_symlink() and is_outside(path))
        except OSError as error:
            found = f"{len(text)} characters ({(error.strerror or str(error)).lower()})"
            return DataError(f"expected a path, found {found}", where=place, fix="Correct the path.")
        if leaves:
            fix = "Put the file below the manifest and write its path relative to it."
            return DataError(f"expected a path inside the manifest's folder, found {text!r}", where=place, fix=fix)
        return None

    return check
