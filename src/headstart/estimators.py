"""The scikit-learn face: estimators over lists of paths, images, arrays or strings.

They choose a backbone and fit like ``headstart fit --strategy``, without the measuring; the default is the probe and no
ladder, because in a cross-validation or a search a fit has to be quick and to depend on nothing but data and seed: a
climb looks at the time. Any call string is taken, ``finetune(last=2)`` too. Wrap them in
`sklearn.model_selection.cross_val_score` or a search of your own. Features come from the same store, so a
cross-validation runs the network once.
"""

from collections.abc import Collection, Iterable, Sequence
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from PIL import Image
from scipy import sparse
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
from sklearn.utils import column_or_1d
from sklearn.utils.multiclass import check_classification_targets, type_of_target
from sklearn.utils.validation import check_is_fitted

from headstart import backbones, strategies
from headstart.backbones import Backbone
from headstart.data import IMAGE_SUFFIXES, SOUND_SUFFIXES, Dataset, Item, Modality, Sound
from headstart.engine import pick_device
from headstart.errors import DataError, OptionError
from headstart.evaluation import DEFAULT_METRICS
from headstart.features import FeatureSource
from headstart.strategies import Run
from headstart.tasks import Classification, Kind, MultiLabel, Regression, Task, join_labels

if TYPE_CHECKING:
    from sklearn.utils import Tags


class _Transfer(BaseEstimator):  # type: ignore[misc]  # scikit-learn has no types
    """What the estimators share: settings, the choice of a model, and its outputs for new items."""

    def __init__(
        self,
        backbone: str | Backbone | Sequence[str | Backbone] | None = None,
        *,
        strategy: str = "probe",
        modality: Literal["auto", "image", "text", "audio"] = "auto",
        metric: str | None = None,
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

    def _choose(self, dataset: Dataset, task: Task) -> None:
        """Fit every candidate and keep the one of the lowest cross-validated loss."""
        strategy = strategies.parse(self.strategy)
        metric = DEFAULT_METRICS[task.kind] if self.metric is None else self.metric
        run = Run(FeatureSource(), seed=self.random_state, metric=metric)
        fits = [strategy.fit(b, dataset, task, run=run) for b in self._candidates(dataset.modality)]
        best = min(fits, key=lambda fit: fit.loss)
        self.model_, self.chosen_ = best.model, dict(best.chosen)

    def _outputs(self, X: Iterable[Item]) -> NDArray[np.float64]:
        check_is_fitted(self, "model_")
        model = self.model_
        dataset = _dataset(X, model.backbone.modality)
        outputs: NDArray[np.float64] = model.head.outputs(
            FeatureSource().features(model.backbone, dataset, view=model.view)
        )
        return outputs

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


class TransferClassifier(ClassifierMixin, _Transfer):  # type: ignore[misc]  # scikit-learn has no types
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
        labels = _column(column_or_1d(y, warn=True), "y")
        check_classification_targets(labels)
        self.classes_, numbers = np.unique(labels, return_inverse=True)
        dataset = _dataset(X, self.modality, labels=list(map(_class_name, numbers)), groups=groups)
        if len(self.classes_) < 2:
            raise DataError(f"expected at least 2 classes, found 1 class: {self.classes_[0]!r}", where="y")
        self._choose(dataset, Classification(_class_names(len(self.classes_))))
        return self

    def _fit_indicators(self, X: Iterable[Item], y: ArrayLike, groups: ArrayLike | None) -> None:
        indicators = np.asarray(y.toarray() if sparse.issparse(y) else y)
        if not np.isin(indicators, (0, 1)).all():
            found = indicators[~np.isin(indicators, (0, 1))][0]
            raise DataError(f"expected one label per item or a matrix of zeros and ones, found {found}", where="y")
        self.classes_ = np.arange(indicators.shape[1])
        labels = [join_labels(_class_name(int(column)) for column in np.flatnonzero(row)) for row in indicators]
        dataset = _dataset(X, self.modality, labels=labels, groups=groups, kind="multilabel")
        self._choose(dataset, MultiLabel(_class_names(len(self.classes_))))

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


class TransferRegressor(RegressorMixin, _Transfer):  # type: ignore[misc]  # scikit-learn has no types
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
        values = _column(column_or_1d(y, warn=True), "y")
        if values.dtype.kind not in "biuf":
            raise DataError(f"Unknown label type: expected numbers, found {values[0]!r} ({values.dtype})", where="y")
        labels = [repr(float(value)) for value in values]
        dataset = _dataset(X, self.modality, labels=labels, groups=groups, kind="regression")
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


@lru_cache(maxsize=4)
def _load(name: str, offline: bool, device: str) -> Backbone:  # noqa: FBT001  (a cache key)
    """Keep the last few networks: a cross-validation clones and fits its estimator many times."""
    return backbones.load(name, offline=offline).to(device)


def _dataset(
    X: Iterable[Item],
    modality: Literal["auto", "image", "text", "audio"],
    *,
    labels: Sequence[str] | None = None,
    groups: ArrayLike | None = None,
    kind: Kind = "classification",
) -> Dataset:
    if isinstance(X, str | Path):
        raise DataError(
            f"expected a list of items, found the single item {str(X)[:40]!r}", where="X", fix="Wrap it: [item]."
        )
    items = list(X)
    units = None if groups is None else _column(groups, "groups")
    for name, column in (("y", labels), ("groups", units)):
        if column is not None and len(column) != len(items):
            raise DataError(f"expected {len(items)} values, one per item, found {len(column)}", where=name)
    if not items:
        raise DataError("expected at least one item, found none", where="X")
    found = _modality(items) if modality == "auto" else modality
    return Dataset(
        modality=found,
        items=tuple(Path(item) if found != "text" and isinstance(item, str) else item for item in items),
        places=tuple(f"X[{i}]" for i in range(len(items))),
        labels=None if labels is None else tuple(labels),
        groups=None if units is None else tuple(map(str, units)),
        source="X",
        kind=kind,
    )


def _class_name(number: int) -> str:
    """Name a class so that names sort like the labels do."""
    return f"{number:06d}"


def _class_names(count: int) -> tuple[str, ...]:
    return tuple(map(_class_name, range(count)))


def _modality(items: Sequence[Item]) -> Modality:
    if all(isinstance(item, str) for item in items):
        return _modality_of_strings(items)
    if all(isinstance(item, Sound) or (isinstance(item, Path) and _ends_in(item, SOUND_SUFFIXES)) for item in items):
        return "audio"
    if all(isinstance(item, Path | Image.Image | np.ndarray) for item in items):
        return "image"
    kinds = sorted({type(item).__name__ for item in items})
    raise DataError(f"expected paths, images, arrays, sounds or strings, found {', '.join(kinds)}", where="X")


def _modality_of_strings(items: Sequence[str]) -> Modality:
    """Take strings that all end like names of images, or all like names of sounds, for files, which must be there."""
    modality: Modality = "text"
    if all(_ends_in(item, IMAGE_SUFFIXES) for item in items):
        modality = "image"
    elif all(_ends_in(item, SOUND_SUFFIXES) for item in items):
        modality = "audio"
    missing = next((i for i, item in enumerate(items) if modality != "text" and not Path(item).is_file()), None)
    if missing is not None:
        fix = "Correct the path; or pass modality='text', if these are texts."
        raise DataError(f"expected a file, found no such file {items[missing]!r}", where=f"X[{missing}]", fix=fix)
    return modality


def _ends_in(name: str | Path, suffixes: Collection[str]) -> bool:
    return str(name).lower().endswith(tuple(suffixes))


def _column(values: ArrayLike, name: str) -> NDArray[Any]:
    column = np.asarray(values)
    if column.ndim != 1:
        raise DataError(f"expected one value per item, found an array of shape {column.shape}", where=name)
    if column.dtype.kind == "f" and not np.isfinite(column).all():
        where = int(np.isfinite(column).argmin())
        raise DataError(f"expected finite values, found {column[where]} (nan or inf) at position {where}", where=name)
    return column
