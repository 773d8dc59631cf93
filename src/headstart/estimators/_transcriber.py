"""The transcriber: speech to text."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import ArrayLike
from sklearn.utils.validation import check_is_fitted

from headstart.backbones import Backbone
from headstart.data import Dataset, Sound
from headstart.errors import DataError, OptionError
from headstart.estimators._transfer import Transfer, column, dataset_of
from headstart.evaluation import find_metric
from headstart.tasks import Ragged, Spelling, TimedWord, Transcription, plain, timed_words, written

if TYPE_CHECKING:
    from sklearn.utils import Tags

RATE: Final = 16_000  # of arrays, which do not say theirs
SPELLINGS: Final[tuple[Spelling, ...]] = ("plain", "written")


class TransferTranscriber(Transfer):
    """A transcriber of speech that starts from a pretrained network.

    Args:
        backbone: An address such as ``starter:audio-small``, a `Backbone`, or several of either to choose among by
            cross-validation; by default the ones that need no network.
        strategy: How to adapt it, such as ``probe()`` or ``finetune(last=2)``.
        transcripts: ``plain`` learns and compares them in lower case and without punctuation, ``written`` as they are.
        metric: The score that will matter; by default the word error rate.
        device: ``auto``, ``cpu``, ``cuda`` or ``mps``.
        offline: Open no connection.
        random_state: Seed of every random choice.

    Attributes:
        characters_: (C,) characters that training has seen, sorted; no other is ever heard.
        model_: The fitted `headstart.model.AdaptedModel`.
        chosen_: Settings that cross-validation chose.
    """

    def __init__(
        self,
        backbone: str | Backbone | Sequence[str | Backbone] | None = None,
        *,
        strategy: str = "probe",
        transcripts: Spelling = "plain",
        metric: str | None = None,
        device: str = "auto",
        offline: bool = False,
        random_state: int = 0,
    ) -> None:
        super().__init__(
            backbone, strategy=strategy, metric=metric, device=device, offline=offline, random_state=random_state
        )
        self.transcripts = transcripts

    def fit(self, X: Iterable[Any], y: Iterable[str], groups: ArrayLike | None = None) -> "TransferTranscriber":
        """Choose settings by cross-validation inside these recordings and fit on all of them.

        Args:
            X: N paths, `headstart.data.Sound`, or arrays (n,) or (n, channels) of samples at 16 kHz, 1.0 at full scale.
            y: N transcripts.
            groups: N groups (speakers) that the inner folds keep together.

        Returns:
            The estimator itself.

        Raises:
            OptionError: There is no such spelling.
            DataError: A transcript is no string, no transcript holds a word, or a recording cannot be read.
        """
        if self.transcripts not in SPELLINGS:
            fix = "Choose one of them."
            raise OptionError(
                f"expected {' or '.join(SPELLINGS)}, found {self.transcripts!r}", where="transcripts", fix=fix
            )
        spell = plain if self.transcripts == "plain" else written
        labels = [spell(text) for text in _texts(y)]
        dataset = _dataset(X, labels=labels, groups=groups)
        task = Transcription.from_labels(labels)
        if not task.characters:
            raise DataError("expected transcripts with words, found none", where="y")
        self.characters_ = np.array(task.characters)
        self._choose(dataset, task)
        return self

    def predict(self, X: Iterable[Any]) -> list[str]:
        """Return what is said in every recording.

        Args:
            X: N recordings, as in `fit`.

        Returns:
            N transcripts.
        """
        return [heard.text for heard in self._heard(X)]

    def predict_words(self, X: Iterable[Any]) -> list[list[TimedWord]]:
        """Return the words of every recording: start and end in seconds, the word, and its probability.

        Args:
            X: N recordings, as in `fit`.

        Returns:
            N lists of words in order.
        """
        outputs = self._heard(X)
        seconds = self.model_.backbone.frame_seconds
        assert seconds is not None, "a backbone of whole recordings"
        return [timed_words(heard, seconds) for heard in outputs]

    def score(self, X: Iterable[Any], y: Iterable[str]) -> float:
        """Return 1 minus the word error rate: 1 where all is right, and below 0 where more is wrong than was said.

        Args:
            X: N recordings, as in `fit`.
            y: N transcripts.

        Returns:
            The share of words that are right, less those that are put in; greater is better.

        Raises:
            DataError: No transcript holds a word, or there are not as many as recordings.
        """
        outputs = self._heard(X)
        labels = self.model_.task.encode(_texts(y))
        if len(labels) != len(outputs):
            raise DataError(f"expected {len(outputs)} values, one per item, found {len(labels)}", where="y")
        rate = find_metric("wer", "transcription").score(labels, outputs)
        if rate is None:
            raise DataError("expected transcripts with words, found none", where="y")
        return 1.0 - rate

    def _heard(self, X: Iterable[Any]) -> Ragged:
        """Return (N,) `Heard`."""
        check_is_fitted(self, "model_")
        return self._outputs_of(_dataset(X))

    def __sklearn_tags__(self) -> "Tags":
        tags = super().__sklearn_tags__()
        tags.target_tags.required = True
        return tags


def _texts(y: Iterable[str]) -> list[str]:
    found: list[str] = column(list(y), "y").tolist()
    for number, text in enumerate(found):
        if not isinstance(text, str):
            raise DataError(f"expected a transcript, found {text!r}", where=f"y[{number}]", fix="Give strings.")
    return found


def _dataset(X: Iterable[Any], *, labels: Sequence[str] | None = None, groups: ArrayLike | None = None) -> Dataset:
    items = X if isinstance(X, str | Path) else [Sound(x, RATE) if isinstance(x, np.ndarray) else x for x in X]
    return dataset_of(items, "audio", labels=labels, groups=groups, kind="transcription")
