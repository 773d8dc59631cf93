"""Label sets and values: their metrics, intervals, comparisons and baselines."""

import numpy as np
import pytest
from scipy import special, stats
from sklearn import metrics as sklearn_metrics

from headstart.errors import DataError, OptionError
from headstart.evaluation import (
    DEFAULT_METRICS,
    METRICS,
    Fold,
    all_metrics,
    bootstrap_interval,
    class_scores,
    compare,
    find_metric,
    image_baseline,
    majority_baseline,
    metrics_for,
    nadeau_bengio,
    paired_interval,
    per_class,
    score,
    text_baseline,
    verdict,
)
from headstart.tasks import KINDS

NAMES = [(kind, name) for kind in ("multilabel", "regression") for name in metrics_for(kind)]


def problem(kind, n=60, *, seed=0, noise=1.0):
    """Targets and predictions that are often right, with ties."""
    rng = np.random.default_rng(seed)
    if kind == "multilabel":
        Y = (rng.random((n, 4)) < (0.5, 0.3, 0.2, 0.1)).astype(float)
        return Y, special.expit(3 * Y - 1.5 + 1.5 * noise * rng.normal(size=(n, 4))).round(1)
    y = rng.lognormal(size=n).round(1)
    return y, (y + noise * rng.normal(size=n)).round(1)[:, None]


def test_every_kind_has_its_metrics_and_one_that_comes_first():
    assert metrics_for("classification") is METRICS
    assert all(DEFAULT_METRICS[kind] in metrics_for(kind) for kind in KINDS)
    assert find_metric("log_loss", "multilabel") is not METRICS["log_loss"]
    with pytest.raises(OptionError, match="found 'accuracy', which is one of classification. Use one of rmse, mae, r2"):
        find_metric("accuracy", "regression")
    with pytest.raises(OptionError, match=r"expected a metric, found 'mse'. Did you mean rmse\? Use one of rmse"):
        find_metric("mse", "regression")


def test_scikit_learn_agrees_on_labels():
    Y, p = problem("multilabel", 200)
    guesses, found = p > 0.5, all_metrics(Y, p)
    assert found == all_metrics(Y, p, kind="multilabel")
    assert found["micro_f1"] == pytest.approx(sklearn_metrics.f1_score(Y, guesses, average="micro"))
    assert found["macro_f1"] == pytest.approx(sklearn_metrics.f1_score(Y, guesses, average="macro"))
    assert found["subset_accuracy"] == pytest.approx(sklearn_metrics.accuracy_score(Y, guesses))
    assert found["mean_average_precision"] == pytest.approx(sklearn_metrics.average_precision_score(Y, p))
    expected = [sklearn_metrics.log_loss(Y[:, c], p[:, c].clip(1e-7, 1 - 1e-7)) for c in range(4)]
    assert found["log_loss"] == pytest.approx(np.mean(expected))


def test_scikit_learn_and_scipy_agree_on_values():
    y, p = problem("regression", 200)
    found = all_metrics(y, p)
    assert found["rmse"] == pytest.approx(sklearn_metrics.root_mean_squared_error(y, p))
    assert found["mae"] == pytest.approx(sklearn_metrics.mean_absolute_error(y, p))
    assert found["r2"] == pytest.approx(sklearn_metrics.r2_score(y, p))
    assert found["spearman"] == pytest.approx(stats.spearmanr(y, p[:, 0]).statistic)


@pytest.mark.parametrize(("kind", "name"), NAMES)
def test_counts_score_a_resample_as_if_it_were_put_together(kind, name):
    y, p = problem(kind, 25)
    drawn = np.random.default_rng(1).integers(0, 25, (40, 25))
    drawn[0] = 3  # one item again and again
    counts = np.stack([np.bincount(row, minlength=25) for row in drawn]).astype(float)
    function = find_metric(name, kind).function
    together = [function(y[row], p[row]) for row in drawn]
    np.testing.assert_allclose(function(y, p, counts), together, atol=1e-9)


@pytest.mark.parametrize(("kind", "name"), NAMES)
def test_the_bootstrap_agrees_with_resamples_put_together(kind, name):
    y, p = problem(kind)
    function, rng = find_metric(name, kind).function, np.random.default_rng(2)
    found = bootstrap_interval(name, y, p, groups=np.arange(60) // 2, seed=1)
    scores = []
    for _ in range(400):
        items = (2 * rng.integers(0, 30, 30)[:, None] + [0, 1]).ravel()
        scores.append(function(y[items], p[items]))
    expected = np.nanquantile(scores, [0.025, 0.975])
    assert [found.low, found.high] == pytest.approx(expected, abs=0.25 * np.ptp(expected))
    assert found.method == "bootstrap of 30 groups"
    same = paired_interval(name, y, p, p, seed=0)
    assert same.low <= 0 <= same.high


def test_scores_without_a_value_are_none():
    constant = all_metrics(np.full(5, 2.0), np.arange(5.0)[:, None])
    assert (constant["r2"], constant["spearman"], constant["rmse"]) == (None, None, pytest.approx(np.sqrt(2)))
    large = all_metrics(np.full(5, 1e8 + 0.1), np.arange(5.0)[:, None])
    assert large["r2"] is None
    nothing = all_metrics(np.zeros((4, 2)), np.full((4, 2), 0.1))
    assert {name for name, value in nothing.items() if value is None} == {
        "micro_f1",
        "macro_f1",
        "mean_average_precision",
    }
    with pytest.raises(DataError, match="r2 is not defined on this test part: the values or the predictions are all"):
        score([Fold(np.full(5, 2.0), np.zeros((5, 1)), 20)], metric="r2", how="test", n=5, seed=0)
    with pytest.raises(DataError, match="not defined on this test part: labels 0, 1 have no example there"):
        score([Fold(np.zeros((4, 2)), np.zeros((4, 2)), 9)], metric="micro_f1", how="test", n=4, seed=0)


def test_average_precision_leaves_out_labels_that_no_item_has():
    Y = np.array([[1, 0], [0, 0], [1, 0]])
    p = np.array([[0.9, 0.2], [0.8, 0.3], [0.1, 0.4]])
    assert all_metrics(Y, p)["mean_average_precision"] == pytest.approx((1 + 2 / 3) / 2)


@pytest.mark.parametrize("kind", ["multilabel", "regression"])
def test_one_split_several_splits_and_comparisons_work_as_for_classes(kind):
    metric = DEFAULT_METRICS[kind]
    ours, theirs = (
        [Fold(*problem(kind, 80, seed=k, noise=noise), 320, None, np.arange(80) + 80 * k) for k in range(5)]
        for noise in (0.3, 3.0)
    )
    one = score(ours[:1], metric=metric, how="test", n=80, seed=0)
    assert one.interval.low <= one.value <= one.interval.high
    assert set(one.metrics) == set(metrics_for(kind))
    several = score(ours, metric=metric, how="cv", n=400, seed=0)
    assert "Nadeau" in several.interval.method
    for number in (1, 5):
        found = compare(ours[:number], theirs[:number], metric=metric, seed=0, seconds=0)
        assert verdict({"other": found}, metric=metric) is True
        assert (found.difference > 0) == find_metric(metric, kind).greater_is_better


def test_where_nothing_varies_an_error_without_a_bound_has_an_open_interval():
    y = np.arange(10.0)
    exact = bootstrap_interval("rmse", y, y[:, None], seed=0)
    assert (exact.low, exact.high) == (0, np.inf)
    assert "without spread" in exact.method
    off = bootstrap_interval("mae", y, y[:, None] + 1, seed=0)
    assert 0 < off.low < 1
    assert off.high == np.inf
    assert off.method == "open, 10 items without spread"
    assert paired_interval("rmse", y, y[:, None], y[:, None], seed=0).low == -np.inf
    folds = nadeau_bengio(np.full(5, 0.3), n_train=8, n_test=2, bounds=(-np.inf, 1.0), units=10)
    assert folds.low == -np.inf
    assert 0.3 < folds.high < 1
    assert bootstrap_interval("r2", np.full(4, 1.0), np.ones((4, 1)), seed=0).low == -np.inf


def test_every_label_has_its_scores_and_values_have_none():
    Y, p = problem("multilabel", 100)
    found = per_class(Y, p, list("abcd"))
    expected = sklearn_metrics.precision_recall_fscore_support(Y, p > 0.5)
    for c, name in enumerate("abcd"):
        assert (found[name]["precision"], found[name]["recall"], found[name]["f1"]) == pytest.approx(
            tuple(part[c] for part in expected[:3])
        )
        assert found[name]["n"] == Y[:, c].sum()
    twice = [Fold(Y, p, 400, None, np.arange(100))] * 2
    assert class_scores(twice, list("abcd")) == found
    y, values = problem("regression")
    assert per_class(y, values, []) == {}
    assert class_scores([Fold(y, values, 9, None, np.arange(60))], []) == {}


def test_predictions_of_another_shape_or_not_finite_are_refused():
    Y, p = problem("multilabel")
    y, values = problem("regression")
    with pytest.raises(DataError, match=r"expected probabilities of shape \(60, 4\) for one or more items, found"):
        all_metrics(Y, p[:, :3])
    with pytest.raises(DataError, match="expected finite probabilities, found 240 that are not"):
        all_metrics(Y, p * np.nan)
    with pytest.raises(DataError, match=r"expected predictions of shape \(60, 1\) for one or more values, found \(60,"):
        all_metrics(y, values[:, 0])
    with pytest.raises(DataError, match="expected finite predictions, found 60 that are not"):
        all_metrics(y, values * np.inf)


def test_the_constant_answer_is_the_frequency_of_each_label_or_the_mean():
    Y, y = problem("multilabel")[0], problem("regression")[0]
    train, test = np.arange(40), np.arange(40, 60)
    labels, values = majority_baseline(Y, n_classes=4), majority_baseline(y, n_classes=1)
    np.testing.assert_allclose(labels.predict(train, test), np.tile((Y[:40].sum(axis=0) + 0.5) / 41, (20, 1)))
    np.testing.assert_allclose(values.predict(train, test), np.full((20, 1), y[:40].mean()))
    assert (labels.name, values.name) == ("label frequencies", "mean value")


def test_the_text_baseline_learns_labels_and_values():
    rng = np.random.default_rng(0)
    Y = (rng.random((160, 3)) < 0.4).astype(float)
    words = np.array(["alpha", "beta", "gamma"])
    texts = [" ".join([*words[row > 0], str(rng.integers(1000))]) for row in Y]
    y = 10 + 3 * Y[:, 0] - 2 * Y[:, 1] + 0.1 * rng.normal(size=160)
    train, test = np.arange(120), np.arange(120, 160)
    labels = text_baseline(texts, Y, n_classes=3, groups=None, seed=0)
    assert all_metrics(Y[test], labels.predict(train, test))["micro_f1"] > 0.9
    values = text_baseline(texts, y, n_classes=1, groups=None, seed=0)
    assert all_metrics(y[test], values.predict(train, test))["r2"] > 0.9
    assert (labels.name, values.name) == ("TF-IDF + logistic regression", "TF-IDF + ridge regression")


def test_the_image_baseline_learns_labels_and_values():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(120, 30)).astype(np.float32)
    Y, y = (X[:, :3] > 0).astype(float), 5 * X[:, 0] + rng.normal(size=120)
    train, test = np.arange(90), np.arange(90, 120)
    labels = image_baseline(X, Y, n_classes=3, groups=None, seed=0).predict(train, test)
    values = image_baseline(X, y, n_classes=1, groups=np.arange(120) // 2, seed=0)
    assert all_metrics(Y[test], labels)["micro_f1"] > 0.75
    assert all_metrics(y[test], values.predict(train, test))["r2"] > 0.8
    assert values.name == "colours and gradients + ridge regression"
