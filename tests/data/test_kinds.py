"""Classes, label sets or numbers: how data is told apart, read, checked and split."""

import json
from collections import Counter

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headstart.data import Dataset, inspect, load, make_folds, plan_split
from headstart.errors import DataError, OptionError
from headstart.tasks import split_labels


def csv(folder, labels, name="t.csv"):
    path = folder / name
    path.write_text("text,label\n" + "".join(f"text {i},{label}\n" for i, label in enumerate(labels)))
    return path


def json_lines(folder, labels):
    path = folder / "t.jsonl"
    path.write_text("".join(json.dumps({"text": f"text {i}"} | row) + "\n" for i, row in enumerate(labels)))
    return path


def dataset(kind, labels, **columns):
    places = tuple(f"t.csv:{i + 2}" for i in range(len(labels)))
    items = tuple(f"text {i}" for i in range(len(labels)))
    return Dataset("text", items, places, labels=tuple(labels), source="t.csv", kind=kind, **columns)


@pytest.mark.parametrize(
    ("labels", "kind"),
    [
        (["a|b", "b", "c"], "multilabel"),
        (["a|b", "b|c", "d"], "multilabel"),
        (["a|b", "a|b", "c"], "classification"),
        (["a|b", "c|d"], "classification"),
        (["a", "b"], "classification"),
    ],
)
def test_label_sets_are_told_by_parts_that_recur(tmp_path, labels, kind):
    read = load(csv(tmp_path, labels))
    assert (read.kind, read.task, read.labels) == (kind, f"text-{kind}", tuple(labels))


def test_what_was_told_is_said_with_the_way_out(tmp_path):
    path = csv(tmp_path, ["c", "a|b", "", "b"])
    read = load(path)
    assert read.notes[0] == "Task: text multi-label classification, 3 labels (column 'label')."
    assert read.notes[1:] == (
        "Read as multi-label because labels such as 'a|b' (t.csv:3) hold '|' and their parts recur in others; "
        "--task classification reads them as plain labels.",
        "Items without any label: 1.",
    )
    with pytest.raises(DataError, match=r"t.csv:4: expected a label, found nothing in 'label'"):
        load(path, task="classification")
    plain = load(path, task="classification", on_error="skip")
    assert (plain.kind, plain.labels) == ("classification", ("c", "a|b", "b"))
    assert plain.fingerprint != load(path, on_error="skip").take([0, 1, 3]).fingerprint


def test_lists_are_label_sets_and_a_missing_one_is_an_error(tmp_path):
    rows = [{"label": ["a", "b|c"]}, {"label": []}, {"label": "d"}, {"label": ""}, {"label": [3]}]
    read = load(json_lines(tmp_path, rows))
    assert [split_labels(label) for label in read.labels] == [("a", "b|c"), (), ("d",), (), ("3",)]
    assert "Read as multi-label because labels stand in lists." in read.notes
    with pytest.raises(DataError, match="t.jsonl:6: expected a label, found nothing in 'label'"):
        load(json_lines(tmp_path, [*rows, {"label": None}]))
    with pytest.raises(DataError, match="t.jsonl:6: expected a label, found nothing in 'label'"):
        load(json_lines(tmp_path, [*rows, {}]))
    with pytest.raises(DataError, match="expected text or numbers in column 'label', found lists"):
        load(json_lines(tmp_path, rows), task="classification")
    with pytest.raises(DataError, match="expected text or numbers in column 'label', found lists"):
        load(json_lines(tmp_path, [{"label": [{"a": 1}]}]))


def test_lists_in_parquet_are_label_sets_and_vectors_are_not(tmp_path):
    columns = {"text": ["x", "y", "z"], "label": [["a"], [], ["b", "a"]], "vector": [[0.1], [0.2], [0.3]]}
    pq.write_table(pa.table(columns), tmp_path / "t.parquet")
    assert load(tmp_path / "t.parquet").labels == ("a", "", "b|a")
    with pytest.raises(DataError, match="expected text or numbers in column 'vector', found lists"):
        load(tmp_path / "t.parquet", label="vector")
    pq.write_table(pa.table(columns | {"label": [["a"], None, ["b"]]}), tmp_path / "t.parquet")
    with pytest.raises(DataError, match="t.parquet:2: expected a label, found nothing in 'label'"):
        load(tmp_path / "t.parquet")


def test_an_empty_name_in_a_label_set_is_a_fault_of_its_row(tmp_path):
    path = csv(tmp_path, ["a|b", "b|", "a"])
    with pytest.raises(
        DataError, match=r"t.csv:3: expected label names separated by '\|', found an empty one in 'b\|'"
    ):
        load(path)
    assert load(path, on_error="skip").left_out[0].place == "t.csv:3"


@pytest.mark.parametrize("bad", ["nan", "inf", "high", "1,5"])
def test_numbers_are_read_on_request_and_what_is_none_names_its_row(tmp_path, bad):
    read = load(csv(tmp_path, ["1.5", "-2", "1e3"]), task="regression")
    assert (read.kind, read.labels) == ("regression", ("1.5", "-2", "1e3"))
    assert read.notes == ("Task: text regression, values from -2 to 1e3 (column 'label').",)
    path = csv(tmp_path, ["1.5", f'"{bad}"', "3"])
    with pytest.raises(DataError, match=f"t.csv:3: expected a finite number, found '{bad}'"):
        load(path, task="text-regression")
    with pytest.raises(DataError, match="t.csv:3: expected a label, found nothing"):
        load(csv(tmp_path, ["1.5", "", "3"]), task="regression")


@pytest.mark.parametrize("task", ["image-multilabel", "image-regression"])
def test_a_task_of_the_other_modality_is_refused(tmp_path, task):
    with pytest.raises(OptionError, match=f"task '{task}' does not fit: the data holds texts"):
        load(csv(tmp_path, ["1", "2"]), task=task)


def test_folders_are_classes_unless_asked_for_more(make_images):
    root = make_images({"red|round": 2, "red": 2, "round": 2})
    assert load(root).kind == "classification"
    assert load(root, task="image-multilabel").kind == "multilabel"


def test_many_numbers_as_classes_are_pointed_out(tmp_path):
    path = csv(tmp_path, [f"{i / 7:.3f}" for i in range(60)])
    assert "All labels are numbers and taken as classes; --task regression predicts numbers." in load(path).notes
    with pytest.raises(DataError, match="found 1 of '0.000'. If these are numbers to predict, pass --task regression"):
        plan_split(load(path), seed=0)
    assert all(finding.severity != "error" for finding in inspect(path, task="regression").findings)


def test_the_test_part_decides_with_the_rest(tmp_path):
    train, test = csv(tmp_path, ["a", "b"] * 6), csv(tmp_path, ["a|b", ""], name="test.csv")
    assert load(train, test=test).kind == "multilabel"


def test_rare_and_constant_labels_are_found(tmp_path):
    inspection = inspect(csv(tmp_path, ["all|a", "all"] * 20 + ["all|rare"] * 3))
    assert (inspection.task, inspection.classes) == ("text-multilabel", {"all": 43, "a": 20, "rare": 3})
    assert [(f.kind, f.severity, f.found) for f in inspection.findings] == [
        ("rare-labels", "warning", "labels with under 10 training examples: 1 of 3 ('rare' 3)"),
        ("constant-labels", "warning", "labels that every training example has: 'all'"),
    ]


def test_equal_label_sets_in_another_order_are_no_conflict(tmp_path):
    path = tmp_path / "t.csv"
    rows = [f"text {i},a" for i in range(12)] + [f"other {i},b" for i in range(12)]
    path.write_text("\n".join(["text,label", *rows, "same,a|b", "same,b|a", "odd,a|b", "odd,b"]) + "\n")
    kinds = Counter(finding.kind for finding in inspect(path).findings)
    assert kinds == {"copies": 1, "conflicting-copies": 1}


def test_values_far_out_and_repeated_values_are_pointed_out(tmp_path):
    inspection = inspect(csv(tmp_path, [*range(40), 9999]), task="regression")
    assert (inspection.task, inspection.classes) == ("text-regression", {})
    assert inspection.summary["values"] == {"min": 0.0, "median": 20.0, "max": 9999.0}
    (finding,) = inspection.findings
    assert (finding.kind, finding.severity, finding.where) == ("outliers", "info", "t.csv:42")
    (finding,) = inspect(csv(tmp_path, [*range(20), *[0] * 25]), task="regression").findings
    assert (finding.kind, finding.found) == ("repeated-value", "one value, 0, stands for 26 of 45 examples")


@pytest.mark.parametrize(
    ("kind", "labels", "message"),
    [
        ("regression", ["3", "3.0", "3"], "expected different values to predict, found only '3'"),
        ("multilabel", ["", "", ""], "expected a label that some training examples have.*, found none with any label"),
        ("multilabel", ["a|b", "b|a"], "that some training examples have and others lack, found all with 'a', 'b'"),
    ],
)
def test_nothing_to_learn_is_an_error(tmp_path, kind, labels, message):
    with pytest.raises(DataError, match=message):
        plan_split(dataset(kind, labels), seed=0)
    (finding,) = [f for f in inspect(csv(tmp_path, labels), task=kind).findings if f.severity == "error"]
    assert finding.kind == "split"


@pytest.mark.parametrize("kind", ["multilabel", "regression"])
def test_one_group_no_training_part_and_one_fold_are_errors(kind):
    labels = ["1", "2"] * 4
    with pytest.raises(DataError, match="expected at least 2 separate examples or groups, found 1"):
        plan_split(dataset(kind, labels, groups=("g",) * 8), seed=0)
    with pytest.raises(DataError, match="expected training examples, found none"):
        plan_split(dataset(kind, labels, parts=("test",) * 8), seed=0)
    with pytest.raises(DataError, match="expected at least 2 folds in column 'fold'"):
        plan_split(dataset(kind, labels, folds=("1",) * 8), seed=0)


def test_labels_of_which_none_recurs_cannot_be_scored():
    with pytest.raises(DataError, match="expected labels that recur, found one of its own on every example or group"):
        plan_split(dataset("multilabel", [f"x|y{i}" for i in range(600)] + ["z"]), seed=0)
    plan_split(dataset("multilabel", [f"x|y{i}" for i in range(30)] + ["x", ""]), seed=0)


def test_labels_that_only_the_test_part_has_are_refused():
    parts = ("train",) * 3 + ("test",)
    with pytest.raises(DataError, match="t.csv:5: expected only test labels that are trained, found 'c' in the test"):
        plan_split(dataset("multilabel", ["a", "a|b", "", "a|c"], parts=parts), seed=0)


def test_the_held_out_part_takes_no_label_from_training_and_says_what_it_lacks():
    labels = ["a|b", "a", "b", ""] * 150
    labels[::100] = [f"only {i}|a" for i in range(6)]
    for seed in range(3):
        plan = plan_split(dataset("multilabel", labels), seed=seed)
        seen = {name for i in plan.train for name in split_labels(labels[i])}
        assert seen == {"a", "b", *(f"only {i}" for i in range(6))}
        assert 110 < len(plan.test) <= 125
        assert "'only 0', 'only 1'" in plan.notes[-1]


def test_values_are_held_out_over_their_whole_range():
    values = np.random.default_rng(0).lognormal(size=600)
    plan = plan_split(dataset("regression", [f"{v:.4f}" for v in values]), seed=0)
    assert (plan.how, len(plan.test)) == ("holdout", 120)
    shares = np.histogram(values[plan.test], np.quantile(values, np.linspace(0, 1, 11)))[0]
    assert shares.min() >= 11
    assert plan.notes == ("No test part: a fifth (120) is held out once.",)


def test_few_values_are_cross_validated():
    plan = plan_split(dataset("regression", [*map(str, range(40))]), seed=0)
    assert (plan.how, len(plan.folds), len(plan.notes)) == ("cv", 30, 1)


def test_few_groups_of_values_make_few_folds():
    plan = plan_split(dataset("regression", [*map(str, range(40))], groups=tuple("abcd" * 10)), seed=0)
    assert len(plan.folds) == 12
    assert plan.notes[-1] == "4 folds instead of 10: there are only 4 separate examples or groups."


matrices = st.integers(0, 2**32 - 1).map(
    lambda seed: (np.random.default_rng(seed).random((60, 6)) < np.geomspace(0.5, 0.04, 6)).astype(float)
)


@settings(deadline=None, max_examples=60)
@given(matrices, st.integers(2, 8), st.booleans(), st.integers(0, 1000))
def test_folds_of_labels_score_everything_once_and_keep_groups_together(Y, n_splits, grouped, seed):
    groups = np.random.default_rng(seed).integers(0, 15, 60) if grouped else None
    folds = make_folds(Y, groups=groups, n_splits=n_splits, seed=seed)
    assert np.array_equal(np.sort(np.concatenate([test for _, test in folds])), np.arange(60))
    for train, test in folds:
        assert len(test) > 0
        assert np.array_equal(np.sort(np.concatenate([train, test])), np.arange(60))
        if grouped:
            assert not set(groups[train]) & set(groups[test])
    again = make_folds(Y, groups=groups, n_splits=n_splits, seed=seed)
    assert all(np.array_equal(one[1], other[1]) for one, other in zip(folds, again, strict=True))


def unevenness(Y, folds):
    shares = np.array([Y[test].sum(axis=0) for _, test in folds]) / Y.sum(axis=0)
    return shares.std(axis=0).mean()


@pytest.mark.parametrize("grouped", [False, True])
def test_labels_are_spread_far_more_evenly_than_by_chance(grouped):
    ours, chance, sizes = [], [], []
    for seed in range(10):
        random = np.random.default_rng(seed)
        Y = (random.random((300, 12)) < np.geomspace(0.4, 0.03, 12)).astype(float)
        groups = np.arange(300) // 3 if grouped else np.arange(300)
        folds = make_folds(Y, groups=groups, n_splits=5, seed=seed)
        ours.append(unevenness(Y, folds))
        sizes += [len(test) for _, test in folds]
        fold_of = random.permutation(np.arange(groups.max() + 1) % 5)[groups]
        chance.append(unevenness(Y, [(None, np.flatnonzero(fold_of == k)) for k in range(5)]))
    assert np.mean(ours) < (0.5 if grouped else 0.3) * np.mean(chance)
    assert 50 <= min(sizes) <= max(sizes) <= 70


def test_labels_of_several_groups_are_in_every_training_side():
    Y = np.zeros((40, 4))
    Y[:2, 0] = Y[2:5, 1] = Y[::2, 2] = Y[:, 3] = 1
    for seed in range(20):
        for train, _ in make_folds(Y, groups=None, n_splits=5, seed=seed):
            assert Y[train].any(axis=0).all()


def test_examples_without_labels_are_dealt_out_too():
    Y = np.zeros((50, 2))
    Y[:10, 0] = 1
    folds = make_folds(Y, groups=None, n_splits=5, seed=0)
    assert [(len(test), Y[test, 0].sum()) for _, test in folds] == [(10, 2)] * 5
    assert [len(test) for _, test in make_folds(np.zeros((6, 2)), groups=None, n_splits=3, seed=0)] == [2, 2, 2]


@pytest.mark.parametrize("values", [np.linspace(0, 1, 100), np.repeat([0.0, 1.0], [90, 10])])
def test_folds_of_values_have_alike_means(values):
    means = [values[test].mean() for _, test in make_folds(values, groups=None, n_splits=5, seed=0)]
    assert np.ptp(means) < 0.06
