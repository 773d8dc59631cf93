"""Successive halving: all candidates take the first rung, the best two the next ones, and one of these the rest.

Which network is best after fine-tuning cannot be read off frozen features alone, and trying every rung on every network
costs too much. So half of what is left is given up at each stage (Jamieson and Talwalkar, AISTATS 2016, with three
stages and the ladder's rungs as the resource). Once one of the two finalists has climbed, they are held to the same
folds, and the one with the lower held-out loss on those both know goes on; where neither has, the first rung has chosen
already. What each of them reached at each rung is told, so the choice can be checked.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from headstart.search._first import Tried
from headstart.search._judging import Prior
from headstart.search._ladder import STOPPING, Best, Climb
from headstart.search._owed import Owed
from headstart.search._problem import Problem, Rung
from headstart.search._race import Race, race
from headstart.search._rungs import steps_above
from headstart.search._scoring import pretrained

FINALISTS: Final = 2
# Both are trained already, so neither needs to be better beyond noise: what is more probable than not is taken.
EITHER: Final = Prior(confidence=0.5)


@dataclass(frozen=True)
class Climbed:
    """Where the climb ended.

    Attributes:
        best: What was reached.
        owed: What measuring, proving and saving it needs.
        rungs: What was tried above the first rung.
        notes: What was left out, and how the finalists compare.
        interrupted: Whether the user wanted it to end here.
    """

    best: Best
    owed: Owed
    rungs: Sequence[Rung] = ()
    notes: Sequence[str] = ()
    interrupted: bool = False


def climb_finalists(problem: Problem, tried: Tried, owed: Owed) -> Climbed:
    """Climb the rungs that usually pay from each finalist, and the others from the better of them.

    Args:
        problem: The data.
        tried: The first rung on every candidate.
        owed: What the best of them still needs.

    Returns:
        The best, and all that was tried.
    """
    ladders, notes = list[Climb](), list[str]()
    usual = replace(problem, effort="usual")
    for fit in sorted(tried.fits, key=lambda fit: fit.loss)[:FINALISTS]:
        ladder = Climb(problem, fit, owed=replace(owed, backbone=pretrained(problem, fit)))
        ladders.append(ladder)
        ladder.run(steps_above(usual, ladder.start))
        if ladder.interrupted:
            break
    winner = ladders[0]
    # Where neither has climbed, the first rung has chosen already, on more folds.
    if len(ladders) == FINALISTS and any(rung.accepted for ladder in ladders for rung in ladder.rungs):
        try:
            winner, note = _better(*ladders)
            notes.append(note)
        except KeyboardInterrupt:
            problem.run.say(STOPPING)
            ladders[-1].interrupted = True
    if problem.effort == "more" and not ladders[-1].interrupted:
        done = len(steps_above(usual, winner.start))
        winner.run(steps_above(problem, winner.start)[done:])
    return Climbed(
        best=winner.best,
        owed=replace(owed, backbone=winner.start),
        rungs=[rung for ladder in ladders for rung in ladder.rungs],
        notes=[*(note for ladder in ladders for note in ladder.notes), *notes],
        interrupted=any(ladder.interrupted for ladder in ladders),
    )


def _better(first: Climb, second: Climb) -> tuple[Climb, str]:
    """Choose between two climbs by the held-out loss on folds both know, and say how it was chosen."""
    ours, theirs = first.best.contender, second.best.contender
    assert ours is not None
    assert theirs is not None
    looks = min(first.known, second.known)
    found = race(theirs, ours, prior=EITHER, looks=looks, first=looks)  # both know these folds: no reason to stop early
    winner, loser = (second, first) if found.judgement.answer == "better" else (first, second)
    return winner, _comparison(winner, loser, found, turned=winner is first)


def _comparison(winner: Climb, loser: Climb, found: Race, *, turned: bool) -> str:
    gain = -found.judgement.gain if turned else found.judgement.gain
    better = "lower loss" if found.compared == "loss" else f"higher {found.compared}"
    return (
        f"Chosen: {winner.best.strategy} on {winner.start.name}, not {loser.best.strategy} on {loser.start.name}: "
        f"{gain:+.3f} ± {found.judgement.error:.3f} {better} on the same held-out items."
    )
