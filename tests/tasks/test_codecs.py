"""Labels become numbers and numbers become labels again, for every kind of task."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from headstart.errors import ArtifactError, DataError
from headstart.tasks import (
    Classification,
    MultiLabel,
    Regression,
    join_labels,
    kind_of,
    read_number,
    split_labels,
    task_from_dict,
    task_from_labels,
)


@pytest.mark.parametrize(
    ("kind", "labels", "task"),
    [
        ("classification", ["b", "a|c", "b"], Classification(("a|c", "b"))),
        ("multilabel", ["b", "a|c", "", '["d|e"]'], MultiLabel(("a", "b", "c", "d|e"))),
        ("regression", ["1", "-2.5"], Regression()),
    ],
)
def test_a_task_is_built_from_labels_and_from_its_own_json(kind, labels, task):
    built = task_from_labels(kind, labels)
    assert built == task
    assert (built.kind, built.n_outputs) == (kind, len(built.classes) or 1)
    assert task_from_dict(json.loads(json.dumps(built.to_dict()))) == task
    assert kind_of(built.encode(labels)) == kind


def test_classes_of_older_models_have_no_kind():
    assert task_from_dict({"classes": ["a", "b"]}) == Classification(("a", "b"))
    with pytest.raises(ArtifactError, match="expected a task of kind classification, .*, found 'speech'. Update"):
        task_from_dict({"kind": "speech"})


def test_label_sets_become_zeros_and_ones_and_likely_labels_come_back():
    task = MultiLabel(("a", "b", "c"))
    encoded = task.encode(["c|a", "", "b", '["b", "c"]'])
    assert encoded.tolist() == [[1, 0, 1], [0, 0, 0], [0, 1, 0], [0, 1, 1]]
    assert encoded.dtype == np.float64
    assert task.decode(np.array([[0.9, 0.5, 0.51], [0.1, 0.2, 0.3]])) == [("a", "c"), ()]


def test_labels_never_seen_are_named():
    with pytest.raises(
        DataError, match=r"1 label\(s\) were never seen in training: 'x'. The model knows 6 labels: 'a'"
    ):
        MultiLabel(tuple("abcdef")).encode(["a|x"])


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("a", ("a",)),
        (" a | b ", ("a", "b")),
        ("b|a|b", ("b", "a")),
        ("", ()),
        ("[]", ()),
        ('["a|b", "c"]', ("a|b", "c")),
        ("[3, 17]", ("3", "17")),
        ("[true]", ("true",)),
        ("[draft] note", ("[draft] note",)),
        ('[{"a": 1}]', ('[{"a": 1}]',)),
    ],
)
def test_label_sets_are_read_as_data_writes_them(text, names):
    assert split_labels(text) == names


@pytest.mark.parametrize("text", ["a||b", "|a", "a|", "|", '["a", ""]'])
def test_an_empty_name_between_the_separators_is_a_mistake(text):
    with pytest.raises(DataError, match=r"expected label names separated by '\|', found an empty one in"):
        split_labels(text)


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"])).map(str.strip).filter(bool), unique=True))
def test_label_sets_survive_being_written_and_read(names):
    assert split_labels(join_labels(names)) == tuple(names)


def test_numbers_stay_numbers():
    task = Regression()
    values = task.encode([" -3", "0.25", "1e-4", "+.5", "7."])
    assert values.tolist() == [-3, 0.25, 1e-4, 0.5, 7]
    assert task.decode(values[:, None]) == values.tolist()


@pytest.mark.parametrize("text", ["", "nan", "inf", "1e999", "1,5", "1_000", "12 cm", "٣"])
def test_what_is_no_finite_number_is_refused(text):
    with pytest.raises(DataError, match="expected a finite number, found"):
        read_number(text)
