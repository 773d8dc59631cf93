"""Recordings with transcripts: what is read, how it is spelt, what is a fault, and how it is split."""

import json
from dataclasses import replace

import numpy as np
import pytest

from headstart.data import Dataset, inner_folds, inspect, load, load_items, make_folds, plan_split
from headstart.errors import DataError, OptionError
from headstart.tasks import task_from_labels
from tests.data.sounds import noise, write_sound, write_speech

SAID = ["good day", "good night", "see you", "thank you", "go on", "stop it"]


def rows(*texts: str) -> list[str]:
    return [f"{i}.wav,{text}" for i, text in enumerate(texts)]


def faults(root, **options) -> dict[str, str]:
    return {f.where: f.found for f in inspect(root, **options).findings if f.severity == "error"}


def test_a_manifest_with_transcripts_is_read_as_such(tmp_path):
    texts = [f"{text},{'ab'[i % 2]},{'test' if i > 3 else 'train'}" for i, text in enumerate(SAID)]
    dataset = load(write_speech(tmp_path, "path,transcript,group,split", rows(*texts)))
    assert (dataset.task, dataset.labels, dataset.groups) == ("audio-transcription", tuple(SAID), ("a", "b") * 3)
    assert dataset.parts.count("test") == 2
    assert dataset.notes[:2] == (
        "Task: audio transcription, 12 words, 15 different characters (column 'transcript').",
        "Parts: train 4, test 2.",
    )
    assert not any("Transcripts" in note for note in dataset.notes)  # nothing to spell otherwise


@pytest.mark.parametrize("suffix", ["csv", "tsv", "jsonl", "parquet"])
def test_all_tables_hold_transcripts(tmp_path, suffix):
    write_speech(tmp_path, "path,transcript", rows(*SAID))
    (tmp_path / "manifest.csv").unlink()
    pairs = [(f"{i}.wav", text) for i, text in enumerate(SAID)]
    path = tmp_path / f"manifest.{suffix}"
    if suffix == "parquet":
        pa, pq = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
        pq.write_table(pa.table({"path": [one for one, _ in pairs], "transcript": [text for _, text in pairs]}), path)
    elif suffix == "jsonl":
        path.write_text("".join(json.dumps({"path": one, "transcript": text}) + "\n" for one, text in pairs))
    else:
        mark = {"csv": ",", "tsv": "\t"}[suffix]
        path.write_text("\n".join([f"path{mark}transcript", *(mark.join(pair) for pair in pairs)]))
    assert load(tmp_path).labels == tuple(SAID)


def test_a_label_counts_before_a_transcript_unless_the_task_says_otherwise(tmp_path):
    root = write_speech(tmp_path, "path,label,transcript", rows(*(f"{'ab'[i % 2]},{t}" for i, t in enumerate(SAID))))
    dataset = load(root)
    assert (dataset.kind, set(dataset.labels)) == ("classification", {"a", "b"})
    assert "The column 'transcript' is not used: there is 'label'; --task transcription reads it." in dataset.notes
    for task in ("transcription", "audio-transcription"):
        assert load(root, task=task).labels == tuple(SAID)
    assert not any("transcript" in note for note in load(root, task="classification").notes)
    assert load(root, label="transcript").kind == "transcription"
    assert load(root, label="transcript", task="classification").kind == "classification"


def test_a_column_of_another_name_is_suggested_and_taken_on_request(tmp_path):
    root = write_speech(tmp_path, "path,sentence,client_id", rows(*(f"{text},{i % 3}" for i, text in enumerate(SAID))))
    message = (
        "'label' or 'transcript', found 'path', 'sentence', 'client_id'. If 'sentence' is what is said, pass --task t"
    )
    with pytest.raises(DataError, match=message):
        load(root)
    with pytest.raises(
        DataError, match=r"expected a column 'transcript', found .*--task transcription --label sentence"
    ):
        load(root, task="transcription")
    dataset = load(root, task="transcription", label="sentence")
    assert dataset.labels == load(root, label="sentence").labels == tuple(SAID)
    assert "Column 'client_id' may say who speaks: --group client_id keeps" in " ".join(dataset.notes)
    assert load(root, label="sentence", group="client_id").groups == ("0", "1", "2") * 2
    with pytest.raises(DataError, match=r"expected a column 'said', found .*--label NAME"):
        load(root, task="transcription", label="said")


def test_texts_beside_paths_are_transcripts_where_speech_is_asked_for(tmp_path):
    root = write_speech(tmp_path, "path,text", rows(*SAID))
    with pytest.raises(DataError, match="found both. Pass --text text .* --task transcription --label text"):
        load(root)
    assert load(root, task="transcription", label="text").labels == tuple(SAID)
    with pytest.raises(DataError, match="If 'text' is what is said, pass --task transcription --label text"):
        load(root, task="transcription")
    names = [name for name, _ in load_items([root], "audio", kind="transcription")]
    assert names == [str(root / f"{i}.wav") for i in range(6)]


def test_the_layout_of_hugging_face_is_read(tmp_path):
    root = write_speech(tmp_path, "file_name,transcription", rows(*SAID), name="metadata.csv")
    dataset = load(root)
    assert (dataset.kind, dataset.labels, dataset.places[0]) == ("transcription", tuple(SAID), "metadata.csv:2")
    assert "Files are named by the column 'file_name'." in dataset.notes
    (root / "metadata.csv").write_text("file_name,transcription\n,hello\n../0.wav,hello\n1.wav,hello\n")
    assert list(faults(root).values())[:2] == [
        "expected a path, found nothing in 'file_name'",
        "expected a path inside the manifest's folder, found '../0.wav'",
    ]


@pytest.mark.parametrize("content", ["a|b|c\n", "", "file_name,size\n0.wav,3\n", "file_name,label\n\n"])
def test_other_tables_of_that_name_change_nothing(tmp_path, content):
    for folder in ("owl", "wren"):
        write_sound(tmp_path / folder / "0.wav", noise(0.1))
    (tmp_path / "metadata.csv").write_text(content)
    assert load(tmp_path).labels == ("owl", "wren")


def test_a_text_with_a_file_name_stays_a_text(tmp_path):
    (tmp_path / "t.csv").write_text("file_name,text,label\na.wav,hello,x\nb.wav,bye,y\n")
    assert load(tmp_path / "t.csv").items == ("hello", "bye")


def test_what_does_not_fit_is_said_in_one_line(tmp_path, make_images):
    speech = write_speech(tmp_path / "speech", "path,transcript", rows(*SAID))
    for task in ("classification", "multilabel", "regression", "audio-classification"):
        with pytest.raises(
            OptionError, match="does not fit: the data holds transcripts. Leave out --task to recognise"
        ):
            load(speech, task=task)
    with pytest.raises(OptionError, match="task 'audio-transcription' does not fit: the data holds images. Leave out"):
        load(make_images({"a": 2}), task="audio-transcription")
    with pytest.raises(
        OptionError, match="task 'transcription' does not fit: the data holds images without transcripts"
    ):
        load(make_images({"a": 2}), task="transcription")
    (tmp_path / "t.csv").write_text("text,label\nhello,a\nbye,b\n")
    with pytest.raises(OptionError, match="task 'transcription' does not fit: the data holds texts"):
        load(tmp_path / "t.csv", task="transcription")
    (tmp_path / "t.txt").write_text("hello\n")
    with pytest.raises(
        OptionError, match="task 'transcription' does not fit: the data holds texts without transcripts"
    ):
        load(tmp_path / "t.txt", task="transcription")
    with pytest.raises(OptionError, match="--transcripts: the data holds no transcripts"):
        load(tmp_path / "t.csv", transcripts="written")


def test_names_of_files_that_say_nothing_are_recordings(tmp_path):
    for i in range(2):
        write_sound(tmp_path / f"{i}.rec", noise(seed=i), format="WAV")
    (tmp_path / "manifest.csv").write_text("path,transcript\n0.rec,good day\n1.rec,good night\n")
    assert load(tmp_path, task="transcription").task == "audio-transcription"


def test_a_test_source_is_read_as_the_training_data(tmp_path):
    train = write_speech(tmp_path / "one", "path,transcript", rows(*SAID))
    test = write_speech(tmp_path / "two", "path,transcript,label", rows("hello,a", "bye,b"))
    dataset = load(train, test=test)
    assert dataset.labels[-2:] == ("hello", "bye")
    classes = write_speech(tmp_path / "three", "path,label", rows("a", "b"))
    with pytest.raises(DataError, match="expected sounds as in the training data, found sounds with transcripts"):
        load(classes, test=train)


def test_tables_of_parts_hold_the_same_kind(tmp_path):
    write_speech(tmp_path, "path,transcript,speaker", rows(*(f"{t},x" for t in SAID)), name="train.csv")
    (tmp_path / "test.csv").write_text("path,transcript,speaker\n0.wav,Hello!,y\n")
    dataset = load(tmp_path)
    assert (dataset.kind, dataset.labels[-1]) == ("transcription", "hello")
    assert sum("may say who speaks" in note for note in dataset.notes) == 1
    (tmp_path / "test.csv").write_text("path,label\n0.wav,a\n")
    with pytest.raises(DataError, match="expected one kind of items, found sounds with transcripts and sounds"):
        load(tmp_path)


HOSTILE = {
    "nothing": ("", "expected a transcript, found nothing in 'transcript'"),
    "spaces": ("  ", "expected a transcript, found nothing in 'transcript'"),
    "punctuation": ("?! ...", "expected words, found only punctuation: '?! ...'"),
    "bell": ("a\x07b", r"expected text, found the control character U+0007 after 1 characters of 'a\x07b'"),
    "escape": ("\x1b[0m", r"expected text, found the control character U+001B after 0 characters of '\x1b[0m'"),
    "high": ("a\x9cb", r"expected text, found the control character U+009C after 1 characters of 'a\x9cb'"),
    "lost": ("caf\ufffd", "expected text, found U+FFFD, a character that was lost after 3 characters of 'caf\ufffd'"),
    "long": ("a b " * 30, "expected a transcript that can be said in the recording, found 119 characters in 1.00 s"),
}


@pytest.mark.parametrize("spelling", ["plain", "written"])
@pytest.mark.parametrize("kind", HOSTILE)
def test_every_transcript_that_cannot_be_used_is_a_fault_of_its_row(tmp_path, kind, spelling):
    text, problem = HOSTILE[kind]
    root = write_speech(tmp_path, "path,transcript", rows("good day", text, "good night"))
    assert faults(root, transcripts=spelling)["manifest.csv:3"] == problem
    with pytest.raises(DataError, match="manifest.csv:3"):
        load(root)
    assert load(root, on_error="skip").labels == ("good day", "good night")


def test_null_and_lists_are_no_transcripts(tmp_path):
    write_speech(tmp_path, "path,transcript", rows(*SAID))
    (tmp_path / "manifest.csv").unlink()
    lines = [{"path": "0.wav", "transcript": "hello"}, {"path": "1.wav", "transcript": None}, {"path": "2.wav"}]
    (tmp_path / "manifest.jsonl").write_text("\n".join(map(json.dumps, lines)))
    nothing = "expected a transcript, found nothing in 'transcript'"
    assert faults(tmp_path) == {"manifest.jsonl:2": nothing, "manifest.jsonl:3": nothing} | {
        str(tmp_path): "expected different transcripts, found only 'hello'"
    }
    (tmp_path / "manifest.jsonl").write_text('{"path": "0.wav", "transcript": ["a", "b"]}\n')
    with pytest.raises(DataError, match="expected text or numbers in column 'transcript', found lists"):
        load(tmp_path)


def test_a_letter_twice_takes_a_frame_between(tmp_path):
    assert not faults(write_speech(tmp_path / "a", "path,transcript", rows("ab" * 25, "ba" * 25, "a b")))
    root = write_speech(tmp_path / "b", "path,transcript", rows("ab" * 24 + "bb", "ba" * 25, "a b", "b a"))
    assert list(faults(root)) == ["manifest.csv:2"]


def test_plain_spelling_is_said_with_an_example_and_written_keeps_all(tmp_path):
    root = write_speech(tmp_path, "path,transcript", rows('"Good day, Ada!"', "good  night", "see you", "thank you"))
    found = (
        "transcripts in lower case and without punctuation: 2 of 4 change, such as 'Good day, Ada!' -> 'good day ada'"
    )
    dataset = load(root)
    assert dataset.labels[:2] == ("good day ada", "good night")
    assert f"T{found[1:]} (manifest.csv:2)." in dataset.notes
    finding = next(f for f in inspect(root).findings if f.kind == "spelling")
    assert (finding.severity, finding.where, finding.found) == ("info", "manifest.csv:2", found)
    assert "--transcripts written" in finding.fix
    kept = load(root, transcripts="written")
    assert kept.labels == ("Good day, Ada!", "good night", "see you", "thank you")
    assert [f.found for f in inspect(root, transcripts="written").findings if f.kind == "spelling"] == [
        "white space and accents of transcripts written alike (NFC): 1 of 4 change, such as 'good  night' -> "
        "'good night'"
    ]
    assert task_from_labels(kept.kind, kept.labels).to_dict()["spelling"] == "written"
    assert kept.fingerprint != dataset.fingerprint


def test_long_examples_are_cut_in_messages(tmp_path):
    root = write_speech(tmp_path, "path,transcript", rows("A" + "b c" * 30, "good day"), seconds=3)
    assert f"such as 'A{'b c' * 13}...' -> 'a{'b c' * 13}...'" in " ".join(load(root).notes)


def test_white_space_around_is_removed_and_said(tmp_path):
    dataset = load(write_speech(tmp_path, "path,transcript", rows(" good day ", "good night")))
    assert "Transcripts with outer white space, removed: 1 (first: manifest.csv:2)." in dataset.notes


def test_the_summary_counts_words_and_characters(tmp_path):
    inspection = inspect(write_speech(tmp_path, "path,transcript", rows(*SAID)))
    assert (inspection.task, inspection.n) == ("audio-transcription", 6)
    assert inspection.classes["o"] == 9
    assert inspection.classes[" "] == 6
    assert list(inspection.classes.values()) == sorted(inspection.classes.values(), reverse=True)
    words = {name: inspection.summary[name] for name in ("words", "total_words", "distinct_words")}
    assert words == {"words": {"min": 2, "median": 2, "max": 2}, "total_words": 12, "distinct_words": 10}
    assert inspection.summary["total_minutes"] == 0.1
    assert inspection.summary["characters_per_second"] == 7.7
    assert json.loads(json.dumps(inspection.to_dict()))["classes"] == inspection.classes
    assert [f for f in inspection.findings if f.kind not in ("low-rate", "rare-characters")] == []


def speech(n: int, *, groups: int | None = None, texts=None) -> Dataset:
    texts = texts or [" ".join(["word"] * (1 + i % 9)) + f" {i}" for i in range(n)]
    items = tuple(map(str, range(n)))
    named = None if groups is None else tuple(f"s{i % groups}" for i in range(n))
    dataset = Dataset("audio", items, items, labels=tuple(texts), groups=named, kind="transcription", source="speech")
    vars(dataset)["hashes"] = items
    return dataset


def test_folds_are_alike_in_the_length_of_transcripts():
    dataset = speech(180)
    plan = plan_split(dataset, seed=0)
    assert (plan.how, len(plan.folds)) == ("cv", 30)
    lengths = np.array([len(text) for text in dataset.labels])
    means = [lengths[scored].mean() for _, scored in plan.folds]
    assert max(means) - min(means) < 0.15 * lengths.mean()  # by chance about half
    again = plan_split(dataset, seed=0)
    assert all(np.array_equal(one[1], other[1]) for one, other in zip(plan.folds, again.folds, strict=True))


def test_phrases_that_recur_are_spread_as_classes_are():
    phrases = [f"phrase {'abc'[i % 3]}" for i in range(30)]
    y = task_from_labels("transcription", phrases).encode(phrases)
    for _, scored in make_folds(y, groups=None, n_splits=5, seed=0):
        assert sorted(y[scored]) == sorted([f"phrase {each}" for each in "abc"] * 2)


def test_speakers_stay_on_one_side_and_inner_folds_keep_them_together():
    dataset = speech(600, groups=10)
    plan = plan_split(dataset, seed=0)
    assert plan.how == "holdout"
    assert not {dataset.groups[i] for i in plan.train} & {dataset.groups[i] for i in plan.test}
    train = dataset.take(plan.train)
    y = task_from_labels(train.kind, train.labels).encode(train.labels)
    for inside, outside in inner_folds(train, y, seed=0, n_splits=4):
        assert not {train.groups[i] for i in inside} & {train.groups[i] for i in outside}
    assert {len(outside) for _, outside in inner_folds(train, y, seed=0, n_splits=4)} == {120}


def test_characters_that_only_the_held_out_part_has_are_said():
    texts = [f"hello {i}" for i in range(600)]
    scored = plan_split(speech(600, texts=texts), seed=0).test
    texts[scored[0]] = "hello é"
    texts[scored[1]] = "hello \u0301"
    plan = plan_split(speech(600, texts=texts), seed=0)
    note = "Characters of the held-out part that no training transcript has: "
    assert set(scored[:2]) <= set(plan.test)
    assert f"{note}'é', U+0301." in plan.notes
    assert not any(note in said for said in plan_split(speech(600), seed=0).notes)


def test_a_given_part_may_hold_other_characters_and_one_transcript_is_too_few():
    dataset = replace(speech(4, texts=["ab", "ba", "ab", "xyz"]), parts=("train", "train", "test", "test"))
    assert plan_split(dataset, seed=0).how == "test"
    alike = replace(dataset, labels=("ab", "ab", "ba", "xyz"))
    with pytest.raises(DataError, match="expected different transcripts, found only 'ab'"):
        plan_split(alike, seed=0)
    with pytest.raises(DataError, match="expected training examples, found none"):
        plan_split(replace(alike, parts=("test",) * 4), seed=0)


def test_recordings_without_transcripts_say_what_is_missing(tmp_path):
    write_sound(tmp_path / "a.wav", noise())
    write_sound(tmp_path / "b.wav", noise(seed=1))
    with pytest.raises(DataError, match="found 2 unlabelled items. .* add a column 'label' .of speech 'transcript'"):
        plan_split(load(tmp_path), seed=0)


def test_the_same_recording_with_two_transcripts_is_a_conflict(tmp_path):
    root = write_speech(tmp_path, "path,transcript", rows("good day", "good night", "Good day!", "see you"))
    for name in ("1.wav", "2.wav"):
        (root / name).write_bytes((root / "0.wav").read_bytes())
    conflict = next(f for f in inspect(root).findings if f.kind == "conflicting-copies")
    assert conflict.where == "manifest.csv:2, manifest.csv:3, manifest.csv:4"
    assert conflict.found == "the same item with different transcripts: 'good day', 'good night'"
    (root / "manifest.csv").write_text("path,transcript\n0.wav,good day\n2.wav,Good day!\n3.wav,see you\n")
    assert [f.kind for f in inspect(root).findings if "copies" in f.kind] == ["copies"]


def test_inputs_for_prediction_need_no_transcripts(tmp_path):
    root = write_speech(tmp_path, "path,transcript", rows("", "?", "\x07"))
    (root / "list.csv").write_text("path\n2.wav\n")
    (root / "more.csv").write_text("file_name\n1.wav\n")
    write_sound(root / "deep" / "d.flac", noise(seed=9))
    for given, names in (
        (root, ["0.wav", "1.wav", "2.wav"]),
        (root / "list.csv", ["2.wav"]),
        (root / "more.csv", ["1.wav"]),
        (root / "deep", ["d.flac"]),
        (root / "0.wav", ["0.wav"]),
    ):
        found = load_items([given], "audio", kind="transcription")
        assert [(item.name, name.endswith(item.name)) for name, item in found] == [(name, True) for name in names]
