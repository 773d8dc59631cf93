"""What is scored of the frames of recordings: how well a linear probe hears what is said.

No frame has a label of its own, so neighbours, scatter and evidence of rows do not apply. What is left is the probe
that the first rung of the ladder is: its held-out loss, at one strength. And since labels cannot be permuted without
fitting anew, what tells chance from signal is the same loss of a model that hears nothing: where features have nothing
to do with what is said, a probe is as likely to be worse than that on a recording as better.
"""

from collections.abc import Sequence
from typing import Final

import numpy as np

from headstart.linear import Fold, Spoken, fit_frames, transcript_nats
from headstart.tasks import ragged
from headstart.transferability._inputs import Double, Score, mean_score

STRENGTH: Final = 0.1  # the strongest that a probe tries: there are few recordings


def score_speech(spoken: Spoken, folds: Sequence[Fold]) -> Score:
    """Return minus the cross-validated loss of a linear model of frames and their neighbours, under the CTC loss.

    Args:
        spoken: The recordings in the frames of a candidate.
        folds: Training and held-out positions, each held out once; groups must not straddle them.

    Returns:
        The score, in nats per character; at most 0.
    """
    return mean_score(-_held_out(spoken, folds))


def speech_null(score: Score, spoken: Spoken, folds: Sequence[Fold], n: int, *, seed: int) -> Double:
    """Compare a probe with a model that hears nothing, and with what chance makes of it.

    Args:
        score: What `score_speech` found.
        spoken: As there.
        folds: As there.
        n: How many times.
        seed: Decides the chance; the same for all candidates.

    Returns:
        (1 + n,) the mean gain over that model, in its spread; then n times with gains and losses dealt out by chance.
    """
    deaf = Spoken(ragged(np.zeros((len(x), 1), np.float32) for x in spoken.X), spoken.texts, spoken.characters, 1)
    gains = _held_out(deaf, folds) + score.value + score.influence
    signs = np.random.default_rng(seed).choice([-1.0, 1.0], (n, len(gains)))
    spread = float(np.sqrt(np.square(gains).mean())) or 1.0
    return np.asarray(np.vstack([np.ones(len(gains)), signs]) @ gains / len(gains) / spread)


def _held_out(spoken: Spoken, folds: Sequence[Fold]) -> Double:
    """Return the loss of each recording by the model that was fitted without it."""
    nats = np.zeros(len(spoken.texts))
    for inside, outside in folds:
        model, held = fit_frames(spoken.take(inside), strength=STRENGTH), spoken.take(outside)
        nats[outside] = transcript_nats(held.texts, model.outputs(held.X))
    return np.asarray(nats / (float(np.char.str_len(spoken.texts).mean()) or 1.0))
