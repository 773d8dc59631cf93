"""The new head of a network that trains: linear on standardised features, started from a probe, folded back at the end.

Standardising inside makes one learning rate fit every backbone. Features that hardly vary are left alone: some networks
have dead outputs near 1e-29, and dividing by their spread would send gradients of 1e29 back into the network.
"""

from typing import Any, Final, final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from headstart.linear import LINKS, LinearModel
from headstart.tasks import Kind

DEAD: Final = 1e-3  # times the root mean square spread of all features


@final
class LinearHead(nn.Module):
    """A linear layer on standardised features.

    Args:
        start: The probe it starts from, on raw features.
        X: (N, D) features it was fitted on, of words where the task is about words.
    """

    mean: Tensor
    scale: Tensor

    def __init__(self, start: LinearModel, X: NDArray[np.float32]) -> None:
        super().__init__()
        mean, spread = X.mean(axis=0, dtype=np.float64), X.std(axis=0, dtype=np.float64)
        typical = float(np.sqrt(np.square(spread).mean())) or 1.0
        dead = spread < DEAD * typical
        scale = np.where(dead, typical, spread).astype(np.float32)
        weights = np.where(dead, 0, start.weights) * scale
        bias = start.bias + start.weights @ mean  # dead features count as their mean
        self.register_buffer("mean", torch.from_numpy(mean.astype(np.float32)))
        self.register_buffer("scale", torch.from_numpy(scale))
        self.weight = nn.Parameter(torch.from_numpy(weights.astype(np.float32)))
        self.bias = nn.Parameter(torch.from_numpy(bias.astype(np.float32)))

    def forward(self, features: Tensor) -> Tensor:
        """Map (N, D) raw features to (N, K) scores, in float32 also under mixed precision."""
        with torch.autocast(features.device.type, enabled=False):
            return functional.linear(self.standardised(features), self.weight, self.bias)

    def standardised(self, features: Tensor) -> Tensor:
        """Return (N, D) raw features as the layer takes them, in float32 also under mixed precision."""
        with torch.autocast(features.device.type, enabled=False):
            standard: Tensor = (features.float() - self.mean) / self.scale
        return standard

    def fold(self, kind: Kind) -> LinearModel:
        """Return the same head for raw features, as arrays."""
        with torch.no_grad():
            weights = self.weight / self.scale
            bias = self.bias - weights @ self.mean
        return LinearModel(weights.cpu().numpy(), bias.cpu().numpy(), link=LINKS[kind])


def task_loss(
    scores: Tensor, target: Tensor, kind: Kind, *, smoothing: float = 0.0, weights: Tensor | None = None
) -> Tensor:
    """Return the mean loss of a batch.

    Args:
        scores: (N, K) outputs of the head, before any link.
        target: (N,) numbers of classes or tags, (N, K) indicators or (N,) standardised values.
        kind: Which of these.
        smoothing: Label smoothing: of a class it spreads this share over all classes, of a label over yes and no;
            values have none.
        weights: (K,) weights of the classes, or (2, K) of each label's absence and presence; values have none.

    Returns:
        Cross entropy, mean binary cross entropy, or mean squared error.
    """
    if kind in ("classification", "tagging"):
        return functional.cross_entropy(scores, target, weight=weights, label_smoothing=smoothing)
    if kind == "multilabel":
        each = None if weights is None else torch.where(target > 0.5, weights[1], weights[0])
        smoothed = target * (1 - smoothing) + smoothing / 2
        return functional.binary_cross_entropy_with_logits(scores, smoothed, weight=each)
    return functional.mse_loss(scores[:, 0], target)


def balanced_weights(y: NDArray[Any], n_classes: int) -> Tensor:
    """Return weights under which all classes present weigh alike, or each label's presence and absence.

    Args:
        y: (N,) class numbers or (N, C) indicators.
        n_classes: C.

    Returns:
        (C,) weights of classes, or (2, C) of labels that are absent and present. Their mean over examples is 1; a
        label that all examples have, or none, weighs 1.
    """
    ones = y.sum(axis=0) if y.ndim == 2 else None
    counts = np.bincount(y, minlength=n_classes) if ones is None else np.stack([len(y) - ones, ones])
    present = np.count_nonzero(counts, axis=0)
    return torch.from_numpy((len(y) / (present * np.maximum(counts, 1))).astype(np.float32))
