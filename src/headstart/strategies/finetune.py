"""Fine-tuning: the last blocks, or all of them, from the probe's head, on stored activations at the cut.

Probe first, then fine-tune (Kumar et al., ICLR 2022): a head that already fits sends useful gradients into the network
from the first step, so that pretrained features are not torn up while a random head settles. Rates fall towards the
input (Howard and Ruder, ACL 2018). BatchNorm statistics and dropout stay frozen unless asked, which is also what makes
training from stored activations equal to training with the frozen part live.
"""

from dataclasses import dataclass, replace
from typing import Any, Literal, final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from headstart.backbones import Backbone
from headstart.linear import LinearModel, TargetScale
from headstart.model import Head
from headstart.strategies._base import Run, class_weight_for
from headstart.strategies._head import LinearHead, balanced_weights, task_loss
from headstart.strategies._thawed import Thawed, rows_and_views
from headstart.strategies._tuning import (
    Last,
    Material,
    Tuning,
    auto_precision,
    fit_probe,
    train_thawed,
)
from headstart.training import Group, Layer, Settings, epochs, layer_wise, layers_of


@final
@dataclass(frozen=True)
class FineTune(Tuning):
    """Trains the last blocks and the head.

    Attributes:
        last: How many blocks; ``auto`` takes half of a text network and a fifth of an image network, ``all`` trains
            everything.
        rate: Learning rate of the head and the last block (AdamW).
        steps: Batches; 0 stands for ten epochs, at least 30 and at most 600 batches.
        batch: Examples per batch.
        decay: Rate of a block over that of the next one.
        unfreezing: ``gradual`` thaws one block after another from the top over the first half of the steps.
        pull: L2-SP: strength with which weights are held at their pretrained values.
        views: Views of each image that are stored at the cut: the plain one and light random crops and flips.
        smoothing: Label smoothing.
        average: Decay of the moving average of the weights that is kept; 0 keeps the last weights.
        batch_norm: ``trained`` lets BatchNorm statistics move.
    """

    last: Last = "auto"
    rate: float = 3e-4
    steps: int = 0
    batch: int = 32
    decay: float = 0.8
    unfreezing: Literal["none", "gradual"] = "none"
    pull: float = 0.0
    views: int = 2
    smoothing: float = 0.1
    average: float = 0.0
    batch_norm: Literal["frozen", "trained"] = "frozen"

    def learn(self, material: Material, *, run: Run) -> tuple[Backbone, Head, dict[str, str | float]]:
        """Train block by block rates from the probe's head.

        Args:
            material: The copy and the examples.
            run: Seed, deadline and metric.

        Returns:
            The trained network, the head, and steps, rate and final loss.
        """
        probe = fit_probe(material, material.X, run=run)
        head = LinearHead(in_target_scale(probe, material), material.X).to(material.thawed.backbone.device)
        fitted, facts = train_head_and_blocks(self, material, head, self.groups(material, head), run=run)
        return material.thawed.backbone, fitted, facts

    def groups(self, material: Material, head: LinearHead) -> list[Group]:
        """Return what trains and at which rates, input to output, the head last."""
        layers = layers_after(material.thawed)
        thaw = 0.5 if self.unfreezing == "gradual" else 0.0
        blocks = layer_wise(layers, decay=self.decay, weight_decay=0.01, pull=self.pull, unfreezing=thaw)
        return [*(in_backbone(group) for group in blocks), head_group(head)]

    def work(self, n: int) -> tuple[int, int]:
        """Return steps and examples per step for n examples."""
        return self.steps or int(np.clip(10 * n / self.batch, 30, 600)), min(self.batch, n)

    def settings(self, n: int, *, seed: int, device: torch.device) -> Settings:
        """Return the settings of the loop for n examples."""
        return Settings(
            steps=self.work(n)[0],
            rate=self.rate,
            average=self.average or None,
            precision=auto_precision(device),
            seed=seed,
        )


class Both(nn.Module):
    """Backbone and head as one module, for the training loop."""

    def __init__(self, backbone: nn.Module, head: nn.Module) -> None:
        super().__init__()
        self.backbone = backbone
        self.head = head


def train_head_and_blocks(
    strategy: FineTune, material: Material, head: LinearHead, groups: list[Group], *, run: Run
) -> tuple[Head, dict[str, str | float]]:
    """Train by the task's loss; what fine-tuning, LoRA and training from scratch share.

    Args:
        strategy: Its batch size, smoothing, views and settings.
        material: The copy and the examples.
        head: The head to start from.
        groups: What trains.
        run: Seed, deadline and metric.

    Returns:
        The head for raw features, and steps, rate and final loss.
    """
    thawed, n = material.thawed, len(material.y)
    backbone = thawed.backbone
    settings = strategy.settings(n, seed=run.seed, device=backbone.device)
    batches = epochs(n, min(strategy.batch, n), run.seed)
    views = len(thawed.views.sources)
    target = tensor_of(material).to(backbone.device)
    weights = _weights(material, run)
    weights = None if weights is None else weights.to(backbone.device)

    def loss(step: int) -> Tensor:
        items = batches.rows(step)
        rows = rows_and_views(items, views, n, seed=run.seed, step=step)
        scores = head(thawed.features(rows))
        chosen = target[torch.from_numpy(items).to(target.device)]
        return task_loss(scores, chosen, material.task.kind, smoothing=strategy.smoothing, weights=weights)

    backbone.network.train(mode=False)
    if strategy.batch_norm == "trained":
        _train_batch_norm(backbone)
    trained = train_thawed(
        strategy, material, loss, groups, module=Both(backbone.network, head), settings=settings, run=run
    )
    backbone.network.eval()
    facts: dict[str, str | float] = {
        "steps": trained.steps,
        "rate": strategy.rate,
        "training_loss": float(trained.losses[-1]),
    }
    return out_of_target_scale(head.cpu().fold(material.task.kind), material), facts


def layers_after(thawed: Thawed) -> list[Layer]:
    """Return the blocks after the cut and the tail, input to output, with full parameter names in the network.

    Without a cut, what is in no block (a ViT's position embeddings) trains with the first.
    """
    backbone, cut = thawed.backbone, thawed.cut
    parts = [(block.name, block.modules) for block in backbone.after(cut)]
    layers = layers_of(backbone.network, [*parts, ("the network's tail", backbone.tail_modules)])
    if cut is not None:
        return layers
    known = {name for _, parameters in layers for name in parameters}
    loose = {name: p for name, p in backbone.network.named_parameters() if name not in known}
    name, first = layers[0] if layers else ("the network", {})
    return [(name, {**loose, **first}), *layers[1:]]


def head_group(head: LinearHead) -> Group:
    """Return the group of the head's parameters, at the base rate."""
    return Group("head", {f"head.{name}": p for name, p in head.named_parameters()}, weight_decay=0.01)


def in_backbone(group: Group) -> Group:
    """Return a group named as `Both` names its parts; a network's own block may be called head."""
    parameters = {f"backbone.{name}": p for name, p in group.parameters.items()}
    return replace(group, name=f"backbone.{group.name}", parameters=parameters)


def _train_batch_norm(backbone: Backbone) -> None:
    for module in backbone.network.modules():
        if isinstance(module, nn.modules.batchnorm._BatchNorm):
            module.train()


def _weights(material: Material, run: Run) -> Tensor | None:
    if class_weight_for(run.metric) == "none" or material.task.kind != "classification":
        return None
    return balanced_weights(material.y, material.task.n_outputs)


def tensor_of(material: Material) -> Tensor:
    """Return the labels as the loss takes them; values are standardised."""
    y: NDArray[Any] = material.y
    if material.task.kind == "classification":
        return torch.from_numpy(y.astype(np.int64))
    if material.task.kind == "regression":
        y = TargetScale.of(y).standardised(y)
    return torch.from_numpy(y.astype(np.float32))


def in_target_scale(probe: LinearModel, material: Material) -> LinearModel:
    """Return a probe of values as one of standardised values; other probes as they are."""
    if material.task.kind != "regression":
        return probe
    scale = TargetScale.of(material.y)
    return LinearModel(
        (probe.weights / scale.deviation).astype(np.float32),
        ((probe.bias - scale.mean) / scale.deviation).astype(np.float32),
        link=probe.link,
    )


def out_of_target_scale(head: LinearModel, material: Material) -> LinearModel:
    """Undo `in_target_scale`."""
    return TargetScale.of(material.y).undo(head) if material.task.kind == "regression" else head
