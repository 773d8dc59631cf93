"""Fine-tuning: the last blocks, or all of them, from the probe's head, on stored activations at the cut.

Probe first, then fine-tune (Kumar et al., ICLR 2022): a head that already fits sends useful gradients into the network
from the first step, so that pretrained features are not torn up while a random head settles. Rates fall towards the
input (Howard and Ruder, ACL 2018). BatchNorm statistics and dropout stay frozen unless asked, which is also what makes
training from stored activations equal to training with the frozen part live.
"""

from dataclasses import dataclass, replace
from typing import Any, Final, Literal, TypeAlias, final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from headstart.backbones import Backbone, Flips
from headstart.data import FOLDS, inner_folds
from headstart.errors import OptionError
from headstart.features import Precision
from headstart.linear import LINKS, FrameModel, LinearModel, TargetScale, settings_of
from headstart.model import Head
from headstart.strategies._base import Run, class_weight_for
from headstart.strategies._frame_head import FrameHead, SpeechObjective
from headstart.strategies._head import LinearHead, balanced_weights, task_loss
from headstart.strategies._precision import auto_precision
from headstart.strategies._speech import blank_speech_model, fit_speech_probe
from headstart.strategies._thawed import ROWS_AT_ONCE, Thawed, rows_and_views
from headstart.strategies._tuning import Last, Material, Tuning, fit_probe, train_thawed
from headstart.tasks import Task, Transcription, counts, flat, is_ragged, rows_of
from headstart.training import Group, Layer, Settings, epochs, layer_wise, layers_of

SMOOTHING: Final = 0.1
# Values and texts have nothing to spread over; nearly all words are outside of entities, and others would be drowned.
UNSMOOTHED: Final = ("regression", "tagging", "transcription")
CHECKS: Final = 10  # of the held-out loss, evenly over all steps

TrainedHead: TypeAlias = LinearHead | FrameHead


class ByLoss(Tuning):
    """A strategy that trains network and head by the task's loss: fine-tuning, LoRA, training from scratch."""

    smoothing: float
    patience: int

    def check_task(self, task: Task) -> None:
        """Refuse smoothing of what has no classes or labels, where it was asked for.

        Args:
            task: What is to be learnt.

        Raises:
            OptionError: The task is to learn values, tags or transcripts, and smoothing is neither 0 nor the default.
        """
        if task.kind in UNSMOOTHED and self.smoothing not in (0.0, SMOOTHING):
            raise OptionError(
                f"smoothing needs classes or labels, found {task.kind}", where=str(self), fix="Leave smoothing out."
            )

    def checked(self, n: int) -> int:
        """Return how many examples, over all checks of the held-out loss, training on n passes through the network."""
        return (CHECKS + 2) * -(-n // FOLDS) if self.patience else 0


@final
@dataclass(frozen=True)
class FineTune(ByLoss):
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
        views: Views of each image or recording that are stored at the cut: the plain one and light random crops and
            flips, or noise, gain and masks.
        smoothing: Label smoothing of classes and labels; values, tags and transcripts have none.
        average: Decay of the moving average of the weights that is kept; 0 keeps the last weights.
        batch_norm: ``trained`` lets BatchNorm statistics move.
        flips: Whether half of the other views are mirrored; ``off`` where left and right mean something.
        activations: Number type of what is stored at the cut; ``float16`` takes half the space, and its effect on the
            features is reported.
        patience: Stop after so many checks without improvement, and keep the best weights. The loss checked, after
            every tenth of the steps, is that of a fold (about a fifth of the examples) that is then not learnt from.
            0 takes all steps, on all examples.
    """

    last: Last = "auto"
    rate: float = 3e-4
    steps: int = 0
    batch: int = 32
    decay: float = 0.8
    unfreezing: Literal["none", "gradual"] = "none"
    pull: float = 0.0
    views: int = 2
    smoothing: float = SMOOTHING
    average: float = 0.0
    batch_norm: Literal["frozen", "trained"] = "frozen"
    flips: Flips = "on"
    activations: Precision = "float32"
    patience: int = 0

    def learn(self, material: Material, *, run: Run) -> tuple[Backbone, Head, dict[str, str | float]]:
        """Train block by block rates from the probe's head.

        Args:
            material: The copy and the examples.
            run: Seed, deadline and metric.

        Returns:
            The trained network, the head, and steps, rate and final loss.
        """
        material = holding_out(material, self.patience, run=run)
        head = probed_head(material, run=run)
        fitted, facts = train_head_and_blocks(self, material, head, self.groups(material, head), run=run)
        return material.thawed.backbone, fitted, facts

    def groups(self, material: Material, head: TrainedHead) -> list[Group]:
        """Return what trains and at which rates, input to output, the head last."""
        layers = layers_after(material.thawed)
        thaw = 0.5 if self.unfreezing == "gradual" else 0.0
        blocks = layer_wise(layers, decay=self.decay, weight_decay=0.01, pull=self.pull, unfreezing=thaw)
        return [*(in_backbone(group) for group in blocks), head_group(head)]

    def work(self, n: int, *, classes: int = 2) -> tuple[int, int]:
        """Return steps and examples per step for n examples, of however many classes."""
        del classes
        return self.steps or int(np.clip(10 * n / self.batch, 30, 600)), min(self.batch, n)

    def settings(self, n: int, *, seed: int, device: torch.device) -> Settings:
        """Return the settings of the loop for n examples."""
        steps = self.work(n)[0]
        return Settings(
            steps=steps,
            rate=self.rate,
            average=self.average or None,
            precision=auto_precision(device),
            patience=self.patience or None,
            check_every=max(1, steps // CHECKS),
            seed=seed,
        )


class Both(nn.Module):
    """Backbone and head as one module, for the training loop, and what else trains with them."""

    def __init__(self, backbone: nn.Module, head: nn.Module, alignment: nn.Module | None = None) -> None:
        super().__init__()
        self.backbone = backbone
        self.head = head
        self.alignment = alignment


@final
@dataclass(frozen=True)
class Objective:
    """The task's loss of rows of the views.

    Attributes:
        material: The copy and the examples.
        head: The head that trains with the copy.
        target: (n,) labels, of words where the task is about words, as `tensor_of` has them, on the copy's device.
        weights: Of classes or labels, or None.
    """

    material: Material
    head: LinearHead
    target: Tensor
    weights: Tensor | None

    @classmethod
    def of(cls, material: Material, head: LinearHead, *, run: Run) -> "Objective":
        """Weigh classes and labels as the run's metric does."""
        device, task = material.thawed.backbone.device, material.task
        weights = None
        if class_weight_for(run.metric) == "balanced" and task.kind != "regression":
            weights = balanced_weights(flat(material.y), task.n_outputs).to(device)
        return cls(material, head, tensor_of(material).to(device), weights)

    def scores(self, rows: NDArray[np.intp]) -> Tensor:
        """Return (b, K) scores of rows of the views, with gradient."""
        scores: Tensor = self.head(self.material.thawed.features(rows))
        return scores

    def of_rows(self, rows: NDArray[np.intp], items: NDArray[np.intp], *, smoothing: float = 0.0) -> Tensor:
        """Return the mean loss of items, with gradient, seen as these rows of the views."""
        return self.loss(self.scores(rows), items, smoothing=smoothing)

    def loss(self, scores: Tensor, items: NDArray[np.intp], *, smoothing: float = 0.0) -> Tensor:
        """Return the mean loss of items."""
        if is_ragged(self.material.y):
            items = rows_of(items, counts(self.material.y))
            if not len(items):  # documents without a word teach nothing
                return scores.sum()
        chosen = self.target[torch.from_numpy(items).to(self.target.device)]
        return task_loss(scores, chosen, self.material.task.kind, smoothing=smoothing, weights=self.weights)

    def held_out(self) -> float:
        """Measure the loss of the plain view of what is held out, without smoothing."""
        items = self.material.held_out
        with torch.no_grad():
            parts = [self.scores(items[at : at + ROWS_AT_ONCE]) for at in range(0, len(items), ROWS_AT_ONCE)]
            return float(self.loss(torch.cat(parts), items))


def train_head_and_blocks(
    strategy: FineTune, material: Material, head: TrainedHead, groups: list[Group], *, run: Run
) -> tuple[Head, dict[str, str | float]]:
    """Train by the task's loss; what fine-tuning, LoRA and training from scratch share.

    Args:
        strategy: Its batch size, smoothing, views and settings.
        material: The copy and the examples; what it holds out is not learnt from.
        head: The head to start from.
        groups: What trains.
        run: Seed, deadline and metric.

    Returns:
        The head for raw features, and steps, rate and final loss.
    """
    backbone, inside, n = material.thawed.backbone, material.inside, len(material.y)
    settings = strategy.settings(len(inside), seed=run.seed, device=backbone.device)
    batches = epochs(len(inside), min(strategy.batch, len(inside)), run.seed)
    views, objective = len(material.thawed.views.sources), objective_of(material, head, run=run)
    smoothing = 0.0 if material.task.kind in UNSMOOTHED else strategy.smoothing

    def loss(step: int) -> Tensor:
        items = inside[batches.rows(step)]
        rows = rows_and_views(items, views, n, seed=run.seed, step=step)
        return objective.of_rows(rows, items, smoothing=smoothing)

    def held_out() -> float:
        backbone.network.eval()
        value = objective.held_out()
        _set_modes(backbone, strategy)
        return value

    _set_modes(backbone, strategy)
    trained = train_thawed(
        strategy,
        material,
        loss,
        groups,
        module=Both(backbone.network, head),
        settings=settings,
        run=run,
        held_out=held_out if strategy.patience else None,
    )
    backbone.network.eval()
    facts: dict[str, str | float] = {
        "steps": trained.steps,
        "rate": strategy.rate,
        "training_loss": float(trained.losses[-1]),
    }
    if isinstance(head, FrameHead):
        facts |= settings_of(head.start.decoder)
    if strategy.patience:
        facts |= {"best step": trained.best_step, "held out": len(material.held_out)}
    return out_of_target_scale(head.cpu().fold(material.task.kind), material), facts


def holding_out(material: Material, patience: int, *, run: Run) -> Material:
    """Keep a grouped, stratified fold out of training, by which it stops early; nothing without patience."""
    if not patience:
        return material
    _, outside = inner_folds(material.train, material.y, seed=run.seed)[0]
    return replace(material, held_out=outside)


def probed_head(material: Material, *, run: Run) -> TrainedHead:
    """Return the head that training starts from: the probe of the features before training."""
    device = material.thawed.backbone.device
    if isinstance(material.task, Transcription):
        return FrameHead(fit_speech_probe(material, run=run)).to(device)
    probe = in_target_scale(fit_probe(material, material.X, run=run), material)
    return LinearHead(probe, flat(material.X[material.inside])).to(device)


def blank_head(material: Material) -> TrainedHead:
    """Return a head of zeros for the features before training."""
    task, device = material.task, material.thawed.backbone.device
    if isinstance(task, Transcription):
        return FrameHead(blank_speech_model(material)).to(device)
    rows = flat(material.X[material.inside])
    shape = (task.n_outputs, rows.shape[1])
    zeros = LinearModel(np.zeros(shape, np.float32), np.zeros(shape[0], np.float32), link=LINKS[task.kind])
    return LinearHead(zeros, rows).to(device)


def objective_of(material: Material, head: TrainedHead, *, run: Run) -> Objective | SpeechObjective:
    """Return the loss that trains a head."""
    if isinstance(head, FrameHead):
        return SpeechObjective.of(material, head)
    return Objective.of(material, head, run=run)


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


def head_group(head: TrainedHead) -> Group:
    """Return the group of the head's parameters, at the base rate."""
    return Group("head", {f"head.{name}": p for name, p in head.named_parameters()}, weight_decay=0.01)


def in_backbone(group: Group) -> Group:
    """Return a group named as `Both` names its parts; a network's own block may be called head."""
    parameters = {f"backbone.{name}": p for name, p in group.parameters.items()}
    return replace(group, name=f"backbone.{group.name}", parameters=parameters)


def _set_modes(backbone: Backbone, strategy: FineTune) -> None:
    """Have everything in evaluation mode, but BatchNorm where its statistics are to move."""
    backbone.network.eval()
    for module in backbone.network.modules() if strategy.batch_norm == "trained" else ():
        if isinstance(module, nn.modules.batchnorm._BatchNorm):
            module.train()


def tensor_of(material: Material) -> Tensor:
    """Return the labels as the loss takes them; values are standardised."""
    y: NDArray[Any] = flat(material.y)
    if material.task.kind in ("classification", "tagging"):
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


def out_of_target_scale(head: LinearModel | FrameModel, material: Material) -> LinearModel | FrameModel:
    """Undo `in_target_scale`."""
    if material.task.kind != "regression" or isinstance(head, FrameModel):
        return head
    return TargetScale.of(material.y).undo(head)
