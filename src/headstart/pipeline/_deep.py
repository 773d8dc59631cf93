"""Ways to adapt that train the last blocks, as candidates: which can, and which may be chosen."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final, get_args

import numpy as np
import numpy.typing as npt

from headstart.domain_adaptation import CLUSTERED, clustering
from headstart.errors import BackboneError, OptionError
from headstart.linear import LinearModel
from headstart.pipeline._domains import Domains, Under
from headstart.pipeline._values import plain
from headstart.strategies import DeepAdaptation, DeepMethod, Run, Tuned, information, mixed_agreement
from headstart.tasks import Task

DEEP: Final[tuple[DeepMethod, ...]] = get_args(DeepMethod)
TARGET_ALONE: Final = ("shot", "tent")  # they follow the target's clusters, whatever these are
OF_TARGET: Final = (*TARGET_ALONE, "adabn")  # what they ship is no longer for the source
NOISE: Final = 1.645  # standard errors: one side of 95 %


@dataclass
class Trained:
    """Networks that were trained for the target.

    Attributes:
        tuned: By the name of the way.
        outputs: Their probabilities on the target, (M, C).
        scores: Information of the answers and MixVal, without labels.
        left_out: Why a way is no candidate.
    """

    tuned: dict[str, Tuned] = field(default_factory=dict)
    outputs: dict[str, npt.NDArray[np.float64]] = field(default_factory=dict)
    scores: dict[str, dict[str, Any]] = field(default_factory=dict)
    left_out: dict[str, str] = field(default_factory=dict)

    @property
    def heads(self) -> dict[str, tuple[LinearModel, npt.NDArray[np.float64]]]:
        """Heads and probabilities of those that are candidates."""
        found = {}
        for name, tuned in self.tuned.items():
            head = tuned.model.head
            assert isinstance(head, LinearModel)
            if name not in self.left_out:
                found[name] = (head, self.outputs[name])
        return found


def deep_among(methods: Sequence[str], task: Task) -> list[DeepMethod]:
    """Return the ways that train, once they can learn the task.

    Args:
        methods: Names.
        task: What is to be learnt.

    Returns:
        Those that train.

    Raises:
        OptionError: They cannot.
    """
    found = [name for name in DEEP if name in methods]
    for name in found:
        DeepAdaptation(method=name).check_task(task)
    return found


def train_deep(
    methods: Sequence[DeepMethod], domains: Domains, under: Under, task: Task, *, alone: bool, run: Run
) -> Trained:
    """Train every way that can, and say which may be chosen.

    Args:
        methods: Ways.
        domains: Source and target.
        under: The frozen network.
        task: What the source's labels mean.
        alone: Whether the way is applied whatever is known of it.
        run: The store and the seed.

    Returns:
        The networks.

    Raises:
        BackboneError: The network has no cut points.
        OptionError: The way that is alone cannot train the network.
    """
    found = Trained()
    for strategy in _able(methods, under, found, alone=alone, run=run):
        name = strategy.method
        tuned = strategy.tune(under.backbone, domains.source, task, run=run, target=domains.target)
        outputs = tuned.outputs(domains.target, run=run)
        mixed = mixed_agreement(tuned, domains.target, outputs.argmax(axis=1), run=run)
        found.tuned[name], found.outputs[name] = tuned, outputs
        found.scores[name] = {"information": information(outputs), "mixval": plain(mixed)}
        if why := "" if alone else _strayed(name, tuned, domains, under, run):
            found.left_out[name] = why
            run.say(f"No candidate: {name}, {why}.")
    return found


def _able(
    methods: Sequence[DeepMethod], under: Under, found: Trained, *, alone: bool, run: Run
) -> list[DeepAdaptation]:
    """Return the ways that can train this network, before one of them takes minutes."""
    able = []
    held = clustering(under.pair) if not alone and set(methods) & set(TARGET_ALONE) else 1.0
    for strategy in (DeepAdaptation(method=name) for name in methods):
        try:
            strategy.check_network(under.backbone)
        except (BackboneError, OptionError) as error:
            if alone:
                raise
            found.left_out[strategy.method] = error.problem
        if strategy.method in TARGET_ALONE and held < CLUSTERED:
            why = f"classes are no clusters in the source ({held:.2f} of 1, {CLUSTERED} wanted): it would make some"
            found.left_out[strategy.method] = why
        if strategy.method in found.left_out:
            run.say(f"Left out: {strategy.method}, {found.left_out[strategy.method]}.")
        else:
            able.append(strategy)
    return able


def _strayed(name: str, tuned: Tuned, domains: Domains, under: Under, run: Run) -> str:
    """Say that a network no longer answers the source, on which it was trained beside the target."""
    if name in OF_TARGET:
        return ""
    y, usual = under.pair.y, under.score
    right = float((tuned.outputs(domains.source, run=run).argmax(axis=1) == y).mean())
    if right >= usual - NOISE * math.sqrt(usual * (1 - usual) / len(y)):
        return ""
    return f"it is right on {right:.1%} of the source it learnt from, the head as it is on {usual:.1%} of held-out ones"
