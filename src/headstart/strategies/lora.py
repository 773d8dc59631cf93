"""LoRA: low-rank adapters beside the frozen layers above the cut, merged into the plain weights for shipping."""

from dataclasses import dataclass, replace
from typing import final

from headstart.backbones import Backbone, with_lora
from headstart.model import Head
from headstart.strategies._base import Run
from headstart.strategies._head import LinearHead
from headstart.strategies._tuning import Last, Material, Tuning, fit_probe
from headstart.strategies.finetune import FineTune, head_group, in_backbone, in_target_scale, train_head_and_blocks
from headstart.training import Group

SMALL = 100_000_000  # parameters below which adapters save no time worth having


@final
@dataclass(frozen=True)
class LoRA(Tuning):
    """Trains low-rank adapters and the head; see `headstart.backbones.with_lora` for the layers adapted.

    Attributes:
        last: How many blocks get adapters; ``auto`` takes half of a text network and a fifth of an image network.
        rank: Inner dimension of the adapters.
        alpha: The adapters' product is scaled by ``alpha / rank``.
        rate: Learning rate (AdamW), about ten times that of the full weights.
        steps: Batches; 0 stands for ten epochs, at least 30 and at most 600 batches.
        batch: Examples per batch.
        views: Views of each image that are stored at the cut.
        smoothing: Label smoothing.
    """

    last: Last = "auto"
    rank: int = 8
    alpha: int = 16
    rate: float = 1e-3
    steps: int = 0
    batch: int = 32
    views: int = 2
    smoothing: float = 0.1

    def work(self, n: int) -> tuple[int, int]:
        """Return steps and examples per step for n examples."""
        return self._as_finetune().work(n)

    def learn(self, material: Material, *, run: Run) -> tuple[Backbone, Head, dict[str, str | float]]:
        """Train adapters from the probe's head, then fold them into the weights.

        Args:
            material: The copy and the examples.
            run: Seed, deadline and metric.

        Returns:
            The merged network, the head, and what was done.
        """
        thawed = material.thawed
        size = sum(parameter.numel() for parameter in thawed.backbone.network.parameters())
        if size < SMALL:
            run.say(
                f"LoRA trains fewer weights, but a network of {size / 1e6:.0f} million trains no faster by it; "
                "finetune() usually reaches more in the same time."
            )
        adapted = with_lora(thawed.backbone, after=thawed.cut, rank=self.rank, alpha=self.alpha, seed=run.seed)
        head = LinearHead(in_target_scale(fit_probe(material, material.X, run=run), material), material.X)
        head = head.to(adapted.backbone.device)
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
        )
