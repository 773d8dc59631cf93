import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from headstart.data import inspect, load, plan_split, warnings_about
from headstart.errors import DataError, OptionError


def write(path: Path, rows: list[str]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(rows) + "\n", encoding="utf-8")
    return path


def table(folder: Path, pairs: list[tuple[str, str]], *, name: str = "t.csv", header: str = "text,label") -> Path:
    return write(folder / name, [header, *(f"{a},{b}" for a, b in pairs)])


def plenty(*labels: str, each: int = 12) -> list[tuple[str, str]]:
    return [(f"text {label} {i}", label) for label in labels for i in range(each)]


def kinds(inspection) -> list[tuple[str, str]]:
    return [(finding.kind, finding.severity) for finding in inspection.findings]


def test_sound_data_has_counts_and_no_findings(tmp_path):
    inspection = inspect(table(tmp_path, [*plenty("a", "b"), ("one more", "b")]))
    assert (inspection.task, inspection.n, inspection.parts) == ("text-classification", 25, {})
    assert list(inspection.classes.items()) == [("b", 13), ("a", 12)]
    assert inspection.findings == ()
    assert inspection.summary == {"characters": {"min": 8, "median": 8, "max": 9}}
    assert inspection.notes == ("Task: text classification, 2 classes (column 'label').",)


def test_images_are_summed_up_and_every_kind_of_trouble_is_listed(make_images):
    root = make_images({"ants": 12, "bees": 12})
    (root / "ants" / "broken.jpg").write_bytes(b"no image")
    (root / "ants" / "empty.jpg").write_bytes(b"")
    (root / "bees" / "copy.png").write_bytes((root / "bees" / "0.png").read_bytes())
    (root / "bees" / "other.png").write_bytes((root / "ants" / "3.png").read_bytes())
    Image.new("L", (5, 9)).save(root / "bees" / "tiny.png")
    Image.new("RGB", (100, 10)).save(root / "bees" / "wide.jpg")
    Image.fromarray(np.arange(256, dtype=np.uint16).reshape(16, 16)).save(root / "bees" / "dark.png")
    inspection = inspect(root)
    assert inspection.n == 29
    assert inspection.summary["width"] == {"min": 5, "median": 16, "max": 100}
    assert inspection.summary["modes"] == {"RGB": 27, "L": 1, "I;16": 1}
    assert inspection.summary["formats"] == {"PNG": 28, "JPEG": 1}
    found = {(f.kind, f.severity): f for f in inspection.findings}
    assert kinds(inspection)[:2] == [("unreadable", "error")] * 2
    assert [f.where for f in inspection.findings[:2]] == ["ants/broken.jpg", "ants/empty.jpg"]
    assert found["conflicting-copies", "warning"].where == "ants/3.png, bees/other.png"
    assert found["copies", "info"].found == "items that occur more than once: 1 (1 exact copies)"
    assert found["tiny-images", "warning"].where == "bees/tiny.png"
    assert found["odd-shape", "warning"].where == "bees/wide.jpg"
    assert "16-bit pixels kept, scaled by one range for all: 1 images" in [f.found for f in inspection.findings]
    assert "grayscale to RGB: 2 images" in [f.found for f in inspection.findings]


def test_the_document_for_programs_is_plain_json(tmp_path):
    document = inspect(table(tmp_path, [*plenty("a", "b"), ("x", "c")])).to_dict()
    assert json.loads(json.dumps(document)) == document
    assert set(document) == {"task", "n", "classes", "parts", "summary", "findings", "notes"}
    assert document["findings"][0] == {
        "kind": "split",
        "severity": "error",
        "where": "t.csv:26",
        "found": "expected at least 2 training examples of a class, found 1 of 'c'",
        "fix": "Add examples, or remove the class or merge it with another.",
    }


def test_copies_across_the_given_split_are_told_apart_from_others(tmp_path):
    table(tmp_path, [*plenty("a", "b"), ("text a 0", "a"), ("text a 1", "b")], name="train.csv")
    table(tmp_path, [("text b 0", "b"), ("new", "a")], name="test.csv")
    inspection = inspect(tmp_path)
    assert inspection.parts == {"train": 26, "test": 2}
    assert [(f.kind, f.where) for f in inspection.findings] == [
        ("conflicting-copies", "train.csv:3, train.csv:27"),
        ("copies-across-parts", "train.csv:14 = test.csv:2"),
        ("copies", "train.csv:2 = train.csv:26"),
    ]


@pytest.mark.parametrize("labels", [("Ant", "ant"), ("fire ant", "fire  ant"), ("caf\u00e9", "cafe\u0301")])
def test_labels_that_differ_only_in_spelling_are_found(tmp_path, labels):
    (finding,) = inspect(table(tmp_path, plenty("bee", *labels))).findings
    assert (finding.kind, finding.severity) == ("similar-labels", "warning")
    assert all(repr(label) in finding.found for label in labels)


def test_small_classes_and_imbalance_are_measured_on_the_training_side(tmp_path):
    rows = [(text, f"{label},train") for text, label in plenty("a", "b", each=60) + plenty("c", each=3)]
    rows += [(f"test {i}", "c,test") for i in range(20)]
    inspection = inspect(table(tmp_path, rows, header="text,label,split"))
    assert [(f.kind, f.found) for f in inspection.findings] == [
        ("small-class", "class 'c' has 3 training examples"),
        ("imbalance", "largest class to smallest: 60 'a' to 3 'c'"),
    ]


def test_very_long_texts_are_counted(tmp_path):
    (finding,) = inspect(table(tmp_path, [*plenty("a", "b"), ("x" * 2001, "a"), ("x" * 2000, "b")])).findings
    assert (finding.kind, finding.where, finding.found) == (
        "long-texts",
        "t.csv:26",
        "texts of more than 2,000 characters: 1",
    )


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        ([f"{i / 7:.3f}" for i in range(60)], True),
        ([str(i) for i in range(100)], True),
        ([str(i % 25) for i in range(500)], False),
        ([str(i % 5) for i in range(100)], False),
    ],
)
def test_labels_that_look_like_numbers_to_predict_are_told(tmp_path, labels, expected):
    inspection = inspect(table(tmp_path, [(f"text {i}", label) for i, label in enumerate(labels)]))
    assert (("numeric-labels", "warning") in kinds(inspection)) == expected


def test_labels_that_look_like_several_are_told(tmp_path):
    (finding,) = inspect(table(tmp_path, plenty("c", "a|b"))).findings
    assert (finding.kind, finding.where) == ("multi-label", "t.csv:14")
    assert finding.fix == "Pass --task text-multilabel, if these are several labels."
    assert finding.found == "labels with '|', taken as they are: 12 (first: 'a|b')"


@pytest.mark.parametrize(
    ("group", "expected"),
    [
        (lambda i: "one", [("split", "error"), ("split", "error"), ("groups", "warning")]),
        (lambda i: f"g{i}", [("groups", "info")]),
        (lambda i: f"g{i // 2}", []),
    ],
)
def test_group_columns_that_say_nothing_are_told(tmp_path, group, expected):
    rows = [(text, f"{label},{group(i)}") for i, (text, label) in enumerate(plenty("a", "b"))]
    assert kinds(inspect(table(tmp_path, rows, header="text,label,group"))) == expected


def test_groups_across_a_given_split_are_an_error(tmp_path):
    rows = [
        (text, f"{label},g{i % 7},{'test' if i % 4 == 3 else 'train'}")
        for i, (text, label) in enumerate(plenty("a", "b"))
    ]
    (finding, *_) = inspect(table(tmp_path, rows, header="text,label,group,split")).findings
    assert (finding.kind, finding.severity) == ("split", "error")
    assert "--resplit" in finding.fix


def test_errors_are_exactly_what_loading_and_splitting_refuse(tmp_path):
    for pairs in ([("x", "a"), ("y", "a")], [("x", "a"), ("", "b")], plenty("a", "b"), [*plenty("a", "b"), ("z", "c")]):
        source = table(tmp_path, pairs)
        try:
            plan_split(load(source), seed=0)
            refused = False
        except DataError:
            refused = True
        assert any(severity == "error" for _, severity in kinds(inspect(source))) == refused


def test_a_source_that_cannot_be_read_is_one_error(tmp_path):
    inspection = inspect(table(tmp_path, [("a", "b")], header="text,class"))
    assert (inspection.task, inspection.n, kinds(inspection)) == ("", 0, [("source", "error")])
    with pytest.raises(OptionError, match="task 'parsing' is not supported"):
        inspect(tmp_path / "t.csv", task="parsing")


def test_unlabelled_data_and_data_without_usable_items_are_errors(tmp_path):
    assert kinds(inspect(write(tmp_path / "t.txt", ["one", "two"]))) == [("split", "error")]
    inspection = inspect(table(tmp_path, [("", "a")]))
    assert (inspection.n, inspection.summary) == (0, {})
    assert kinds(inspection) == [("unreadable", "error"), ("split", "error")]
    assert "found no training example" in inspection.findings[1].found


def test_the_warnings_about_examples_are_those_of_the_inspection(tmp_path):
    rows = [*plenty("a", "b"), *((f"rare {i}", "A") for i in range(3)), ("same", "a"), ("same", "b")]
    source = table(tmp_path, rows)
    expected = [finding for finding in inspect(source).findings if finding.severity == "warning"]
    assert list(warnings_about(load(source))) == expected
    assert {finding.kind for finding in expected} == {"conflicting-copies", "similar-labels", "small-class"}


def test_what_is_said_while_reading_is_not_warned_of_again(tmp_path):
    source = table(tmp_path, [(f"text {i}", f"{i}.5") for i in range(40)] * 2)
    dataset = load(source)
    assert any("--task regression" in note for note in dataset.notes)
    assert "numeric-labels" in {finding.kind for finding in inspect(source).findings}
    assert "numeric-labels" not in {finding.kind for finding in warnings_about(dataset)}
