"""Models on corrupted items: all models on the same ones, nothing written, and the clean score among them."""

import json
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

import headstart
from headstart.data import Sound, hash_item, load
from headstart.errors import DataError, OptionError
from headstart.evaluation import accuracy
from headstart.features import silent
from headstart.pipeline import FitOptions, Reading, RobustnessOptions, _robustness
from headstart.pipeline._options import say_nothing
from headstart.pipeline._robustness import draw_items, measure_robustness
from headstart.tasks import Heard, ragged, task_from_labels
from tests.conftest import WORDS
from tests.spoken import spoken

CHEAP = FitOptions(strategy="probe", proof="none", offline=True)


def fit(source, folder, backbone, **options):
    headstart.fit(source, folder, options=replace(CHEAP, backbones=(backbone,), **options))
    return folder


@pytest.fixture
def pictures(photos, tmp_path):
    return fit(photos, tmp_path / "m", "toy:image")


def evaluate(model, source, **options):
    return headstart.evaluate(model, source, robustness=RobustnessOptions(**options), offline=True)


def test_pictures_are_scored_clean_and_under_every_corruption_and_severity(pictures, photos):
    found = evaluate(pictures, photos).robustness
    names = ["blur", "noise", "brightness", "contrast", "jpeg", "crop", "shift"]
    assert [(row.corruption, row.severity) for row in found.found.conditions] == [
        (n, s) for n in names for s in (1, 2, 3)
    ]
    assert (found.n, found.of) == (60, 60)
    saved = headstart.load(pictures)
    dataset = load(photos)
    y = saved.model.task.encode(dataset.labels)
    assert found.found.clean.value == pytest.approx(accuracy(y, saved.model.outputs(dataset.items)))
    assert found.found.mean.value == pytest.approx(np.mean([row.score.value for row in found.found.conditions]))


def test_an_opened_item_is_read_like_its_file(pictures, photos):
    saved, dataset = headstart.load(pictures), load(photos)
    files = saved.model.outputs(dataset.items[:8])
    in_memory = saved.model.outputs([_robustness.opened(item, "image") for item in dataset.items[:8]])
    assert np.abs(files - in_memory).max() < 1e-6


def test_the_same_seed_gives_the_same_figures_however_the_items_are_blocked(pictures, photos, monkeypatch):
    whole = evaluate(pictures, photos).robustness.to_dict()
    monkeypatch.setitem(_robustness._AT_ONCE, "image", 7)
    blocked = evaluate(pictures, photos).robustness.to_dict()
    monkeypatch.setattr(_robustness, "_BYTES_AT_ONCE", 2000)
    by_bytes = evaluate(pictures, photos).robustness.to_dict()
    assert whole == blocked == by_bytes


def test_nothing_corrupted_is_stored(pictures, photos, tmp_path):
    headstart.evaluate(pictures, photos, offline=True)
    before = sorted((tmp_path / "headstart-cache").rglob("*.rows"))
    evaluate(pictures, photos)
    assert sorted((tmp_path / "headstart-cache").rglob("*.rows")) == before


def test_another_model_is_scored_on_the_same_items_and_a_copy_differs_in_nothing(pictures, photos, tmp_path):
    other = fit(photos, tmp_path / "other", "toy:image")
    found = evaluate(pictures, photos, against=(str(other),)).robustness
    (against,) = found.against
    assert against.model == "other"
    assert against.gap.mean.value == 0
    assert [row.score.value for row in against.found.conditions] == [row.score.value for row in found.found.conditions]
    assert (against.gap.better, against.gap.more_robust) == (None, None)
    assert "neither is shown to be more robust" in against.gap.sentence


def test_a_model_of_other_classes_or_another_modality_is_refused(pictures, photos, texts_csv, tmp_path):
    texts = fit(texts_csv, tmp_path / "texts", "toy:text")
    with pytest.raises(DataError, match="the model reads text and the data is image"):
        evaluate(pictures, photos, against=(str(texts),))
    (photos / "red").rename(photos / "green")
    other = fit(photos, tmp_path / "other", "toy:image")
    with pytest.raises(OptionError, match="--against .*m: expected a model of the same classes, found one that dif"):
        evaluate(other, photos, against=(str(pictures),))


def test_some_items_are_drawn_in_proportion_and_said(pictures, photos):
    said = []
    found = headstart.evaluate(
        pictures, photos, robustness=RobustnessOptions(items=20), offline=True, say=said.append
    ).robustness
    assert (found.n, found.of) == (20, 60)
    assert (
        "Robustness: on 20 of 60 items, drawn in proportion to their labels (--robustness-items sets how many)." in said
    )
    with pytest.raises(OptionError, match="--robustness-items: expected 1 item or more, found 0"):
        evaluate(pictures, photos, items=0)


def test_drawn_items_hold_classes_in_proportion_and_values_over_their_range():
    y = np.array([0] * 900 + [1] * 90 + [2] * 10)
    drawn = draw_items(y, 100, seed=1)
    assert len(set(drawn.tolist())) == 100
    assert np.bincount(y[drawn]).tolist() == pytest.approx([90, 9, 1], abs=1)
    assert (drawn == draw_items(y, 100, seed=1)).all()
    assert (drawn != draw_items(y, 100, seed=2)).any()
    values = np.random.default_rng(0).normal(size=1000)
    some = values[draw_items(values, 50, seed=0)]
    assert np.quantile(some, [0.1, 0.5, 0.9]) == pytest.approx(np.quantile(values, [0.1, 0.5, 0.9]), abs=0.1)
    labels = np.array([[1, 0], [0, 1], [1, 1], [0, 0]] * 25)
    assert labels[draw_items(labels, 20, seed=0)].sum(axis=0).tolist() == [10, 10]
    assert draw_items(np.array(["a", "bb", "ccc", "dddd"]), 2, seed=0).size == 2
    assert (draw_items(y, 5000, seed=0) == np.arange(1000)).all()


def test_texts_labels_and_values_work_too(texts_csv, label_sets_csv, values_csv, tmp_path):
    for number, (source, task, metric) in enumerate(
        [(texts_csv, None, "accuracy"), (label_sets_csv, "multilabel", "micro_f1"), (values_csv, "regression", "rmse")]
    ):
        model = tmp_path / f"m{number}"
        headstart.fit(source, model, reading=Reading(task=task), options=replace(CHEAP, backbones=("toy:text",)))
        found = evaluate(model, source).robustness
        assert found.found.metric == metric
        assert len(found.found.conditions) == 9
        if task == "regression":
            assert found.found.relative_drop.value == pytest.approx(
                found.found.mean.value / found.found.clean.value - 1
            )


def test_tagging_leaves_out_what_moves_characters_and_says_so(tmp_path):
    rng = np.random.default_rng(0)
    rows = []
    for _ in range(30):
        animal, food = rng.choice(WORDS["animals"]), rng.choice(WORDS["food"])
        text = f"the {animal} eats some {food}, and sleeps."
        rows.append({"text": text, "spans": [[4, 4 + len(animal), "ANIMAL"]]})
    (tmp_path / "t.jsonl").write_text("\n".join(map(json.dumps, rows)))
    model, said = fit(tmp_path / "t.jsonl", tmp_path / "m", "toy:text"), []
    found = headstart.evaluate(
        model, tmp_path / "t.jsonl", robustness=RobustnessOptions(), offline=True, say=said.append
    )
    assert {row.corruption for row in found.robustness.found.conditions} == {"typos", "case"}
    assert found.robustness.left_out == ("punctuation",)
    assert any("without punctuation, which would move the characters" in text for text in said)


def hearing(data):
    """A stand-in for a model of speech that hears every recording as it is, and nothing in a corrupted one."""
    said = dict(zip(data.hashes, data.labels, strict=True))
    frames = np.full((300, 6), 1 / 6, dtype=np.float32)

    def outputs(items):
        return ragged(Heard(frames, said.get(hash_item(item), ""), tuple(" abcd")) for item in items)

    task, backbone = task_from_labels("transcription", data.labels), SimpleNamespace(pixels=None)
    model = SimpleNamespace(task=task, outputs=outputs, backbone=backbone)
    return SimpleNamespace(model=model, folder=Path("m"))


@pytest.mark.parametrize(("metric", "frames"), [("wer", 0), ("log_loss", 300)])
def test_transcripts_are_scored_by_their_errors_and_frames_kept_only_where_they_count(monkeypatch, metric, frames):
    data, kept = spoken(12), []
    measure = _robustness.robustness

    def watched(y, clean, conditions, **options):
        kept.extend([*clean, *conditions[0].outputs])
        return measure(y, clean, conditions, **options)

    monkeypatch.setattr(_robustness, "robustness", watched)
    options = {"metric": metric, "others": (), "seed": 0, "progress": silent, "say": say_nothing}
    found = measure_robustness(hearing(data), data, RobustnessOptions(8), **options).found
    assert {len(heard.probabilities) for heard in kept} == {frames}
    assert len(kept) == 16
    if metric == "wer":
        assert (found.clean.value, found.mean.value) == (0, 1)  # all words are left out
        assert found.relative_drop.value is None  # of no error nothing grows
        assert {row.corruption for row in found.conditions} == {"noise", "reverb", "low-pass", "telephone"}


def test_sounds_fill_blocks_by_their_size():
    assert _robustness._bytes(Sound(np.zeros(10, np.float32), 8000)) == 40
    assert _robustness._bytes("four") == 16


def test_the_other_models_items_are_looked_up_too(pictures, photos, tmp_path):
    other = fit(photos, tmp_path / "other", "toy:image")
    notes = evaluate(pictures, photos, against=(str(other),)).notes
    assert any(note.startswith("other: ") and "training part: the score is too good" in note for note in notes)


@pytest.mark.shared
@pytest.mark.slow
def test_digits_in_noise_are_heard_worse_and_the_telephone_costs_less_than_a_wall(shared, tmp_path):
    source = shared / "data/audio/fsdd"
    model = fit(source, tmp_path / "m", "starter:audio-small", allow_straddling=True)
    found = evaluate(model, source, items=60).robustness
    rows = {(row.corruption, row.severity): row for row in found.found.conditions}
    assert found.found.clean.value > 0.8
    assert rows["noise", 3].score.value < found.found.clean.value - 0.1
    assert rows["noise", 3].difference.interval.high < 0
    assert rows["telephone", 1].score.value > rows["low-pass", 3].score.value
    assert 0 < found.found.relative_drop.value < 1
