"""Candidates as networks that give the rows a task is about: items, words or frames."""

from collections.abc import Sequence

from headstart.backbones import Backbone
from headstart.data import Dataset
from headstart.errors import BackboneError
from headstart.strategies._base import Run
from headstart.strategies._frames import reading_frames
from headstart.strategies._words import reading_words
from headstart.tasks import Task


def reading_for(backbones: Sequence[Backbone], train: Dataset, task: Task, *, run: Run) -> tuple[Backbone, ...]:
    """Return the candidates as networks that give a row per word for tagging, and per frame for transcription.

    Args:
        backbones: Candidates.
        train: The training examples, by which it is chosen how words and frames are made.
        task: What is to be learnt.
        run: Features, seed, and where choices are kept.

    Returns:
        The candidates; of several, those that cannot be read so are left out, and that is said.

    Raises:
        BackboneError: None can; the first error.
    """
    if task.kind not in ("tagging", "transcription"):
        return tuple(backbones)
    read = reading_words if task.kind == "tagging" else reading_frames
    found, failed = list[Backbone](), list[BackboneError]()
    for backbone in backbones:
        try:
            found.append(read(backbone, train, task, run=run))
        except BackboneError as error:
            failed.append(error)
    if not found:
        raise failed[0]
    for each in failed:
        run.say(f"Left out: {each}")
    return tuple(found)
