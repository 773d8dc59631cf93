"""The linear probe and its cheap alternatives: a head on frozen features.

Settings are chosen by cross-validation inside the examples given: the feature view (last layer, mean of layers) and,
for the linear head, the strength of the penalty. Log loss decides (of classes, or its mean over labels), because with
few labels it is less noisy than accuracy; for values, the squared error in variances of the training side.
"""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, final

import numpy as np
from numpy.typing import NDArray

from headstart.backbones import Backbone, Flips, View
from headstart.data import Dataset, inner_folds
from headstart.errors import OptionError
from headstart.evaluation import find_metric, metrics_for
from headstart.features import key_of
from headstart.linear import (
    ClassWeight,
    Fold,
    KNearest,
    Standardiser,
    best_view,
    choose_frames,
    fit_cross_validated,
    fit_nearest_mean,
    fit_speech,
    fit_standardised,
)
from headstart.model import AdaptedModel, Head
from headstart.strategies._base import Fitted, Run, Strategy, class_weight_for, over_views
from headstart.strategies._documents import some_documents
from headstart.strategies._speech import spoken_of
from headstart.strategies._thawed import Reading, seen
from headstart.strategies._tuning import TUNING_FOLDS
from headstart.tasks import Kind, Task, Transcription, kind_of


@final
@dataclass(frozen=True)
class Probe(Strategy):
    """Fits a head on frozen features.

    Attributes:
        head: ``logistic`` (multinomial, L2, L-BFGS on standardised features; one binary problem per label; for values
            ridge regression), ``nearest_mean`` (nearest class mean on standardised features; classes only) or ``knn``
            (cosine, weighted votes).
        class_weight: ``balanced`` weighs all classes alike (each label's presence and absence), ``none`` all examples;
            ``auto`` follows the metric.
        k: Neighbours of the ``knn`` head.
        views: Views of each image or recording the head is fitted on: the plain one and light random crops and flips,
            or noise, gain and masks. Where words or frames have features of their own, the plain one alone.
        flips: Whether half of the other views are mirrored; ``off`` where left and right mean something.
        view: The features: of the ``last`` layer, the ``mean`` of all where they are equally wide, or ``auto`` for the
            better of both.
    """

    head: Literal["logistic", "nearest_mean", "knn"] = "logistic"
    class_weight: Literal["auto", "balanced", "none"] = "auto"
    k: int = 5
    views: int = 1
    flips: Flips = "on"
    view: Literal["auto", "last", "mean"] = "auto"

    def fit(self, backbone: Backbone, train: Dataset, task: Task, *, run: Run) -> Fitted:
        """Choose view and strength by cross-validation, then fit on every example.

        Args:
            backbone: The frozen network.
            train: Labelled examples.
            task: What their labels mean.
            run: The features and the seed.

        Returns:
            The model and its cross-validated losses.

        Raises:
            DataError: All examples are copies of one item, or of one group.
            OptionError: The head or the metric does not go with the task.
        """
        assert train.labels is not None
        self._check_head(task)
        find_metric(run.metric, task.kind)
        if backbone.frames is not None:
            run.features.ensure(backbone, train)  # which tells how many frames there are
        rows_each = run.features.rows_each(backbone, train)
        few = train if rows_each is None else some_documents(train, rows_each, seed=run.seed)
        choose = self._choose_speech if isinstance(task, Transcription) else self._choose
        found = choose(backbone, few, task, run)
        if len(few) == len(train):
            return found
        began = time.monotonic()
        model = self.refit(backbone, train, task, chosen=found.chosen, run=run)
        what = "documents" if backbone.frames is None else "recordings"
        chosen = {**found.chosen, "chosen on": f"{len(few)} of {len(train)} {what}"}
        return replace(found, model=model, chosen=chosen, seconds=time.monotonic() - began, held_out=None)

    def _choose(self, backbone: Backbone, train: Dataset, task: Task, run: Run) -> Fitted:
        """Cross-validate all settings on these examples, and fit the best on them."""
        assert train.labels is not None
        y = task.encode(train.labels)
        folds = inner_folds(train, y, seed=run.seed)
        n_classes, best = task.n_outputs, None
        for view in self._views(backbone):
            X = self._rows(backbone, train, view, run)
            trial = self._trial(view, X, y, folds, n_classes=n_classes, class_weight=self._weights(run.metric))
            if best is None or trial.loss < best.loss:
                best = trial
        assert best is not None
        model = AdaptedModel(backbone, best.head, task, best.view, str(self))
        reading = self._reading(backbone)
        seen_as = {"views": reading.described} if reading.views > 1 else {}
        values = _fold_values(y, best.out_of_fold, folds, run.metric)
        return Fitted(model, best.loss, values, {**best.chosen, **seen_as})

    def _views(self, backbone: Backbone) -> tuple[View, ...]:
        if self.view != "auto" and self.view not in backbone.views:
            problem = f"its layers are not equally wide, so it has no view {self.view!r}"
            raise OptionError(problem, where=backbone.name, fix="Write view='last'.")
        return backbone.views if self.view == "auto" else (self.view,)

    def _choose_speech(self, backbone: Backbone, train: Dataset, task: Task, run: Run) -> Fitted:
        """Cross-validate all settings of a model of frames, and fit the best on these recordings."""
        assert isinstance(task, Transcription)
        views = {
            view: spoken_of(self._rows(backbone, train, view, run), train, task, backbone)
            for view in self._views(backbone)
        }
        y = next(iter(views.values())).texts
        folds = inner_folds(train, y, seed=run.seed, n_splits=TUNING_FOLDS)
        view, first = best_view(views, folds[0])
        found = choose_frames(views[view], folds, first=first)
        model = AdaptedModel(backbone, fit_speech(views[view], found.settings), task, view, str(self))
        values = _fold_values(y, found.outputs, folds, run.metric)
        return Fitted(model, found.loss, values, {"view": view, **found.settings}, held_out=found.outputs)

    def _check_head(self, task: Task) -> None:
        if self.head == "nearest_mean" and task.kind != "classification":
            other = "." if task.kind in ("tagging", "transcription") else " or probe(head='knn')."
            fix = f"Use probe(head='logistic'){other}"
            raise OptionError(f"probe(head='nearest_mean') needs classes, found {task.kind}", fix=fix)
        if self.head == "knn" and task.kind in ("tagging", "transcription"):
            raise OptionError(f"probe(head='knn') needs one answer per item, found {task.kind}", fix="Use probe().")

    def refit(
        self, backbone: Backbone, train: Dataset, task: Task, *, chosen: Mapping[str, str | float], run: Run
    ) -> AdaptedModel:
        """Fit with settings chosen before, so that a held-out fold costs one fit.

        Args:
            backbone: The frozen network.
            train: Labelled examples.
            task: What their labels mean.
            chosen: `Fitted.chosen` of an earlier fit.
            run: The features.

        Returns:
            The model.
        """
        assert train.labels is not None
        view = next(view for view in backbone.views if view == chosen["view"])
        X, y = self._rows(backbone, train, view, run), np.asarray(task.encode(train.labels))
        if isinstance(task, Transcription):
            speech = fit_speech(spoken_of(X, train, task, backbone), chosen)
            return AdaptedModel(backbone, speech, task, view, str(self))
        labels = np.concatenate([y] * (len(X) // len(y)))
        if self.head != "logistic":
            head = self._simple_head(X, labels, task.n_outputs)
        else:
            weight = self._weights(run.metric)
            head = fit_standardised(
                X,
                labels,
                n_classes=task.n_outputs,
                strength=float(chosen["strength"]),
                class_weight=weight,
                kind=task.kind,
            )
        return AdaptedModel(backbone, head, task, view, str(self))

    def missing(self, backbone: Backbone, train: Dataset, *, run: Run) -> int:
        """Count the rows of features that `fit` would have to compute.

        Args:
            backbone: The frozen network.
            train: The examples.
            run: The store.

        Returns:
            Items that have no row yet, over all views.
        """
        networks = seen(backbone, self._reading(backbone))
        return sum(len(run.features.store.missing(key_of(each), train.hashes)) for each in networks)

    def _rows(self, backbone: Backbone, train: Dataset, view: View, run: Run) -> NDArray[np.float32]:
        """Features of all views of the items, one view after another; texts have one."""
        networks = seen(backbone, self._reading(backbone))
        return np.concatenate([run.features.features(each, train, view=view) for each in networks])

    def _reading(self, backbone: Backbone) -> Reading:
        return Reading.of(backbone, views=self.views if backbone.one_row else 1, flips=self.flips)

    def _weights(self, metric: str) -> ClassWeight:
        if self.class_weight == "auto":
            return class_weight_for(metric)
        return self.class_weight

    def _trial(
        self,
        view: View,
        X: NDArray[np.float32],
        y: NDArray[Any],
        folds: Sequence[Fold],
        *,
        n_classes: int,
        class_weight: ClassWeight,
    ) -> "_Trial":
        n, views = len(y), len(X) // len(y)
        y, folds = np.concatenate([y] * views), over_views(folds, n, views)
        if self.head == "logistic":
            model, found = fit_cross_validated(
                X, y, folds, n_classes=n_classes, class_weight=class_weight, kind=kind_of(y)
            )
            chosen = {"view": view, "strength": found.strength}
            return _Trial(view, model, float(found.loss.mean(axis=0).min()), found.outputs[:n], chosen)
        out = np.full((len(y), n_classes), np.nan)
        for inside, outside in folds:
            out[outside] = self._simple_head(X[inside], y[inside], n_classes).outputs(X[outside])
        loss = float(np.mean([_loss(y[inside], y[outside], out[outside]) for inside, outside in folds]))
        return _Trial(view, self._simple_head(X, y, n_classes), loss, out[:n], {"view": view})

    def _simple_head(self, X: NDArray[np.float32], y: NDArray[Any], n_classes: int) -> Head:
        if self.head == "knn":
            return KNearest.fit(X, y, n_classes=n_classes, k=self.k, kind=kind_of(y))
        standardiser = Standardiser.fit(X)
        return fit_nearest_mean(standardiser.transform(X), y, n_classes=n_classes).fold(standardiser)


def _loss(y_inside: NDArray[Any], y: NDArray[Any], outputs: NDArray[np.float64]) -> float:
    """The loss that chooses, as `headstart.linear.CrossValidation` has it."""
    kind: Kind = kind_of(y)
    if kind == "regression":
        return float(np.square(outputs[:, 0] - y).mean() / (y_inside.var() or 1.0))
    return float(metrics_for(kind)["log_loss"].function(y, outputs))


@dataclass(frozen=True)
class _Trial:
    """One feature view, cross-validated and fitted."""

    view: View
    head: Head
    loss: float
    out_of_fold: NDArray[np.float64]
    chosen: Mapping[str, str | float]


def _fold_values(y: NDArray[Any], outputs: NDArray[Any], folds: Sequence[Fold], metric: str) -> tuple[float, ...]:
    """Score out-of-fold outputs fold by fold; nan where the metric is not defined."""
    found = find_metric(metric, kind_of(y))
    values = [found.score(y[outside], outputs[outside]) for _, outside in folds]
    return tuple(float("nan") if value is None else value for value in values)
