"""The linear discriminant with a shrunk covariance, left out one example at a time in closed form.

Classes c are Gaussian with means m_c, shares p_c and one covariance. Of all N examples it is A / N with
A = (1 - a) W + N r I, W the scatter within classes, a the Ledoit-Wolf weight of the rows less their class means and
r = a trace(W) / (N D). Leaving out the set J of a group, with e_j = x_j - m_y(j), s_c the sum of e_j of class c in J
and g_c how many they are,

    m'_c = m_c - s_c / (n_c - g_c)          N' = N - |J|          p'_c = (n_c - g_c) / N'
    W' = W - sum_j e_j e_j' - sum_c s_c s_c' / (n_c - g_c)

which for a single example is m_y - e / (n - 1) and W - n / (n - 1) e e'. So A' is A less a term of rank |J|, and one
inverse of A serves all (Sherman, Morrison & Woodbury). The ridge N r I and a are held at what all examples give.
A itself is diagonal in the basis of the spectrum, less one outer product per class.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Self, final

import numpy as np
import numpy.typing as npt
from scipy import special

from headstart.linear import PROBABILITY_FLOOR
from headstart.tasks import Kind
from headstart.transferability._inputs import (
    Double,
    Floats,
    Indices,
    Score,
    Target,
    average,
    class_numbers,
    dividing_labels,
    group_numbers,
    mean_score,
    one_hot,
    refuse_values,
)
from headstart.transferability._spectrum import Spectrum, shrinkage, spectrum_of

LEAST_RIDGE: Final = 1e-6
"""Of the mean variance of the features: the ridge is never less, for classes without any spread of their own."""

UNSEEN: Final = 0.5
"""Examples that a class is given whose every example is left out."""

_SMALLEST: Final = 1e-12  # of what an example leaves of the covariance along itself; rounding can make it negative


def discriminant(
    features: Spectrum | Floats, y: Target, *, kind: Kind, groups: npt.NDArray[np.generic] | None = None
) -> Score:
    """Return the mean log probability of the right class when the example, or its whole group, is left out.

    The equations are at the top of this module. Shrinkage is Ledoit & Wolf's (2004) on the pooled rows less their
    class means, where scikit-learn's discriminant averages one estimate per class. The ridge is at
    least a millionth of the features' mean variance. An example whose class is left out with it has the probability of
    half an example among the others. Probabilities are floored at `headstart.linear.PROBABILITY_FLOOR`. Where all rows
    are the same, the shares decide. Labels that do not exclude each other are one two-class problem each, averaged
    over the labels that some examples have and some have not.

    Args:
        features: F, (N, D), or its decomposition.
        y: Class numbers (N,) or indicators (N, C).
        kind: What ``y`` is.
        groups: Group of each example (N,), or None to leave out single examples.

    Returns:
        The score, at most 0.

    Raises:
        DataError: Features are not finite, there is nothing to tell apart, all examples are in one group, or the
            lengths differ.
        OptionError: ``y`` are values.
    """
    refuse_values(kind, "discriminant")
    spectrum = spectrum_of(features)
    n = len(spectrum.left)
    units = group_numbers(groups, n)
    if kind == "classification":
        return mean_score(_held_out(spectrum, class_numbers(y, n), units))
    labels = dividing_labels(y, n).astype(np.intp)
    return average([mean_score(_held_out(spectrum, label, units)) for label in labels.T])


def _held_out(spectrum: Spectrum, numbers: Indices, units: Indices | None) -> Double:
    """Log probability of the right class, each example left out with its group, (N,)."""
    fitted = _Fitted.of(spectrum, numbers)
    found = fitted.one_by_one()
    for members in _groups_of_several(units):
        found[members] = fitted.without(members)
    floored: Double = np.maximum(found, np.log(PROBABILITY_FLOOR))
    return floored


def _groups_of_several(units: Indices | None) -> Iterator[Indices]:
    if units is not None:
        order = np.argsort(units, kind="stable")
        for members in np.split(order, np.flatnonzero(np.diff(units[order])) + 1):
            if len(members) > 1:
                yield members


@final
@dataclass(frozen=True, eq=False)
class _Fitted:
    """The discriminant of all examples, ready to lose some.

    Attributes:
        numbers: Class of each example, (N,).
        counts: n_c, (C,).
        rows: Centred rows in the basis, (N, k).
        means: Their class means, (C, k).
        divided_rows: ``rows`` times the inverse of A, (N, k).
        divided_means: ``means`` times the inverse of A, (C, k).
        keep: 1 - a.
    """

    numbers: Indices
    counts: Double
    rows: Double
    means: Double
    divided_rows: Double
    divided_means: Double
    keep: float

    @classmethod
    def of(cls, spectrum: Spectrum, numbers: Indices) -> Self:
        n = len(numbers)
        counts = np.bincount(numbers).astype(np.float64)
        rows = spectrum.centred
        means = one_hot(numbers).T @ rows / counts[:, None]
        a, ridge = _shrunk(spectrum, numbers, counts, means)
        inverse = _Inverse.of(spectrum, means + spectrum.mean, counts, keep=1 - a, ridge=n * ridge)
        if spectrum.flat:  # nothing to tell apart by; what rounding left of the rows must not
            rows, means = np.zeros_like(rows), np.zeros_like(means)
        return cls(numbers, counts, rows, means, inverse.times(rows), inverse.times(means), 1 - a)

    def one_by_one(self) -> Double:
        """Log probability of the right class with each example alone left out, (N,)."""
        every, n = np.arange(len(self.numbers)), len(self.numbers)
        own_count = self.counts[self.numbers]
        between = self.divided_means @ self.means.T
        along = self.divided_rows @ self.means.T
        length = (self.divided_rows * self.rows).sum(axis=1)
        distance = length[:, None] - 2 * along + np.diag(between)
        own = distance[every, self.numbers]
        towards = (length - along[every, self.numbers])[:, None] - along + between[self.numbers]
        several = own_count > 1
        factor = np.where(several, own_count / np.maximum(own_count - 1, 1), 0)
        less = self.keep * factor
        left = np.maximum(1 - less * own, _SMALLEST)
        distance += (less / left)[:, None] * np.square(towards)
        distance[every, self.numbers] = np.square(factor) * own / left
        counts = np.where(np.arange(len(self.counts)) == self.numbers[:, None], own_count[:, None] - 1, self.counts)
        return _right(distance, counts, self.numbers, n=n - 1)

    def without(self, members: Indices) -> Double:
        """Log probability of the right class of these examples (g,) with all of them left out, (g,)."""
        numbers = self.numbers[members]
        belongs = (numbers[:, None] == np.arange(len(self.counts))).astype(np.float64)
        counts = self.counts - belongs.sum(axis=0)
        per_left = np.divide(1, counts, out=np.zeros_like(counts), where=counts > 0)
        lost = self.rows[members] - self.means[numbers]
        divided_lost = self.divided_rows[members] - self.divided_means[numbers]
        sums = belongs * per_left
        means = self.means - sums.T @ lost
        divided_means = self.divided_means - sums.T @ divided_lost
        rows, divided_rows = self.rows[members], self.divided_rows[members]
        distance = (divided_rows * rows).sum(axis=1)[:, None] - 2 * divided_rows @ means.T
        distance += (divided_means * means).sum(axis=1)
        # (lost, remaining example, class): how far each lost row points towards each difference from a mean.
        towards = (divided_lost @ rows.T)[:, :, None] - (divided_lost @ means.T)[:, None, :]
        less = self.keep * (np.eye(len(members)) + sums @ belongs.T)
        size = len(members)
        back = np.linalg.solve(np.eye(size) - less @ (divided_lost @ lost.T), less)
        distance += np.einsum("jic,jl,lic->ic", towards, back, towards, optimize=True)
        return _right(distance, np.tile(counts, (size, 1)), numbers, n=len(self.numbers) - size)


def _right(distance: Double, counts: Double, numbers: Indices, *, n: int) -> Double:
    """Log probability of the right class from distances by A' and class counts, (N, C) each, of the n examples left."""
    scores = np.where(counts > 0, np.log(np.maximum(counts, 1) / n) - n * distance / 2, -np.inf)
    every = np.arange(len(numbers))
    found = scores[every, numbers] - special.logsumexp(scores, axis=1)
    right: Double = np.where(counts[every, numbers] > 0, found, np.log(UNSEEN / (n + UNSEEN)))
    return right


def _shrunk(spectrum: Spectrum, numbers: Indices, counts: Double, means: Double) -> tuple[float, float]:
    """The Ledoit-Wolf weight a of the rows less their class means, and the ridge r."""
    n, share = len(numbers), counts / len(numbers)
    lengths = np.square(spectrum.centred - means[numbers]).sum(axis=1)
    trace = float(lengths.mean())
    # ||S - B||^2 for the covariance S and B, that of the class means.
    across = float(share @ np.square(spectrum.centred @ means.T).mean(axis=0))
    weighted = np.sqrt(share)[:, None] * means
    squares = spectrum.squared_covariance - 2 * across + float(np.square(weighted @ weighted.T).sum())
    a = shrinkage(float(np.square(lengths).mean()), max(squares, 0.0), trace, n=n, width=spectrum.width)
    least = max(LEAST_RIDGE * spectrum.variance, np.finfo(np.float64).tiny)
    return a, max(a * trace, least) / spectrum.width


@final
@dataclass(frozen=True, eq=False)
class _Inverse:
    """The inverse of A = keep (F'F - sum_c n_c m_c m_c') + ridge I in the basis, m_c not centred.

    Attributes:
        diagonal: keep times the eigenvalues of F'F, plus the ridge, (k,).
        means: m_c times the root of keep n_c, (C, k).
        inner: I - means diag(1 / diagonal) means', (C, C).
    """

    diagonal: Double
    means: Double
    inner: Double

    @classmethod
    def of(cls, spectrum: Spectrum, means: Double, counts: Double, *, keep: float, ridge: float) -> Self:
        diagonal = keep * spectrum.energies + ridge
        scaled = np.sqrt(keep * counts)[:, None] * means
        return cls(diagonal, scaled, np.eye(len(counts)) - (scaled / diagonal) @ scaled.T)

    def times(self, rows: Double) -> Double:
        """Return rows (N, k) times the inverse."""
        divided = rows / self.diagonal
        towards = np.linalg.solve(self.inner, self.means @ divided.T).T
        divided += (towards @ self.means) / self.diagonal
        return divided
