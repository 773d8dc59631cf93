"""The regularised H-score: how far apart the classes are in units of the shrunk covariance of the features."""

from typing import Final

import numpy as np

from headstart.tasks import Kind
from headstart.transferability._inputs import Double, Floats, Score, Target, indicators, refuse_values
from headstart.transferability._spectrum import Spectrum, shrinkage, spectrum_of

_LEAST_RIDGE: Final = 1e-10  # of the mean variance: where nothing is shrunk, the inverse must still exist


def h_score(features: Spectrum | Floats, y: Target, *, kind: Kind) -> Score:
    """Return trace(S_a^-1 (1 - a) G), G the covariance of the class means over the examples.

    Ibrahim, Ponomareva & Mazumder, Newer is not always better: rethinking transferability metrics, 2021; the plain
    H-score is of Bao et al., 2019, and is C - 1 for any features of rank N. S_a = (1 - a) S + a trace(S) / D I is the
    Ledoit-Wolf covariance with divisor N, G has divisor N - 1, as in the published code. The identity sees nothing of
    G outside the span of the features, so k dimensions are enough. Labels that do not exclude each other are one
    two-class H-score each, averaged over the labels that some examples have and some have not.

    The influence is the derivative of S, trace(S) and G by the weight of an example, at a as it is.

    Args:
        features: F, (N, D), or its decomposition.
        y: Class numbers (N,) or indicators (N, C).
        kind: What ``y`` is.

    Returns:
        The score, from 0 to about C - 1; 0 where all rows are the same.

    Raises:
        DataError: Features are not finite, there is nothing to tell apart, or the lengths differ.
        OptionError: ``y`` are values.
    """
    refuse_values(kind, "h_score")
    spectrum = spectrum_of(features)
    n = len(spectrum.left)
    columns = indicators(y, n, kind=kind)
    if spectrum.flat:
        return Score(0.0, np.zeros(n))
    share = columns.mean(axis=0)
    means = columns.T @ spectrum.centred / (n * share)[:, None]
    lengths = np.square(spectrum.centred).sum(axis=1)
    a = shrinkage(
        float(np.square(lengths).mean()),
        spectrum.squared_covariance,
        spectrum.variance,
        n=n,
        width=spectrum.width,
    )
    solved = _divide(spectrum, means, a)
    terms = share * (means * solved).sum(axis=1)
    # A label's two classes are one term: both means lie on one line, the other's term is share / (1 - share) of it.
    factor = np.ones(len(share)) if kind == "classification" else 1 / ((1 - share) * len(share))
    influence = _parts(spectrum, columns, means, solved, a=a, lengths=lengths) @ factor
    if kind == "multilabel":
        influence += (columns - share) @ (terms * factor / (1 - share))
    scale = (1 - a) * n / (n - 1)
    return Score(scale * float(terms @ factor), scale * (influence - influence.mean()))


def _divide(spectrum: Spectrum, rows: Double, a: float) -> Double:
    """Rows (C, k) times the inverse of the shrunk covariance: diagonal less one outer product (Sherman-Morrison)."""
    n, target = len(spectrum.left), spectrum.variance / spectrum.width
    diagonal = (1 - a) * spectrum.energies / n + max(a, _LEAST_RIDGE) * target
    divided, mean = rows / diagonal, spectrum.mean / diagonal
    left = 1 - (1 - a) * float(spectrum.mean @ mean)
    towards = (1 - a) * (divided @ spectrum.mean) / max(left, np.finfo(np.float64).eps)
    return divided + towards[:, None] * mean


def _parts(spectrum: Spectrum, columns: Double, means: Double, solved: Double, *, a: float, lengths: Double) -> Double:
    """N times the derivative of each column's term by the weight of each example, (N, C)."""
    share = columns.mean(axis=0)
    along = spectrum.centred @ solved.T
    target = np.outer(lengths, np.square(solved).sum(axis=1)) / spectrum.width
    between = 2 * (columns - share) * along - columns * (means * solved).sum(axis=1)
    parts: Double = between - share * ((1 - a) * np.square(along) + a * target)
    return parts
