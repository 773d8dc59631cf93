"""Scores of transcripts: texts of N recordings and what was heard in them in, numbers out; and what is wrong.

``counts`` is as in `headstart.evaluation.metrics`; a recording drawn twice counts twice with all its words. What is
compared are texts as their task spells them, both sides with composed characters and single spaces.

* **Word error rate**: the fewest words substituted, left out and put in that turn the transcripts into what was heard,
  per word of the transcripts, over all recordings together. What is heard where nothing is said is put in, so the rate
  may exceed 1; it is not defined where no transcript holds a word.
* **Character error rate**: the same of characters, the spaces between words among them. A character that training has
  never seen cannot be heard, so it is always an error.

jiwer counts the same, against which the tests check it. Comparing and summing over alignments cost as much as thousands
of resamples, so each is done once for every `Heard` object, which is why its probabilities must not be changed in
place; what is remembered of it goes with it.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeAlias, final
from weakref import WeakKeyDictionary

import numpy as np
import numpy.typing as npt

from headstart.errors import DataError
from headstart.evaluation._ratios import Score, ratio
from headstart.linear import transcript_nats
from headstart.tasks import Edit, Heard, edit_path, edits, frames_needed, written

Floats: TypeAlias = npt.NDArray[np.float64]
Counts: TypeAlias = npt.NDArray[np.float64]
Texts: TypeAlias = npt.NDArray[np.str_]
Outputs: TypeAlias = npt.NDArray[Any]  # (N,) of Heard
Tally: TypeAlias = Callable[[str, Heard], float]

EDITS: Final[tuple[Edit, ...]] = ("same", "substituted", "left out", "put in")
_KNOWN: Final[WeakKeyDictionary[Heard, dict[tuple[Tally, str], float]]] = WeakKeyDictionary()


def wer(y: Texts, p: Outputs, counts: Counts | None = None) -> Score:
    """Return the word errors per word of the transcripts; undefined where these hold no word."""
    return _share(_word_edits, _words, y, p, counts)


def cer(y: Texts, p: Outputs, counts: Counts | None = None) -> Score:
    """Return the character errors per character of the transcripts; undefined where these hold none."""
    return _share(_character_edits, _characters, y, p, counts)


def exact(y: Texts, p: Outputs, counts: Counts | None = None) -> Score:
    """Return the share of recordings that are heard without an error."""
    return _share(_is_exact, _one, y, p, counts)


def transcript_log_loss(y: Texts, p: Outputs, counts: Counts | None = None) -> Score:
    """Return the nats of the transcripts per character, as `headstart.linear.transcript_nats` counts them."""
    return _share(_nats, _characters, y, p, counts)


def word_gains(y: Texts, before: Outputs, after: Outputs) -> Floats:
    """Return what each recording adds to a gain in words; their mean is the rate of ``before`` minus that of ``after``.

    Args:
        y: (N,) transcripts.
        before: (N,) `Heard` by one model.
        after: Those by another.

    Returns:
        (N,) word errors saved, divided by the mean number of words; zeros where no transcript holds a word.
    """
    for outputs in (before, after):
        _check(y, outputs)
    words = _column(_words, y, before)
    saved = _column(_word_edits, y, before) - _column(_word_edits, y, after)
    return np.asarray(saved / words.mean()) if words.any() else np.zeros(len(y))


@final
@dataclass(frozen=True)
class Operation:
    """A word of a transcript beside what was heard in its place.

    Attributes:
        edit: ``same``, ``substituted``, ``left out`` or ``put in``.
        said: The word of the transcript; empty where one is put in.
        heard: The word heard; empty where one is left out.
    """

    edit: Edit
    said: str
    heard: str


@final
@dataclass(frozen=True)
class Alignment:
    """A transcript and what was heard, word by word.

    Attributes:
        said: The transcript.
        heard: What was heard.
        operations: The words of both, in order.
    """

    said: str
    heard: str
    operations: tuple[Operation, ...]

    @property
    def words(self) -> int:
        """How many words the transcript has."""
        return sum(each.edit != "put in" for each in self.operations)

    @property
    def errors(self) -> int:
        """How many words are substituted, left out or put in."""
        return sum(each.edit != "same" for each in self.operations)

    @property
    def marked(self) -> str:
        """Both in one line, as wdiff writes them: ``she [-had-]{+has+} your [-dark-] suit``."""
        return " ".join(
            each.said
            if each.edit == "same"
            else "".join([f"[-{each.said}-]" * bool(each.said), f"{{+{each.heard}+}}" * bool(each.heard)])
            for each in self.operations
        )


@final
@dataclass(frozen=True)
class TranscriptErrors:
    """What is right and wrong with what was heard.

    Attributes:
        recordings: Transcript and what was heard, in the order given.
        counts: How many words each of `EDITS` has.
        substituted: Said, heard instead, and how often; the most frequent first.
        left_out: Words left out, and how often; the most frequent first.
        put_in: Words put in, and how often; the most frequent first.
        outside: Characters of the transcripts that the model does not know, and how often.
        outside_recordings: How many transcripts have such characters.
    """

    recordings: tuple[Alignment, ...]
    counts: Mapping[Edit, int]
    substituted: tuple[tuple[str, str, int], ...]
    left_out: tuple[tuple[str, int], ...]
    put_in: tuple[tuple[str, int], ...]
    outside: Mapping[str, int]
    outside_recordings: int


def transcript_errors(y: Texts, p: Outputs, *, most: int = 20) -> TranscriptErrors:
    """Align transcripts with what was heard, and count what is wrong.

    Args:
        y: (N,) transcripts.
        p: (N,) `Heard`.
        most: How many of the most frequent errors of each kind to list; of equals the first by the alphabet.

    Returns:
        The alignments and counts.
    """
    _check(y, p)
    recordings = tuple(align_words(said, heard.text) for said, heard in zip(y.tolist(), p, strict=True))
    every = [each for recording in recordings for each in recording.operations]
    found = Counter(each.edit for each in every)
    outside, outside_recordings = _outside(y, p)
    changed, missing, added = (
        _frequent((each for each in every if each.edit == edit), most) for edit in ("substituted", "left out", "put in")
    )
    return TranscriptErrors(
        recordings=recordings,
        counts={edit: found[edit] for edit in EDITS},
        substituted=tuple((each.said, each.heard, times) for each, times in changed),
        left_out=tuple((each.said, times) for each, times in missing),
        put_in=tuple((each.heard, times) for each, times in added),
        outside=outside,
        outside_recordings=outside_recordings,
    )


def align_words(said: str, heard: str) -> Alignment:
    """Put the words of a transcript beside those that were heard, with as few errors as possible."""
    own, told = written(said).split(), written(heard).split()
    path = (
        Operation(edit, "" if edit == "put in" else own[i], "" if edit == "left out" else told[j])
        for edit, i, j in edit_path(own, told)
    )
    return Alignment(" ".join(own), " ".join(told), tuple(path))


def constant_transcripts(y_train: Texts, *, n_test: int) -> Outputs:
    """Return one answer for ``n_test`` recordings: what is said most often, or nothing if that makes fewer errors.

    Args:
        y_train: (N,) transcripts of the training part, whose word errors decide.
        n_test: How many.

    Returns:
        (n_test,) `Heard`. The probabilities are the same in each of as many frames as the longest transcript of
        training needs: the frequency of every character, nothing in the other frames, and one more frame of all alike.
    """
    texts, times = np.unique(y_train, return_counts=True)
    usual = str(texts[times.argmax()])
    errors, silent = (
        sum(n * edits(text.split(), guess.split()) for text, n in zip(texts.tolist(), times.tolist(), strict=True))
        for guess in (usual, "")
    )
    said = Counter("".join(y_train.tolist()))
    characters, frames = tuple(sorted(said)), max(map(frames_needed, texts.tolist()))
    often = np.array([len(y_train) * frames - said.total(), *(said[each] for each in characters)])
    frequencies = (often + 1 / len(often)) / (often.sum() + 1)
    probabilities = np.tile(frequencies.astype(np.float32), (frames, 1))
    answers = np.empty(n_test, dtype=object)
    for number in range(n_test):
        answers[number] = Heard(probabilities, usual if errors <= silent else "", characters)
    return answers


def _frequent(operations: Iterable[Operation], most: int) -> list[tuple[Operation, int]]:
    ranked = sorted(Counter(operations).items(), key=lambda each: (-each[1], each[0].said, each[0].heard))
    return ranked[:most]


def _outside(y: Texts, p: Outputs) -> tuple[dict[str, int], int]:
    """How often each character occurs that the model does not know, and in how many transcripts one does."""
    each = [Counter(x for x in said if x not in heard.characters) for said, heard in zip(y.tolist(), p, strict=True)]
    total = sum(each, Counter[str]())
    return dict(sorted(total.items(), key=lambda row: (-row[1], row[0]))), sum(map(bool, each))


def _share(above: Tally, below: Tally, y: Texts, p: Outputs, counts: Counts | None) -> Score:
    _check(y, p)
    times = np.ones(len(y)) if counts is None else counts
    return ratio(times @ _column(above, y, p), times @ _column(below, y, p))


def _column(tally: Tally, y: Texts, p: Outputs) -> Floats:
    """What each recording adds, (N,), each worked out once."""
    return np.fromiter((_known(tally, *pair) for pair in zip(y.tolist(), p, strict=True)), np.float64, count=len(y))


def _known(tally: Tally, said: str, heard: Heard) -> float:
    known = _KNOWN.setdefault(heard, {})
    key = (tally, said)
    if key not in known:
        known[key] = tally(said, heard)
    return known[key]


def _word_edits(said: str, heard: Heard) -> float:
    return edits(written(said).split(), written(heard.text).split())


def _words(said: str, _heard: Heard) -> float:
    return len(said.split())


def _character_edits(said: str, heard: Heard) -> float:
    return edits(written(said), written(heard.text))


def _characters(said: str, _heard: Heard) -> float:
    return len(written(said))


def _is_exact(said: str, heard: Heard) -> float:
    return written(said) == written(heard.text)


def _one(_said: str, _heard: Heard) -> float:
    return 1.0


def _nats(said: str, heard: Heard) -> float:
    rows, columns = heard.probabilities, 1 + len(heard.characters)
    if rows.ndim != 2 or rows.shape[1] != columns:
        raise DataError(f"expected probabilities of shape (frames, {columns}), found {rows.shape}")
    if not np.isfinite(rows).all():
        raise DataError(f"expected finite probabilities, found {int((~np.isfinite(rows)).sum())} that are not")
    one = np.empty(1, dtype=object)
    one[0] = heard
    return float(transcript_nats(np.array([written(said)]), one)[0])


def _check(y: Texts, p: Outputs) -> None:
    if len(y) == 0 or len(y) != len(p):
        raise DataError(f"expected what was heard in {len(y)} recordings, one or more, found {len(p)}")
    missing = [number for number, heard in enumerate(p) if not isinstance(heard, Heard)]
    if missing:
        raise DataError(f"expected what was heard in every recording, found none of {len(missing)}, first {missing[0]}")
