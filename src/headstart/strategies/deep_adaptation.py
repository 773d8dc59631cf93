"""Adapting the last blocks to a target without labels, on stored activations of both domains, through the one loop.

All start as fine-tuning does, from the probe of the source, and end in a network and a linear head like any other.
Labels of the target are never looked at. Those that train on both domains at once add a loss of `_domain_losses` to
that of the source; the others first train on the source alone, and then look at the target alone (`_source_free`).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final, Literal, final

import numpy as np
import torch
from torch import Tensor, nn

from headstart.backbones import Backbone, Flips
from headstart.errors import OptionError
from headstart.features import Precision
from headstart.model import Head
from headstart.strategies._base import Run
from headstart.strategies._domain_losses import (
    Alignment,
    Discriminator,
    Seen,
    class_confusion,
    covariance_distance,
    mean_discrepancy,
)
from headstart.strategies._head import LinearHead
from headstart.strategies._looks import Looks
from headstart.strategies._precision import auto_precision
from headstart.strategies._source_free import NEEDS, check_layers, informed, made_sure, with_statistics
from headstart.strategies._thawed import ROWS_AT_ONCE, Thawed, rows_and_views
from headstart.strategies._tuning import Last, Material, Tuning, train_thawed
from headstart.strategies.finetune import (
    SMOOTHING,
    Both,
    Objective,
    head_group,
    in_backbone,
    layers_after,
    probed_head,
)
from headstart.tasks import Task
from headstart.training import Group, Settings, epochs, layer_wise

DeepMethod = Literal["finetune", "deep_coral", "mmd", "dann", "cdan", "mcc", "shot", "adabn", "tent"]
Facts = dict[str, str | float]

JOINT: Final[Mapping[str, Callable[[int, int, int], Alignment]]] = {
    "deep_coral": lambda _features, _classes, _seed: covariance_distance,
    "mmd": lambda _features, _classes, _seed: mean_discrepancy,
    "mcc": lambda _features, _classes, _seed: class_confusion,
    "dann": lambda features, _classes, seed: Discriminator(features, classes=0, seed=seed),
    "cdan": lambda features, classes, seed: Discriminator(features, classes=classes, seed=seed),
}
"""Ways that train on both domains at once, by width of the features, number of classes and seed."""

EPOCHS: Final = 5  # of the source; every step runs examples of the target too
STEPS: Final = (30, 300)
DISCRIMINATOR_RATE: Final = 3.0  # times that of the head: it has to keep up with what it judges


@final
@dataclass(frozen=True)
class DeepAdaptation(Tuning):
    """Trains the last blocks and the head for a target without labels.

    Attributes:
        method: ``finetune`` looks at the source alone; ``deep_coral``, ``mmd``, ``dann``, ``cdan`` and ``mcc`` add a
            loss that both domains share; ``shot`` and ``tent`` then go on with the target alone; ``adabn`` moves
            nothing but BatchNorm statistics.
        last: How many blocks; ``auto`` takes half of a text network and a fifth of an image network, ``all`` trains
            everything.
        rate: Learning rate of the head and the last block (AdamW).
        steps: Batches of either domain; 0 stands for five epochs of the source, at least 30 and at most 300 batches.
            ``shot`` then takes as many of the target alone, or five epochs of it, ``tent`` one epoch.
        batch: Examples of either domain per batch; more where there are many classes. Of the target alone they are 64.
        decay: Rate of a block over that of the next one.
        weight: Of the loss that both domains share.
        views: Views of each image or recording that are stored at the cut.
        flips: Whether half of the other views are mirrored.
        activations: Number type of what is stored at the cut.
    """

    method: DeepMethod = "mcc"
    last: Last = "auto"
    rate: float = 3e-4
    steps: int = 0
    batch: int = 32
    decay: float = 0.8
    weight: float = 1.0
    views: int = 2
    flips: Flips = "on"
    activations: Precision = "float32"

    def work(self, n: int, *, classes: int = 2) -> tuple[int, int]:
        """Return steps and examples of the source per step: two of every class, or more."""
        size = min(max(self.batch, 2 * classes), n)
        return self.steps or _steps(n, size), size

    def check_task(self, task: Task) -> None:
        """Refuse a task without classes.

        Args:
            task: What is to be learnt.

        Raises:
            OptionError: The task has no classes.
        """
        if task.kind != "classification":
            raise OptionError(
                f"{self.method} needs one class per item, found {task.kind}",
                where="--method",
                fix="Choose a method for features, such as coral.",
            )

    def check_network(self, backbone: Backbone) -> None:
        """Refuse a network that this method cannot train, before anything is computed.

        Args:
            backbone: The pretrained network.

        Raises:
            BackboneError: It has no cut points, or fewer blocks than are to be thawed.
            OptionError: The method moves BatchNorm or normalising layers, and the blocks that train have none.
        """
        cut = self.cut_of(backbone)
        if self.method in NEEDS:
            check_layers(backbone, cut, self.method)

    def learn(self, material: Material, *, run: Run) -> tuple[Backbone, Head, Facts]:
        """Train with both domains in view.

        Args:
            material: The copy, the examples of the source, and the same copy with those of the target.
            run: Seed, deadline and metric.

        Returns:
            The trained network, the head, and what was done.

        Raises:
            OptionError: There is no target.
        """
        target = material.target
        if target is None:
            raise OptionError(
                f"{self.method} needs examples of a target", where="--method", fix="Use headstart adapt --target."
            )
        backbone = material.thawed.backbone
        self.check_network(backbone)
        backbone.network.eval()
        if self.method == "adabn":
            return backbone, with_statistics(material, target, run=run), {}
        head = probed_head(material, run=run)
        assert isinstance(head, LinearHead)
        facts = self._joint(material, target, head, run=run)
        settings = self._settings(self.steps or _steps(target.views.n, ROWS_AT_ONCE), material, run)
        if self.method == "shot":
            informed(self, material, head, self.groups(target), settings=settings, run=run)
        elif self.method == "tent":
            made_sure(self, material, head, settings=settings, run=run)
        backbone.network.eval()
        return backbone, head.cpu().fold(material.task.kind), facts

    def _joint(self, material: Material, target: Thawed, head: LinearHead, *, run: Run) -> Facts:
        """Train on the source, and on both where the method has a loss for it."""
        thawed, n, objective = material.thawed, len(material.y), Objective.of(material, head, run=run)
        steps, size = self.work(n, classes=material.task.n_outputs)
        settings = self._settings(steps, material, run)
        align = JOINT.get(self.method, lambda *_: None)(thawed.backbone.num_features, material.task.n_outputs, run.seed)
        device, batches = thawed.backbone.device, epochs(n, size, run.seed)
        looks = Looks.of(target, size, run.seed + 1)

        def loss(step: int) -> Tensor:
            items = batches.rows(step)
            rows = rows_and_views(items, len(thawed.views.sources), n, seed=run.seed, step=step)
            features = thawed.features(rows)
            scores = head(features)
            taught = objective.loss(scores, items, smoothing=SMOOTHING)
            if align is None:
                return taught
            other = looks.features(step)
            share = step / settings.steps
            seen = Seen(head.standardised(features), head.standardised(other), scores, head(other), share)
            with torch.autocast(device.type, enabled=False):  # small differences of large sums
                return taught + self.weight * align(seen)

        judge = align.to(device) if isinstance(align, nn.Module) else None
        module, groups = Both(thawed.backbone.network, head, judge), [*self.groups(thawed), head_group(head)]
        if judge is not None:
            own = {f"alignment.{name}": p for name, p in judge.named_parameters()}
            groups.append(Group("alignment", own, rate=DISCRIMINATOR_RATE))
        trained = train_thawed(self, material, loss, groups, module=module, settings=settings, run=run)
        return {"steps": trained.steps, "rate": self.rate, "training_loss": float(trained.losses[-1])}

    def groups(self, thawed: Thawed) -> list[Group]:
        """Return the groups of the blocks that train, input to output."""
        return [in_backbone(group) for group in layer_wise(layers_after(thawed), decay=self.decay, weight_decay=0.01)]

    def _settings(self, steps: int, material: Material, run: Run) -> Settings:
        precision = auto_precision(material.thawed.backbone.device)
        return Settings(steps=steps, rate=self.rate, precision=precision, seed=run.seed)


def _steps(n: int, size: int) -> int:
    return int(np.clip(EPOCHS * n / size, *STEPS))
