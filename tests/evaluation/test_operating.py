"""Operating points of two classes."""

import numpy as np
import pytest
from sklearn.metrics import precision_recall_curve, roc_curve

from headstart.evaluation import operating_point, precision_recall, threshold_for
from headstart.evaluation.operating import sensitivity_at


def drawn(n: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    positive = rng.random(n) < 0.3
    return positive, np.clip(rng.normal(0.3 + 0.3 * positive, 0.15), 0, 1).round(2)


def test_a_threshold_lets_pass_the_wanted_share_of_new_negatives_on_average() -> None:
    passed = []
    for seed in range(300):
        positive, p = drawn(100, seed)
        threshold = threshold_for(positive, p, 0.95)
        new, q = drawn(2000, 10_000 + seed)
        passed.append((q[~new] < threshold).mean())
    assert np.mean(passed) >= 0.95


def test_too_few_negatives_call_nothing_positive() -> None:
    assert threshold_for(np.array([True, False, False]), np.array([0.9, 0.1, 0.2]), 0.95) == np.inf


def test_sensitivity_at_a_specificity_is_that_of_the_roc_curve() -> None:
    positive, p = drawn(500, 0)
    fpr, tpr, _ = roc_curve(positive, p, drop_intermediate=False)
    expected = tpr[fpr <= 0.05].max()
    assert sensitivity_at(positive, p, 0.95, np.ones(500)) == pytest.approx(expected)


def test_resamples_are_those_of_repeated_items() -> None:
    positive, p = drawn(60, 1)
    counts = np.random.default_rng(0).integers(0, 3, (4, 60)).astype(float)
    for row, found in zip(counts, sensitivity_at(positive, p, 0.9, counts), strict=True):
        again = np.repeat(np.arange(60), row.astype(int))
        assert found == pytest.approx(sensitivity_at(positive[again], p[again], 0.9, np.ones(len(again))))


def test_a_resample_without_one_of_the_classes_is_undefined() -> None:
    positive, p = np.array([True, False]), np.array([0.9, 0.1])
    found = sensitivity_at(positive, p, 0.95, np.array([[1.0, 1.0], [2.0, 0.0]]))
    assert found[0] == 1.0
    assert np.isnan(found[1])


def test_an_operating_point_says_what_a_threshold_does() -> None:
    positive, p = drawn(800, 3)
    found = operating_point(positive, p, threshold=0.5, specificity=0.95, seed=0)
    called = p >= 0.5
    assert found.sensitivity.value == pytest.approx(called[positive].mean())
    assert found.specificity.value == pytest.approx((~called)[~positive].mean())
    assert found.precision.value == pytest.approx(positive[called].mean())
    for each in (found.sensitivity, found.specificity, found.precision, found.possible):
        assert each.interval.low < each.value < each.interval.high


def test_where_nothing_is_called_positive_the_precision_is_undefined_and_says_so() -> None:
    positive, p = drawn(100, 4)
    found = operating_point(positive, p, threshold=np.inf, specificity=0.95, seed=0)
    assert np.isnan(found.precision.value)
    assert "nothing to take a share of" in found.precision.interval.method
    assert found.sensitivity.value == 0.0


def test_the_precision_recall_curve_is_scikit_learns() -> None:
    positive, p = drawn(200, 5)
    precision, recall, _ = precision_recall_curve(positive, p)
    ours = precision_recall(positive, p)
    np.testing.assert_allclose(ours[0], recall[:-1][::-1])
    np.testing.assert_allclose(ours[1], precision[:-1][::-1])
