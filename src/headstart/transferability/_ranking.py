"""Ranking pretrained networks on a user's data: one frozen pass each, several scores, one order with its uncertainty.

Every candidate is loaded when its turn comes and let go of afterwards, so that twenty take no more memory than one. One
that cannot be loaded or run is reported in its place and never ends the ranking. The features stay in the store, where
a later fit finds them.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final, final

import numpy as np
from numpy.typing import NDArray

from headstart.backbones import Backbone
from headstart.data import Dataset
from headstart.errors import OptionError
from headstart.features import FeatureSource, Progress, silent
from headstart.tasks import Task
from headstart.transferability._candidates import Costs, Limits, Looked, Material, look_at
from headstart.transferability._combination import TOP, Order, combine
from headstart.transferability._prior import Prior, prior_of
from headstart.transferability._sample import material_of
from headstart.transferability._similarity import Similarity

SIGNAL_BELOW: Final = 0.05
FEW_TO_AGREE: Final = 4  # candidates; fewer are in the other order by chance


@final
@dataclass(frozen=True)
class Ranked:
    """One candidate and what is known of it; numbers are None where it could not be looked at.

    Attributes:
        name: Its address.
        score: Trimmed mean of the standardised scores, and the weighted prior; comparable within one ranking only.
        interval: 95 % interval of the score over bootstrap replicates of the examples.
        p_top3: Share of the replicates in which it is among the best three.
        tie: Number of its group, from 1: members of a group cannot be told from its first.
        scores: The single scores of its best view, by name; larger is better.
        view: That view.
        prior: What it was known for, weighted, as it entered the score.
        costs: What it takes.
        similarity: How far the data is from what it was trained on.
        licence: Licence of its weights, where the catalogue or its folder says.
        error: Why it could not be looked at, or which limit leaves it out.
    """

    name: str
    score: float | None = None
    interval: tuple[float, float] | None = None
    p_top3: float | None = None
    tie: int | None = None
    scores: Mapping[str, float] = field(default_factory=dict)
    view: str | None = None
    prior: float | None = None
    costs: Costs | None = None
    similarity: Similarity | None = None
    licence: str | None = None
    error: str | None = None


@final
@dataclass(frozen=True)
class Signal:
    """Whether any candidate's features have to do with the labels.

    Attributes:
        p_value: Of the largest score among candidates against the same with labels permuted; of speech, of the largest
            gain over a model that hears nothing, against the same with gains and losses dealt out by chance.
        detected: Whether it is below 0.05.
    """

    p_value: float
    detected: bool


@final
@dataclass(frozen=True)
class Ranking:
    """Candidates, best first; those that could not be looked at come last.

    Attributes:
        candidates: All of them.
        signal: Whether there is anything to choose by; None where no candidate could be looked at.
        prior: What the prior is and how much it counts.
        n: How many examples were looked at; of tagged ones, documents.
        notes: What a user should know.
        interrupted: Whether the user ended it early.
    """

    candidates: tuple[Ranked, ...]
    signal: Signal | None
    prior: Prior | None
    n: int
    notes: tuple[str, ...] = ()
    interrupted: bool = False

    def shortlist(self, most: int = TOP) -> tuple[str, ...]:
        """Name the best candidates."""
        return tuple(each.name for each in self.candidates if each.error is None)[:most]


def rank(
    train: Dataset,
    candidates: Sequence[str | Backbone],
    *,
    task: Task,
    features: FeatureSource,
    load: Callable[[str], Backbone],
    limits: Limits | None = None,
    seed: int = 0,
    until: float | None = None,
    progress: Progress = silent,
) -> Ranking:
    """Rank candidates on labelled examples; on training examples only, else the later score is no longer honest.

    Args:
        train: Labelled examples; of more than 2,000 a sample that is alike in classes is looked at, of tagged
            documents some of the words, and of speech a few minutes.
        candidates: Addresses, or loaded backbones.
        task: What the labels mean.
        features: Where features are kept.
        load: Loads the backbone of an address onto its device.
        limits: What a candidate may cost and be licensed under.
        seed: Of sample, folds, replicates and permutations.
        until: `time.monotonic` value from which no further candidate is begun, once one could be looked at.
        progress: Told which candidate is being looked at.

    Returns:
        The ranking.

    Raises:
        DataError: The examples are too few to be split, or no word is of an entity.
        OptionError: No candidate is named.
    """
    if not candidates:
        raise OptionError("expected candidates to rank, found none", where="--backbone", fix="Name some.")
    material = material_of(train, task, features, limits or Limits(), seed=seed)
    looked, interrupted = _look_at_all(material, candidates, load, until, progress)
    fine = [each for each in looked if each.error is None]
    notes = list(material.notes)
    if not fine:
        return Ranking(tuple(map(_failed, looked)), None, None, len(material.sample), tuple(notes), interrupted)
    prior = prior_of([each.name for each in fine], [each.parameters for each in fine], material.labels_per_class)
    views = list(dict.fromkeys(view for each in fine for view in each.views))
    order = combine(
        *_evidence(fine, views, n=len(material.y)),
        prior=prior.values,
        cheap_first=np.array([each.costs.megabytes if each.costs else 0.0 for each in fine]),
        units=material.units,
        seed=seed,
    )
    signal = _signal(fine)
    ranked = [_ranked(fine[place], order, prior, place, views) for place in order.order]
    failed = [_failed(each) for each in looked if each.error is not None]
    notes += _notes(fine, order, prior, signal, speech=task.kind == "transcription")
    return Ranking((*ranked, *failed), signal, prior, len(material.sample), tuple(notes), interrupted)


def _look_at_all(
    material: Material,
    candidates: Sequence[str | Backbone],
    load: Callable[[str], Backbone],
    until: float | None,
    progress: Progress,
) -> tuple[list[Looked], bool]:
    """Look at one after another; an interrupt, or the end of the time, leaves out the rest."""
    looked: list[Looked] = []
    names = [each if isinstance(each, str) else each.name for each in candidates]
    for number, candidate in enumerate(candidates):
        progress("candidates", number, len(candidates))
        some = any(each.error is None for each in looked)
        if some and until is not None and time.monotonic() > until:
            return [*looked, *(Looked(name, error="not looked at for lack of time") for name in names[number:])], False
        try:
            looked.append(look_at(material, candidate, load))
        except KeyboardInterrupt:
            if not some:  # there is nothing to show yet
                raise
            return [*looked, *(Looked(name, error="not looked at: interrupted") for name in names[number:])], True
    progress("candidates", len(candidates), len(candidates))
    return looked, False


def _evidence(
    fine: Sequence[Looked], views: Sequence[str], *, n: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Stack scores (C, V, K) and what examples contribute to them (C, V, K, N); views that one lacks are nan."""
    kinds = list(next(iter(fine[0].views.values())))
    values = np.full((len(fine), len(views), len(kinds)), np.nan)
    influence = np.full((*values.shape, n), np.nan)
    for c, each in enumerate(fine):
        for view, scores in each.views.items():
            for k, kind in enumerate(kinds):
                values[c, views.index(view), k] = scores[kind].value
                influence[c, views.index(view), k] = scores[kind].influence
    return values, influence


def _ranked(each: Looked, order: Order, prior: Prior, place: int, views: Sequence[str]) -> Ranked:
    view = views[order.view[place]]
    return replace(
        _failed(each),
        score=float(order.score[place]),
        interval=order.interval(place),
        p_top3=float(order.p_top[place]),
        tie=int(order.tie[place]),
        scores={name: score.value for name, score in each.views[view].items()} | dict(each.extra),
        view=view,
        prior=float(prior.values[place]),
    )


def _failed(each: Looked) -> Ranked:
    return Ranked(each.name, costs=each.costs, similarity=each.similarity, licence=each.licence, error=each.error)


def _signal(fine: Sequence[Looked]) -> Signal:
    """Compare the largest score with the largest under each permutation of the labels (a max statistic)."""
    null = np.stack([each.null for each in fine])  # (C, 1 + P); the first is the truth
    largest = null.max(axis=0)
    p_value = float((largest >= largest[0]).mean())
    return Signal(p_value, p_value < SIGNAL_BELOW)


def _notes(fine: Sequence[Looked], order: Order, prior: Prior, signal: Signal, *, speech: bool) -> list[str]:
    notes = [f"{each.name}: {'; '.join(each.remarks)}." for each in fine if each.remarks]
    if not signal.detected:
        how = "with labels permuted, scores are as high"
        if speech:
            how = "by chance, a probe hears as much more than a model that hears nothing"
        notes.append(
            f"No detectable signal: {how} with probability {signal.p_value:.2f}. "
            "The order below is chance; more labels, or checking the labels, would help."
        )
    known = [each.similarity for each in fine if each.similarity is not None and each.similarity.far is not None]
    if known and all(each.far for each in known):
        notes.append(f"Warning: the data is far from what every candidate was trained on. {known[0].sentence}")
    if len(fine) >= FEW_TO_AGREE and _agreement(prior.values, order.measured) < 0:
        notes.append(f"The prior ({prior.what}) and the data disagree on the order; the single scores show both.")
    return notes


def _agreement(prior: NDArray[Any], measured: NDArray[Any]) -> float:
    """Kendall's tau; 0 where the prior is alike for all."""
    if np.ptp(prior) == 0:
        return 0.0
    from scipy import stats  # takes seconds, and only rankings of several need it

    return float(np.nan_to_num(stats.kendalltau(prior, measured).statistic))
