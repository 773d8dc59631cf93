"""Examples that another data set lends: they train beside one's own, and are never held out or scored."""

from dataclasses import replace

import numpy as np

from headstart.data._sides import may_train
from headstart.data._stratify import Indices
from headstart.data.dataset import Dataset
from headstart.data.splits import Plan


def lend(dataset: Dataset, plan: Plan, source: Dataset, *, shared_groups: bool = False) -> tuple[Dataset, Plan]:
    """Put the examples of a source behind one's own, where they train and do nothing else.

    Few examples among many count for little, so one's own training examples are repeated, as lent ones too, until they
    are half of what trains (strategies that move weights train on either side in turn,
    and leave these copies aside).

    Args:
        dataset: One's own examples, the target.
        plan: Which of them train and which are scored; its positions stay what they are.
        source: Examples of the same kind.
        shared_groups: Whether a group of the source is the target's of that name, and so may not train where that is
            scored; else groups of the source are its own, whatever their names.

    Returns:
        All examples, and the plan in which what is lent trains on every side, but for copies of what is scored there.
    """
    fresh = without_copies(source, dataset)
    times = max(1, round(len(fresh) / len(plan.train)))
    copies = dataset.take(np.tile(plan.train, times - 1))
    pooled = replace(
        dataset,
        items=dataset.items + fresh.items + copies.items,
        places=dataset.places + fresh.places + copies.places,
        labels=(dataset.labels or ()) + (fresh.labels or ()) + (copies.labels or ()),
        groups=None
        if dataset.groups is None
        else dataset.groups + _groups(fresh, shared=shared_groups) + (copies.groups or ()),
        parts=None,
        domains=None,
        folds=None,
        extra={},
        lent=(False,) * len(dataset) + (True,) * (len(fresh) + len(copies)),
    )
    vars(pooled)["hashes"] = dataset.hashes + fresh.hashes + copies.hashes  # files need not be read again
    behind = np.arange(len(dataset), len(pooled))

    def beside(own: Indices, scored: Indices) -> Indices:
        return np.concatenate([own, np.intersect1d(behind, may_train(pooled, scored))])

    scored = np.empty(0, dtype=np.intp) if plan.test is None else plan.test
    folds = plan.folds and tuple((beside(inside, outside), outside) for inside, outside in plan.folds)
    return pooled, replace(plan, train=beside(plan.train, scored), folds=folds)


def without_copies(source: Dataset, target: Dataset) -> Dataset:
    """Return what a source holds that the target does not: of a copy, what the target says counts.

    Args:
        source: Examples of a source.
        target: One's own.

    Returns:
        Some of the source.
    """
    known = set(target.hashes)
    return source.take([i for i, item in enumerate(source.hashes) if item not in known])


def _groups(source: Dataset, *, shared: bool) -> tuple[str, ...]:
    """Name the groups of a source: as they are where they are shared, else so that none of the target is named so."""
    if shared and source.groups is not None:
        return source.groups
    return tuple(f"lent\x1f{name}" for name in source.groups or source.places)
