"""The linear probe as a score: what the first rung of the ladder would lose on held-out examples."""

from collections.abc import Sequence

import numpy as np

from headstart.errors import DataError
from headstart.linear import Fold, cross_validate, item_losses
from headstart.tasks import Kind
from headstart.transferability._inputs import (
    Floats,
    Score,
    Target,
    class_numbers,
    dividing_labels,
    negative_error,
    several_values,
)


def probe(features: Floats, y: Target, folds: Sequence[Fold], *, kind: Kind, n_classes: int) -> Score:
    """Return minus the cross-validated loss of the linear probe.

    The loss is what `headstart.linear.cross_validate` has out of fold at the strength of the lowest mean loss: log loss
    of classes, its mean over labels, or the squared error in variances of the values. An example held out by several
    folds counts once, with its mean outputs; one that never is counts not at all. The influence holds the fits as they
    are.

    Args:
        features: F, (N, D).
        y: Class numbers (N,), indicators (N, C) or values (N,).
        folds: Training and held-out row numbers; groups must not straddle them.
        kind: What ``y`` is.
        n_classes: Number of classes or labels; 1 for values.

    Returns:
        The score, at most 0.

    Raises:
        DataError: Features are not finite, there is nothing to tell apart, no fold holds anything out, or the lengths
            differ.
    """
    n = len(features)
    check = {"classification": class_numbers, "multilabel": dividing_labels, "regression": several_values}[kind]
    check(y, n)
    if not any(len(held_out) for _, held_out in folds):
        raise DataError("expected folds that hold examples out, found none")
    outputs = cross_validate(features, y, folds, n_classes=n_classes, kind=kind).outputs
    seen = ~np.isnan(outputs[:, 0])
    if kind == "regression":
        scored = negative_error(several_values(y[seen], int(seen.sum())), outputs[seen, 0])
        value, parts = scored.value, scored.influence
    else:
        gained = -item_losses(y[seen], outputs[seen])
        value, parts = float(gained.mean()), gained - gained.mean()
    influence = np.zeros(n)
    influence[seen] = parts / seen.mean()
    return Score(value, influence)
