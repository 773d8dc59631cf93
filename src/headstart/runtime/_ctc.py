"""Texts and frames (connectionist temporal classification, Graves et al., ICML 2006): arrays in, numbers out.

Every frame says a character or nothing (the blank, column 0). The frames of a recording say a text if it is what
remains once repeats are joined and blanks go. So a text of L characters is said by the paths through 2 L + 1 states, a
blank, the first character, a blank, and so on; a path stays in a state, moves to the next, or leaves out a blank
between two different characters.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import isqrt
from typing import Any, Final, NamedTuple, final

import numpy as np
from numpy.typing import NDArray

from headstart.errors import DataError
from headstart.runtime._heard import BLANK, Heard, character_numbers

_LEAST: Final = -1e4  # a log probability so low that only a text that has no other path takes it
_AROUND: Final = 3  # frames on either side in which a character of a word may also be said
_REACH: Final = 1024  # states around the best so far in which the path of a long text is looked for


class SpokenWord(NamedTuple):
    """A word and where in the recording it is said.

    Attributes:
        first_frame: The frame in which its first character is first said.
        after_last_frame: The frame after that in which its last character is last said.
        word: The word.
        probability: How sure the model is that exactly this is said there.
    """

    first_frame: int
    after_last_frame: int
    word: str
    probability: float


class TimedWord(NamedTuple):
    """A word and when it is said.

    Attributes:
        start: Seconds from the beginning of the recording.
        end: The same.
        word: The word.
        probability: How sure the model is that exactly this is said there.
    """

    start: float
    end: float
    word: str
    probability: float


@final
@dataclass(frozen=True, eq=False)
class _Path:
    """The states of a text.

    Attributes:
        columns: (2 L + 1,) of the outputs.
        barred: (2 L + 1,) 0 where the state before may be left out, else minus infinity.
    """

    columns: NDArray[np.intp]
    barred: NDArray[np.float64]

    @classmethod
    def of(cls, numbers: NDArray[np.intp]) -> "_Path":
        columns = np.full(2 * len(numbers) + 1, BLANK, dtype=np.intp)
        columns[1::2] = numbers
        barred = np.full(len(columns), -np.inf)
        barred[3::2][numbers[1:] != numbers[:-1]] = 0.0
        return cls(columns, barred)

    def part(self, states: slice) -> "_Path":
        """Return some of the states, one after another."""
        return _Path(self.columns[states], self.barred[states])

    def before(self) -> NDArray[np.float64]:
        """Return the log weights of the states before the first frame: nothing is said yet."""
        weights = np.full(len(self.columns), -np.inf)
        weights[0] = 0.0
        return weights

    def moves(self, weights: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return the log weights of coming to each state from the one before, and from the one before that."""
        ahead, further = np.full((2, len(weights)), -np.inf)
        ahead[1:] = weights[:-1]
        further[2:] = weights[:-2] + self.barred[2:]
        return ahead, further


def ctc_loss(log_probabilities: NDArray[np.floating[Any]], numbers: NDArray[np.intp]) -> float:
    """Return how improbable a text is, in nats: the negative logarithm of the sum over all paths that say it.

    Args:
        log_probabilities: (T, K) of every frame, the blank first.
        numbers: (L,) columns of the text's characters.

    Returns:
        The loss; infinity where the frames are too few for the text.
    """
    return _loss(np.asarray(log_probabilities, dtype=np.float64), _Path.of(np.asarray(numbers)))


def align(log_probabilities: NDArray[np.floating[Any]], text: str, characters: Sequence[str]) -> list[SpokenWord]:
    """Find where the words of a text are said: on its most probable path (Viterbi).

    A word's probability is that of its frames saying exactly this word, summed over all the ways to say it in them, and
    not only the most probable: the same sum as in `ctc_loss`. As a character is often spread over neighbouring frames,
    up to three frames on either side belong to them, though none beyond the middle between two words, and a space may
    be said at either end. So the probabilities of long words are lower, as more of them can be wrong.

    Args:
        log_probabilities: (T, K) of every frame, the blank first.
        text: What is said; words are what stands between spaces, which makes one word of a text without any.
        characters: K - 1 characters.

    Returns:
        The words in order; their frames do not overlap.

    Raises:
        DataError: The text holds characters that are not among these, or needs more frames than there are.
    """
    words = text.split()
    if not words:
        return []
    said = " ".join(words)
    _check(said, characters, len(log_probabilities))
    states = _best_states(log_probabilities, _Path.of(character_numbers(said, characters)))
    last = np.cumsum([len(word) + 1 for word in words]) - 2  # places of the words' last characters
    first = last - [len(word) - 1 for word in words]
    begins = np.searchsorted(states, 2 * first + 1)
    ends = np.searchsorted(states, 2 * last + 1, side="right")
    middles = (ends[:-1] + begins[1:] + 1) // 2
    cuts = [0, *middles.tolist(), len(log_probabilities)]
    found = []
    for place, (word, begin, end) in enumerate(zip(words, begins.tolist(), ends.tolist(), strict=True)):
        around = log_probabilities[max(cuts[place], begin - _AROUND) : min(cuts[place + 1], end + _AROUND)]
        probability = _probability(np.asarray(around, dtype=np.float64), word, characters)
        found.append(SpokenWord(begin, end, word, probability))
    return found


def timed_words(heard: Heard, frame_seconds: float) -> list[TimedWord]:
    """Return when the words that a model has heard are said, as `align` finds them.

    Args:
        heard: What the model makes of a recording.
        frame_seconds: How long a frame is.

    Returns:
        The words of the text in order, to the millisecond.
    """
    least = np.finfo(heard.probabilities.dtype).tiny
    words = align(np.log(np.maximum(heard.probabilities, least)), heard.text, heard.characters)
    return [
        TimedWord(
            round(each.first_frame * frame_seconds, 3),
            round(each.after_last_frame * frame_seconds, 3),
            each.word,
            each.probability,
        )
        for each in words
    ]


def frames_needed(text: str) -> int:
    """Return the fewest frames that can spell a text: one per character, and a blank between two that are equal."""
    return len(text) + sum(one == other for one, other in pairwise(text))


def _check(said: str, characters: Sequence[str], frames: int) -> None:
    unknown = sorted(set(said) - set(characters))
    if unknown:
        raise DataError(
            f"expected a text of the characters that training has seen, found also {', '.join(map(repr, unknown))}",
            fix="Leave them out of the text.",
        )
    needed = frames_needed(said)
    if frames < needed:
        raise DataError(
            f"expected at least {needed} frames for {len(said)} characters, found {frames}",
            fix="Give the text of this recording, or the whole recording.",
        )


def _loss(scores: NDArray[np.float64], path: _Path) -> float:
    weights = path.before()
    for frame in scores:
        ahead, further = path.moves(weights)
        weights = np.logaddexp(np.logaddexp(weights, ahead), further) + frame[path.columns]
    return -float(np.logaddexp.reduce(weights[-2:])) + 0.0  # no negative zero


def _probability(scores: NDArray[np.float64], word: str, characters: Sequence[str]) -> float:
    """Return the probability that frames (T, K) say exactly a word, with or without a space before and after."""
    spaces = [" ", ""] if " " in characters else [""]
    texts = [before + word + after for before in spaces for after in spaces]
    losses = [_loss(scores, _Path.of(character_numbers(each, characters))) for each in texts]
    return min(1.0, float(np.exp(np.negative(losses)).sum()))


def _best_states(scores: NDArray[np.floating[Any]], path: _Path, *, reach: int = _REACH) -> NDArray[np.intp]:
    """Return the states (T,) of the most probable path.

    Where each state came from is kept for a block of frames at a time, and found again from the weights before the
    block: twice the work, but the memory grows with the root of T, and a lecture of an hour fits. Of a long text only
    states near the best before each block are looked at, some hundred characters, or the work would grow with the
    square of the length; a path that leads elsewhere ends nowhere, and then all are.
    """
    size = isqrt(len(scores)) + 1
    starts = range(0, len(scores), size)
    weights, before = path.before(), []
    for start in starts:
        near = _near(weights, reach, size)
        before.append((near, weights[near].copy()))  # a view would keep all of them
        after, _ = _best(scores[start : start + size], path.part(near), weights[near])
        weights = np.full(len(weights), -np.inf)
        weights[near] = after
    if np.isneginf(weights[-2:]).all():
        return _best_states(scores, path, reach=len(weights))
    state = len(weights) - 1 if weights[-1] >= weights[-2] else len(weights) - 2
    states = np.empty(len(scores), dtype=np.intp)
    for start, (near, weights) in zip(reversed(starts), reversed(before), strict=True):
        _, steps = _best(scores[start : start + size], path.part(near), weights)
        for place in reversed(range(len(steps))):
            states[start + place] = state
            state -= int(steps[place, state - near.start])
    return states


def _near(weights: NDArray[np.float64], reach: int, frames: int) -> slice:
    """Choose the states that are looked at for some frames: all of a short text."""
    if len(weights) <= 2 * reach:
        return slice(0, len(weights))
    best = int(weights.argmax())
    return slice(max(0, best - reach), best + 2 * frames + reach)


def _best(
    scores: NDArray[np.floating[Any]], path: _Path, weights: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.int8]]:
    """Return the weights of the best paths after some frames, and how many states each came on in each frame."""
    scores = np.maximum(np.asarray(scores, dtype=np.float64), _LEAST)
    steps = np.zeros((len(scores), len(weights)), dtype=np.int8)
    for step, frame in zip(steps, scores, strict=True):
        for moved, other in enumerate(path.moves(weights), start=1):
            step[other > weights] = moved
            weights = np.maximum(weights, other)
        weights = weights + frame[path.columns]
    return weights, steps
