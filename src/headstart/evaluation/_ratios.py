"""Ratios that may have no denominator: nan there, and left out of means."""

from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

Score: TypeAlias = Any  # np.float64 for counts (N,), an array (R,) for counts (R, N): numpy's types cannot say so


def ratio(above: npt.ArrayLike, below: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """Divide; nan where the denominator is 0."""
    top, bottom = np.asarray(above), np.asarray(below)
    return np.asarray(np.divide(top, bottom, out=np.full(bottom.shape, np.nan), where=bottom > 0))


def mean_where(values: npt.NDArray[Any], present: npt.NDArray[np.bool_]) -> Score:
    """Return the mean over the last axis of the values that are present; nan where none is."""
    return ratio(np.where(present, values, 0).sum(axis=-1), present.sum(axis=-1))
