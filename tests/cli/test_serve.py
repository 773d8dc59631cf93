"""`headstart serve`: a fitted model, in a process of its own, asked over HTTP."""

import json
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from headstart.cli._serve import Size, _opened
from headstart.errors import ArtifactError, OptionError

ROOT = Path(__file__).resolve().parents[2]
FIT = ("--backbone", "toy:image", "--strategy", "probe()", "--proof", "none")


def served(model: Path, *words: str) -> tuple[subprocess.Popen[str], int]:
    """Serve a model in a process of its own, and return that and the port."""
    command = [sys.executable, "-m", "headstart", "serve", str(model), "--port", "0", "--device", "cpu", *words]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    line = process.stderr.readline()
    assert line.startswith("Serving model (image classification) at http://127.0.0.1:"), line
    return process, int(line.partition("127.0.0.1:")[2].partition(".")[0])


@pytest.mark.slow
def test_a_model_is_fitted_served_asked_as_the_readme_says_and_stopped(run, photos, tmp_path, monkeypatch):
    model = tmp_path / "model"
    assert run("fit", photos, "-o", model, *FIT)[0] == 0
    monkeypatch.chdir(tmp_path)
    shutil.copy(photos / "red" / "red 00.png", "new.jpg")
    expected = json.loads(run("predict", model, "new.jpg", "--json")[1])
    del expected["input"]
    process, port = served(model, "--offline")
    (line,) = re.findall(r"^curl .*$", (ROOT / "README.md").read_text(encoding="utf-8"), re.MULTILINE)
    words = shlex.split(line.partition("   ")[0].replace("8000", str(port)))
    done = subprocess.run(["curl", "-s", *words[1:]], capture_output=True, check=True)
    (found,) = json.loads(done.stdout)["predictions"]
    assert list(found) == list(expected)
    assert (found["label"], found["set"]) == (expected["label"], expected["set"])
    assert found["probabilities"] == pytest.approx(expected["probabilities"], abs=1e-4)
    process.terminate()
    assert process.wait(30) == 0
    assert process.stderr is not None
    promise, pixels, *rest = process.stderr.read().splitlines()
    process.stderr.close()
    assert promise.startswith("The set of classes holds the right one for 90%")
    assert pixels.startswith("It was fitted on pictures of 8-bit pixels")
    assert rest == []


@pytest.mark.parametrize(
    ("words", "status", "message"),
    [
        (["none"], 1, "expected a model folder with manifest.json, found no such folder"),
        (["none", "--host", "0.0.0.0"], 1, "there is no token"),
        (["none", "--token-file", "nowhere"], 1, "nowhere: the token cannot be read"),
        (["none", "--max-items", "300"], 1, "expected a queue that holds the 300 items of one request, found 256"),
        (["none", "--max-body", "many"], 2, "expected a size such as 500kB or 16MB"),
        (["none", "--port", "70000"], 2, "70000"),
    ],
)
def test_what_cannot_be_is_one_line(run, words, status, message):
    found, out, err = run("serve", *words, *(() if "--port" in words else ("--port", "0")))
    assert (found, out) == (status, "")
    assert message in err


@pytest.mark.parametrize(("text", "size"), [("500", 500), ("1kB", 1000), ("16 MiB", 16 * 2**20), ("1.5MB", 1_500_000)])
def test_sizes(text, size):
    assert Size().convert(text, None, None) == size


def test_a_folder_with_a_graph_is_opened_as_an_export(tmp_path, monkeypatch):
    (tmp_path / "model.onnx").touch()
    nothing, options = {"coverage": 0.9, "per_class": False}, {"backbone": None, "device": "auto", "offline": False}
    with pytest.raises(ArtifactError, match="expected an exported model with preprocessing.json"):
        _opened(tmp_path, nothing, options)
    for asked, more in (({**nothing, "max_error": 0.1}, options), (nothing, {**options, "device": "cuda"})):
        with pytest.raises(OptionError, match="an export answers as it was exported"):
            _opened(tmp_path, asked, more)
