"""The scikit-learn face: estimators over lists of paths, images, arrays or strings.

They choose and fit like ``headstart fit``, without the measuring: wrap them in
`sklearn.model_selection.cross_val_score` or a search of your own. Features come from the same store, so a
cross-validation runs the network once.
"""

from collections.abc import Iterable, Sequence
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from PIL import Image
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils import column_or_1d
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted

from headstart import backbones, strategies
from headstart.backbones import Backbone
from headstart.data import IMAGE_SUFFIXES, Dataset, Item, Modality
from headstart.engine import pick_device
from headstart.errors import DataError, OptionError
from headstart.features import FeatureSource
from headstart.strategies import Run
from headstart.tasks import Classification

if TYPE_CHECKING:
    from sklearn.utils import Tags


class TransferClassifier(ClassifierMixin, BaseEstimator):  # type: ignore[misc]  # scikit-learn has no types
    """A classifier that starts from a pretrained network.

    Args:
        backbone: An address such as ``starter:minilm-l6``, a `Backbone`, or several of either to choose among by
            cross-validation; by default the ones that need no network.
        strategy: How to adapt it, such as ``probe(head='knn')``.
        modality: ``image`` or ``text``; ``auto`` takes strings for texts unless all of them name image files.
        metric: The score that will matter; under ``balanced_accuracy`` and ``macro_f1`` all classes weigh alike.
        device: ``auto``, ``cpu``, ``cuda`` or ``mps``.
        offline: Open no connection.
        random_state: Seed of every random choice.

    Attributes:
        classes_: (C,) labels in the order of the probabilities.
        model_: The fitted `headstart.model.AdaptedModel`.
        chosen_: Settings that cross-validation chose.
    """

    def __init__(
        self,
        backbone: str | Backbone | Sequence[str | Backbone] | None = None,
        *,
        strategy: str = "probe",
        modality: Literal["auto", "image", "text"] = "auto",
        metric: str = "accuracy",
        device: str = "auto",
        offline: bool = False,
        random_state: int = 0,
    ) -> None:
        self.backbone = backbone
        self.strategy = strategy
        self.modality = modality
        self.metric = metric
        self.device = device
        self.offline = offline
        self.random_state = random_state

    def fit(self, X: Iterable[Item], y: ArrayLike, groups: ArrayLike | None = None) -> "TransferClassifier":
        """Choose settings by cross-validation inside these examples and fit on all of them.

        Args:
            X: N paths, images, arrays or strings.
            y: N labels.
            groups: N groups (patient, speaker, document) that the inner folds keep together.

        Returns:
            The estimator itself.
        """
        strategy = strategies.parse(self.strategy)
        labels = _column(column_or_1d(y, warn=True), "y")
        check_classification_targets(labels)
        self.classes_, numbers = np.unique(labels, return_inverse=True)
        dataset = _dataset(
            X, self.modality, labels=numbers, groups=None if groups is None else _column(groups, "groups")
        )
        if len(self.classes_) < 2:
            raise DataError(f"expected at least 2 classes, found 1 class: {self.classes_[0]!r}", where="y")
        task = Classification(tuple(map(_class_name, range(len(self.classes_)))))
        run = Run(FeatureSource(), seed=self.random_state, metric=self.metric)
        fits = [strategy.fit(b, dataset, task, run=run) for b in self._candidates(dataset.modality)]
        best = min(fits, key=lambda fit: fit.log_loss)
        self.model_, self.chosen_ = best.model, dict(best.chosen)
        return self

    def predict_proba(self, X: Iterable[Item]) -> NDArray[np.float64]:
        """Return class probabilities.

        Args:
            X: N paths, images, arrays or strings.

        Returns:
            (N, C) probabilities in the order of ``classes_``.
        """
        check_is_fitted(self, "model_")
        model = self.model_
        dataset = _dataset(X, model.backbone.modality)
        return model.head.probabilities(FeatureSource().features(model.backbone, dataset, view=model.view))

    def predict(self, X: Iterable[Item]) -> NDArray[Any]:
        """Return the most probable label of every item.

        Args:
            X: N paths, images, arrays or strings.

        Returns:
            (N,) labels.
        """
        probabilities = self.predict_proba(X)
        labels: NDArray[Any] = self.classes_[probabilities.argmax(axis=1)]
        return labels

    def _candidates(self, modality: Modality) -> list[Backbone]:
        given = self.backbone
        if given is None:
            given = [candidate.name for candidate in backbones.candidates(modality, offline=True)]
        several = [given] if isinstance(given, str | Backbone) else list(given)
        if not several:
            raise OptionError(
                f"no {modality} backbone is installed",
                where="backbone",
                fix="Name one, such as 'timm:resnet18.a1_in1k'.",
            )
        device = pick_device(self.device)
        return [_load(b, self.offline, device) if isinstance(b, str) else b.to(device) for b in several]

    def __sklearn_tags__(self) -> "Tags":
        tags = super().__sklearn_tags__()
        tags.input_tags.two_d_array = False
        tags.input_tags.string = True
        return tags


@lru_cache(maxsize=4)
def _load(name: str, offline: bool, device: str) -> Backbone:  # noqa: FBT001  (a cache key)
    """Keep the last few networks: a cross-validation clones and fits its estimator many times."""
    return backbones.load(name, offline=offline).to(device)


def _dataset(
    X: Iterable[Item],
    modality: Literal["auto", "image", "text"],
    *,
    labels: NDArray[np.intp] | None = None,
    groups: NDArray[Any] | None = None,
) -> Dataset:
    if isinstance(X, str | Path):
        raise DataError(
            f"expected a list of items, found the single item {str(X)[:40]!r}", where="X", fix="Wrap it: [item]."
        )
    items = list(X)
    for name, column in (("y", labels), ("groups", groups)):
        if column is not None and len(column) != len(items):
            raise DataError(f"expected {len(items)} values, one per item, found {len(column)}", where=name)
    if not items:
        raise DataError("expected at least one item, found none", where="X")
    kind = _modality(items) if modality == "auto" else modality
    return Dataset(
        modality=kind,
        items=tuple(Path(item) if kind == "image" and isinstance(item, str) else item for item in items),
        places=tuple(f"X[{i}]" for i in range(len(items))),
        labels=None if labels is None else tuple(map(_class_name, labels)),
        groups=None if groups is None else tuple(map(str, groups)),
        source="X",
    )


def _class_name(number: int) -> str:
    """Name a class so that names sort like the labels do."""
    return f"{number:06d}"


def _modality(items: Sequence[Item]) -> Modality:
    if all(isinstance(item, Path | Image.Image | np.ndarray) for item in items):
        return "image"
    if not all(isinstance(item, str) for item in items):
        kinds = sorted({type(item).__name__ for item in items})
        raise DataError(f"expected paths, images, arrays or strings, found {', '.join(kinds)}", where="X")
    named = all(item.lower().endswith(tuple(IMAGE_SUFFIXES)) for item in items)
    return "image" if named and all(Path(item).is_file() for item in items) else "text"


def _column(values: ArrayLike, name: str) -> NDArray[Any]:
    column = np.asarray(values)
    if column.ndim != 1:
        raise DataError(f"expected one value per item, found an array of shape {column.shape}", where=name)
    if column.dtype.kind == "f" and not np.isfinite(column).all():
        where = int(np.isfinite(column).argmin())
        raise DataError(f"expected finite values, found {column[where]} (nan or inf) at position {where}", where=name)
    return column
