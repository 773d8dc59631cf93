"""What `check` says about transcripts."""

import pytest

from headstart.data import inspect, load, warnings_about
from tests.data.sounds import write_speech

PLAIN = ["the quick brown fox", "jumps over the lazy dog", "pack my box with five dozen jugs", "of the quick brown fox"]


def check(root, texts: list[str], *, parts: list[str] | None = None, seconds: float = 3, **options):
    header = "path,transcript" + (",split" if parts else "")
    rows = [f"{i}.wav,{text}" + (f",{parts[i]}" if parts else "") for i, text in enumerate(texts)]
    write_speech(root, header, rows, seconds=seconds)
    found = {}
    for finding in inspect(root, **options).findings:
        if finding.kind not in ("low-rate", "rare-characters"):
            found[finding.kind] = finding
    return found


def test_good_transcripts_have_no_findings(tmp_path):
    assert check(tmp_path, PLAIN) == {}
    assert warnings_about(load(tmp_path)) == ()


def test_a_pace_that_nobody_speaks_at_is_warned_of(tmp_path):
    found = check(tmp_path, ["a b c d" * 5, "good day to you", "good night to all", "see you again"], seconds=1)[
        "odd-pace"
    ]
    assert (found.severity, found.where) == ("warning", "manifest.csv:2")
    assert found.found == (
        "transcripts of more than 25 characters per second: 1 (first: 35.0, 'a b c da b c da b c da b c da b c d')"
    )
    slow = check(tmp_path / "b", [*PLAIN, "ah"])["odd-pace"]
    assert slow.where == "manifest.csv:6"
    assert slow.found.startswith("transcripts of under a quarter of the usual 7 characters per second: 1 (first: 0.7")


def test_one_transcript_that_stands_for_many_recordings(tmp_path):
    texts = [f"{text} {letter}" for text in PLAIN for letter in "abcdef"]
    found = check(tmp_path, [*texts, *["unknown"] * 12])["repeated-transcript"]
    assert (found.severity, found.where) == ("warning", "manifest.csv:26")
    assert found.found == "one transcript, 'unknown', stands for 12 of 36 recordings"
    assert "repeated-transcript" in {finding.kind for finding in warnings_about(load(tmp_path))}


def test_a_few_phrases_are_good_to_know(tmp_path):
    found = check(tmp_path, ["yes", "nope"] * 8, seconds=1)
    assert (found["few-phrases"].severity, len(found)) == ("info", 1)
    assert found["few-phrases"].found == "2 different transcripts of 16 recordings"


@pytest.mark.parametrize("word", ["two", "Sieben", "quatre", "ocho"])
def test_digits_beside_words_are_warned_of(tmp_path, word):
    found = check(tmp_path, [*PLAIN, "take bus 42 home", f"take {word} of them"])["digits"]
    assert (found.severity, found.where) == ("warning", "manifest.csv:6")
    assert (
        "in digits in 1 transcripts, such as 'take bus 42 home', and in words in 2, such as 'pack my box" in found.found
    )
    assert "(manifest.csv:4)" in found.found


def test_digits_alone_and_words_alone_are_no_mixture(tmp_path):
    assert check(tmp_path / "a", [text.replace("five", "5") for text in PLAIN]) == {}
    assert check(tmp_path / "b", [*PLAIN, "take two of twofold"]) == {}


def test_characters_that_training_lacks(tmp_path):
    parts = ["train", "train", "val", "test"]
    found = check(tmp_path, ["abc abc", "cab cab", "bac d", "xyz xx é bab"], parts=parts)
    assert set(found) == {"untrained-characters"}
    outside = found["untrained-characters"]
    assert (outside.severity, outside.where) == ("warning", "manifest.csv:5")
    assert outside.found == ("characters outside the vocabulary, in no training transcript: 'x' 3, 'y' 1, 'z' 1, 'é' 1")
    assert [finding.kind for finding in warnings_about(load(tmp_path))] == ["untrained-characters"]


def test_long_lists_of_characters_are_cut(tmp_path):
    many = "".join(chr(0x4E00 + i) for i in range(30))
    found = check(tmp_path, ["一 丁", "丁 一", many], parts=["train", "train", "test"])
    assert found["untrained-characters"].found.endswith(", ... (28)")


def test_letters_of_several_scripts_are_listed(tmp_path):
    found = check(tmp_path, [*PLAIN, "the qu\u0456ck fox"])["several-scripts"]
    assert (found.severity, found.where) == ("info", "manifest.csv:6")
    assert found.found == "letters of 2 scripts: Latin 89, Cyrillic 1 (such as 'і')"
    assert check(tmp_path / "ja", ["日本語をカタカナで", "ひらがなと漢字", "カタカナと漢字を日本語で"]) == {}


def test_characters_that_occur_once_in_training_are_listed(tmp_path):
    write_speech(
        tmp_path, "path,transcript,split", ["a.wav,aabb e\u0323\u0301,train", "b.wav,ab ba q,train", "c.wav,ab z,test"]
    )
    found = next(f for f in inspect(tmp_path).findings if f.kind == "rare-characters")
    assert (found.severity, found.where) == ("info", "a.wav") or found.where == "manifest.csv:2"
    assert found.found == "characters that occur once in training: 'q', U+0301, 'ẹ'"
    letters = "".join(chr(0x4E00 + i) for i in range(20))
    write_speech(tmp_path / "b", "path,transcript", [f"a.wav,{letters}", "b.wav,a b"], seconds=3)
    found = next(f for f in inspect(tmp_path / "b").findings if f.kind == "rare-characters")
    assert found.found.endswith(", ... (23)")


def test_transcripts_that_were_encoded_twice(tmp_path):
    found = check(tmp_path, [*PLAIN, "a cafÃ© there"], transcripts="written")["encoded-twice"]
    assert (found.severity, found.where) == ("warning", "manifest.csv:6")
    assert found.found == "1 transcripts look like UTF-8 that was encoded twice, such as 'cafÃ©' for 'café'"


def test_all_items_in_one_group_and_a_part_without_training(tmp_path):
    rows = [f"{i}.wav,{text},ada" for i, text in enumerate(PLAIN)]
    kinds = [f.kind for f in inspect(write_speech(tmp_path, "path,transcript,group", rows, seconds=3)).findings]
    assert "groups" in kinds
    assert kinds[0] == "split"


def test_real_sets_are_described_as_they_are(shared):
    digits = inspect(shared / "data" / "audio" / "connected-digits")
    assert (digits.task, digits.n, digits.parts) == ("audio-transcription", 460, {"train": 300, "val": 60, "test": 100})
    assert (digits.summary["distinct_words"], len(digits.classes)) == (10, 16)
    assert {(f.kind, f.severity) for f in digits.findings} == {("low-rate", "warning")}
    sentences = inspect(shared / "data" / "audio" / "read-sentences")
    assert (sentences.n, len(sentences.classes)) == (141, 29)
    assert [(f.kind, f.severity) for f in sentences.findings] == [("spelling", "info"), ("possible-groups", "info")]
