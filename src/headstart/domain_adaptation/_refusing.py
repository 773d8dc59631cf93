"""When not to adapt, and why: the target is no other domain, lacks a class, or seems to be another task.

Without labels of the target none of this can be known, only made likely; the limits are from benchmarks/LOG.md, where
it is also said how often each of them was right. A way that is asked for by name is applied all the same.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, final

import numpy as np

from headstart.domain_adaptation._choosing import CLUSTERED, NONE, Candidate, as_it_is, best, clustering
from headstart.domain_adaptation._gap import Gap
from headstart.domain_adaptation._graph import cohesion, neighbours
from headstart.domain_adaptation._label_shift import shares_interval
from headstart.domain_adaptation._shallow import Pair

RARE: Final = 0.25  # of its share in the source: one of two classes that is rarer seems to be missing
LOOSE: Final = 0.2  # of the median cohesion: answers of a class that hang together less are strays from others
LOST: Final = 0.3  # of what lies between guessing and all right: fewer labels find the way there and back
FEW_BACK: Final = 0.5  # the same, where most of the target is like nothing in the source
MOSTLY: Final = 0.4  # of the target; then it counts as far away


@final
@dataclass(frozen=True, eq=False)
class Decision:
    """Which head to ship.

    Attributes:
        chosen: The candidate.
        refused: Whether it is the head as it is although another looked better, or nothing was looked at.
        reason: Why, in a sentence.
        missing: Numbers of the classes that seem to be missing from the target.
    """

    chosen: Candidate
    refused: bool
    reason: str
    missing: tuple[int, ...] = ()


def decide(pair: Pair, found: Sequence[Candidate], gap: Gap, *, classes: Sequence[str], unread: str = "") -> Decision:
    """Choose among candidates, or refuse to adapt.

    Args:
        pair: Source and target.
        found: What `headstart.domain_adaptation.candidates` returned.
        gap: Between the two.
        classes: Names of the classes, for the reason.
        unread: Why the network cannot read the target, where that is known.

    Returns:
        The decision.
    """
    plain = as_it_is(found)
    top = best(found)
    if gap.within_noise:
        return Decision(plain, refused=True, reason=_no_gap(gap))
    if unread:
        return Decision(plain, refused=True, reason=f"{unread} Take a network that knows it.")
    missing = missing_classes(pair, top, plain)
    if missing:
        names = ", ".join(repr(classes[number]) for number in missing)
        why = f"The target seems to have none of {names}: adapting would find some all the same."
        return Decision(plain, refused=True, reason=why, missing=missing)
    if why := _another_task(plain, gap, pair) or _unlike(gap, pair):
        return Decision(plain, refused=True, reason=why)
    if top is plain:
        return Decision(plain, refused=False, reason=_no_better(found))
    why = (
        f"With {top.name} the answers follow the target's own structure better "
        f"(modularity {top.modularity:.3f}, without {plain.modularity:.3f}; probability of a gain {top.better:.2f})."
    )
    return Decision(top, refused=False, reason=why)


def missing_classes(pair: Pair, top: Candidate, plain: Candidate) -> tuple[int, ...]:
    """Name the classes that seem to be missing from the target.

    One of two classes is, where its share by maximum likelihood is far below that in the source, its interval
    included; one of several, where the answers of that class are strays among those of others. Of words nothing is
    said: most tags are rare in any domain.

    Args:
        pair: Source and target.
        top: The candidate that would be shipped.
        plain: The head as it is.

    Returns:
        Class numbers.
    """
    if pair.words:
        return ()
    present = np.flatnonzero(np.bincount(pair.y, minlength=pair.n_classes))
    if len(present) == 2:
        _, high = shares_interval(plain.predicted, pair.shares, seed=pair.seed)
        return tuple(int(number) for number in present if high[number] < RARE * pair.shares[number])
    if top is plain:
        return ()
    labels = top.predicted.argmax(axis=1)
    held = cohesion(labels, neighbours(pair.target, groups=pair.groups[1]), n_classes=pair.n_classes)[present]
    return tuple(int(number) for number in present[held < LOOSE * float(np.median(held))])


def _another_task(plain: Candidate, gap: Gap, pair: Pair) -> str:
    """Say that the source's labels do not find the way to the target and back, if so."""
    if plain.back is None:
        return ""
    chance = 1 / len(np.unique(pair.y))
    found, unlike = (plain.back - chance) / (1 - chance), len(gap.unlike) / len(pair.target)
    if not (found < LOST or (found < FEW_BACK and unlike > MOSTLY)):
        return ""
    return (
        f"Labels that the source gives the target do not lead back: {plain.back:.0%} of the source's come out right, "
        f"by chance {chance:.0%}, and {unlike:.0%} of the target is like nothing in the source. "
        "Is it the same task? If so, label a few of the target."
    )


def _unlike(gap: Gap, pair: Pair) -> str:
    """Say that nothing tells whether answers are right: far away, and classes are no clusters even in the source."""
    unlike = len(gap.unlike) / len(pair.target)
    if unlike <= MOSTLY or (held := clustering(pair)) >= CLUSTERED:
        return ""
    return (
        f"{unlike:.0%} of the target is like nothing in the source, and classes are no clusters even there ({held:.2f} "
        f"of 1, {CLUSTERED} wanted): nothing tells whether answers are right. Is it the same task? If so, label some."
    )


def _no_gap(gap: Gap) -> str:
    low, high = gap.interval.low, gap.interval.high
    return (
        "Source and target cannot be told apart "
        f"(AUC {gap.auc:.2f} [{low:.2f}, {high:.2f}], p {gap.mmd_p:.2f}): nothing to adapt to."
    )


def _no_better(found: Sequence[Candidate]) -> str:
    tried = ", ".join(each.name for each in found if each.name != NONE) or "none was left to look at"
    return (
        f"No way of adapting ({tried}) follows the target's own structure better, beyond noise, than the head as it is."
    )
