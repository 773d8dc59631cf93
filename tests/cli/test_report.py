"""The command that writes a report again."""

import json

import pytest

from tests.report.model.pages import check


@pytest.fixture
def model(run, texts_csv, tmp_path):
    words = ("--backbone", "toy:text", "--strategy", "probe", "--proof", "none", "--offline")
    status, out, _ = run("fit", texts_csv, "-o", tmp_path / "m", *words)
    assert status == 0
    assert f"{tmp_path / 'm' / 'report.html'}: all of this and more on one page" in out
    assert "--no-examples takes them out" in out
    return tmp_path / "m"


def test_it_says_where_the_report_is_and_what_it_shows(run, model, tmp_path):
    status, out, _ = run("report", model, "-o", tmp_path / "page.html")
    assert status == 0
    assert out.startswith(f"{tmp_path / 'page.html'}: 0.0")
    assert "The model folder names examples; --no-examples" in out
    check((tmp_path / "page.html").read_text(encoding="utf-8"))


def test_without_examples_it_says_what_was_removed(run, model):
    status, out, _ = run("report", model, "--no-examples")
    assert status == 0
    assert "0 examples shown" in out
    assert "The model folder shows, quotes and names no example." in out
    assert "Removed: examples.json." in out


def test_it_prints_one_json_document(run, model):
    found = json.loads(run("report", model, "--json")[1])
    assert found["report"] == str(model / "report.html")
    assert found["bytes"] == (model / "report.html").stat().st_size
    assert found["named"] is True
    assert found["removed"] == []


def test_what_is_no_model_is_one_line(run, tmp_path):
    status, _, err = run("report", tmp_path)
    assert status == 1
    assert "expected a model folder with manifest.json" in err
