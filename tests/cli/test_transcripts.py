"""Recordings with transcripts at the command line."""

import csv
import json
import re
from dataclasses import replace

import click
import pyarrow.parquet as pq
import pytest

import headstart
from headstart.cli._options import reading, transcripts_option
from headstart.cli._transcripts import recordings_drawn, speech_lines
from headstart.pipeline import SpeechErrors
from headstart.pipeline._transcripts import GroupErrors
from tests.data.sounds import noise, write_sound, write_speech
from tests.pipeline.test_transcripts import TOY, recordings

ROWS = ["0.wav,Good day!", "1.wav,good night", "2.wav,see you", "3.wav,thank you"]


def test_check_shows_the_spelling_and_counts_characters(run, tmp_path):
    root = write_speech(tmp_path, "path,transcript", ROWS)
    status, out, _ = run("check", root)
    assert status == 0
    assert "Task          audio-transcription, 4 items, 14 characters" in out
    assert "o 6, space 4," in out
    assert "INFO spelling at manifest.csv:2: transcripts in lower case" in out
    assert "'Good day!' -> 'good day'. Nothing, if this is meant; --transcripts written keeps" in out
    assert "Distinct words 6" in out
    written = json.loads(run("check", root, "--transcripts", "written", "--json")[1])
    assert (written["classes"]["G"], written["classes"]["!"]) == (1, 1)
    assert not any(finding["kind"] == "spelling" for finding in written["findings"])


@pytest.mark.parametrize("command", ["fit", "curve", "rank", "check"])
def test_commands_that_learn_take_the_spelling(run, command):
    assert "--transcripts [plain|written]" in run(command, "--help")[1]


@pytest.mark.parametrize("command", ["evaluate", "predict"])
def test_a_saved_model_spells_as_it_has_learnt(run, command):
    assert "--transcripts" not in run(command, "--help")[1]


def test_the_spelling_reaches_the_reading():
    @click.command()
    @transcripts_option
    def command(**options):
        click.echo(reading(options).transcripts)

    from click.testing import CliRunner

    assert CliRunner().invoke(command, ["--transcripts", "written"]).output == "written\n"
    assert CliRunner().invoke(command, []).output == "plain\n"


def test_a_spelling_of_what_has_no_transcripts_is_refused(run, tmp_path):
    (tmp_path / "t.csv").write_text("text,label\nhello,a\nbye,b\n")
    status, _, err = run("check", tmp_path / "t.csv", "--transcripts", "written")
    assert status == 1
    assert err == "Error: --transcripts: the data holds no transcripts. Leave it out.\n"


@pytest.fixture(scope="module")
def spoken_data(tmp_path_factory):
    return recordings(tmp_path_factory.mktemp("spoken") / "data")


@pytest.fixture(scope="module")
def model(spoken_data, tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HEADSTART_CACHE", str(tmp_path_factory.mktemp("cache")))
        return headstart.fit(spoken_data, tmp_path_factory.mktemp("models") / "m", options=TOY).folder


def test_the_screen_of_a_fit(run, spoken_data, tmp_path):
    words = ("--backbone", "toy:audio", "--strategy", "probe", "--offline", "--proof", "none")
    status, out, err = run("fit", spoken_data, "-o", tmp_path / "m", *words)
    assert status == 0, err
    lines = out.splitlines()
    (score,) = (line for line in lines if line.startswith("Word error rate "))
    assert re.search(
        r"on 12 examples of the test part, scored once; interval over 12 recordings of the same 4 g", score
    )
    assert "(lower is better)" in score
    assert any("character error rate 0." in line and "recordings without an error 0." in line for line in lines)
    heading = lines.index("words             n")
    assert [line.split()[0] for line in lines[heading + 1 : heading + 5]] == ["right", "substituted", "left", "put"]
    assert "Characters outside the vocabulary (in 1 transcript), each an error: 'é' 1." in lines
    (table,) = (number for number, line in enumerate(lines) if line.startswith("group "))
    assert sorted(line.split()[0] for line in lines[table + 1 : table + 5]) == ["w", "x", "y", "z"]
    worst = lines[lines.index("worst recordings") + 1 :]
    assert all(re.match(r"  manifest\.csv:\d+: \d+ wrong, \d+ said: ", line) for line in worst)
    assert f"{tmp_path / 'm' / 'transcripts.html'}: scored recordings and their errors" in out


def test_evaluate_prints_one_json_document_or_a_screen(run, model, spoken_data):
    found = json.loads(run("evaluate", model, spoken_data, "--json")[1])
    assert found["test"]["metric"] == "wer"
    assert set(found["errors"]) == {
        "counts", "substituted", "left_out", "put_in", "outside", "outside_recordings", "worst", "groups",
        "interval_over", "drawn",
    }  # fmt: skip
    assert set(found["errors"]["worst"][0]) == {"place", "words", "errors", "marked"}
    status, out, _ = run("evaluate", model, spoken_data)
    assert status == 0
    assert "on 12 examples; interval over 12 recordings" in out
    assert "worst recordings" in out


def test_transcripts_on_the_screen_and_as_json(run, model, spoken_data, tmp_path):
    path = spoken_data / "w00.wav"
    (row,) = map(json.loads, run("predict", model, path, "--json")[1].splitlines())
    assert list(row) == ["input", "transcript", "words"]
    assert all(len(word) == 4 and word[0] < word[1] for word in row["words"])
    assert run("predict", model, path)[1] == f"{path}\t{row['transcript']}\n"
    assert run("predict", model, "-", stdin=f"{path}\n")[1] == f"{path}\t{row['transcript']}\n"
    silent = write_sound(tmp_path / "silent.wav", 0.01 * noise(0.4))
    assert run("predict", model, silent)[1].startswith(f"{silent}\t")


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_a_table_has_a_row_per_recording(run, model, spoken_data, tmp_path, suffix):
    table = tmp_path / f"out.{suffix}"
    status, out, _ = run("predict", model, spoken_data / "w00.wav", tmp_path / "gone.wav", "-o", table)
    assert (status, out) == (1, f"{table}: 2 rows, 1 of them errors.\n")
    rows = list(csv.DictReader(table.read_text().splitlines())) if suffix == "csv" else pq.read_table(table).to_pylist()
    assert list(rows[0]) == ["input", "transcript", "words", "error"]
    words = json.loads(rows[0]["words"])
    assert " ".join(word for _, _, word, _ in words) == rows[0]["transcript"]
    assert not rows[1]["transcript"]
    assert "no such file" in rows[1]["error"]


def errors(**more):
    counts = {"same": 1, "substituted": 0, "left out": 0, "put in": 0}
    return replace(SpeechErrors(counts, (), (), (), {}, 0, (), {}, "items", 7), **more)


def test_what_the_interval_draws():
    speakers = {name: GroupErrors(2, 8, 1) for name in "abc"}
    assert recordings_drawn(errors(groups=speakers, interval_over="groups", drawn=3), "cv") == (
        "interval over folds of 3 groups (speakers)"
    )
    assert recordings_drawn(errors(groups=speakers), "test") == (
        "interval over 7 recordings of the same 3 groups (speakers)"
    )
    one = {"a": GroupErrors(7, 8, 1)}
    assert recordings_drawn(errors(groups=one), "test") == "interval over 7 recordings of one group (speaker)"
    assert recordings_drawn(errors(), "holdout") == (
        "interval over 7 recordings, since no groups (speakers) are marked"
    )


def test_long_lists_are_cut_short():
    speakers = {f"s{i}": GroupErrors(2, 0 if i == 19 else 10, i) for i in range(20)}
    many = tuple((f"w{i}", 9 - i) for i in range(9))
    strange = {f"{i}": 1 for i in range(9)}
    lines = list(speech_lines(errors(groups=speakers, left_out=many, outside=strange, outside_recordings=4)))
    assert "w0 9, w1 8, w2 7, w3 6, w4 5, w5 4, ..." in lines[3]
    assert (
        "Characters outside the vocabulary (in 4 transcripts), each an error: '0' 1, '1' 1, '2' 1, '3' 1, '4' 1, "
        "'5' 1 and 3 more."
    ) in lines
    assert lines[-1] == "and 8 more with lower rates"
    assert [line.split()[0] for line in lines if re.match(r"s\d", line)] == [f"s{i}" for i in range(18, 6, -1)]
    assert not any("group" in line for line in speech_lines(errors(groups={"a": GroupErrors(1, 1, 1)})))
