"""Recordings with a text of the same name beside each."""

import pytest

from headstart.data import inspect, load, load_items
from headstart.errors import DataError, OptionError
from tests.data.sounds import noise, write_classes, write_sound


def write_pairs(root, texts: dict[str, str | bytes | None]):
    """Write a recording for each name, and its text beside it where there is one."""
    for seed, (name, text) in enumerate(texts.items()):
        path = write_sound(root / f"{name}.wav", noise(1, rate=2000, seed=seed), 2000)
        if text is not None:
            path.with_suffix(".txt").write_bytes(text if isinstance(text, bytes) else text.encode())
    return root


def test_texts_beside_recordings_are_their_transcripts(tmp_path):
    root = write_pairs(tmp_path, {"a": "Good day!\r\n", "b": "\ufeffgood\nnight", "c": "see you"})
    (root / "README.txt").write_text("about it")
    (root / "plot.pdf").write_bytes(b"")
    dataset = load(root)
    assert (dataset.task, dataset.labels) == ("audio-transcription", ("good day", "good night", "see you"))
    assert (dataset.places, dataset.groups) == (("a.wav", "b.wav", "c.wav"), None)
    assert dataset.notes[0] == "Task: audio transcription, 6 words, 13 different characters (files beside them)."
    assert "Text files without a recording, not used: 1 (first: README.txt)." in dataset.notes
    assert [item.name for _, item in load_items([root], "audio", kind="transcription")] == ["a.wav", "b.wav", "c.wav"]


def test_folders_are_groups_unless_others_are_asked_for(tmp_path):
    root = write_pairs(tmp_path, {f"{who}/{day}/{who}-{i}": f"word {i}" for who in "xy" for day in "12" for i in "34"})
    dataset = load(root)
    assert dataset.groups == ("x",) * 4 + ("y",) * 4
    assert any(note.startswith("Each folder of recordings is taken as a group; --group") for note in dataset.notes)
    asked = load(root, group=r"filename:-(\d)")
    assert asked.groups == ("3", "4") * 4
    assert not any(note.startswith("Each folder") for note in asked.notes)
    with pytest.raises(OptionError, match="folders of files have no columns"):
        load(root, group="speaker")
    assert "expected a file name that matches" in inspect(root, group="filename:(z)").findings[0].found


def test_one_folder_is_no_group_and_parts_are_read(tmp_path):
    assert load(write_pairs(tmp_path / "one", {"wavs/a": "good day", "wavs/b": "good night"})).groups is None
    texts = {"train/a": "a b", "train/b": "c d", "Dev/x/c": "e f", "test/d": "g h", "extra/e": "i j"}
    dataset = load(write_pairs(tmp_path / "two", texts))
    assert dict(zip(dataset.labels, dataset.parts, strict=True)) == {
        "a b": "train",
        "c d": "train",
        "e f": "val",
        "g h": "test",
    }
    assert "Sounds outside the parts, not used: 1 (first: extra/e.wav)." in dataset.notes
    assert dataset.groups is None


def test_faults_name_the_recording_or_the_text(tmp_path):
    texts = {
        "a": "good",
        "b": None,
        "x/c": "",
        "d": b"caf\xe9",
        "e": "\x07",
        "f": "...",
        "g": "a b" * 40,
        "h": "day",
        "i": "night",
    }
    root = write_pairs(tmp_path, texts)
    assert {f.where: f.found for f in inspect(root).findings if f.severity == "error"} == {
        "b.wav": "expected a transcript beside it, found no b.txt",
        "x/c.txt": "expected a text, found an empty file",
        "d.txt:1": "expected UTF-8, found byte 0xE9 after 3 bytes of the line",
        "e.wav": r"expected text, found the control character U+0007 after 0 characters of '\x07'",
        "f.wav": "expected words, found only punctuation: '...'",
        "g.wav": "expected a transcript that can be said in the recording, found 120 characters in 1.00 s",
    }
    assert load(root, on_error="skip").labels == ("good", "day", "night")


def test_a_few_texts_leave_class_folders_what_they_are(tmp_path):
    root = write_classes(tmp_path / "calls", {"owl": 3, "wren": 3})
    for name in ("owl/0", "wren/1"):
        (root / f"{name}.txt").write_text("hoo")
    assert load(root).labels == ("owl",) * 3 + ("wren",) * 3
    assert "expected a transcript beside it" in inspect(root, task="transcription").findings[0].found
    for name in ("owl/1", "wren/2"):
        (root / f"{name}.txt").write_text("hu")
    assert inspect(root).task == "audio-transcription"
    assert load(root, task="classification").labels == ("owl",) * 3 + ("wren",) * 3


def test_transcripts_that_are_asked_for_and_nowhere_are_missed(tmp_path):
    root = write_classes(tmp_path / "calls", {"owl": 2, "wren": 2})
    (root / "notes.txt").write_text("at night")
    with pytest.raises(
        DataError, match=r"expected a transcript beside each recording .a.txt beside a.wav., found none"
    ):
        load(root, task="transcription")


def test_names_in_other_bytes_are_refused(tmp_path):
    root = write_pairs(tmp_path, {"a": "good day"})
    try:
        (root / "b\udcff.wav").write_bytes(b"")
    except OSError:
        pytest.skip("this file system takes only UTF-8")
    with pytest.raises(DataError, match="expected a file name in UTF-8"):
        load(root)
