"""Examples that another data set lends: they train beside one's own, and are never held out or scored."""

from dataclasses import replace

import numpy as np

from headstart.data._sides import may_train
from headstart.data._stratify import Indices
from headstart.data.dataset import Dataset
from headstart.data.splits import Plan


def lend(dataset: Dataset, plan: Plan, source: Dataset) -> tuple[Dataset, Plan]:
    """Put the examples of a source behind one's own, where they train and do nothing else.

    Few examples among many count for little, so one's own training examples are repeated, as lent ones too, until they
    are half of what trains (measured in benchmarks/LOG.md; strategies that move weights train on either side in turn,
    and leave these copies aside). Groups of the source are its own, whatever their names.

    Args:
        dataset: One's own examples, the target.
        plan: Which of them train and which are scored; its positions stay what they are.
        source: Examples of the same kind.

    Returns:
        All examples, and the plan in which what is lent trains on every side, but for copies of what is scored there.
    """
    known = set(dataset.hashes)  # what the target says of an item counts
    fresh = source.take([i for i, item in enumerate(source.hashes) if item not in known])
    times = max(1, round(len(fresh) / len(plan.train)))
    copies = dataset.take(np.tile(plan.train, times - 1))
    pooled = replace(
        dataset,
        items=dataset.items + fresh.items + copies.items,
        places=dataset.places + fresh.places + copies.places,
        labels=(dataset.labels or ()) + (fresh.labels or ()) + (copies.labels or ()),
        groups=None if dataset.groups is None else dataset.groups + _groups(fresh) + (copies.groups or ()),
        parts=None,
        domains=None,
        folds=None,
        lent=(False,) * len(dataset) + (True,) * (len(fresh) + len(copies)),
    )
    vars(pooled)["hashes"] = dataset.hashes + fresh.hashes + copies.hashes  # files need not be read again
    behind = np.arange(len(dataset), len(pooled))

    def beside(own: Indices, scored: Indices) -> Indices:
        return np.concatenate([own, np.intersect1d(behind, may_train(pooled, scored))])

    scored = np.empty(0, dtype=np.intp) if plan.test is None else plan.test
    folds = plan.folds and tuple((beside(inside, outside), outside) for inside, outside in plan.folds)
    return pooled, replace(plan, train=beside(plan.train, scored), folds=folds)


def _groups(source: Dataset) -> tuple[str, ...]:
    """Name the groups of a source so that none of the target has the same name."""
    return tuple(f"lent\x1f{name}" for name in source.groups or source.places)
