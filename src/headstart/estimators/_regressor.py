"""The regressor: a number per item."""

from collections.abc import Iterable

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import RegressorMixin
from sklearn.utils import column_or_1d

from headstart.data import Item
from headstart.errors import DataError
from headstart.estimators._transfer import Transfer, column, dataset_of
from headstart.tasks import Regression


class TransferRegressor(RegressorMixin, Transfer):  # type: ignore[misc]  # scikit-learn has no types
    """A regressor that starts from a pretrained network.

    Args:
        backbone: An address such as ``starter:minilm-l6``, a `Backbone`, or several of either to choose among by
            cross-validation; by default the ones that need no network.
        strategy: How to adapt it, such as ``probe(head='knn')`` or ``finetune(last=2)``.
        modality: ``image``, ``text`` or ``audio``; ``auto`` goes by the names of files, and takes strings for texts
            unless all of them end like names of images, or all like names of sounds.
        metric: The score that will matter; by default the root mean squared error.
        device: ``auto``, ``cpu``, ``cuda`` or ``mps``.
        offline: Open no connection.
        random_state: Seed of every random choice.

    Attributes:
        model_: The fitted `headstart.model.AdaptedModel`.
        chosen_: Settings that cross-validation chose.
    """

    def fit(self, X: Iterable[Item], y: ArrayLike, groups: ArrayLike | None = None) -> "TransferRegressor":
        """Choose settings by cross-validation inside these examples and fit on all of them.

        Args:
            X: N paths, images, arrays or strings.
            y: N numbers.
            groups: N groups (patient, speaker, document) that the inner folds keep together.

        Returns:
            The estimator itself.
        """
        values = column(column_or_1d(y, warn=True), "y")
        if values.dtype.kind not in "biuf":
            raise DataError(f"Unknown label type: expected numbers, found {values[0]!r} ({values.dtype})", where="y")
        labels = [repr(float(value)) for value in values]
        dataset = dataset_of(X, self.modality, labels=labels, groups=groups, kind="regression")
        if len(dataset) < 2:
            raise DataError("expected at least 2 samples, found 1 sample", where="X")
        self._choose(dataset, Regression())
        return self

    def predict(self, X: Iterable[Item]) -> NDArray[np.float64]:
        """Return the value of every item.

        Args:
            X: N paths, images, arrays or strings.

        Returns:
            (N,) values.
        """
        return self._outputs(X)[:, 0]
