"""Several labels and values: scikit-learn as the yardstick, and what it cannot do."""

import numpy as np
import pytest
from scipy import sparse
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.neighbors import KNeighborsRegressor

from headstart.errors import DataError, OptionError
from headstart.linear import (
    KNearest,
    LinearModel,
    Standardiser,
    cross_validate,
    fit_cross_validated,
    fit_labels,
    fit_ridge,
)


def problem(n, dimensions, n_labels, *, seed=0):
    """Rows on scales of their own, with labels and a value that a part of the features decides."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, dimensions)) * np.geomspace(2, 0.2, dimensions)
    scores = X @ rng.normal(size=(dimensions, n_labels)) + rng.normal(size=n_labels)
    Y = (scores + rng.logistic(size=scores.shape) > 0).astype(float)
    return X.astype(np.float32), Y, 40 + 7 * (scores[:, 0] + rng.normal(size=n))


def folds_of(n, n_splits=5):
    return [
        (np.flatnonzero(np.arange(n) % n_splits != k), np.flatnonzero(np.arange(n) % n_splits == k))
        for k in range(n_splits)
    ]


@pytest.mark.parametrize("make", [np.asarray, sparse.csr_matrix])
@pytest.mark.parametrize("class_weight", ["none", "balanced"])
def test_labels_are_scikit_learns_logistic_regressions_one_by_one(make, class_weight):
    X, Y, _ = problem(120, 20, 4)
    model = fit_labels(make(X), Y, strength=0.02, class_weight=class_weight)
    for c in range(4):
        theirs = LogisticRegression(
            C=1 / (120 * 0.02), tol=1e-9, max_iter=9999, class_weight=None if class_weight == "none" else "balanced"
        )
        np.testing.assert_allclose(
            model.outputs(make(X))[:, c], theirs.fit(X, Y[:, c]).predict_proba(X)[:, 1], atol=2e-3
        )
    assert model.link == "sigmoid"
    np.testing.assert_array_equal(model.probabilities(make(X)), model.outputs(make(X)))


@pytest.mark.parametrize("n", [60, 15])
@pytest.mark.parametrize("strength", [1e-4, 0.1, 30.0])
@pytest.mark.parametrize("make", [np.asarray, sparse.csr_matrix])
def test_values_are_scikit_learns_ridge_regression(make, n, strength):
    X, _, y = problem(n, 20, 1)
    theirs = Ridge(alpha=n * strength).fit(X.astype(float), (y - y.mean()) / y.std())
    expected = theirs.predict(X.astype(float)) * y.std() + y.mean()
    found = fit_ridge(make(X), y, strength=strength)
    atol = 1e-4 if make is np.asarray else 3e-2  # sparse rows are solved in steps
    np.testing.assert_allclose(found.outputs(make(X))[:, 0], expected, atol=atol * y.std())
    assert found.outputs(make(X)).shape == (n, 1)


def test_the_unit_of_the_values_does_not_matter():
    X, _, y = problem(80, 12, 1)
    one, other = (
        fit_cross_validated(X, target, folds_of(80), n_classes=1, kind="regression") for target in (y, 1e6 * y - 3)
    )
    assert one[1].strength == other[1].strength
    np.testing.assert_allclose(1e6 * one[0].outputs(X) - 3, other[0].outputs(X), rtol=1e-4)
    np.testing.assert_allclose(one[1].loss, other[1].loss, rtol=1e-6)


def test_cross_validated_values_equal_fitting_every_fold_and_strength_alone():
    X, _, y = problem(60, 15, 1)
    X, strengths = 5 + 3 * X, (0.01, 1.0, 0.1)
    found = cross_validate(X, y, folds_of(60), n_classes=1, strengths=strengths, kind="regression")
    losses, out = np.zeros((5, 3)), np.full((3, 60), np.nan)
    for f, (train, test) in enumerate(folds_of(60)):
        mean, scale = X[train].astype(float).mean(axis=0), X[train].astype(float).std(axis=0)
        for s, strength in enumerate(sorted(strengths, reverse=True)):
            model = Ridge(alpha=len(train) * strength).fit((X[train] - mean) / scale, y[train])
            out[s, test] = model.predict((X[test] - mean) / scale)
            losses[f, s] = ((out[s, test] - y[test]) ** 2).mean() / y[train].var()
    np.testing.assert_allclose(found.loss, losses[:, : len(found.strengths)], rtol=1e-3)
    best = losses.mean(axis=0).argmin()
    assert found.strength == found.strengths[best]
    np.testing.assert_allclose(found.outputs[:, 0], out[best], rtol=1e-3)
    assert np.isnan(found.accuracy).all()


def test_sparse_rows_are_cross_validated_too():
    X, Y, y = problem(60, 15, 3)
    for kind, target, columns in (("multilabel", Y, 3), ("regression", y, 1)):
        model, found = fit_cross_validated(sparse.csr_matrix(X), target, folds_of(60), n_classes=columns, kind=kind)
        assert found.outputs.shape == (60, columns)
        assert np.isfinite(found.loss).all()
        assert model.outputs(sparse.csr_matrix(X)).shape == (60, columns)
        assert found.loss.mean(axis=0).min() < found.loss.mean(axis=0)[0]


def test_cross_validated_labels_share_one_strength_of_the_lowest_mean_loss():
    X, Y, _ = problem(100, 10, 3)
    model, found = fit_cross_validated(X, Y, folds_of(100), n_classes=3, kind="multilabel")
    assert found.strength == found.strengths[found.log_loss.mean(axis=0).argmin()]
    losses = []
    for train, test in folds_of(100):
        standardiser = Standardiser.fit(X[train])
        fold = fit_labels(standardiser.transform(X[train]), Y[train], strength=found.strength)
        p = fold.outputs(standardiser.transform(X[test]))
        np.testing.assert_allclose(found.probabilities[test], p, atol=5e-3)
        losses.append(-np.log(np.where(Y[test] > 0, p, 1 - p)).mean())
    np.testing.assert_allclose(found.loss.mean(axis=0).min(), np.mean(losses), atol=2e-3)
    assert ((model.outputs(X) > 0.5) == Y).mean() > 0.7
    assert found.accuracy.max() > 0.65


@pytest.mark.parametrize("class_weight", ["none", "balanced"])
def test_labels_that_every_row_has_or_none_get_the_shrunk_frequency(class_weight):
    X, Y, _ = problem(40, 6, 3)
    Y[:, 1], Y[:, 2] = 0, 1
    model = fit_labels(X, Y, strength=0.1, class_weight=class_weight)
    np.testing.assert_allclose(model.outputs(X)[:, 1:], np.tile([0.5 / 41, 40.5 / 41], (40, 1)), rtol=1e-4)
    alone = fit_labels(X, Y[:, :1], strength=0.1, class_weight=class_weight)
    np.testing.assert_allclose(model.outputs(X)[:, :1], alone.outputs(X), atol=1e-3)
    nothing = fit_labels(X, np.zeros((40, 2)), strength=0.1)
    np.testing.assert_allclose(nothing.outputs(X), 0.5 / 41, rtol=1e-4)


def test_a_label_missing_from_a_training_part_leaves_losses_finite():
    X, Y, _ = problem(40, 6, 2)
    Y[:, 1] = np.arange(40) < 4
    first = [(np.arange(4, 40), np.arange(4)), (np.arange(36), np.arange(36, 40))]
    for class_weight in ("none", "balanced"):
        found = cross_validate(X, Y, first, n_classes=2, kind="multilabel", class_weight=class_weight)
        assert np.isfinite(found.loss).all()
    np.testing.assert_allclose(found.outputs[:4, 1], 0.5 / 37, rtol=1e-4)


def test_a_constant_target_is_answered_with_itself():
    X = problem(20, 5, 1)[0]
    np.testing.assert_allclose(fit_ridge(X, np.full(20, 3.7), strength=0.1).outputs(X), 3.7, rtol=1e-6)


def test_neighbours_vote_for_labels_and_average_values():
    X, Y, y = problem(150, 8, 3)
    theirs = KNeighborsRegressor(7, metric="cosine", weights=lambda d: 1 / (d + 0.01))
    values = KNearest.fit(X[:100], y[:100], n_classes=1, k=7, kind="regression")
    np.testing.assert_allclose(values.outputs(X[100:])[:, 0], theirs.fit(X[:100], y[:100]).predict(X[100:]), rtol=1e-3)
    labels = KNearest.fit(X[:100], Y[:100], n_classes=3, k=7, kind="multilabel")
    prior = (Y[:100].sum(axis=0) + 0.5) / 101
    expected = (7 * theirs.fit(X[:100], Y[:100]).predict(X[100:]) + prior) / 8
    np.testing.assert_allclose(labels.probabilities(X[100:]), expected, atol=1e-3)
    assert labels.outputs(X[:0]).shape == (0, 3)


def test_folding_keeps_what_kind_of_model_it_is():
    X, _, y = problem(50, 6, 1)
    X = 100 + 3 * X
    standardiser = Standardiser.fit(X)
    model = fit_ridge(standardiser.transform(X), y, strength=0.1)
    np.testing.assert_allclose(model.fold(standardiser).outputs(X), model.outputs(standardiser.transform(X)), rtol=1e-4)


def test_what_does_not_fit_together_is_refused():
    X, Y, y = problem(10, 3, 2)
    with pytest.raises(DataError, match=r"expected 10 rows of 2 zeros and ones, found shape \(10, 2\) or others"):
        fit_labels(X, 2 * Y, strength=1)
    with pytest.raises(DataError, match="expected 10 finite values, found shape"):
        fit_ridge(X, np.where(y == y[0], np.nan, y), strength=1)
    with pytest.raises(OptionError, match="expected strengths above 0"):
        fit_ridge(X, y, strength=0)
    values = LinearModel(np.ones((1, 3), np.float32), np.zeros(1, np.float32), link="identity")
    with pytest.raises(OptionError, match="expected a model of classes or labels, found one of values"):
        values.probabilities(X)
