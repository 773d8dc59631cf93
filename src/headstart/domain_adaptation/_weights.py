"""A classifier of domains, and from it which examples of the source look like the target."""

from typing import Final

import numpy as np

from headstart.data import make_folds
from headstart.domain_adaptation._alignment import Double, Floats, Integers, Single, check_pair, principal_axes
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
    rows = along_axes(both, len(both) // 2)
    y = np.repeat([0, 1], [len(source), len(target)])
    n_splits = min(FOLDS, len(source), len(target))
    outputs = told_apart(rows, y, groups=np.arange(len(y)), n_splits=n_splits, seed=seed)[: len(source)]
    odds = outputs[:, 1] / np.maximum(outputs[:, 0], 1e-6)
    odds = np.minimum(odds, MOST * odds.mean())
    return np.asarray(odds / odds.mean())


def along_axes(both: Floats, most: int) -> Single:
    """Standardise rows of both domains together and turn them to their first principal axes.

    Args:
        both: (N, D).
        most: No more axes than this, than `AXES`, or than D.

    Returns:
        (N, k).
    """
    standard = Standardiser.fit(both).transform(both)
    return np.asarray(standard @ principal_axes(standard, min(AXES, most, both.shape[1])), dtype=np.float32)


def told_apart(rows: Single, y: Integers, *, groups: Integers, n_splits: int, seed: int) -> Double:
    """Return the held-out answers of a classifier of domains.

    Args:
        rows: (N, k).
        y: 0 for the source, 1 for the target, (N,).
        groups: Numbers of what is never on both sides of a fold, (N,).
        n_splits: How many folds.
        seed: Of the folds.

    Returns:
        (N, 2) probabilities.
    """
    folds = make_folds(y, groups=groups, n_splits=n_splits, seed=seed)
    return cross_validate(rows, y, folds, n_classes=2).outputs
