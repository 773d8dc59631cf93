from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.model_selection import StratifiedGroupKFold

from headstart.data import Dataset, make_folds, plan_split
from headstart.errors import DataError


def texts(labels, *, same_text=(), **columns) -> Dataset:
    """One different text per label, except that the indices in ``same_text`` share theirs."""
    items = ["copy" if i in same_text else f"text {i}" for i in range(len(labels))]
    places = tuple(f"t.csv:{i + 2}" for i in range(len(labels)))
    return Dataset("text", tuple(items), places, labels=tuple(labels), source="t.csv", **columns)


def cycle(names: str, n: int) -> tuple[str, ...]:
    return tuple(names[i % len(names)] for i in range(n))


labelled = st.integers(2, 5).flatmap(
    lambda classes: st.lists(st.tuples(st.integers(0, classes - 1), st.integers(0, 30)), min_size=12, max_size=120)
)


@settings(deadline=None, max_examples=150)
@given(labelled, st.integers(2, 6), st.integers(1, 3), st.integers(0, 2**32 - 1), st.booleans())
def test_folds_score_everything_once_per_repeat_and_keep_groups_together(pairs, n_splits, repeats, seed, grouped):
    y, groups = np.array(pairs).T
    n_splits = min(n_splits, len(np.unique(groups)) if grouped else len(y))
    if n_splits < 2:
        return
    folds = make_folds(y, groups=groups if grouped else None, n_splits=n_splits, repeats=repeats, seed=seed)
    assert len(folds) == n_splits * repeats
    for train, test in folds:
        assert len(test) > 0
        assert np.array_equal(np.sort(np.concatenate([train, test])), np.arange(len(y)))
        if grouped:
            assert not set(groups[train]) & set(groups[test])
    for repeat in range(repeats):
        tests = [test for _, test in folds[repeat * n_splits : (repeat + 1) * n_splits]]
        assert np.array_equal(np.sort(np.concatenate(tests)), np.arange(len(y)))
        if not grouped:
            counts = np.array([np.bincount(y[test], minlength=5) for test in tests])
            assert np.ptp(counts, axis=0).max() <= 1
            assert np.ptp(counts.sum(axis=1)) <= 1
    again = make_folds(y, groups=groups if grouped else None, n_splits=n_splits, repeats=repeats, seed=seed)
    assert all(np.array_equal(one[1], other[1]) for one, other in zip(folds, again, strict=True))


def test_another_seed_or_repeat_gives_other_folds():
    y = np.arange(60) % 3
    first, second = make_folds(y, groups=None, n_splits=2, repeats=2, seed=0)[::2]
    other = make_folds(y, groups=None, n_splits=2, seed=1)[0]
    assert not np.array_equal(first[1], second[1])
    assert not np.array_equal(first[1], other[1])


def test_folds_do_not_depend_on_how_groups_and_classes_are_named():
    y, groups = np.arange(60) % 3, np.arange(60) // 2
    numbered = make_folds(y, groups=groups, n_splits=3, seed=0)
    named = make_folds([f"c{i}" for i in y], groups=[f"g{i:03}" for i in groups], n_splits=3, seed=0)
    assert all(np.array_equal(a[1], b[1]) for a, b in zip(numbered, named, strict=True))


@settings(deadline=None, max_examples=60)
@given(st.lists(st.tuples(st.integers(0, 2), st.integers(1, 8)), min_size=6, max_size=12), st.integers(2, 5))
def test_a_class_of_several_pure_groups_is_in_every_training_side(group_sizes, n_splits):
    group_sizes += [(0, 1), (0, 2), (1, 1), (1, 2), (2, 1), (2, 2)]  # two groups of every class at least
    y = np.concatenate([[label] * size for label, size in group_sizes])
    groups = np.repeat(np.arange(len(group_sizes)), [size for _, size in group_sizes])
    for train, _ in make_folds(y, groups=groups, n_splits=n_splits, seed=0):
        assert set(y[train]) == {0, 1, 2}


def test_grouped_folds_are_as_even_as_those_of_scikit_learn():
    def unevenness(y, folds):
        shares = np.array([np.bincount(y[test], minlength=3) for _, test in folds]) / np.bincount(y)
        return shares.std(axis=0).mean()

    ours, theirs = [], []
    for seed in range(20):
        random = np.random.default_rng(seed)
        groups = random.integers(0, 40, 300)
        y = (random.random(300) * 2 + (groups % 3 == 0)).astype(int)
        ours.append(unevenness(y, make_folds(y, groups=groups, n_splits=5, seed=seed)))
        reference = StratifiedGroupKFold(5, shuffle=True, random_state=seed).split(y, y, groups)
        theirs.append(unevenness(y, list(reference)))
    assert np.mean(ours) <= 1.1 * np.mean(theirs)


@pytest.mark.parametrize(
    ("n_splits", "groups", "kind"), [(1, None, "examples"), (7, None, "examples"), (4, [0, 0, 1, 1, 2, 2], "groups")]
)
def test_more_folds_than_groups_are_refused(n_splits, groups, kind):
    available = 6 if groups is None else 3
    with pytest.raises(DataError, match=f"expected 2 to {available} folds for {available} {kind}, found {n_splits}"):
        make_folds([0, 1] * 3, groups=groups, n_splits=n_splits, seed=0)


def test_a_given_test_part_is_scored_and_val_joins_training():
    plan = plan_split(texts(cycle("ab", 8), parts=("train",) * 4 + ("val",) * 2 + ("test",) * 2), seed=0)
    assert (plan.how, plan.train.tolist(), plan.test.tolist(), plan.folds) == ("test", [0, 1, 2, 3, 4, 5], [6, 7], None)
    assert plan.notes == ("The val part joins the training side; test is scored once.",)


def test_val_alone_is_the_test_part():
    plan = plan_split(texts(cycle("ab", 6), parts=("train",) * 4 + ("val",) * 2), seed=0)
    assert (plan.how, plan.test.tolist()) == ("test", [4, 5])
    assert plan.notes == ("There is no test part: val is used as the test part.",)


def test_given_folds_are_the_folds():
    plan = plan_split(texts(cycle("ab", 6), folds=("2", "2", "1", "1", "3", "3")), seed=0)
    assert plan.how == "cv"
    assert [test.tolist() for _, test in plan.folds] == [[2, 3], [0, 1], [4, 5]]
    assert plan.notes == ("Scored over the 3 folds of column 'fold'.",)
    with_test = texts(cycle("ab", 6), folds=cycle("12", 6), parts=("train",) * 4 + ("test",) * 2)
    assert "The column 'fold' is not used: there is a given test part." in plan_split(with_test, seed=0).notes


@pytest.mark.parametrize(("n", "folds"), [(40, 10), (200, 10), (201, 5), (499, 5)])
def test_small_data_is_cross_validated_three_times(n, folds):
    plan = plan_split(texts(cycle("ab", n)), seed=0)
    assert (plan.how, plan.test, len(plan.folds), plan.train.tolist()) == ("cv", None, 3 * folds, list(range(n)))
    assert plan.notes == (f"No test part: {folds}-fold cross-validation, 3 times.",)


@pytest.mark.parametrize("groups", [None, tuple(f"p{i // 2}" for i in range(503))])
def test_from_500_examples_a_stratified_fifth_is_held_out(groups):
    labels = cycle("aab", 503)
    plan = plan_split(texts(labels, groups=groups), seed=3)
    assert (plan.how, plan.folds) == ("holdout", None)
    assert abs(len(plan.test) - 503 / 5) <= 2
    for name in "ab":
        assert abs(sum(labels[i] == name for i in plan.test) - labels.count(name) / 5) <= 2
    assert np.array_equal(plan.test, plan_split(texts(labels, groups=groups), seed=3).test)
    assert not np.array_equal(plan.test, plan_split(texts(labels, groups=groups), seed=4).test)
    if groups:
        assert not {groups[i] for i in plan.train} & {groups[i] for i in plan.test}


def test_a_class_too_small_for_the_held_out_part_is_told():
    labels = ("rare",) * 2 + cycle("ab", 600)
    said = set()
    for seed in range(8):
        plan = plan_split(texts(labels), seed=seed)
        scored = {labels[i] for i in plan.test}
        assert {labels[i] for i in plan.train} == {"a", "b", "rare"}
        assert ("Too few for the held-out part, so not scored: 'rare'." in plan.notes) == ("rare" not in scored)
        said.add(len(plan.notes))
    assert 2 in said


@pytest.mark.parametrize(
    ("labels", "groups", "folds", "smallest"),
    [(cycle("ab", 30) + ("c",) * 3, None, 5, 3), (cycle("ab", 30), tuple("pppqqqrrrsss" + "t" * 18), 5, 5)],
)
def test_fewer_folds_where_a_class_or_the_groups_forbid_more(labels, groups, folds, smallest):
    plan = plan_split(texts(labels, groups=groups), seed=0)
    assert len(plan.folds) == 3 * folds
    assert f"{folds} folds instead of 10: one class has only {smallest} separate examples or groups." in plan.notes
    for train, test in plan.folds:
        assert {labels[i] for i in train} == set(labels)  # a rare class costs folds down to five, and no further
        assert not groups or not {groups[i] for i in train} & {groups[i] for i in test}


def test_copies_stay_together_also_across_groups():
    groups = tuple(f"p{i // 2}" for i in range(40))
    dataset = texts(cycle("ab", 40), same_text={0, 7, 21}, groups=groups)
    for train, test in plan_split(dataset, seed=0).folds:
        for together in ({0, 1, 6, 7, 20, 21}, {2, 3}):
            assert len(together & set(test.tolist())) in (0, len(together))
            assert len(together & set(train.tolist())) in (0, len(together))


def test_copies_across_a_given_split_are_told_and_kept():
    dataset = texts(cycle("ab", 8), same_text={1, 5, 7}, parts=("train",) * 6 + ("test",) * 2)
    plan = plan_split(dataset, seed=0)
    assert (len(plan.train), len(plan.test)) == (6, 2)
    assert plan.notes == (
        "Items with an exact copy on the other side of the given split: 1 (first: t.csv:3 = t.csv:9).",
    )


def test_groups_across_a_given_split_are_refused_with_both_ways_out():
    dataset = texts(cycle("ab", 8), groups=cycle("pqr", 8), parts=("train",) * 6 + ("test",) * 2)
    with pytest.raises(DataError) as caught:
        plan_split(dataset, seed=0)
    assert str(caught.value) == (
        "t.csv:2: expected every group on one side of the given split, found 2 on both: first 'p' in train and in test "
        "(t.csv:8). Pass --resplit to split anew by group, or --allow-straddling to keep it with every score marked."
    )
    kept = plan_split(dataset, seed=0, allow_straddling=True)
    assert kept.test.tolist() == [6, 7]
    assert kept.notes == ("Groups on both sides of the given split, kept (--allow-straddling): 2.",)
    anew = plan_split(dataset, seed=0, resplit=True)
    assert anew.how == "cv"
    assert anew.notes[0] == "The given split is set aside (--resplit)."
    by_fold = replace(dataset, parts=None, folds=cycle("1122", 8))
    with pytest.raises(DataError, match=r"expected every group on one side of the given split"):
        plan_split(by_fold, seed=0)


@pytest.mark.parametrize(
    ("dataset", "message"),
    [
        (replace(texts("ab"), labels=None), "t.csv: expected labels, found 2 unlabelled items. Put images"),
        (texts("aaa"), "t.csv: expected at least two classes, found only 'a'. Add"),
        (texts("ab", parts=("test", "test")), "t.csv: expected at least two classes, found no training example. Add"),
        (
            texts("aabbc"),
            "t.csv:6: expected at least 2 training examples of a class, found 1 of 'c'. Add examples, or remove",
        ),
        (
            texts("aabbcc", parts=("train",) * 5 + ("test",)),
            "t.csv:6: expected at least 2 training examples of a class, found 1",
        ),
        (
            texts("aabbc", parts=("train",) * 4 + ("test",)),
            "t.csv:6: expected only test labels that are trained, found 'c' in",
        ),
        (
            texts("aabb", groups=tuple("pqrr")),
            "t.csv:4: expected class 'b' in at least 2 groups, found all of it in one (group 'r')",
        ),
        (
            texts("aabb", same_text={2, 3}),
            "t.csv:4: expected class 'b' in at least 2 groups, found all of it in one (exact copies",
        ),
        (
            texts("aabb", folds=tuple("1111")),
            "t.csv: expected at least 2 folds in column 'fold', found only '1'. Remove",
        ),
        (texts("aabb", folds=tuple("1211")), "expected class 'b' in at least 2 folds, found it in one ('1'). Add"),
    ],
)
def test_data_that_cannot_be_split_is_refused(dataset, message):
    with pytest.raises(DataError) as caught:
        plan_split(dataset, seed=0)
    assert str(caught.value).startswith(message)


def test_the_rare_class_of_mixed_groups_stays_in_training():
    labels = cycle("ab", 60)
    groups = tuple(f"p{i // 6}" for i in range(60))
    folds = make_folds(labels, groups=groups, n_splits=5, seed=0)
    assert Counter(len(test) for _, test in folds) == {12: 5}
    assert all({labels[i] for i in train} == {"a", "b"} for train, _ in folds)


@pytest.mark.parametrize(
    ("columns", "found"),
    [
        ({}, "3 separate training examples or groups to choose settings on, found 2"),
        ({"folds": tuple("111222333")}, "2 separate training .*, found 1"),
        ({"parts": ("train",) * 6 + ("test",) * 3}, "2 separate training .*, found 1"),
    ],
)
def test_where_settings_are_chosen_two_groups_must_train(columns, found):
    fine = texts(cycle("ab", 9), groups=tuple("pppqqqrrr"), **columns)
    few = replace(fine, groups=tuple("pppppprrr"), folds=tuple("111111333") if "folds" in columns else None)
    assert plan_split(few, seed=0).train.size
    with pytest.raises(DataError, match=f"^t.csv: expected at least {found}. Add examples that are not copies, or"):
        plan_split(few, seed=0, chooses=True)
    assert plan_split(fine, seed=0, chooses=True).notes == plan_split(fine, seed=0).notes
