"""Looking at one candidate: load it, see whether it is allowed, run it, score its features, let it go."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final, final

import numpy as np
from numpy.typing import NDArray

from headstart.backbones import Backbone, View, frame_backbone, licence_of, picture_backbone, word_backbone
from headstart.data import Dataset, Fold, PixelScale
from headstart.errors import BackboneError, HeadstartError, OptionError
from headstart.features import FeatureSource, RunningCost, running_cost
from headstart.linear import Spoken, frames_seen
from headstart.tasks import Kind, Task, Transcription, flat
from headstart.transferability._inputs import Score
from headstart.transferability._null import permuted_scores
from headstart.transferability._prior import facts
from headstart.transferability._similarity import Similarity, similarity_of
from headstart.transferability._source import leep, nce, share_of_entropy
from headstart.transferability._spectrum import Spectrum
from headstart.transferability._speech import score_speech, speech_null
from headstart.transferability._views import score_view

FAR_TOO_LARGE: Final = 3.0  # times a limit
FRAMES_PER_SECOND: Final = 25.0  # of all candidates alike; a fit takes more where people speak fast


@final
@dataclass(frozen=True)
class Limits:
    """What a candidate may cost and be licensed under; None and () do not limit.

    Attributes:
        megabytes: Most that its weights may take, in 2^20 bytes.
        milliseconds: Most that one item may take on this machine.
        licences: Licences of the weights that will do, such as ``apache-2.0``; one that is not known will not.
    """

    megabytes: float | None = None
    milliseconds: float | None = None
    licences: tuple[str, ...] = ()


@final
@dataclass(frozen=True)
class Costs:
    """What a candidate takes.

    Attributes:
        seconds: Frozen pass and scores of this ranking; little where the features were there already.
        milliseconds: One item alone.
        megabytes: Its weights, in 2^20 bytes.
        memory_megabytes: To run one item.
    """

    seconds: float
    milliseconds: float
    megabytes: float
    memory_megabytes: float


@final
@dataclass(frozen=True)
class Material:
    """The examples, and what all candidates are held to.

    Attributes:
        sample: Labelled items: N, or documents that N words are of.
        y: N labels, encoded.
        kind: What they are: that of the task, but words have classes.
        n_classes: How many classes or labels; 1 for values.
        task: What is to be learnt.
        units: (N,) what stays together.
        folds: For probes.
        shuffled: (P, N) positions of permuted labels.
        features: Where features are kept.
        limits: What is allowed.
        seed: Of samples.
        labels_per_class: How many examples a class or label, or entities a type, has at the median; or a tenth of the
            values.
        notes: What a user should know of the sample.
        words: (N,) which of all words of the documents are scored, or None where items are.
        similar: Domains that the pictures have been compared with.
        pixels: How pictures of more than 8 bits are seen; None where there are none.
    """

    sample: Dataset
    y: NDArray[Any]
    kind: Kind
    n_classes: int
    task: Task
    units: NDArray[np.intp]
    folds: Sequence[Fold]
    shuffled: NDArray[np.intp]
    features: FeatureSource
    limits: Limits
    seed: int
    labels_per_class: float
    notes: tuple[str, ...]
    words: NDArray[np.intp] | None = None
    similar: dict[str | None, Similarity] = field(default_factory=dict)
    pixels: PixelScale | None = None

    def rows(self, backbone: Backbone, view: View) -> NDArray[np.float32]:
        """Return the (N, D) features of what is scored; of recordings, (N,) objects of (T, D)."""
        found = self.features.features(backbone, self.sample, view=view)
        return found if self.words is None else flat(found)[self.words]

    def similarity(self, backbone: Backbone, domain: str | None) -> Similarity:
        """Say how far the data is from what a network was trained on; pictures are compared once per domain."""
        if backbone.modality == "text":  # here the tokenizer speaks
            return similarity_of(backbone, self.sample.items, domain, seed=self.seed)
        if domain not in self.similar:
            pixels = backbone.pixels or self.pixels
            self.similar[domain] = similarity_of(backbone, self.sample.items, domain, seed=self.seed, pixels=pixels)
        return self.similar[domain]


@final
@dataclass(frozen=True)
class Looked:
    """What looking at a candidate showed.

    Attributes:
        name: Its address.
        views: Scores by name, for each feature view.
        null: (1 + P,) the statistic of the true labels and of each permutation, on the last layer.
        extra: Scores that do not count, such as those of its own classifier.
        parameters: How many numbers its weights are.
        remarks: What it says of itself, such as that its weights are random.
        costs: What it takes.
        similarity: How far the data is from what it was trained on.
        licence: Of its weights.
        error: Why it could not be looked at.
    """

    name: str
    views: Mapping[str, Mapping[str, Score]] = field(default_factory=dict)
    null: NDArray[np.float64] = field(default_factory=lambda: np.zeros(0))
    extra: Mapping[str, float] = field(default_factory=dict)
    parameters: int = 0
    remarks: tuple[str, ...] = ()
    costs: Costs | None = None
    similarity: Similarity | None = None
    licence: str | None = None
    error: str | None = None


def look_at(material: Material, candidate: str | Backbone, load: Callable[[str], Backbone]) -> Looked:
    """Look at one candidate; whatever is wrong with it becomes its error.

    Args:
        material: The examples.
        candidate: An address, or a loaded backbone.
        load: Loads the backbone of an address.

    Returns:
        Its scores, or its error.
    """
    name = candidate if isinstance(candidate, str) else candidate.name
    known = facts(name)
    licence = None
    try:
        if isinstance(candidate, str):
            licence = licence_of(candidate)
        elif known is not None:
            licence = known.licence
        _check_before(material.limits, name, licence, None if known is None else known.megabytes)
        backbone = load(candidate) if isinstance(candidate, str) else candidate
        looked = _score(material, backbone, None if known is None else known.domain)
        # Named as it was asked for, whatever the network calls itself.
        return replace(looked, name=name, licence=licence)
    except HeadstartError as error:
        return Looked(name, licence=licence, error=str(error))
    except Exception as error:  # noqa: BLE001 - a network from elsewhere may fail in any way, and must not end the rest
        return Looked(name, licence=licence, error=f"{type(error).__name__}: {' '.join(str(error).split())}")


def _check_before(limits: Limits, name: str, licence: str | None, megabytes: float | None) -> None:
    """Refuse what is known to break a limit before anything is loaded.

    The catalogue counts the classifier too, which is not loaded, so only what is far too large is refused here.
    """
    if limits.licences and licence not in limits.licences:
        found = licence or "a licence that is not known"
        raise OptionError(f"expected a licence among {', '.join(limits.licences)}, found {found}", where=name)
    if megabytes is not None and limits.megabytes is not None and megabytes > FAR_TOO_LARGE * limits.megabytes:
        _check_limit(megabytes, limits.megabytes, name, unit="MB", option="--max-size")


def _check_limit(found: float | None, most: float | None, name: str, *, unit: str, option: str) -> None:
    if found is not None and most is not None and found > most:
        raise OptionError(f"expected at most {most:.3g} {unit} ({option}), found {found:,.1f}", where=name)


def _score(material: Material, backbone: Backbone, domain: str | None) -> Looked:
    started, sample = time.monotonic(), material.sample
    if backbone.modality != sample.modality:
        raise BackboneError(f"reads {backbone.modality} and the data is {sample.modality}", where=backbone.name)
    plain = backbone  # its tokenizer tells how far the data is
    if material.task.kind == "tagging" and backbone.pooling_of_words is None:
        backbone = word_backbone(backbone, "mean")
    if material.task.kind == "transcription" and backbone.frames is None:
        backbone = frame_backbone(backbone, FRAMES_PER_SECOND)
    if material.pixels is not None and backbone.pixels is None:
        backbone = picture_backbone(backbone, material.pixels)
    running = running_cost(backbone, sample.items)
    _check_limit(running.weights_megabytes, material.limits.megabytes, backbone.name, unit="MB", option="--max-size")
    limit = material.limits.milliseconds
    _check_limit(running.milliseconds, limit, backbone.name, unit="ms an item", option="--max-latency")
    scored = _score_frames(material, backbone) if material.kind == "transcription" else _score_rows(material, backbone)
    similarity = material.similarity(plain, domain)
    return replace(
        scored,
        parameters=sum(parameter.numel() for parameter in backbone.network.parameters()),
        remarks=backbone.notes,
        costs=_costs(running, time.monotonic() - started),
        similarity=similarity,
    )


def _score_rows(material: Material, backbone: Backbone) -> Looked:
    """Score rows of features that have a label each."""
    views: dict[str, Mapping[str, Score]] = {}
    null = np.zeros(0)
    extra: Mapping[str, float] = {}
    for view in backbone.views:
        rows = material.rows(backbone, view)
        spectrum = Spectrum.of(rows)
        views[view] = score_view(
            rows,
            material.y,
            kind=material.kind,
            n_classes=material.n_classes,
            groups=material.units,
            folds=material.folds,
            spectrum=spectrum,
        )
        if view == "last":
            null = _null(material, spectrum)
            extra = _by_its_own_classes(material, backbone, rows)
    return Looked(backbone.name, views, null, extra)


def _score_frames(material: Material, backbone: Backbone) -> Looked:
    """Score the frames of recordings, by the probe alone."""
    assert isinstance(material.task, Transcription)
    assert backbone.frame_seconds is not None
    seen, characters = frames_seen(backbone.frame_seconds), material.task.characters
    views, null = dict[str, Mapping[str, Score]](), np.zeros(0)
    for view in backbone.views:
        spoken = Spoken(material.rows(backbone, view), material.y, characters, seen)
        score = score_speech(spoken, material.folds)
        views[view] = {"probe": score}
        if view == "last":
            null = speech_null(score, spoken, material.folds, len(material.shuffled), seed=material.seed)
    return Looked(backbone.name, views, null)


def _costs(running: RunningCost, seconds: float) -> Costs:
    return Costs(seconds, running.milliseconds, running.weights_megabytes, running.memory_megabytes)


def _null(material: Material, spectrum: Spectrum) -> NDArray[np.float64]:
    """Return the mean standardised score of the true labels and of each permutation, (1 + P,)."""
    truth = np.arange(len(material.y))[None]
    found = permuted_scores(
        spectrum,
        material.y,
        np.concatenate([truth, material.shuffled]),
        kind=material.kind,
        groups=material.units,
    )
    # The truth is one labelling among the others: were it judged by their spread alone, it would stand out by itself.
    spread = found.std(axis=0)
    return np.asarray(((found - found.mean(axis=0)) / np.where(spread > 0, spread, 1.0)).mean(axis=1))


def _by_its_own_classes(material: Material, backbone: Backbone, rows: NDArray[np.float32]) -> dict[str, float]:
    """Score what the network's own classifier says of the examples, where it has one that fits the features."""
    if backbone.source_head is None or material.task.kind != "classification":
        return {}
    theta = backbone.source_head.probabilities(rows)
    scores = {"leep": leep(theta, material.y), "nce": nce(theta, material.y)}
    return {name: share_of_entropy(score, material.y).value for name, score in scores.items()}
