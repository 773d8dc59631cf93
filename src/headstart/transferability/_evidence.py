"""LogME: the log evidence of Bayesian linear regression on the features, per example.

You, Liu, Wang & Long, LogME: practical assessment of pre-trained models for transfer learning, ICML 2021. For a column
t of the target, with f_i the rows of F, weights of prior precision alpha and noise of precision beta,

    ln p(t | F) = 1/2 [ sum_j ln(alpha / (alpha + beta sigma_j)) + N ln(beta / 2 pi) - beta |t - F m|^2 - alpha |m|^2 ]

over the k positive eigenvalues sigma_j of F'F, with m the posterior mean, at the alpha and beta that MacKay's fixed
point finds: alpha = gamma / (|m|^2 + 1e-5), beta = (N - gamma) / (|t - F m|^2 + 1e-5), with gamma = sum_j sigma_j /
(sigma_j + alpha / beta), from 1, at most 11 steps, until alpha / beta moves by less than a thousandth; m is of the
last step's start. Where N < D eleven steps stop short of the highest evidence, by half a percent on small examples.

Where ours differs from the authors' published code: there D takes the place of k beside ln alpha while the other sum
has only k terms, which adds (D - k) / 2N ln alpha where N < D. As there, no intercept is modelled.
"""

from typing import Final

import numpy as np

from headstart.tasks import Kind
from headstart.transferability._inputs import Double, Floats, Score, Target, indicators, several_values
from headstart.transferability._spectrum import Spectrum, spectrum_of

_STEPS: Final = 11
_TOLERANCE: Final = 1e-3
_LEAST: Final = 1e-12  # of a precision: with no features at all nothing is determined, and gamma is 0


def logme(features: Spectrum | Floats, y: Target, *, kind: Kind) -> Score:
    """Return the log evidence per example, averaged over the columns of the target.

    Columns are classes, one-hot; labels that some examples have and some have not; or the values, standardised, so
    that their unit does not matter. The influence of an example is its part of the evidence less the mean part: where
    the evidence is highest its derivative by alpha, beta and m vanishes, which leaves 1/2 ln(beta / 2 pi) - beta / 2
    (f_i' A^-1 f_i + (t_i - f_i' m)^2) with A = alpha I + beta F'F; and, for values, what the example moves by its
    share in their mean and variance.

    Args:
        features: F, (N, D), or its decomposition.
        y: Class numbers (N,), indicators (N, C) or values (N,).
        kind: What ``y`` is.

    Returns:
        The score; any real number.

    Raises:
        DataError: Features are not finite, there is nothing to tell apart, or the lengths differ.
    """
    spectrum = spectrum_of(features)
    targets = target_columns(y, len(spectrum.left), kind=kind)
    inside = spectrum.left.T @ targets
    alpha, beta, evidence = solve(spectrum.energies, inside, np.square(targets).sum(axis=0), n=len(targets))
    kept = _kept(spectrum.energies, alpha / beta)
    residuals = targets - spectrum.left @ (inside * kept)
    # beta f_i' A^-1 f_i, in the basis; ``beta`` itself differs by column only.
    leverage = np.square(spectrum.left) @ kept
    parts = (np.log(beta / (2 * np.pi)) - leverage - beta * np.square(residuals)) / 2
    if kind == "regression":
        parts += _by_moments(targets, residuals, beta)
    influence = parts.mean(axis=1)
    return Score(float(evidence.mean()), influence - influence.mean())


def target_columns(y: Target, n: int, *, kind: Kind) -> Double:
    """Return what the evidence is of, (N, C)."""
    if kind != "regression":
        return indicators(y, n, kind=kind)
    values = several_values(y, n)
    standard: Double = (values - values.mean()) / values.std()
    return standard[:, None]


def solve(energies: Double, inside: Double, lengths: Double, *, n: int) -> tuple[Double, Double, Double]:
    """Find the precisions of many columns at once; each stops on its own.

    Args:
        energies: Positive eigenvalues of F'F, (k,).
        inside: U' t of each column, (k, M).
        lengths: |t|^2 of each column, (M,).
        n: N, number of examples.

    Returns:
        alpha, beta and the log evidence per example, (M,) each.
    """
    squares = np.square(inside)
    outside = np.maximum(lengths - squares.sum(axis=0), 0)
    alpha, beta, weight, error = np.ones((4, len(lengths)))
    moving, left = np.arange(len(lengths)), squares
    for _ in range(_STEPS):
        tau = alpha[moving] / beta[moving]
        known, weight[moving], error[moving] = _moments(energies, left, outside[moving], tau)
        alpha[moving] = np.maximum(known / (weight[moving] + 1e-5), _LEAST)
        beta[moving] = np.maximum((n - known) / (error[moving] + 1e-5), _LEAST)
        going = np.abs(alpha[moving] / beta[moving] - tau) > _TOLERANCE * tau
        if not going.any():
            break
        if not going.all():
            moving, left = moving[going], left[:, going]
    volume = np.log1p(energies[:, None] * (beta / alpha)).sum(axis=0)
    return alpha, beta, (n * np.log(beta / (2 * np.pi)) - volume - beta * error - alpha * weight) / (2 * n)


def _moments(energies: Double, squares: Double, outside: Double, tau: Double) -> tuple[Double, Double, Double]:
    """gamma, |m|^2 and |t - F m|^2 at alpha / beta = tau, (M,) each."""
    inverse = 1 / (energies[:, None] + tau)
    known = energies @ inverse
    np.square(inverse, out=inverse)
    inverse *= squares
    return known, energies @ inverse, tau**2 * inverse.sum(axis=0) + outside


def _kept(energies: Double, tau: Double) -> Double:
    """What the prior leaves of each direction, (k, M)."""
    kept: Double = energies[:, None] / (energies[:, None] + tau)
    return kept


def _by_moments(targets: Double, residuals: Double, beta: Double) -> Double:
    """What an example adds through the mean and the variance that standardised the values."""
    slopes = targets * residuals.sum(axis=0) + (targets**2 - 1) / 2 * (residuals * targets).sum(axis=0)
    moved: Double = beta * slopes / len(targets)
    return moved
