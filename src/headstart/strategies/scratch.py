"""Training from scratch: the same network from random weights, to show what the head start was worth."""

from dataclasses import dataclass
from typing import ClassVar, final

import numpy as np

from headstart.backbones import Backbone, Flips, from_scratch
from headstart.features import Precision
from headstart.model import Head
from headstart.strategies._base import Run
from headstart.strategies._tuning import Last, Material
from headstart.strategies.finetune import (
    SMOOTHING,
    ByLoss,
    FineTune,
    blank_head,
    head_group,
    holding_out,
    in_backbone,
    layers_after,
    train_head_and_blocks,
)
from headstart.training import layer_wise


@final
@dataclass(frozen=True)
class Scratch(ByLoss):
    """Trains the whole network from random weights.

    Attributes:
        rate: Learning rate of every layer (AdamW, cosine, a tenth of the steps to warm up).
        steps: Batches; 0 stands for thirty epochs, at least 60 and at most 2,000 batches.
        batch: Examples per batch.
        views: Views of each image or recording: the plain one and light random crops and flips, or noise, gain and
            masks.
        smoothing: Label smoothing of classes and labels; values have none.
        flips: Whether half of the other views are mirrored; ``off`` where left and right mean something.
        patience: Stop after so many checks without improvement on held-out examples, as in `FineTune`; 0 takes all
            steps, on all examples.
    """

    rate: float = 1e-3
    steps: int = 0
    batch: int = 32
    views: int = 4
    smoothing: float = SMOOTHING
    flips: Flips = "on"
    patience: int = 0
    from_probe: ClassVar[bool] = False

    @property
    def last(self) -> Last:  # type: ignore[override]  # not a setting here
        """All of it."""
        return "all"

    @property
    def activations(self) -> Precision:  # type: ignore[override]  # not a setting here
        """Nothing is stored."""
        return "float32"

    def work(self, n: int, *, classes: int = 2) -> tuple[int, int]:
        """Return steps and examples per step for n examples, of however many classes."""
        del classes
        return self.steps or int(np.clip(30 * n / self.batch, 60, 2000)), min(self.batch, n)

    def start_from(self, backbone: Backbone, *, run: Run) -> Backbone:
        """Return the network with random weights."""
        return from_scratch(backbone, seed=run.seed)

    def learn(self, material: Material, *, run: Run) -> tuple[Backbone, Head, dict[str, str | float]]:
        """Train every layer at one rate, BatchNorm statistics included, from a head of zeros.

        Transcripts are decoded as is usual: a probe of random features could not tell what suits.

        Args:
            material: The copy and the examples.
            run: Seed, deadline and metric.

        Returns:
            The trained network, the head, and steps, rate and final loss.
        """
        material = holding_out(material, self.patience, run=run)
        head = blank_head(material)
        blocks = layer_wise(layers_after(material.thawed), decay=1.0, weight_decay=0.05)
        groups = [*(in_backbone(group) for group in blocks), head_group(head)]
        fitted, facts = train_head_and_blocks(self._as_finetune(len(material.inside)), material, head, groups, run=run)
        return material.thawed.backbone, fitted, facts

    def _as_finetune(self, n: int) -> FineTune:
        return FineTune(
            last="all",
            rate=self.rate,
            steps=self.work(n)[0],
            batch=self.batch,
            views=self.views,
            smoothing=self.smoothing,
            batch_norm="trained",
            flips=self.flips,
            patience=self.patience,
        )
