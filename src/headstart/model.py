"""What every strategy returns: a backbone, a head on one of its feature views, and the task they solve."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import final

import numpy as np
from numpy.typing import NDArray

from headstart.backbones import Backbone, View
from headstart.data import Item
from headstart.engine import Engine, LocalEngine
from headstart.features import frozen_pass
from headstart.linear import KNearest, LinearModel
from headstart.tasks import Classification

Head = LinearModel | KNearest


@final
@dataclass(frozen=True, eq=False)
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

    def predict_proba(
        self, items: Sequence[Item], *, engine: Engine | None = None, progress: Callable[[int], None] | None = None
    ) -> NDArray[np.float64]:
        """Return class probabilities.

        Args:
            items: N paths, images, arrays or strings.
            engine: Reads items ahead of the network.
            progress: Told how many items are done.

        Returns:
            (N, C) probabilities in the order of ``task.classes``; rows sum to one.
        """
        probabilities = np.zeros((len(items), len(self.task.classes)))
        done = 0
        for positions, features in self._features(items, engine or LocalEngine()):
            probabilities[positions] = self.head.probabilities(features)
            done += len(positions)
            if progress:
                progress(done)
        return probabilities

    def predict(self, items: Sequence[Item]) -> list[str]:
        """Return the most probable label of every item."""
        return self.task.decode(self.predict_proba(items))

    def _features(
        self, items: Sequence[Item], engine: Engine
    ) -> Iterator[tuple[NDArray[np.intp], NDArray[np.float32]]]:
        view = self.backbone.views.index(self.view)
        for rows in frozen_pass(self.backbone, items, engine=engine):
            yield rows.positions, rows.values[:, view]
