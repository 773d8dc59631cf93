"""LogME against Bayesian regression with D x D matrices, and against the published code's mistake."""

import numpy as np
import pytest

from headstart.errors import DataError
from headstart.transferability import Spectrum, logme
from tests.reference import transferability as reference
from tests.transferability.small import pinned, problem


def columns_of(y, kind):
    if kind == "regression":
        return ((y - y.mean()) / y.std())[:, None]
    return y.astype(float) if kind == "multilabel" else reference.one_hot(y)


def standardised(y, weights):
    away = y - np.average(y, weights=weights)
    return away / np.sqrt(np.average(away**2, weights=weights))


@pytest.mark.parametrize(
    ("name", "expected"), [("iris", -0.1600615738), ("digits", 0.2620034276), ("relu", 0.384050411)]
)
def test_the_pinned_values_are_met(name, expected):
    F, y = pinned(name)
    assert logme(F, y, kind="classification").value == pytest.approx(expected, rel=1e-3)


def test_the_published_fixed_point_is_wrong_where_there_are_more_features_than_examples():
    for name, expected in [("iris", -0.1600602437), ("digits", 0.2620044465), ("relu", 8.7451668214)]:
        F, y = pinned(name)
        assert reference.published_logme(F, reference.one_hot(y)) == pytest.approx(expected, rel=1e-6)
    F, y = pinned("relu")
    right = reference.logme(F, reference.one_hot(y))
    assert right == pytest.approx(0.384, abs=1e-3)
    assert logme(F, y, kind="classification").value == pytest.approx(right, rel=1e-6)


def test_the_published_mistake_grows_with_the_number_of_features():
    F, y = pinned("digits")
    F, y = F[:100], y[:100]
    published, ours = [], []
    for width in (50, 300, 1000, 2000):
        rows = np.maximum(F @ np.random.default_rng(0).normal(size=(64, width)), 0)
        published.append(reference.published_logme(rows, reference.one_hot(y)))
        ours.append(logme(rows, y, kind="classification").value)
    assert published[0] == pytest.approx(ours[0], rel=1e-6)
    assert published[1] > 8
    assert published[2] > 40
    assert published[3] > 90
    assert max(ours) < 0.5


@pytest.mark.parametrize("kind", ["classification", "multilabel", "regression"])
@pytest.mark.parametrize(("n", "width"), [(60, 12), (25, 60)])
def test_it_is_the_evidence_of_full_bayesian_regression(kind, n, width):
    F, y, _ = problem(kind, n, width)
    assert logme(Spectrum.of(F), y, kind=kind).value == pytest.approx(reference.logme(F, columns_of(y, kind)), rel=1e-5)


@pytest.mark.parametrize("kind", ["classification", "multilabel", "regression"])
@pytest.mark.parametrize(("n", "width"), [(30, 6), (20, 24)])
def test_the_influence_is_the_derivative_of_the_highest_evidence(kind, n, width, monkeypatch):
    F, y, _ = problem(kind, n, width)
    starts = reference.precisions(F, columns_of(y, kind))

    def score(w):  # values are standardised anew with the weights
        columns = columns_of(y, kind) if kind != "regression" else standardised(y, w)[:, None]
        return reference.weighted_logme(F, columns, w, starts=starts)

    slope = reference.slope(score, n, step=1e-2)
    found = logme(F, y, kind=kind).influence
    assert found.mean() == pytest.approx(0, abs=1e-12)
    assert np.corrcoef(found, slope)[0, 1] > 0.95  # eleven steps end near the top
    monkeypatch.setattr("headstart.transferability._evidence._STEPS", 1000)
    monkeypatch.setattr("headstart.transferability._evidence._TOLERANCE", 1e-6)
    np.testing.assert_allclose(logme(F, y, kind=kind).influence, slope, atol=0.01 * np.abs(slope).max())


def test_values_have_no_unit():
    F, y, _ = problem("regression")
    assert logme(F, y, kind="regression").value == pytest.approx(logme(F, 1000 * y - 3, kind="regression").value)


def test_columns_do_not_depend_on_their_order():
    F, y, _ = problem("classification")
    assert logme(F, y, kind="classification").value == pytest.approx(logme(F, 2 - y, kind="classification").value)


def test_classes_and_labels_that_tell_nothing_apart_are_left_out():
    F, y, _ = problem("classification")
    assert logme(F, 2 * y, kind="classification").value == logme(F, y, kind="classification").value
    F, y, _ = problem("multilabel")
    more = np.hstack([y, np.ones((len(y), 1), dtype=int), np.zeros((len(y), 1), dtype=int)])
    assert logme(F, more, kind="multilabel").value == logme(F, y, kind="multilabel").value


@pytest.mark.parametrize("kind", ["classification", "multilabel", "regression"])
@pytest.mark.parametrize("constant", [0.0, 1.5])
def test_features_without_content_score_worse_than_others(kind, constant):
    F, y, _ = problem(kind)
    worst = logme(np.full_like(F, constant), y, kind=kind)
    assert np.isfinite(worst.influence).all()
    assert worst.value < logme(F, y, kind=kind).value


@pytest.mark.parametrize(
    ("y", "kind", "message"),
    [
        (np.zeros(5, dtype=int), "classification", "at least 2 classes, found 1"),
        (np.ones((5, 2)), "multilabel", "a label that some examples have and some have not, found none"),
        (np.full(5, 3.0), "regression", "at least 2 different values, found 1"),
        (np.array([1, 2, np.nan, np.inf, 0]), "regression", "finite values, found 2 that are not"),
        (np.arange(4), "classification", r"expected 5 labels in 1 dimension\(s\), one per row, found shape \(4,\)"),
        (np.arange(5), "multilabel", r"expected 5 labels in 2 dimension\(s\), one per row, found shape \(5,\)"),
    ],
)
def test_targets_that_cannot_be_scored_are_refused(y, kind, message):
    with pytest.raises(DataError, match=message):
        logme(np.eye(5), y, kind=kind)
