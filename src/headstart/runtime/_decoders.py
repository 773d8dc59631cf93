"""From probabilities of frames to a text: the most probable frame by frame, or a search that knows how texts go."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from heapq import heapify, heapreplace
from typing import Any, Final, Protocol, final

import numpy as np
from numpy.typing import NDArray

from headstart.errors import ArtifactError
from headstart.runtime._characters import MARK, CharacterModel, Context
from headstart.runtime._heard import BLANK

LEAST: Final = 1e-3  # a character less probable in a frame is not looked at there

AT_ONCE: Final = 1024  # frames that are made numbers of Python
FEW: Final = 10_000  # beginnings of texts that are kept without looking which are still gone on from

_WIDEST: Final = 1024
_STEEPEST: Final = 20.0

Floats = NDArray[np.floating[Any]]


class Decoder(Protocol):
    """Makes a text of what a model makes of a recording."""

    def text(self, log_probabilities: Floats, characters: Sequence[str]) -> str:
        """Return the text of log probabilities (T, K) of a recording's frames, the blank first."""

    def to_arrays(self) -> dict[str, NDArray[Any]]:
        """Return the decoder as plain arrays, from which `decoder_from` builds it again."""


@final
@dataclass(frozen=True)
class Greedy:
    """Takes the most probable character of each frame."""

    def text(self, log_probabilities: Floats, characters: Sequence[str]) -> str:
        """Return the text of log probabilities (T, K)."""
        return greedy(log_probabilities, characters)

    def to_arrays(self) -> dict[str, NDArray[Any]]:
        """Return no arrays: there is nothing to keep."""
        return {}


@final
@dataclass(frozen=True, eq=False)
class Beam:
    """Searches for the most probable text, of the sum over all its paths and of how texts of this kind go.

    Prefix beam search (Graves et al., ICML 2006; Hannun et al., arXiv 1408.2873, 2014): a text's weight is its
    probability, summed over the paths that say it, times that of its characters after each other to the power
    ``weight``, times e to the power ``bonus`` per character, since a language model alone favours short texts.

    Attributes:
        width: How many beginnings of texts are kept after each frame.
        weight: How much the language model counts.
        bonus: What a character gains, in nats.
        language: How probable characters are after each other.
        least: Characters less probable in a frame are left out there, but for its most probable one.
    """

    width: int
    weight: float
    bonus: float
    language: CharacterModel
    least: float = LEAST
    _factors: dict[Context, list[float]] = field(default_factory=dict, init=False, repr=False)

    def text(self, log_probabilities: Floats, characters: Sequence[str]) -> str:
        """Return the text of log probabilities (T, K)."""
        search = _Search(self)
        for frame, heard in _frames(log_probabilities, self.least):
            search.read(frame, heard)
        return _tidy("".join(characters[number - 1] for number in search.best()))

    def factors(self, context: Context) -> list[float]:
        """Return by what each next character multiplies the weight of a text; the first is for its end."""
        row = self._factors.get(context)
        if row is None:
            gains = np.full(self.language.columns, self.bonus)
            gains[MARK] = 0.0
            row = np.exp(self.weight * self.language.log_probabilities(context) + gains).tolist()
            self._factors[context] = row
        return row

    def to_arrays(self) -> dict[str, NDArray[Any]]:
        """Return the decoder as plain arrays."""
        return {"beam": np.array([self.width, self.weight, self.bonus]), **self.language.to_arrays()}


@final
class _Search:
    """Beginnings of texts, each a node that continues another by one character, and the weights of the best.

    The weights of a beginning are two sums over paths, those that end in a blank and those that end in its last
    character: after a blank the same character is said again, without one it only lasts. They are kept in proportion to
    the best beginning's, so that they stay in the range of numbers, and no logarithm is taken.
    """

    def __init__(self, beam: Beam) -> None:
        self._beam, self._columns = beam, beam.language.columns
        start = beam.language.known(beam.language.start)
        self._keys, self._parents, self._last = [-1], [0], [BLANK]
        self._contexts, self._factors = [start], [beam.factors(start)]
        self._nodes = {-1: 0}  # by key: parent * columns + character
        self._kept = [(0, 1.0, 0.0)]
        self._most = FEW

    def read(self, frame: Sequence[float], heard: Sequence[int]) -> None:
        """Go on by a frame.

        Args:
            frame: (K,) probabilities; 0 of characters that are not looked at.
            heard: The characters that are.
        """
        own = {
            self._keys[node]: [(silent + spoken) * frame[BLANK], spoken * frame[self._last[node]]]
            for node, silent, spoken in self._kept
        }
        # A beginning that was not kept before is reached in one way only: what is no better than so many others goes.
        best = [silent + spoken for silent, spoken in own.values()] + [0.0] * (self._beam.width - len(own))
        heapify(best)
        new = []
        for node, silent, spoken in self._kept:
            both, last, factors, first = silent + spoken, self._last[node], self._factors[node], node * self._columns
            for number in heard:
                weight = (silent if number == last else both) * frame[number] * factors[number]
                known = own.get(first + number)
                if known is not None:
                    known[1] += weight
                elif weight > best[0]:
                    heapreplace(best, weight)
                    new.append((first + number, 0.0, weight))
        self._keep([(key, silent, spoken) for key, (silent, spoken) in own.items()] + new)

    def _keep(self, found: list[tuple[int, float, float]]) -> None:
        found.sort(key=_weight, reverse=True)  # of equals, the earlier stays first
        scale = 1 / _weight(found[0])
        self._kept = [
            (self._node(key), silent * scale, spoken * scale)
            for key, silent, spoken in found[: self._beam.width]
            if silent + spoken > 0
        ]
        if len(self._keys) > self._most:
            self._forget()
            self._most = FEW + 2 * len(self._keys)

    def _forget(self) -> None:
        """Drop the beginnings that none which is kept goes on from: most of them, in a long recording."""
        alive = {0}
        for node, _, _ in self._kept:
            while node not in alive:
                alive.add(node)
                node = self._parents[node]
        old = sorted(alive)  # parents come before what continues them
        new = {node: number for number, node in enumerate(old)}
        self._parents, self._last = [new[self._parents[node]] for node in old], [self._last[node] for node in old]
        self._contexts, self._factors = [self._contexts[node] for node in old], [self._factors[node] for node in old]
        continued = zip(self._parents[1:], self._last[1:], strict=True)
        self._keys = [-1, *(parent * self._columns + number for parent, number in continued)]
        self._nodes = {key: number for number, key in enumerate(self._keys)}
        self._kept = [(new[node], silent, spoken) for node, silent, spoken in self._kept]

    def _node(self, key: int) -> int:
        node = self._nodes.get(key)
        if node is None:
            node = self._nodes[key] = len(self._keys)
            parent, number = divmod(key, self._columns)
            language = self._beam.language
            context = language.known(language.after(self._contexts[parent], number))
            self._keys.append(key)
            self._parents.append(parent)
            self._last.append(number)
            self._contexts.append(context)
            self._factors.append(self._beam.factors(context))
        return node

    def best(self) -> list[int]:
        """Return the numbers of the characters of the best text, taking into account that it ends here."""
        weights = [(silent + spoken) * self._factors[node][MARK] for node, silent, spoken in self._kept]
        node, numbers = self._kept[int(np.argmax(weights))][0], []
        while node:
            numbers.append(self._last[node])
            node = self._parents[node]
        return numbers[::-1]


def _weight(found: tuple[int, float, float]) -> float:
    return found[1] + found[2]


def _frames(log_probabilities: Floats, least: float) -> Iterator[tuple[list[float], list[int]]]:
    """Yield the probabilities and the characters that matter, frame by frame.

    Of frames one after another in which none matters only the first is told: the others change all texts alike.
    """
    spoke = False  # in the frame before: nor do those before the first character change anything
    for start in range(0, len(log_probabilities), AT_ONCE):
        p = np.exp(np.asarray(log_probabilities[start : start + AT_ONCE], dtype=np.float64))
        looked = p >= least
        looked[np.arange(len(p)), p.argmax(axis=1)] = True
        looked[:, BLANK] = False
        speaks: NDArray[np.bool_] = np.logical_or.reduce(looked, axis=1)
        told = speaks | np.append(spoke, speaks[:-1])
        spoke = bool(speaks[-1])
        kept = np.where(looked, p, 0.0)[told]
        kept[:, BLANK] = p[told, BLANK]
        for frame, columns in zip(kept.tolist(), looked[told], strict=True):
            yield frame, np.flatnonzero(columns).tolist()


def greedy(log_probabilities: Floats, characters: Sequence[str]) -> str:
    """Return the text of the most probable path: repeats are joined, blanks go.

    Args:
        log_probabilities: (T, K) of every frame, the blank first.
        characters: K - 1 characters.

    Returns:
        The text, with single spaces.
    """
    best = np.argmax(log_probabilities, axis=1)
    changes = np.diff(best, prepend=BLANK) != 0
    return _tidy("".join(characters[number - 1] for number in best[changes & (best != BLANK)]))


def _tidy(text: str) -> str:
    return " ".join(text.split())


def decoder_from(arrays: Mapping[str, NDArray[Any]], characters: Sequence[str]) -> Decoder:
    """Build a decoder from what its ``to_arrays`` wrote.

    Args:
        arrays: ``beam`` and those of its language model; none for `Greedy`.
        characters: Those of the model.

    Returns:
        The decoder.

    Raises:
        ArtifactError: The arrays are not those of a decoder for these characters.
    """
    if not arrays:
        return Greedy()
    values = np.asarray(arrays.get("beam", np.empty(0)))
    lowest, highest = np.array([1, 0, -_STEEPEST]), np.array([_WIDEST, _STEEPEST, _STEEPEST])
    if values.shape != (3,) or values.dtype.kind != "f" or not ((lowest <= values) & (values <= highest)).all():
        raise ArtifactError(
            f"the model was changed or damaged: expected width, weight and bonus of a search, found {values.tolist()}",
            fix="Copy the model folder again, or fit again.",
        )
    language = CharacterModel.from_arrays(arrays, 1 + len(characters))
    return Beam(int(values[0]), float(values[1]), float(values[2]), language)
