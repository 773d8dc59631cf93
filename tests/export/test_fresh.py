"""Exports in a process of their own, which never imports Headstart."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from headstart import pipeline
from tests.export.models import image_network, model_on, save, text_network

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "exports" / "load_fresh.py"


def answers(model: Path, inputs: Path, target: Path) -> Path:
    target.write_text("\n".join(json.dumps(row) for row in pipeline.predict(model, [inputs])))
    return target


def fresh(*words: Path) -> subprocess.CompletedProcess[str]:
    """Run the script, which refuses to have imported Headstart, where no hub can be asked."""
    clean = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"} | {"HF_HUB_OFFLINE": "1"}
    return subprocess.run(
        [sys.executable, str(SCRIPT), *map(str, words)], capture_output=True, text=True, env=clean, check=False
    )


@pytest.mark.slow
def test_transformers_alone_gives_the_answers_of_predict(tmp_path: Path) -> None:
    model = save(model_on(text_network(tmp_path)), tmp_path).folder
    inputs = tmp_path / "inputs.csv"
    inputs.write_text("text\nthe cat sat\na bird on a mat\nthe red house .\n")
    pipeline.export(model, tmp_path / "out", format="transformers")
    done = fresh(tmp_path / "out", inputs, answers(model, inputs, tmp_path / "said.jsonl"))
    assert done.returncode == 0, done.stdout + done.stderr
    assert "0 other answers" in done.stdout
    other = tmp_path / "other.csv"
    other.write_text("text\na\nb\nc\n")
    assert fresh(tmp_path / "out", other, tmp_path / "said.jsonl").returncode == 1, "the script must be able to fail"


@pytest.mark.slow
def test_timm_alone_gives_the_answers_of_predict(tmp_path: Path, photos: Path) -> None:
    model = save(model_on(image_network(tmp_path)), tmp_path).folder
    pipeline.export(model, tmp_path / "out", format="timm")
    done = fresh(tmp_path / "out", photos, answers(model, photos, tmp_path / "said.jsonl"))
    assert done.returncode == 0, done.stdout + done.stderr
    assert "0 other answers" in done.stdout
