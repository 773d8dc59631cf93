"""LoRA: low-rank adapters beside the frozen layers above the cut, merged into the plain weights for shipping."""

from dataclasses import dataclass, replace
from typing import final

from headstart.backbones import Backbone, Flips, with_lora
from headstart.features import Precision
from headstart.model import Head
from headstart.strategies._base import Run
from headstart.strategies._tuning import Last, Material
from headstart.strategies.finetune import (
    SMOOTHING,
    ByLoss,
    FineTune,
    head_group,
    holding_out,
    in_backbone,
    probed_head,
    train_head_and_blocks,
)
from headstart.training import Group

SMALL = 100_000_000  # parameters below which adapters save no time worth having


@final
@dataclass(frozen=True)
class LoRA(ByLoss):
    """Trains low-rank adapters and the head; see `headstart.backbones.with_lora` for the layers adapted.

    Attributes:
        last: How many blocks get adapters; ``auto`` takes half of a text network and a fifth of an image network.
        rank: Inner dimension of the adapters.
        alpha: The adapters' product is scaled by ``alpha / rank``.
        rate: Learning rate (AdamW), about ten times that of the full weights.
        steps: Batches; 0 stands for ten epochs, at least 30 and at most 600 batches.
        batch: Examples per batch.
        views: Views of each image or recording that are stored at the cut: the plain one and light random crops and
            flips, or noise, gain and masks.
        smoothing: Label smoothing of classes and labels; values have none.
        flips: Whether half of the other views are mirrored; ``off`` where left and right mean something.
        activations: Number type of what is stored at the cut; ``float16`` takes half the space, and its effect on the
            features is reported.
        patience: Stop after so many checks without improvement on held-out examples, as in `FineTune`; 0 takes all
            steps, on all examples.
    """

    last: Last = "auto"
    rank: int = 8
    alpha: int = 16
    rate: float = 1e-3
    steps: int = 0
    batch: int = 32
    views: int = 2
    smoothing: float = SMOOTHING
    flips: Flips = "on"
    activations: Precision = "float32"
    patience: int = 0

    def work(self, n: int, *, classes: int = 2) -> tuple[int, int]:
        """Return steps and examples per step for n examples, of however many classes."""
        return self._as_finetune().work(n, classes=classes)

    def learn(self, material: Material, *, run: Run) -> tuple[Backbone, Head, dict[str, str | float]]:
        """Train adapters from the probe's head, then fold them into the weights.

        Args:
            material: The copy and the examples.
            run: Seed, deadline and metric.

        Returns:
            The merged network, the head, and what was done.
        """
        material = holding_out(material, self.patience, run=run)
        thawed = material.thawed
        size = sum(parameter.numel() for parameter in thawed.backbone.network.parameters())
        if size < SMALL:
            run.say(
                f"LoRA trains fewer weights, but a network of fewer than {SMALL // 10**6} million trains no faster by "
                "it; finetune() usually reaches more in the same time."
            )
        adapted = with_lora(thawed.backbone, after=thawed.cut, rank=self.rank, alpha=self.alpha, seed=run.seed)
        head = probed_head(material, run=run)
        inner = replace(material, thawed=replace(thawed, backbone=adapted.backbone))
        groups = [in_backbone(Group("adapters", dict(adapted.parameters))), head_group(head)]
        fitted, facts = train_head_and_blocks(self._as_finetune(), inner, head, groups, run=run)
        return adapted.merge(), fitted, {**facts, "rank": self.rank}

    def _as_finetune(self) -> FineTune:
        return FineTune(
            last=self.last,
            rate=self.rate,
            steps=self.steps,
            batch=self.batch,
            views=self.views,
            smoothing=self.smoothing,
            flips=self.flips,
            activations=self.activations,
            patience=self.patience,
        )
