"""Metrics against their definitions, item by item, and against scikit-learn."""

import numpy as np
import pytest
from sklearn import metrics as sklearn_metrics

from headstart.errors import DataError
from headstart.evaluation import metric_name, metrics, metrics_for
from headstart.evaluation.metrics import METRICS, all_metrics, per_class
from headstart.tasks import KINDS
from tests.reference import scores


def problem(n, n_classes, *, seed=0, digits=1):
    """Labels and probabilities with many ties."""
    rng = np.random.default_rng(seed)
    p = rng.dirichlet(np.ones(n_classes), n).round(digits) + 0.01
    return rng.integers(0, n_classes, n), p / p.sum(axis=1, keepdims=True)


@pytest.mark.parametrize("name", METRICS)
@pytest.mark.parametrize(("n", "n_classes"), [(1, 2), (40, 2), (60, 4), (30, 12)])
def test_every_metric_equals_its_definition_written_out(name, n, n_classes):
    y, p = problem(n, n_classes)
    expected = getattr(scores, name)(y, p)
    assert float(METRICS[name].function(y, p)) == pytest.approx(expected, abs=1e-12, nan_ok=True)


@pytest.mark.parametrize("name", METRICS)
def test_counts_score_a_resample_as_if_it_were_put_together(name):
    y, p = problem(25, 3)
    drawn = np.random.default_rng(1).integers(0, 25, (7, 25))
    counts = np.stack([np.bincount(row, minlength=25) for row in drawn]).astype(float)
    together = [METRICS[name].function(y[row], p[row]) for row in drawn]
    np.testing.assert_allclose(METRICS[name].function(y, p, counts), together, atol=1e-12)


def test_scikit_learn_agrees():
    y, p = problem(200, 3)
    guesses = p.argmax(axis=1)
    assert metrics.balanced_accuracy(y, p) == pytest.approx(sklearn_metrics.balanced_accuracy_score(y, guesses))
    assert metrics.macro_f1(y, p) == pytest.approx(sklearn_metrics.f1_score(y, guesses, average="macro"))
    assert metrics.log_loss(y, p) == pytest.approx(sklearn_metrics.log_loss(y, p))
    assert metrics.auroc(y, p) == pytest.approx(sklearn_metrics.roc_auc_score(y, p, multi_class="ovr"))
    assert metrics.brier(y % 2, p[:, :2] / p[:, :2].sum(axis=1, keepdims=True)) == pytest.approx(
        2 * sklearn_metrics.brier_score_loss(y % 2, p[:, 1] / p[:, :2].sum(axis=1))
    )


def test_a_class_that_no_item_has_leaves_auroc_undefined_and_the_rest_defined():
    p = np.array([[0.7, 0.2, 0.1], [0.1, 0.8, 0.1]])
    found = all_metrics(np.array([0, 1]), p)
    assert found["auroc"] is None
    assert found["accuracy"] == found["balanced_accuracy"] == found["macro_f1"] == 1.0
    assert all(isinstance(value, float) for name, value in found.items() if name != "auroc")


def test_a_wrong_certainty_costs_as_much_as_the_floor_allows_and_stays_in_bounds():
    y, p = np.array([0]), np.array([[0.0, 1.0]])
    assert metrics.log_loss(y, p) == METRICS["log_loss"].bounds[1] == pytest.approx(16.118, abs=1e-3)
    assert metrics.brier(y, p) == METRICS["brier"].bounds[1] == 2


def test_direction_and_differences_are_known_to_every_metric():
    assert [name for name, metric in METRICS.items() if not metric.greater_is_better] == ["log_loss", "brier"]
    assert METRICS["brier"].difference_bounds == (-2.0, 2.0)


def test_per_class_has_none_where_a_ratio_has_no_denominator():
    p = np.eye(4)[[0, 0, 1, 1]]
    table = per_class(np.array([0, 1, 1, 2]), p, ["a", "b", "c", "d"])
    assert table["a"] == {"precision": 0.5, "recall": 1.0, "f1": pytest.approx(2 / 3), "n": 1}
    assert table["c"] == {"precision": None, "recall": 0.0, "f1": 0.0, "n": 1}
    assert table["d"] == {"precision": None, "recall": None, "f1": None, "n": 0}


@pytest.mark.parametrize(
    ("y", "p", "message"),
    [
        ([0, 1], np.ones((3, 2)) / 2, r"expected probabilities of shape \(2, classes\).*found \(3, 2\)"),
        ([], np.ones((0, 2)), r"for one or more labels, found \(0, 2\)"),
        ([0], np.array([[np.nan, 1.0]]), "expected finite probabilities, found 1 that are not"),
        ([2], np.ones((1, 2)) / 2, "expected class numbers from 0 to 1, found 2 to 2"),
    ],
)
def test_arrays_that_do_not_fit_are_refused(y, p, message):
    with pytest.raises(DataError, match=message):
        metrics.accuracy(np.array(y, dtype=int), p)


@pytest.mark.parametrize("kind", KINDS)
def test_metrics_have_names_that_read_well(kind):
    names = {metric: metric_name(metric) for metric in metrics_for(kind)}
    assert len(set(names.values())) == len(names)
    assert not any("_" in name for name in names.values())
    if kind == "transcription":
        assert names["wer"] == "word error rate"
    if kind == "classification":
        assert names["macro_f1"] == "macro F1"
        assert names["log_loss"] == "log loss"
