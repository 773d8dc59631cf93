"""What a search still owes once it has a model: measuring, the proof and saving, in seconds.

The ladder stops where the rest of the budget is needed for these. All of them are predicted from what the first rung
took: the rate of the frozen passes, and the time of a fit.
"""

import time
from dataclasses import dataclass
from functools import cached_property
from typing import Final, final

import numpy as np

from headstart.backbones import Backbone
from headstart.features import frozen_pass
from headstart.search._problem import MIN_OUTER_FOLDS, Problem

RANDOM_AT_MOST: Final = 300  # training and test examples of the probe on random weights
SAMPLE: Final = 16
SECONDS_TO_SAVE: Final = 2.0  # and to end
SECONDS_PER_MEGABYTE: Final = 0.02  # written, and hashed twice
CAUTION: Final = 1.3


@final
@dataclass(frozen=True)
class Owed:
    """Predicts what is left to do.

    Attributes:
        problem: The data.
        backbone: The network chosen.
        probe_seconds: What one fit of all candidates took, frozen passes aside; where a strategy that moves weights was
            asked for, one training, which is what an outer fold costs then.
    """

    problem: Problem
    backbone: Backbone
    probe_seconds: float

    @property
    def saving(self) -> float:
        """Seconds to write the model and end."""
        weights: int = sum(tensor.nbytes for tensor in self.backbone.network.state_dict().values())
        return SECONDS_TO_SAVE + SECONDS_PER_MEGABYTE * weights / 2**20

    @property
    def scoring(self) -> float:
        """Seconds to score the first rung: a pass over the test part, or the fewest outer folds."""
        if self.problem.plan.folds:
            return MIN_OUTER_FOLDS * self.probe_seconds
        return CAUTION * self.per_item * len(self.problem.splits[0][1])

    @property
    def random(self) -> float:
        """Seconds of the comparison with random weights."""
        if self.problem.proof == "none":
            return 0.0
        inside, outside = (min(RANDOM_AT_MOST, len(self.problem.own(part))) for part in self.problem.splits[0])
        fits = 2 * self.probe_seconds * inside / len(self.problem.plan.train)
        return CAUTION * (self.per_item * (inside + outside) + fits)

    @property
    def all(self) -> float:
        """Seconds of everything that follows the climb."""
        return self.scoring + self.random + self.saving

    @cached_property
    def per_item(self) -> float:
        """Seconds per item of a frozen pass: of this backbone so far, or of a few items where all was stored."""
        features, items = self.problem.run.features, self.problem.dataset.items
        seconds, rows = features.by_backbone.get(self.backbone.name, (0.0, 0))
        if rows:
            return seconds / rows
        few = [items[i] for i in np.linspace(0, len(items) - 1, min(SAMPLE, len(items))).astype(int)]
        for _ in range(2):  # the first is slower than the rest
            began = time.monotonic()
            list(frozen_pass(self.backbone, few, engine=self.problem.run.engine))
        return (time.monotonic() - began) / len(few)
