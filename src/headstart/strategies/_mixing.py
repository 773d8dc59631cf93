"""Judging a trained network on a target without labels: do its answers hold between the examples?"""

from dataclasses import replace
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from headstart.backbones import Backbone, Batch
from headstart.data import Dataset
from headstart.linear import LinearModel
from headstart.strategies._base import Run
from headstart.strategies._thawed import ROWS_AT_ONCE, Thawed, boundary_once
from headstart.strategies._tuning import Tuned

SHARE: Final = 0.55  # of the first of two that are mixed


def mixed_agreement(tuned: Tuned, target: Dataset, answers: NDArray[np.intp], *, run: Run) -> float:
    """Return how often a mix of two examples with different answers is answered as the one it has more of.

    The inter-cluster score of MixVal (Hu et al., Mixed samples as probes for unsupervised model selection in domain
    adaptation, 2023, section 4), which chose best on public results among six scores. Mixed are activations at the
    cut, not pixels; of items of different lengths (texts, sounds) features, because their tokens do not lie on one
    another.

    Args:
        tuned: The model.
        target: M examples.
        answers: (M,) class numbers that the model gives them.
        run: The store and the seed.

    Returns:
        A share; NaN where all answers are one class.
    """
    pairs = _pairs(answers, run.seed)
    if not len(pairs):
        return float("nan")
    head, backbone = tuned.model.head, tuned.model.backbone
    assert isinstance(head, LinearModel)
    views = boundary_once(run, tuned.start, target, cut=tuned.cut, precision=tuned.precision)
    thawed, right = Thawed(backbone, tuned.cut, views), 0
    for start in range(0, len(pairs), ROWS_AT_ONCE):
        few = pairs[start : start + ROWS_AT_ONCE]
        with torch.no_grad():
            features = _mixed(thawed, few).float().cpu().numpy()
        right += int((head.outputs(features).argmax(axis=1) == answers[few[:, 0]]).sum())
    return right / len(pairs)


def _pairs(answers: NDArray[np.intp], seed: int) -> NDArray[np.intp]:
    """Pair every example with a random other; kept are (P, 2) pairs of different answers."""
    others = np.random.default_rng(seed).permutation(len(answers))
    pairs = np.stack([np.arange(len(answers)), others], axis=1)
    return np.asarray(pairs[answers[pairs[:, 0]] != answers[pairs[:, 1]]])


def _mixed(thawed: Thawed, pairs: NDArray[np.intp]) -> Tensor:
    """Return features (P, D) of mixes of pairs (P, 2)."""
    sides = (pairs[:, 0], pairs[:, 1])
    if thawed.backbone.modality != "image":
        first, second = (thawed.features(rows) for rows in sides)
        return SHARE * first + (1 - SHARE) * second
    one, other = (thawed.views.batch(rows) for rows in sides)
    return _after(thawed.backbone, thawed.cut, replace(one, values=SHARE * one.values + (1 - SHARE) * other.values))


def _after(backbone: Backbone, cut: str | None, batch: Batch) -> Tensor:
    return backbone.forward(batch) if cut is None else backbone.forward_from(batch, cut)


def information(probabilities: NDArray[np.floating]) -> float:
    """Return how sure and how different answers are: the entropy of their mean less their mean entropy, in nats.

    Args:
        probabilities: (M, C).

    Returns:
        From 0 to log C.
    """
    p = np.asarray(probabilities, dtype=np.float64)
    return _entropy(p.mean(axis=0, keepdims=True)) - _entropy(p)


def _entropy(p: NDArray[np.float64]) -> float:
    return float(-(p * np.log(np.maximum(p, 1e-300))).sum(axis=1).mean())
