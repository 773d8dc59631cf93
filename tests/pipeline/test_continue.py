"""Continuing a model: the test part stays, the rest trains, both models are scored on the same items."""

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import headstart
from headstart import FitOptions, Reading, backbones
from headstart.errors import BackboneError, BudgetError, DataError, OptionError
from headstart.features import FeatureSource, key_of
from headstart.pipeline import _fit
from tests.conftest import make_texts
from tests.pipeline.test_fit import TEXT, write


def parts(folder: Path, name: str) -> set[str]:
    seen = headstart.load(folder).data
    return {item for item, part in zip(seen["items"], seen["parts"], strict=True) if part == name}


def again(data: Path, output: Path, model: Path, **options: object):
    said: list[str] = []
    chosen = FitOptions(continue_from=str(model), offline=True, **options)
    return headstart.fit(data, output, options=chosen, say=said.append), said


@pytest.fixture
def held_out(tmp_path):
    """A model of 500 texts, a fifth of which was held out."""
    data = write(tmp_path / "old.csv", *make_texts(500))
    headstart.fit(data, tmp_path / "old", options=replace(TEXT, metric="macro_f1"))
    return tmp_path / "old"


def test_the_test_part_stays_and_everything_else_trains(held_out, tmp_path):
    data = write(tmp_path / "new.csv", *make_texts(700))
    result, said = again(data, tmp_path / "new", held_out)
    assert parts(tmp_path / "new", "test") == parts(held_out, "test")
    assert parts(held_out, "train") < parts(tmp_path / "new", "train")
    assert result.outcome.score.metric == "macro_f1"
    assert result.outcome.score.how == "holdout"
    assert [rung.name for rung in result.outcome.rungs] == ["probe toy:text"]
    assert any("its 100 test items stay the test part, all others train" in line for line in said)


def test_both_models_are_scored_on_the_same_items_with_a_paired_difference(held_out, tmp_path):
    data = write(tmp_path / "new.csv", *make_texts(700))
    result, _ = again(data, tmp_path / "new", held_out)
    before = result.continued
    assert before.value == pytest.approx(headstart.load(held_out).evaluation["test"]["value"])
    assert before.difference == pytest.approx(result.outcome.score.value - before.value)
    assert before.difference_interval.low <= before.difference <= before.difference_interval.high
    assert (before.model, before.n) == ("old", 100)
    assert set(result.to_dict()["continued"]) >= {"model", "value", "interval", "difference", "difference_interval"}


def test_new_classes_are_allowed_and_said(tmp_path):
    data = write(tmp_path / "old.csv", *make_texts(500, classes=2))
    headstart.fit(data, tmp_path / "old", options=TEXT)
    texts, labels = make_texts(500, classes=2)
    extra = [(t, y) for t, y in zip(*make_texts(300, seed=5), strict=True) if y == "weather"]
    data = write(tmp_path / "new.csv", texts + [t for t, _ in extra], labels + [y for _, y in extra])
    result, said = again(data, tmp_path / "new", tmp_path / "old")
    assert result.outcome.model.task.classes == ("animals", "food", "weather")
    assert "New, and not in the test part: 'weather'." in said
    assert result.continued.value > 0.5


def test_new_items_of_a_tested_group_go_to_neither_side(tmp_path):
    texts, labels = make_texts(600)
    groups = [f"g{i % 60}" for i in range(600)]
    write(tmp_path / "old.csv", texts[:510], labels[:510], group=groups[:510])
    headstart.fit(tmp_path / "old.csv", tmp_path / "old", options=TEXT)
    seen = headstart.load(tmp_path / "old").data
    tested = {g for g, part in zip(seen["groups"], seen["parts"], strict=True) if part == "test"}
    out = sum(group in tested for group in groups[510:])
    assert out > 0
    data = write(tmp_path / "new.csv", texts, labels, group=groups)
    result, said = again(data, tmp_path / "new", tmp_path / "old")
    assert len(result.left_out) == out
    assert any(f"{out} items are left out, because their groups are in the test part" in line for line in said)
    assert len(parts(tmp_path / "new", "train")) == 600 - len(parts(tmp_path / "old", "test")) - out
    kept, _ = again(data, tmp_path / "kept", tmp_path / "old", allow_straddling=True)
    assert kept.straddling > 0
    assert len(parts(tmp_path / "kept", "train")) == 600 - len(parts(tmp_path / "old", "test"))
    plain = write(tmp_path / "plain.csv", texts, labels)
    with pytest.raises(OptionError, match="--group: .*was fitted with groups and this data has none"):
        again(plain, tmp_path / "no", tmp_path / "old")


def test_a_given_split_bends_to_the_old_one(tmp_path):
    texts, labels = make_texts(200)
    split = ["train"] * 80 + ["test"] * 40
    write(tmp_path / "old.csv", texts[:120], labels[:120], split=split)
    headstart.fit(tmp_path / "old.csv", tmp_path / "old", options=TEXT)
    # Now the old test items are given as train, and one of them is gone.
    split_now = ["train"] * 198 + ["val"]
    data = write(tmp_path / "moved.csv", texts[:119] + texts[120:], labels[:119] + labels[120:], split=split_now)
    result, said = again(data, tmp_path / "new", tmp_path / "old")
    assert (result.outcome.score.how, result.outcome.score.n) == ("test", 39)
    assert any("39 items given as train or val stay in the test part" in line for line in said)
    assert any("1 test items of" in line for line in said)
    data = write(tmp_path / "more.csv", texts, labels, split=[*split, *["test"] * 80])
    with pytest.raises(DataError, match=r"more.csv:122: expected only test items of .*old in the test part, found 80"):
        again(data, tmp_path / "no", tmp_path / "old")


def test_a_cross_validated_model_is_continued_by_cross_validation(texts_csv, tmp_path):
    headstart.fit(texts_csv, tmp_path / "old", options=TEXT)
    data = write(tmp_path / "new.csv", *make_texts(510))
    result, _ = again(data, tmp_path / "new", tmp_path / "old", proof="none")
    assert (result.outcome.score.how, result.outcome.score.n) == ("cv", 510)
    assert result.continued.value == headstart.load(tmp_path / "old").evaluation["test"]["value"]
    assert result.continued.difference is None


@pytest.mark.parametrize(
    ("split", "how", "this"),
    [
        ({}, "cv", "so is this"),
        ({"split": ["train"] * 90 + ["test"] * 30}, "test", "this is scored on the test part of the new data"),
    ],
)
def test_how_a_cross_validated_model_is_continued_is_said(texts_csv, tmp_path, split, how, this):
    headstart.fit(texts_csv, tmp_path / "old", options=replace(TEXT, proof="none"))
    data = write(tmp_path / "new.csv", *make_texts(120), **split)
    result, said = again(data, tmp_path / "new", tmp_path / "old", proof="none")
    assert result.outcome.score.how == how
    assert f"{tmp_path / 'old'} was cross-validated, and {this}." in said


@pytest.fixture
def tuned(tmp_path):
    """A model of 500 texts whose network was trained, and more texts."""
    data = write(tmp_path / "old.csv", *make_texts(500))
    options = replace(TEXT, strategy="finetune(last=1, steps=5)", proof="none")
    headstart.fit(data, tmp_path / "old", options=options)
    return tmp_path / "old", write(tmp_path / "new.csv", *make_texts(520))


def no_time_for(network):
    ensure = FeatureSource.ensure

    def short(self, backbone, dataset):
        if backbone.weights_hash == network.weights_hash:
            raise BudgetError("frozen passes need 99 s", where=backbone.name)
        return ensure(self, backbone, dataset)

    return short


def test_the_old_model_is_asked_before_time_is_spent_on_the_new_one(tuned, tmp_path, monkeypatch):
    climb, stored = _fit.climb, []
    old, data = tuned
    network = headstart.load(old).model.backbone

    def spy(dataset, plan, *words, run, **more):
        stored.append(len(run.features.store.missing(key_of(network), dataset.take(plan.test).hashes)))
        return climb(dataset, plan, *words, run=run, **more)

    monkeypatch.setattr(_fit, "climb", spy)
    shutil.rmtree(tmp_path / "headstart-cache")
    result, _ = again(data, tmp_path / "new", old, proof="none")
    assert stored == [0]
    monkeypatch.setattr(FeatureSource, "ensure", no_time_for(network))
    late, said = again(data, tmp_path / "late", old, proof="none")
    assert f"{old} is not scored on the test part for lack of time: frozen passes need 99 s." in said
    assert (late.continued.value, late.continued.difference) == (None, None)
    assert late.outcome.score.value == result.outcome.score.value


def test_a_model_that_was_left_out_stays_so_when_the_run_is_resumed(tuned, tmp_path):
    old, data = tuned

    def stop(*_, **__):
        raise KeyboardInterrupt

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(FeatureSource, "ensure", no_time_for(headstart.load(old).model.backbone))
        patch.setattr(_fit, "climb", stop)
        with pytest.raises(KeyboardInterrupt):
            again(data, tmp_path / "new", old, proof="none")
    resumed, said = again(data, tmp_path / "new", old, proof="none")
    assert resumed.continued.value is None
    assert any("is not scored on the test part for lack of time" in line for line in said)


def test_a_metric_without_a_value_for_the_old_model_leaves_only_its_score_out(held_out, tmp_path, monkeypatch):
    def undefined(*_, **__):
        raise DataError("spearman is not defined on this test part")

    monkeypatch.setattr("headstart.pipeline._continue.compare", undefined)
    data = write(tmp_path / "new.csv", *make_texts(520))
    result, said = again(data, tmp_path / "new", held_out, proof="none")
    assert f"No comparison with {held_out}: spearman is not defined on this test part." in said
    assert result.continued.value is None
    assert result.outcome.score.n == 100


def test_a_tuned_model_starts_from_the_pretrained_weights_again(tmp_path):
    data = write(tmp_path / "old.csv", *make_texts(500))
    headstart.fit(data, tmp_path / "old", options=replace(TEXT, strategy="finetune(last=1, steps=30)", proof="none"))
    data = write(tmp_path / "new.csv", *make_texts(560))
    result, _ = again(data, tmp_path / "new", tmp_path / "old", proof="none")
    model = result.outcome.model
    assert model.strategy == "finetune(last=1, steps=30)"
    assert model.base.weights_hash == backbones.load("toy:text").weights_hash
    assert result.continued.difference_interval is not None


def test_an_explicit_ladder_climbs_again(held_out, tmp_path):
    data = write(tmp_path / "new.csv", *make_texts(560))
    result, _ = again(data, tmp_path / "new", held_out, strategy="ladder", proof="none")
    assert len(result.outcome.rungs) == 2


def test_values_are_continued_too(values_csv, tmp_path):
    options = replace(TEXT, proof="none")
    headstart.fit(values_csv, tmp_path / "old", reading=Reading(task="regression"), options=options)
    result, _ = again(values_csv, tmp_path / "new", tmp_path / "old", proof="none")
    assert result.task == "text-regression"
    assert np.isfinite(result.continued.value)


def test_what_does_not_fit_the_model_is_one_line_with_a_way_out(held_out, photos, tmp_path):
    new = write(tmp_path / "new.csv", *make_texts(600, classes=2))
    other = write(tmp_path / "other.csv", *make_texts(60, seed=9))
    with pytest.raises(DataError, match="expected examples of every class of .*old, found none of 'weather'.*afresh"):
        again(new, tmp_path / "n", held_out)
    with pytest.raises(DataError, match="expected the 100 test items of .*old, found none of them. Add them.*afresh"):
        again(other, tmp_path / "n", held_out)
    with pytest.raises(DataError, match="the model reads text and the data is image. Leave out --continue-from"):
        again(photos, tmp_path / "n", held_out)
    with pytest.raises(OptionError, match="--task: the model does classification and multilabel is asked for"):
        headstart.fit(
            other,
            tmp_path / "n",
            reading=Reading(task="multilabel"),
            options=FitOptions(continue_from=str(held_out)),
        )
    with pytest.raises(OptionError, match="--resplit: the test part stays as it is"):
        again(other, tmp_path / "n", held_out, resplit=True)
    with pytest.raises(OptionError, match="--backbone: expected the backbone of .* alone, found 2 backbones"):
        again(other, tmp_path / "n", held_out, backbones=("toy:text", "toy:image"))
    assert not list(tmp_path.glob("n*.partial"))


def test_a_network_that_is_gone_or_changed_is_asked_for(tmp_path, monkeypatch):
    data = write(tmp_path / "old.csv", *make_texts(60))
    headstart.fit(data, tmp_path / "old", options=replace(TEXT, strategy="finetune(last=1, steps=30)", proof="none"))
    load = backbones.load
    with monkeypatch.context() as patch:
        patch.setattr("headstart.backbones.load", lambda name, **_: load("toy:image"))
        with pytest.raises(OptionError, match="old: expected toy:text with weights .*--backbone NAME"):
            again(data, tmp_path / "n", tmp_path / "old")

    def gone(name: str, **_: object) -> None:
        raise BackboneError("no such folder", where=name)

    with monkeypatch.context() as patch:
        patch.setattr("headstart.backbones.load", gone)
        with pytest.raises(
            OptionError, match="the network it started from, toy:text, cannot be loaded: no such folder"
        ):
            again(data, tmp_path / "n", tmp_path / "old")
