"""The interface of a strategy: one method, everything it may use in one frozen value."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from headstart.backbones import Backbone
from headstart.data import Dataset
from headstart.engine import Engine, LocalEngine
from headstart.features import FeatureSource, Progress, silent
from headstart.model import AdaptedModel
from headstart.tasks import Classification


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
    """

    features: FeatureSource
    engine: Engine = field(default_factory=LocalEngine)
    seed: int = 0
    deadline: float | None = None
    progress: Progress = silent
    metric: str = "accuracy"
    decide: Callable[[str, Callable[[], Any]], Any] = decide_now


@dataclass(frozen=True)
class Fitted:
    """A model, and what choosing its settings showed.

    Attributes:
        model: The adapted model, fitted on the whole training part.
        log_loss: Cross-validated log loss of the chosen settings, inside the training part.
        fold_values: The wanted metric on each of those folds.
        chosen: The settings chosen, for the report.
    """

    model: AdaptedModel
    log_loss: float
    fold_values: tuple[float, ...]
    chosen: Mapping[str, str | float]


class Strategy(ABC):
    """A way to adapt a backbone. Subclasses are final frozen dataclasses whose fields are its settings."""

    def __str__(self) -> str:
        """Return the call string that `headstart.strategies.parse` reads, without settings left at their default."""
        settings = fields(self)  # type: ignore[arg-type]  # every subclass is a dataclass
        changed = {f.name: getattr(self, f.name) for f in settings if getattr(self, f.name) != f.default}
        arguments = ", ".join(f"{name}={value!r}" for name, value in changed.items())
        return f"{type(self).__name__.lower()}({arguments})"

    @abstractmethod
    def fit(self, backbone: Backbone, train: Dataset, task: Classification, *, run: Run) -> Fitted:
        """Adapt the backbone to labelled examples, choosing settings on these examples alone.

        Args:
            backbone: The pretrained network; never changed.
            train: Labelled examples.
            task: Their classes.
            run: What the strategy may use.

        Returns:
            The model and how its settings were chosen.
        """
