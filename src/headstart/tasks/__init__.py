"""Tasks: what is predicted, how labels become numbers and numbers become labels again."""

from collections.abc import Iterable, Mapping
from typing import Any

from headstart.errors import ArtifactError
from headstart.runtime import (
    BLANK,
    Beam,
    CharacterModel,
    Decoder,
    Greedy,
    Heard,
    Kind,
    SpokenWord,
    TimedWord,
    align,
    best_tags,
    character_numbers,
    ctc_loss,
    decoder_from,
    frames_needed,
    greedy,
    timed_words,
)
from headstart.tasks._base import KINDS, Target, Task, kind_of
from headstart.tasks._decoders import Choice, choose_decoder
from headstart.tasks._edits import Edit, edit_path, edits
from headstart.tasks._ragged import Ragged, counts, cut, flat, is_ragged, ragged, rows_of, unknown
from headstart.tasks._spelling import Spelling, plain, written
from headstart.tasks.classification import Classification
from headstart.tasks.multilabel import MultiLabel, join_labels, split_labels
from headstart.tasks.regression import Regression, read_number
from headstart.tasks.tagging import OUTSIDE, Entity, Tagging, entities_of, read_tags, tags_of, write_tags
from headstart.tasks.transcription import Transcription

__all__ = [
    "BLANK",
    "KINDS",
    "OUTSIDE",
    "Beam",
    "CharacterModel",
    "Choice",
    "Classification",
    "Decoder",
    "Edit",
    "Entity",
    "Greedy",
    "Heard",
    "Kind",
    "MultiLabel",
    "Ragged",
    "Regression",
    "Spelling",
    "SpokenWord",
    "Tagging",
    "Target",
    "Task",
    "TimedWord",
    "Transcription",
    "align",
    "best_tags",
    "character_numbers",
    "choose_decoder",
    "counts",
    "ctc_loss",
    "cut",
    "decoder_from",
    "edit_path",
    "edits",
    "entities_of",
    "flat",
    "frames_needed",
    "greedy",
    "is_ragged",
    "join_labels",
    "kind_of",
    "plain",
    "ragged",
    "read_number",
    "read_tags",
    "rows_of",
    "split_labels",
    "tags_of",
    "task_from_dict",
    "task_from_labels",
    "timed_words",
    "unknown",
    "write_tags",
    "written",
]

_TASKS: Mapping[
    str, type[Classification] | type[MultiLabel] | type[Regression] | type[Tagging] | type[Transcription]
] = {
    "classification": Classification,
    "multilabel": MultiLabel,
    "regression": Regression,
    "tagging": Tagging,
    "transcription": Transcription,
}


def task_from_labels(kind: Kind, labels: Iterable[str]) -> Task:
    """Build a task from the labels seen in training.

    Args:
        kind: ``classification``, ``multilabel``, ``regression``, ``tagging`` or ``transcription``.
        labels: Labels as the data writes them.

    Returns:
        The label codec.
    """
    return _TASKS[kind].from_labels(labels)


def task_from_dict(facts: Mapping[str, Any]) -> Task:
    """Build a task from what its ``to_dict`` wrote.

    Args:
        facts: JSON values of ``task.json``.

    Returns:
        The label codec.

    Raises:
        ArtifactError: The kind is unknown.
    """
    kind = facts.get("kind", "classification")
    if kind not in _TASKS:
        raise ArtifactError(
            f"expected a task of kind {', '.join(_TASKS)}, found {kind!r}",
            fix="Update headstart: pip install -U headstart",
        )
    return _TASKS[kind].from_dict(facts)
