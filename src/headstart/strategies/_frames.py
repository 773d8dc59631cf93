"""What transcription needs: networks that give a row of features per frame."""

from typing import Final

import numpy as np

from headstart.backbones import Backbone, frame_backbone
from headstart.data import Dataset
from headstart.strategies._base import Run
from headstart.tasks import Task, frames_needed

PER_SECOND: Final = (25.0, 50.0)  # frames; few, as long as what is said fits
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


def _too_short(backbone: Backbone, train: Dataset, task: Task, run: Run) -> int:
    """Count the recordings with fewer frames than their transcripts need."""
    assert train.labels is not None
    frames = run.features.rows_each(backbone, train)
    needed = np.array([frames_needed(text) for text in task.encode(train.labels)])
    return int((needed > frames).sum())
