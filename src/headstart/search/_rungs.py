"""Which rungs there are above the probe, in which order, and what is known of them from other data."""

from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from headstart.backbones import Backbone
from headstart.search._judging import NOTHING_KNOWN, Prior
from headstart.search._problem import Problem
from headstart.strategies import Contrastive, FineTune, Probe, Strategy, finetuning

FEWEST: Final = 16  # labels per class up to which contrastive tuning moves all layers, at a small rate
STEPS_PER_CLASS: Final = 10  # two classes with so few labels are learnt in half the steps that four take
FEW: Final = 64  # labels per class up to which contrastive tuning of texts has a prior
# Views for the probe; of sounds, two save nothing that a temperature would not. benchmarks/LOG.md has the runs.
VIEWS: Final = {"image": 2, "audio": 4}
# Gain in loss per item of contrastive tuning over the probe on other data sets; benchmarks/LOG.md has the runs.
CONTRASTIVE_WITH_FEW: Final = Prior(0.05, 0.06, confidence=0.5)
# Gain in entity F1 of fine-tuning over the probe on other data sets; benchmarks/LOG.md has the runs.
FINETUNED_WORDS: Final = Prior(0.10, 0.07, confidence=0.5)


@dataclass(frozen=True)
class Step:
    """A rung that may be tried.

    Attributes:
        strategy: How the network is adapted.
        prior: What is known of its gain from other data.
        why: What the prior rests on, said where it decided.
    """

    strategy: Strategy
    prior: Prior = NOTHING_KNOWN
    why: str = ""


def steps_above(problem: Problem, backbone: Backbone) -> list[Step]:
    """List the rungs above the probe, cheapest first.

    Args:
        problem: Modality, task and effort decide.
        backbone: The network chosen.

    Returns:
        The rungs; none where the network has no cut points.
    """
    if not backbone.cuts:
        return []
    text, kind = backbone.modality == "text", problem.task.kind
    if text and kind == "classification":
        usual = [_contrastive(problem, backbone)]
    elif kind == "tagging":
        why = "one fold holds few entities, so its gain on other data sets counts too"
        usual = [Step(finetuning(backbone, problem.own_train), FINETUNED_WORDS, why)]
    elif text or kind == "transcription":
        usual = [Step(finetuning(backbone, problem.own_train))]
    else:
        usual = [Step(Probe(views=VIEWS[backbone.modality])), Step(finetuning(backbone, problem.own_train))]
    return usual if problem.effort == "usual" else [*usual, *_deeper(problem, backbone)]


def _deeper(problem: Problem, backbone: Backbone) -> list[Step]:
    """List what is only worth its time where time was given."""
    tuned = finetuning(backbone, problem.own_train)
    if backbone.modality == "audio":
        rate = 1e-4 if problem.task.kind == "transcription" else tuned.rate
        return [Step(replace(tuned, last="all", rate=rate, steps=2 * tuned.steps))]
    if backbone.modality == "image" and tuned.last == "all":  # nothing is left to thaw
        return [Step(replace(tuned, steps=2 * tuned.steps))]
    deepest = Step(FineTune(last="all", rate=1e-4, views=4, unfreezing="gradual"))
    if backbone.modality == "image":
        return [Step(FineTune(last=max(1, len(backbone.cuts) // 2), views=4)), deepest]
    if problem.task.kind == "classification":
        return [Step(Contrastive(last=max(1, len(backbone.cuts) - 1), rate=1e-4)), deepest]
    return [deepest]


def _contrastive(problem: Problem, backbone: Backbone) -> Step:
    """Contrastive tuning: of all layers at a small rate where labels are fewest, else of half of them."""
    counts = np.bincount(problem.y[problem.own(problem.plan.train)])
    per_class = float(np.median(counts[counts > 0]))
    strategy = Contrastive()
    if per_class <= FEWEST:
        steps = min(Contrastive.steps, STEPS_PER_CLASS * problem.task.n_outputs)
        strategy = Contrastive(last=max(1, len(backbone.cuts) - 1), rate=5e-5, steps=steps)
    if per_class > FEW:
        return Step(strategy)
    why = f"up to {FEW} labels per class show little by themselves, so its gain on other data sets counts too"
    return Step(strategy, CONTRASTIVE_WITH_FEW, why)
