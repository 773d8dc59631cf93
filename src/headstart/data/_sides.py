"""The sides of a split that comes with the data, and what has to stay on one side."""

from collections.abc import Sequence
from typing import Final

import numpy as np

from headstart.data._stratify import Indices, codes
from headstart.data.dataset import Dataset

_LONG_SENTENCE: Final = 20  # words; shorter copies link all 287 documents of a Dutch newspaper, longer ones two


def given_sides(dataset: Dataset) -> dict[str, tuple[str, ...]] | None:
    """Name the sides of the split that comes with the data.

    Args:
        dataset: The examples.

    Returns:
        One name per example: under ``parts`` the side ``train`` or ``test`` after val has joined one of them, or under
        ``folds`` the given fold; None where the data has no split.
    """
    if dataset.parts and "test" in dataset.parts:
        return {"parts": tuple("test" if part == "test" else "train" for part in dataset.parts)}
    if dataset.parts and "val" in dataset.parts:
        return {"parts": tuple("test" if part == "val" else "train" for part in dataset.parts)}
    return {"folds": dataset.folds} if dataset.folds else None


def on_several_sides(names: Sequence[str], sides: Sequence[str]) -> dict[str, tuple[int, int]]:
    """Map every name that is on several sides to an example on each of two of them.

    Args:
        names: N names, of groups or contents.
        sides: The side of each, (N,).

    Returns:
        Two examples by name.
    """
    first: dict[str, int] = {}
    across: dict[str, tuple[int, int]] = {}
    for i, name in enumerate(names):
        if sides[first.setdefault(name, i)] != sides[i]:
            across.setdefault(name, (first[name], i))
    return across


def united_groups(dataset: Dataset) -> Indices:
    """Number what must stay together: the components of examples that share a group or are exact copies.

    Where tagged sentences lie in groups, the short ones unite none: bylines and the like recur in any document.

    Args:
        dataset: The examples.

    Returns:
        A number per example, (N,).
    """
    parent = list(range(len(dataset)))

    def root(i: int) -> int:
        while parent[i] != i:
            parent[i] = parent[parent[i]]
            i = parent[i]
        return i

    passed = _recurring(dataset)
    for column, left_out in ((dataset.hashes, passed), (dataset.groups or (), frozenset[int]())):
        first: dict[str, int] = {}
        for i, name in enumerate(column):
            if i not in left_out:
                parent[root(i)] = root(first.setdefault(name, i))
    return codes([root(i) for i in range(len(dataset))])


def may_train(dataset: Dataset, held_out: Indices) -> Indices:
    """Return what may train while some examples are held out: the others, but of what is lent no copy and no group.

    A group that one's own examples have on both sides of a given split, which is kept on request, shuts nothing out.

    Args:
        dataset: The examples.
        held_out: Positions of some of them.

    Returns:
        Positions of others, in order.
    """
    others = np.setdiff1d(np.arange(len(dataset)), held_out)
    if dataset.lent is None:
        return others
    lent, names = dataset.lent, dataset.groups or ("",) * len(dataset)
    away = {dataset.hashes[i] for i in held_out}
    groups = {names[i] for i in held_out} - {names[i] for i in others if not lent[i]} if dataset.groups else set()
    kept = [i for i in others if not (lent[i] and (dataset.hashes[i] in away or names[i] in groups))]
    return np.array(kept, dtype=np.intp)


def _recurring(dataset: Dataset) -> frozenset[int]:
    """Find the texts too short to say that two documents are copies."""
    if dataset.kind != "tagging" or not dataset.groups:
        return frozenset()
    return frozenset(i for i, item in enumerate(dataset.items) if len(item.words) < _LONG_SENTENCE)
