"""Adapting to a target without labels once both domains are read: networks, candidates, the choice, the model."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Final, TypeAlias

import numpy as np
import numpy.typing as npt

from headstart.backbones import Backbone
from headstart.domain_adaptation import (
    METHODS,
    Asked,
    Candidate,
    Decision,
    Pair,
    after_asking,
    automatic,
    candidates,
    decide,
    joined,
)
from headstart.errors import OptionError
from headstart.model import AdaptedModel
from headstart.pipeline._deep import DEEP, Trained, deep_among, train_deep
from headstart.pipeline._domains import Compared, Domains, Under, check_target, compare_domains, under
from headstart.strategies import Run
from headstart.tasks import Task
from headstart.transferability import text_similarity

Rows: TypeAlias = tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]
Features: TypeAlias = npt.NDArray[np.float32]

AUTO: Final = "auto"
KNOWN: Final = (AUTO, *METHODS, *DEEP)


@dataclass(frozen=True)
class Labelled:
    """Examples of the target with labels, by which the choice is checked.

    Attributes:
        rows: Positions in the target, (L,).
        y: Their class numbers, (L,).
    """

    rows: npt.NDArray[np.intp]
    y: npt.NDArray[np.intp]


@dataclass(frozen=True, eq=False)
class Adapted:
    """What adapting made of two domains.

    Attributes:
        best: The network that was taken, with the features of both domains.
        losses: Held-out loss on the source of every network.
        candidates: All heads that were looked at.
        decision: Which is taken, and why.
        compared: How far apart the domains lie.
        model: The model.
        trained: The networks that were trained for the target.
        asked: What labels of the target say, where some were given.
    """

    best: Under
    losses: Mapping[str, float]
    candidates: Sequence[Candidate]
    decision: Decision
    compared: Compared
    model: AdaptedModel
    trained: Trained
    asked: Asked | None = None

    def changed(self, candidate: Candidate) -> float:
        """Return the share of the target's answers that a candidate gives otherwise than the head as it is."""
        plain = self.candidates[0].predicted.argmax(axis=1)
        return float((candidate.predicted.argmax(axis=1) != plain).mean())

    def features(self, domains: Domains, rows: Rows, *, run: Run) -> tuple[Features, Features]:
        """Return some rows of both domains as the chosen head sees them.

        Args:
            domains: Both.
            rows: Which rows of the source and of the target.
            run: The store.

        Returns:
            Rows that stand for those of the source, and those of the target.
        """
        name, pair = self.decision.chosen.name, self.best.pair
        if name in self.trained.tuned:
            tuned, (here, there) = self.trained.tuned[name], rows
            source, target = domains.source.take(here), domains.target.take(there)
            return tuned.features(source, run=run), tuned.features(target, run=run)
        return METHODS[name]().rows(pair)[rows[0]], pair.target[rows[1]]


def check_methods(methods: Sequence[str]) -> None:
    """Refuse an unknown way before anything is read.

    Args:
        methods: Names, ``auto`` among them or not.

    Raises:
        OptionError: One is unknown, or there is none.
    """
    unknown = [name for name in methods if name not in KNOWN]
    if unknown or not methods:
        found = f"unknown method {unknown[0]!r}" if unknown else "expected a method, found none"
        raise OptionError(found, where="--method", fix=f"Known: {', '.join(KNOWN)}.")


def adapt_domains(
    domains: Domains,
    networks: Sequence[Backbone],
    task: Task,
    *,
    methods: Sequence[str],
    labelled: Labelled | None = None,
    run: Run,
) -> Adapted:
    """Adapt a head, and on request the last blocks, and choose.

    Args:
        domains: Source and target.
        networks: Frozen; the one with the lowest held-out loss on the source is taken.
        task: What the source's labels mean.
        methods: Names: one alone is applied whatever is known of it; among several, or with ``auto``, is chosen.
        labelled: Examples of the target with labels, for the choice alone.
        run: The store and the seed.

    Returns:
        The model, and how it was chosen.
    """
    check_target(domains.target)
    deep = deep_among(methods, task)
    seen = [under(domains, backbone, task, run=run) for backbone in networks]
    best = min(seen, key=lambda each: each.loss)
    alone = len(methods) == 1 and AUTO not in methods
    shallow = [*(automatic(best.pair) if AUTO in methods else ()), *(name for name in methods if name in METHODS)]
    found = candidates(best.pair, shallow, strength=best.strength)
    compared = compare_domains(domains, best, found[0].predicted, task)
    unread = "" if alone else _unread(best.backbone, domains, run.seed)
    choose = partial(_decide, best.pair, compared, task, alone=methods[0] if alone else None, unread=unread)
    decision, trained = choose(found), Trained()
    if deep and (alone or not decision.refused):
        trained = train_deep(deep, domains, best, task, alone=alone, run=run)
        found = joined(found, best.pair, trained.heads)
        decision = choose(found)
    asked = None
    if labelled is not None:
        decision, asked = after_asking(decision, found, labelled.rows, labelled.y, fixed=alone)
    model = _model(decision, best, trained, task)
    losses = {each.backbone.name: each.loss for each in seen}
    return Adapted(best, losses, found, decision, compared, model, trained, asked)


def _model(decision: Decision, best: Under, trained: Trained, task: Task) -> AdaptedModel:
    """Put the chosen head on its network."""
    name, strategy = decision.chosen.name, f"adapt(method={decision.chosen.name!r})"
    if name not in trained.tuned:
        return AdaptedModel(best.backbone, decision.chosen.head, task, best.view, strategy)
    return replace(trained.tuned[name].model, strategy=strategy)


def _decide(
    pair: Pair, compared: Compared, task: Task, found: Sequence[Candidate], *, alone: str | None, unread: str
) -> Decision:
    """Choose among candidates; a way that is alone is taken, once it is among them."""
    if alone is None:
        return decide(pair, found, compared.gap, classes=task.classes, unread=unread)
    chosen = next((each for each in found if each.name == alone), found[0])
    return Decision(chosen, refused=False, reason=f"{alone} was asked for (--method).")


def _unread(backbone: Backbone, domains: Domains, seed: int) -> str:
    """Say that a network of texts does not know the language of the target, where it knows that of the source."""
    if backbone.modality != "text":
        return ""
    source, target = (
        text_similarity(backbone, each.items, None, seed=seed) for each in (domains.source, domains.target)
    )
    if not target.far or source.far:
        return ""
    return f"The network does not know the target's language: {target.sentence}."
