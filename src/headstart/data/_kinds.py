"""What the labels are: classes, label sets, numbers or transcripts; asked for, or told from the labels themselves.

Labels are label sets where they stand in lists, or where some hold a ``|`` and the parts around it recur in other
labels. They are numbers to predict only on request, because numbers are as often names of classes. A label that cannot
be read as what it should be is a fault of its row.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Final

from headstart.data._manifests import no_label
from headstart.data._rows import Found, Names, Row
from headstart.data._transcripts import transcribed
from headstart.data.dataset import PLURALS, Dataset
from headstart.errors import DataError, OptionError
from headstart.runtime import Modality
from headstart.tasks import KINDS, Entity, Kind, entities_of, read_number, read_tags, split_labels

_ONLY: Final[dict[Kind, Modality]] = {"tagging": "text", "transcription": "audio"}
TASKS: Final = tuple(
    f"{modality}-{kind}" for kind in KINDS for modality in PLURALS if _ONLY.get(kind, modality) == modality
)
_MANY_VALUES: Final = 20
# What tasks are called in other tools.
_ELSEWHERE: Final[Mapping[str, Kind]] = {
    "ner": "tagging",
    "token-classification": "tagging",
    "entities": "tagging",
    "asr": "transcription",
    "automatic-speech-recognition": "transcription",
    "speech-recognition": "transcription",
    "speech-to-text": "transcription",
}


def asked_kind(task: str | None) -> Kind | None:
    """Return the kind that a ``--task`` names, None without one.

    Args:
        task: ``text-multilabel``, or only ``multilabel``.

    Returns:
        The kind of task.

    Raises:
        OptionError: There is no such task.
    """
    if task is None:
        return None
    found = next((kind for kind in KINDS if task == kind or (task in TASKS and task.endswith(f"-{kind}"))), None)
    if found is None:
        hint = f"That is {_ELSEWHERE[task.lower()]} here. " if task.lower() in _ELSEWHERE else ""
        kinds = f"Choose one of: {', '.join(KINDS)}; or with what it is of: {', '.join(TASKS)}."
        raise OptionError(f"task {task!r} is not supported", fix=hint + kinds)
    return found


def asked_modality(task: str | None) -> Modality | None:
    """Return the modality that a ``--task`` names, None where it names the kind alone."""
    return next((modality for modality in PLURALS if task and task.startswith(f"{modality}-")), None)


def with_kind(found: Found, names: Names) -> tuple[Found, Kind]:
    """Decide what the labels are and make faults of those that are not.

    Args:
        found: The entries of a source.
        names: The kind asked for, and the label column for messages.

    Returns:
        The entries, with a note where label sets were told from the labels, and their kind.

    Raises:
        OptionError: Tags of words are asked for and not there, or there and something else is asked for; or transcripts
            are asked for and not there.
    """
    if "tagging" in (found.kind, names.kind):
        return _tagged(found, names), "tagging"
    if "transcription" in (found.kind, names.kind):
        return _spoken(found, names), "transcription"
    kind, note = (names.kind, "") if names.kind else _told(found)
    entries = tuple(
        _judged(entry, kind, names.label or "label") if isinstance(entry, Row) else entry for entry in found.entries
    )
    judged = replace(found, entries=entries)
    notes = [note] if note else []
    if kind == "multilabel" and (
        empty := sum(row.label is not None and not split_labels(row.label) for row in judged.rows)
    ):
        notes.append(f"Items without any label: {empty}.")
    if kind == "classification" and looks_like_numbers([row.label for row in judged.rows if row.label]):
        notes.append("All labels are numbers and taken as classes; --task regression predicts numbers.")
    return replace(judged, notes=(*found.notes, *notes)), kind


def _tagged(found: Found, names: Names) -> Found:
    """Return what the readers of tags have read."""
    if names.kind not in (None, "tagging"):
        fix = "Leave out --task, or give a table with a column 'label'."
        raise OptionError(f"task {names.kind!r} does not fit: the data holds words with tags", fix=fix)
    if found.kind != "tagging":
        fix = "Give CoNLL columns, or JSONL with 'text' and 'spans'."
        raise OptionError(f"task 'tagging' does not fit: the data holds {found.what} without tags", fix=fix)
    return found


def _spoken(found: Found, names: Names) -> Found:
    """Return recordings with their transcripts as they are spelt."""
    if found.kind == "transcription":
        return transcribed(found, names)
    fix = "Give recordings with a column 'transcript', or with a .txt file of the same name beside each."
    raise OptionError(f"task 'transcription' does not fit: the data holds {found.what} without transcripts", fix=fix)


def _told(found: Found) -> tuple[Kind, str]:
    """The kind that the labels show, and why where that is not the usual one."""
    if found.listed:
        return "multilabel", "Read as multi-label because labels stand in lists."
    if not found.labels_from.startswith("column"):
        return "classification", ""
    labels = {row.label: row.place for row in reversed(found.rows) if row.label}
    joined = [label for label in labels if "|" in label]
    holders: Counter[str] = Counter()
    for label in labels:
        holders.update({part.strip() for part in label.split("|")})
    recurring = [
        label for label in joined if any(part.strip() and holders[part.strip()] > 1 for part in label.split("|"))
    ]
    if not recurring:
        return "classification", ""
    first = recurring[-1]
    why = f"labels such as {first!r} ({labels[first]}) hold '|' and their parts recur in others"
    return "multilabel", f"Read as multi-label because {why}; --task classification reads them as plain labels."


def _judged(row: Row, kind: Kind, column: str) -> Row | DataError:
    if row.label is None:
        return row
    if not row.label and kind != "multilabel":
        return no_label(column, row.place)
    try:
        if kind == "multilabel":
            split_labels(row.label)
        elif kind == "regression":
            read_number(row.label)
    except DataError as error:
        return DataError(error.problem, where=row.place, fix=error.fix)
    return row


def label_sets(dataset: Dataset) -> list[tuple[str, ...]]:
    """Return the labels of every item: one of a class, any number of label sets, none of values and transcripts.

    Those of a tagged text are the types of entities in it.
    """
    labels = dataset.labels or ()
    if dataset.kind in ("regression", "transcription"):
        return [() for _ in labels]
    if dataset.kind == "tagging":
        return [tuple(sorted({entity.type for entity in entities})) for entities in entities_in(dataset)]
    return [split_labels(label) if dataset.kind == "multilabel" else (label,) for label in labels]


def entities_in(dataset: Dataset) -> list[list[Entity]]:
    """Return the entities that the tags of every text mark."""
    return [entities_of(read_tags(label)) for label in dataset.labels or ()]


def looks_like_numbers(labels: Sequence[str]) -> bool:
    """Say whether labels are likelier to be numbers to predict than names of classes."""
    counts = Counter(labels)
    if len(counts) <= _MANY_VALUES or not all(map(_is_number, counts)):
        return False
    return len(labels) < 5 * len(counts) or any(not label.isdecimal() for label in counts)


def _is_number(label: str) -> bool:
    try:
        read_number(label)
    except DataError:
        return False
    return True
