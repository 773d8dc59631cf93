"""One temperature for a whole model, fitted on held-out outputs, with a prior that keeps it near 1 for few data."""

from dataclasses import dataclass, replace
from typing import Any, Final, final

import numpy as np
from numpy.typing import NDArray
from scipy import optimize, special

from headstart.linear import LinearModel
from headstart.model import Head
from headstart.tasks import counts, cut, flat, is_ragged, kind_of

SPREAD: Final = 0.5  # of ln T under the prior
FLOOR: Final = 1e-7


@final
@dataclass(frozen=True)
class Temperature:
    """Divides scores: above 1 where a model is too sure of itself.

    Attributes:
        value: T.
    """

    value: float = 1.0

    @classmethod
    def fit(cls, outputs: NDArray[np.float64], y: NDArray[Any]) -> "Temperature":
        """Minimise mean NLL(scores / T) + (ln T)^2 / (2 * 0.5^2 * n): Guo et al. (ICML 2017), with a prior on ln T.

        Args:
            outputs: (N, C) held-out probabilities; rows with nan are left out. One column is values, or one label:
                there the temperature is 1, as it is of transcripts.
            y: (N,) class numbers or (N, C) indicators; of documents, (N,) objects like the outputs.

        Returns:
            The temperature.
        """
        if kind_of(y) == "transcription":  # the decoder has been chosen at the temperature there is
            return cls()
        if is_ragged(y):
            return cls.fit(flat(outputs), flat(y))
        known = ~np.isnan(outputs).any(axis=1)
        if outputs.shape[1] == 1 or not known.any():
            return cls()
        y, scores, n = y[known], _scores(outputs[known], y), int(known.sum())

        def objective(log_t: float) -> float:
            return _loss(scores / np.exp(log_t), y) + log_t**2 / (2 * SPREAD**2 * n)

        found = optimize.minimize_scalar(objective, bounds=(-2.5, 2.5), method="bounded")
        return cls(float(np.exp(found.x)))

    def calibrate(self, outputs: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return (N, K) outputs at this temperature; ``outputs`` of one column are values and stay."""
        if self.value != 1.0 and is_ragged(outputs):
            return cut(self.calibrate(flat(outputs)), counts(outputs))
        if self.value == 1.0 or outputs.shape[1] == 1:
            return outputs
        if np.allclose(np.nansum(outputs, axis=1)[~np.isnan(outputs).any(axis=1)], 1):
            return special.softmax(np.log(np.maximum(outputs, FLOOR)) / self.value, axis=1)
        clipped = np.clip(outputs, FLOOR, 1 - FLOOR)
        return special.expit(special.logit(clipped) / self.value)

    def apply(self, head: Head) -> Head:
        """Return the head with its scores divided by T."""
        if not isinstance(head, LinearModel) or head.link == "identity":
            return head
        scale = np.float32(1 / self.value)
        return replace(head, weights=head.weights * scale, bias=head.bias * scale)


def _scores(outputs: NDArray[np.float64], y: NDArray[Any]) -> NDArray[np.float64]:
    if y.ndim == 2:
        return special.logit(np.clip(outputs, FLOOR, 1 - FLOOR))
    return np.log(np.maximum(outputs, FLOOR))


def _loss(scores: NDArray[np.float64], y: NDArray[Any]) -> float:
    if y.ndim == 2:
        return float(np.logaddexp(0, np.where(y > 0.5, -scores, scores)).mean())
    return float((special.logsumexp(scores, axis=1) - scores[np.arange(len(y)), y]).mean())
