"""The climb: from the probe to deeper adaptation, one rung at a time, while the gain is real and time lasts."""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from math import ceil, inf
from typing import Final, final

from headstart.backbones import Backbone
from headstart.data import inner_folds
from headstart.engine import free_memory
from headstart.errors import BackboneError, BudgetError, DataError, StoreError, TrainingError
from headstart.evaluation import metric_name
from headstart.search._owed import CAUTION, Owed
from headstart.search._problem import MIN_OUTER_FOLDS, Problem, Rung
from headstart.search._race import Contender, Race, held_out_by, probing, race, tuning, unmeasured
from headstart.search._rungs import Step
from headstart.strategies import (
    TUNING_FOLDS,
    Fitted,
    Probe,
    Strategy,
    Temperature,
    Tuned,
    Tuning,
    forecast,
)

STOPPING: Final = "Stopping here; the best so far will be measured and saved. Press Ctrl-C again to stop at once."
LATE: Final = " s are left"  # how a reason ends that more time would mend
SHARES: Final = (0.5, 0.25)  # of the steps
FEWEST_STEPS: Final = 60
AS_IT_IS: Final = Temperature()


@dataclass(frozen=True)
class Best:
    """The best rung so far: a usable model, and how it does on held-out folds.

    Attributes:
        fitted: Model and settings.
        strategy: How it was made.
        contender: Its held-out predictions.
        tuned: The trained network where weights moved.
        temperature: Of its scores.
    """

    fitted: Fitted
    strategy: Strategy
    contender: Contender | None
    tuned: Tuned | None = None
    temperature: Temperature = AS_IT_IS


@dataclass(frozen=True)
class Expected:
    """The most a rung may take, and what scoring it costs afterwards where there is no test part."""

    seconds: float
    megabytes: float
    scoring_seconds: float = 0.0


@dataclass
class Attempt:
    """A rung being tried: what was expected of it, and what is known so far."""

    step: Step
    started: float = field(default_factory=time.monotonic)
    expected: Expected | None = None
    race: Race | None = None


@final
class Climb:
    """One climb from a fitted probe.

    Args:
        problem: The data.
        first: The probe that was fitted; folds on which all rungs are compared are cut here.
        owed: Predicts what scoring, proof and saving still need.
    """

    def __init__(self, problem: Problem, first: Fitted, *, owed: Owed) -> None:
        self.problem, self._owed = problem, owed
        self.ended = False
        self.folds = inner_folds(problem.train, problem.train_y, seed=problem.run.seed, n_splits=TUNING_FOLDS)
        known = held_out_by(first, self.folds)
        self.best = Best(first, Probe(), Contender(problem, self.folds, probing(problem, Probe(), first), known))
        self.rungs: list[Rung] = []
        self.notes: list[str] = []
        self.interrupted = False

    @property
    def start(self) -> Backbone:
        """The pretrained network, also where the best so far has moved its weights."""
        return self.best.tuned.start if self.best.tuned else self.best.fitted.model.backbone

    @property
    def known(self) -> int:
        """How many of the folds, from the first, the best so far can be compared on without training it again."""
        assert self.best.contender is not None
        trains = isinstance(self.best.strategy, Tuning)  # refits of a probe are next to nothing
        return len(self.folds) - (self.best.contender.missing(len(self.folds)) if trains else 0)

    def run(self, steps: Sequence[Step]) -> Best:
        """Try the rungs in order until one does not pay; an interrupt keeps the best so far.

        Called again with further rungs it goes on, unless it has ended.
        """
        for step in steps:
            if self.ended:
                break
            attempt = Attempt(step)
            try:
                accepted = self._try(attempt)
            except KeyboardInterrupt:
                self._stop(attempt)
                break
            self.ended = not accepted and isinstance(step.strategy, Tuning)
        return self.best

    def _stop(self, attempt: Attempt) -> None:
        """Say how an interrupted climb goes on."""
        self.problem.run.say(STOPPING)
        self.interrupted = self.ended = True
        attempt.race = None
        self._report(attempt, accepted=False, reason="interrupted")
        self.notes.append(f"Interrupted at {attempt.step.strategy}: the best so far is kept.")

    def _try(self, attempt: Attempt) -> bool:
        """Predict, cross-validate as far as needed, and train the rung if it is better."""
        if why_not := self._why_none_fits(attempt):
            return self._refuse(attempt, f"not tried: {why_not}")
        decide, name = self.problem.run.decide, f"{attempt.step.strategy} on {self.start.name}"
        self._announce(attempt)
        found: list[Best | None] = []

        def measure() -> str:
            try:
                found.append(self._measure(attempt, self._hurried(attempt)))
            except (BackboneError, BudgetError, DataError, StoreError, TrainingError) as error:
                return error.problem
            return ""

        failed: str = decide(f"given up: {name}", measure)
        if failed:
            return self._refuse(attempt, f"given up: {failed}")
        if not found:  # tried before an interruption, and in time then: the same again, whatever the time
            found.append(self._measure(attempt, replace(self.problem, run=replace(self.problem.run, deadline=None))))
        better = found[0]
        assert attempt.race is not None
        self.best = better or self.best
        self._report(attempt, accepted=better is not None, reason=_reason(attempt.race, attempt.step))
        return better is not None

    def _announce(self, attempt: Attempt) -> None:
        """Say what the rung may take before it starts; where it is replayed, that was said."""
        if attempt.expected is not None:
            seconds, megabytes = ceil(attempt.expected.seconds), ceil(attempt.expected.megabytes)
            self.problem.run.announce(f"{attempt.step.strategy}: up to {seconds} s and {megabytes:,} MB expected.")

    def _refuse(self, attempt: Attempt, reason: str) -> bool:
        attempt.race = None
        self._report(attempt, accepted=False, reason=reason)
        return False

    def _why_none_fits(self, attempt: Attempt) -> str:
        """Say why a rung cannot be tried, or nothing; where all its steps take too long, it is tried with fewer."""
        run, whole, first = self.problem.run, attempt.step, ""
        expected: Expected | None = None
        for step in self._ever_shorter(whole):
            attempt.step = step
            name = f"{step.strategy} on {self.start.name}"
            why_not: str = run.decide(f"left out: {name}", lambda: self._why_not(attempt))
            if not why_not:
                if first:
                    run.say(f"{whole.strategy}: {first}. So it is tried with fewer steps.")
                return ""
            first, expected = first or why_not, expected or attempt.expected
            if not why_not.endswith(LATE):
                break
        attempt.step, attempt.expected = whole, expected
        return first

    def _ever_shorter(self, step: Step) -> Iterator[Step]:
        """Yield a rung as it is, then with ever fewer steps, as long as these are worth taking."""
        yield step
        if not isinstance(step.strategy, Tuning):
            return
        steps = step.strategy.work(len(self.problem.own_train), classes=self.problem.task.n_outputs)[0]
        for share in SHARES:
            if steps * share >= FEWEST_STEPS:
                fewer: Tuning = replace(step.strategy, steps=round(steps * share))  # type: ignore[type-var]  # a dataclass
                yield replace(step, strategy=fewer)

    def _why_not(self, attempt: Attempt) -> str:
        """Say why a rung cannot be tried, or nothing."""
        run, strategy = self.problem.run, attempt.step.strategy
        if run.deadline is not None and time.monotonic() + self._owed.all > run.deadline:
            return "no time is left"  # a forecast takes seconds too
        free = free_memory(str(self.start.device))  # and memory, which this process keeps for what follows
        try:
            if isinstance(strategy, Tuning):
                strategy.cut_of(self.best.fitted.model.backbone)
            attempt.expected = self._expect(attempt.step)
        except (BackboneError, TrainingError) as error:
            return error.problem
        if free is not None and attempt.expected.megabytes > free:
            return f"it may take {attempt.expected.megabytes:,.0f} MB of memory and {free:,.0f} MB are free"
        if run.deadline is None:
            return ""
        left = run.deadline - time.monotonic() - self._owed.all - attempt.expected.scoring_seconds
        if attempt.expected.seconds > left:
            return f"it may take {attempt.expected.seconds:.0f} s and {max(0.0, left):.0f}{LATE}"
        return ""

    def _expect(self, step: Step) -> Expected:
        """Predict the most a rung may take: all folds, those that the best lacks among them, and the final training."""
        catching_up = self._catching_up()
        if isinstance(step.strategy, Probe):
            missing = step.strategy.missing(self.start, self.problem.train, run=self.problem.run)
            seconds = CAUTION * (missing * self._owed.per_item + 2 * step.strategy.views * self._owed.probe_seconds)
            return Expected(catching_up + seconds, missing * self.start.num_features * 4 / 2**20, 0.0)
        assert isinstance(step.strategy, Tuning)
        one = forecast(step.strategy, self.start, self.problem.train, run=self.problem.run)
        trainings, outer = len(self.folds) + 1, MIN_OUTER_FOLDS if self.problem.plan.folds else 0
        return Expected(
            seconds=catching_up + one.gathering_seconds + trainings * one.training_seconds,
            megabytes=one.megabytes,
            scoring_seconds=outer * one.training_seconds,
        )

    def _catching_up(self) -> float:
        """Predict the trainings of the best on folds that it was accepted without."""
        missing = len(self.folds) - self.known
        if not missing:
            return 0.0
        assert isinstance(self.best.strategy, Tuning)
        one = forecast(self.best.strategy, self.start, self.problem.train, run=self.problem.run)
        return missing * one.training_seconds

    def _hurried(self, attempt: Attempt) -> Problem:
        """Return the problem with a deadline that leaves time for what follows the rung."""
        run = self.problem.run
        if run.deadline is None:
            return self.problem
        scoring = attempt.expected.scoring_seconds if attempt.expected else 0.0
        return replace(self.problem, run=replace(run, deadline=run.deadline - self._owed.all - scoring))

    def _measure(self, attempt: Attempt, problem: Problem) -> Best | None:
        """Hold a rung to the folds, and train it where it is better; frozen passes keep the problem's deadline too."""
        with deadline_of_passes(problem):
            if isinstance(attempt.step.strategy, Probe):
                return self._measure_probe(attempt, problem, attempt.step.strategy)
            assert isinstance(attempt.step.strategy, Tuning)
            return self._measure_tuning(attempt, problem, attempt.step.strategy)

    def _measure_probe(self, attempt: Attempt, problem: Problem, strategy: Probe) -> Best | None:
        fitted = strategy.fit(self.start, problem.train, problem.task, run=problem.run)
        probe = Contender(problem, self.folds, probing(problem, strategy, fitted))
        return Best(fitted, strategy, probe) if self._wins(attempt, probe) else None

    def _measure_tuning(self, attempt: Attempt, problem: Problem, strategy: Tuning) -> Best | None:
        strategy.gather(self.start, problem.train, run=problem.run)
        contender = Contender(problem, self.folds, tuning(problem, strategy, self.start))
        if not self._wins(attempt, contender):
            return None
        assert attempt.race is not None
        temperature = attempt.race.temperature
        tuned = strategy.tune(self.start, problem.train, problem.task, run=problem.run).cooled(temperature)
        loss, values = attempt.race.fold_scores()
        chosen = {**tuned.chosen, "temperature": temperature.value}
        return Best(Fitted(tuned.model, loss, values, chosen, tuned.seconds), strategy, contender, tuned, temperature)

    def _wins(self, attempt: Attempt, contender: Contender) -> bool:
        """Race against the best so far."""
        assert self.best.contender is not None
        attempt.race = race(contender, self.best.contender, prior=attempt.step.prior, looks=len(self.folds))
        return attempt.race.judgement.answer == "better"

    def _report(self, attempt: Attempt, *, accepted: bool, reason: str) -> None:
        value, interval = attempt.race.score() if attempt.race else (None, unmeasured(self.problem))
        rung = Rung(
            name=f"{attempt.step.strategy} {self.start.name}",
            strategy=str(attempt.step.strategy),
            backbone=self.start.name,
            value=value,
            interval=interval,
            seconds=self._seconds(attempt),
            accepted=accepted,
            reason=reason,
            predicted_seconds=attempt.expected.seconds if attempt.expected else None,
            predicted_megabytes=attempt.expected.megabytes if attempt.expected else None,
        )
        self.rungs.append(rung)
        self.problem.watch(rung)

    def _seconds(self, attempt: Attempt) -> float:
        """Return what the rung took, in the process that tried it first: a later one finds its trainings done."""
        spent = time.monotonic() - attempt.started
        if self.interrupted:  # it is not finished, and a later process tries it again
            return spent
        seconds: float = self.problem.run.decide(
            f"seconds of {attempt.step.strategy} on {self.start.name}", lambda: spent
        )
        return seconds


@contextmanager
def deadline_of_passes(problem: Problem) -> Iterator[None]:
    """Have frozen passes end in time too; how far they may go is kept where features come from."""
    features = problem.run.features
    before, features.deadline = features.deadline, problem.run.deadline
    try:
        yield
    finally:
        features.deadline = before


def _reason(race: Race, step: Step) -> str:
    """Say how a race ended, with the wanted metric of both on the items looked at."""
    judgement, compared = race.judgement, _compared(race)
    how_sure = f"gain in {race.compared} {judgement.gain:+.3f} ± {judgement.error:.3f}{compared}"
    if judgement.answer != "better":
        return f"not better beyond noise: {how_sure}"
    if judgement.prior.spread < inf:
        return f"better with probability {judgement.probability:.2f}: {how_sure}; {step.why}"
    return f"better: {how_sure}"


def _compared(race: Race) -> str:
    """Say the wanted metric of the best so far and of the challenger, where it is defined for both."""
    before, after = race.values()
    if before is None or after is None:
        return ""
    form = ".3f" if max(abs(before), abs(after)) <= 1 else ".4g"
    name = metric_name(race.contender.problem.run.metric)
    return f"; {name} {before:{form}} to {after:{form}} on the same {race.n:,} items"
