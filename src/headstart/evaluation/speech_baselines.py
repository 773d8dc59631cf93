"""What speech recognition without a pretrained network makes of a recording: cepstra of frames, and a linear model.

The model is the one that stands on pretrained features (`headstart.linear.fit_speech`), with strength and decoder
chosen in the same way, so that the features are all that differs. It is a hidden Markov model in all but name: a text
is a chain of states, one for each character with an optional blank on either side, that a recording runs through from
left to right; the most probable chain is searched for, with what is known of the language. What is trained is how
probable a state is in a frame, not a frame in a state, and all transitions are alike.

It is measured, never shipped.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeAlias, final

import numpy as np
import numpy.typing as npt

from headstart.data import make_folds
from headstart.evaluation.baselines import Baseline
from headstart.evaluation.sounds import sound_frames
from headstart.linear import Spoken, choose_frames, fit_speech
from headstart.tasks import Ragged, ragged

__all__ = ["describe_speech", "speech_baseline"]

Integers: TypeAlias = npt.NDArray[np.integer[Any]]
Single: TypeAlias = npt.NDArray[np.float32]

_JOINED: Final = 4  # frames of 10 ms: few, as long as what is said fits
_SEEN: Final = 11  # of 40 ms: about a word
_FOLDS: Final = 3
_LEAST: Final = 1e-6  # of a deviation: digital silence has none


def describe_speech(samples: Single) -> Single:
    """Describe the frames of a recording by their cepstra, as it is usual for recognising speech.

    Each number of `sound_frames` is brought to mean 0 and variance 1 over the recording, which takes away most of
    microphone and room; then four frames of 10 ms are averaged.

    Args:
        samples: Mono samples (N,) at 16 kHz, from -1 to 1.

    Returns:
        (T, 60), a row for every 40 ms, the last of what is left.
    """
    frames = sound_frames(samples)
    spread = frames.std(axis=0)
    frames = (frames - frames.mean(axis=0)) / np.where(spread > _LEAST, spread, 1.0)
    starts = np.arange(0, len(frames), _JOINED)
    sizes = np.diff([*starts, len(frames)])
    return np.asarray(np.add.reduceat(frames, starts) / sizes[:, None], dtype=np.float32)


def speech_baseline(
    frames: Sequence[Single], y: npt.NDArray[np.str_], *, groups: npt.NDArray[Any] | None, seed: int
) -> Baseline:
    """Make a linear model of what ``describe_speech`` found, under the CTC loss.

    Args:
        frames: N times (T, D).
        y: Transcripts (N,).
        groups: Group of each recording (N,), which inner folds keep together, or None.
        seed: Decides the inner folds.

    Returns:
        The baseline, every recording already described.
    """
    return _SpeechBaseline(ragged(frames), y, groups, seed)


@final
@dataclass(frozen=True, eq=False)
class _SpeechBaseline:
    frames: Ragged
    texts: npt.NDArray[np.str_]
    groups: npt.NDArray[Any] | None
    seed: int

    @property
    def name(self) -> str:
        return "MFCC frames + CTC"

    def predict(self, train: Integers, test: Integers) -> npt.NDArray[Any]:
        texts = self.texts[train]
        spoken = Spoken(self.frames[train], texts, tuple(sorted(set("".join(texts.tolist())))), _SEEN)
        groups = None if self.groups is None else self.groups[train]
        available = len(texts) if groups is None else len(np.unique(groups))
        folds = make_folds(texts, groups=groups, n_splits=min(_FOLDS, available), seed=self.seed)
        return fit_speech(spoken, choose_frames(spoken, folds).settings).outputs(self.frames[test])
