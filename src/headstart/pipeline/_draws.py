"""The trainings behind a learning curve: every arm on every draw of every size, as far as the time allows.

Every draw has nested subsets of its own and a seed of its own, and draw j of one arm is draw j of every other. What the
trainings cost is forecast from a few batches before they start, and corrected by what they took. Where time is short,
training from scratch gives up its largest sizes first, then fine-tuning some of its own, then draws are given up: an
interval from two is very wide. Everything given up is said.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Final, final

import numpy as np
from numpy.typing import NDArray

from headstart.backbones import Backbone
from headstart.data import Dataset, Indices, Plan
from headstart.errors import BackboneError, BudgetError, DataError, TrainingError
from headstart.evaluation import CurvePoint, Fold, curve_point
from headstart.pipeline._affordable import (
    ENOUGH_SIZES,
    FEWEST_DRAWS,
    FEWEST_SIZES,
    GOOD_DRAWS,
    Costs,
    Extent,
    affordable,
    duration,
)
from headstart.pipeline._curve_result import unit_of
from headstart.pipeline._standing import Inside, standing
from headstart.strategies import TUNING_FOLDS, Probe, Run, Scratch, Strategy, Tuned, Tuning, forecast
from headstart.tasks import Task

PROBE, TUNED, SCRATCH = "probe", "finetuned", "scratch"
SECONDS_TO_DRAW: Final = 8.0  # intervals, label saving and picture
PROBE_SHARE: Final = 1 / 3  # of the time left, at most, for probes
# Scores that a temperature moves; the others need no cross-validation of every training.
OF_PROBABILITIES: Final = ("log_loss", "brier")


@dataclass(frozen=True)
class Measured:
    """The points of every arm.

    Attributes:
        points: By arm, by rising size; an arm that was left out is missing.
        transfer: The arm that stands for transfer.
    """

    points: dict[str, tuple[CurvePoint, ...]]
    transfer: str


@final
@dataclass
class Draws:
    """One measurement of a curve.

    Attributes:
        dataset: Labelled examples.
        plan: Its training and test part.
        task: What the labels mean.
        backbone: The pretrained network.
        subsets: By draw, positions of the training examples of each size.
        runs: One per draw.
        above: How the network is fine-tuned.
        deadline: `time.monotonic` value to finish by.
        say: Told what was decided.
    """

    dataset: Dataset
    plan: Plan
    task: Task
    backbone: Backbone
    subsets: Sequence[Sequence[Indices]]
    runs: Sequence[Run]
    above: Tuning
    deadline: float
    say: Callable[[str], None]

    def __post_init__(self) -> None:
        assert self.plan.test is not None
        self._test, self._where = self.dataset.take(self.plan.test), self.plan.test
        groups = self.dataset.groups
        self._groups = None if groups is None else np.array(groups)[self._where]
        self._y = np.asarray(self.task.encode(self._test.labels or ()))
        self._folds: dict[tuple[str, int], list[Fold]] = {}
        self._inside: dict[tuple[str, int], Inside] = {}  # the training part of the first draw
        self._seconds: dict[tuple[str, int], float] = {}  # of the latest training alone
        self._checked = self.runs[0].metric in OF_PROBABILITIES
        self._n, self._unit = [len(subset) for subset in self.subsets[0]], unit_of(self.task.kind)
        self._done, self._wanted = 0, len(self.runs) * len(self._n)

    def measure(self, *, metric: str, seed: int) -> Measured:
        """Train and predict as much as fits.

        Args:
            metric: What is scored.
            seed: For the resampling of intervals.

        Returns:
            The points, and which arm stands for transfer.

        Raises:
            BudgetError: Two draws of two sizes of the fine-tuned arm do not fit.
            DataError: The metric is not defined at any size.
        """
        probed = self._probe()
        arms = self._arms()
        made = self._tune(arms, probed) if arms else Extent(len(self.runs), 0, 0)
        kept = {PROBE: probed, TUNED: made.tuned if TUNED in arms else 0, SCRATCH: made.scratch}
        points = {arm: self._points(arm, sizes, made.draws, metric, seed) for arm, sizes in kept.items() if sizes}
        return Measured({arm: found for arm, found in points.items() if found}, self._transfer(kept[TUNED]))

    def _points(self, arm: str, sizes: int, draws: int, metric: str, seed: int) -> tuple[CurvePoint, ...]:
        """Score the sizes of an arm; with few labels too little may be predicted for a metric to be defined."""
        points, failed = list[CurvePoint](), list[DataError]()
        for size in range(sizes):
            try:
                points.append(curve_point(arm, self._folds[arm, size][:draws], metric=metric, seed=seed))
            except DataError as error:
                failed.append(error)
                self.say(f"There is no point of {arm} with {self._n[size]} {self._unit}: {error.problem}.")
        if not points and arm != SCRATCH:  # there is nothing to compare
            raise failed[0]
        return tuple(points)

    def _probe(self) -> int:
        """Do the frozen pass and the probes, which cost least; returns how many sizes were probed."""
        run, most = self.runs[0], len(self._n)
        run.features.ensure(self.backbone, self.dataset.take(np.concatenate([self.subsets[0][-1], self._where])))
        share = PROBE_SHARE * self._left()
        for draw in range(len(self.runs)):
            for size in range(most):
                if draw == 0 and size >= FEWEST_SIZES:  # costs rise about as the number of labels
                    spent = sum(self._spent(PROBE))
                    coming = self._seconds[PROBE, size - 1] * self._n[size] / self._n[size - 1]
                    if spent + coming > share / len(self.runs):
                        most = size
                        self.say(f"For lack of time nothing is tried with more than {self._n[size - 1]} {self._unit}.")
                        break
                self._train(PROBE, Probe(), draw, size)
        return most

    def _arms(self) -> dict[str, Tuning]:
        """Return the arms that this network can have besides the probe, and say which it cannot."""
        arms: dict[str, Tuning] = {}
        for arm, strategy in ((TUNED, self.above), (SCRATCH, Scratch())):
            try:
                strategy.cut_of(self.backbone)
                strategy.start_from(self.backbone, run=self.runs[0])
            except BackboneError as error:
                self.say(f"There is no arm {arm}: {error.problem}.")
                continue
            arms[arm] = strategy
        return arms

    def _tune(self, arms: dict[str, Tuning], sizes: int) -> Extent:
        """Fine-tune and train from scratch; returns how much was made."""
        costs = self._costs(arms, sizes)
        extent = self._extent(costs, sizes)
        self.runs[0].features.deadline = None  # what has been measured is owed an end
        if TUNED in arms and extent.tuned:
            self.above.keep(self.backbone, self._test, run=self.runs[0])
        self._wanted = self._done + extent.draws * (extent.tuned + extent.scratch)
        draw = 0
        while draw < extent.draws:
            for size in range(extent.tuned if TUNED in arms else 0):
                self._train(TUNED, self.above, draw, size, cross_validate=draw == 0 and size == extent.tuned - 1)
            extent = self._from_scratch(costs, extent, draw)
            draw += 1
            if draw < len(self.runs):
                extent = self._again(costs, extent, draw)
        return extent

    def _costs(self, arms: dict[str, Tuning], sizes: int) -> dict[str, Costs]:
        """Forecast every arm; one whose training does not fit in memory is dropped, and that is said."""
        costs = {TUNED: Costs(), SCRATCH: Costs()}
        for arm, strategy in tuple(arms.items()):
            try:
                costs[arm] = self._forecast(arm, strategy, sizes)
            except TrainingError as error:
                self.say(f"There is no arm {arm}: {error.problem}.")
                del arms[arm]
        return costs

    def _from_scratch(self, costs: dict[str, Costs], extent: Extent, draw: int) -> Extent:
        """Train one draw from scratch; where a size does not fit or fails, only smaller ones are kept of every draw."""
        for size in range(extent.scratch):
            lead, why = "For lack of time", "it takes longer than forecast"
            if draw > 0 or size == 0 or self._still_fits(costs, extent, size):
                try:
                    self._train(SCRATCH, Scratch(), draw, size)
                    continue
                except TrainingError as error:
                    lead, why = "Training failed:", error.problem
            kept = size if size >= FEWEST_SIZES else 0
            self._say_sizes(SCRATCH, kept, why, lead=lead)
            return replace(extent, scratch=kept)
        return extent

    def _extent(self, costs: dict[str, Costs], sizes: int) -> Extent:
        """Decide before the first training what is tried."""
        tuned, scratch, draws = costs[TUNED], costs[SCRATCH], len(self.runs)
        found = affordable(tuned, scratch, draws=draws, sizes=sizes, left=max(0.0, self._left()))
        fewest = min(FEWEST_SIZES, sizes)
        needed = tuned.total(FEWEST_DRAWS, fewest) - self._left()
        if found is None:
            raise BudgetError(
                f"fine-tuning {fewest} sizes with {FEWEST_DRAWS} seeds needs about "
                f"{duration(tuned.total(FEWEST_DRAWS, fewest))} more and the budget leaves "
                f"{max(0.0, self._left()):.0f} s",
                where="--budget",
                fix=f"Give {1.2 * max(0.0, needed) + 10:.0f} s more; what was computed is kept.",
            )
        everything = duration(tuned.total(draws, sizes) + scratch.total(draws, sizes))
        if tuned.training and found.tuned < sizes:
            self._say_sizes(TUNED, found.tuned, f"all of it would take {duration(tuned.total(draws, sizes))}")
        if scratch.training and found.scratch < sizes:
            self._say_sizes(SCRATCH, found.scratch, f"everything would take {everything}")
        if scratch.training and not found.scratch:
            more = needed + scratch.total(FEWEST_DRAWS, fewest)
            self.say(f"For {fewest} sizes from scratch give about {duration(more)} more (--budget).")
        if found.draws < draws:
            self.say(f"For lack of time {found.draws} seeds instead of {draws}.")
        return found

    def _say_sizes(self, arm: str, sizes: int, why: str, *, lead: str = "For lack of time") -> None:
        kept = f"is trained with up to {self._n[sizes - 1]} {self._unit} only" if sizes else "is left out"
        self.say(f"{lead} {arm} {kept}: {why}.")

    def _still_fits(self, costs: dict[str, Costs], extent: Extent, size: int) -> bool:
        """Whether the next size from scratch fits into enough draws, at the pace of those before."""
        expected, more = costs[SCRATCH].training, min(GOOD_DRAWS, len(self.runs)) - 1
        pace = sum(self._spent(SCRATCH)) / max(1e-9, sum(expected[:size]))
        later = pace * sum(expected[: size + 1]) + self._later(costs, extent)
        return pace * expected[size] + more * later <= self._left()

    def _later(self, costs: dict[str, Costs], extent: Extent) -> float:
        """Seconds of fine-tuning in one more draw, by what it took."""
        again = costs[TUNED].again
        return sum(self._spent(TUNED)) + (again[extent.tuned - 1] if again and extent.tuned else 0.0)

    def _spent(self, arm: str) -> list[float]:
        """Seconds of the latest training of every size of an arm."""
        return [seconds for (name, _), seconds in self._seconds.items() if name == arm]

    def _again(self, costs: dict[str, Costs], extent: Extent, draw: int) -> Extent:
        """Decide anew after a draw, by what it took; the largest sizes from scratch go before draws, then draws."""
        tuned, spent = self._later(costs, extent), self._spent(SCRATCH)[: extent.scratch]
        scratch = self._sizes_for_draws(tuned, spent, min(GOOD_DRAWS, len(self.runs)) - draw)
        fits = int(max(0.0, self._left()) / max(1e-9, tuned + sum(spent[:scratch])))
        draws = min(len(self.runs), draw + fits)
        if draws < FEWEST_DRAWS:
            within = int((np.cumsum(spent) <= self._left() - tuned).sum())
            draws, scratch = FEWEST_DRAWS, within if within >= FEWEST_SIZES else 0
        if scratch < extent.scratch:
            self._say_sizes(SCRATCH, scratch, "the first seeds took longer than forecast")
        if draws < extent.draws:
            self.say(f"For lack of time {draws} seeds instead of {extent.draws}.")
        if draws > extent.draws:
            self.say(f"There is time for {draws} seeds after all.")
        return replace(extent, draws=draws, scratch=scratch)

    def _sizes_for_draws(self, tuned: float, spent: Sequence[float], draws: int) -> int:
        """How many sizes from scratch fit into so many more draws, at least three; all where that is hopeless."""
        for sizes in range(len(spent), min(ENOUGH_SIZES, len(spent)) - 1, -1):
            if draws * (tuned + sum(spent[:sizes])) <= self._left():
                return sizes
        return len(spent)

    def _train(self, arm: str, strategy: Strategy, draw: int, size: int, *, cross_validate: bool = False) -> None:
        """Fit one arm on one subset, predict the test part, and note what it took."""
        run, positions = self.runs[draw], self.subsets[draw][size]
        run.progress("learning curve", self._done, self._wanted)
        started, gathered = time.monotonic(), run.features.seconds
        whole = cross_validate or self._checked
        outputs, inside = self._predict(strategy, self.dataset.take(positions), run, cross_validate=whole)
        spent = time.monotonic() - started - (run.features.seconds - gathered)
        if isinstance(strategy, Tuning) and cross_validate and not self._checked:
            spent /= 1 + self._folds_per_training(strategy, len(positions))
        self._seconds[arm, size] = spent
        if draw == 0 and inside is not None:
            self._inside[arm, size] = inside
        fold = Fold(self._y, outputs, len(positions), self._groups, self._where)
        self._folds.setdefault((arm, size), []).append(fold)
        self._done += 1
        run.progress("learning curve", self._done, self._wanted)

    def _predict(
        self, strategy: Strategy, train: Dataset, run: Run, *, cross_validate: bool
    ) -> tuple[NDArray[np.float64], Inside | None]:
        """Return predictions of the test part and, with cross-validation, how it does inside the training part."""
        if isinstance(strategy, Tuning) and not cross_validate:
            return strategy.tune(self.backbone, train, self.task, run=run).outputs(self._test, run=run), None
        fitted = strategy.fit(self.backbone, train, self.task, run=run)
        if isinstance(strategy, Tuning):
            start = strategy.start_from(self.backbone, run=run)
            tuned = Tuned(fitted.model, start, strategy.cut_of(self.backbone), precision=strategy.activations)
            return tuned.outputs(self._test, run=run), Inside.of(fitted)
        features = run.features.features(self.backbone, self._test, view=fitted.model.view)
        return fitted.model.head.outputs(features), Inside.of(fitted)

    def _forecast(self, arm: str, strategy: Tuning, sizes: int) -> Costs:
        """Time a few batches with the most labels, and scale to the other sizes by steps and examples."""
        n, run, test = np.array(self._n[:sizes]), self.runs[0], len(self._where)
        run.progress(f"forecast of {arm}", 0, 1)
        one = forecast(strategy, self.backbone, self.dataset.take(self.subsets[0][sizes - 1]), run=run)
        run.progress(f"forecast of {arm}", 1, 1)
        stepped = np.array([self._examples(strategy, int(each)) for each in n])
        per_example = one.training_seconds / (stepped[-1] + n[-1])
        # Features before and after training, and of the test part, go forward only: about a third of a step.
        training = per_example * (stepped + (2 * n + test) / 3)
        folds = np.array([self._folds_per_training(strategy, int(each)) for each in n])
        training = training * (1 + folds) if self._checked else training
        checking = training * folds if arm == TUNED and not self._checked else np.zeros(sizes)
        gathering, views = one.gathering_seconds / n[-1], strategy.views_of(self.backbone)
        first = checking + gathering * (n + test / views)
        again = gathering * np.array([self._new_per_draw(size) for size in range(sizes)])
        return Costs(*(tuple(values.tolist()) for values in (training, first, again)))

    def _new_per_draw(self, size: int) -> float:
        """How many examples of a size a later draw has that the first has not."""
        first, *later = (draw[size] for draw in self.subsets)
        return float(np.mean([len(np.setdiff1d(each, first)) for each in later]))

    def _examples(self, strategy: Tuning, n: int) -> int:
        """How many examples pass the network in all steps of one training on n."""
        return int(np.prod(strategy.work(n, classes=self.task.n_outputs)))

    def _folds_per_training(self, strategy: Tuning, n: int) -> float:
        """How many trainings on n examples all folds of a cross-validation cost."""
        inside = max(1, n * (TUNING_FOLDS - 1) // TUNING_FOLDS)
        return TUNING_FOLDS * self._examples(strategy, inside) / self._examples(strategy, n)

    def _left(self) -> float:
        return self.deadline - time.monotonic() - SECONDS_TO_DRAW

    def _transfer(self, tuned: int) -> str:
        """Choose the arm that stands for transfer inside the training part, at the most labels that both have."""
        if not tuned:
            return PROBE
        found = {arm: self._inside[arm, tuned - 1] for arm in (PROBE, TUNED)}
        chosen, why = standing(found, kind=self.task.kind, metric=self.runs[0].metric)
        most = f"{self._n[tuned - 1]} {self._unit}"
        self.say(f"Transfer stands for {chosen}: by cross-validation inside the training part with {most} its {why}.")
        return chosen
