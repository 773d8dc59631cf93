"""Bad recordings on the command line: one line that says what is wrong with which file, and the rest is kept."""

import io
import json
import re
from pathlib import Path

import numpy as np
import pytest
import soundfile

import headstart
from headstart import FitOptions
from headstart.linear import _speech as fitting
from tests.data.sounds import noise, write_sound
from tests.spoken import RATE, said, sound

TOY = FitOptions(backbones=("toy:audio",), strategy="probe", offline=True, proof="none")
WORDS = ("--backbone", "toy:audio", "--strategy", "probe", "--offline", "--proof", "none")
COLUMNS = {"classification": "label", "transcription": "transcript"}
TRAINED, TESTED = 16, 8
REPLACE = "Replace the file or remove it."
KINDS = "WAV, FLAC, Ogg, MP3, AIFF"


def wav(samples: np.ndarray, subtype: str = "PCM_16") -> bytes:
    """The bytes of a WAV file."""
    file = io.BytesIO()
    soundfile.write(file, samples, RATE, format="WAV", subtype=subtype)
    return file.getvalue()


WHOLE = wav(noise(1))
FILES = {
    "no-bytes": (b"", "a sound, found an empty file (0 bytes)", REPLACE),
    "no-samples": (wav(np.zeros(0)), "a sound, found one of length zero (no samples)", REPLACE),
    "three": (
        wav(np.zeros(3)),
        "at least 25 ms of sound, found 0.2 ms (3 samples)",
        "Join it with what follows, or remove it.",
    ),
    "nan": (wav(np.full(RATE, np.nan), "FLOAT"), "finite samples, found NaN or infinity", REPLACE),
    "infinite": (wav(np.append(noise(1), np.inf), "FLOAT"), "finite samples, found NaN or infinity", REPLACE),
    "text": (b"hello, this is a text\n" * 9, f"a sound ({KINDS}), found a file of another kind", REPLACE),
    "no-header": (WHOLE[:8], f"a sound ({KINDS}), found a file of another kind", REPLACE),
    "half-header": (
        WHOLE[:30],
        "a sound, found a broken one: Error in WAV file. No 'data' chunk marker",
        REPLACE,
    ),
    "half-body": (
        WHOLE[:20_000],
        "a whole sound, found one cut off: 19,956 of 32,000 bytes of samples are there",
        REPLACE,
    ),
    "gone": (None, "a sound, found no such file or directory", "Check the path and its permissions."),
}
NOTHING = {kind: f"a {column}, found nothing in {column!r}" for kind, column in COLUMNS.items()}


def data(root: Path, kind: str, *bad: str, good: int = TRAINED + TESTED, value: str = "ab") -> Path:
    """Good recordings that train, bad ones in the middle, and good ones that are tested."""
    rows = []
    for i, text in enumerate(said(good)):
        write_sound(root / f"{i:02d}.wav", sound(text, seed=i, letter=0.05))
        told = text if kind == "transcription" else "ab"[i % 2]
        rows.append(f"{i:02d}.wav,{told},{'train' if i < TRAINED else 'test'}")
    for name in bad:
        content = FILES[name][0]
        if content is not None:
            (root / f"{name}.wav").write_bytes(content)
        rows.insert(TRAINED // 2, f"{name}.wav,{value if kind == 'transcription' else 'a'},train")
    return manifest(root, kind, rows)


def manifest(root: Path, kind: str, rows: list[str]) -> Path:
    (root / "manifest.csv").write_text("\n".join([f"path,{COLUMNS[kind]},split", *rows]) + "\n", encoding="utf-8")
    return root


@pytest.fixture(autouse=True)
def _few_steps(monkeypatch):
    monkeypatch.setattr(fitting, "STEPS", 8)


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    """A model of either kind."""
    root = tmp_path_factory.mktemp("models")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HEADSTART_CACHE", str(root / "cache"))
        patch.setattr(fitting, "STEPS", 8)
        return {
            kind: headstart.fit(data(root / kind, kind), root / f"m-{kind}", options=TOY).folder for kind in COLUMNS
        }


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("kind", COLUMNS)
def test_a_bad_file_is_one_line_in_every_command(run, models, tmp_path, kind, name):
    _, problem, fix = FILES[name]
    root = data(tmp_path / "data", kind, name, good=2)
    line = f"manifest.csv:4 ({name}.wav): expected {problem}. {fix} Or pass --on-error skip"
    status, out, err = run("check", root)
    assert (status, err) == (1, "")
    wrong = [row for row in out.splitlines() if row.startswith("ERROR unreadable")]
    assert wrong == [f"ERROR unreadable at {line}."]
    for words in (("fit", root, "-o", tmp_path / "m", *WORDS), ("evaluate", models[kind], root)):
        assert run(*words) == (1, "", f"Error: {line} to leave it out.\n")
    assert not (tmp_path / "m").exists()
    path = root / f"{name}.wav"
    status, out, err = run("predict", models[kind], root / "00.wav", path, root / "01.wav")
    assert (status, err) == (1, "")
    first, second, third = out.splitlines()
    assert second == f"-\terror\t{path}\texpected {problem}. {fix}"
    assert "error" not in first + third
    answers = [json.loads(row) for row in run("predict", models[kind], root, "--json")[1].splitlines()]
    assert [Path(row["input"]).stem for row in answers] == ["00", "01", name]
    assert [row.get("error") for row in answers] == [
        None, None, f"{root / 'manifest.csv'}:4 ({name}.wav): expected {problem}. {fix}",
    ]  # fmt: skip


@pytest.mark.parametrize("kind", COLUMNS)
def test_the_rest_is_kept_on_request(run, models, tmp_path, kind):
    root, folder = data(tmp_path / "data", kind, *FILES), tmp_path / "m"
    status, out, err = run("fit", root, "-o", folder, *WORDS, "--on-error", "skip")
    assert status == 0, err
    assert f"{len(FILES)} items were left out; evaluation.json lists them." in out
    assert err.count("Left out: ") == len(FILES)
    for name, (_, problem, _) in FILES.items():
        assert re.search(rf"Left out: manifest\.csv:\d+ \({name}\.wav\): expected {re.escape(problem)}\n", err)
    kept = json.loads((folder / "evaluation.json").read_text())
    assert len(kept["left_out"]) == len(FILES)
    assert json.loads((folder / "data.json").read_text())["n_train"] == TRAINED
    found = json.loads(run("evaluate", models[kind], root, "--on-error", "skip", "--json")[1])
    assert found["test"]["n"] == TESTED


@pytest.mark.parametrize("value", ["", "  "])
@pytest.mark.parametrize("kind", COLUMNS)
def test_an_empty_cell_is_the_fault_of_its_row(run, models, tmp_path, kind, value):
    root = data(tmp_path / "data", kind, good=3)
    rows = (root / "manifest.csv").read_text().splitlines()[1:]
    manifest(root, kind, [rows[0], f"01.wav,{value},train", rows[2]])
    line = f"manifest.csv:3: expected {NOTHING[kind]}. Fill it or remove the row. Or pass --on-error skip"
    assert f"ERROR unreadable at {line}.\n" in run("check", root)[1]
    for words in (("fit", root, "-o", tmp_path / "m", *WORDS), ("evaluate", models[kind], root)):
        assert run(*words) == (1, "", f"Error: {line} to leave it out.\n")
    assert run("predict", models[kind], root)[0] == 0  # it needs none
    assert run("evaluate", models[kind], root, "--on-error", "skip")[0] == 0


@pytest.mark.parametrize("kind", COLUMNS)
def test_a_missing_column_is_one_line(run, models, tmp_path, kind):
    root = data(tmp_path / "data", kind, good=3)
    (root / "manifest.csv").write_text("path,words\n00.wav,ab\n01.wav,ba\n02.wav,ab\n")
    for words in (("fit", root, "-o", tmp_path / "m", *WORDS), ("evaluate", models[kind], root), ("rank", root)):
        status, out, err = run(*words)
        assert (status, out) == (1, "")
        assert re.fullmatch(r"Error: manifest\.csv: expected a column '(label|transcript)'.*, found .*'words'.*\n", err)
    status, out, err = run("check", root)
    assert (status, err) == (1, "")
    assert out.startswith("ERROR source at manifest.csv: expected a column ")
    assert run("evaluate", models[kind], tmp_path / "nowhere")[2].count("\n") == 1


def test_characters_that_a_model_does_not_know_are_errors_that_are_said(run, models, tmp_path):
    root = data(tmp_path / "data", "transcription", good=4)
    manifest(root, "transcription", ["00.wav,ß é,test", "01.wav,é,test", "02.wav,日本,test", "03.wav,ab,test"])
    status, out, err = run("evaluate", models["transcription"], root)
    assert (status, "rror" in err) == (0, False)
    assert (
        "Characters outside the vocabulary (in 3 transcripts), each an error: 'é' 2, 'ß' 1, '日' 1, '本' 1."
        in out.splitlines()
    )
    found = json.loads(run("evaluate", models["transcription"], root, "--json")[1])
    assert (found["test"]["n"], found["errors"]["outside_recordings"]) == (4, 3)
    assert found["errors"]["outside"] == {"é": 2, "ß": 1, "日": 1, "本": 1}
    counts = found["errors"]["counts"]
    assert counts["substituted"] + counts["left out"] + counts["same"] == 5
    assert counts["substituted"] + counts["left out"] >= 4
    assert found["test"]["value"] >= 4 / 5
    assert found["test"]["metrics"]["cer"] >= 6 / 8


def test_characters_that_only_the_test_part_has_do_not_stop_a_fit(run, tmp_path):
    root = data(tmp_path / "data", "transcription")
    rows = (root / "manifest.csv").read_text().splitlines()[1:]
    manifest(root, "transcription", [*rows[:-1], "23.wav,żółw,test"])
    assert "outside the vocabulary, in no training transcript: 'ż' 1, 'ó' 1, 'ł' 1, 'w' 1. Add" in run("check", root)[1]
    status, out, err = run("fit", root, "-o", tmp_path / "m", *WORDS)
    assert status == 0, err
    assert "Warning: manifest.csv:25: characters outside the vocabulary, in no training transcript" in err
    assert "Characters outside the vocabulary (in 1 transcript), each an error: 'w' 1, 'ó' 1, 'ł' 1, 'ż' 1." in out


def test_faults_of_one_kind_are_shown_up_to_twenty_and_all_as_json(run, models, tmp_path):
    root = data(tmp_path / "data", "transcription", good=3)
    rows = [f"../{i}.wav,ab,train" for i in range(260)]
    manifest(root, "transcription", [*rows, "00.wav,,train", *[f"gone {i}.wav,ab,train" for i in range(20)]])
    status, out, _ = run("check", root)
    lines = out.splitlines()
    outside = [line for line in lines if "expected a path inside the manifest's folder" in line]
    assert (status, len(outside)) == (1, 20)
    assert "manifest.csv:2:" in outside[0]
    assert "... and 240 more of this kind; --json lists them all." in lines
    assert lines.index("... and 240 more of this kind; --json lists them all.") == lines.index(outside[-1]) + 1
    assert sum("found no such file" in line for line in lines) == 20
    assert any("found nothing in 'transcript'" in line for line in lines)
    assert sum("more of this kind" in line for line in lines) == 1
    found = json.loads(run("check", root, "--json")[1])["findings"]
    assert sum(finding["kind"] == "unreadable" for finding in found) == 281
    manifest(root, "transcription", [*rows[:30], "00.wav,ab,test", "01.wav,ba,test"])
    err = run("evaluate", models["transcription"], root, "--on-error", "skip")[2]
    assert err.count("Left out: manifest.csv:") == 20
    assert "Left out: 10 more; headstart check shows them.\n" in err


@pytest.mark.parametrize("kind", COLUMNS)
def test_inputs_of_a_lower_rate_are_told_on_standard_error(run, models, tmp_path, kind):
    for i in range(3):
        write_sound(tmp_path / f"{i}.wav", sound("ab", seed=i)[::2], 8000)
    status, out, err = run("predict", models[kind], tmp_path)
    assert (status, len(out.splitlines())) == (0, 3)
    assert err.startswith("3 of 3 inputs have a lower sampling rate than all that the model was fitted on (16000 Hz")
    assert len(err.splitlines()) == 1
