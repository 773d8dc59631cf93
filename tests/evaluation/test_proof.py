"""Scores and paired comparisons of procedures measured on the same splits."""

from dataclasses import replace

import numpy as np
import pytest

from headstart.errors import DataError
from headstart.evaluation import Comparison, Fold, Interval, class_scores, compare, score, verdict


def a_fold(right: float, *, n: int = 200, seed: int = 0, n_train: int = 800, groups: bool = False) -> Fold:
    """Predictions of two classes, of which a share is right."""
    rng = np.random.default_rng(seed)
    y = rng.integers(2, size=n)
    hit = np.arange(n) < right * n
    rng.shuffle(hit)
    p = np.where(hit, 0.8, 0.3)
    probabilities = np.stack([np.where(y == 0, p, 1 - p), np.where(y == 1, p, 1 - p)], axis=1)
    return Fold(y, probabilities, n_train, np.arange(n) // 10 if groups else None)


def test_one_split_is_resampled_and_several_use_nadeau_and_bengio():
    one = score([a_fold(0.8)], metric="accuracy", how="test", n=200, seed=0)
    assert (one.value, one.n, one.how) == (0.8, 200, "test")
    assert "bootstrap" in one.interval.method
    several = score([a_fold(0.7 + k / 20, seed=k) for k in range(5)], metric="accuracy", how="cv", n=1000, seed=0)
    assert several.value == pytest.approx(0.8)
    assert "Nadeau" in several.interval.method
    values = 0.7 + np.arange(5) / 20
    half = 2.7764 * np.sqrt(values.var(ddof=1) * (1 / 5 + 200 / 800))
    assert (several.interval.low, several.interval.high) == pytest.approx((0.8 - half, min(1, 0.8 + half)), abs=1e-3)
    assert set(one.metrics) == {"accuracy", "balanced_accuracy", "macro_f1", "log_loss", "brier", "auroc"}


def test_a_fold_without_two_classes_leaves_auroc_undefined_there_only():
    flat = a_fold(0.8)
    only = Fold(np.zeros(200, dtype=np.intp), flat.probabilities, 800)
    assert score([only], metric="accuracy", how="test", n=200, seed=0).metrics["auroc"] is None
    mixed = score([flat, only, a_fold(0.8, seed=3)], metric="auroc", how="cv", n=600, seed=0)
    assert mixed.metrics["auroc"] is not None
    assert mixed.interval.low <= mixed.value <= mixed.interval.high
    assert mixed.interval.skipped == 1
    assert compare([flat, only, flat], [flat, only, flat], metric="auroc", seed=0, seconds=0).difference == 0


@pytest.mark.parametrize(
    ("n_folds", "message"),
    [
        (1, r"auroc is not defined on this test part: class 1 has no example there\. Choose another --metric\."),
        (3, r"auroc is not defined on any of the folds: class 1 has no example in the first\. Choose another"),
    ],
)
def test_a_headline_metric_without_a_value_is_an_error_and_never_nan(n_folds, message):
    folds = [Fold(np.zeros(200, dtype=np.intp), a_fold(0.8).probabilities, 800)] * n_folds
    with pytest.raises(DataError, match=message):
        score(folds, metric="auroc", how="test", n=200, seed=0)
    with pytest.raises(DataError, match=message):
        compare(folds, folds, metric="auroc", seed=0, seconds=0)


def test_several_missing_classes_are_all_named():
    only = Fold(np.zeros(3, dtype=np.intp), np.full((3, 3), 1 / 3), 9)
    with pytest.raises(DataError, match="test part: classes 1, 2 have no example there"):
        score([only], metric="auroc", how="test", n=3, seed=0)


@pytest.mark.parametrize(
    ("groups", "items", "n"),
    [
        ([[0, 1], [2, 3], [4, 5]], [[0, 1], [2, 3], [0, 1]], 6),
        (None, [[0, 1], [2, 3], [0, 1]], 160),
        (None, None, 240),
    ],
)
def test_perfect_folds_count_groups_or_else_every_example_once(groups, items, n):
    def spread(pairs, each):
        return None if pairs is None else np.repeat(pairs, 40) * each + np.tile(np.arange(40), 2) * (each > 1)

    folds = []
    for k in range(3):
        one = a_fold(1.0, n=80, seed=k, n_train=160)
        group, item = spread(groups and groups[k], 1), spread(items and items[k], 40)
        folds.append(Fold(one.y, one.probabilities, 160, group, item))
    found = score(folds, metric="accuracy", how="cv", n=240, seed=0)
    assert (found.interval.low, found.interval.high) == pytest.approx((0.025 ** (1 / n), 1.0))


def test_class_scores_pool_repeats_and_count_every_example_once():
    one = a_fold(0.9, n=60)
    first, again = (Fold(one.y, p, 60, None, np.arange(60)) for p in (one.probabilities, one.probabilities[:, ::-1]))
    table = class_scores([first, again], ["a", "b"])
    assert [row["n"] for row in table.values()] == np.bincount(one.y).tolist()
    assert table["a"]["recall"] == pytest.approx(0.5)  # right once where the reversed answer is wrong
    plain = class_scores([a_fold(0.9, n=60), a_fold(0.9, n=60)], ["a", "b"])
    assert [row["n"] for row in plain.values()] == (2 * np.bincount(one.y)).tolist()


def test_groups_widen_the_interval_where_items_of_a_group_are_alike():
    y = np.repeat(np.arange(20) % 2, 10)
    right = np.repeat(np.arange(20) % 4 != 0, 10)
    p = np.where(right, 0.9, 0.1)
    probabilities = np.stack([np.where(y == 0, p, 1 - p), np.where(y == 1, p, 1 - p)], axis=1)
    widths = []
    for groups in (None, np.arange(200) // 10):
        found = score([Fold(y, probabilities, 800, groups)], metric="accuracy", how="test", n=200, seed=0)
        widths.append(found.interval.high - found.interval.low)
    assert widths[1] > 2 * widths[0]


@pytest.mark.parametrize("folds", [1, 6])
def test_the_difference_is_ours_minus_theirs_and_paired(folds):
    ours = [a_fold(0.9, seed=k) for k in range(folds)]
    theirs = [a_fold(0.6, seed=k) for k in range(folds)]
    found = compare(ours, theirs, metric="accuracy", seed=0, seconds=1.5)
    assert (found.value, found.difference) == pytest.approx((0.6, 0.3))
    assert 0 < found.difference_interval.low < 0.3 < found.difference_interval.high + 1e-9
    same = compare(ours, ours, metric="accuracy", seed=0, seconds=0)
    assert same.difference == 0
    assert same.difference_interval.low <= 0 <= same.difference_interval.high


def test_folds_that_only_one_has_a_value_in_are_in_no_difference():
    rare = Fold(np.zeros(200, dtype=np.intp), a_fold(0.5).probabilities, 800)
    good, bad = (a_fold(right, seed=4) for right in (0.9, 0.6))
    one = compare([good, good, rare], [bad, bad, rare], metric="auroc", seed=0, seconds=0)
    two = compare([good, good], [bad, bad], metric="auroc", seed=0, seconds=0)
    assert (one.difference, one.difference_interval.skipped) == (two.difference, 1)
    assert one.difference_interval.low <= one.difference <= one.difference_interval.high


def test_a_metric_with_a_value_in_one_fold_alone_is_an_error_that_says_so():
    rare = Fold(np.zeros(200, dtype=np.intp), a_fold(0.8).probabilities, 800)
    folds, message = [a_fold(0.8), rare, rare], "auroc is not defined on all but one of the folds: class 1 has no exam"
    with pytest.raises(DataError, match=message):
        score(folds, metric="auroc", how="cv", n=600, seed=0)
    with pytest.raises(DataError, match=message):
        compare(folds, folds, metric="auroc", seed=0, seconds=0)


def test_ranks_that_each_has_in_other_folds_cannot_be_compared():
    rng = np.random.default_rng(0)
    y = rng.normal(size=50)
    ranked, constant = (Fold(y, p, 100) for p in (rng.normal(size=(50, 1)), np.zeros((50, 1))))
    ours, theirs = [ranked, ranked, ranked, constant, constant], [constant, constant, ranked, ranked, ranked]
    with pytest.raises(DataError, match="spearman is not defined on all but one of the folds: the values or the pred"):
        compare(ours, theirs, metric="spearman", seed=0, seconds=0)


def other(value: float, low: float, high: float) -> Comparison:
    return Comparison(value, Interval(0, 1, ""), 0.0, Interval(low, high, ""), 0.0)


@pytest.mark.parametrize(
    ("metric", "others", "expected"),
    [
        ("accuracy", {"a": other(0.5, 0.1, 0.3)}, True),
        ("accuracy", {"a": other(0.5, -0.3, -0.1)}, False),
        ("accuracy", {"a": other(0.5, -0.1, 0.3)}, None),
        ("accuracy", {"weak": other(0.2, 0.3, 0.5), "strong": other(0.8, -0.1, 0.1)}, None),
        ("accuracy", {"wide": other(0.5, -0.1, 0.7), "best": other(0.6, 0.1, 0.3)}, None),
        ("accuracy", {"sure": other(0.7, -0.2, -0.1), "best": other(0.8, -0.1, 0.1)}, False),
        ("accuracy", {"a": other(0.5, 0.1, 0.3), "b": other(0.6, 0.1, 0.2)}, True),
        ("log_loss", {"a": other(0.5, -0.3, -0.1)}, True),
        ("log_loss", {"a": other(0.5, 0.1, 0.3)}, False),
        ("log_loss", {"weak": other(0.9, -0.5, -0.3), "strong": other(0.3, -0.1, 0.1)}, None),
        ("accuracy", {}, None),
    ],
)
def test_the_verdict_is_against_every_one_of_the_others_and_knows_which_way_is_better(metric, others, expected):
    assert verdict(others, metric=metric) is expected


def test_a_comparison_of_something_else_than_ours_decides_nothing():
    probes = replace(other(0.2, -0.5, -0.3), compared="pretrained probe")
    assert verdict({"random weights": probes}, metric="accuracy") is None
    assert verdict({"random weights": probes, "a": other(0.5, 0.1, 0.3)}, metric="accuracy") is True
