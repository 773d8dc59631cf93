"""The interface of a strategy: one method, everything it may use in one frozen value."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from headstart.backbones import Backbone
from headstart.data import Dataset, Indices
from headstart.engine import Engine, LocalEngine
from headstart.features import FeatureSource, Progress, silent
from headstart.linear import ClassWeight
from headstart.model import AdaptedModel
from headstart.strategies._values import check_values
from headstart.tasks import Task

# Scores under which a rare class counts as much as a common one; training then weighs the classes alike too.
ALIKE: Final = ("balanced_accuracy", "macro_f1")


def say_nothing(_text: str) -> None:
    """Tell nobody."""


def decide_now(_name: str, choose: Callable[[], Any]) -> Any:
    """Take a decision and record nothing."""
    return choose()


@dataclass(frozen=True)
class Run:
    """What a strategy may use besides the data.

    Attributes:
        features: Stored activations, computed where missing.
        engine: Where work runs.
        seed: Every random choice comes from it.
        deadline: `time.monotonic` value to finish by, or None.
        progress: Told what is being done.
        metric: The score the user wants; decides whether rare classes weigh as much as common ones.
        decide: Takes a decision that depends on time, or replays the one an interrupted run took.
        say: Told what a user should know, one sentence at a time.
        announce: Told what is about to be done; of no interest once it is.
        folder: Where training keeps checkpoints, or None to keep none.
        checkpoint_seconds: Least time between two of them; training shorter than that leaves none.
    """

    features: FeatureSource
    engine: Engine = field(default_factory=LocalEngine)
    seed: int = 0
    deadline: float | None = None
    progress: Progress = silent
    metric: str = "accuracy"
    decide: Callable[[str, Callable[[], Any]], Any] = decide_now
    say: Callable[[str], None] = say_nothing
    announce: Callable[[str], None] = say_nothing
    folder: Path | None = None
    checkpoint_seconds: float = 20.0


@dataclass(frozen=True)
class Fitted:
    """A model, and what choosing its settings showed.

    Attributes:
        model: The adapted model, fitted on the whole training part.
        loss: Cross-validated loss of the chosen settings, inside the training part: log loss of classes, its mean over
            labels, or the squared error in variances of the values.
        fold_values: The wanted metric on each of those folds.
        chosen: The settings chosen, for the report.
        seconds: What fitting on the whole training part alone took, the choosing aside.
        held_out: Outputs of each example by the fit that held it out, as they were before any temperature; None where
            refitting is next to nothing, or settings were chosen on some of the examples.
    """

    model: AdaptedModel
    loss: float
    fold_values: tuple[float, ...]
    chosen: Mapping[str, str | float]
    seconds: float = 0.0
    held_out: NDArray[Any] | None = field(default=None, compare=False, repr=False)

    @property
    def log_loss(self) -> float:
        """The loss, under the name it has for classes and labels."""
        return self.loss


class Strategy(ABC):
    """A way to adapt a backbone. Subclasses are final frozen dataclasses whose fields are its settings."""

    def __post_init__(self) -> None:
        check_values(self)

    def __str__(self) -> str:
        """Return the call string that `headstart.strategies.parse` reads, without settings left at their default."""
        settings = fields(self)  # type: ignore[arg-type]  # every subclass is a dataclass
        changed = {f.name: getattr(self, f.name) for f in settings if getattr(self, f.name) != f.default}
        arguments = ", ".join(f"{name}={value!r}" for name, value in changed.items())
        return f"{type(self).__name__.lower()}({arguments})"

    @abstractmethod
    def fit(self, backbone: Backbone, train: Dataset, task: Task, *, run: Run) -> Fitted:
        """Adapt the backbone to labelled examples, choosing settings on these examples alone.

        Args:
            backbone: The pretrained network; never changed.
            train: Labelled examples.
            task: What their labels mean.
            run: What the strategy may use.

        Returns:
            The model and how its settings were chosen.
        """


def class_weight_for(metric: str) -> ClassWeight:
    """Return how training weighs the classes where a metric is wanted."""
    return "balanced" if metric in ALIKE else "none"


def over_views(
    folds: Sequence[tuple[NDArray[Any], NDArray[Any]]], n: int, views: int
) -> Sequence[tuple[Indices, Indices]]:
    """Turn folds of n items into folds of ``views * n`` rows, one view after another.

    Args:
        folds: Training and held-out positions.
        n: How many items there are.
        views: How many views each has.

    Returns:
        Folds that train on all views of their training items and are held to the plain view of the others.
    """
    return [(np.concatenate([inside + view * n for view in range(views)]), outside) for inside, outside in folds]
