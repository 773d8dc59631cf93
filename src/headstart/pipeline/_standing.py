"""Which arm of a curve stands for transfer, chosen inside the training part."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from headstart.evaluation import greater_is_better, metric_name
from headstart.strategies import Fitted
from headstart.tasks import Kind


@dataclass(frozen=True)
class Inside:
    """What an arm reaches on inner folds.

    Attributes:
        loss: Cross-validated loss.
        value: Mean of the wanted metric over the folds; nan where one of them does not define it.
    """

    loss: float
    value: float

    @classmethod
    def of(cls, fitted: Fitted) -> "Inside":
        """Read it off a fit."""
        return cls(fitted.loss, float(np.mean(fitted.fold_values)))


def standing(found: Mapping[str, Inside], *, kind: Kind, metric: str) -> tuple[str, str]:
    """Choose the arm that stands for transfer.

    Of tagged texts the metric decides where it is defined: nearly all words are outside of entities, so that the loss
    says more of these than of what is looked for. So it does of transcripts, of which the loss knows no decoder.
    Elsewhere the loss does, which is less noisy.

    Args:
        found: Two arms by name.
        kind: Of the task.
        metric: The wanted one.

    Returns:
        The arm, and why: the value of each.
    """
    if kind in ("tagging", "transcription") and all(np.isfinite(each.value) for each in found.values()):
        what, values = metric_name(metric), {arm: each.value for arm, each in found.items()}
    else:
        what, values = "loss", {arm: each.loss for arm, each in found.items()}
    sign = -1 if what != "loss" and greater_is_better(metric) else 1
    chosen, other = sorted(values, key=lambda arm: sign * values[arm])
    return chosen, f"{what} is {values[chosen]:.3f}, of {other} {values[other]:.3f}"
