"""The ladder on the command line: a line per rung, and what Ctrl-C does."""

import json
import os
import re
import signal
import subprocess
import sys

import pytest

import headstart
from tests.conftest import make_texts

# A rung of many steps, so that there is time to interrupt it; started in the background, Python would ignore Ctrl-C.
SLOW = """
import signal, sys
import headstart.search._halving as halving
import headstart.search._ladder as ladder
from headstart.cli import main
from headstart.search._rungs import Step
from headstart.strategies import Contrastive

signal.signal(signal.SIGINT, signal.default_int_handler)
halving.steps_above = lambda *_: [Step(Contrastive(steps=20_000))]
forecast = ladder.forecast

def forecast_aloud(*words, **more):
    print("the rung begins", file=sys.stderr, flush=True)
    return forecast(*words, **more)

ladder.forecast = forecast_aloud
sys.argv = ["headstart", *sys.argv[1:]]
main()
"""
STOPPING = "Stopping here; the best so far will be measured and saved. Press Ctrl-C again to stop at once."


def start(*words: object) -> "subprocess.Popen[str]":
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-c", SLOW, "fit", *map(str, words), "--backbone", "toy:text", "--offline"]
    return subprocess.Popen(command, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def read_until(process: "subprocess.Popen[str]", words: str) -> None:
    for line in process.stderr:
        if words in line:
            return
    raise AssertionError(f"never said: {words}")


def test_rungs_are_lines_on_standard_error_as_they_end_and_stand_in_the_report(run, texts_csv, tmp_path):
    status, out, err = run("fit", texts_csv, "-o", tmp_path / "m", "--backbone", "toy:text")
    assert status == 0
    live = [line for line in err.splitlines() if line.startswith(("rung ", "probe ", "contrastive() "))]
    assert [line.split()[0] for line in live] == ["rung", "probe", "contrastive()"]
    decisions = [re.search(r"(not )?accepted: ", line) for line in live[1:]]
    assert len({found.start() for found in decisions if found}) == 1
    assert "MB" in live[2]
    shown = [line for line in out.splitlines() if "toy:text" in line and "accepted: " in line]
    assert len(shown) == 2
    assert any(line.startswith("Tried") for line in out.splitlines())


def test_json_stands_alone_on_standard_output_and_rungs_carry_what_was_expected(run, texts_csv, tmp_path):
    words = ("--backbone", "toy:text", "--json", "--strategy", "ladder", "--proof", "none")
    _, out, _ = run("fit", texts_csv, "-o", tmp_path / "m", *words)
    values = json.loads(out)
    assert set(values["rungs"][1]) >= {"predicted_seconds", "predicted_megabytes", "reason", "accepted"}
    assert values["baselines"] == {}


def test_continuing_shows_the_old_score_and_the_paired_difference(run, tmp_path):
    for name, n in (("old", 500), ("new", 600)):
        rows = zip(*make_texts(n), strict=True)
        (tmp_path / f"{name}.csv").write_text("text,label\n" + "".join(f"{t},{y}\n" for t, y in rows))
    words = ("--backbone", "toy:text", "--strategy", "probe", "--proof", "none")
    assert run("fit", tmp_path / "old.csv", "-o", tmp_path / "old", *words)[0] == 0
    status, out, err = run("fit", tmp_path / "new.csv", "-o", tmp_path / "new", "--continue-from", tmp_path / "old")
    assert status == 0, err
    (line,) = [line for line in out.splitlines() if line.startswith("Before")]
    assert "ours minus it" in line
    assert "on the same 100 test examples" in line
    texts = zip(*make_texts(90), strict=True)
    (tmp_path / "few.csv").write_text("text,label\n" + "".join(f"{t},{y}\n" for t, y in texts))
    assert run("fit", tmp_path / "few.csv", "-o", tmp_path / "cv", *words)[0] == 0
    _, out, _ = run("fit", tmp_path / "few.csv", "-o", tmp_path / "cv2", "--continue-from", tmp_path / "cv")
    assert "cross-validated on its own examples, so not paired" in out


@pytest.mark.slow
def test_ctrl_c_during_a_rung_saves_the_best_so_far(texts_csv, tmp_path):
    with start(texts_csv, "-o", tmp_path / "m", "--json") as process:
        read_until(process, "the rung begins")
        process.send_signal(signal.SIGINT)
        out, err = process.communicate()
    assert process.returncode == 0, err
    assert STOPPING in err
    values = json.loads(out)
    assert values["strategy"] == "probe()"
    assert values["rungs"][1]["reason"] == "interrupted"
    assert headstart.load(tmp_path / "m").model.strategy == "probe()"


@pytest.mark.slow
def test_a_second_ctrl_c_stops_at_once_and_the_same_command_goes_on(run, texts_csv, tmp_path):
    with start(texts_csv, "-o", tmp_path / "m") as process:
        read_until(process, "the rung begins")
        process.send_signal(signal.SIGINT)
        read_until(process, STOPPING)
        process.send_signal(signal.SIGINT)
        _, err = process.communicate()
    assert process.returncode == 130
    assert err.splitlines()[-1] == "Interrupted. A fit goes on from here with the same command."
    assert (tmp_path / "m.partial" / "decisions.json").is_file()
    assert run("fit", texts_csv, "-o", tmp_path / "m", "--backbone", "toy:text", "--offline")[0] == 0
