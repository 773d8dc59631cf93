import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.preprocessing import StandardScaler

from headstart.data import make_folds
from headstart.errors import DataError
from headstart.linear import cross_validate
from headstart.transferability import probe
from tests.reference import transferability as reference
from tests.transferability.small import classes, problem


def folds_of(y, repeats=1):
    return make_folds(y, groups=None, n_splits=4, repeats=repeats, seed=0)


def scaled(F, inside, outside):
    scaler = StandardScaler().fit(F[inside])
    return scaler.transform(F[inside]), scaler.transform(F[outside])


def test_classes_score_minus_the_log_loss_of_logistic_regression():
    F, y = classes(80, 6, 3, apart=0.2)
    folds = folds_of(y)
    strength = cross_validate(F, y, folds, n_classes=3).strength
    gained = np.zeros(80)
    for inside, outside in folds:
        X, held_out = scaled(F, inside, outside)
        theirs = LogisticRegression(C=1 / (len(inside) * strength), tol=1e-8, max_iter=9999).fit(X, y[inside])
        gained[outside] = theirs.predict_log_proba(held_out)[np.arange(len(outside)), y[outside]]
    found = probe(F, y, folds, kind="classification", n_classes=3)
    assert found.value == pytest.approx(gained.mean(), rel=5e-3)
    np.testing.assert_allclose(found.influence, gained - gained.mean(), atol=0.05)


def test_labels_score_their_mean():
    F, y, n_classes = problem("multilabel", 80, 6)
    outputs = cross_validate(F, y, folds_of(y), n_classes=3, kind="multilabel").outputs
    gained = np.log(np.where(y == 1, outputs, 1 - outputs)).mean(axis=1)
    found = probe(F, y, folds_of(y), kind="multilabel", n_classes=n_classes)
    assert found.value == pytest.approx(gained.mean())
    np.testing.assert_allclose(found.influence, gained - gained.mean())


def test_values_score_minus_the_squared_error_in_variances():
    F, y, n_outputs = problem("regression", 80, 6)
    folds = folds_of(y)
    strength = cross_validate(F, y, folds, n_classes=1, kind="regression").strength
    told = np.zeros(80)
    for inside, outside in folds:
        X, held_out = scaled(F, inside, outside)
        told[outside] = Ridge(alpha=len(inside) * strength).fit(X, y[inside]).predict(held_out)

    def score(w):
        return -((w * (y - told) ** 2).sum() / (w * (y - np.average(y, weights=w)) ** 2).sum())

    found = probe(F, y, folds, kind="regression", n_classes=n_outputs)
    assert found.value == pytest.approx(score(np.ones(80)), rel=1e-3)
    np.testing.assert_allclose(found.influence, reference.slope(score, 80), atol=2e-3)


@pytest.mark.parametrize("kind", ["classification", "regression"])
def test_examples_that_are_never_held_out_count_not_at_all(kind):
    F, y, n_outputs = problem(kind, 80, 6)
    folds = folds_of(y)[:2]
    seen = np.sort(np.concatenate([outside for _, outside in folds]))
    found = probe(F, y, folds, kind=kind, n_classes=n_outputs)
    assert not found.influence[np.setdiff1d(np.arange(80), seen)].any()
    assert found.influence[seen].any()
    assert found.influence.mean() == pytest.approx(0, abs=1e-12)


def test_repeats_average_the_outputs():
    F, y, _ = problem("classification", 60, 6)
    folds = folds_of(y, repeats=2)
    outputs = cross_validate(F, y, folds, n_classes=3).outputs
    found = probe(F, y, folds, kind="classification", n_classes=3)
    assert found.value == pytest.approx(np.log(outputs[np.arange(60), y]).mean())


@pytest.mark.parametrize("kind", ["classification", "multilabel", "regression"])
def test_features_without_content_score_worse_than_others(kind):
    F, y, n_outputs = problem(kind, 60, 6)
    worst = probe(np.ones_like(F), y, folds_of(y), kind=kind, n_classes=n_outputs)
    assert np.isfinite(worst.influence).all()
    assert worst.value < probe(F, y, folds_of(y), kind=kind, n_classes=n_outputs).value


def test_what_cannot_be_scored_is_refused():
    F, y, _ = problem("classification")
    with pytest.raises(DataError, match="expected folds that hold examples out, found none"):
        probe(F, y, [], kind="classification", n_classes=3)
    with pytest.raises(DataError, match="at least 2 classes"):
        probe(F, np.zeros(len(F), dtype=int), folds_of(y), kind="classification", n_classes=3)
    F[0, 0] = np.nan
    with pytest.raises(DataError, match="expected finite features, found 1"):
        probe(F, y, folds_of(y), kind="classification", n_classes=3)
