"""Cheap classical baselines: what a pretrained network has to beat.

Items are described once; what is learnt from them (vocabulary, document frequencies, scales, weights, strength) is
learnt again from the training part of every split. All end in the logistic regression of `headstart.linear` (ridge
regression for values), strength by inner cross-validation. They are measured, never shipped, so they stay cheap, and
their limits are part of what they are:

* text: at most 10,000 word and 20,000 character n-grams, the most frequent in the training part, from the first 5,000
  characters of each text; from 3,000 training texts on, one inner fold chooses the strength instead of all.
* images: 64 x 64 pixels.
* sounds: one minute of each, at 16 kHz (`headstart.evaluation.sounds` describes them).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias, final

import numpy as np
import numpy.typing as npt
from PIL import Image
from scipy import sparse

from headstart.data import make_folds
from headstart.evaluation.transcripts import constant_transcripts
from headstart.linear import Matrix, fit_cross_validated
from headstart.tasks import Kind, kind_of

__all__ = [
    "Baseline",
    "describe_image",
    "image_baseline",
    "majority",
    "majority_baseline",
    "sound_baseline",
    "text_baseline",
]

Floats: TypeAlias = npt.NDArray[np.floating[Any]]
Integers: TypeAlias = npt.NDArray[np.integer[Any]]
Target: TypeAlias = npt.NDArray[Any]  # class numbers (N,), indicators (N, C), values (N,) or transcripts (N,)
Probabilities: TypeAlias = npt.NDArray[np.float64]
Sparse: TypeAlias = "sparse.csr_array[Any, tuple[int, int]] | sparse.csr_matrix[Any]"

_SIDE, _CELL = 64, 8
_ORIENTATIONS = 9
_HUE_BINS, _SATURATION_BINS, _VALUE_BINS = 8, 4, 4
_TEXT_STRENGTHS = (1e-2, 1e-3, 1e-4, 1e-5, 1e-6)
_VALUE_TEXT_STRENGTHS = (1.0, 1e-1, *_TEXT_STRENGTHS)  # squared errors need stronger ones
_INNER_FOLDS = 3
_MANY_TEXTS = 3000
_TEXT_LENGTH = 5000


class Baseline(Protocol):
    """A learner on items it has already described, to be fitted anew on every split."""

    @property
    def name(self) -> str:
        """What tables call it."""

    def predict(self, train: Integers, test: Integers) -> Probabilities:
        """Fit the items numbered ``train`` and return the outputs (len(test), K) of those numbered ``test``."""


def majority(y_train: Target, *, n_classes: int, n_test: int) -> Probabilities:
    """Return one constant answer for ``n_test`` items, (n_test, K).

    The class frequencies of ``y_train`` and one more example of all classes alike; the frequency of each label and half
    an example more with it and without it; the mean value; or, as (n_test,) `Heard`, what `constant_transcripts` makes
    of transcripts.
    """
    kind = kind_of(y_train)
    if kind == "transcription":
        return constant_transcripts(y_train, n_test=n_test)
    if kind == "regression":
        return np.full((n_test, 1), y_train.mean())
    if kind == "multilabel":
        return np.tile((y_train.sum(axis=0) + 0.5) / (len(y_train) + 1), (n_test, 1))
    frequencies = (np.bincount(y_train, minlength=n_classes) + 1 / n_classes) / (len(y_train) + 1)
    return np.tile(frequencies, (n_test, 1))


def majority_baseline(y: Target, *, n_classes: int) -> Baseline:
    """Return the baseline of one constant answer, as `majority` gives it.

    Most frequent class (first of equals), label frequencies, mean, or most frequent transcript.

    Args:
        y: What is true of all items (N, ...).
        n_classes: How many output columns there are.

    Returns:
        The baseline.
    """
    return _Majority(y, n_classes)


def text_baseline(
    texts: Sequence[str], y: Target, *, n_classes: int, groups: npt.NDArray[Any] | None, seed: int
) -> Baseline:
    """Make TF-IDF over words (1-2) and characters within words (2-5) with logistic (values: ridge) regression.

    Args:
        texts: The texts (N).
        y: Class numbers (N,), indicators (N, C) or values (N,).
        n_classes: How many output columns there are: classes, labels, or 1.
        groups: Group of each item (N,), which inner folds keep together, or None.
        seed: Decides the inner folds.

    Returns:
        The baseline, every item already described.
    """
    heads = [text[:_TEXT_LENGTH] for text in texts]
    blocks = (_Terms.count(heads, "word", (1, 2), 10_000), _Terms.count(heads, "char_wb", (2, 5), 20_000))
    return _TextBaseline(blocks, _Learner(y, n_classes, groups, seed))


def image_baseline(
    descriptors: npt.NDArray[np.float32],
    y: Target,
    *,
    n_classes: int,
    groups: npt.NDArray[Any] | None,
    seed: int,
) -> Baseline:
    """Make logistic (values: ridge) regression on what ``describe_image`` found in each image.

    Args:
        descriptors: Descriptors (N, D).
        y: Class numbers (N,), indicators (N, C) or values (N,).
        n_classes: How many output columns there are: classes, labels, or 1.
        groups: Group of each item (N,), which inner folds keep together, or None.
        seed: Decides the inner folds.

    Returns:
        The baseline, every item already described.
    """
    return _DescribedBaseline("colours and gradients", descriptors, _Learner(y, n_classes, groups, seed))


def sound_baseline(
    descriptors: npt.NDArray[np.float32],
    y: Target,
    *,
    n_classes: int,
    groups: npt.NDArray[Any] | None,
    seed: int,
) -> Baseline:
    """Make logistic (values: ridge) regression on what ``describe_sound`` found in each recording.

    Args:
        descriptors: Descriptors (N, D).
        y: Class numbers (N,), indicators (N, C) or values (N,).
        n_classes: How many output columns there are: classes, labels, or 1.
        groups: Group of each item (N,), which inner folds keep together, or None.
        seed: Decides the inner folds.

    Returns:
        The baseline, every item already described.
    """
    return _DescribedBaseline("MFCC statistics", descriptors, _Learner(y, n_classes, groups, seed))


def describe_image(image: Image.Image) -> npt.NDArray[np.float32]:
    """Describe an image by colours, shapes and layout, (D,).

    At 64 x 64 pixels, whatever the proportions were: a joint histogram of hue, saturation and value (128 numbers,
    square roots); mean, spread and skew of each RGB channel (9); gradient orientations in cells of 8 x 8 pixels (576;
    Dalal & Triggs 2005, with hard binning, each cell normalised by its 3 x 3 neighbourhood); a thumbnail of 8 x 8
    (192).
    """
    small = image.convert("RGB").resize((_SIDE, _SIDE), Image.Resampling.BILINEAR, reducing_gap=2.0)
    pixels = np.asarray(small, dtype=np.float32) / 255
    parts = (_colours(small), _moments(pixels), _orientations(pixels.mean(axis=2)), _thumbnail(pixels))
    return np.concatenate(parts, dtype=np.float32)


def _colours(small: Image.Image) -> Floats:
    hsv = np.asarray(small.convert("HSV"), dtype=np.int64).reshape(-1, 3)
    hue, saturation, value = (hsv * (_HUE_BINS, _SATURATION_BINS, _VALUE_BINS) // 256).T
    joint = (hue * _SATURATION_BINS + saturation) * _VALUE_BINS + value
    counts = np.bincount(joint, minlength=_HUE_BINS * _SATURATION_BINS * _VALUE_BINS)
    return np.sqrt(counts / len(joint))


def _moments(pixels: Floats) -> Floats:
    flat = pixels.reshape(-1, 3)
    mean = flat.mean(axis=0)
    centred = flat - mean
    third = (centred * centred * centred).mean(axis=0)
    return np.concatenate([mean, np.sqrt((centred * centred).mean(axis=0)), np.cbrt(third)])


def _orientations(grey: Floats) -> Floats:
    down, right = np.gradient(grey)
    turned = np.arctan2(down, right) / np.pi  # -1 to 1; a gradient and its opposite are one orientation
    bins = np.floor(turned * _ORIENTATIONS).astype(np.int64) % _ORIENTATIONS
    side = _SIDE // _CELL
    cell = np.arange(_SIDE) // _CELL
    place = (cell[:, None] * side + cell) * _ORIENTATIONS + bins
    strength = np.hypot(down, right)
    cells = np.bincount(place.ravel(), strength.ravel(), minlength=side * side * _ORIENTATIONS).reshape(side, side, -1)
    energy = np.pad((cells**2).sum(axis=2), 1)
    around = sum(energy[i : i + side, j : j + side] for i in range(3) for j in range(3))
    return (cells / np.sqrt(around + 1e-2)[:, :, None]).ravel()


def _thumbnail(pixels: Floats) -> Floats:
    side = _SIDE // _CELL
    return np.asarray(pixels.reshape(side, _CELL, side, _CELL, 3).mean(axis=(1, 3)).ravel())


_MAJORITY_NAMES: dict[Kind, str] = {
    "classification": "majority class",
    "multilabel": "label frequencies",
    "regression": "mean value",
    "transcription": "most frequent transcript",
}


@final
@dataclass(frozen=True)
class _Majority:
    labels: Target
    n_classes: int

    @property
    def name(self) -> str:
        return _MAJORITY_NAMES[kind_of(self.labels)]

    def predict(self, train: Integers, test: Integers) -> Probabilities:
        return majority(self.labels[train], n_classes=self.n_classes, n_test=len(test))


@dataclass(frozen=True)
class _Learner:
    """Logistic or ridge regression whose strength inner folds of the training part choose."""

    labels: Target
    n_classes: int
    groups: npt.NDArray[Any] | None
    seed: int

    @property
    def kind(self) -> Kind:
        return kind_of(self.labels)

    @property
    def name(self) -> str:
        return "ridge regression" if self.kind == "regression" else "logistic regression"

    def learn(
        self,
        train: Integers,
        rows: Matrix,
        held_out: Matrix,
        *,
        strengths: Sequence[float] | None = None,
        most: int | None = None,
    ) -> Probabilities:
        """Fit the items numbered ``train``, judging strengths by at most ``most`` inner folds; predict ``held_out``."""
        labels = self.labels[train]
        groups = None if self.groups is None else self.groups[train]
        available = len(labels) if groups is None else len(np.unique(groups))
        folds = make_folds(labels, groups=groups, n_splits=min(_INNER_FOLDS, available), seed=self.seed)[:most]
        model, _ = fit_cross_validated(
            rows, labels, folds, n_classes=self.n_classes, strengths=strengths, kind=self.kind
        )
        return model.outputs(held_out)


@dataclass(frozen=True)
class _Terms:
    """How often each n-gram stands in each text, and how many of them to use."""

    counts: Sparse
    most: int

    @classmethod
    def count(cls, texts: Sequence[str], analyser: str, lengths: tuple[int, int], most: int) -> "_Terms":
        from sklearn.feature_extraction.text import CountVectorizer  # takes seconds, and a prediction needs none

        # Words of one letter count too, unlike by default: "I" and "a" matter in short texts.
        pattern = r"(?u)\b\w+\b" if analyser == "word" else None
        vectoriser = CountVectorizer(analyzer=analyser, ngram_range=lengths, token_pattern=pattern, dtype=np.float32)
        try:
            return cls(vectoriser.fit_transform(texts).tocsr(), most)
        except ValueError:  # scikit-learn's answer where no text holds any term, which is no reason to stop
            return cls(sparse.csr_matrix(np.zeros((len(texts), 0), dtype=np.float32)), most)

    def weigh(self, train: Integers, test: Integers) -> tuple[Sparse, Sparse]:
        """TF-IDF of both parts with the vocabulary and the document frequencies of ``train``."""
        frequency = np.asarray(self.counts[train].sum(axis=0)).ravel()
        known = np.argsort(-frequency, kind="stable")[: min(self.most, int((frequency > 0).sum()))]
        if len(known) == 0:
            return self.counts[train][:, :0], self.counts[test][:, :0]
        from sklearn.feature_extraction.text import TfidfTransformer

        chosen = self.counts[:, np.sort(known)]
        weigher = TfidfTransformer(sublinear_tf=True).fit(chosen[train])
        return weigher.transform(chosen[train]), weigher.transform(chosen[test])


@final
@dataclass(frozen=True)
class _TextBaseline:
    blocks: tuple[_Terms, ...]
    learner: _Learner

    @property
    def name(self) -> str:
        return f"TF-IDF + {self.learner.name}"

    def predict(self, train: Integers, test: Integers) -> Probabilities:
        weighed = [block.weigh(train, test) for block in self.blocks]
        rows, held_out = (sparse.hstack(part, format="csr") for part in zip(*weighed, strict=True))
        most = 1 if len(train) >= _MANY_TEXTS else None
        strengths = _VALUE_TEXT_STRENGTHS if self.learner.kind == "regression" else _TEXT_STRENGTHS
        return self.learner.learn(train, rows, held_out, strengths=strengths, most=most)


@final
@dataclass(frozen=True)
class _DescribedBaseline:
    described_by: str
    descriptors: npt.NDArray[np.float32]
    learner: _Learner

    @property
    def name(self) -> str:
        return f"{self.described_by} + {self.learner.name}"

    def predict(self, train: Integers, test: Integers) -> Probabilities:
        return self.learner.learn(train, self.descriptors[train], self.descriptors[test])
