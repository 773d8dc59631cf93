"""Labels that are probably wrong, by confident learning on out-of-sample probabilities; cleanlab is known to this file.

Northcutt, Jiang and Chuang (Confident learning: estimating uncertainty in dataset labels, 2021). cleanlab estimates how
many items of each class carry each other label, and prunes as many of those whose own label is least probable. Where a
probe is right in 7 of 10 cases that is a fifth of all items, most of them only hard. So of what it prunes under both of
its rules we take what is likelier wrong than right: if one label in ten is wrong, at random, a probability p of the
given label among C out of sample means that it is right with (1 - 0.1) q / p, where q = (p - e) / (1 - 0.1 - e) is what
the probability would be without errors, e = 0.1 / (C - 1). One in ten is the most that is usual; it was chosen on
labels flipped on purpose (chest radiographs, flowers, film reviews), where it beat one in twenty and one in fifty.
"""

from dataclasses import dataclass
from typing import Any, Final, final

import numpy as np
import numpy.typing as npt

from headstart.errors import MissingExtraError

Floats = npt.NDArray[np.floating[Any]]
Integers = npt.NDArray[np.integer[Any]]

_RULE: Final = "both"
_WRONG: Final = 0.1  # of the labels, before anything is seen
_SUREST: Final = 0.99  # what is said at most: items can be as rare as errors


@final
@dataclass(frozen=True, eq=False)
class LabelErrors:
    """Items whose label is probably wrong.

    Attributes:
        items: (K,) positions, the most suspicious first.
        wrong: (K,) probability that the label is wrong.
        given: (K,) probability of the label each has.
        better: (K,) the class that is most probable instead.
        probable: (K,) its probability.
    """

    items: Integers
    wrong: Floats
    given: Floats
    better: Integers
    probable: Floats


def label_errors(y: Integers, probabilities: Floats) -> LabelErrors:
    """Find labels that are probably wrong.

    Args:
        y: (N,) class numbers as they are labelled.
        probabilities: (N, C) of models that did not see the item, nor its copies or group.

    Returns:
        The items, the most suspicious first.

    Raises:
        MissingExtraError: cleanlab is missing or broken.
    """
    present = np.unique(y)
    among = probabilities[:, present]  # cleanlab wants every class to occur
    among = among / np.maximum(among.sum(axis=1, keepdims=True), 1e-12)
    labels = np.searchsorted(present, y)
    pruned = np.flatnonzero(_pruned(labels, among)) if len(present) > 1 else np.empty(0, dtype=np.intp)
    given, better = among[pruned, labels[pruned]], among[pruned].argmax(axis=1)
    wrong, probable = _wrong(given, len(present)), among[pruned].max(axis=1)
    order = np.lexsort((given - probable, -wrong))
    order = order[(wrong[order] > 0.5) & (better[order] != labels[pruned][order])]
    return LabelErrors(pruned[order], wrong[order], given[order], present[better[order]], probable[order])


def _wrong(given: Floats, n_classes: int) -> Floats:
    """Probability that a label is wrong which out of sample has the probability ``given``."""
    each = _WRONG / max(n_classes - 1, 1)
    without = np.clip((given - each) / (1 - _WRONG - each), 0, 1)
    return np.asarray(np.clip(1 - (1 - _WRONG) * without / np.maximum(given, 1e-12), 0, _SUREST))


def _pruned(labels: Integers, probabilities: Floats) -> npt.NDArray[np.bool_]:
    try:
        from cleanlab.filter import find_label_issues
    except (AttributeError, ImportError) as error:  # an AttributeError where it was built for another numpy
        fix = "Run: pip install --upgrade cleanlab"
        raise MissingExtraError(f"label errors need cleanlab, which does not load ({error})", fix=fix) from error
    return np.asarray(find_label_issues(labels, probabilities, filter_by=_RULE, n_jobs=1), dtype=bool)
