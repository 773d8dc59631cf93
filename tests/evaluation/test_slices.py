"""Scores of subgroups, and how often the worst of many alike is called worse."""

import numpy as np
import pytest

from headstart.evaluation import Fold, accuracy, bootstrap_interval, slice_scores


def fold(y, right, **columns):
    p = np.full((len(y), 2), 0.3)
    p[np.arange(len(y)), np.where(right, y, 1 - y)] = 0.7
    return Fold(y, p, n_train=100, **columns)


def made(shares, n=100):
    """Items of two classes in subgroups, each right for a share of its items."""
    names = [name for name in shares for _ in range(n)]
    right = np.concatenate([np.arange(n) < share * n for share in shares.values()])
    y = np.arange(len(names)) % 2
    return fold(y, right), names


def test_every_subgroup_has_the_score_and_interval_of_its_items_alone():
    one, names = made({"A": 0.9, "B": 0.6, "C": 0.85})
    found = slice_scores([one], names, column="site", metric="accuracy", seed=4)
    assert [(each.name, each.n, each.few) for each in found.subgroups] == [
        ("A", 100, False),
        ("B", 100, False),
        ("C", 100, False),
    ]
    rows = np.array(names) == "B"
    assert found.subgroups[1].value == pytest.approx(accuracy(one.y[rows], one.probabilities[rows]))
    assert found.subgroups[1].interval == bootstrap_interval("accuracy", one.y[rows], one.probabilities[rows], seed=4)


def test_the_worst_is_compared_with_all_others_and_said():
    one, names = made({"A": 0.9, "B": 0.6, "C": 0.85})
    found = slice_scores([one], names, column="site", metric="accuracy", seed=0)
    assert (found.worst.name, found.worst.compared, found.worst.is_worse) == ("B", 3, True)
    assert found.worst.difference == pytest.approx(0.6 - 0.875)
    assert found.sentence.startswith("The worst subgroup by 'site' is 'B': accuracy -0.275 [")
    assert "allows for 3 having been looked at" in found.sentence
    assert found.sentence.endswith("it is worse beyond noise.")


def test_the_interval_widens_with_the_number_of_subgroups_looked_at():
    one, names = made({"A": 0.9, "B": 0.6})
    two = slice_scores([one], names, column="site", metric="accuracy", seed=0).worst.interval
    split = [f"A{i % 5}" if name == "A" else "B" for i, name in enumerate(names)]
    six = slice_scores([one], split, column="site", metric="accuracy", seed=0).worst.interval
    assert six.high - six.low > 1.2 * (two.high - two.low)  # 2.64 standard deviations to 1.96


def test_the_worst_of_many_alike_is_seldom_called_worse():
    rng = np.random.default_rng(0)
    wrong = 0
    for seed in range(20):
        y = rng.integers(2, size=180)
        names = [f"site {i % 6}" for i in range(180)]
        found = slice_scores([fold(y, rng.random(180) < 0.8)], names, column="site", metric="accuracy", seed=seed)
        wrong += found.worst.is_worse
    assert wrong <= 3  # of 20; 1 at most is expected, and without the correction about 4


def test_few_items_are_shown_and_marked_and_never_the_worst():
    one, names = made({"A": 0.9, "B": 0.85})
    names = ["tiny"] * 5 + names[5:]
    y = one.y.copy()
    y[:5] = 1 - y[:5]  # all wrong
    found = slice_scores([Fold(y, one.probabilities, 100)], names, column="site", metric="accuracy", seed=0)
    tiny = found.subgroups[-1]
    assert (tiny.name, tiny.value, tiny.few) == ("tiny", 0.0, True)
    assert found.worst.name == "B"


def test_sentences_where_there_is_nothing_to_compare():
    one, names = made({"A": 0.9})
    said = slice_scores([one], names, column="site", metric="accuracy", seed=0)
    assert said.worst is None
    assert said.sentence == "All scored items have one value in 'site': there is nothing to compare."
    each = slice_scores([one], [str(i // 5) for i in range(100)], column="age", metric="accuracy", seed=0)
    assert each.sentence == "All 20 subgroups by 'age' have fewer than 10 items: too few to compare."
    rest = slice_scores([one], ["x"] * 5 + names[5:], column="site", metric="accuracy", seed=0)
    assert rest.sentence.startswith("Only one subgroup by 'site' has 10 items or more")


def test_a_metric_that_subgroups_do_not_define_has_no_value():
    y = np.repeat([0, 1], 50)
    found = slice_scores([fold(y, np.arange(100) % 5 > 0)], [str(c) for c in y], column="c", metric="auroc", seed=0)
    assert [each.value for each in found.subgroups] == [None, None]
    assert found.sentence == "AUROC is not defined on enough subgroups by 'c' to compare them."


def test_of_errors_the_largest_is_the_worst():
    y = np.linspace(0, 1, 100)
    names = ["far" if i % 2 else "near" for i in range(100)]
    p = (y + np.where(np.arange(100) % 2, 0.3, 0.1) * np.random.default_rng(0).normal(size=100))[:, None]
    found = slice_scores([Fold(y, p, 100)], names, column="site", metric="rmse", seed=0)
    assert (found.worst.name, found.worst.is_worse) == ("far", True)
    values = {each.name: each.value for each in found.subgroups}
    assert found.worst.difference == pytest.approx(values["far"] - values["near"])


def test_folds_are_pooled_and_an_item_of_several_repeats_counts_once():
    one, names = made({"A": 0.9, "B": 0.6})
    halves = [
        Fold(one.y[part], one.probabilities[part], 100, items=part)
        for part in (np.arange(0, 200, 2), np.arange(1, 200, 2))
    ]
    pooled = slice_scores(halves, names, column="site", metric="accuracy", seed=0)
    twice = slice_scores(halves * 2, names, column="site", metric="accuracy", seed=0)
    for found in (pooled, twice):
        assert [each.n for each in found.subgroups] == [100, 100]
        assert [each.value for each in found.subgroups] == pytest.approx([0.9, 0.6])
    widths = [each.subgroups[1].interval.high - each.subgroups[1].interval.low for each in (pooled, twice)]
    assert widths[1] == pytest.approx(widths[0], rel=0.15)  # repeats add no items: else a share of 0.71


def test_whole_groups_are_drawn():
    one, names = made({"A": 0.9, "B": 0.6})
    groups = np.arange(200) // 10
    found = slice_scores([Fold(one.y, one.probabilities, 100, groups)], names, column="site", metric="accuracy", seed=0)
    assert found.subgroups[0].interval.method == "bootstrap of 10 groups"
    assert found.worst.interval.method == "bootstrap of 20 groups"


def grouped(groups):
    one, names = made({"A": 0.9, "B": 0.6, "C": 0.85})
    return slice_scores([Fold(one.y, one.probabilities, 100, groups)], names, column="site", metric="accuracy", seed=0)


def test_where_the_subgroups_are_the_groups_their_items_are_drawn():
    found = grouped(np.repeat(["p", "q", "r"], 100))
    assert [each.interval.method for each in found.subgroups] == ["bootstrap of 100 items"] * 3
    assert found.worst.interval.method == "bootstrap of 300 items"
    assert found.worst.is_worse


def test_a_subgroup_of_a_single_group_among_others_is_not_called_worse():
    groups = np.arange(300) // 10
    groups[100:200] = 99  # all of B
    found = grouped(groups)
    assert (found.worst.name, found.worst.is_worse) == ("B", False)
    assert (found.worst.interval.low, found.worst.interval.high) == (-1, 1)


def test_of_two_to_four_groups_the_interval_is_no_narrower_than_over_items():
    groups = np.arange(300) // 10
    groups[100:200] = 90 + np.arange(100) % 3  # alike, so groups alone would seem to know all of B
    interval = grouped(groups).worst.interval
    assert interval.method.startswith("the wider of: bootstrap of 23 groups; bootstrap of 300 items")
    assert interval.high - interval.low > 0.2
