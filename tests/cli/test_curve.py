"""The command `headstart curve`: a table, two sentences, a picture; one JSON document on standard output."""

import json
from dataclasses import replace

import pytest

from headstart.strategies import Tuning

QUICK = ("--backbone", "toy:text", "--seeds", 2, "--most", 12, "--offline")


@pytest.fixture(autouse=True)
def _few_steps(monkeypatch):
    tune = Tuning.tune
    monkeypatch.setattr(Tuning, "tune", lambda self, *a, **k: tune(replace(self, steps=3), *a, **k))


def test_curve_shows_a_table_and_two_sentences_and_draws_a_picture(run, texts_csv, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    status, out, err = run("curve", texts_csv, *QUICK)
    assert status == 0, err
    lines = out.strip().splitlines()
    assert lines[0].split() == ["labels", "probe", "finetuned", "scratch"]
    assert [line.split()[0] for line in lines[1:3]] == ["8", "12"]
    for start in ("Score", "Saving", "More labels", "Time", "Picture"):
        assert any(line.startswith(start) for line in lines), start
    assert (tmp_path / "curve.png").read_bytes().startswith(b"\x89PNG")
    assert "Fine-tuned means contrastive()" in err


def test_curve_json_is_one_document(run, texts_csv, tmp_path):
    status, out, _ = run("curve", texts_csv, *QUICK, "--json", "-o", tmp_path / "c.svg")
    values = json.loads(out)
    assert status == 0
    assert {point["arm"] for point in values["points"]} == {"probe", "finetuned", "scratch"}
    assert {"factor", "interval"} <= set(values["label_saving"])
    assert values["picture"] == str(tmp_path / "c.svg")


def test_an_existing_picture_is_replaced_only_on_request(run, texts_csv, tmp_path):
    (tmp_path / "c.png").write_bytes(b"mine")
    status, out, err = run("curve", texts_csv, *QUICK, "-o", tmp_path / "c.png")
    assert (status, out) == (1, "")
    assert "the file exists" in err
    assert run("curve", texts_csv, *QUICK, "-o", tmp_path / "c.png", "--overwrite")[0] == 0
    assert (tmp_path / "c.png").read_bytes() != b"mine"
