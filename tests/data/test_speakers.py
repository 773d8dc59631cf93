"""Speakers are suggested as groups where a column or the names of files may tell them."""

import pytest

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
