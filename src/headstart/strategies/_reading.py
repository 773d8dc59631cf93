"""Candidates as networks that read the data: rows of items, words or frames, and pictures as they were measured."""

from collections.abc import Sequence
from functools import partial

from headstart.backbones import Backbone, picture_backbone
from headstart.data import Dataset, PixelScale, learn_scale
from headstart.errors import BackboneError
from headstart.strategies._base import Run
from headstart.strategies._frames import reading_frames
from headstart.strategies._words import reading_words
from headstart.tasks import Task


def reading_for(backbones: Sequence[Backbone], train: Dataset, task: Task, *, run: Run) -> tuple[Backbone, ...]:
    """Return the candidates as networks that read the data.

    They give a row per word for tagging, and per frame for transcription; where pictures are of more than 8-bit RGB,
    they see that.

    Args:
        backbones: Candidates.
        train: The training examples, by which it is chosen how words and frames are made, and what becomes black
            and white. Folds share that: it needs no labels.
        task: What is to be learnt.
        run: Features, seed, and where choices are kept.

    Returns:
        The candidates; of several, those that cannot be read so are left out, and that is said.

    Raises:
        BackboneError: None can; the first error.
        DataError: Pictures have different channels.
    """
    reads = {"tagging": reading_words, "transcription": reading_frames}
    if task.kind in reads:
        read = partial(reads[task.kind], train=train, task=task, run=run)
    elif (scale := _scale(backbones, train, run)) is not None:
        read = partial(_seeing, scale=scale)
    else:
        return tuple(backbones)
    found, failed = list[Backbone](), list[BackboneError]()
    for backbone in backbones:
        try:
            found.append(read(backbone))
        except BackboneError as error:
            failed.append(error)
    if not found:
        raise failed[0]
    for each in failed:
        run.say(f"Left out: {each}")
    return tuple(found)


def _scale(backbones: Sequence[Backbone], train: Dataset, run: Run) -> PixelScale | None:
    """Learn how pictures are seen, and say it; a model that is continued goes on as it did."""
    if all(backbone.pixels is not None for backbone in backbones):
        return None
    scale = learn_scale(train)
    for sentence in () if scale is None else scale.sentences():
        run.say(f"{sentence[0].upper()}{sentence[1:]}.")
    return scale


def _seeing(backbone: Backbone, scale: PixelScale) -> Backbone:
    return backbone if backbone.pixels is not None else picture_backbone(backbone, scale)
