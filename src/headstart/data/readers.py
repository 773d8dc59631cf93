"""From a source to examples that have all been opened once: `load` for labelled data, `load_items` for prediction.

What the data is, and what will be converted, is inferred and said in the notes. An item that cannot be used stops the
reading before any compute is spent, or is left out on request; `headstart.data.inspect` lists them all.
"""

import sys
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, Literal

from headstart.data._folders import from_folder, images_below, name_fault
from headstart.data._kinds import asked_kind, label_sets, with_kind
from headstart.data._manifests import from_lines, from_part_tables, from_table, only, text_entries
from headstart.data._rows import PARTS_BY_NAME, Found, Names, Row
from headstart.data._tables import TABLE_SUFFIXES, split_lines
from headstart.data.dataset import PARTS, Dataset, Item, LeftOut, Modality
from headstart.data.images import ImageFacts, describe_image
from headstart.engine import LocalEngine
from headstart.errors import DataError, OptionError
from headstart.tasks import Kind, read_number

TINY: Final = 8  # pixels; below this no pretrained network has anything to see


@dataclass(frozen=True)
class Reading:
    """Everything a source gave: what can be used, what cannot, and the facts about the images.

    Attributes:
        dataset: The usable examples, with notes.
        facts: One per example of images; empty for texts.
        faults: Entries that cannot be used, in their order.
    """

    dataset: Dataset
    facts: tuple[ImageFacts, ...]
    faults: tuple[DataError, ...]


def load(
    source: str | Path,
    *,
    test: str | Path | None = None,
    task: str | None = None,
    label: str | None = None,
    text: str | None = None,
    group: str | None = None,
    on_error: Literal["stop", "skip"] = "stop",
) -> Dataset:
    """Read labelled data and check every item of it.

    Args:
        source: A folder with a folder of images per class (below ``train``, ``val`` and ``test`` if there are such), a
            CSV, TSV, JSONL or Parquet table with ``path`` or ``text`` and ``label``, a folder with ``manifest.*`` or
            ``train.*``, or a ``.txt`` file with one unlabelled text per line.
        test: A second source, used as the test part.
        task: ``image-`` or ``text-`` and ``classification``, ``multilabel`` or ``regression``, or the kind alone;
            inferred without it, except regression.
        label: The label column, by default ``label``.
        text: The text column, by default ``text``.
        group: The group column, by default ``group`` where there is one; or ``filename:REGEX``, whose first capture
            group names the group.
        on_error: ``stop`` at items that cannot be used, or ``skip`` them and list them in `Dataset.left_out`.

    Returns:
        The examples, in the order of the source.

    Raises:
        DataError: The source or one of its items cannot be used.
        OptionError: An option does not fit the data.
    """
    reading = read(source, test=test, task=task, label=label, text=text, group=group)
    if reading.faults and on_error == "stop":
        first, number = reading.faults[0], len(reading.faults)
        problem = f"{first.problem} (the first of {number} faults)" if number > 1 else first.problem
        fix = f"Run `headstart check {source}` to see all, or pass --on-error skip to leave them out."
        raise DataError(problem, where=first.where, fix=fix) from first
    if not len(reading.dataset):
        first = reading.faults[0]
        raise DataError(f"nothing is left that can be used; the first fault: {first}", where=str(source))
    left_out = tuple(LeftOut(fault.where, fault.problem) for fault in reading.faults)
    return replace(reading.dataset, left_out=left_out)


def load_items(
    inputs: Sequence[str | Path], modality: Modality, *, text: str | None = None
) -> list[tuple[str, Item | DataError]]:
    """Read inputs for prediction; what cannot be read stands as an error in its place.

    Args:
        inputs: Files, folders (read with their sub-folders, sorted), tables, and ``-`` for lines on standard input:
            texts, or paths of images.
        modality: What the model takes.
        text: The text column of tables, by default ``text``.

    Returns:
        In input order, the name of each input (path of an image, ``file:line`` of a text) with the item or its error.
    """
    entries = [
        entry for one in inputs for entry in _input_entries(str(one), modality, Names(text=text, labelled=False))
    ]
    named = [(entry.where, entry) if isinstance(entry, DataError) else (_name(entry), entry) for entry in entries]
    if modality == "text":
        return [(name, entry if isinstance(entry, DataError) else entry.item) for name, entry in named]
    opened = LocalEngine().map(_open, entries)
    return [
        (name, facts if isinstance(facts, DataError) else entry.item if isinstance(entry, Row) else entry)
        for (name, entry), facts in zip(named, opened, strict=True)
    ]


def read(
    source: str | Path,
    *,
    test: str | Path | None,
    task: str | None,
    label: str | None,
    text: str | None,
    group: str | None,
) -> Reading:
    """Read a source completely, faults and all; the arguments are those of `load`."""
    names = Names(label, text, group, kind=asked_kind(task))
    found = _find(Path(source), names)
    if test is not None:
        found = _with_test(found, _find(Path(test), names), Path(test))
    if task and task not in (names.kind, f"{found.modality}-{names.kind}"):
        raise OptionError(f"task {task!r} does not fit: the data holds {found.modality}s", fix="Leave out --task.")
    found, kind = with_kind(found, names)
    opened = LocalEngine().map(_open, found.entries) if found.modality == "image" else found.entries
    rows, facts, faults = [], [], []
    for entry, result in zip(found.entries, opened, strict=True):
        if isinstance(result, DataError):
            faults.append(result)
        elif isinstance(entry, Row):
            rows.append(entry)
            facts += [result] if isinstance(result, ImageFacts) else []
    dataset = _dataset(found, rows, str(source), kind)
    notes = (*dataset.notes, *_notes_on_images(rows, facts))
    return Reading(replace(dataset, notes=notes), tuple(facts), tuple(faults))


def _find(source: Path, names: Names) -> Found:
    """Choose the layout: a file; a folder with a manifest; with tables that are parts; of images."""
    if names.group and names.group.startswith("dicom:"):
        raise OptionError(f"--group {names.group}: DICOM files are not read yet", fix="Use filename:REGEX or a column.")
    if fault := _path_fault(source):
        raise fault
    if source.is_file():
        return _find_in_file(source, names)
    if not source.is_dir():
        raise DataError("expected a file or a folder, found nothing", where=str(source), fix="Check the path.")
    tables = sorted(path for path in source.iterdir() if path.suffix.lower() in TABLE_SUFFIXES and path.is_file())
    manifests = [path for path in tables if path.stem.lower() == "manifest"]
    if manifests:
        return from_table(only(manifests), names)
    if any(PARTS_BY_NAME.get(path.stem.lower()) == "train" for path in tables):
        return from_part_tables(tables, names)
    return from_folder(source, names, tables=tables)


def _path_fault(path: Path) -> DataError | None:
    """Return the fault of what the system does not take as a path, or of a name that cannot be printed."""
    text = str(path)
    try:
        path.exists()
    except OSError as error:
        fix = "Check the path; put texts into a file, one per line."
        found = f"{len(text)} characters ({(error.strerror or str(error)).lower()})"
        return DataError(f"expected a path, found {found}", where=text[:40], fix=fix)
    return name_fault(text)


def _find_in_file(path: Path, names: Names) -> Found:
    if path.suffix.lower() in TABLE_SUFFIXES:
        return from_table(path, names)
    if path.suffix.lower() == ".txt":
        return from_lines(path)
    kinds = ", ".join(sorted((*TABLE_SUFFIXES, ".txt")))
    raise DataError(f"expected a folder or a file of {kinds}, found {path.name!r}", where=str(path), fix="Convert it.")


def _with_test(found: Found, tested: Found, source: Path) -> Found:
    """Append a second source as the test part."""
    if found.modality != tested.modality:
        raise DataError(
            f"expected {found.modality}s as in the training data, found {tested.modality}s",
            where=str(source),
            fix="Give a test source of the same kind.",
        )
    if any(row.part == "test" for row in found.rows):
        raise OptionError("--test: the data has a test part of its own", fix="Leave out --test, or the test part.")
    own_test = any(row.part == "test" for row in tested.rows)
    prefix = f"{source.name}/" if source.is_dir() else ""
    entries = tuple(
        replace(entry, part="test", place=prefix + entry.place) if isinstance(entry, Row) else entry
        for entry in tested.entries
        if not own_test or isinstance(entry, DataError) or entry.part == "test"
    )
    said = (f"Of {source}, only the test part is used.",) if own_test and len(entries) < len(tested.entries) else ()
    notes, listed = (*found.notes, *tested.notes, *said), found.listed or tested.listed
    return replace(found, entries=found.entries + entries, notes=notes, listed=listed)


def _open(entry: Row | DataError) -> ImageFacts | DataError:
    """Decode an image once; a fault names the row and the file."""
    if isinstance(entry, DataError):
        return entry
    try:
        return describe_image(entry.item)
    except DataError as error:
        where = entry.place if entry.place.endswith(entry.item.name) else f"{entry.place} ({entry.item.name})"
        return DataError(error.problem, where=where, fix=error.fix)


def _dataset(found: Found, rows: Sequence[Row], source: str, kind: Kind) -> Dataset:
    """Turn rows into columns; what only some rows have is filled or dropped, and said."""
    notes: list[str] = []
    parts = tuple(row.part or "train" for row in rows)
    labels = tuple(row.label for row in rows if row.label is not None)
    groups = _filled(rows, "group", notes)
    dataset = Dataset(
        modality=found.modality,
        items=tuple(row.item for row in rows),
        places=tuple(row.place for row in rows),
        labels=labels if len(labels) == len(rows) else None,
        groups=groups,
        parts=None if set(parts) <= {"train"} else parts,
        domains=_filled(rows, "domain", notes),
        folds=_filled(rows, "fold", notes),
        source=source,
        kind=kind,
    )
    return replace(dataset, notes=(*_notes_on_columns(dataset, found.labels_from), *notes, *found.notes))


def _filled(rows: Sequence[Row], name: Literal["group", "domain", "fold"], notes: list[str]) -> tuple[str, ...] | None:
    values = [getattr(row, name) for row in rows]
    missing = sum(value is None for value in values)
    if missing == len(values):
        return None
    if not missing:
        return tuple(values)
    if name == "group":
        notes.append(f"Without a group, each taken as a group of its own: {missing} items.")
        return tuple(row.place if value is None else value for row, value in zip(rows, values, strict=True))
    notes.append(f"The column {name!r} is not used: {missing} items are without it.")
    return None


def _notes_on_columns(dataset: Dataset, labels_from: str) -> list[str]:
    """Say the inferred task, parts, groups, domains and folds."""
    if dataset.labels is None:
        notes = [f"No labels: {len(dataset)} {dataset.modality}s."]
    else:
        notes = [f"Task: {dataset.modality} {_described(dataset)} ({labels_from})."]
    if dataset.parts:
        counts = Counter(dataset.parts)
        notes.append("Parts: " + ", ".join(f"{part} {counts[part]}" for part in PARTS if part in counts) + ".")
    columns = {"Groups": dataset.groups, "Domains": dataset.domains, "Folds": dataset.folds}
    return notes + [f"{name}: {len(set(values))}." for name, values in columns.items() if values]


def _described(dataset: Dataset) -> str:
    """Say what is predicted: how many classes or labels, or which range of numbers."""
    if dataset.kind == "regression":
        values = sorted(dataset.labels or (), key=read_number)
        return f"regression, values from {values[0]} to {values[-1]}" if values else "regression"
    n = len({name for names in label_sets(dataset) for name in names})
    if dataset.kind == "multilabel":
        return f"multi-label classification, {n} {'label' if n == 1 else 'labels'}"
    return f"classification, {n} {'class' if n == 1 else 'classes'}"


def _notes_on_images(rows: Sequence[Row], facts: Sequence[ImageFacts]) -> list[str]:
    """Say every kind of conversion once, with a count and one example."""
    places: dict[str, list[str]] = {}
    for row, fact in zip(rows, facts, strict=False):
        for kind in fact.conversions:
            places.setdefault(f"Converted: {kind}", []).append(row.place)
        if min(fact.size) < TINY:
            places.setdefault(f"Warning: under {TINY} pixels wide or high", []).append(row.place)
    return [f"{kind}: {len(found)} (first: {found[0]})." for kind, found in places.items()]


def _input_entries(source: str, modality: Modality, names: Names) -> Iterable[Row | DataError]:
    """Return the rows of one input of a prediction; an input that cannot be read at all is one error."""
    try:
        if source == "-":
            return _standard_input(modality)
        path = Path(source)
        if fault := _path_fault(path):
            return [fault]
        if modality == "image" and path.suffix.lower() not in TABLE_SUFFIXES and not path.is_dir():
            return [Row(path, source)]
        if path.is_dir():
            return _folder_entries(path, modality, names)
        if not path.exists():
            return [DataError("expected a file, found no such file", where=source, fix="Check the path.")]
        found = _find_in_file(path, names)
    except DataError as error:
        return [DataError(error.problem, where=source, fix=error.fix)]
    if found.modality != modality:
        return [DataError(f"expected {modality}s, found {found.modality}s", where=source, fix="Give the other kind.")]
    return [_as_given(entry, path.name, source) for entry in found.entries]


def _as_given(entry: Row | DataError, name: str, source: str) -> Row | DataError:
    """Put the file as the user has named it, folder and all, in front of the row's number."""
    if isinstance(entry, Row):
        return replace(entry, place=source + entry.place.removeprefix(name))
    return DataError(entry.problem, where=source + entry.where.removeprefix(name), fix=entry.fix)


def _folder_entries(folder: Path, modality: Modality, names: Names) -> list[Row | DataError]:
    manifests = [path for path in sorted(folder.glob("manifest.*")) if path.suffix.lower() in TABLE_SUFFIXES]
    if manifests:
        return list(_input_entries(str(only(manifests)), modality, names))
    if modality == "image":
        entries: list[Row | DataError] = [
            name_fault(str(path)) or Row(path, str(path)) for path in images_below(folder)
        ]
    else:
        files = [path for path in sorted(folder.rglob("*")) if path.suffix.lower() in (*TABLE_SUFFIXES, ".txt")]
        entries = [entry for path in files for entry in _input_entries(str(path), modality, names)]
    if not entries:
        raise DataError(f"expected {modality}s, found none in the folder", where=str(folder), fix="Check the path.")
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


def _name(row: Row) -> str:
    return str(row.item) if isinstance(row.item, Path) else row.place
