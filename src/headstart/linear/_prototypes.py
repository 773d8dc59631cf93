"""Labels by the nearest of the means that uncertain labels give the classes."""

from typing import Any, Final

import numpy as np
import numpy.typing as npt

ROUNDS: Final = 2


def nearest_prototypes(
    rows: npt.NDArray[np.floating[Any]], probabilities: npt.NDArray[np.floating[Any]]
) -> npt.NDArray[np.intp]:
    """Label rows by the nearest of the means that probabilities give the classes, by cosine, twice.

    Args:
        rows: (M, D).
        probabilities: (M, C).

    Returns:
        (M,) class numbers.
    """
    centred = rows - rows.mean(axis=0)
    unit = centred / np.maximum(np.linalg.norm(centred, axis=1, keepdims=True), 1e-12)
    weights: npt.NDArray[Any] = np.asarray(probabilities, dtype=np.float64)
    labels = weights.argmax(axis=1)
    for _ in range(ROUNDS):
        means = weights.T @ unit
        means /= np.maximum(np.linalg.norm(means, axis=1, keepdims=True), 1e-12)
        labels = (unit @ means.T).argmax(axis=1)
        weights = np.eye(weights.shape[1])[labels]
    return np.asarray(labels)
