"""What all strategies that move weights share: where they cut, what they train on, how they are cross-validated."""

import hashlib
import json
import time
from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from headstart.backbones import Backbone
from headstart.data import Dataset
from headstart.engine import computes_bfloat16
from headstart.errors import BackboneError
from headstart.evaluation import find_metric
from headstart.linear import LinearModel, fit_cross_validated
from headstart.model import AdaptedModel, Base, Head
from headstart.strategies._base import Fitted, Run, Strategy, class_weight_for, inner_folds
from headstart.strategies._calibration import Temperature
from headstart.strategies._thawed import Thawed, Views, boundary
from headstart.tasks import Task
from headstart.training import Group, Settings, Trained, train

Last = int | Literal["auto", "all"]
TUNING_FOLDS: Final = 3


@dataclass(frozen=True)
class Tuned:
    """A model whose network was trained.

    Attributes:
        model: The adapted model.
        start: The network it started from, unchanged.
        cut: The frozen boundary; None where all of it trained.
        chosen: What was done, for the report.
        seconds: What it took, activations aside.
    """

    model: AdaptedModel
    start: Backbone
    cut: str | None
    chosen: Mapping[str, str | float] = field(default_factory=dict)
    seconds: float = 0.0

    def outputs(self, dataset: Dataset, *, run: Run) -> NDArray[np.float64]:
        """Predict items from their activations at the cut.

        Args:
            dataset: N items.
            run: The store.

        Returns:
            (N, K) outputs of the model.
        """
        views = boundary(run, self.start, dataset, cut=self.cut)
        features = Thawed(self.model.backbone, self.cut, views).all_features()
        return self.model.head.outputs(features)

    def cooled(self, temperature: Temperature) -> "Tuned":
        """Return the same model with its scores divided by a temperature."""
        return replace(self, model=replace(self.model, head=temperature.apply(self.model.head)))


@dataclass(frozen=True)
class Material:
    """What one training has before it starts.

    Attributes:
        thawed: The copy that trains, with its activations.
        y: Encoded labels.
        X: (N, D) features of the plain view before training.
        train: The examples.
        task: What their labels mean.
    """

    thawed: Thawed
    y: NDArray[Any]
    X: NDArray[np.float32]
    train: Dataset
    task: Task


class Tuning(Strategy):
    """A strategy that moves weights, with settings fixed beforehand."""

    last: Last
    views: int

    @abstractmethod
    def learn(self, material: Material, *, run: Run) -> tuple[Backbone, Head, dict[str, str | float]]:
        """Train the thawed copy.

        Args:
            material: The copy and the examples.
            run: What the strategy may use.

        Returns:
            The trained network, the head for raw features, and what was done.
        """

    @abstractmethod
    def work(self, n: int) -> tuple[int, int]:
        """Return how many steps training on n examples takes, and how many examples a step takes."""

    def check_task(self, task: Task) -> None:
        """Refuse a task that this strategy cannot learn, before anything is computed; most learn all."""

    def cut_of(self, backbone: Backbone) -> str | None:
        """Return the frozen boundary in a network.

        Args:
            backbone: The network.

        Returns:
            The name of the cut, or None where all of it trains.

        Raises:
            BackboneError: The network has no cut points, or fewer blocks than are to be thawed.
        """
        if self.last == "all":
            return None
        if not backbone.cuts:
            raise BackboneError("it has no cut points", where=backbone.name, fix="Use last='all', or probe.")
        last = default_last(backbone) if self.last == "auto" else self.last
        if last >= len(backbone.cuts):
            most = f"last={len(backbone.cuts) - 1} or less, or " if len(backbone.cuts) > 1 else ""
            raise BackboneError(
                f"expected fewer than {len(backbone.cuts)} blocks to thaw, found last={last}",
                where=backbone.name,
                fix=f"Use {most}last='all'.",
            )
        return backbone.cuts[-1 - last]

    def start_from(self, backbone: Backbone, *, run: Run) -> Backbone:
        """Return the network that training starts from: the pretrained one, unless a strategy says otherwise."""
        del run
        return backbone

    def gather(self, backbone: Backbone, train: Dataset, *, run: Run) -> Views:
        """Get the activations that training reads, of all views; computed and stored where they are missing."""
        return boundary(run, backbone, train, cut=self.cut_of(backbone), views=self.views_of(backbone))

    def views_of(self, backbone: Backbone) -> int:
        """Return how many views of each item are trained on; texts have one."""
        return self.views if backbone.modality == "image" else 1

    def tune(self, backbone: Backbone, train: Dataset, task: Task, *, run: Run) -> Tuned:
        """Train on all the examples given.

        Args:
            backbone: The pretrained network; never changed.
            train: Labelled examples.
            task: What their labels mean.
            run: What the strategy may use.

        Returns:
            The model.
        """
        assert train.labels is not None
        self.check_task(task)
        find_metric(run.metric, task.kind)
        start, cut = self.start_from(backbone, run=run), self.cut_of(backbone)
        views = self.gather(start, train, run=run)
        began = time.monotonic()
        thawed = Thawed(start.copy(after=cut), cut, views)
        X = thawed.all_features()
        material = Material(thawed, np.asarray(task.encode(train.labels)), X, train, task)
        network, head, chosen = self.learn(material, run=run)
        trained = start.thawed_names(cut)
        copy = replace(network)  # drops what was remembered of the weights before
        model = AdaptedModel(
            copy, head, task, "last", str(self), base=Base(backbone.name, backbone.weights_hash, trained)
        )
        chosen = {"frozen up to": cut or "nothing", "views": self.views_of(backbone), **chosen}
        return Tuned(model, start, cut, chosen, time.monotonic() - began)

    def fit(self, backbone: Backbone, train: Dataset, task: Task, *, run: Run) -> Fitted:
        """Cross-validate, then train on every example.

        Args:
            backbone: The pretrained network; never changed.
            train: Labelled examples.
            task: What their labels mean.
            run: What the strategy may use.

        Returns:
            The model, its scores calibrated on the held-out folds, and its cross-validated loss.
        """
        assert train.labels is not None
        self.check_task(task)
        metric = find_metric(run.metric, task.kind)
        self.gather(self.start_from(backbone, run=run), train, run=run)
        y = np.asarray(task.encode(train.labels))
        folds = inner_folds(train, y, seed=run.seed, n_splits=TUNING_FOLDS)
        out = np.full((len(y), task.n_outputs), np.nan)
        for inside, outside in folds:
            tuned = self.tune(backbone, train.take(inside), task, run=run)
            out[outside] = tuned.outputs(train.take(outside), run=run)
        temperature = Temperature.fit(out, y)
        final = self.tune(backbone, train, task, run=run).cooled(temperature)
        values = [metric.score(y[outside], temperature.calibrate(out[outside])) for _, outside in folds]
        known = tuple(float("nan") if value is None else value for value in values)
        loss = item_losses(y, temperature.calibrate(out)).mean()
        chosen = {**final.chosen, "temperature": temperature.value}
        return Fitted(final.model, float(loss), known, chosen, final.seconds)


def default_last(backbone: Backbone) -> int:
    """Return how many blocks to thaw where nobody says: half the layers of a text network, a fifth of an image network.

    Measured in benchmarks/LOG.md; an image network's last blocks hold most of its weights and little of its compute.
    """
    share = 0.5 if backbone.modality == "text" else 0.2
    return max(1, min(len(backbone.cuts) - 1, round(share * (len(backbone.cuts) - 1))))


def item_losses(y: NDArray[Any], outputs: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the loss of every item, by which rungs are compared: nats, or squared errors in variances of y.

    Args:
        y: (N,) class numbers, (N, C) indicators or (N,) values.
        outputs: (N, K) probabilities or values.

    Returns:
        (N,) losses.
    """
    floor = 1e-7
    if y.ndim == 2:
        own = np.where(y > 0.5, outputs, 1 - outputs)
        losses: NDArray[np.float64] = -np.log(np.maximum(own, floor)).mean(axis=1)
        return losses
    if y.dtype.kind == "f":
        return np.asarray(np.square(outputs[:, 0] - y) / (y.var() or 1.0))
    return np.asarray(-np.log(np.maximum(outputs[np.arange(len(y)), y], floor)))


def fit_probe(material: Material, X: NDArray[np.float32], *, run: Run) -> LinearModel:
    """Fit a probe on features (N, D) of the plain view, with cross-validated strength."""
    folds = inner_folds(material.train, material.y, seed=run.seed)
    model, _ = fit_cross_validated(
        X,
        material.y,
        folds,
        n_classes=material.task.n_outputs,
        class_weight=class_weight_for(run.metric),
        kind=material.task.kind,
    )
    return model


def train_thawed(
    strategy: Tuning,
    material: Material,
    loss: Callable[[int], Tensor],
    groups: Sequence[Group],
    *,
    module: nn.Module,
    settings: Settings,
    run: Run,
) -> Trained:
    """Run the training loop, with a checkpoint folder of this training's own where the run has one."""
    # Only checkpoints need it, and it hashes the whole network.
    fingerprint = "" if run.folder is None else _fingerprint(strategy, material, run)
    return train(
        module,
        groups,
        loss,
        settings=settings,
        checkpoint=None if run.folder is None else _folder(run.folder, fingerprint),
        fingerprint=fingerprint,
        every_seconds=run.checkpoint_seconds,
        deadline=run.deadline,
        progress=run.progress,
        name=str(strategy),
    )


def _folder(root: Path, fingerprint: str) -> Path:
    return root / "training" / fingerprint[:16]


def _fingerprint(strategy: Tuning, material: Material, run: Run) -> str:
    """Hash what the losses depend on besides settings and trained weights."""
    backbone = material.thawed.backbone
    facts = [
        str(strategy),
        backbone.preprocessing_hash,
        replace(backbone).weights_hash,
        material.thawed.cut,
        list(material.train.hashes),
        list(material.train.labels or ()),
        run.seed,
        run.metric,
    ]
    return hashlib.sha256(json.dumps(facts).encode()).hexdigest()


def auto_precision(device: torch.device) -> Literal["float32", "bfloat16"]:
    """Return bfloat16 where the device computes it natively, else float32; weights are float32 in both."""
    return "bfloat16" if computes_bfloat16(device.type) else "float32"
