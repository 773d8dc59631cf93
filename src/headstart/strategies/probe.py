"""The linear probe and its cheap alternatives: a head on frozen features.

Settings are chosen by cross-validation inside the examples given: the feature view (last layer, mean of layers) and,
for the logistic head, the strength of the penalty. Log loss decides, because with few labels it is less noisy than
accuracy.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, final

import numpy as np
from numpy.typing import NDArray

from headstart.backbones import Backbone, View
from headstart.data import Dataset, make_folds, united_groups
from headstart.errors import DataError
from headstart.evaluation import METRICS, log_loss
from headstart.linear import (
    ClassWeight,
    Fold,
    KNearest,
    Standardiser,
    fit_cross_validated,
    fit_nearest_mean,
)
from headstart.model import AdaptedModel, Head
from headstart.strategies._base import Fitted, Run, Strategy
from headstart.tasks import Classification

FOLDS = 5
# Scores under which a rare class counts as much as a common one; training then weighs the classes alike too.
ALIKE = ("balanced_accuracy", "macro_f1")


@final
@dataclass(frozen=True)
class Probe(Strategy):
    """Fits a head on frozen features.

    Attributes:
        head: ``logistic`` (multinomial, L2, L-BFGS on standardised features), ``nearest_mean`` (nearest class mean on
            standardised features) or ``knn`` (cosine, weighted votes).
        class_weight: ``balanced`` weighs all classes alike, ``none`` all examples; ``auto`` follows the metric.
        k: Neighbours of the ``knn`` head.
    """

    head: Literal["logistic", "nearest_mean", "knn"] = "logistic"
    class_weight: Literal["auto", "balanced", "none"] = "auto"
    k: int = 5

    def fit(self, backbone: Backbone, train: Dataset, task: Classification, *, run: Run) -> Fitted:
        """Choose view and strength by cross-validation, then fit on every example.

        Args:
            backbone: The frozen network.
            train: Labelled examples.
            task: Their classes.
            run: The features and the seed.

        Returns:
            The model and its cross-validated losses.

        Raises:
            DataError: All examples are copies of one item, or of one group.
        """
        assert train.labels is not None
        y = task.encode(train.labels)
        folds = _folds(train, y, seed=run.seed)
        n_classes, best = len(task.classes), None
        for view in backbone.views:
            X = run.features.features(backbone, train, view=view)
            trial = self._trial(view, X, y, folds, n_classes=n_classes, class_weight=self._weights(run.metric))
            if best is None or trial.log_loss < best.log_loss:
                best = trial
        assert best is not None
        model = AdaptedModel(backbone, best.head, task, best.view, str(self))
        return Fitted(model, best.log_loss, best.fold_values(y, folds, run.metric), best.chosen)

    def _weights(self, metric: str) -> ClassWeight:
        if self.class_weight == "auto":
            return "balanced" if metric in ALIKE else "none"
        return self.class_weight

    def _trial(
        self,
        view: View,
        X: NDArray[np.float32],
        y: NDArray[np.intp],
        folds: Sequence[Fold],
        *,
        n_classes: int,
        class_weight: ClassWeight,
    ) -> "_Trial":
        if self.head == "logistic":
            model, found = fit_cross_validated(X, y, folds, n_classes=n_classes, class_weight=class_weight)
            chosen = {"view": view, "strength": found.strength}
            return _Trial(view, model, float(found.log_loss.mean(axis=0).min()), found.probabilities, chosen)
        out = np.full((len(y), n_classes), np.nan)
        for inside, outside in folds:
            out[outside] = self._simple_head(X[inside], y[inside], n_classes).probabilities(X[outside])
        loss = float(np.mean([log_loss(y[outside], out[outside]) for _, outside in folds]))
        return _Trial(view, self._simple_head(X, y, n_classes), loss, out, {"view": view})

    def _simple_head(self, X: NDArray[np.float32], y: NDArray[np.intp], n_classes: int) -> Head:
        if self.head == "knn":
            return KNearest.fit(X, y, n_classes=n_classes, k=self.k)
        standardiser = Standardiser.fit(X)
        return fit_nearest_mean(standardiser.transform(X), y, n_classes=n_classes).fold(standardiser)


def _folds(train: Dataset, y: NDArray[np.intp], *, seed: int) -> Sequence[Fold]:
    """Cut inner folds, fewer than wanted where there are fewer groups or different items."""
    units = united_groups(train)
    separate = len(np.unique(units))
    if separate < 2:
        raise DataError(
            f"expected at least 2 separate examples or groups to choose settings on, found {separate}",
            where=train.source,
            fix="Add examples that are not copies, or from other groups.",
        )
    return make_folds(y, groups=units, n_splits=min(FOLDS, separate), seed=seed)


@dataclass(frozen=True)
class _Trial:
    """One feature view, cross-validated and fitted."""

    view: View
    head: Head
    log_loss: float
    out_of_fold: NDArray[np.float64]
    chosen: Mapping[str, str | float]

    def fold_values(self, y: NDArray[np.intp], folds: Sequence[Fold], metric: str) -> tuple[float, ...]:
        values = [METRICS[metric].score(y[outside], self.out_of_fold[outside]) for _, outside in folds]
        return tuple(float("nan") if value is None else value for value in values)
