"""What may be asked of a classifier's answers, on the command line."""

import json

import pytest

from tests.conftest import make_texts


@pytest.fixture
def model(run, tmp_path):
    texts, labels = make_texts(400, classes=2)
    data = tmp_path / "data.csv"
    parts = ["train"] * 250 + ["test"] * 150
    rows = "".join(f"{t},{c},{p}\n" for t, c, p in zip(texts, labels, parts, strict=True))
    data.write_text("text,label,split\n" + rows)
    words = ("--backbone", "toy:text", "--strategy", "probe", "--proof", "none", "--offline")
    status, out, _ = run("fit", data, "-o", tmp_path / "m", *words)
    assert status == 0
    return tmp_path / "m", data, out


def test_fit_shows_what_answers_are_worth(model):
    _, _, out = model
    for words in ("Calibration   confidence is off by", "hold the right class", "Abstaining", "said from", "Unusual"):
        assert words in out
    assert "report.html: all of this and more on one page" in out


def test_evaluate_takes_what_is_wanted_and_prints_it_as_json(run, model):
    folder, data, _ = model
    wanted = ("--coverage", "95%", "--max-error", "0.2", "--specificity", "80%", "--positive", "animals")
    status, out, _ = run("evaluate", folder, data, "--json", "--offline", *wanted)
    assert status == 0
    found = json.loads(out)["trust"]
    assert found["sets"]["wanted"] == 0.95
    assert found["abstaining"]["wanted"] == 0.2
    assert found["positive"] == "animals"
    assert {"calibration", "curve", "novel", "operating", "temperature", "broken"} <= set(found)


def test_predict_says_what_else_it_may_be_and_where_it_abstains(run, model, tmp_path):
    folder, data, _ = model
    status, out, err = run("predict", folder, data, "--coverage", "0.99", "--max-error", "20%", "--offline")
    assert status == 0
    assert "Answers are given from a confidence of" in err
    assert "\tmay be " in out
    table = tmp_path / "rows.csv"
    run("predict", folder, data, "-o", table, "--max-error", "20%", "--offline")
    assert {"set", "abstain", "novelty"} <= set(table.read_text().splitlines()[0].split(","))


def test_what_is_no_share_is_wrong_usage(run, model):
    folder, data, _ = model
    status, _, err = run("predict", folder, data, "--max-error", "5")
    assert status == 2
    assert "expected a share such as 0.05 or 5%, found '5'" in err


def test_the_store_forgets_one_data_set(run, model):
    _, data, _ = model
    status, out, _ = run("cache", "clear", "--data", data)
    assert status == 0
    assert out.startswith("Removed 4")
    assert "rows of 400 items" in out


def test_no_examples_are_kept_on_request(run, model, tmp_path):
    _, data, _ = model
    words = ("--backbone", "toy:text", "--strategy", "probe", "--proof", "none", "--offline", "--no-examples")
    status, _, err = run("fit", data, "-o", tmp_path / "m2", *words)
    assert status == 0
    assert "No example is shown or named in the model folder" in err
    assert "data.csv" not in (tmp_path / "m2" / "data.json").read_text()
