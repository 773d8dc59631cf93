"""How unlike the training data an item is: distances from a normal distribution of features, kept in a few axes."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self, final

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating[Any]]


@final
@dataclass(frozen=True, eq=False)
class Normal:
    """A normal distribution of features: some axes, and one variance for all others.

    Attributes:
        mean: (D,).
        scale: (D,) what a feature is divided by; infinite where it does not vary.
        axes: (A, D) of the standardised features.
        variances: (A,) along them.
        rest: The variance along any other axis.
    """

    mean: Floats
    scale: Floats
    axes: Floats
    variances: Floats
    rest: float

    def distances(self, X: Floats) -> Floats:
        """Return (m,) squared distances of (m, D) features."""
        Z = (X - self.mean) / self.scale
        along = Z @ self.axes.T
        across = np.square(Z).sum(axis=1) - np.square(along).sum(axis=1)
        return np.asarray((np.square(along) / self.variances).sum(axis=1) + np.maximum(across, 0) / self.rest)


@final
@dataclass(frozen=True, eq=False)
class Novelty:
    """Tells how unlike the training data an item is.

    Attributes:
        normal: The training features.
        known: Rising distances of training examples from fits that left them out.
    """

    normal: Normal
    known: Floats

    def of(self, X: Floats) -> NDArray[np.float64]:
        """Return (m,) shares, 0 to 1, of training examples that are less unusual than (m, D) features."""
        found = np.searchsorted(self.known, self.normal.distances(X.astype(np.float64)), side="left")
        return np.asarray(found / len(self.known))

    def to_arrays(self) -> dict[str, NDArray[np.float32]]:
        """Return what `from_arrays` reads, in single precision."""
        parts = {**vars(self.normal), "known": self.known}
        return {name: np.asarray(value, dtype=np.float32) for name, value in parts.items()}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[Any]]) -> Self:
        """Build it from what `to_arrays` returned."""
        wide = {name: array.astype(np.float64) for name, array in arrays.items()}
        known, rest = wide.pop("known"), float(wide.pop("rest"))
        return cls(Normal(**wide, rest=rest), known)
