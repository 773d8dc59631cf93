"""Entities on the command line: the screens, the JSON and the tables."""

import csv
import json
import re

import pyarrow.parquet as pq
import pytest

from headstart.cli._entities import interval_over
from headstart.pipeline import EntityErrors
from tests.pipeline.test_entities import folder, with_slips
from tests.tagged import make_easy, write_conll


@pytest.fixture
def data(tmp_path):
    return folder(tmp_path / "data", make_easy(100), with_slips(*make_easy(30, seed=1)))


@pytest.fixture
def model(run, data, tmp_path):
    words = ("--backbone", "toy:text", "--strategy", "probe", "--offline", "--proof", "none")
    status, _, err = run("fit", data, "-o", tmp_path / "m", *words)
    assert status == 0, err
    return tmp_path / "m"


def test_the_screen_of_a_fit(run, data, tmp_path):
    status, out, err = run("fit", data, "-o", tmp_path / "m", "--backbone", "toy:text", "--strategy", "probe")
    assert status == 0, err
    lines = out.splitlines()
    score = next(line for line in lines if line.startswith("Entity F1     "))
    assert re.search(
        r"on 34 examples of the test part, scored once; interval over 34 sentences or texts, since no", score
    )
    assert "partial F1" in out
    assert "gazetteer" in out
    assert "surface features" in out
    (heading,) = (number for number, line in enumerate(lines) if line.startswith("type "))
    assert [line.split()[0] for line in lines[heading + 1 : heading + 3]] == ["LOC", "PER"]
    assert any(re.fullmatch(r"missed +1", line) for line in lines)
    assert any(re.fullmatch(r"  test\.conll:\d+: the \[Oslo\]\(PER, predicted LOC\) \.", line) for line in lines)
    assert f"{tmp_path / 'm' / 'entities.html'}: scored texts with their entities" in out


def test_fit_and_evaluate_print_one_json_document(run, data, model, tmp_path):
    words = ("--backbone", "toy:text", "--strategy", "probe", "--proof", "none", "--json")
    fitted = json.loads(run("fit", data, "-o", tmp_path / "n", *words)[1])
    assert (fitted["task"], fitted["test"]["metric"]) == ("text-tagging", "entity_f1")
    scored = json.loads(run("evaluate", model, data, "--json")[1])
    for found in (fitted, scored):
        assert found["entities"]["matches"]["wrong border"] == 1
        assert found["entities"]["interval_over"] == "items"
        assert set(found["entities"]["examples"][0]) == {"place", "match", "marked", "predicted", "context"}
        assert set(found["classes"]) == {"LOC", "PER"}


def test_the_screen_of_an_evaluation_names_types_never_seen(run, model, tmp_path):
    path = write_conll(tmp_path / "new.conll", [["the", "Acme", "."]], [["O", "B-ACME", "O"]])
    status, out, _ = run("evaluate", model, path)
    assert status == 0
    assert "Never seen in training, so every entity of it is missed: 'ACME'." in out
    assert "the [Acme](ACME, missed) ." in out
    assert re.search(r"ACME +1 +- +0\.000", out)


def test_predictions_on_the_screen_and_as_json(run, model, tmp_path):
    text = "the dog went .\nsaid Anna  Berg saw Paris\n"
    _, out, _ = run("predict", model, "-", "--json", stdin=text)
    rows = [json.loads(line) for line in out.splitlines()]
    assert rows[0] == {"input": "-:1", "spans": [], "texts": []}
    assert [(start, end, name) for start, end, name, _ in rows[1]["spans"]] == [(5, 15, "PER"), (20, 25, "LOC")]
    assert rows[1]["texts"] == ["Anna  Berg", "Paris"]
    _, out, _ = run("predict", model, "-", stdin=text)
    sure = [f"{span[3]:.3f}" for span in rows[1]["spans"]]
    assert out.splitlines() == [
        "-:1\t0 entities",
        "-:2\t2 entities",
        f'  5-15\tPER\t{sure[0]}\t"Anna Berg"',
        f'  20-25\tLOC\t{sure[1]}\t"Paris"',
    ]
    (tmp_path / "doc.txt").write_text("the dog\n\nsaw Oslo\n")
    assert run("predict", model, tmp_path / "doc.txt")[1].splitlines()[0] == f"{tmp_path / 'doc.txt'}\t1 entity"


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_a_table_has_a_row_per_entity_and_loses_no_input(run, model, tmp_path, suffix):
    (tmp_path / "none.txt").write_text("the dog went")
    (tmp_path / "two.txt").write_text('said "Anna Berg", saw Paris')
    table = tmp_path / f"out.{suffix}"
    inputs = [tmp_path / name for name in ("none.txt", "two.txt", "gone.txt")]
    status, out, _ = run("predict", model, *inputs, "-o", table)
    assert (status, out) == (1, f"{table}: 4 rows, 1 of them errors.\n")
    rows = list(csv.DictReader(table.read_text().splitlines())) if suffix == "csv" else pq.read_table(table).to_pylist()
    assert list(rows[0]) == ["input", "start", "end", "type", "text", "probability", "error"]
    assert [row["input"] for row in rows] == [str(inputs[i]) for i in (0, 1, 1, 2)]
    assert [row["text"] or None for row in rows] == [None, "Anna Berg", "Paris", None]
    assert [str(row["start"] or "") for row in rows] == ["", "6", "22", ""]
    assert 0 < float(rows[1]["probability"]) <= 1
    assert "no such file" in rows[3]["error"]


def test_what_the_interval_draws():
    errors = EntityErrors({}, (), "groups", 1200)
    assert interval_over(errors, "test") == "interval over 1,200 documents (groups)"
    assert interval_over(errors, "cv") == "interval over folds of 1,200 documents (groups)"
    items = EntityErrors({}, (), "items", 7)
    assert interval_over(items, "holdout") == "interval over 7 sentences or texts, since no documents are marked"
