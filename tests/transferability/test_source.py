"""LEEP and NCE against loops."""

import numpy as np
import pytest

from headstart.errors import DataError
from headstart.transferability import leep, nce, share_of_entropy
from tests.reference import transferability as reference
from tests.transferability.small import classes, pinned, source_probabilities


@pytest.mark.parametrize(
    ("name", "of_leep", "of_nce"),
    [
        ("iris", -0.9966744263, -1.0986122887),
        ("digits", -1.8486515460, -1.8252668486),
        ("relu", -2.0021034901, -2.0240996878),
    ],
)
def test_the_pinned_values_are_met(name, of_leep, of_nce):
    F, y = pinned(name)
    theta = source_probabilities(F)
    assert leep(theta, y).value == pytest.approx(of_leep, rel=1e-5)
    assert nce(theta, y).value == pytest.approx(of_nce, rel=1e-5)


@pytest.mark.parametrize("name", ["leep", "nce"])
def test_value_and_influence_are_those_of_weighted_loops(name):
    F, y = classes(20, 5, 3)
    theta = source_probabilities(F)[:, :4]
    theta /= theta.sum(axis=1, keepdims=True)
    of_loops, found = getattr(reference, name), {"leep": leep, "nce": nce}[name](theta, y)
    assert found.value == pytest.approx(of_loops(theta, y), rel=1e-9)
    slope = reference.slope(lambda w: of_loops(theta, y, w), 20)
    np.testing.assert_allclose(found.influence, slope, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", ["leep", "nce"])
def test_the_share_of_entropy_has_the_derivative_of_both(name):
    F, y = classes(20, 5, 3)
    y[:4] = 0
    theta = source_probabilities(F)
    of_loops, found = getattr(reference, name), share_of_entropy({"leep": leep, "nce": nce}[name](theta, y), y)

    def share(w):
        return 1 + of_loops(theta, y, w) / reference.entropy(y, w)

    assert found.value == pytest.approx(share(np.ones(20)), rel=1e-9)
    np.testing.assert_allclose(found.influence, reference.slope(share, 20), rtol=1e-5, atol=1e-5)


def test_source_classes_that_are_the_target_explain_everything_and_constant_ones_nothing():
    y = np.arange(12) % 3
    for score in (leep, nce):
        assert share_of_entropy(score(np.eye(4)[y], y), y).value == pytest.approx(1)
        assert share_of_entropy(score(np.full((12, 4), 0.25), y), y).value == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize(
    ("theta", "message"),
    [
        (np.ones(4), r"probabilities of shape \(N, source classes\), found shape \(4,\)"),
        (np.array([[2.0, -1.0]] * 4), "found shape"),
        (np.full((4, 2), np.nan), "found shape"),
        (np.array([[0.5, 0.5], [0.5, 0.4], [1.0, 1.0], [1.0, 0.0]]), "sum to 1, found 2 that do not"),
    ],
)
def test_what_are_no_probabilities_is_refused(theta, message):
    for score in (leep, nce):
        with pytest.raises(DataError, match=message):
            score(theta, np.arange(4) % 2)


def test_one_class_is_refused():
    with pytest.raises(DataError, match="at least 2 classes, found 1"):
        leep(np.full((4, 2), 0.5), np.zeros(4, dtype=int))
