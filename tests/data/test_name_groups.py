"""Speakers and patients are suggested as groups where a column or the names of files may tell them."""

import csv
import shutil

import pytest
from PIL import Image

from headstart.data import inspect, load
from tests.data.sounds import noise, write_classes, write_sound, write_speech


def suggested(root, **options) -> list[str]:
    return [f.found for f in inspect(root, **options).findings if f.kind == "possible-groups"]


def named(root, names: list[str], labels: list[str] | None = None):
    column = "label" if labels else "transcript"
    rows = [f"{name}.wav,{labels[i] if labels else f'words {i}'}" for i, name in enumerate(names)]
    return write_speech(root, f"path,{column}", rows)


@pytest.mark.parametrize(
    ("names", "part", "group"),
    [
        ([f"{who}_{i:02}" for who in ("ada", "bob") for i in range(3)], "'ada' of 'ada_00.wav'", "^([^_.-]+)"),
        ([f"{who}-{ch}-{i}" for who in (84, 1272) for ch in (1, 2) for i in range(3)], "'84' of '84-1-0.wav'", "^("),
        (
            [f"{i}_{who}_{take}" for i in range(2) for who in ("ada", "bob") for take in range(3)],
            "part 2 of the file names ('ada' of '0_ada_0.wav')",
            "^(?:[^_-]+[_-]){1}([^_.-]+)",
        ),
    ],
)
def test_a_part_of_the_names_that_recurs_is_suggested(tmp_path, names, part, group):
    root = named(tmp_path, names)
    (found,) = suggested(root)
    assert part in found
    assert f'--group "filename:{group}' in found
    assert any(note.startswith("Part ") and "may say who speaks" in note for note in load(root).notes)
    option = found.split('"')[1]
    dataset = load(root, group=option)
    assert 2 <= len(set(dataset.groups)) <= len(names) / 3
    assert suggested(root, group=option) == []


def test_names_that_say_the_label_or_count_are_none(tmp_path):
    labels = ["go", "stop"] * 4
    assert suggested(named(tmp_path / "a", [f"{label}_{i}" for i, label in enumerate(labels)], labels)) == []
    assert suggested(named(tmp_path / "b", [f"clip_{i}" for i in range(9)])) == []
    assert suggested(named(tmp_path / "c", [f"{i}" for i in range(9)])) == []
    assert suggested(named(tmp_path / "d", [f"x{i}_{i % 2}" for i in range(9)])) == []
    assert suggested(named(tmp_path / "e", [*(f"ada_{i}" for i in range(5)), "bob"])) == []
    assert suggested(named(tmp_path / "f", [*(f"ada_{i}" for i in range(2)), *(f"bob_{i}" for i in range(2))])) == []
    assert suggested(named(tmp_path / "g", [f"_{i % 2}_{i}" for i in range(9)])) == []


def test_a_part_by_which_a_class_could_not_be_split_is_none(tmp_path):
    takes = [f"clip{i}_{'A' if i < 6 else 'B'}" for i in range(12)]
    assert suggested(named(tmp_path / "a", takes, ["rain"] * 4 + ["saw"] * 8)) == []  # rain has takes A only
    assert "'A'" in suggested(named(tmp_path / "b", takes, ["rain", "saw"] * 6))[0]


def test_folders_of_classes_are_looked_at_too(tmp_path):
    root = tmp_path / "words"
    for word in ("go", "stop"):
        for i in range(6):
            write_sound(root / word / f"{'ab'[i % 2]}x_{word}_{i}.wav", noise(0.1, seed=i + 10 * len(word)))
    assert "'ax' of 'ax_go_0.wav'" in suggested(root)[0]
    assert suggested(write_classes(tmp_path / "calls", {"owl": 6, "wren": 6})) == []


def test_a_column_of_speakers_is_suggested_unless_it_is_used(tmp_path):
    rows = [f"{i}.wav,{'go' if i % 2 else 'stop'},{i % 3}" for i in range(6)]
    root = write_speech(tmp_path, "path,label,Speaker", rows)
    assert suggested(root) == [
        "column 'Speaker' may say who speaks: --group Speaker keeps each voice on one side of a split"
    ]
    assert suggested(root, group="Speaker") == []
    assert suggested(root, label="Speaker") == []
    (root / "manifest.csv").write_text("path,label,speaker,group\n" + "\n".join(f"{row},{row[0]}" for row in rows))
    assert suggested(root) == []


def test_given_folds_need_no_suggestion(tmp_path):
    rows = [f"{'ab'[i % 2]}x_{i}.wav,{'go' if i % 4 < 2 else 'stop'},{i % 3}" for i in range(12)]
    assert suggested(write_speech(tmp_path, "path,label,fold", rows)) == []


def pictures(root, names: list[str], labels: list[str]):
    root.mkdir()
    for name in names:
        Image.new("L", (9, 9), "white").save(root / name)
    rows = [f"{name},{label}" for name, label in zip(names, labels, strict=True)]
    (root / "manifest.csv").write_text("\n".join(["path,label", *rows]) + "\n")
    return root


@pytest.mark.parametrize(
    ("names", "group"),
    [
        ([f"person{who}_bacteria_{i}.png" for who in range(12) for i in range(2)], "person0"),
        ([f"P{who:03}-scan-{i}.png" for who in range(12) for i in range(2)], "P000"),
        ([f"patient_{who:02}_slice{i}.png" for who in range(12) for i in range(2)], "patient_00"),
        ([f"IM-{who:04}-{i:04}.png" for who in range(12) for i in range(2)], "IM-0000"),
        ([f"{who}_{side}.png" for who in range(10, 22) for side in ("left", "right")], "10"),
        (
            [f"{'NORMAL2-' * (who % 2)}IM-{who:04}-{i}.png" for who in range(12) for i in range(2)],
            "IM-0000",
        ),
    ],
)
def test_the_beginning_of_the_names_of_pictures_is_suggested(tmp_path, names, group):
    root = pictures(tmp_path / "a", names, ["ill", "ill", "well", "well"] * 6)
    (found,) = suggested(root)
    assert repr(group) in found
    assert "whose picture it is" in found
    dataset = load(root, group=found.split('"')[1])
    assert len(set(dataset.groups)) == 12
    assert suggested(root, group=found.split('"')[1]) == []


def test_names_of_pictures_that_tell_nobody_are_none(tmp_path):
    labels = ["cat", "dog"] * 12
    for number, names in enumerate(
        [
            [f"{label}_{i}.png" for i, label in enumerate(labels)],  # the label
            [f"img_{i}.png" for i in range(24)],  # one and the same
            [f"{i}_{i * i}.png" for i in range(24)],  # no name recurs
            [f"{i}.png" for i in range(24)],  # no parts
            [*(f"p{i % 8}_{i}.png" for i in range(23)), "other.png"],  # one is outside
            [f"cam{i % 3}_{i}.png" for i in range(24)],  # too few for patients
        ]
    ):
        assert suggested(pictures(tmp_path / str(number), names, labels)) == []


def test_a_column_of_patients_is_suggested(tmp_path):
    root = pictures(tmp_path / "a", [f"{i}.png" for i in range(6)], ["ill", "well"] * 3)
    rows = list(csv.reader((root / "manifest.csv").read_text().splitlines()))
    with (root / "manifest.csv").open("w", newline="") as file:
        csv.writer(file).writerows([[*rows[0], "patient_id"], *([*row, str(i % 3)] for i, row in enumerate(rows[1:]))])
    (found,) = suggested(root)
    assert found.startswith("column 'patient_id' may say whose picture it is")
    assert "--group patient_id keeps" in found


@pytest.mark.shared
def test_patients_are_found_in_the_names_of_radiographs_and_nobody_in_those_of_flowers(shared, tmp_path):
    root = tmp_path / "train"
    shutil.copytree(shared / "data" / "images" / "chest-xray" / "train", root)
    (found,) = suggested(root)
    with (shared / "data" / "images" / "chest-xray" / "manifest.csv").open() as file:
        wanted = {row["path"].split("/")[-1]: row["group"] for row in csv.DictReader(file)}
    dataset = load(root, group=found.split('"')[1])
    groups = dict(zip((item.name for item in dataset.items), dataset.groups, strict=True))
    assert {wanted[name] for name in groups} == set(groups.values()), "the groups that its authors' names give"
    assert suggested(shared / "data" / "images" / "flowers5") == []
