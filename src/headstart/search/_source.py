"""With the examples that another data set lends, or without: both are reached, held to the same folds, and measured.

The climb is made twice, on one's own examples alone (the target) and on all. Which model is shipped is decided on inner
folds of the target's training part, by what is more probable: both are trained already. What the source was worth is
then measured where the score is, by the paired difference between the two.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from headstart.backbones import Backbone
from headstart.data import inner_folds
from headstart.errors import BackboneError, BudgetError, DataError, StoreError, TrainingError
from headstart.evaluation import Comparison, Fold, verdict
from headstart.search._first import Tried
from headstart.search._halving import EITHER, Climbed
from headstart.search._ladder import STOPPING, deadline_of_passes
from headstart.search._problem import MIN_OUTER_FOLDS, Problem, Rung, SourceUse, Used
from headstart.search._proof import Measured, compared, guarded
from headstart.search._race import Contender, Race, held_out_by, probing, race, tuning
from headstart.search._scoring import Scored, measure, pretrained
from headstart.strategies import TUNING_FOLDS, Probe, Tuning

ALONE: Final[Used] = "target only"
BOTH: Final[Used] = "source and target"
CHOSEN_ONCE: Final = "Whether the source is used was chosen once, on all examples: the score may be a little too good."


@dataclass(frozen=True)
class Reached:
    """Where one climb led to.

    Attributes:
        problem: What it was made on.
        tried: The first rung on every candidate.
        others: What models without pretraining predict.
        climbed: The best, and what measuring it needs.
    """

    problem: Problem
    tried: Tried
    others: Mapping[str, Measured]
    climbed: Climbed

    @property
    def rungs(self) -> tuple[Rung, ...]:
        """All that was tried, in order."""
        return (*self.tried.rungs, *self.climbed.rungs)

    @property
    def start(self) -> Backbone:
        """The pretrained network chosen."""
        return pretrained(self.problem, self.climbed.best.fitted)


@dataclass(frozen=True)
class Chosen:
    """What is shipped, and the other.

    Attributes:
        reached: What is shipped.
        shipped: What that was trained on.
        why: How it was chosen.
        rungs: All that was tried, on the target alone and on both.
        other: What is not shipped; None where there is no other.
        n: How many examples the source lent.
    """

    reached: Reached
    shipped: Used
    why: str
    rungs: tuple[Rung, ...]
    n: int
    other: Reached | None = None

    @property
    def limits(self) -> tuple[str, ...]:
        """What the choice does to the score."""
        return () if self.other is None or not self.reached.problem.plan.folds else (CHOSEN_ONCE,)


def with_and_without(problem: Problem, reach: Callable[[Problem], Reached]) -> Chosen:
    """Climb on the target alone, then on all examples, and choose.

    Args:
        problem: All examples.
        reach: The climb.

    Returns:
        The choice; the target alone where time, memory or an interrupt allows no more.
    """
    marked = _marked(problem)
    alone = replace(reach(_halved(marked)), problem=marked)
    rungs = tuple(_named(rung) for rung in alone.rungs)
    n = len({problem.dataset.hashes[i] for i in problem.plan.train} - set(alone.problem.dataset.hashes))
    if alone.climbed.interrupted:
        return Chosen(alone, ALONE, "interrupted before it was used", rungs, n)
    found: list[Reached] = []
    hurried = _leaving(problem, alone)

    def climb() -> str:
        try:
            found.append(_in_time(hurried, reach))
        except (BackboneError, BudgetError, DataError, StoreError, TrainingError) as error:
            return error.problem
        return ""

    try:
        failed: str = problem.run.decide("left out: the source", climb)
        if failed:
            problem.run.say(f"The source was left out: {failed}.")
            return Chosen(alone, ALONE, f"left out: {failed}", rungs, n)
        # Reached before an interruption, and in time then: the same again, whatever the time.
        both = found[0] if found else reach(replace(problem, run=replace(problem.run, deadline=None)))
        both = replace(both, problem=problem)
        better = _race(alone, both)
    except KeyboardInterrupt:
        problem.run.say(STOPPING)
        stopped = replace(alone, climbed=replace(alone.climbed, interrupted=True))
        return Chosen(stopped, ALONE, "interrupted before it was used", rungs, n)
    rungs = (*rungs, *both.rungs)
    if better.judgement.answer == "better":
        return Chosen(alone, ALONE, _why(better), rungs, n, both)
    return Chosen(both, BOTH, _why(better), rungs, n, alone)


def measured(reached: Reached) -> Scored:
    """Predict what is scored."""
    climbed = reached.climbed
    reserve = climbed.owed.random + climbed.owed.saving
    return measure(
        reached.problem, reached.tried.fits, climbed.best, reserve=reserve, interruptible=not climbed.interrupted
    )


def compare_other(chosen: Chosen, ours: Sequence[Fold], *, stopped: bool) -> SourceUse:
    """Measure what is not shipped on the same splits, as far as time lasts.

    Args:
        chosen: The choice.
        ours: Predictions of what is shipped.
        stopped: Whether the user wanted it to end here.

    Returns:
        What the source was worth.
    """
    known = SourceUse(chosen.shipped, chosen.n, chosen.why)
    if chosen.other is None or stopped:
        return known
    other, problem = chosen.other, chosen.reached.problem
    name = ALONE if chosen.shipped == BOTH else BOTH
    seconds = sum(rung.seconds for rung in other.rungs)

    def compare() -> dict[str, Comparison]:
        theirs = measured(other).folds
        n = min(len(ours), len(theirs))
        return compared(problem, name, list(ours[:n]), theirs[:n], seconds=seconds)

    needs = _scoring(other) + other.climbed.owed.saving
    try:
        found = guarded(problem, compare, f"the comparison with {name}", needs=needs)
    except KeyboardInterrupt:
        return known
    if not found:
        return known
    better = verdict(found, metric=problem.run.metric)
    helped = better if better is None or chosen.shipped == BOTH else not better
    return replace(known, helped=helped, other=found[name])


def _marked(problem: Problem) -> Problem:
    """Return the problem of the target alone, whose decisions and rungs are told from those on all examples."""
    decide, watch = problem.run.decide, problem.watch

    def prefixed(name: str, choose: Callable[[], Any]) -> Any:
        return decide(f"{ALONE}: {name}", choose)

    run = replace(problem.run, decide=prefixed)
    return replace(problem.alone(), run=run, watch=lambda rung: watch(_named(rung)))


def _halved(problem: Problem) -> Problem:
    """Return the problem with half of the time that is left: the ladder may go on as long as there is any."""
    run = problem.run
    if problem.strategy is not None or run.deadline is None:
        return problem
    return replace(problem, run=replace(run, deadline=(time.monotonic() + run.deadline) / 2))


def _named(rung: Rung) -> Rung:
    return replace(rung, name=f"{rung.name} ({ALONE})")


def _leaving(problem: Problem, alone: Reached) -> Problem:
    """Return the problem with a deadline that leaves time to measure the target alone too."""
    run = problem.run
    if run.deadline is None:
        return problem
    return replace(problem, run=replace(run, deadline=run.deadline - _scoring(alone)))


def _scoring(reached: Reached) -> float:
    """Predict the seconds of scoring: where weights moved, outer folds are trainings."""
    best, plan = reached.climbed.best, reached.problem.plan
    least = MIN_OUTER_FOLDS * best.fitted.seconds if plan.folds and isinstance(best.strategy, Tuning) else 0.0
    return max(least, reached.climbed.owed.scoring)


def _in_time(problem: Problem, reach: Callable[[Problem], Reached]) -> Reached:
    with deadline_of_passes(problem):
        return reach(problem)


def _race(alone: Reached, both: Reached) -> Race:
    """Hold both to the inner folds both know."""
    challenger, best = contender_of(alone), contender_of(both)
    looks = min(known_folds(alone, challenger), known_folds(both, best))
    return race(challenger, best, prior=EITHER, looks=looks, first=looks)


def contender_of(reached: Reached) -> Contender:
    """Return what was reached as something that can be held to inner folds; nothing is trained by this."""
    best, problem = reached.climbed.best, reached.problem
    if best.contender is not None:
        return best.contender
    problem = replace(problem, run=replace(problem.run, deadline=None))
    folds = inner_folds(problem.train, problem.train_y, seed=problem.run.seed, n_splits=TUNING_FOLDS)
    known = held_out_by(best.fitted, folds)
    if isinstance(best.strategy, Tuning):
        assert known
        return Contender(problem, folds, tuning(problem, best.strategy, reached.start), known)
    assert isinstance(best.strategy, Probe)
    return Contender(problem, folds, probing(problem, best.strategy, best.fitted), known)


def known_folds(reached: Reached, contender: Contender) -> int:
    """Count the folds, from the first, that can be looked at without training a network."""
    n, trained = len(contender.folds), isinstance(reached.climbed.best.strategy, Tuning)
    return n - contender.missing(n) if trained else n  # refits of a probe are next to nothing


def _why(found: Race) -> str:
    judgement = found.judgement
    return (
        f"inside training, the gain in {found.compared} by the source is {-judgement.gain:+.3f} ± {judgement.error:.3f}"
    )
