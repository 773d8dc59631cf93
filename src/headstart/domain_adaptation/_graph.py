"""Do answers follow the target's own structure? Neighbours among target examples, and the modularity of labels on them.

Examples that lie close together mostly belong to one class, in the target as anywhere. Labels that cut through dense
regions are probably wrong. The neighbours are looked up once, in features that no way of adapting changes, so that
all ways are judged on one graph.
"""

from typing import Any, Final, TypeAlias

import numpy as np
import numpy.typing as npt

from headstart.domain_adaptation._alignment import Double, Floats, Integers
from headstart.linear import Standardiser

Groups: TypeAlias = npt.NDArray[Any]

NEIGHBOURS: Final = 10
BLOCK: Final = 1000


def neighbours(rows: Floats, *, groups: Groups | None = None, k: int = NEIGHBOURS) -> Integers:
    """Find the nearest rows of each by the cosine of standardised features.

    Args:
        rows: (M, D).
        groups: Group of each row, (M,): rows of one group (a speaker, the words of a sentence) are no neighbours,
            because they are alike whatever their class. A single group says nothing, and is as none.
        k: How many; fewer where there are fewer rows of other groups.

    Returns:
        (M, k) positions.
    """
    standard = Standardiser.fit(rows).transform(rows)
    unit = standard / np.maximum(np.linalg.norm(standard, axis=1, keepdims=True), 1e-12)
    numbers = np.arange(len(rows)) if groups is None else np.unique(groups, return_inverse=True)[1]
    if not numbers.any():
        numbers = np.arange(len(rows))
    k = min(k, len(rows) - int(np.bincount(numbers).max()))
    found = np.empty((len(rows), max(k, 0)), dtype=np.intp)
    for start in range(0, len(rows) if k > 0 else 0, BLOCK):
        some = slice(start, start + BLOCK)
        similarity = unit[some] @ unit.T
        similarity[numbers[some, None] == numbers] = -np.inf
        found[some] = np.argpartition(-similarity, k - 1, axis=1)[:, :k]
    return found


def modularity(labels: Integers, nearest: Integers, *, n_classes: int, weights: Double | None = None) -> Double:
    """Return how much oftener neighbours have one label than they would by chance.

    Leicht & Newman (Community structure in directed networks, 2008, eq. 3) with the labels as communities:
    Q = sum over classes of e_c - a_c b_c, where e_c is the share of edges within c, a_c that of edges leaving examples
    of c and b_c that of edges arriving there. One label for all has 0, as random labels have.

    Args:
        labels: Class numbers, (M,).
        nearest: Neighbours of each, (M, k).
        n_classes: How many classes there are.
        weights: Weights of the examples, (R, M), each row 1 together: those of resamples.

    Returns:
        (R,) values up to 1, (1,) where no weights are given.
    """
    chosen = np.full((1, len(labels)), 1 / len(labels)) if weights is None else weights
    if nearest.shape[1] == 0:
        return np.zeros(len(chosen))
    same = (labels[nearest] == labels[:, None]).mean(axis=1)
    leaving = np.eye(n_classes)[labels]
    arriving = np.stack([(labels[nearest] == c).mean(axis=1) for c in range(n_classes)], axis=1)
    return np.asarray(chosen @ same - ((chosen @ leaving) * (chosen @ arriving)).sum(axis=1))


def cohesion(labels: Integers, nearest: Integers, *, n_classes: int) -> Double:
    """Return how much oftener than by chance the neighbours of each class's examples are of that class.

    Args:
        labels: Class numbers, (M,).
        nearest: Neighbours of each, (M, k).
        n_classes: C, how many classes there are.

    Returns:
        (C,) values: 1 where all neighbours of a class are in it, 0 where as many as by chance, or where it is empty.
    """
    held = np.zeros(n_classes)
    for number in np.unique(labels):
        same, chance = (labels[nearest[labels == number]] == number), float((labels[nearest] == number).mean())
        held[number] = (float(same.mean()) - chance) / (1 - chance) if chance < 1 else 0.0
    return held
