"""The regularised H-score against scikit-learn's covariance and numpy's inverse."""

import numpy as np
import pytest

from headstart.errors import OptionError
from headstart.transferability import Spectrum, h_score
from tests.reference import transferability as reference
from tests.transferability.small import classes, labels, pinned


@pytest.mark.parametrize(
    ("name", "expected"), [("iris", 1.1778424993), ("digits", 6.2132799099), ("relu", 8.5576616023)]
)
def test_the_pinned_values_are_met(name, expected):
    F, y = pinned(name)
    assert h_score(F, y, kind="classification").value == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize(("n", "width"), [(60, 12), (30, 100), (40, 1)])
@pytest.mark.parametrize("n_classes", [2, 5])
def test_it_is_what_the_full_matrices_give(n, width, n_classes):
    F, y = classes(n, width, n_classes)
    assert h_score(F, y, kind="classification").value == pytest.approx(reference.h_score(F, y), rel=1e-5)


def test_labels_are_one_problem_of_two_classes_each():
    F, y = labels(50, 20, 4)
    expected = np.mean([reference.h_score(F, column) for column in y.T])
    assert h_score(Spectrum.of(F), y, kind="multilabel").value == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("kind", ["classification", "multilabel"])
@pytest.mark.parametrize(("n", "width"), [(24, 6), (16, 30)])
def test_the_influence_is_the_derivative_at_this_shrinkage(kind, n, width):
    F, y = classes(n, width, 3) if kind == "classification" else labels(n, width, 3)
    a = reference.shrinkage_of(F)
    columns = [y] if kind == "classification" else y.T

    def score(w):
        return np.mean([reference.weighted_h_score(F, column, w, shrinkage=a) for column in columns])

    found = h_score(F, y, kind=kind)
    assert found.value == pytest.approx(score(np.ones(n)), rel=1e-6)
    np.testing.assert_allclose(found.influence, reference.slope(score, n), rtol=1e-4, atol=1e-5)


def test_it_does_not_depend_on_unit_or_origin():
    F, y = classes(40, 60, 3)
    moved = h_score(5 * F + 100, y, kind="classification")
    assert moved.value == pytest.approx(h_score(F, y, kind="classification").value, rel=1e-6)


@pytest.mark.parametrize("constant", [0.0, 1.5])
def test_features_without_content_score_nothing(constant):
    found = h_score(np.full((9, 4), constant), np.arange(9) % 3, kind="classification")
    assert found.value == 0
    assert not found.influence.any()


def test_classes_that_are_two_points_are_finite():
    y = np.arange(10) % 2
    found = h_score(np.outer(2.0 * y - 1, np.ones(4)), y, kind="classification")
    assert found.value == pytest.approx(10 / 9, rel=1e-3)


def test_values_are_refused():
    with pytest.raises(OptionError, match="h_score scores classes or labels, found regression"):
        h_score(np.eye(3), np.arange(3.0), kind="regression")
