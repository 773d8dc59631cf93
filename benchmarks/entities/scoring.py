"""Precision, recall and F1 of entities, exact in borders and type, and their intervals.

Strict is what seqeval calls so for IOB2: an I- that continues no entity is none. Lenient, as conlleval and seqeval's
default, begins an entity there; tags that are always valid score the same in both.
"""

from collections import Counter
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from sets import Sentence, unit_of

RESAMPLES = 2000
Span = tuple[int, int, str]
Tallies = NDArray[np.int64]  # (sentences, 3): right, spurious, missed


def spans(tags: Sequence[str], *, lenient: bool = False) -> set[Span]:
    """Return start, end and type of the entities that tags mark."""
    found, start, name = set[Span](), 0, ""
    for place, tag in enumerate([*tags, "O"]):
        if name and tag == f"I-{name}":
            continue
        if name:
            found.add((start, place, name))
        begins = tag[0] == "B" or (lenient and tag[0] == "I")
        start, name = place, tag[2:] if begins else ""
    return found


def tally(test: Sequence[Sentence], predicted: Sequence[Sequence[str]], *, lenient: bool = False) -> Tallies:
    """Count the entities right, spurious and missed in every sentence."""
    rows = []
    for sentence, tags in zip(test, predicted, strict=True):
        assert len(tags) == len(sentence.words), "one tag for every word"
        true, found = spans(sentence.tags), spans(tags, lenient=lenient)
        rows.append([len(true & found), len(found - true), len(true - found)])
    return np.array(rows, dtype=np.int64).reshape(-1, 3)


def by_type(test: Sequence[Sentence], predicted: Sequence[Sequence[str]]) -> dict[str, dict[str, float]]:
    """Score every type by itself; `entities` is how many there are."""
    right, spurious, missed = Counter[str](), Counter[str](), Counter[str]()
    for sentence, tags in zip(test, predicted, strict=True):
        true, found = spans(sentence.tags), spans(tags)
        for counter, which in ((right, true & found), (spurious, found - true), (missed, true - found)):
            counter.update(name for _, _, name in which)
    names = sorted({*right, *spurious, *missed})
    return {
        name: {
            **scores(np.array([[right[name], spurious[name], missed[name]]])),
            "entities": right[name] + missed[name],
        }
        for name in names
    }


def scores(tallies: Tallies) -> dict[str, float]:
    """Return F1, precision and recall of all entities together."""
    right, spurious, missed = tallies.sum(axis=0)
    return {
        "f1": float(f1(tallies.sum(axis=0))),
        "precision": float(right / max(1, right + spurious)),
        "recall": float(right / max(1, right + missed)),
    }


def f1(totals: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return F1 of (..., 3) totals; 0 where there is nothing to count."""
    right, spurious, missed = np.moveaxis(totals, -1, 0)
    return np.asarray(2 * right / np.maximum(1, 2 * right + spurious + missed), dtype=np.float64)


def resampled(tallies: Tallies, units: Sequence[int]) -> NDArray[np.float64]:
    """Return F1 of 2,000 test parts drawn again by unit; the same draws for every arm of a test part.

    Args:
        tallies: (..., sentences, 3).
        units: Document of every sentence, or its own number where none is marked (`sets.unit_of`).

    Returns:
        (..., 2000) scores.
    """
    names, unit = np.unique(np.asarray(units), return_inverse=True)
    drawn = np.random.default_rng(0).multinomial(len(names), [1 / len(names)] * len(names), size=RESAMPLES)
    return f1(np.einsum("rs,...sk->...rk", drawn[:, unit].astype(np.float64), tallies.astype(np.float64)))


def interval(values: NDArray[np.float64]) -> list[float]:
    """Return the middle 95 % of resampled values."""
    low, high = np.quantile(values, [0.025, 0.975])
    return [float(low), float(high)]


def scored(test: Sequence[Sentence], predicted: Sequence[Sequence[str]]) -> dict:
    """Return everything a row says about the predictions of an arm."""
    tallies, lenient, units = tally(test, predicted), tally(test, predicted, lenient=True), unit_of(test)
    return {
        **scores(tallies),
        "interval": interval(resampled(tallies, units)),
        "lenient_f1": scores(lenient)["f1"],
        "types": by_type(test, predicted),
        "units": units if test[0].document is not None else None,
        "tallies": tallies.tolist(),
        "lenient_tallies": lenient.tolist(),
    }
