"""A language model of characters: how probable the next one is after those before it, learnt from transcripts.

Witten and Bell (IEEE Transactions on Information Theory, 1991): what a context has shown is mixed with what the context
without its first character says, the more so the more different characters have followed it; in the end with every
character being as probable as any other. So a character that was never seen there is improbable, but not impossible.

Characters are numbered as the columns of a transcription's outputs, from 1; 0, there the blank, is here the mark where
a text begins (in a context) and ends (as what comes next).
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, final

import numpy as np
from numpy.typing import NDArray

from headstart.errors import ArtifactError, OptionError
from headstart.runtime._heard import character_numbers

MARK: Final = 0
LONGEST: Final = 6
_MOST: Final = 2**31 - 1

Context = tuple[int, ...]
_Seen = dict[Context, dict[int, int]]  # how often each number has followed each context


@final
@dataclass(frozen=True, eq=False)
class CharacterModel:
    """Probabilities of the next character after up to ``order - 1`` others.

    Attributes:
        columns: K, one more than there are characters.
        order: Characters in the longest run that is counted, the next one among them.
        seen: How often which number has followed each context; of the longest contexts that the texts hold.
    """

    columns: int
    order: int
    seen: Mapping[Context, Mapping[int, int]] = field(repr=False)
    _every: _Seen = field(default_factory=dict, init=False, repr=False)
    _rows: dict[Context, NDArray[np.float64]] = field(default_factory=dict, init=False, repr=False)

    def __post_init__(self) -> None:
        for context, following in self.seen.items():
            for start in range(len(context) + 1):
                counted = self._every.setdefault(context[start:], {})
                for number, count in following.items():
                    counted[number] = counted.get(number, 0) + count

    @classmethod
    def from_texts(cls, texts: Iterable[str], characters: Sequence[str], order: int = LONGEST) -> "CharacterModel":
        """Learn from transcripts.

        Args:
            texts: Transcripts; characters that are not among ``characters`` are left out of them.
            characters: The characters there are.
            order: 1 counts single characters, 2 pairs, and so on, up to 6.

        Returns:
            The model.

        Raises:
            OptionError: The order is none of 1 to 6.
        """
        if not 1 <= order <= LONGEST:
            raise OptionError(
                f"expected character runs of 1 to {LONGEST}, found an order of {order}", fix=f"Choose 1 to {LONGEST}."
            )
        seen: _Seen = {}
        for text in texts:
            numbers = (MARK, *character_numbers(text, characters).tolist(), MARK)
            for place in range(1, len(numbers)):
                following = seen.setdefault(numbers[max(0, place - order + 1) : place], {})
                following[numbers[place]] = following.get(numbers[place], 0) + 1
        return cls(1 + len(characters), order, seen)

    @property
    def start(self) -> Context:
        """The context in which a text begins."""
        return self.after((), MARK)

    def after(self, context: Context, number: int) -> Context:
        """Return the context that a number makes of another, no longer than the model looks back."""
        return (*context, number)[max(0, len(context) + 2 - self.order) :]

    def known(self, context: Context) -> Context:
        """Return the longest end of a context that was seen; all that the model can tell of it."""
        while context and context not in self._every:
            context = context[1:]
        return context

    def log_probabilities(self, context: Context) -> NDArray[np.float64]:
        """Return log probabilities (K,) of what comes next; column 0 says that the text ends.

        Args:
            context: Numbers of the characters before, first the mark where the text begins.

        Returns:
            Natural logarithms; the same array each time, not to be written to.
        """
        context = self.known(context[max(0, len(context) + 1 - self.order) :])
        row = self._rows.get(context)
        if row is None:
            row = self._rows[context] = np.log(self._mixed(context))
            row.flags.writeable = False
        return row

    def log_probability(self, context: Context, number: int) -> float:
        """Return the log probability that a character, or 0 for the end, comes next."""
        return float(self.log_probabilities(context)[number])

    def _mixed(self, context: Context) -> NDArray[np.float64]:
        shorter = np.exp(self.log_probabilities(context[1:])) if context else np.full(self.columns, 1 / self.columns)
        following = self._every.get(context, {})
        if not following:
            return shorter
        mixed = len(following) * shorter
        mixed[list(following)] += list(following.values())
        return np.asarray(mixed / (len(following) + sum(following.values())))

    def to_arrays(self) -> dict[str, NDArray[np.int64]]:
        """Return the model as plain arrays, from which `from_arrays` builds it again.

        Returns:
            ``runs`` (R, order): each a context and what followed it, marks before a context that is shorter;
            ``counts`` (R,): how often.
        """
        runs = [(*context, number) for context, following in self.seen.items() for number in following]
        padded = [(*[MARK] * (self.order - len(run)), *run) for run in runs]
        counts = [count for following in self.seen.values() for count in following.values()]
        return {
            "runs": np.array(padded, dtype=np.int64).reshape(-1, self.order),
            "counts": np.array(counts, dtype=np.int64),
        }

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[Any]], columns: int) -> "CharacterModel":
        """Build the model from what `to_arrays` wrote.

        Args:
            arrays: ``runs`` and ``counts``.
            columns: K, one more than there are characters.

        Returns:
            The model.

        Raises:
            ArtifactError: The arrays are not those of a model for so many characters.
        """
        runs, counts = (np.asarray(arrays.get(name, np.empty(0))) for name in ("runs", "counts"))
        problem = _problem(runs, counts, columns)
        if problem:
            raise ArtifactError(
                f"the model was changed or damaged: of its character runs, {problem}",
                fix="Copy the model folder again, or fit again.",
            )
        seen: _Seen = {}
        for (*context, number), count in zip(runs.tolist(), counts.tolist(), strict=True):
            marks = next((place for place, each in enumerate(context) if each != MARK), len(context))
            seen.setdefault(tuple(context[max(0, marks - 1) :]), {})[number] = count
        return cls(columns, runs.shape[1], seen)


def _problem(runs: NDArray[Any], counts: NDArray[Any], columns: int) -> str:
    """Say what is wrong with the arrays of a model; nothing if they can be one."""
    if runs.ndim != 2 or not 1 <= runs.shape[1] <= LONGEST or counts.shape != runs.shape[:1]:
        return f"expected a matrix of 1 to {LONGEST} columns and a count of each, found {runs.shape} and {counts.shape}"
    if not all(np.issubdtype(each.dtype, np.integer) for each in (runs, counts)):
        return f"expected whole numbers, found {runs.dtype} and {counts.dtype}"
    if ((runs < 0) | (runs >= columns)).any():
        return f"expected numbers from 0 to {columns - 1}, found {runs.min()} to {runs.max()}"
    if ((counts < 1) | (counts > _MOST)).any():
        return f"expected counts from 1 to {_MOST}, found {counts.min()} to {counts.max()}"
    if ((runs[:, 1:-1] == MARK) & (runs[:, :-2] != MARK)).any():
        return "expected texts to begin once, found a beginning after a character"
    return ""
