"""The budget: what would not leave time for what is owed is left out, and that is said."""

import time
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

import headstart
from headstart.search._owed import Owed
from headstart.search._proof import _too_long
from headstart.strategies import TuningForecast
from tests.conftest import make_texts
from tests.pipeline.test_fit import TEXT, write
from tests.pipeline.test_ladder import LADDER


def test_rungs_baselines_and_proof_that_do_not_fit_are_left_out_and_said(tmp_path, monkeypatch):
    monkeypatch.setattr(Owed, "random", property(lambda self: 1e6))
    data, said = write(tmp_path / "d.csv", *make_texts(600)), []
    result = headstart.fit(data, tmp_path / "m", options=replace(LADDER, budget=600.0), say=said.append)
    assert result.outcome.baselines == {}
    assert result.outcome.rungs[1].reason == "not tried: no time is left"
    left_out = {
        "The baselines were left out for lack of time.",
        "The comparison with random weights was left out for lack of time.",
    }
    assert left_out <= set(said)
    assert left_out <= set(result.to_dict()["notes"])


def test_a_baseline_is_predicted_from_a_fit_on_a_few_examples():
    slow = SimpleNamespace(name="slow", predict=lambda *_: time.sleep(0.2))
    run = SimpleNamespace(deadline=time.monotonic() + 1000, decide=lambda _name, choose: choose())
    task = SimpleNamespace(kind="classification")
    problem = SimpleNamespace(run=run, task=task, splits=[(np.arange(50_000), np.arange(10))])
    assert _too_long(problem, slow, 1, 990.0)
    assert not _too_long(problem, slow, 1, 0.0)


def test_training_from_scratch_is_given_up_where_time_holds_too_few_steps(texts_csv, tmp_path, monkeypatch):
    said = []
    monkeypatch.setattr("headstart.search._proof.forecast", lambda *_, **__: TuningForecast(0.0, 1e7, 1.0))
    result = headstart.fit(texts_csv, tmp_path / "m", options=replace(TEXT, proof="full"), say=said.append)
    assert not any(name.startswith("from scratch") for name in result.outcome.baselines)
    assert any(line.startswith("Training from scratch was given up: 60 steps need") for line in said)


def test_a_run_resumed_without_its_budget_tries_what_it_would_have_tried(texts_csv, tmp_path, monkeypatch):
    asked = []
    monkeypatch.setattr(
        "headstart.search._halving.steps_above", lambda problem, _backbone: asked.append(problem.effort) or []
    )
    with monkeypatch.context() as patch:
        patch.setattr("headstart.search.compare_all", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            headstart.fit(texts_csv, tmp_path / "m", options=replace(LADDER, budget=600.0))
    headstart.fit(texts_csv, tmp_path / "m", options=LADDER)
    assert asked == ["usual", "usual", "more"] * 2


def test_a_view_more_of_every_image_is_predicted_before_it_is_computed(photos, tmp_path):
    options = replace(LADDER, backbones=("toy:image",), proof="none")
    rungs = headstart.fit(photos, tmp_path / "m", options=options).outcome.rungs
    assert rungs[1].name == "probe(views=2) toy:image"
    assert rungs[1].predicted_seconds > 0
