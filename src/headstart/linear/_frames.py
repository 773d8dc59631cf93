"""A head for speech: a linear model of a frame and its neighbours, and the decoder that makes a text of its scores."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import chain
from typing import Final, Self, final

import numpy as np
from scipy import special

from headstart.errors import DataError
from headstart.linear._models import Floats, Single
from headstart.tasks import Decoder, Greedy, Heard, Ragged

BLOCK: Final = 1536  # frames scored at once, about a minute; the last bits of a matrix product can depend on its height


@final
@dataclass(frozen=True, eq=False)
class FrameModel:
    """Scores of characters for every frame: a sum over the frame and its neighbours, each with weights of its own.

    Frames are standardised first; beyond the ends of a recording they count as their mean.

    Attributes:
        weights: (C, D, K), C odd: of the neighbour C // 2 frames before, then of the next; blank first among the K.
        bias: (K,).
        mean: (D,) of a feature over all frames of training.
        scale: (D,) what a feature is divided by.
        characters: K - 1 characters.
        decoder: Makes a text of the probabilities.
    """

    weights: Single
    bias: Single
    mean: Single
    scale: Single
    characters: tuple[str, ...]
    decoder: Decoder = field(default_factory=Greedy)

    @property
    def seen(self) -> int:
        """C, how many frames a score is made of."""
        return len(self.weights)

    def standardised(self, X: Floats) -> Single:
        """Return frames (T, D) with mean 0 and spread 1."""
        return np.asarray((X - self.mean) / self.scale, dtype=np.float32)

    def log_probabilities(self, X: Floats) -> Single:
        """Return log probabilities (T, K) of the frames (T, D) of one recording."""
        return np.concatenate(list(self._scored([X])))

    def outputs(self, X: Ragged) -> Ragged:
        """Return (N,) `Heard` of the frames of N recordings, (N,) objects of (T, D)."""
        out = np.empty(len(X), dtype=object)
        for number, frames in enumerate(X):
            out[number] = self.heard([frames])
        return out

    def heard(self, pieces: Iterable[Floats]) -> Heard:
        """Return what is heard in one recording.

        Args:
            pieces: Its frames (t, D), a few at a time; they are not kept.

        Returns:
            The same, however the frames are divided.
        """
        found = np.concatenate(list(self._scored(pieces)))
        return Heard(np.exp(found), self.decoder.text(found, self.characters), self.characters)

    def _scored(self, pieces: Iterable[Floats]) -> Iterator[Single]:
        """Yield log probabilities, of a block of frames at a time however they come."""
        reach = self.seen // 2
        edge = np.zeros((reach, len(self.mean)), dtype=np.float32)
        held = edge  # the frames of the next block, and their neighbours on either side
        for piece in chain(map(self.standardised, pieces), [edge]):
            held = np.concatenate([held, piece])
            while len(held) >= BLOCK + 2 * reach:
                yield self._scores(held[: BLOCK + 2 * reach])
                held = held[BLOCK:]
        if len(held) > 2 * reach:
            yield self._scores(held)

    def _scores(self, rows: Single) -> Single:
        n = len(rows) - (self.seen - 1)
        scores = sum(rows[c : c + n] @ weights for c, weights in enumerate(self.weights))
        found: Single = special.log_softmax(scores + self.bias, axis=1).astype(np.float32)
        return found

    @classmethod
    def zeros(cls, X: Ragged, characters: tuple[str, ...], *, seen: int) -> Self:
        """Return a model that knows nothing.

        Args:
            X: (N,) objects of (T, D), by which frames are standardised.
            characters: What it is to tell.
            seen: C.

        Returns:
            The model; it decodes greedily.

        Raises:
            DataError: The frames are not finite.
        """
        mean, scale = frame_scale(X)
        shape = (seen, len(mean), 1 + len(characters))
        return cls(np.zeros(shape, np.float32), np.zeros(shape[-1], np.float32), mean, scale, characters)


def frame_scale(X: Ragged) -> tuple[Single, Single]:
    """Measure what standardises frames.

    Args:
        X: (N,) objects of the frames (T, D) of each recording.

    Returns:
        Mean and standard deviation (D,) over all frames; a feature that hardly varies has the typical deviation.

    Raises:
        DataError: The frames are not finite.
    """
    n = sum(len(frames) for frames in X)
    mean = sum(frames.sum(axis=0, dtype=np.float64) for frames in X) / n
    if not np.isfinite(mean).all():
        raise DataError(
            f"expected finite features, found {int((~np.isfinite(mean)).sum())} columns that are not",
            fix="Look for empty or corrupt items, or compute the features in float32.",
        )
    spread = np.sqrt(sum(np.square(frames - mean).sum(axis=0) for frames in X) / n)
    typical = float(np.sqrt(np.square(spread).mean())) or 1.0
    scale = np.where(spread < 1e-3 * typical, typical, spread)
    return mean.astype(np.float32), scale.astype(np.float32)
