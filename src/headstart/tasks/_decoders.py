"""Choosing how to decode: with or without a language model, by the word errors on recordings that were held out."""

import sys
from collections.abc import Mapping, Sequence
from itertools import product
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from headstart.runtime import Beam, CharacterModel, Decoder, Greedy
from headstart.tasks._edits import edits
from headstart.tasks._ragged import Ragged

WIDTH: Final = 16
WEIGHTS: Final = (0.25, 0.5, 1.0)
BONUSES: Final = (0.0, 0.5, 1.0, 2.0)
JUDGED: Final = 200  # recordings and
FRAMES: Final = 12_000  # frames, at most, by which a decoder is chosen: some minutes of speech

Floats = NDArray[np.floating[Any]]


class Choice(NamedTuple):
    """A decoder and why it was chosen.

    Attributes:
        decoder: The decoder.
        words: How many words the recordings it was judged on hold.
        greedy: Word errors on them by taking the most probable character of each frame.
        errors: Word errors on them by the decoder.
    """

    decoder: Decoder
    words: int
    greedy: int
    errors: int


def choose_decoder(
    log_probabilities: Sequence[Floats] | Ragged,
    texts: Sequence[str] | NDArray[np.str_],
    characters: Sequence[str],
    *,
    folds: Sequence[int] | NDArray[np.integer[Any]],
) -> Choice:
    """Choose how to decode by the word errors on recordings that neither network nor language model has seen.

    A search is judged with a language model of the other folds' transcripts, and is chosen only if it makes fewer
    errors than all that is simpler; its language model is then learnt from all transcripts.

    Args:
        log_probabilities: N of (T, K), out of fold.
        texts: N transcripts.
        characters: K - 1 characters.
        folds: N; the number of the fold that each recording was held out in.

    Returns:
        The decoder, and how many errors it makes. At most 200 recordings, evenly spread, are judged.
    """
    judged = _judged([len(each) for each in log_probabilities])
    models = {
        fold: CharacterModel.from_texts([t for t, own in zip(texts, folds, strict=True) if own != fold], characters)
        for fold in {int(folds[i]) for i in judged}
    }

    def errors(decoders: Mapping[int, Decoder], most: int) -> int:
        """Count errors, until there are too many."""
        total = 0
        for i in judged:
            if total < most:
                heard = decoders[int(folds[i])].text(log_probabilities[i], characters)
                total += edits(texts[i].split(), heard.split())
        return total

    words = sum(len(texts[i].split()) for i in judged)
    greedy_errors = least = errors(dict.fromkeys(models, Greedy()), sys.maxsize)
    chosen = None
    for weight, bonus in product(WEIGHTS, BONUSES):
        found = errors({fold: Beam(WIDTH, weight, bonus, model) for fold, model in models.items()}, least)
        if found < least:
            least, chosen = found, (weight, bonus)
    if chosen is None:
        return Choice(Greedy(), words, greedy_errors, least)
    return Choice(Beam(WIDTH, *chosen, CharacterModel.from_texts(texts, characters)), words, greedy_errors, least)


def _judged(lengths: Sequence[int]) -> list[int]:
    """Return recordings evenly spread among all: as many as the bounds allow, one at least."""
    n = min(JUDGED, len(lengths))
    while n > 1 and sum(lengths[i] for i in _spread(n, len(lengths))) > FRAMES:
        n -= 1
    return _spread(n, len(lengths))


def _spread(n: int, among: int) -> list[int]:
    return [(2 * k + 1) * among // (2 * n) for k in range(n)]
