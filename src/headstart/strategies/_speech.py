"""The probe of speech on a data set: how many frames it sees, what settings are chosen on, and what it takes."""

from dataclasses import replace
from typing import Final

from headstart.backbones import Backbone
from headstart.data import Dataset, inner_folds
from headstart.linear import (
    STEPS,
    USUAL_DECODER,
    FrameModel,
    Spoken,
    choose_frames,
    decoder_of,
    fit_speech,
    frames_seen,
    seconds_per_frame,
)
from headstart.strategies._base import Run
from headstart.strategies._documents import ENOUGH_WORDS, some_positions
from headstart.strategies._tuning import TUNING_FOLDS, Material
from headstart.tasks import Ragged, Transcription, counts

CHOOSING: Final = 8 / 3  # fits on as many recordings: the first of three folds at two strengths, and the two others
JUDGED: Final = 12_000  # frames that decoders are judged on
TRIED: Final = 1.25  # gradients that a step of L-BFGS takes
DECODING: Final = 5e-4  # seconds per frame of the choice between decoders, on two cores


def seen_by(backbone: Backbone) -> int:
    """Return how many frames of a backbone for frames a score is made of, an odd number."""
    assert backbone.frame_seconds is not None, "a backbone of whole recordings"
    return frames_seen(backbone.frame_seconds)


def spoken_of(X: Ragged, dataset: Dataset, task: Transcription, backbone: Backbone) -> Spoken:
    """Put the frames of recordings beside what is said in them.

    Args:
        X: (N,) objects of (T, D), under the backbone.
        dataset: The recordings.
        task: Spells the transcripts.
        backbone: One for frames.

    Returns:
        What is learnt from.
    """
    assert dataset.labels is not None
    return Spoken(X, task.encode(dataset.labels), task.characters, seen_by(backbone))


def fit_speech_probe(material: Material, *, run: Run) -> FrameModel:
    """Fit the probe that training starts from on the features before training; what is held out aside.

    Args:
        material: The features and the examples.
        run: The seed.

    Returns:
        The model, with strength and decoder chosen on some of the recordings.
    """
    train, spoken = _learnt_from(material)
    few = some_positions(train, counts(spoken.X), seed=run.seed)
    chosen_on = spoken.take(few)
    folds = inner_folds(train.take(few), chosen_on.texts, seed=run.seed, n_splits=TUNING_FOLDS)
    return fit_speech(spoken, choose_frames(chosen_on, folds).settings)


def blank_speech_model(material: Material) -> FrameModel:
    """Return a model of zeros, with the usual decoder, since nothing is held out to choose one by."""
    _, spoken = _learnt_from(material)
    blank = FrameModel.zeros(spoken.X, spoken.characters, seen=spoken.seen)
    return replace(blank, decoder=decoder_of(USUAL_DECODER, spoken.texts, spoken.characters))


def seconds_of_probe(backbone: Backbone, train: Dataset, *, views: int = 1, run: Run) -> float:
    """Predict what choosing and fitting a probe of speech takes, the frozen pass aside.

    Args:
        backbone: One for frames.
        train: The training recordings.
        views: How many views of the features are compared.
        run: Counts the frames.

    Returns:
        Seconds.
    """
    frames = _frames(backbone, train, run)
    few = min(frames, ENOUGH_WORDS)
    fitted = frames + CHOOSING * few + (views - 1) * 2 / 3 * few
    return fitted * TRIED * STEPS * _per_frame(backbone, train) + min(few, JUDGED) * DECODING


def seconds_per_recording(backbone: Backbone, train: Dataset, *, run: Run) -> float:
    """Predict what the head and the loss of a recording take in a step of training, on average.

    Args:
        backbone: One for frames.
        train: The training recordings.
        run: Counts the frames.

    Returns:
        Seconds.
    """
    return _frames(backbone, train, run) / len(train) * _per_frame(backbone, train)


def _learnt_from(material: Material) -> tuple[Dataset, Spoken]:
    inside, task = material.inside, material.task
    assert isinstance(task, Transcription)
    train = material.train.take(inside)
    return train, spoken_of(material.X[inside], train, task, material.thawed.backbone)


def _frames(backbone: Backbone, train: Dataset, run: Run) -> int:
    each = run.features.rows_each(backbone, train)
    assert each is not None
    return int(each.sum())


def _per_frame(backbone: Backbone, train: Dataset) -> float:
    columns = 1 + len(set("".join(train.labels or ())))
    return seconds_per_frame(backbone.num_features, columns, seen=seen_by(backbone))
