"""From a source to examples that have all been opened once.

What the data is, and what will be converted, is inferred and said in the notes. An item that cannot be used stops the
reading before any compute is spent, or is left out on request; `headstart.data.inspect` lists them all.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from headstart.data._extra import extra_columns
from headstart.data._facts import Facts, notes_on_items, of_one_kind, opened
from headstart.data._findings import Finding
from headstart.data._kinds import asked_kind, asked_modality, entities_in, label_sets, with_kind
from headstart.data._name_groups import guessed_groups
from headstart.data._rows import Found, Names, Row
from headstart.data._sources import find, with_test
from headstart.data._transcripts import too_long
from headstart.data.dataset import PARTS, PLURALS, Dataset, LeftOut
from headstart.errors import DataError, OptionError
from headstart.runtime.recordings import SoundFacts
from headstart.tasks import Kind, Spelling, read_number


@dataclass(frozen=True)
class Reading:
    """Everything a source gave: what can be used, what cannot, and the facts about the items.

    Attributes:
        dataset: The usable examples, with notes.
        facts: One per image or sound; empty for texts.
        faults: Entries that cannot be used, in their order.
        findings: What is odd about how the source is written; the notes of the data set say it too.
    """

    dataset: Dataset
    facts: tuple[Facts, ...]
    faults: tuple[DataError, ...]
    findings: tuple[Finding, ...] = ()

    @property
    def usable(self) -> Dataset:
        """The usable examples, with what cannot be used listed as left out."""
        left_out = tuple(LeftOut(fault.where, fault.problem) for fault in self.faults)
        return replace(self.dataset, left_out=left_out) if left_out else self.dataset


def load(
    source: str | Path,
    *,
    test: str | Path | None = None,
    task: str | None = None,
    label: str | None = None,
    text: str | None = None,
    group: str | None = None,
    on_error: Literal["stop", "skip"] = "stop",
    transcripts: Spelling = "plain",
    slices: Sequence[str] = (),
) -> Dataset:
    """Read labelled data and check every item of it.

    Args:
        source: A folder with a folder of images or sounds per class (below ``train``, ``val`` and ``test`` if there are
            such), a CSV, TSV, JSONL or Parquet table with ``path`` or ``text`` and ``label``, a JSONL table with
            ``text`` and ``spans``, one with ``path`` and ``transcript``, a folder of recordings with a ``.txt`` file
            beside each, CoNLL columns (``.conll``, ``.iob``, ``.bio``, ``.bioes``; with ``task="tagging"``
            also ``.txt`` and ``.tsv``), a folder with ``manifest.*`` or ``train.*``, or a ``.txt`` file with one
            unlabelled text per line.
        test: A second source, used as the test part.
        task: ``image-``, ``text-`` or ``audio-`` and ``classification``, ``multilabel`` or ``regression``,
            ``text-tagging``, ``audio-transcription``, or the kind alone; inferred without it, except regression.
        label: The label column, by default ``label``, ``spans`` for tagging, or ``transcript``.
        text: The text column, by default ``text``.
        group: The group column, by default ``group`` where there is one; ``filename:REGEX``, whose first capture
            group names the group, or ``dicom:PatientID`` or another element of DICOM headers, of which a hash is kept.
        on_error: ``stop`` at items that cannot be used, or ``skip`` them and list them in `Dataset.left_out`.
        transcripts: ``plain`` takes them in lower case and without punctuation, ``written`` as they are.
        slices: Columns to keep in `Dataset.extra`: any of the table, and ``group``, ``domain`` and ``folder`` (in which
            a file lies) where there are such.

    Returns:
        The examples, in the order of the source.

    Raises:
        DataError: The source or one of its items cannot be used.
        OptionError: An option does not fit the data.
    """
    reading = read(
        source, test=test, task=task, label=label, text=text, group=group, transcripts=transcripts, slices=slices
    )
    if reading.faults and on_error == "stop":
        first, number = reading.faults[0], len(reading.faults)
        problem = f"{first.problem} (the first of {number} faults)" if number > 1 else first.problem
        fix = f"{first.fix} Or pass --on-error skip to leave it out.".lstrip()
        if number > 1:
            fix = f"Run `headstart check {source}` to see all, or pass --on-error skip to leave them out."
        raise DataError(problem, where=first.where, fix=fix) from first
    if not len(reading.dataset):
        first = reading.faults[0]
        raise DataError(f"nothing is left that can be used; the first fault: {first}", where=str(source))
    return reading.usable


def read(
    source: str | Path,
    *,
    test: str | Path | None,
    task: str | None,
    label: str | None,
    text: str | None,
    group: str | None,
    transcripts: Spelling,
    slices: Sequence[str] = (),
) -> Reading:
    """Read a source completely, faults and all; the arguments are those of `load`."""
    kind = asked_kind(task)
    modality = "audio" if kind == "transcription" else asked_modality(task)
    names = Names(label, text, group, kind=kind, modality=modality, spelling=transcripts, slices=tuple(slices))
    found = find(Path(source), names)
    if test is not None:
        like = replace(names, kind="transcription") if found.kind == "transcription" else names
        found = with_test(found, find(Path(test), like), Path(test))
    if task and task not in (names.kind, f"{found.modality}-{names.kind}"):
        holds = f"the data holds {PLURALS[found.modality]}"
        raise OptionError(f"task {task!r} does not fit: {holds}", fix="Leave out --task.")
    found, kind = with_kind(found, names)
    if transcripts == "written" and kind != "transcription":
        raise OptionError("--transcripts: the data holds no transcripts", fix="Leave it out.")
    rows, facts, faults = [], [], []
    results = of_one_kind(found.entries, list(opened(found.entries, found.modality)))
    for entry, result in zip(found.entries, results, strict=True):
        if kind == "transcription" and isinstance(entry, Row) and isinstance(result, SoundFacts):
            result = too_long(entry, result) or result
        if isinstance(result, DataError):
            faults.append(result)
        elif isinstance(entry, Row):
            rows.append(entry)
            facts += [] if isinstance(result, Row) else [result]
    dataset = _dataset(found, rows, str(source), kind)
    dataset = replace(dataset, extra=extra_columns(dataset, found, rows, slices))
    guessed = _groups(dataset, found, rows)
    notes = (*dataset.notes, *(finding.note() for finding in guessed), *notes_on_items(rows, facts))
    return Reading(replace(dataset, notes=notes), tuple(facts), tuple(faults), (*found.findings, *guessed))


def _groups(dataset: Dataset, found: Found, rows: Sequence[Row]) -> list[Finding]:
    """Suggest groups by the names of recordings or pictures, where nothing else says whose they are."""
    said = any(finding.kind == "possible-groups" for finding in found.findings)
    if dataset.modality == "text" or dataset.groups or dataset.folds or dataset.labels is None or said:
        return []
    guessed = guessed_groups(rows, dataset.modality)
    return [guessed] if guessed else []


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
        notes = [f"No labels: {len(dataset)} {PLURALS[dataset.modality]}."]
    else:
        notes = [f"Task: {dataset.modality} {_described(dataset)} ({labels_from})."]
    if dataset.parts:
        counts = Counter(dataset.parts)
        notes.append("Parts: " + ", ".join(f"{part} {counts[part]}" for part in PARTS if part in counts) + ".")
    columns = {"Groups": dataset.groups, "Domains": dataset.domains, "Folds": dataset.folds}
    return notes + [f"{name}: {len(set(values))}." for name, values in columns.items() if values]


def _described(dataset: Dataset) -> str:
    """Say what is predicted: how many classes or labels, or which range of numbers."""
    if dataset.kind == "transcription":
        words = sum(len(text.split()) for text in dataset.labels or ())
        return f"transcription, {words:,} words, {len(set(''.join(dataset.labels or ())))} different characters"
    if dataset.kind == "regression":
        values = sorted(dataset.labels or (), key=read_number)
        return f"regression, values from {values[0]} to {values[-1]}" if values else "regression"
    n = len({name for names in label_sets(dataset) for name in names})
    if dataset.kind == "tagging":
        entities = sum(map(len, entities_in(dataset)))
        return f"tagging, {n} {'type of entity' if n == 1 else 'types of entities'}, {entities:,} entities"
    if dataset.kind == "multilabel":
        return f"multi-label classification, {n} {'label' if n == 1 else 'labels'}"
    return f"classification, {n} {'class' if n == 1 else 'classes'}"
