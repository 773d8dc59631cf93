"""Several labels and values on the command line."""

import csv
import json
import re

import pyarrow.parquet as pq
import pytest


@pytest.fixture
def labels_model(run, label_sets_csv, tmp_path):
    status, out, err = run("fit", label_sets_csv, "-o", tmp_path / "m", "--backbone", "toy:text", "--offline")
    assert status == 0, err
    return tmp_path / "m", out


@pytest.fixture
def values_model(run, values_csv, tmp_path):
    words = ("fit", values_csv, "-o", tmp_path / "m", "--backbone", "toy:text", "--task", "regression")
    status, out, err = run(*words)
    assert status == 0, err
    return tmp_path / "m", out


def test_check_counts_labels_and_shows_the_range_of_values(run, label_sets_csv, values_csv):
    assert "text-multilabel, 90 items, 3 labels" in run("check", label_sets_csv)[1]
    _, out, _ = run("check", values_csv, "--task", "regression")
    assert "text-regression, 90 items\n" in out
    assert any(line.startswith("Values") for line in out.splitlines())


def test_the_screen_of_several_labels(run, labels_model, label_sets_csv):
    model, out = labels_model
    lines = out.strip().splitlines()
    assert any(line.startswith("Micro F1      ") for line in lines)
    assert "mean average precision" in out
    assert "label frequencies" in out
    _, out, _ = run("evaluate", model, label_sets_csv, "--metric", "mean_average_precision")
    assert "Mean average precision " in out
    assert "animals" in out
    assert "precision  recall" in out


def test_the_screen_of_values_shows_the_best_baseline_first_and_no_classes(run, values_model, values_csv):
    model, out = values_model
    lines = out.strip().splitlines()
    score = next(line for line in lines if line.startswith("RMSE "))
    assert "(lower is better)" in score
    assert "R² " in out
    shown = [line[14:] for line in lines if "ours minus it" in line]
    values = [float(re.search(r"  (\d+\.\d+) \[", line)[1]) for line in shown]
    assert values == sorted(values)
    assert shown[-1].startswith("mean value")
    _, out, _ = run("evaluate", model, values_csv)
    assert "precision" not in out
    assert "RMSE" in out


def test_fit_and_evaluate_print_one_json_document(run, values_model, values_csv, tmp_path):
    model, _ = values_model
    words = ("--backbone", "toy:text", "--task", "text-regression", "--json")
    status, out, _ = run("fit", values_csv, "-o", tmp_path / "n", *words)
    assert (status, json.loads(out)["task"]) == (0, "text-regression")
    found = json.loads(run("evaluate", model, values_csv, "--json")[1])
    assert (found["test"]["metric"], found["classes"]) == ("rmse", {})


def test_predictions_of_several_labels(run, labels_model, tmp_path):
    model, _ = labels_model
    texts = "cat dog horse bread cheese soup\nrain snow wind\n"
    _, out, _ = run("predict", model, "-", "--json", stdin=texts)
    rows = [json.loads(line) for line in out.splitlines()]
    assert [set(row) for row in rows] == [{"input", "labels", "novelty", "probabilities"}] * 2
    assert "weather" in rows[1]["labels"]
    _, out, _ = run("predict", model, "-", stdin=texts)
    for line, row in zip(out.splitlines(), rows, strict=True):
        probabilities, labels, name = line.split("\t")
        assert labels == ("|".join(row["labels"]) or "-")
        assert probabilities.split("|") == [f"{row['probabilities'][label]:.3f}" for label in row["labels"]] or ["-"]
        assert name == row["input"]


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_a_table_has_labels_joined_as_data_writes_them(run, labels_model, label_sets_csv, tmp_path, suffix):
    model, _ = labels_model
    table = tmp_path / f"out.{suffix}"
    assert run("predict", model, label_sets_csv, "-o", table)[0] == 0
    rows = list(csv.DictReader(table.read_text().splitlines())) if suffix == "csv" else pq.read_table(table).to_pylist()
    rows_json = [json.loads(line) for line in run("predict", model, label_sets_csv, "--json")[1].splitlines()]
    assert [row["labels"] for row in rows] == ["|".join(row["labels"]) for row in rows_json]
    assert {"input", "labels", "error", "probability:food"} <= set(rows[0])


def test_predictions_of_values(run, values_model, tmp_path):
    model, _ = values_model
    _, out, _ = run("predict", model, "-", "--json", stdin="good fine great\n")
    row = json.loads(out)
    assert set(row) == {"input", "novelty", "value"}
    _, line, _ = run("predict", model, "-", stdin="good fine great\n")
    assert line == f"{row['value']:.6g}\t-:1\n"
    table = tmp_path / "out.csv"
    (tmp_path / "new.txt").write_text("good fine great\n")
    run("predict", model, tmp_path / "new.txt", tmp_path / "missing.txt", "-o", table)
    rows = list(csv.DictReader(table.read_text().splitlines()))
    assert [float(rows[0]["value"]), rows[1]["value"]] == [row["value"], ""]
    assert "no such file" in rows[1]["error"]
