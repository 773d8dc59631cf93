"""Which examples of the source look like the target: weights from a classifier of domains."""

from typing import Final

import numpy as np

from headstart.data import make_folds
from headstart.domain_adaptation._alignment import Double, Floats, check_pair, principal_axes
from headstart.linear import Standardiser, cross_validate

AXES: Final = 64
FOLDS: Final = 5
MOST: Final = 20.0  # times the mean weight: a few rows must not decide alone


def importance_weights(source: Floats, target: Floats, *, seed: int) -> Double:
    """Return the density of the target over that of the source at every row of the source.

    Bickel, Brückner & Scheffer (Discriminative learning under covariate shift, 2009): the odds of a classifier of
    domains, times N / M. Here a logistic regression on `AXES` principal axes, held out, so that
    no row is told by heart; weights are cut at `MOST` times their mean.

    Args:
        source: Rows of the source, (N, D).
        target: Rows of the target, (M, D).
        seed: Of the folds.

    Returns:
        (N,) weights of mean 1.

    Raises:
        DataError: The widths differ, or a domain has fewer than two rows.
    """
    check_pair(source, target)
    both = np.concatenate([source, target])
    standard = Standardiser.fit(both).transform(both)
    rows = standard @ principal_axes(standard, min(AXES, len(both) // 2, both.shape[1]))
    y = np.repeat([0, 1], [len(source), len(target)])
    n_splits = min(FOLDS, len(source), len(target))
    folds = make_folds(y, groups=np.arange(len(y)), n_splits=n_splits, seed=seed)
    outputs = cross_validate(rows.astype(np.float32), y, folds, n_classes=2).outputs[: len(source)]
    odds = outputs[:, 1] / np.maximum(outputs[:, 0], 1e-6)
    odds = np.minimum(odds, MOST * odds.mean())
    return np.asarray(odds / odds.mean())
