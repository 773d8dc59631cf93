"""Moving the source's features to where the target's are, without a label of either.

Each function takes the rows of both domains and returns those of the source as they would lie in the target. A head
fitted on the moved rows reads target features as they are, so that the adapted model is an ordinary one. None
of them looks at labels: rows may be moved before a cross-validation over source labels without anything leaking.
"""

from dataclasses import dataclass
from typing import Any, Final, Self, TypeAlias, final

import numpy as np
import numpy.typing as npt

from headstart.errors import DataError

Floats: TypeAlias = npt.NDArray[np.floating[Any]]
Single: TypeAlias = npt.NDArray[np.float32]
Double: TypeAlias = npt.NDArray[np.float64]
Integers: TypeAlias = npt.NDArray[np.integer[Any]]

LEAST: Final = 1e-10
"""Of the largest variance along a principal axis: less is rounding, and is not divided by."""


@final
@dataclass(frozen=True)
class Moments:
    """Where rows lie and how they spread.

    Attributes:
        mean: (D,).
        covariance: (D, D), shrunk by Ledoit & Wolf (2004) towards a multiple of the identity, so that fewer rows than
            features do.
    """

    mean: Double
    covariance: Double

    @classmethod
    def of(cls, X: Floats) -> Self:
        """Measure rows ``X`` (N, D) in float64."""
        from sklearn.covariance import ledoit_wolf  # takes seconds, and most commands need none

        wide = X.astype(np.float64)
        mean = wide.mean(axis=0)
        covariance, _ = ledoit_wolf(wide - mean, assume_centered=True)
        return cls(mean, covariance)


def standardise(source: Floats, target: Floats) -> Single:
    """Give every feature of the source the mean and deviation that it has in the target.

    A head on these rows is the head on features standardised within each domain, as adaptive batch normalisation has
    it (Li et al., Revisiting batch normalization for practical domain adaptation, 2016, eq. 3). A feature that is
    constant in one domain keeps its spread.

    Args:
        source: Rows of the source, (N, D).
        target: Rows of the target, (M, D).

    Returns:
        The source's rows moved, (N, D).

    Raises:
        DataError: The widths differ, or a domain has fewer than two rows.
    """
    check_pair(source, target)
    here, there = source.astype(np.float64), target.astype(np.float64)
    spread, wanted = here.std(axis=0), there.std(axis=0)
    flat = np.minimum(spread, wanted) <= 1e-7 * np.maximum(spread, wanted)
    scale = np.where(flat, 1.0, wanted / np.where(flat, 1.0, spread))
    return np.asarray((here - here.mean(axis=0)) * scale + there.mean(axis=0), dtype=np.float32)


def coral(source: Floats, target: Floats) -> Single:
    """Give the source the mean and the covariance of the target: whitened, then coloured.

    Sun, Feng & Saenko (Return of frustratingly easy domain adaptation, 2016, algorithm 1), X C_s^(-1/2) C_t^(1/2),
    where C + I is replaced by the Ledoit-Wolf estimate, and the means are aligned too.

    Args:
        source: Rows of the source, (N, D).
        target: Rows of the target, (M, D).

    Returns:
        The source's rows moved, (N, D).

    Raises:
        DataError: The widths differ, or a domain has fewer than two rows.
    """
    check_pair(source, target)
    here, there = Moments.of(source), Moments.of(target)
    return _moved(source, here, there, power(here.covariance, -0.5) @ power(there.covariance, 0.5))


def linear_transport(source: Floats, target: Floats) -> Single:
    """Move the source to the target's mean and covariance by the map that carries its rows the least far.

    The optimal transport between two normal distributions, A = C_s^(-1/2) (C_s^(1/2) C_t C_s^(1/2))^(1/2) C_s^(-1/2)
    (Flamary, Lounici & Ferrari, Concentration bounds for linear Monge mapping estimation, 2019, eq. 6), with
    Ledoit-Wolf covariances.

    Args:
        source: Rows of the source, (N, D).
        target: Rows of the target, (M, D).

    Returns:
        The source's rows moved, (N, D).

    Raises:
        DataError: The widths differ, or a domain has fewer than two rows.
    """
    check_pair(source, target)
    here, there = Moments.of(source), Moments.of(target)
    root, inverse = power(here.covariance, 0.5), power(here.covariance, -0.5)
    return _moved(source, here, there, inverse @ power(root @ there.covariance @ root, 0.5) @ inverse)


def subspace(source: Floats, target: Floats, *, dimensions: int) -> Single:
    """Turn the source's principal axes into the target's, and leave the rest of the source out.

    Fernando et al. (Unsupervised visual domain adaptation using subspace alignment, 2013, eq. 3): rows of the source
    are X P_s P_s' P_t in the coordinates of the target's first axes P_t. Here they are carried back by P_t', so that
    the head reads target features as they are: what these have beyond P_t the source does not vary in.

    Args:
        source: Rows of the source, (N, D).
        target: Rows of the target, (M, D).
        dimensions: How many axes; at most N - 1, M - 1 and D are taken.

    Returns:
        The source's rows moved, (N, D).

    Raises:
        DataError: The widths differ, or a domain has fewer than two rows.
    """
    check_pair(source, target)
    here, there = source.mean(axis=0, dtype=np.float64), target.mean(axis=0, dtype=np.float64)
    k = min(dimensions, len(source) - 1, len(target) - 1, source.shape[1])
    ours, theirs = principal_axes(source, k), principal_axes(target, k)
    turned = (source - here) @ ours @ (ours.T @ theirs) @ theirs.T
    return np.asarray(turned + there, dtype=np.float32)


def principal_axes(X: Floats, k: int) -> Double:
    """Return the k axes along which rows ``X`` (N, D) vary most, (D, k), orthonormal."""
    centred = X.astype(np.float64) - X.mean(axis=0, dtype=np.float64)
    if len(centred) >= centred.shape[1]:
        _, vectors = np.linalg.eigh(centred.T @ centred)
        return np.asarray(vectors[:, ::-1][:, :k])
    _, _, axes = np.linalg.svd(centred, full_matrices=False)
    return np.asarray(axes[:k].T)


def squared_distances(rows: Floats, among: Floats) -> Floats:
    """Return the squared distances (N, M) of rows (N, D) to others (M, D), in their own precision."""
    lengths, theirs = np.square(rows).sum(axis=1), np.square(among).sum(axis=1)
    return np.asarray(np.maximum(lengths[:, None] + theirs - 2 * rows @ among.T, 0))


def power(covariance: Double, exponent: float) -> Double:
    """Return a power of a symmetric matrix without negative eigenvalues; eigenvalues near 0 count as `LEAST`."""
    values, vectors = np.linalg.eigh(covariance)
    values = np.maximum(values, LEAST * max(float(values[-1]), np.finfo(np.float64).tiny))
    return np.asarray((vectors * values**exponent) @ vectors.T)


def check_pair(source: Floats, target: Floats) -> None:
    """Refuse rows of two domains that cannot be compared.

    Args:
        source: Rows of the source, (N, D).
        target: Rows of the target, (M, D).

    Raises:
        DataError: The widths differ, or a domain has fewer than two rows.
    """
    if source.ndim != 2 or target.ndim != 2 or source.shape[1] != target.shape[1]:
        raise DataError(f"expected features of one width from both domains, found {source.shape} and {target.shape}")
    if min(len(source), len(target)) < 2:
        raise DataError(
            f"expected at least 2 examples of each domain, found {len(source)} and {len(target)}",
            fix="Adapting takes some dozens of the target; they need no labels.",
        )


def _moved(source: Floats, here: Moments, there: Moments, by: Double) -> Single:
    return np.asarray((source - here.mean) @ by + there.mean, dtype=np.float32)
