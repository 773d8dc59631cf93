"""What a classifier says of its own answers: kept by fit, held to the test part, told by predict."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import headstart
from headstart import FitOptions
from headstart.errors import OptionError
from headstart.pipeline import FitResult, Wanted, trust_lines
from tests.conftest import make_texts

TEXT = FitOptions(backbones=("toy:text",), offline=True, strategy="probe", proof="none")


def write(path: Path, texts: list[str], labels: list[str], **columns: list[str]) -> Path:
    rows = zip(texts, labels, *columns.values(), strict=True)
    path.write_text("\n".join([",".join(["text", "label", *columns]), *(",".join(row) for row in rows)]) + "\n")
    return path


@pytest.fixture(scope="module")
def fitted(tmp_path_factory) -> tuple[Path, FitResult, Path]:
    """A model of two classes with a test part that is like its training part."""
    folder = tmp_path_factory.mktemp("trust")
    texts, labels = make_texts(700, classes=2)
    parts = ["train"] * 400 + ["test"] * 300
    data = write(folder / "data.csv", texts, labels, split=parts)
    return folder / "m", headstart.fit(data, folder / "m", options=TEXT), data


def test_fit_says_whether_the_test_part_bears_out_what_is_promised(fitted):
    _, result, _ = fitted
    trust = result.trust
    assert trust is not None
    assert trust.calibration.n == 300
    assert trust.sets is not None
    low, high = trust.sets.band
    assert low <= trust.sets.coverage.value <= high
    assert trust.abstaining is not None
    assert trust.operating is not None
    assert trust.positive == "food"
    assert trust.novel is not None
    assert 0.01 < trust.novel < 0.12
    assert not trust.broken


def test_evaluate_finds_the_same_as_fit_and_other_promises_where_they_are_wanted(fitted):
    model, result, data = fitted
    found = headstart.evaluate(model, data)
    assert found.trust is not None
    assert found.trust.calibration.error == pytest.approx(result.trust.calibration.error, abs=1e-6)
    assert found.trust.sets.coverage.value == pytest.approx(result.trust.sets.coverage.value)
    assert found.trust.novel == pytest.approx(result.trust.novel, abs=0.01)
    other = headstart.evaluate(model, data, wanted=Wanted(coverage=0.99, specificity=0.8, positive="animals")).trust
    assert other.sets.size >= found.trust.sets.size
    assert other.positive == "animals"
    assert other.abstaining is None


def test_predict_tells_the_set_and_novelty_of_every_answer(fitted):
    model, _, data = fitted
    rows = list(headstart.predict(model, [str(data)], wanted=Wanted(coverage=0.99)))
    assert all(row["label"] == row["set"][0] for row in rows)
    assert {len(row["set"]) for row in rows} <= {1, 2}
    assert all(0 <= row["novelty"] <= 1 for row in rows)
    assert "abstain" not in rows[0]


def test_an_error_rate_makes_it_abstain_where_it_is_least_sure(fitted):
    model, _, data = fitted
    said: list[str] = []
    rows = list(headstart.predict(model, [str(data)], wanted=Wanted(max_error=0.1), say=said.append))
    sure = [max(row["probabilities"].values()) for row in rows]
    threshold = headstart.load(model).confidence.held_out.abstention(0.1).threshold
    assert [row["abstain"] for row in rows] == [value < threshold for value in sure]
    assert "at most 0.1 of them are wrong" in said[-1]


def test_a_specificity_moves_the_threshold_of_the_class_that_is_looked_for(fitted):
    model, _, data = fitted
    strict, lax = (
        [
            row["label"]
            for row in headstart.predict(model, [str(data)], wanted=Wanted(specificity=s, positive="animals"))
        ]
        for s in (0.99, 0.5)
    )
    assert strict.count("animals") < lax.count("animals")
    rows = list(headstart.predict(model, [str(data)], wanted=Wanted(specificity=0.99, positive="animals")))
    assert all(row["label"] in row["set"] for row in rows), "what is said is never outside its own set"


def test_what_cannot_be_promised_is_refused_with_the_reason(fitted, tmp_path):
    model, _, data = fitted
    with pytest.raises(OptionError, match=r"an error rate of 0.0001 cannot be promised: it takes 80000 labelled"):
        list(headstart.predict(model, [str(data)], wanted=Wanted(max_error=0.0001)))
    with pytest.raises(OptionError, match="expected one of the classes 'animals' and 'food', found 'sport'"):
        list(headstart.predict(model, [str(data)], wanted=Wanted(specificity=0.9, positive="sport")))
    with pytest.raises(OptionError, match="Ask for one of the two"):
        list(headstart.predict(model, [str(data)], wanted=Wanted(specificity=0.9, max_error=0.1)))
    with pytest.raises(OptionError, match="--positive goes with --specificity"):
        list(headstart.predict(model, [str(data)], wanted=Wanted(positive="food")))
    three = write(tmp_path / "three.csv", *make_texts(90))
    headstart.fit(three, tmp_path / "m3", options=TEXT)
    with pytest.raises(OptionError, match="--positive needs two classes, found 3"):
        list(headstart.predict(tmp_path / "m3", [str(three)], wanted=Wanted(specificity=0.9)))


def test_a_model_of_an_older_version_promises_nothing_and_says_so_where_asked():
    old = Path(__file__).parents[1] / "old_models"
    folder = next(path.parent for path in sorted(old.rglob("task.json")) if "classification" in path.read_text())
    saved = headstart.load(folder)
    assert saved.confidence.held_out is None
    with pytest.raises(OptionError, match="nothing can be promised: the model folder does not say how sure it may be"):
        list(headstart.predict(saved, [], wanted=Wanted(max_error=0.05)))


def test_values_have_no_sets_but_are_told_where_they_are_unusual(values_csv, tmp_path):
    options = replace(TEXT, metric=None)
    result = headstart.fit(values_csv, tmp_path / "m", reading=headstart.Reading(task="regression"), options=options)
    assert result.trust is None
    row = next(headstart.predict(tmp_path / "m", [str(values_csv)]))
    assert "set" not in row
    assert 0 <= row["novelty"] <= 1
    with pytest.raises(OptionError, match="go with classes, and the model does regression"):
        next(headstart.predict(tmp_path / "m", [str(values_csv)], wanted=Wanted(max_error=0.05)))


def test_without_a_part_kept_apart_nothing_is_held_to_the_promises(texts_csv, tmp_path):
    result = headstart.fit(texts_csv, tmp_path / "m", options=TEXT)
    assert result.trust is not None
    assert (result.trust.sets, result.trust.abstaining, result.trust.operating) == (None, None, None)
    assert [name for name, _ in trust_lines(result.trust)] == ["Calibration"]
    assert headstart.load(tmp_path / "m").confidence.held_out is not None


def test_a_shifted_test_part_breaks_the_promise_and_that_is_said(tmp_path):
    texts, labels = make_texts(500, classes=2)
    turned = ["food" if label == "animals" else "animals" for label in labels[300:400]] + labels[400:]
    parts = ["train"] * 300 + ["test"] * 200
    data = write(tmp_path / "data.csv", texts, labels[:300] + turned, split=parts)
    result = headstart.fit(data, tmp_path / "m", options=TEXT)
    assert result.trust is not None
    assert result.trust.broken
    assert any("fewer are right than was promised" in text for _, text in trust_lines(result.trust))


def test_a_fine_tuned_model_is_held_to_its_own_held_out_answers(tmp_path):
    texts, labels = make_texts(300)
    data = write(tmp_path / "data.csv", texts, labels, split=["train"] * 200 + ["test"] * 100)
    options = replace(TEXT, strategy="finetune(last=1, steps=30)")
    result = headstart.fit(data, tmp_path / "m", options=options)
    held = headstart.load(tmp_path / "m").confidence.held_out
    assert len(held) == 200
    assert result.trust.temperature == result.outcome.chosen["temperature"] != 1.0
    assert result.trust.uncalibrated is not None
    assert result.trust.sets is not None


def test_the_numbers_are_in_the_files_of_the_model_and_a_page_shows_them(fitted):
    model, result, _ = fitted
    stored = json.loads((model / "evaluation.json").read_text())["trust"]
    assert stored["calibration"]["error"] == pytest.approx(result.trust.calibration.error)
    assert stored["sets"]["wanted"] == 0.9
    assert not stored["broken"]
    page = (model / "report.html").read_text()
    assert "hold the right class" in page


def test_strongly_unequal_classes_are_judged_alike(tmp_path):
    texts, labels = make_texts(400, classes=2)
    rare = [i for i, label in enumerate(labels) if label == "food"][:15]
    kept = sorted([i for i, label in enumerate(labels) if label == "animals"] + rare)
    data = write(tmp_path / "data.csv", [texts[i] for i in kept], [labels[i] for i in kept])
    said: list[str] = []
    result = headstart.fit(data, tmp_path / "m", options=TEXT, say=said.append)
    assert result.outcome.score.metric == "balanced_accuracy"
    assert any("balanced accuracy is reported first" in note for note in said)
    assert headstart.evaluate(tmp_path / "m", data).score.metric == "balanced_accuracy"
    asked = headstart.fit(data, tmp_path / "m2", options=replace(TEXT, metric="accuracy"))
    assert asked.outcome.score.metric == "accuracy"
    assert np.isfinite(asked.outcome.score.value)
