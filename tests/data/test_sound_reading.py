import io
import json
import sys

import pytest

from headstart.data import Sound, load, load_items
from headstart.errors import DataError, OptionError
from tests.data.sounds import noise, write_classes, write_sound


def manifest(root, header: str, rows: list[str], *, name: str = "manifest.csv"):
    root.mkdir(parents=True, exist_ok=True)
    (root / name).write_text("\n".join([header, *rows]) + "\n", encoding="utf-8")
    return root


def test_a_folder_per_class_below_parts(tmp_path):
    root = tmp_path / "calls"
    for part, count in (("train", 4), ("val", 2), ("test", 3)):
        write_classes(root / part, {"owl": count, "wren": count}, suffix=".flac")
    (root / "train" / "owl" / "notes.txt").write_text("at night")
    dataset = load(root)
    assert (dataset.modality, dataset.task, len(dataset)) == ("audio", "audio-classification", 18)
    assert [dataset.parts.count(part) for part in ("train", "val", "test")] == [8, 4, 6]
    assert dataset.places[0] == "train/owl/0.flac"
    assert "Task: audio classification, 2 classes (folder names)." in dataset.notes
    assert "Files that are not sounds, not used: 1 (first: train/owl/notes.txt)." in dataset.notes


def test_notes_on_folders_speak_of_sounds(tmp_path):
    root = write_classes(tmp_path / "calls", {"owl": 2, "wren": 2, "wren/deep": 1})
    write_sound(root / "stray.wav", noise())
    (root / "jay").mkdir()
    assert load(root).notes[1:] == (
        "Sounds outside class folders, not used: 1 (first: stray.wav).",
        "Sounds in sub-folders of a class folder, taken into the class: 1 (first: wren/deep/0.wav).",
        "Class folders without sounds: 1 (first: jay).",
    )


def test_a_manifest_with_every_column(tmp_path):
    root = write_classes(tmp_path / "calls", {"a": 4})
    rows = [f"a/{i}.wav,{'owl' if i % 2 else 'wren'},s{i // 2},{i % 2},d{i}" for i in range(4)]
    dataset = load(manifest(root, "path,label,group,fold,domain", rows))
    assert dataset.modality == "audio"
    assert dataset.items[0] == root / "a" / "0.wav"
    assert dataset.labels == ("wren", "owl", "wren", "owl")
    assert (dataset.groups, dataset.folds) == (("s0", "s0", "s1", "s1"), ("0", "1", "0", "1"))
    assert dataset.domains == ("d0", "d1", "d2", "d3")


@pytest.mark.parametrize(
    ("task", "labels", "kind", "note"),
    [
        (None, ["owl|wren", "owl", "wren", "jay"], "multilabel", "Read as multi-label because labels"),
        ("audio-multilabel", ["owl|wren", "owl", "wren", ""], "multilabel", "Items without any label: 1."),
        ("audio-regression", ["1", "2.5", "3", "4"], "regression", "Task: audio regression, values from 1 to 4"),
        ("regression", ["1", "2.5", "3", "4"], "regression", "Task: audio regression"),
        ("audio-classification", ["1", "2", "1", "2"], "classification", "Task: audio classification, 2 classes"),
    ],
)
def test_all_kinds_of_tasks(tmp_path, task, labels, kind, note):
    root = write_classes(tmp_path / "calls", {"a": 4})
    dataset = load(manifest(root, "path,label", [f"a/{i}.wav,{label}" for i, label in enumerate(labels)]), task=task)
    assert (dataset.modality, dataset.kind, dataset.task) == ("audio", kind, f"audio-{kind}")
    assert any(said.startswith(note) for said in dataset.notes)


def test_json_lines_and_capital_suffixes(tmp_path):
    root = tmp_path / "calls"
    lines = []
    for i in range(4):
        write_sound(root / f"{i}.WAV", noise(seed=i))
        lines.append(json.dumps({"path": f"{i}.WAV", "label": ["owl", "wren"][: 1 + i % 2]}))
    dataset = load(manifest(root, lines[0], lines[1:], name="manifest.jsonl"))
    assert dataset.task == "audio-multilabel"


def test_a_task_of_another_modality_is_refused(tmp_path):
    root = write_classes(tmp_path / "calls", {"owl": 2, "wren": 2})
    with pytest.raises(OptionError, match="task 'image-classification' does not fit: the data holds sounds"):
        load(root, task="image-classification")
    with pytest.raises(OptionError, match="task 'text-transcription' is not supported.*audio-transcription"):
        load(root, task="text-transcription")


def test_files_without_a_telling_name_are_what_the_task_says(tmp_path):
    root = tmp_path / "calls"
    for i in range(4):
        write_sound(root / f"{i}.rec", noise(seed=i), format="WAV")
    manifest(root, "path,label", [f"{i}.rec,{'ab'[i % 2]}" for i in range(4)])
    assert load(root, task="audio-classification").modality == "audio"
    with pytest.raises(DataError, match="expected an image"):
        load(root)


def test_images_and_sounds_together_are_refused_with_a_place_of_each(tmp_path, make_images):
    root = make_images({"owl": 1})
    write_sound(root / "owl" / "call.wav", noise())
    with pytest.raises(DataError, match=r"found both: images \(first owl/0.png\), sounds \(first owl/call.wav\)\. Put"):
        load(root)
    manifest(root, "path,label", ["owl/call.wav,a", "owl/0.png,b"])
    message = r"found both: sounds \(first owl/call.wav in line 2\), images \(first owl/0.png in line 3\)\. Put them"
    with pytest.raises(DataError, match=message):
        load(root)


def test_a_test_source_of_another_modality_is_refused(tmp_path, make_images):
    root = write_classes(tmp_path / "calls", {"owl": 2, "wren": 2})
    with pytest.raises(DataError, match="expected sounds as in the training data, found images"):
        load(root, test=make_images({"owl": 2}))


def test_groups_come_from_file_names_too(tmp_path):
    root = write_classes(tmp_path / "calls", {"owl": 4, "wren": 4})
    assert load(root, group=r"filename:(\d)\.").groups == ("0", "1", "2", "3") * 2


def test_copies_of_a_sound_have_one_hash(tmp_path):
    root = write_classes(tmp_path / "calls", {"owl": 2, "wren": 2})
    (root / "wren" / "1.wav").write_bytes((root / "owl" / "0.wav").read_bytes())
    hashes = load(root).hashes
    assert hashes[0] == hashes[3]
    assert len(set(hashes)) == 3


def test_inputs_for_prediction_are_named_and_faults_stand_in_their_place(tmp_path, monkeypatch, make_images):
    root = write_classes(tmp_path / "calls", {"owl": 2})
    bad = root / "bad.wav"
    bad.write_text("some text")
    table = manifest(tmp_path / "calls", "path", ["owl/1.wav", "owl/no.wav"], name="list.csv") / "list.csv"
    monkeypatch.setattr(sys, "stdin", io.StringIO(f"{root / 'owl' / '0.wav'}\n"))
    rows = load_items([bad, root, table, "-", make_images({"a": 1}), root / "owl" / "0.wav"], "audio")
    names = [name for name, _ in rows]
    assert names[:4] == [str(bad), str(bad), *(str(root / "owl" / f"{i}.wav") for i in range(2))]
    faults = {name: str(item) for name, item in rows if isinstance(item, DataError)}
    assert "found a file of another kind" in faults[str(bad)]
    assert "no such file" in faults[str(root / "owl" / "no.wav")]
    assert "expected sounds, found none in the folder" in faults[str(tmp_path / "photos")]
    assert rows[-1][1] == rows[-3][1] == root / "owl" / "0.wav"
    assert len(rows) == 9


def test_a_table_of_images_is_nothing_for_a_model_of_sounds(tmp_path):
    table = manifest(tmp_path, "path", ["a.png"], name="t.csv") / "t.csv"
    ((_, error),) = load_items([table], "audio")
    assert "expected sounds, found images. Give the other kind" in str(error)


def test_a_sound_in_memory_needs_no_file():
    sound = Sound(noise(), 16_000)
    assert sound != Sound(sound.samples, 16_000)  # compared as objects: arrays have no single answer
