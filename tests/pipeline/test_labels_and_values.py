"""Several labels and values, end to end: fit, evaluate, predict, and what is said and written on the way."""

import json
import math
import shutil
from pathlib import Path

import numpy as np
import pytest

import headstart
from headstart import FitOptions, Reading
from headstart.errors import OptionError
from headstart.evaluation import Interval, Score
from headstart.pipeline import score_to_dict
from tests.conftest import make_label_sets, make_texts, make_values

TEXT = FitOptions(backbones=("toy:text",), offline=True, strategy="probe")
IMAGE = FitOptions(backbones=("toy:image",), offline=True, strategy="probe")
NUMBERS = Reading(task="regression")


def write(path: Path, texts: list[str], labels: list[object]) -> Path:
    path.write_text("text,label\n" + "".join(f"{t},{y}\n" for t, y in zip(texts, labels, strict=True)))
    return path


def strict_json(values: object) -> dict:
    """What a program reads that knows no NaN and no Infinity."""
    return json.loads(json.dumps(values, allow_nan=False))


def test_several_labels_are_told_from_the_data_fitted_and_measured(label_sets_csv, tmp_path):
    result = headstart.fit(label_sets_csv, tmp_path / "m", options=TEXT)
    values = strict_json(result.to_dict())
    assert values["task"] == "text-multilabel"
    assert (values["test"]["metric"], values["test"]["how"]) == ("micro_f1", "cv")
    assert set(values["baselines"]) >= {"label frequencies", "TF-IDF + logistic regression"}
    assert set(values["classes"]) == {"animals", "food", "weather"}
    assert values["test"]["value"] > 0.6
    assert values == strict_json(headstart.load(tmp_path / "m").evaluation) | {
        "model": values["model"],
        "seconds": values["seconds"],
    }


def test_values_are_predicted_on_request_and_the_mean_is_beaten(values_csv, tmp_path):
    result = headstart.fit(values_csv, tmp_path / "m", reading=NUMBERS, options=TEXT)
    values = strict_json(result.to_dict())
    assert (values["task"], values["test"]["metric"]) == ("text-regression", "rmse")
    assert set(values["baselines"]) >= {"mean value", "TF-IDF + ridge regression"}
    assert values["classes"] == {}
    assert values["test"]["value"] < values["baselines"]["mean value"]["value"]
    assert values["baselines"]["mean value"]["difference"] < 0


def test_values_of_images(shades, tmp_path):
    result = headstart.fit(shades, tmp_path / "m", reading=NUMBERS, options=IMAGE)
    assert result.task == "image-regression"
    assert result.outcome.score.metrics["r2"] > 0.8
    rows = list(headstart.predict(tmp_path / "m", [shades]))
    assert [set(row) for row in rows] == [{"input", "novelty", "value"}] * 60
    assert [row["input"] for row in rows] == [str(shades / f"{i:02d}.png") for i in range(60)]
    assert np.corrcoef([row["value"] for row in rows], range(60))[0, 1] > 0.9


@pytest.mark.parametrize("kind", ["multilabel", "regression"])
def test_a_model_that_was_moved_predicts_the_same(kind, tmp_path):
    make = {"multilabel": make_label_sets, "regression": make_values}[kind]
    data, texts = write(tmp_path / "d.csv", *make(60)), make(20, seed=1)[0]
    headstart.fit(data, tmp_path / "m", reading=Reading(task=f"text-{kind}"), options=TEXT)
    new = tmp_path / "new.txt"
    new.write_text("\n".join(texts) + "\n")
    before = list(headstart.predict(tmp_path / "m", [new]))
    shutil.move(tmp_path / "m", tmp_path / "far away")
    shutil.rmtree(tmp_path / "headstart-cache")
    assert list(headstart.predict(tmp_path / "far away", [new])) == before
    model = headstart.load(tmp_path / "far away").model
    if kind == "regression":
        assert [row["value"] for row in before] == model.predict(texts)
    else:
        assert [tuple(row["labels"]) for row in before] == model.predict(texts)
        assert [list(row["probabilities"].values()) for row in before] == model.predict_proba(texts).tolist()
        for row in before:
            assert row["labels"] == [name for name, p in row["probabilities"].items() if p > 0.5]


@pytest.mark.parametrize("kind", ["multilabel", "regression"])
def test_evaluate_reads_new_data_as_the_model_was_fitted(kind, tmp_path):
    make = {"multilabel": make_label_sets, "regression": make_values}[kind]
    headstart.fit(write(tmp_path / "d.csv", *make(60)), tmp_path / "m", reading=Reading(task=kind), options=TEXT)
    texts, labels = make(30, seed=4)
    # Nothing in single labels and whole numbers shows what they are; the model knows.
    labels = [str(label).split("|")[0] or "food" if kind == "multilabel" else round(label) for label in labels]
    found = headstart.evaluate(tmp_path / "m", write(tmp_path / "new.csv", texts, labels))
    assert found.score.metric == {"multilabel": "micro_f1", "regression": "rmse"}[kind]
    assert len(found.classes) == {"multilabel": 3, "regression": 0}[kind]
    strict_json(found.to_dict())
    other = {"multilabel": "spearman", "regression": "accuracy"}[kind]
    with pytest.raises(OptionError, match=f"--metric: expected a metric, found '{other}', which is one of "):
        headstart.evaluate(tmp_path / "m", tmp_path / "new.csv", metric=other)
    with pytest.raises(OptionError, match=f"--task: the model does {kind} and classification is asked for"):
        headstart.evaluate(tmp_path / "m", tmp_path / "new.csv", reading=Reading(task="classification"))


def test_a_metric_of_another_task_is_refused_before_compute(values_csv, tmp_path):
    options = FitOptions(backbones=("toy:text",), metric="accuracy")
    with pytest.raises(OptionError, match="--metric: .*'accuracy', which is one of classification. Use one of rmse"):
        headstart.fit(values_csv, tmp_path / "m", reading=NUMBERS, options=options)
    assert not list(tmp_path.glob("m*"))


def test_what_is_not_finite_is_null_in_json():
    found = Score("r2", 0.5, Interval(-math.inf, 1.0, "the whole range", 0), 4, "test", {"rmse": 2.0, "r2": math.nan})
    values = score_to_dict(found)
    assert values["interval"] == [None, 1.0]
    assert values["metrics"] == {"rmse": 2.0, "r2": None}
    strict_json(values)


def test_a_model_of_values_has_no_probabilities(values_csv, tmp_path):
    headstart.fit(values_csv, tmp_path / "m", reading=NUMBERS, options=TEXT)
    model = headstart.load(tmp_path / "m").model
    with pytest.raises(OptionError, match="a model of values has no probabilities. Use predict"):
        model.predict_proba(["good"])
    assert repr(model) == "AdaptedModel('toy:text', probe(), 1 value)"


def test_fit_says_what_check_warns_of_before_it_computes(tmp_path):
    texts, labels = make_texts(60)
    labels[:5] = ["Food"] * 5
    labels[5:8] = ["rare"] * 3
    texts[10:12] = ["the same text"] * 2
    said = []
    options = FitOptions(backbones=("toy:nonsense",))
    with pytest.raises(headstart.HeadstartError, match="toy:nonsense"):
        headstart.fit(write(tmp_path / "d.csv", texts, labels), tmp_path / "m", options=options, say=said.append)
    warned = [line for line in said if line.startswith("Warning: ")]
    assert any("class 'rare' has 3 training examples" in line for line in warned)
    assert any("labels that differ only in case" in line and "'Food', 'food'" in line for line in warned)
    assert any("the same item with different labels" in line and "d.csv:12" in line for line in warned)


def test_many_warnings_are_cut_and_counted(tmp_path):
    texts, _ = make_texts(60)
    labels = [f"class {i % 15}" for i in range(60)]
    said = []
    headstart.fit(write(tmp_path / "d.csv", texts, labels), tmp_path / "m", options=TEXT, say=said.append)
    warned = [line for line in said if line.startswith("Warning: ")]
    assert len(warned) == 9
    assert warned[-1] == "Warning: 7 more like these; headstart check lists them all."


def test_rows_of_a_table_are_named_by_the_path_that_was_given(texts_csv, tmp_path):
    headstart.fit(texts_csv, tmp_path / "m", options=TEXT)
    (tmp_path / "one").mkdir()
    (tmp_path / "two").mkdir()
    for name in ("one", "two"):
        (tmp_path / name / "new.csv").write_text('text\ncat\n""\n')
    rows = list(headstart.predict(tmp_path / "m", [tmp_path / "one" / "new.csv", tmp_path / "two"]))
    names = [f"{tmp_path / name / 'new.csv'}:{line}" for name in ("one", "two") for line in (2, 3)]
    assert [row["input"] for row in rows] == names
    assert rows[1]["error"].startswith(f"{names[1]}: expected a text")
