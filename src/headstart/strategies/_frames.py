"""What transcription needs: networks that give a row of features per frame, and how they are fine-tuned."""

from itertools import pairwise
from typing import Final

import numpy as np

from headstart.backbones import Backbone, frame_backbone
from headstart.data import Dataset
from headstart.strategies._base import Run
from headstart.strategies.finetune import FineTune
from headstart.tasks import Task

PER_SECOND: Final = (25.0, 50.0)  # frames; few, as long as what is said fits
RATE, WIDTH = 1e-3, 192  # of the starter, on which it was measured
STEPS: Final = 6.0  # times the square root of the number of recordings
FAST: Final = 0.02  # share of transcripts that may not fit before more frames are taken


def reading_frames(backbone: Backbone, train: Dataset, task: Task, *, run: Run) -> Backbone:
    """Return a candidate as a network that gives a row per frame: 25 a second, or 50 where people speak faster.

    Args:
        backbone: The candidate.
        train: The training recordings.
        task: What is to be learnt.
        run: Features, and where the choice is kept.

    Returns:
        The network for frames.

    Raises:
        BackboneError: It cannot tell where the frames of a recording are.
    """
    if backbone.frames is not None:
        return backbone
    few, many = (frame_backbone(backbone, rate) for rate in PER_SECOND)

    def choose() -> float:
        (rate, chosen), too_short = (PER_SECOND[0], few), _too_short(few, train, task, run)
        if too_short > FAST * len(train):
            (rate, chosen), too_short = (PER_SECOND[1], many), _too_short(many, train, task, run)
        run.say(f"{backbone.name}: a frame's features are of {1000 * (chosen.frame_seconds or 0):g} ms of sound.")
        if too_short:
            run.say(f"Too short for their transcripts, so that they teach nothing: {too_short:,} of {len(train):,}.")
        return rate

    rate: float = run.decide(f"frames a second on {backbone.name}", choose)
    return few if rate == PER_SECOND[0] else many


def finetuning_speech(backbone: Backbone, train: Dataset) -> FineTune:
    """Return how a network is fine-tuned to transcribe: two thirds of its blocks, in few steps on four views.

    Measured in benchmarks/LOG.md. Without other views a hundred recordings are known by heart at once. The steps grow
    with the square root of the number of recordings, the rate falls with the width of the network.

    Args:
        backbone: The network, which has cut points.
        train: The training recordings.

    Returns:
        The strategy.
    """
    return FineTune(
        last=max(1, round(2 / 3 * (len(backbone.cuts) - 1))),
        rate=float(np.clip(RATE * WIDTH / backbone.num_features, 1e-4, RATE)),
        steps=int(np.clip(STEPS * len(train) ** 0.5, 30, 600)),
        batch=16,
        views=4,
    )


def _too_short(backbone: Backbone, train: Dataset, task: Task, run: Run) -> int:
    """Count the recordings with fewer frames than their transcripts need."""
    assert train.labels is not None
    frames = run.features.rows_each(backbone, train)
    # One for every character, and one between two that are equal.
    needed = [len(text) + sum(a == b for a, b in pairwise(text)) for text in task.encode(train.labels)]
    return int((np.asarray(needed) > frames).sum())
