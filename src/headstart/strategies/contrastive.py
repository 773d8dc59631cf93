"""Contrastive tuning for few labels: pull texts of one class together, push classes apart, then fit a probe.

SetFit (Tunstall et al., 2022) samples pairs, about twenty per text, and passes each through the network. Here every
batch is balanced over classes and all pairs inside it count, so b texts give b(b-1)/2 pairs for b passes, and a fixed
number of steps suffices for few and for many labels. The loss is SetFit's, the squared error of the cosine against 1
for a pair of one class and 0 for a pair of two, with both kinds of pairs weighing alike. The frozen part is read from
activations at the cut.
"""

from dataclasses import dataclass
from typing import final

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import normalize

from headstart.backbones import Backbone, Flips
from headstart.errors import OptionError
from headstart.features import Precision
from headstart.model import Head
from headstart.strategies._base import Run
from headstart.strategies._precision import auto_precision
from headstart.strategies._thawed import rows_and_views
from headstart.strategies._tuning import Last, Material, Tuning, fit_probe, train_thawed
from headstart.strategies.finetune import layers_after
from headstart.tasks import Task
from headstart.training import Settings, balanced, layer_wise


@final
@dataclass(frozen=True)
class Contrastive(Tuning):
    """Trains the last blocks on pairs, then fits a probe on the new features.

    Attributes:
        last: How many blocks; ``auto`` takes half of a text network and a fifth of an image network, ``all`` trains
            everything.
        rate: Learning rate of the last block (AdamW).
        steps: Batches.
        batch: Examples per batch, balanced over classes.
        decay: Rate of a block over that of the next one.
        views: Views of each image or recording that are stored at the cut: the plain one and light random crops and
            flips, or noise, gain and masks.
        flips: Whether half of the other views are mirrored; ``off`` where left and right mean something.
        activations: Number type of what is stored at the cut; ``float16`` takes half the space, and its effect on the
            features is reported.
    """

    last: Last = "auto"
    rate: float = 1.5e-4
    steps: int = 40
    batch: int = 48
    decay: float = 1.0
    views: int = 2
    flips: Flips = "on"
    activations: Precision = "float32"

    def work(self, n: int, *, classes: int = 2) -> tuple[int, int]:
        """Return steps and examples per step: two of every class, or more; each example passes the network once."""
        return self.steps, min(self._batch(classes), n)

    def _batch(self, classes: int) -> int:
        return max(self.batch, 2 * classes)

    def check_task(self, task: Task) -> None:
        """Refuse a task without classes.

        Args:
            task: What is to be learnt.

        Raises:
            OptionError: The task has no classes to contrast.
        """
        if task.kind != "classification":
            raise OptionError(
                f"contrastive() needs one class per item, found {task.kind}",
                where="--strategy",
                fix="Use finetune().",
            )

    def learn(self, material: Material, *, run: Run) -> tuple[Backbone, Head, dict[str, str | float]]:
        """Train on all pairs of every batch, then fit the head.

        Args:
            material: The copy and the examples.
            run: Seed, deadline and metric.

        Returns:
            The trained network, the head, and steps, rate and final loss.
        """
        thawed, n = material.thawed, len(material.y)
        backbone = thawed.backbone
        batches = balanced(material.y, self._batch(material.task.n_outputs), run.seed)
        views = len(thawed.views.sources)
        y = torch.from_numpy(material.y.astype(np.int64)).to(backbone.device)

        def loss(step: int) -> Tensor:
            items = batches.rows(step)
            rows = rows_and_views(items, views, n, seed=run.seed, step=step)
            picked = torch.from_numpy(items).to(y.device)
            once, back = np.unique(rows, return_inverse=True)  # few examples fill a batch several times
            features = thawed.features(once)[torch.from_numpy(back).to(y.device)]
            return pair_loss(features, y[picked], picked)

        backbone.network.eval()
        groups = layer_wise(layers_after(thawed), decay=self.decay, weight_decay=0.01)
        settings = Settings(steps=self.steps, rate=self.rate, precision=auto_precision(backbone.device), seed=run.seed)
        trained = train_thawed(self, material, loss, groups, module=backbone.network, settings=settings, run=run)
        head = fit_probe(material, thawed.all_features(), run=run)
        return backbone, head, {"steps": trained.steps, "rate": self.rate, "training_loss": float(trained.losses[-1])}


def pair_loss(features: Tensor, y: Tensor, items: Tensor) -> Tensor:
    """Return the loss over all pairs of a batch: half over pairs of one class, half over pairs of two.

    Args:
        features: (N, D).
        y: (N,) classes.
        items: (N,) which example each row is; a pair of one example with itself says nothing and does not count.

    Returns:
        mean over pairs of one class of (cos - 1)^2, plus mean over pairs of two classes of cos^2.
    """
    unit = normalize(features.float(), dim=1)
    cosine = unit @ unit.T
    same = y[:, None] == y[None]
    alike = same & (items[:, None] != items[None])
    pulled = (cosine - 1).square()[alike]
    pushed = cosine.square()[~same]
    return _mean(pulled) + _mean(pushed)


def _mean(values: Tensor) -> Tensor:
    return values.mean() if values.numel() else values.sum()
