"""What all strategies that move weights share: where they cut, what they train on, how they are cross-validated."""

import hashlib
import json
import time
from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, ClassVar, Final, Literal

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn

from headstart.backbones import Backbone, Flips
from headstart.data import Dataset, inner_folds
from headstart.errors import BackboneError, OptionError
from headstart.evaluation import find_metric
from headstart.features import Precision
from headstart.linear import LinearModel, fit_cross_validated, item_losses
from headstart.model import AdaptedModel, Base, Head
from headstart.strategies._base import Fitted, Run, Strategy, class_weight_for, say_nothing
from headstart.strategies._calibration import Temperature
from headstart.strategies._precision import rounding
from headstart.strategies._thawed import Reading, Thawed, Views, boundary, boundary_once
from headstart.tasks import Task, unknown
from headstart.training import Group, Settings, Trained, train

Last = int | Literal["auto", "all"]
TUNING_FOLDS: Final = 3
MOST_STEPS: Final = 600  # on a source that is larger than the target


@dataclass(frozen=True)
class Tuned:
    """A model whose network was trained.

    Attributes:
        model: The adapted model.
        start: The network it started from, unchanged.
        cut: The frozen boundary; None where all of it trained.
        chosen: What was done, for the report.
        seconds: What it took, activations aside.
        precision: In which its activations are stored.
    """

    model: AdaptedModel
    start: Backbone
    cut: str | None
    chosen: Mapping[str, str | float] = field(default_factory=dict)
    seconds: float = 0.0
    precision: Precision = "float32"

    def outputs(self, dataset: Dataset, *, run: Run) -> NDArray[np.float64]:
        """Predict items from their activations at the cut.

        Most items are predicted once, so what is not stored runs live and is not stored; see `Tuning.keep`.

        Args:
            dataset: N items.
            run: The store.

        Returns:
            (N, K) outputs of the model, or (N,) objects of those of words.
        """
        return self.model.head.outputs(self.features(dataset, run=run))

    def features(self, dataset: Dataset, *, run: Run) -> NDArray[np.float32]:
        """Compute what the head reads, as `outputs` does.

        Args:
            dataset: N items.
            run: The store.

        Returns:
            (N, D) features, or (N,) objects of those of words.
        """
        views = boundary_once(run, self.start, dataset, cut=self.cut, precision=self.precision)
        thawed = Thawed(self.model.backbone, self.cut, views, run.features.rows_each(self.start, dataset))
        return thawed.all_features(progress=run.progress)

    def cooled(self, temperature: Temperature) -> "Tuned":
        """Return the same model with its scores divided by a temperature."""
        return replace(self, model=replace(self.model, head=temperature.apply(self.model.head)))


@dataclass(frozen=True)
class Material:
    """What one training has before it starts.

    Attributes:
        thawed: The copy that trains, with its activations.
        y: Encoded labels.
        X: (N, D) features of the plain view before training, or (N,) objects of those of words.
        train: The examples.
        task: What their labels mean.
        held_out: (m,) which examples only say when to stop.
        target: The same copy with examples of a target, which have no labels; None where there are none.
        target_hashes: Of these examples.
    """

    thawed: Thawed
    y: NDArray[Any]
    X: NDArray[np.float32]
    train: Dataset
    task: Task
    held_out: NDArray[np.intp] = field(default_factory=lambda: np.empty(0, dtype=np.intp))
    target: Thawed | None = None
    target_hashes: tuple[str, ...] = ()

    @property
    def inside(self) -> NDArray[np.intp]:
        """(n - m,) which examples are learnt from."""
        return np.setdiff1d(np.arange(len(self.y)), self.held_out)


class Tuning(Strategy):
    """A strategy that moves weights, with settings fixed beforehand."""

    last: Last
    steps: int
    views: int
    flips: Flips
    activations: Precision
    from_probe: ClassVar[bool] = True  # whether training starts from a probe of the features before it

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
    def work(self, n: int, *, classes: int = 2) -> tuple[int, int]:
        """Return how many steps training on n examples takes, and how many examples a step takes."""

    def checked(self, n: int) -> int:
        """Return how many examples, over all checks of a held-out loss, training on n passes through the network."""
        del n
        return 0

    def check_task(self, task: Task) -> None:
        """Refuse a task that this strategy cannot learn, before anything is computed; most learn all."""

    def stages(self, train: Dataset) -> list[tuple["Tuning", Dataset]]:
        """Return what is trained on one after another: what is lent, with more steps where it is more, then the rest.

        Args:
            train: The examples; one's own may be repeated among those that are lent, which teaches nothing here.

        Returns:
            One stage where nothing is lent, else two.
        """
        if train.lent is None:
            return [(self, train)]
        own = replace(train.take(train.own), lent=None)
        known = set(own.hashes)
        lent = replace(train.take([i for i, item in enumerate(train.hashes) if item not in known]), lent=None)
        if not len(lent):
            return [(self, own)]
        more = max(1.0, (len(lent) / max(1, len(own))) ** 0.5)
        steps = self.steps and max(self.steps, min(MOST_STEPS, round(self.steps * more)))
        on_lent: Tuning = replace(self, steps=steps)  # type: ignore[type-var]  # every subclass is a dataclass
        return [(on_lent, lent), (self, own)]

    def cut_of(self, backbone: Backbone) -> str | None:
        """Return the frozen boundary in a network.

        Args:
            backbone: The network.

        Returns:
            The name of the cut, or None where all of it trains.

        Raises:
            BackboneError: The network has no cut points, or fewer blocks than are to be thawed.
            OptionError: Half precision is asked for where nothing is stored.
        """
        if self.last == "all":
            if self.activations != "float32":
                raise OptionError(
                    f"activations={self.activations!r} needs a cut to store them at, found last='all'",
                    where="--strategy",
                    fix="Thaw fewer blocks, or leave it out.",
                )
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
        return boundary(run, backbone, train, cut=self.cut_of(backbone), reading=self.reading_of(backbone))

    def keep(self, backbone: Backbone, dataset: Dataset, *, run: Run) -> None:
        """Store what predictions of a data set read, where there is room; for items that are predicted many times."""
        cut = self.cut_of(backbone)
        if cut is not None:
            start = self.start_from(backbone, run=run)
            boundary(run, start, dataset, cut=cut, reading=Reading(precision=self.activations))

    def reading_of(self, backbone: Backbone) -> Reading:
        """Return which views of each item are trained on, and how they are stored; texts have one."""
        return Reading.of(backbone, views=self.views, flips=self.flips, precision=self.activations)

    def views_of(self, backbone: Backbone) -> int:
        """Return how many views of each item are trained on; texts have one."""
        return self.reading_of(backbone).views

    def tune(self, backbone: Backbone, train: Dataset, task: Task, *, run: Run, target: Dataset | None = None) -> Tuned:
        """Train on all the examples given.

        Args:
            backbone: The pretrained network; never changed.
            train: Labelled examples.
            task: What their labels mean.
            run: What the strategy may use.
            target: Examples without labels, for strategies that adapt to them.

        Returns:
            The model.
        """
        assert train.labels is not None
        self.check_task(task)
        find_metric(run.metric, task.kind)
        start, cut = self.start_from(backbone, run=run), self.cut_of(backbone)
        *before, (_, train) = self.stages(train)
        assert train.labels is not None
        earlier = [strategy.tune(backbone, lent, task, run=run) for strategy, lent in before]
        views = self.gather(start, train, run=run)
        others = None if target is None else self.gather(start, target, run=run)
        began = time.monotonic()
        taught = earlier[-1].model.backbone if earlier else start  # the same up to the cut
        thawed = Thawed(taught.copy(after=cut), cut, views, run.features.rows_each(start, train))
        X = thawed.all_features(progress=run.progress)
        material = Material(thawed, np.asarray(task.encode(train.labels)), X, train, task)
        if target is not None and others is not None:
            beside = replace(thawed, views=others, rows_each=run.features.rows_each(start, target))
            material = replace(material, target=beside, target_hashes=target.hashes)
        network, head, chosen = self.learn(material, run=run)
        trained = start.thawed_names(cut)
        copy = replace(network)  # drops what was remembered of the weights before
        model = AdaptedModel(
            copy, head, task, "last", str(self), base=Base(backbone.name, backbone.weights_hash, trained)
        )
        seconds = time.monotonic() - began + sum(each.seconds for each in earlier)
        reading = self.reading_of(backbone)
        chosen = {"frozen up to": cut or "nothing", "views": reading.described, **chosen}
        if before:
            chosen["first on"] = f"{len(before[0][1])} of the source"
        if reading.precision != "float32":
            chosen |= rounding(replace(thawed, backbone=copy), start, train, run=run)
        return Tuned(model, start, cut, chosen, seconds, reading.precision)

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
        out = unknown(y, task.n_outputs)
        silent = replace(run, say=say_nothing)  # what there is to say, the final training says
        for inside, outside in folds:
            tuned = self.tune(backbone, train.take(inside), task, run=silent)
            out[outside] = tuned.outputs(train.take(outside), run=run)
        temperature = Temperature.fit(out, y)
        final = self.tune(backbone, train, task, run=run).cooled(temperature)
        values = [metric.score(y[outside], temperature.calibrate(out[outside])) for _, outside in folds]
        known = tuple(float("nan") if value is None else value for value in values)
        own = train.own  # what is lent is in no fold
        loss = item_losses(y[own], temperature.calibrate(out[own])).mean()
        chosen = {**final.chosen, "temperature": temperature.value}
        return Fitted(final.model, float(loss), known, chosen, final.seconds, out)


def default_last(backbone: Backbone) -> int:
    """Return how many blocks to thaw where nobody says: half the layers, of an image network a fifth.

    Measured in benchmarks/LOG.md on images and texts; an image network's last blocks hold most of its weights and
    little of its compute. Networks for sounds are made as those for texts are, of equal layers.
    """
    share = 0.2 if backbone.modality == "image" else 0.5
    return max(1, min(len(backbone.cuts) - 1, round(share * (len(backbone.cuts) - 1))))


def fit_probe(material: Material, X: NDArray[np.float32], *, run: Run) -> LinearModel:
    """Fit a probe on features (N, D) of the plain view, with cross-validated strength; what is held out aside."""
    inside = material.inside
    train, y = material.train.take(inside), material.y[inside]
    folds = inner_folds(train, y, seed=run.seed)
    model, _ = fit_cross_validated(
        X[inside],
        y,
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
    held_out: Callable[[], float] | None = None,
    stage: str = "",
) -> Trained:
    """Run the training loop, with a checkpoint folder of this training's own where the run has one."""
    # Only checkpoints need it, and it hashes the whole network.
    fingerprint = "" if run.folder is None else _fingerprint(strategy, material, run, stage)
    return train(
        module,
        groups,
        loss,
        settings=settings,
        held_out=held_out,
        checkpoint=None if run.folder is None else _folder(run.folder, fingerprint),
        fingerprint=fingerprint,
        every_seconds=run.checkpoint_seconds,
        deadline=run.deadline,
        progress=run.progress,
        name=str(strategy),
    )


def _folder(root: Path, fingerprint: str) -> Path:
    return root / "training" / fingerprint[:16]


def _fingerprint(strategy: Tuning, material: Material, run: Run, stage: str) -> str:
    """Hash what the losses depend on besides settings and trained weights."""
    backbone = material.thawed.backbone
    facts = [
        str(strategy),
        backbone.preprocessing_hash,
        replace(backbone).weights_hash,
        material.thawed.cut,
        list(material.train.hashes),
        list(material.train.labels or ()),
        material.held_out.tolist(),
        run.seed,
        run.metric,
        list(material.target_hashes),
        stage,
    ]
    return hashlib.sha256(json.dumps(facts).encode()).hexdigest()
