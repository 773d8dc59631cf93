"""What every step of the search needs, and what it leaves behind."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from headstart.backbones import Backbone
from headstart.data import Dataset, Indices, Plan, united_groups
from headstart.evaluation import ClassScores, Comparison, Fold, Interval, Score
from headstart.model import AdaptedModel
from headstart.strategies import Run, Strategy
from headstart.tasks import Task

Splits = Sequence[tuple[Indices, Indices]]
Proof = Literal["none", "quick", "full"]
Used = Literal["source and target", "target only"]
MIN_OUTER_FOLDS: Final = 3  # an interval from fewer says nothing


@dataclass(frozen=True)
class Rung:
    """One thing tried on the way up.

    Attributes:
        name: Strategy and backbone, to be read.
        strategy: The strategy's call string.
        backbone: Address of the pretrained network.
        value: Cross-validated score inside the training part, never the reported one; None where it is not defined.
        interval: Its interval.
        seconds: What the rung cost, its frozen pass and its cross-validation included.
        accepted: Whether it became the best so far.
        reason: Why, in a few words.
        predicted_seconds: What it was expected to cost at most; None for the first.
        predicted_megabytes: Memory it was expected to take for weights, optimiser and activations.
    """

    name: str
    strategy: str
    backbone: str
    value: float | None
    interval: Interval
    seconds: float
    accepted: bool
    reason: str
    predicted_seconds: float | None = None
    predicted_megabytes: float | None = None


@dataclass(frozen=True)
class Outcome:
    """Everything the search found.

    Attributes:
        model: The model to ship.
        chosen: Settings the strategy chose for it.
        score: How good it is.
        classes: Precision, recall and F1 per class on the same predictions.
        baselines: The models without pretraining, by name.
        transfer_helped: True or False where the paired difference to the best baseline excludes zero, else None.
        rungs: What was tried, in order.
        notes: What limits the numbers.
        predictions: What the model, or the choice repeated in outer folds, made of the scored items.
        chosen_once: Whether outer folds repeat the training of what was chosen, and not all of the choosing.
        source: What examples lent by another data set were worth; None where there are none.
        answers: The training part as the model sees it; None where the user wanted it to end before.
    """

    model: AdaptedModel
    chosen: Mapping[str, str | float]
    score: Score
    classes: Mapping[str, ClassScores]
    baselines: Mapping[str, Comparison]
    transfer_helped: bool | None
    rungs: tuple[Rung, ...]
    notes: tuple[str, ...]
    predictions: tuple[Fold, ...] = ()
    chosen_once: bool = False
    source: "SourceUse | None" = None
    answers: "Answers | None" = None


@dataclass(frozen=True, eq=False)
class Answers:
    """The training part as the model sees it.

    Attributes:
        items: (n,) positions of examples that fits on folds held out; none where the task has no classes.
        outputs: (n, C) what those fits made of them, at the model's temperature.
        looked_at: (m,) positions of training examples, at most a few thousand.
        features: (m, D) what the head of the model reads of these; nothing where it reads words or frames.
        scored: (k, D) the same of a test part; None where there is none.
    """

    items: Indices
    outputs: NDArray[Any]
    looked_at: Indices
    features: NDArray[np.float32]
    scored: NDArray[np.float32] | None = None


@dataclass(frozen=True)
class SourceUse:
    """What examples lent by another data set, the source, were worth.

    Attributes:
        shipped: What the model was trained on.
        n: How many examples the source lent.
        why: How that was chosen, inside the training part of the target.
        helped: Whether training on both is better than on the target only, on what is scored: True or False where the
            paired difference excludes zero, else None.
        other: The other of the two on the same splits; None where it was not measured.
    """

    shipped: Used
    n: int
    why: str
    helped: bool | None = None
    other: Comparison | None = None


class Watch(Protocol):
    """Told about every rung as it ends."""

    def __call__(self, rung: Rung) -> None: ...


def watch_nothing(rung: Rung) -> None:
    """Look away."""


@dataclass(frozen=True)
class Problem:
    """The data, how it is split, and what may be tried.

    Attributes:
        dataset: Labelled examples.
        plan: Which of them train and which measure.
        task: What their labels mean.
        backbones: Candidates.
        strategy: How each is adapted; None climbs the ladder.
        run: Features, seed, deadline.
        y: Encoded labels.
        effort: ``usual`` tries the rungs that usually pay, ``more`` goes on while the budget lasts.
        proof: What transfer is compared with besides the baselines.
        watch: Told about every rung.
    """

    dataset: Dataset
    plan: Plan
    task: Task
    backbones: tuple[Backbone, ...]
    strategy: Strategy | None
    run: Run
    y: NDArray[Any]
    effort: Literal["usual", "more"] = "usual"
    proof: Proof = "quick"
    watch: Callable[[Rung], None] = field(default=watch_nothing)

    @property
    def splits(self) -> Splits:
        """Training and scored positions: the test part, or the outer folds."""
        if self.plan.folds:
            return self.plan.folds
        assert self.plan.test is not None
        return ((self.plan.train, self.plan.test),)

    @property
    def once(self) -> Splits:
        """The same, in which each example is scored once: where fits cost, one repeat of the outer folds is enough."""
        held = len(self.splits[0][1])
        return self.splits[: max(MIN_OUTER_FOLDS, round(len(self.dataset.own) / held))]

    @property
    def train(self) -> Dataset:
        """The training part."""
        return self.dataset.take(self.plan.train)

    @property
    def own_train(self) -> Dataset:
        """The training part without what is lent."""
        return self.dataset.take(self.own(self.plan.train))

    @property
    def train_y(self) -> NDArray[Any]:
        """Encoded labels of the training part."""
        return self.y[self.plan.train]

    def own(self, positions: Indices) -> Indices:
        """Return those of some positions whose examples are not lent."""
        lent = self.dataset.lent
        return positions if lent is None else positions[~np.array(lent, dtype=bool)[positions]]

    def alone(self) -> "Problem":
        """Return the problem without what is lent, which stands behind all else: positions stay what they are."""
        own, plan = self.dataset.own, self.plan
        folds = None if plan.folds is None else tuple((self.own(inside), outside) for inside, outside in plan.folds)
        return replace(
            self,
            dataset=replace(self.dataset.take(own), lent=None),
            plan=replace(plan, train=self.own(plan.train), folds=folds),
            y=self.y[own],
        )

    def units(self, positions: Indices) -> NDArray[Any]:
        """Return the group of each position, copies of one item counted as one."""
        return np.asarray(united_groups(self.dataset))[positions]

    def fold(self, split: tuple[Indices, Indices], outputs: NDArray[np.float64]) -> Fold:
        """Return predictions of one split as evaluation takes them."""
        inside, outside = split
        groups = None if self.dataset.groups is None else np.array(self.dataset.groups)[outside]
        return Fold(self.y[outside], outputs, len(self.own(inside)), groups, outside)
