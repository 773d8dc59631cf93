"""Batches of a target without labels, as functions of the step."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Self, final

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from headstart.strategies._thawed import Thawed, rows_and_views
from headstart.training import epochs


@final
@dataclass(frozen=True)
class Looks:
    """Batches of the target.

    Attributes:
        thawed: The copy that trains, with activations of the target.
        items: Step number, from 0, to the examples of that batch.
        per_epoch: After how many batches every example was seen.
        seed: Of the views drawn.
    """

    thawed: Thawed
    items: Callable[[int], NDArray[np.intp]]
    per_epoch: int
    seed: int

    @classmethod
    def of(cls, target: Thawed, size: int, seed: int) -> Self:
        """Draw batches of so many examples; fewer where there are fewer."""
        n = target.views.n
        batches = epochs(n, min(size, n), seed)
        return cls(target, batches.rows, batches.per_epoch, seed)

    def features(self, step: int) -> Tensor:
        """Return the features (m, D) of a step's batch, with gradient, each example in one of its views."""
        views = self.thawed.views
        rows = rows_and_views(self.items(step), len(views.sources), views.n, seed=self.seed, step=step)
        return self.thawed.features(rows)
