"""Judging a trained network on a target without labels: do its answers hold between the examples?"""

from dataclasses import replace
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray

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
    head = tuned.model.head
    assert isinstance(head, LinearModel)
    if tuned.start.modality == "image":
        features = _of_mixes(tuned, target, pairs, run)
    else:
        rows = tuned.features(target, run=run)
        features = SHARE * rows[pairs[:, 0]] + (1 - SHARE) * rows[pairs[:, 1]]
    return float((head.outputs(features).argmax(axis=1) == answers[pairs[:, 0]]).mean())


def _pairs(answers: NDArray[np.intp], seed: int) -> NDArray[np.intp]:
    """Pair every example with a random other; kept are (P, 2) pairs of different answers."""
    others = np.random.default_rng(seed).permutation(len(answers))
    pairs = np.stack([np.arange(len(answers)), others], axis=1)
    return np.asarray(pairs[answers[pairs[:, 0]] != answers[pairs[:, 1]]])


def _of_mixes(tuned: Tuned, target: Dataset, pairs: NDArray[np.intp], run: Run) -> NDArray[np.float32]:
    """Return features (P, D) of mixed activations of pairs (P, 2)."""
    views = boundary_once(run, tuned.start, target, cut=tuned.cut, precision=tuned.precision)
    thawed, found = Thawed(tuned.model.backbone, tuned.cut, views), []
    for start in range(0, len(pairs), ROWS_AT_ONCE):
        one, other = (views.batch(rows) for rows in pairs[start : start + ROWS_AT_ONCE].T)
        with torch.no_grad():
            mix = thawed.forward(replace(one, values=SHARE * one.values + (1 - SHARE) * other.values))
        found.append(mix.float().cpu().numpy())
    return np.concatenate(found)


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
