"""Losses that pull a source and a target together, or make answers on a target sure: functions of one batch."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, final

import torch
from torch import Tensor, nn
from torch.nn import functional

TEMPERATURE: Final = 2.5  # of class confusion
WIDTHS: Final = (0.25, 0.5, 1.0, 2.0, 4.0)  # of the kernels, in mean squared distances
HIDDEN: Final = 256  # of the discriminator
MOST_PRODUCTS: Final = 4096  # of features and classes; above, random products of so many stand for them
TINY: Final = 1e-30  # below it a share has no logarithm
STEEPNESS: Final = 10.0  # with which the reversed gradient grows


@final
@dataclass(frozen=True)
class Seen:
    """What one step sees of both domains.

    Attributes:
        source: (b, D) standardised features.
        target: (m, D) of the target, standardised alike.
        source_scores: (b, C) outputs of the head.
        target_scores: (m, C) of the target.
        done: Share of the steps taken.
    """

    source: Tensor
    target: Tensor
    source_scores: Tensor
    target_scores: Tensor
    done: float


Alignment = Callable[[Seen], Tensor]


def covariance_distance(seen: Seen) -> Tensor:
    """Return how far the covariances of the scores lie apart.

    Sun & Saenko, Deep CORAL (2016), eq. 1, on the outputs of the last layer as there in section 4.1.

    Args:
        seen: At least two rows of both domains.

    Returns:
        Squared Frobenius distance of the covariances over 4 C^2.
    """
    gap: Tensor = torch.cov(seen.source_scores.T) - torch.cov(seen.target_scores.T)
    return gap.square().sum() / (4 * len(gap) ** 2)


def mean_discrepancy(seen: Seen) -> Tensor:
    """Return the squared maximum mean discrepancy of the features under several Gaussian kernels.

    Long et al., Learning transferable features with deep adaptation networks (2015), section 3, here on the features
    alone, with kernels around the mean squared distance of the batch, all of one weight.

    Args:
        seen: At least two rows of both domains.

    Returns:
        The biased estimate: it is never negative.
    """
    rows = torch.cat([seen.source, seen.target]).float()
    distances = torch.cdist(rows, rows, compute_mode="donot_use_mm_for_euclid_dist").square()
    typical = distances.detach().mean().clamp_min(1e-12)
    kernel = torch.stack([torch.exp(-distances / (typical * width)) for width in WIDTHS]).mean(dim=0)
    n = len(seen.source)
    return kernel[:n, :n].mean() + kernel[n:, n:].mean() - 2 * kernel[:n, n:].mean()


def class_confusion(seen: Seen) -> Tensor:
    """Return how much the target's answers confuse classes with each other.

    Jin et al., Minimum class confusion for versatile domain adaptation (2020), eq. 2 to 6: probabilities at a
    temperature, rows weighted by 1 + exp(-entropy), classes normalised.

    Args:
        seen: Both domains; the source is not looked at.

    Returns:
        The mean share, over classes, of what is confused with other classes.
    """
    cooled = seen.target_scores.float() / TEMPERATURE
    p, weights = functional.softmax(cooled, dim=1), 1 + torch.exp(-entropy(cooled.detach()))
    weights = weights * len(p) / weights.sum()
    together = (p * weights[:, None]).T @ p
    together = together / together.sum(dim=1, keepdim=True)
    confused: Tensor = together.sum() - together.trace()
    return confused / p.shape[1]


def entropy(scores: Tensor) -> Tensor:
    """Return the entropy (N,) in nats of the answers that scores (N, C) give; its gradient is finite for sure ones."""
    logs = functional.log_softmax(scores.float(), dim=1)
    each: Tensor = logs.exp() * logs
    return -each.sum(dim=1)


def unsure(scores: Tensor) -> Tensor:
    """Return the mean entropy of the answers that scores (N, C) give: what TENT minimises."""
    return entropy(scores).mean()


def uninformative(scores: Tensor) -> Tensor:
    """Return the mean entropy of answers less the entropy of their mean: low where they are sure and differ.

    Liang, Hu & Feng, Do we really need to access the source data? (2020), eq. 3.

    Args:
        scores: (N, C).

    Returns:
        Minus the mutual information of examples and answers.
    """
    mean = functional.softmax(scores.float(), dim=1).mean(dim=0)
    return entropy(scores).mean() + (mean * mean.clamp_min(TINY).log()).sum()


class _Reversed(torch.autograd.Function):
    """The identity, whose gradient is turned round."""

    @staticmethod
    def forward(context: torch.autograd.function.FunctionCtx, values: Tensor, strength: float) -> Tensor:
        context.strength = strength  # type: ignore[attr-defined]
        return values.view_as(values)

    @staticmethod
    def backward(context: torch.autograd.function.FunctionCtx, *gradients: Tensor) -> tuple[Tensor, None]:
        return -context.strength * gradients[0], None  # type: ignore[attr-defined]


@final
class Discriminator(nn.Module):
    """A small network that tells the domains apart, while what comes before it learns that it cannot.

    Ganin et al., Domain-adversarial training of neural networks (2016), with their growing weight of the reversed
    gradient; with ``classes`` it sees features times answers (Long et al., Conditional adversarial domain adaptation,
    2018, eq. 6; random products above 4,096, eq. 7), whose entropy does not weigh here.

    Args:
        features: D, width of the features.
        classes: C, where it sees the answers too, else 0.
        seed: Of its first weights and of the random products.
    """

    left: Tensor
    right: Tensor

    def __init__(self, features: int, *, classes: int, seed: int) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(seed)
        self._random = features * classes > MOST_PRODUCTS
        self._conditional = classes > 0
        if self._random:
            self.register_buffer("left", torch.randn(features, MOST_PRODUCTS, generator=generator))
            self.register_buffer("right", torch.randn(classes, MOST_PRODUCTS, generator=generator))
        width = MOST_PRODUCTS if self._random else features * max(1, classes)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.layers = nn.Sequential(nn.Linear(width, HIDDEN), nn.ReLU(), nn.Linear(HIDDEN, 1))

    def forward(self, seen: Seen) -> Tensor:
        """Return the loss of telling the domains apart; its gradient goes on reversed.

        Args:
            seen: Both domains.

        Returns:
            Mean binary cross entropy.
        """
        strength = float(2 * torch.sigmoid(torch.tensor(STEEPNESS * seen.done)) - 1)
        rows = torch.cat([seen.source, seen.target]).float()
        answers = functional.softmax(torch.cat([seen.source_scores, seen.target_scores]).float(), dim=1).detach()
        told = self.layers(_Reversed.apply(self._input(rows, answers), strength))[:, 0]
        domain = torch.cat([told.new_zeros(len(seen.source)), told.new_ones(len(seen.target))])
        return functional.binary_cross_entropy_with_logits(told, domain)

    def _input(self, rows: Tensor, answers: Tensor) -> Tensor:
        if not self._conditional:
            return rows
        if self._random:
            products: Tensor = (rows @ self.left) * (answers @ self.right)
            return products / math.sqrt(MOST_PRODUCTS)
        outer: Tensor = rows[:, :, None] * answers[:, None, :]
        return outer.flatten(1)
