"""The main jobs end to end on toy backbones: what is measured, on what, and what is recorded."""

import json
import shutil
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from safetensors import SafetensorError

import headstart
from headstart import FitOptions, Reading, backbones
from headstart.errors import ArtifactError, BudgetError, DataError, OptionError
from headstart.features import FeatureSource
from tests.conftest import make_texts
from tests.data.sounds import write_classes

TEXT = FitOptions(backbones=("toy:text",), offline=True, strategy="probe")
IMAGE = FitOptions(backbones=("toy:image",), offline=True, strategy="probe")


def write(path: Path, texts: list[str], labels: list[str], **columns: list[str]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    names = ["text", "label", *columns]
    rows = zip(texts, labels, *columns.values(), strict=True)
    path.write_text("\n".join([",".join(names), *(",".join(row) for row in rows)]) + "\n")
    return path


def test_a_small_set_is_scored_by_repeating_the_choice_on_outer_folds(texts_csv, tmp_path):
    result = headstart.fit(texts_csv, tmp_path / "m", options=TEXT)
    score = result.outcome.score
    assert (score.how, score.n, score.metric) == ("cv", 90, "accuracy")
    assert score.interval.low < score.value < score.interval.high
    assert {"majority class", "TF-IDF + logistic regression"} <= set(result.outcome.baselines)
    assert result.outcome.rungs[0].accepted


def test_from_500_examples_a_fifth_is_held_out_once(tmp_path):
    data = write(tmp_path / "big.csv", *make_texts(510))
    result = headstart.fit(data, tmp_path / "m", options=TEXT)
    assert (result.outcome.score.how, result.outcome.score.n) == ("holdout", 102)
    parts = headstart.load(tmp_path / "m").data["parts"]
    assert (parts.count("train"), parts.count("test")) == (408, 102)


def test_a_given_test_part_is_scored_once_and_never_fitted(tmp_path, monkeypatch):
    texts, labels = make_texts(120)
    write(tmp_path / "d" / "train.csv", texts[:80], labels[:80])
    write(tmp_path / "d" / "test.csv", texts[80:], labels[80:])
    asked = []
    features = FeatureSource.features
    pretrained = backbones.load("toy:text").weights_hash

    def spy(self, backbone, dataset, *, view="last"):
        if backbone.weights_hash == pretrained:
            asked.append(frozenset(dataset.items))
        return features(self, backbone, dataset, view=view)

    monkeypatch.setattr(FeatureSource, "features", spy)
    result = headstart.fit(tmp_path / "d", tmp_path / "m", options=TEXT)
    assert (result.outcome.score.how, result.outcome.score.n) == ("test", 40)
    assert asked.count(frozenset(texts[80:])) <= 2  # for the score, and beside the same network with random weights
    train, test = frozenset(texts[:80]), frozenset(texts[80:])
    assert all(group == test or group <= train for group in asked)  # the folds that promises rest on are of train


def test_a_separate_test_source_is_the_test_part(tmp_path):
    texts, labels = make_texts(120)
    train = write(tmp_path / "a.csv", texts[:80], labels[:80])
    test = write(tmp_path / "b.csv", texts[80:], labels[80:])
    result = headstart.fit(train, tmp_path / "m", reading=Reading(test=str(test)), options=TEXT)
    assert (result.outcome.score.how, result.outcome.score.n) == ("test", 40)


@pytest.mark.slow
def test_with_permuted_labels_the_interval_contains_chance_in_nine_of_ten_runs(tmp_path):
    contained = 0
    for seed in range(20):
        texts, labels = make_texts(60, seed=seed, classes=2)
        shuffled = list(np.random.default_rng(seed).permutation(labels))
        data = write(tmp_path / f"{seed}.csv", texts, shuffled)
        options = replace(TEXT, seed=seed)
        interval = headstart.fit(data, tmp_path / f"m{seed}", options=options).outcome.score.interval
        contained += interval.low <= 0.5 <= interval.high
    assert contained >= 18


def test_groups_never_straddle_the_split_and_are_recorded(tmp_path):
    texts, labels = make_texts(600)
    groups = [f"g{i // 3 % 60}" for i in range(600)]
    data = write(tmp_path / "d.csv", texts, labels, group=groups)
    headstart.fit(data, tmp_path / "m", options=TEXT)
    seen = headstart.load(tmp_path / "m").data
    sides = {}
    for group, part in zip(seen["groups"], seen["parts"], strict=True):
        sides.setdefault(group, set()).add(part)
    assert all(len(parts) == 1 for parts in sides.values())


def test_transfer_is_said_not_to_help_where_a_baseline_is_better(tmp_path):
    # Labels that depend on letters inside words, which the toy network's word hashes cannot see.
    rng = np.random.default_rng(0)
    words = ["".join(rng.choice(list("abcdefgh"), 6)) for _ in range(600)]
    texts = [w + ("zz" if i % 2 else "yy") for i, w in enumerate(words)]
    data = write(tmp_path / "d.csv", texts, ["odd" if i % 2 else "even" for i in range(600)])
    result = headstart.fit(data, tmp_path / "m", options=TEXT)
    assert result.outcome.transfer_helped is False
    assert json.loads((tmp_path / "m" / "evaluation.json").read_text())["transfer_helped"] is False


def test_same_seed_gives_the_same_files_and_another_run_of_fit_computes_no_features(texts_csv, tmp_path):
    first = headstart.fit(texts_csv, tmp_path / "a", options=TEXT)
    second = headstart.fit(texts_csv, tmp_path / "b", options=TEXT)
    for name in ("weights.safetensors", "task.json", "preprocessing.json", "data.json"):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()
    assert first.outcome.score == second.outcome.score
    assert second.feature_seconds == 0


def test_predict_equals_python_and_equals_itself_after_a_move(photos, tmp_path):
    headstart.fit(photos, tmp_path / "m", options=IMAGE)
    files = sorted((photos / "red").iterdir())[:5]
    before = list(headstart.predict(tmp_path / "m", files))
    shutil.move(tmp_path / "m", tmp_path / "far away")
    shutil.rmtree(tmp_path / "headstart-cache")
    after = list(headstart.predict(tmp_path / "far away", files))
    assert before == after
    model = headstart.load(tmp_path / "far away").model
    rows = model.predict_proba(files)
    for row, prediction, path in zip(rows, before, files, strict=True):
        assert prediction["input"] == str(path)
        assert list(prediction["probabilities"].values()) == row.tolist()
        assert prediction["label"] == model.task.classes[row.argmax()]


def test_an_unreadable_input_keeps_its_place_as_an_error(photos, tmp_path):
    headstart.fit(photos, tmp_path / "m", options=IMAGE)
    bad = tmp_path / "bad.jpg"
    bad.write_bytes(b"")
    good = next((photos / "blue").iterdir())
    rows = list(headstart.predict(tmp_path / "m", [good, bad, tmp_path / "missing.png", good]))
    assert [("error" in row) for row in rows] == [False, True, True, False]
    assert rows[1]["input"] == str(bad)
    assert rows[0]["probabilities"] == rows[3]["probabilities"]


def test_evaluate_scores_new_data_and_says_what_the_model_has_seen(texts_csv, tmp_path):
    headstart.fit(texts_csv, tmp_path / "m", options=TEXT)
    new = write(tmp_path / "new.csv", *make_texts(60, seed=7))
    fresh = headstart.evaluate(tmp_path / "m", new)
    assert (fresh.score.n, fresh.notes) == (60, ())
    assert set(fresh.classes) == {"animals", "food", "weather"}
    again = headstart.evaluate(tmp_path / "m", texts_csv)
    assert any("90 of these 90 items were in the model's training part" in note for note in again.notes)


def test_evaluate_refuses_labels_and_modalities_the_model_does_not_know(texts_csv, photos, tmp_path):
    headstart.fit(texts_csv, tmp_path / "m", options=TEXT)
    other = write(tmp_path / "other.csv", ["a", "b"], ["planets", "food"])
    with pytest.raises(DataError, match="1 label.s. were never seen in training: 'planets'"):
        headstart.evaluate(tmp_path / "m", other)
    with pytest.raises(DataError, match="the model reads text and the data is image"):
        headstart.evaluate(tmp_path / "m", photos)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (FitOptions(backbones=("toy:image",)), "toy:image reads image and the data is text"),
        (FitOptions(metric="f2"), "--metric: expected a metric, found 'f2'. Use one of accuracy"),
        (FitOptions(budget=0.0), "--budget: expected a time above zero"),
        (FitOptions(backbones=("toy:text",), device="tpu"), "device 'tpu' is not available"),
    ],
)
def test_options_that_do_not_fit_are_refused_before_anything_is_written(texts_csv, tmp_path, options, message):
    with pytest.raises(OptionError, match=message):
        headstart.fit(texts_csv, tmp_path / "m", options=options)
    assert not list(tmp_path.glob("m*"))


def test_images_and_sounds_without_a_named_backbone_say_what_to_type(photos, tmp_path, monkeypatch):
    monkeypatch.setattr("headstart.backbones._starter.HOME", tmp_path)
    with pytest.raises(OptionError, match="no image backbone is installed.*--backbone timm:resnet18.a1_in1k"):
        headstart.fit(photos, tmp_path / "m")
    sounds = write_classes(tmp_path / "calls", {"owl": 20, "wren": 20})
    with pytest.raises(OptionError, match="no audio backbone is installed.*--backbone hf:openai/whisper-tiny"):
        headstart.fit(sounds, tmp_path / "m")


def test_a_second_candidate_that_time_does_not_allow_is_left_out_and_said(texts_csv, tmp_path, monkeypatch):
    ensure = FeatureSource.ensure

    def no_time(self, backbone, dataset):
        if backbone.name == "starter:minilm-l6":
            raise BudgetError("the frozen pass alone needs about 99 s", where=backbone.name)
        return ensure(self, backbone, dataset)

    monkeypatch.setattr(FeatureSource, "ensure", no_time)
    options = FitOptions(backbones=("toy:text", "starter:minilm-l6"), strategy="probe")
    result = headstart.fit(texts_csv, tmp_path / "m", options=options)
    assert [rung.name for rung in result.outcome.rungs] == ["probe toy:text"]
    assert any("Left out for lack of time: starter:minilm-l6" in note for note in result.notes)
    with pytest.raises(BudgetError):
        headstart.fit(texts_csv, tmp_path / "n", options=FitOptions(backbones=("starter:minilm-l6",)))


def test_a_short_budget_measures_on_fewer_outer_folds_and_says_so(texts_csv, tmp_path, monkeypatch):
    monkeypatch.setattr("headstart.pipeline._fit._say_budget", lambda *_: None)
    result = headstart.fit(texts_csv, tmp_path / "m", options=replace(TEXT, budget=0.001))
    assert any("The budget allowed 3 of 30 outer folds" in note for note in result.outcome.notes)
    assert result.outcome.score.n == 27
    assert sum(facts["n"] for facts in result.outcome.classes.values()) == 27


def test_an_interrupted_run_goes_on_to_the_same_model_and_another_is_refused(texts_csv, tmp_path, monkeypatch):
    whole = headstart.fit(texts_csv, tmp_path / "whole", options=TEXT)
    with monkeypatch.context() as patch:
        patch.setattr("headstart.search.compare_all", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            headstart.fit(texts_csv, tmp_path / "m", options=TEXT)
    assert (tmp_path / "m.partial" / "run.json").is_file()
    assert not (tmp_path / "m").exists()
    with pytest.raises(OptionError, match="an unfinished run is there and differs: seed was 0 and is 1"):
        headstart.fit(texts_csv, tmp_path / "m", options=replace(TEXT, seed=1))
    resumed = headstart.fit(texts_csv, tmp_path / "m", options=TEXT)
    assert resumed.outcome.score == whole.outcome.score
    weights = [(tmp_path / name / "weights.safetensors").read_bytes() for name in ("whole", "m")]
    assert weights[0] == weights[1]


def test_a_full_disk_while_saving_leaves_no_model_behind(texts_csv, tmp_path, monkeypatch):
    def full(*_: object, **__: object) -> None:
        raise SafetensorError("Error while serializing: I/O error: No space left on device (os error 28)")

    with monkeypatch.context() as patch:
        patch.setattr("headstart.backbones._tensors.save_file", full)
        with pytest.raises(ArtifactError, match="the disk is full. Free space there; the same command goes on"):
            headstart.fit(texts_csv, tmp_path / "m", options=TEXT)
    assert not (tmp_path / "m").exists()
    headstart.fit(texts_csv, tmp_path / "m", options=TEXT)


def test_results_are_json_and_hold_what_the_contract_names(texts_csv, tmp_path):
    values = json.loads(json.dumps(headstart.fit(texts_csv, tmp_path / "m", options=TEXT).to_dict()))
    assert set(values) >= {
        "task", "backbone", "strategy", "test", "transfer_helped", "rungs", "baselines", "adaptation_seconds",
        "seconds", "model"
    }  # fmt: skip
    assert set(values["test"]) >= {"metric", "value", "interval", "n", "how"}
    assert set(values["rungs"][0]) >= {"name", "value", "interval", "seconds", "accepted"}
    assert values["task"] == "text-classification"
    for row in (*values["rungs"], *values["baselines"].values()):
        assert [type(bound) for bound in row["interval"]] == [float, float]
    assert values["test"]["interval"][0] <= values["test"]["value"] <= values["test"]["interval"][1]


def test_a_model_takes_the_names_of_image_files(photos, tmp_path):
    headstart.fit(photos, tmp_path / "m", options=IMAGE)
    model = headstart.load(tmp_path / "m").model
    path = next((photos / "red").iterdir())
    np.testing.assert_array_equal(model.predict_proba([str(path)]), model.predict_proba([path]))


def test_items_left_out_on_request_are_listed_where_people_and_programs_look(photos, tmp_path):
    (photos / "red" / "empty.png").write_bytes(b"")
    said = []
    reading = Reading(on_error="skip")
    result = headstart.fit(photos, tmp_path / "m", reading=reading, options=IMAGE, say=said.append)
    assert [Path(item["place"]).name for item in result.to_dict()["left_out"]] == ["empty.png"]
    assert any(note.startswith("Left out: ") and "empty.png" in note for note in said)


def test_a_split_that_groups_straddle_is_marked_on_the_score(tmp_path):
    texts, labels = make_texts(120)
    columns = {
        "group": [f"g{i % 40}" for i in range(120)],
        "split": ["train" if i < 80 else "test" for i in range(120)],
    }
    data = write(tmp_path / "d.csv", texts, labels, **columns)
    with pytest.raises(DataError, match="--resplit.*--allow-straddling"):
        headstart.fit(data, tmp_path / "m", options=TEXT)
    kept = headstart.fit(data, tmp_path / "m", options=replace(TEXT, allow_straddling=True))
    assert kept.to_dict()["test"]["straddling_groups"] == 40
    apart = headstart.fit(data, tmp_path / "n", options=replace(TEXT, resplit=True))
    assert apart.to_dict()["test"]["straddling_groups"] == 0


def test_auroc_is_refused_before_compute_where_it_would_be_undefined(tmp_path):
    texts, labels = make_texts(90)
    write(tmp_path / "d" / "train.csv", texts, labels)
    write(tmp_path / "d" / "test.csv", texts[:2], labels[:2])
    with pytest.raises(OptionError, match=r"auroc needs 1 scored example\(s\) of every class, found 0 of 'weather'"):
        headstart.fit(tmp_path / "d", tmp_path / "m", options=replace(TEXT, metric="auroc"))
    data = write(tmp_path / "few.csv", texts[:12], labels[:12])
    with pytest.raises(OptionError, match="auroc needs"):
        headstart.fit(data, tmp_path / "m", options=replace(TEXT, metric="auroc"))
    assert not list(tmp_path.glob("m*"))


def test_a_budget_that_is_over_before_the_start_is_refused(texts_csv, tmp_path):
    options = replace(TEXT, budget=5.0)
    with pytest.raises(BudgetError, match=r"starting and reading took 1\d s and the budget is 5 s. Give 7\ds"):
        headstart.fit(texts_csv, tmp_path / "m", options=options, started=time.monotonic() - 10)
    assert not list(tmp_path.glob("m*"))


def test_a_budget_that_was_exceeded_says_by_how_much(texts_csv, tmp_path, monkeypatch):
    monkeypatch.setattr("headstart.pipeline._fit._say_budget", lambda *_: None)
    result = headstart.fit(texts_csv, tmp_path / "m", options=replace(TEXT, budget=0.001))
    assert result.to_dict()["seconds_over_budget"] > 0


def test_a_network_of_ones_own_can_be_a_candidate(photos, tmp_path):
    own = backbones.load("toy:image")
    result = headstart.fit(photos, tmp_path / "m", options=FitOptions(backbones=(own,), strategy="probe"))
    assert result.outcome.model.backbone.name == "toy:image"


def test_evaluate_without_labels_says_what_is_missing(texts_csv, tmp_path):
    headstart.fit(texts_csv, tmp_path / "m", options=TEXT)
    (tmp_path / "new.txt").write_text("cat and dog\n")
    with pytest.raises(DataError, match="expected label"):
        headstart.evaluate(tmp_path / "m", tmp_path / "new.txt")
