"""The classifier: one class per item, or several labels."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import sparse
from sklearn.base import ClassifierMixin
from sklearn.utils import column_or_1d
from sklearn.utils.multiclass import check_classification_targets, type_of_target

from headstart.data import Item
from headstart.errors import DataError
from headstart.estimators._transfer import Transfer, column, dataset_of
from headstart.tasks import Classification, MultiLabel, join_labels

if TYPE_CHECKING:
    from sklearn.utils import Tags


class TransferClassifier(ClassifierMixin, Transfer):  # type: ignore[misc]  # scikit-learn has no types
    """A classifier that starts from a pretrained network.

    Where ``y`` is a matrix of indicators it predicts several labels at once, as scikit-learn's multi-label classifiers
    do.

    Args:
        backbone: An address such as ``starter:minilm-l6``, a `Backbone`, or several of either to choose among by
            cross-validation; by default the ones that need no network.
        strategy: How to adapt it, such as ``probe(head='knn')`` or ``finetune(last=2)``.
        modality: ``image``, ``text`` or ``audio``; ``auto`` goes by the names of files, and takes strings for texts
            unless all of them end like names of images, or all like names of sounds.
        metric: The score that will matter; under ``balanced_accuracy`` and ``macro_f1`` all classes weigh alike. By
            default accuracy, of labels micro F1.
        device: ``auto``, ``cpu``, ``cuda`` or ``mps``.
        offline: Open no connection.
        random_state: Seed of every random choice.

    Attributes:
        classes_: (C,) labels in the order of the probabilities; of indicators the column numbers.
        model_: The fitted `headstart.model.AdaptedModel`.
        chosen_: Settings that cross-validation chose.
    """

    def fit(self, X: Iterable[Item], y: ArrayLike, groups: ArrayLike | None = None) -> "TransferClassifier":
        """Choose settings by cross-validation inside these examples and fit on all of them.

        Args:
            X: N paths, images, arrays or strings.
            y: N labels, or (N, C) indicators of zeros and ones.
            groups: N groups (patient, speaker, document) that the inner folds keep together.

        Returns:
            The estimator itself.
        """
        if sparse.issparse(y) or (np.ndim(y) == 2 and type_of_target(y, input_name="y") == "multilabel-indicator"):
            self._fit_indicators(X, y, groups)
            return self
        labels = column(column_or_1d(y, warn=True), "y")
        check_classification_targets(labels)
        self.classes_, numbers = np.unique(labels, return_inverse=True)
        dataset = dataset_of(X, self.modality, labels=list(map(class_name, numbers)), groups=groups)
        if len(self.classes_) < 2:
            raise DataError(f"expected at least 2 classes, found 1 class: {self.classes_[0]!r}", where="y")
        self._choose(dataset, Classification(class_names(len(self.classes_))))
        return self

    def _fit_indicators(self, X: Iterable[Item], y: ArrayLike, groups: ArrayLike | None) -> None:
        indicators = np.asarray(y.toarray() if sparse.issparse(y) else y)
        if not np.isin(indicators, (0, 1)).all():
            found = indicators[~np.isin(indicators, (0, 1))][0]
            raise DataError(f"expected one label per item or a matrix of zeros and ones, found {found}", where="y")
        self.classes_ = np.arange(indicators.shape[1])
        labels = [join_labels(class_name(int(column)) for column in np.flatnonzero(row)) for row in indicators]
        dataset = dataset_of(X, self.modality, labels=labels, groups=groups, kind="multilabel")
        self._choose(dataset, MultiLabel(class_names(len(self.classes_))))

    def predict_proba(self, X: Iterable[Item]) -> NDArray[np.float64]:
        """Return class or label probabilities.

        Args:
            X: N paths, images, arrays or strings.

        Returns:
            (N, C) probabilities in the order of ``classes_``.
        """
        return self._outputs(X)

    def predict(self, X: Iterable[Item]) -> NDArray[Any]:
        """Return the most probable label of every item, or the indicators of its labels.

        Args:
            X: N paths, images, arrays or strings.

        Returns:
            (N,) labels; or (N, C) of 0 and 1, which is 1 where a probability is above one half.
        """
        probabilities = self.predict_proba(X)
        if self.model_.task.kind == "multilabel":
            return (probabilities > 0.5).astype(np.int64)
        labels: NDArray[Any] = self.classes_[probabilities.argmax(axis=1)]
        return labels

    def __sklearn_tags__(self) -> "Tags":
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_label = True
        return tags


def class_name(number: int) -> str:
    """Name a class so that names sort like the labels do, because data sets have names and not numbers."""
    return f"{number:06d}"


def class_names(count: int) -> tuple[str, ...]:
    """Return the names of so many classes, in order."""
    return tuple(map(class_name, range(count)))
