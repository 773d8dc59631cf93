"""A few labels of the target: which of them tell the most, and what they say.

Where the head as it is and its best rival agree, no label can tell which is better. So labels are asked for where they
differ, drawn at random from all such examples: what they then say of the difference in accuracy is right on average,
which it would not be for examples chosen by their doubt.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final, final

import numpy as np

from headstart.domain_adaptation._alignment import Integers
from headstart.domain_adaptation._choosing import NONE, Candidate, as_it_is
from headstart.domain_adaptation._refusing import Decision

CHANCE: Final = 0.05  # one-sided: so rarely may a coin that is tossed for each label say as much for adapting
DOUBT: Final = 0.2  # and against it: less is asked of what keeps from harm; a bare majority turned right choices too


@final
@dataclass(frozen=True)
class Asked:
    """What labels of the target say.

    Attributes:
        n: How many were given.
        rival: The candidate that the head as it is was compared with.
        better: Of the examples on which the two differ, where the rival is right and the head as it is wrong.
        worse: The other way round.
        gain: Difference in accuracy on the whole target by estimate, with its 95 % limits; None where no label tells
            the two apart.
    """

    n: int
    rival: str
    better: int
    worse: int
    gain: tuple[float, float, float] | None


def rival(found: Sequence[Candidate]) -> Candidate:
    """Return what the head as it is should be compared with: of the others that of the highest modularity.

    Args:
        found: At least two candidates.

    Returns:
        The rival; the head as it is where it is alone.
    """
    others = [each for each in found if each.name != NONE]
    return max(others, key=lambda each: each.modularity) if others else found[0]


def worth_asking(found: Sequence[Candidate], n: int, *, seed: int, known: Integers | None = None) -> Integers:
    """Choose examples of the target whose labels would tell the most about whether to adapt.

    Args:
        found: Candidates.
        n: How many.
        seed: Of the draw.
        known: Positions of examples whose labels are known: they are not asked for again.

    Returns:
        Positions in the target: a draw of those on which the head as it is and its rival differ, in the order drawn, so
        that the first few are a fair draw too; then, where these are too few, those on which the two are the least
        sure.
    """
    plain, other = as_it_is(found).predicted, rival(found).predicted
    differ = np.flatnonzero(plain.argmax(axis=1) != other.argmax(axis=1))
    done = np.empty(0, dtype=np.intp) if known is None else known
    drawn = np.random.default_rng(seed).permutation(differ)
    drawn = drawn[~np.isin(drawn, done)][:n]
    top = np.sort(plain + other, axis=1)[:, -2:]
    unsure = np.argsort(top[:, 1] - top[:, 0], kind="stable")
    rest = unsure[~np.isin(unsure, differ) & ~np.isin(unsure, done)]
    return np.concatenate([drawn, rest[: n - len(drawn)]]).astype(np.intp)


def after_asking(
    decision: Decision, found: Sequence[Candidate], rows: Integers, y: Integers, *, fixed: bool = False
) -> tuple[Decision, Asked]:
    """Look at labels of the target, and decide again.

    Labels can turn a decision, by a sign test: against adapting where the rival errs oftener than the head as it is, as
    a coin would say it in fewer than one of five cases, and for it where it is right oftener beyond chance (one of
    twenty), whatever spoke against it before.

    Args:
        decision: As it was without them.
        found: Candidates.
        rows: Positions in the target, (L,).
        y: Their class numbers, (L,).
        fixed: The way was asked for by name: what the labels say is added to the reason, and turns nothing.

    Returns:
        The decision, and what the labels say.
    """
    plain, other = as_it_is(found), _compared(decision, found)
    said = _count(plain, other, rows, y)
    better, worse = said.better, said.worse
    told = (
        f"of {said.n} labelled examples, {other.name} is right on {better} where the head as it is errs, and errs on "
        f"{worse} where that is right"
    )
    if fixed:
        return replace(decision, reason=f"{decision.reason} And {told}."), said
    if decision.chosen is plain and better and _by_chance(better, worse) < CHANCE:
        return Decision(other, refused=False, reason=f"{told[0].upper()}{told[1:]}."), said
    if decision.chosen is not plain and worse and _by_chance(worse, better) < DOUBT:
        return Decision(plain, refused=True, reason=f"{told[0].upper()}{told[1:]}."), said
    return replace(decision, reason=f"{decision.reason} And {told}."), said


def _by_chance(more: int, less: int) -> float:
    """Return how often a fair coin, tossed for each of both, would fall on the first side at least so often."""
    from scipy import stats  # takes seconds, and only labels of the target need it

    return float(stats.binomtest(more, more + less, alternative="greater").pvalue)


def _compared(decision: Decision, found: Sequence[Candidate]) -> Candidate:
    return rival(found) if decision.chosen.name == NONE else decision.chosen


def _count(plain: Candidate, other: Candidate, rows: Integers, y: Integers) -> Asked:
    """Count labels, and estimate the difference on the whole target from those on which the two differ."""
    every = plain.predicted.argmax(axis=1), other.predicted.argmax(axis=1)
    here, there = (answers[rows] for answers in every)
    differ, share = here != there, float((every[0] != every[1]).mean())
    better, worse = int(((there == y) & differ).sum()), int(((here == y) & differ).sum())
    return Asked(len(rows), other.name, better, worse, _gain(better, worse, int(differ.sum()), share))


def _gain(better: int, worse: int, n: int, share: float) -> tuple[float, float, float] | None:
    """Estimate share * (P(better) - P(worse)), with limits of 97.5 % of either probability (Clopper and Pearson)."""
    if not n:
        return None
    from scipy import stats

    wins, losses = (stats.binomtest(count, n).proportion_ci(0.975) for count in (better, worse))
    low, high = float(wins.low) - float(losses.high), float(wins.high) - float(losses.low)
    return share * (better - worse) / n, share * low, share * high
