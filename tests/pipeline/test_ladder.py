"""The ladder as `fit` runs it: what is tried by default, watched, interrupted, killed and resumed."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

import headstart
from headstart import FitOptions
from headstart.errors import OptionError
from tests.conftest import make_texts
from tests.pipeline.test_fit import write

LADDER = FitOptions(backbones=("toy:text",), offline=True)


def test_the_default_climbs_and_every_rung_is_watched_as_it_ends(texts_csv, tmp_path):
    watched = []
    result = headstart.fit(texts_csv, tmp_path / "m", options=LADDER, watch=watched.append)
    assert [rung.name for rung in watched] == ["probe toy:text", "contrastive() toy:text"]
    assert result.outcome.rungs == tuple(watched)
    tuned = result.to_dict()["rungs"][1]
    assert tuned["predicted_seconds"] > 0
    assert tuned["predicted_megabytes"] > 0
    assert tuned["reason"]


def test_with_a_budget_the_ladder_goes_on_above_what_usually_pays(texts_csv, tmp_path, monkeypatch):
    asked = []
    monkeypatch.setattr(
        "headstart.search._halving.steps_above", lambda problem, _backbone: asked.append(problem.effort) or []
    )
    headstart.fit(texts_csv, tmp_path / "a", options=replace(LADDER, budget=600.0))
    headstart.fit(texts_csv, tmp_path / "b", options=LADDER)
    assert asked == ["usual", "usual", "more", "usual"]


def test_without_proof_nothing_is_compared_and_a_call_string_fixes_one_strategy(texts_csv, tmp_path):
    options = replace(LADDER, strategy="probe(head='knn')", proof="none")
    result = headstart.fit(texts_csv, tmp_path / "m", options=options)
    assert result.outcome.baselines == {}
    assert result.outcome.transfer_helped is None
    assert result.outcome.model.strategy == "probe(head='knn')"
    with pytest.raises(OptionError, match="unknown strategy 'stairs'"):
        headstart.fit(texts_csv, tmp_path / "n", options=replace(LADDER, strategy="stairs"))


def test_an_interrupted_rung_leaves_the_best_so_far_measured_and_saved(texts_csv, tmp_path, monkeypatch):
    def stop(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    said = []
    monkeypatch.setattr("headstart.strategies._tuning.train", stop)
    result = headstart.fit(texts_csv, tmp_path / "m", options=LADDER, say=said.append)
    assert result.outcome.model.strategy == "probe()"
    assert result.outcome.rungs[-1].reason == "interrupted"
    assert "Stopping here; the best so far will be measured and saved. Press Ctrl-C again to stop at once." in said
    assert any("Interrupted at contrastive()" in note for note in result.notes)
    assert headstart.load(tmp_path / "m").model.strategy == "probe()"


COMMAND = """
import sys
import headstart

steps, data, output = sys.argv[1:]
options = headstart.FitOptions(
    backbones=("toy:text",), offline=True, strategy=f"finetune(last=1, steps={steps})", proof="none",
    checkpoint_seconds=0.1,
)
headstart.fit(data, output, options=options)
"""


def start(steps: int, data: Path, output: Path, cache: Path) -> "subprocess.Popen[bytes]":
    environment = {**os.environ, "HEADSTART_CACHE": str(cache), "OMP_NUM_THREADS": "1"}
    return subprocess.Popen([sys.executable, "-c", COMMAND, str(steps), str(data), str(output)], env=environment)


@pytest.mark.slow
def test_killed_at_any_moment_the_same_command_ends_in_the_same_weights(tmp_path):
    data = write(tmp_path / "d.csv", *make_texts(60), split=["train"] * 40 + ["test"] * 20)
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    assert start(400, data, whole, tmp_path / "cache a").wait() == 0
    rng, killed = random.Random(0), 0
    for _ in range(3):
        process = start(400, data, broken, tmp_path / "cache b")
        checkpoints = tmp_path / "broken.partial" / "training"
        before = {path.name for path in checkpoints.rglob("state-*")}
        while process.poll() is None and {path.name for path in checkpoints.rglob("state-*")} <= before:
            time.sleep(0.01)
        time.sleep(rng.uniform(0, 0.5))
        process.send_signal(signal.SIGKILL)
        killed += process.wait() == -signal.SIGKILL
    assert killed > 0
    if not broken.exists():
        assert any(checkpoints.rglob("checkpoint.json"))
        assert start(400, data, broken, tmp_path / "cache b").wait() == 0
    weights = [(folder / "weights.safetensors").read_bytes() for folder in (whole, broken)]
    assert weights[0] == weights[1]
    assert not (tmp_path / "broken.partial").exists()


def test_an_interrupted_training_leaves_its_checkpoint_and_another_run_is_refused(tmp_path, monkeypatch):
    data = write(tmp_path / "d.csv", *make_texts(60), split=["train"] * 40 + ["test"] * 20)
    options = replace(LADDER, strategy="finetune(last=1, steps=30)", proof="none", checkpoint_seconds=0.0)

    def fail(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("headstart.training._loop._Run._finish", fail)
        with pytest.raises(KeyboardInterrupt):
            headstart.fit(data, tmp_path / "m", options=options)
    assert any((tmp_path / "m.partial" / "training").rglob("checkpoint.json"))
    with pytest.raises(OptionError, match="an unfinished run is there and differs: seed was 0 and is 1"):
        headstart.fit(data, tmp_path / "m", options=replace(options, seed=1))
    headstart.fit(data, tmp_path / "m", options=options)
    facts = json.loads((tmp_path / "m" / "manifest.json").read_text())["files"]
    assert not any("training" in name for name in facts)
