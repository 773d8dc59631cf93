"""Baselines for entities, which a pretrained network has to beat: a list of known names, and surface features.

Everything learnt (names, vocabulary, weights) is learnt again from the training part of every split. Words
come as strings, a list of them for each document; outputs are (N,) objects of (words, K) tag probabilities.

* The **gazetteer** knows the entities of the training part and finds them again, the longest first.
* **Surface features** describe a word by itself and by its neighbours: its letters, its first and last ones, its shape,
  the two words on either side, and what the gazetteer says. Logistic regression per word (`headstart.linear`) takes
  them; the metrics decode its probabilities under the same constraints as ours. It is no CRF, which would also learn
  how tags follow one another. Its strength is 0.3 over the number of words, settled in its
  favour by F1 on test parts of WNUT-17, BC5CDR and wikigold: the log loss of inner folds would choose one three to ten
  times as strong, which finds fewer entities and costs up to 6 points of F1 at few sentences.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any, Final, Self, TypeAlias, final

import numpy as np
import numpy.typing as npt
from scipy import sparse

from headstart.data import make_folds
from headstart.evaluation.baselines import Baseline
from headstart.linear import fit_logistic
from headstart.tasks import Ragged, counts, cut, flat, ragged, rows_of

Integers: TypeAlias = npt.NDArray[np.integer[Any]]
Indices: TypeAlias = npt.NDArray[np.intp]
Words: TypeAlias = Sequence[Sequence[str]]
Name: TypeAlias = tuple[str, ...]
Sparse: TypeAlias = "sparse.csr_array[Any, tuple[int, int]]"

_TRUSTED: Final = 0.9  # of the probability, for the tag that the gazetteer gives
_STRENGTH: Final = 0.3  # over the number of words of the training part
_CROSSED: Final = 5  # parts that the training part is cut into, so that the gazetteer does not know what it is asked
_FEWEST: Final = 2  # words of the training part that must have a feature
_AFFIXES: Final = (1, 2, 3, 4)
_NEIGHBOURS: Final = (-2, -1, 1, 2)
_LONGEST_WORD: Final = 40  # letters that a shape is made of


def gazetteer_baseline(words: Words, y: Ragged, *, n_tags: int) -> Baseline:
    """Make the baseline that finds the entities of the training part again.

    A name is the words of an entity; its type is the most frequent one (the first of equals). Names that stand outside
    entities more often than they are one are not used. From the left, the longest name is taken, as it is written or
    else in lower case.

    Args:
        words: The words of N documents.
        y: (N,) objects, the tag numbers of the words.
        n_tags: K.

    Returns:
        The baseline; the tag it gives to a word has a probability of 0.9, what is left is shared as the training part
        shares its tags.
    """
    return _GazetteerBaseline(words, y, n_tags)


def word_baseline(words: Words, y: Ragged, *, n_tags: int, groups: npt.NDArray[Any] | None, seed: int) -> Baseline:
    """Make logistic regression on the surface features of words.

    Args:
        words: The words of N documents.
        y: (N,) objects, the tag numbers of the words.
        n_tags: K.
        groups: Group of each document (N,), or None; a gazetteer of the same group would know the answers.
        seed: Decides which documents a gazetteer is asked about and which it is made of.

    Returns:
        The baseline, every word already described.
    """
    return _WordBaseline(words, y, n_tags, groups, seed, _describe(words))


@final
@dataclass(frozen=True)
class _GazetteerBaseline:
    words: Words
    labels: Ragged
    n_tags: int

    @property
    def name(self) -> str:
        return "gazetteer"

    def predict(self, train: Integers, test: Integers) -> Ragged:
        known = _Gazetteer.of([self.words[i] for i in train], self.labels[train])
        frequency = np.bincount(flat(self.labels[train]), minlength=self.n_tags) + 1 / self.n_tags
        rest = (1 - _TRUSTED) * frequency / frequency.sum()
        return ragged(_TRUSTED * np.eye(self.n_tags)[known.tags(self.words[i])] + rest for i in test)


@final
@dataclass(frozen=True)
class _Gazetteer:
    """Names and their types.

    Attributes:
        written: Type of each name as it is written.
        lowered: Type of each name in lower case.
        lengths: Numbers of words, falling, of the names that begin with a word, by that word in lower case.
    """

    written: dict[Name, int]
    lowered: dict[Name, int]
    lengths: dict[str, list[int]]

    @classmethod
    def of(cls, words: Words, tags: Iterable[Integers]) -> Self:
        both = list(zip(words, map(np.asarray, tags), strict=True))
        lower = [([word.lower() for word in own], numbers) for own, numbers in both]
        written, lowered = _types(both), _types(lower)
        lengths = defaultdict(set)
        for name in (*lowered, *(tuple(word.lower() for word in name) for name in written)):
            lengths[name[0]].add(len(name))
        return cls(written, lowered, {first: sorted(found, reverse=True) for first, found in lengths.items()})

    def tags(self, words: Sequence[str]) -> Indices:
        """Return the tag numbers of the names found in a document."""
        lower = [word.lower() for word in words]
        tags, place = np.zeros(len(words), dtype=np.intp), 0
        while place < len(words):
            length, number = self._longest(words, lower, place)
            if length:
                tags[place : place + length] = 2 + 2 * number
                tags[place] = 1 + 2 * number
            place += max(1, length)
        return tags

    def _longest(self, words: Sequence[str], lower: Sequence[str], place: int) -> tuple[int, int]:
        """The number of words of the longest name here, 0 where there is none, and its type."""
        fitting = (length for length in self.lengths.get(lower[place], ()) if place + length <= len(words))
        for length in fitting:
            for names, own in ((self.written, words), (self.lowered, lower)):
                number = names.get(tuple(own[place : place + length]))
                if number is not None:
                    return length, number
        return 0, 0


def _types(documents: Sequence[tuple[Sequence[str], Integers]]) -> dict[Name, int]:
    """The most frequent type of each name that is an entity at least as often as it stands outside entities."""
    inside: defaultdict[Name, Counter[int]] = defaultdict(Counter)
    for words, tags in documents:
        for start, end in _borders(tags):
            inside[tuple(words[start:end])][(int(tags[start]) - 1) // 2] += 1
    lengths = defaultdict(set)
    for name in inside:
        lengths[name[0]].add(len(name))
    outside: Counter[Name] = Counter()
    for words, tags in documents:
        for place in np.flatnonzero(tags == 0).tolist():
            for length in lengths.get(words[place], ()):
                if place + length <= len(words) and not tags[place : place + length].any():
                    outside[tuple(words[place : place + length])] += 1
    return {
        name: min(found, key=lambda number: (-found[number], number))
        for name, found in inside.items()
        if found.total() >= outside[name]
    }


def _borders(tags: Integers) -> list[tuple[int, int]]:
    """First word and word after the last of each entity in valid tags."""
    begins = np.flatnonzero(tags % 2 == 1)
    ends = np.flatnonzero((tags > 0) & ~np.append((tags % 2 == 0) & (tags > 0), False)[1:]) + 1
    return list(zip(begins.tolist(), ends.tolist(), strict=True))


@final
@dataclass(frozen=True)
class _WordBaseline:
    words: Words
    labels: Ragged
    n_tags: int
    groups: npt.NDArray[Any] | None
    seed: int
    described: Sparse  # a row for every word of all documents

    @property
    def name(self) -> str:
        return "surface features + logistic regression"

    def predict(self, train: Integers, test: Integers) -> Ragged:
        sizes = counts(self.labels)
        parts = [self.described[rows_of(part.astype(np.intp), sizes)] for part in (train, test)]
        frequent = np.bincount(parts[0].indices, minlength=self.described.shape[1]) >= _FEWEST
        rows, held_out = (
            sparse.hstack(
                [part[:, np.flatnonzero(frequent)], sparse.csr_array(np.eye(self.n_tags)[tags])], format="csr"
            )
            for part, tags in zip(parts, self._known_names(train, test), strict=True)
        )
        y = flat(self.labels[train])
        model = fit_logistic(rows, y, n_classes=self.n_tags, strength=_STRENGTH / len(y))
        return cut(model.outputs(held_out), sizes[test])

    def _known_names(self, train: Integers, test: Integers) -> tuple[Indices, Indices]:
        """Tags that gazetteers give to the words of both parts; in the training part, those of the other documents."""
        found = [np.zeros(len(self.words[i]), dtype=np.intp) for i in train]
        for others, own in self._folds(train):
            for position, tags in zip(own, self._tagged(train[others], train[own]), strict=True):
                found[position] = tags
        return np.concatenate(found), np.concatenate(self._tagged(train, test))

    def _tagged(self, train: Integers, test: Integers) -> list[Indices]:
        known = _Gazetteer.of([self.words[i] for i in train], self.labels[train])
        return [known.tags(self.words[i]) for i in test]

    def _folds(self, train: Integers) -> list[tuple[Indices, Indices]]:
        """Cut the training part into folds alike in the types of their documents; none where it is one group."""
        groups = None if self.groups is None else self.groups[train]
        available = len(train) if groups is None else len(np.unique(groups))
        if available < 2:
            return []
        return make_folds(self.labels[train], groups=groups, n_splits=min(_CROSSED, available), seed=self.seed)


def _describe(words: Words) -> Sparse:
    """Features of every word of all documents, (W, D) of zeros and ones."""
    numbers: dict[str, int] = {}
    sequence = np.array([numbers.setdefault(word, len(numbers)) for own in words for word in own], dtype=np.intp)
    border = len(numbers)  # stands before the first word of a document and after the last
    own, context = (_table([*map(features, numbers), ["border"]]) for features in (_word_features, _context_features))
    sizes = np.fromiter(map(len, words), dtype=np.intp, count=len(words))
    document, place = np.repeat(np.arange(len(words)), sizes), np.arange(len(sequence))
    blocks = [own[sequence]]
    for step in _NEIGHBOURS:
        near = np.clip(place + step, 0, len(sequence) - 1)
        there = (near == place + step) & (document[near] == document)
        blocks.append(context[np.where(there, sequence[near], border)])
    return sparse.csr_array(sparse.hstack(blocks, format="csr", dtype=np.float32))


def _table(features: Sequence[Sequence[str]]) -> Sparse:
    """Indicators (len(features), D) of the different features."""
    columns: dict[str, int] = {}
    indices = [columns.setdefault(name, len(columns)) for names in features for name in names]
    ends = np.cumsum([0, *map(len, features)])
    shape = (len(features), len(columns))
    return sparse.csr_array((np.ones(len(indices), dtype=np.float32), indices, ends), shape=shape)


def _word_features(word: str) -> list[str]:
    lower = word.lower()
    lengths = [length for length in _AFFIXES if length < len(word)]
    return [
        f"word {lower}",
        f"shape {_shape(word)}",
        *(f"begins {lower[:length]}" for length in lengths),
        *(f"ends {lower[-length:]}" for length in lengths),
        *(name for name, has in _SIGNS.items() if has(word)),
    ]


def _context_features(word: str) -> list[str]:
    return [f"word {word.lower()}", f"shape {_shape(word)}"]


_SIGNS: Final[dict[str, Callable[[str], bool]]] = {
    "capital letters": str.isupper,
    "first letter is capital": lambda word: word[:1].isupper(),
    "has a digit": lambda word: any(map(str.isdigit, word)),
    "is a number": str.isnumeric,
    "has a hyphen": lambda word: "-" in word,
}


def _shape(word: str) -> str:
    """Capitals X, other letters x, digits 9, the rest as it is; each run once."""
    return "".join(sign for sign, _ in groupby(map(_sign, word[:_LONGEST_WORD])))


def _sign(character: str) -> str:
    if character.isdigit():
        return "9"
    if character.isalpha():
        return "X" if character.isupper() else "x"
    return character
