"""What every strategy returns: a backbone, a head on one of its feature views, and the task they solve."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import final

import numpy as np
from numpy.typing import NDArray

from headstart.backbones import Backbone, View
from headstart.data import Item
from headstart.engine import LocalEngine
from headstart.features import frozen_pass
from headstart.linear import KNearest, LinearModel
from headstart.tasks import Classification

Head = LinearModel | KNearest


@final
@dataclass(frozen=True, eq=False, repr=False)
class AdaptedModel:
    """A model that predicts.

    Attributes:
        backbone: The network, frozen or adapted.
        head: Maps (N, D) raw features to (N, C) probabilities.
        task: Class names and their order.
        view: Which feature view the head reads.
        strategy: How it was made, as a call string such as ``probe(head='logistic')``.
    """

    backbone: Backbone
    head: Head
    task: Classification
    view: View = "last"
    strategy: str = "probe()"

    def __repr__(self) -> str:
        """Name the parts; the weights would fill screens."""
        return f"AdaptedModel({self.backbone.name!r}, {self.strategy}, {len(self.task.classes)} classes)"

    def predict_proba(self, items: Sequence[Item]) -> NDArray[np.float64]:
        """Return class probabilities.

        Args:
            items: N paths, images, arrays or strings.

        Returns:
            (N, C) probabilities in the order of ``task.classes``; rows sum to one.
        """
        probabilities = np.zeros((len(items), len(self.task.classes)))
        for positions, features in self._features(items):
            probabilities[positions] = self.head.probabilities(features)
        return probabilities

    def predict(self, items: Sequence[Item]) -> list[str]:
        """Return the most probable label of every item."""
        return self.task.decode(self.predict_proba(items))

    def _features(self, items: Sequence[Item]) -> Iterator[tuple[NDArray[np.intp], NDArray[np.float32]]]:
        view = self.backbone.views.index(self.view)
        if self.backbone.modality == "image":
            items = [Path(item) if isinstance(item, str) else item for item in items]
        for rows in frozen_pass(self.backbone, items, engine=LocalEngine()):
            yield rows.positions, rows.values[:, view]
