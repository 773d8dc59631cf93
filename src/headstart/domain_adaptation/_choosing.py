"""Choosing how to adapt without a label of the target.

Two figures say how good the answers of an adapted head may be:

* their **modularity** on the neighbours among the target's examples (`headstart.domain_adaptation._graph`), which
  decides. On 70 pairs of domains (reviews, tweets, spoken digits, pictures; benchmarks/LOG.md) it found most of what
  there was to gain;
* the share of the source's labels that come out right on the **way there and back** (Bruzzone & Marconcini, Domain
  adaptation problems: a DASVM classification technique and a circular validation strategy, 2010, section IV):
  adapt to the target, label it, adapt back from those labels. On deep features what moves the source the most comes
  back the best, right or wrong: choosing by it lost accuracy on two of the sets. So it only tells, for the head as
  it is, whether both domains are one task.

To adapt at all, the gain in modularity over the head of the source as it is must be beyond noise.

Labelling the target by its own clusters (`prototypes`) raises modularity whatever the truth. It is a candidate only
where classes are clusters in the source, where that can be looked up.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final, Literal, final

import numpy as np

from headstart.domain_adaptation._alignment import Double, Integers
from headstart.domain_adaptation._graph import modularity, neighbours
from headstart.domain_adaptation._shallow import METHODS, MOVING, WEIGHING, Method, Pair, strength_of
from headstart.linear import LinearModel

NONE: Final = "none"
CONFIDENCE: Final = 0.95  # one-sided, as rungs of the ladder have it
RESAMPLES: Final = 500
MOST: Final = 4000  # examples of a domain on the graph
CLUSTERED: Final = 0.6  # modularity of the source's labels, of what it can be; below, prototypes mostly do harm


@final
@dataclass(frozen=True, eq=False)
class Candidate:
    """A way to adapt, and what can be said of it without labels of the target.

    Attributes:
        name: Of the way, as in `METHODS`.
        head: Reads features of the target.
        predicted: Its probabilities on the target, (M, C).
        modularity: Of its answers, among neighbours.
        better: Probability that its modularity is above that of the head as it is; 0.5 for that head itself.
        back: Balanced share of the source's labels that come out right on the way there and back; None where that was
            not walked.
    """

    name: str
    head: LinearModel
    predicted: Double
    modularity: float
    better: float
    back: float | None


def automatic(pair: Pair) -> tuple[str, ...]:
    """Name the ways that are chosen among: `MOVING`, and `prototypes` where classes are clusters in the source.

    On words these are `WEIGHING`.

    Args:
        pair: Source and target.

    Returns:
        Names from `METHODS`.
    """
    if pair.words:
        return WEIGHING
    return (*MOVING, "prototypes") if clustering(pair) >= CLUSTERED else MOVING


def clustering(pair: Pair) -> float:
    """Return how far the source's labels follow its own neighbours.

    Args:
        pair: Source and target.

    Returns:
        Their modularity over the highest that classes of such shares can have, 1 - sum of squared shares; up to 1.
    """
    chosen = np.sort(np.random.default_rng(pair.seed).permutation(len(pair.y))[:MOST])
    groups, y = pair.groups[0], pair.y[chosen]
    nearest = neighbours(pair.source[chosen], groups=None if groups is None else groups[chosen])
    shares = np.bincount(y, minlength=pair.n_classes) / len(y)
    highest = 1 - float(shares @ shares)
    return float(modularity(y, nearest, n_classes=pair.n_classes)[0]) / highest if highest > 0 else 0.0


def candidates(
    pair: Pair,
    names: Sequence[str] | None = None,
    *,
    strength: float | None = None,
    ways_back: Literal["none", "all"] = "none",
) -> tuple[Candidate, ...]:
    """Adapt in several ways, and judge each.

    Args:
        pair: Source and target; examples of a group are no neighbours.
        names: Of ways, `automatic` ones where None; ``none`` is always among them.
        strength: Of the penalty of all heads; chosen by the source's held-out loss where None.
        ways_back: Whose way back is walked: that of the head as it is, which `decide` asks for, or of all.

    Returns:
        The candidates, the head as it is first.
    """
    judge, strength = _Judge.of(pair), strength_of(pair) if strength is None else strength
    names = automatic(pair) if names is None else names
    wanted = [NONE, *(name for name in dict.fromkeys(names) if name != NONE)]
    found = [_candidate(name, pair, strength, back=ways_back == "all" or name == NONE) for name in wanted]
    draws = [judge.modularity(each.predicted.argmax(axis=1)) for each in found]
    return tuple(_judged(each, own, draws[0]) for each, own in zip(found, draws, strict=True))


def joined(
    found: Sequence[Candidate], pair: Pair, others: Mapping[str, tuple[LinearModel, Double]]
) -> tuple[Candidate, ...]:
    """Judge heads that were made elsewhere, on features of their own, beside those that are there.

    Args:
        found: What `candidates` returned.
        pair: Source and target, under the frozen network: all are judged on its neighbours.
        others: By name, heads and their probabilities on the target, (M, C).

    Returns:
        All candidates.
    """
    if not others:
        return tuple(found)
    judge = _Judge.of(pair)
    plain = judge.modularity(found[0].predicted.argmax(axis=1))
    made = [Candidate(name, head, p, modularity=0.0, better=0.5, back=None) for name, (head, p) in others.items()]
    return (*found, *(_judged(each, judge.modularity(each.predicted.argmax(axis=1)), plain) for each in made))


def as_it_is(found: Sequence[Candidate]) -> Candidate:
    """Return the head of the source as it is, which is always among candidates."""
    return next(each for each in found if each.name == NONE)


def best(found: Sequence[Candidate]) -> Candidate:
    """Choose: the highest modularity, where its gain over the head as it is lies beyond noise.

    Args:
        found: What `candidates` returned.

    Returns:
        The choice; the head as it is in doubt.
    """
    plain = as_it_is(found)
    top = max(found, key=lambda each: each.modularity)
    return top if top.better >= CONFIDENCE else plain


@dataclass(frozen=True, eq=False)
class _Judge:
    """The graph of some of the target, and how its examples are drawn again."""

    chosen: Integers
    nearest: Integers
    weights: Double
    n_classes: int

    @classmethod
    def of(cls, pair: Pair) -> "_Judge":
        generator, n, groups = np.random.default_rng(pair.seed), len(pair.target), pair.groups[1]
        chosen = np.sort(generator.permutation(n)[:MOST])
        units = np.arange(len(chosen)) if groups is None else np.unique(groups[chosen], return_inverse=True)[1]
        nearest = neighbours(pair.target[chosen], groups=units)
        units = units if units.any() else np.arange(len(chosen))
        several = int(units.max()) + 1
        counts = generator.multinomial(several, np.full(several, 1 / several), size=RESAMPLES)[:, units]
        weights = np.vstack([np.ones(len(chosen)), counts])
        return cls(chosen, nearest, weights / np.maximum(weights.sum(axis=1, keepdims=True), 1), pair.n_classes)

    def modularity(self, labels: Integers) -> Double:
        """Of labels of all target examples: the value, then that of every resample."""
        return modularity(labels[self.chosen], self.nearest, n_classes=self.n_classes, weights=self.weights)


def _candidate(name: str, pair: Pair, strength: float, *, back: bool) -> Candidate:
    method = METHODS[name]()
    head = method.fit(pair, strength=strength)
    predicted = head.probabilities(pair.target)
    right = _back(method, pair, predicted.argmax(axis=1), strength) if back else None
    return Candidate(name, head, predicted, modularity=0.0, better=0.5, back=right)


def _back(method: Method, pair: Pair, labels: Integers, strength: float) -> float:
    """Adapt back from labels of the target, and see how much of the source comes out right."""
    head = method.fit(pair.turned(labels), strength=strength)
    right = head.probabilities(pair.source).argmax(axis=1) == pair.y
    return float(np.mean([right[pair.y == number].mean() for number in np.unique(pair.y)]))


def _judged(candidate: Candidate, own: Double, plain: Double) -> Candidate:
    gains = own[1:] - plain[1:]
    better = 0.5 if candidate.name == NONE else float((gains > 0).mean() + 0.5 * (gains == 0).mean())
    return replace(candidate, modularity=float(own[0]), better=better)
