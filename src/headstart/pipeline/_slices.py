"""Scores of subgroups by columns of the data that were named."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from headstart.data import Dataset
from headstart.evaluation import Fold, Slices, Subgroup, slice_scores
from headstart.pipeline._values import plain


def slices_of(dataset: Dataset, folds: Sequence[Fold], *, metric: str, seed: int) -> tuple[Slices, ...]:
    """Score the subgroups of every column that was asked for.

    Args:
        dataset: The items, with these columns.
        folds: Predictions; of all items in their order where they do not say of which.
        metric: What is scored.
        seed: For the resampling.

    Returns:
        The subgroups of each column, in the order asked for.
    """
    return tuple(
        slice_scores(folds, values, column=column, metric=metric, seed=seed) for column, values in dataset.extra.items()
    )


def slices_to_dict(slices: Sequence[Slices]) -> dict[str, Any]:
    """Return the scores of subgroups as JSON values.

    Args:
        slices: The subgroups of each column.

    Returns:
        ``slices``, by column and value, and ``worst_slices``, by column; nothing where no column was asked for.
    """
    if not slices:
        return {}
    by_column = {each.column: {group.name: _subgroup(group) for group in each.subgroups} for each in slices}
    worst = {each.column: _worst(each) for each in slices}
    return {"slices": by_column, "worst_slices": worst}


def _subgroup(group: Subgroup) -> dict[str, Any]:
    interval = None if group.interval is None else asdict(group.interval)
    facts = {"value": group.value, "interval": interval, "n": group.n, "few": group.few}
    return {name: plain(fact) for name, fact in facts.items()}


def _worst(slices: Slices) -> dict[str, Any]:
    facts = {} if slices.worst is None else asdict(slices.worst)
    return {name: plain(fact) for name, fact in facts.items()} | {"sentence": slices.sentence}
