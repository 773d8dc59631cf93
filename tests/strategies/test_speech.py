"""Transcription: what strategies learn from frames, that stored activations change nothing, and what is left out."""

from contextlib import contextmanager
from dataclasses import replace
from unittest.mock import patch

import numpy as np
import pytest
import torch
from torch.nn.functional import ctc_loss as plain_ctc_loss

from headstart import backbones
from headstart.backbones import Backbone, frame_backbone
from headstart.data import Dataset, Sound
from headstart.errors import BackboneError, OptionError
from headstart.features import FeatureSource
from headstart.linear import FrameModel, fit_frames, item_losses
from headstart.linear import _speech as fitting
from headstart.strategies import (
    Contrastive,
    FineTune,
    LoRA,
    Probe,
    Run,
    Scratch,
    _frames,
    _speech,
    finetune,
    forecast,
    probe,
    reading_for,
)
from headstart.strategies._frame_head import FrameHead, SpeechObjective
from headstart.strategies._speech import blank_speech_model, fit_speech_probe, seen_by, spoken_of
from headstart.strategies._thawed import Reading, Thawed, boundary, rows_and_views, seen
from headstart.strategies._tuning import Material
from headstart.tasks import Beam, character_numbers, ctc_loss, ragged
from headstart.training import epochs
from tests.reference.training import PlainFineTuning
from tests.spoken import RATE, sound, spoken
from tests.strategies.small import distance, float32, live, recorded, task_of

QUICK = {
    "finetune": FineTune(last=1, steps=10, batch=4, rate=3e-3),
    "lora": LoRA(last=1, steps=10, batch=4, rank=2),
    "scratch": Scratch(steps=10, batch=4, views=2),
}


@pytest.fixture(autouse=True)
def _quick_fits(monkeypatch):
    """Few steps of L-BFGS: what is learnt here is learnt in them."""
    monkeypatch.setattr(fitting, "STEPS", 15)


def toy(per_second: float = 25) -> Backbone:
    return frame_backbone(backbones.load("toy:audio"), per_second)


def run(**more) -> Run:
    return Run(FeatureSource(), metric="wer", **more)


def odd(data: Dataset) -> Dataset:
    """The same with a recording that is too short for its text, one of which nothing is said, and a word alone."""
    items = (*data.items, Sound(sound("")[:640], RATE), Sound(sound("a b"), RATE), Sound(sound("c"), RATE))
    n = len(data)
    places, labels = (*data.places, *map(str, range(n, n + 3))), (*(data.labels or ()), "abcd dcba", "", "c")
    groups = None if data.groups is None else (*data.groups, "x", "y", "z")
    return replace(data, items=items, places=places, labels=labels, groups=groups)


def material_of(data: Dataset, *, cut: str | None = "layer1", held_out: int = 0) -> Material:
    backbone, task, own = toy(), task_of(data), run()
    views = boundary(own, backbone, data, cut=cut, reading=Reading(modality="audio"))
    thawed = Thawed(backbone.copy(after=cut), cut, views, own.features.rows_each(backbone, data))
    held = np.arange(held_out)
    return Material(thawed, task.encode(data.labels), thawed.all_features(), data, task, held)


def some_model(X, characters, *, seen=5, seed=0) -> FrameModel:
    blank, rng = FrameModel.zeros(X, characters, seen=seen), np.random.default_rng(seed)
    weights, bias = (0.1 * rng.standard_normal(each.shape).astype(np.float32) for each in (blank.weights, blank.bias))
    return replace(blank, weights=weights, bias=bias)


def losses_of(model: FrameModel, X, texts) -> np.ndarray:
    """Nats of each recording by `headstart.tasks`; nothing of those that are too short."""
    found = [
        ctc_loss(model.log_probabilities(x).astype(np.float64), character_numbers(text, model.characters))
        for x, text in zip(X, texts.tolist(), strict=True)
    ]
    return np.where(np.isinf(found), 0.0, found)


def test_the_head_that_trains_is_the_model_it_starts_from_and_folds_to():
    X = ragged(np.random.default_rng(i).standard_normal((n, 4)).astype(np.float32) for i, n in enumerate((7, 3, 12)))
    start = some_model(X, ("a", "b"))
    head = FrameHead(start)
    scores = head([torch.from_numpy(x) for x in X])
    assert scores.shape == (3, 12, 3)
    for x, row in zip(X, scores, strict=True):
        logs = row[: len(x)].log_softmax(dim=1).detach().numpy()
        np.testing.assert_allclose(logs, start.log_probabilities(x), atol=1e-5)
        np.testing.assert_allclose(logs, head.fold().log_probabilities(x), atol=1e-5)
    before = start.weights.copy()
    with torch.no_grad():
        head.weight += 1
        head.bias += 2
    np.testing.assert_array_equal(start.weights, before)
    folded = head.fold()
    np.testing.assert_allclose(folded.weights, before + 1, atol=1e-6)
    np.testing.assert_allclose(folded.bias, start.bias + 2, atol=1e-6)
    assert folded.decoder is start.decoder


def test_a_head_of_one_frame_and_one_number_does_not_share_memory_with_its_start():
    start = some_model(ragged([np.arange(5, dtype=np.float32)[:, None]]), ("a",), seen=1)
    head, before = FrameHead(start), start.weights.copy()
    with torch.no_grad():
        head.weight += 1
    np.testing.assert_array_equal(start.weights, before)
    folded = head.fold().weights.copy()
    with torch.no_grad():
        head.weight += 1
    np.testing.assert_array_equal(head.start.weights + 1, folded)


def test_the_loss_that_trains_is_that_of_tasks_per_character():
    data = odd(spoken(7))
    material = material_of(data, held_out=3)
    model = some_model(material.X, material.task.characters, seen=seen_by(material.thawed.backbone))
    objective = SpeechObjective.of(material, FrameHead(model))
    nats, sizes = losses_of(model, material.X, material.y), np.char.str_len(material.y)
    items = np.array([6, 2, 9, 7, 8, 0])
    assert float(objective.of_rows(items, items).detach()) == pytest.approx(
        nats[items].sum() / sizes[items].sum(), rel=1e-4
    )
    assert objective.held_out() == pytest.approx(nats[:3].sum() / sizes[:3].sum(), rel=1e-4)
    nothing_said = np.array([8])
    assert float(objective.of_rows(nothing_said, nothing_said).detach()) == pytest.approx(nats[8], rel=1e-4)


class PlainSpeech(PlainFineTuning):
    """Recordings one by one, a sum over neighbours written out, and torch's loss of each."""

    def loss(self, batch, target, smoothing):
        total = sum(
            plain_ctc_loss(
                self.scores([pair]).log_softmax(dim=1)[:, None],
                torch.tensor([numbers]),
                torch.tensor([len(self.features)]),
                torch.tensor([len(numbers)]),
                reduction="sum",
                zero_infinity=True,
            )
            for pair, numbers in zip(batch, target, strict=True)
        )
        return total / sum(map(len, target))

    def scores(self, batch):
        self.features = self.backbone.forward(self.together(batch))
        rows, weight = (self.features - self.head["mean"]) / self.head["scale"], self.head["weight"]
        reach = weight.shape[2] // 2
        around = torch.cat([torch.zeros(reach, rows.shape[1]), rows, torch.zeros(reach, rows.shape[1])])
        return sum(around[c : c + len(rows)] @ weight[:, :, c].T for c in range(weight.shape[2])) + self.head["bias"]


@contextmanager
def one_start():
    """Start every fine-tuning inside from the probe of the first: features that differ in the last bit move it."""
    made: list[FrameModel] = []

    def make(material, *, run):
        made.append(made[0] if made else fit_speech_probe(material, run=run))
        return made[0]

    with patch.object(finetune, "fit_speech_probe", make), float32():
        yield


@pytest.mark.parametrize("last", [1, "all"])
def test_stored_live_and_plain_training_take_the_same_steps(last):
    data, backbone, test = spoken(12), toy(), spoken(4, seed=3)
    strategy = FineTune(last=last, steps=25, batch=5, rate=2e-3)
    trials = []
    with one_start():
        for decide in (lambda _name, choose: choose(), live):
            own = run(decide=decide, seed=3)
            with recorded() as runs:
                tuned = strategy.tune(backbone, data, task_of(data), run=own)
            heard = np.concatenate([each.probabilities for each in tuned.outputs(test, run=own)])
            trials.append((np.array(runs[0].losses), heard, distance(backbone, tuned.model.backbone)))
    head = {name.removeprefix("head."): v for name, v in runs[0].start.items() if name.startswith("head.")}
    plain, n = PlainSpeech(backbone, strategy.cut_of(backbone), head), len(data)
    characters = task_of(data).characters
    networks, order = seen(backbone, strategy.reading_of(backbone)), epochs(n, strategy.batch, 3)
    batches, targets = [], []
    for step in range(strategy.steps):
        rows = rows_and_views(order.rows(step), strategy.views, n, seed=3, step=step)
        batches.append([(networks[row // n], data.items[row % n]) for row in rows])
        targets.append([character_numbers(data.labels[row % n], characters).tolist() for row in rows])
    losses = plain.fit(batches, targets, rate=strategy.rate, decay=strategy.decay, smoothing=0.0)
    heard = plain.outputs(test.items)
    trials.append((np.array(losses), heard, distance(backbone, plain.backbone)))
    assert min(moved for _, _, moved in trials) > 0.01
    for other in trials[1:]:
        np.testing.assert_allclose(other[0], trials[0][0], rtol=1e-3)
        np.testing.assert_allclose(other[1], trials[0][1], atol=2e-3)


@pytest.mark.parametrize("name", QUICK)
def test_what_moves_weights_takes_any_recordings_and_is_the_same_again(name):
    data = odd(spoken(9))
    one, other = (QUICK[name].tune(toy(), data, task_of(data), run=run()) for _ in range(2))
    assert one.model.backbone.weights_hash == other.model.backbone.weights_hash
    np.testing.assert_array_equal(one.model.head.weights, other.model.head.weights)
    assert one.model.backbone.weights_hash != toy().weights_hash
    heard, live_ones = one.outputs(data, run=run()), one.model.outputs(data.items)
    for stored, alone, told in zip(heard, live_ones, other.outputs(data, run=run()), strict=True):
        np.testing.assert_allclose(stored.probabilities, alone.probabilities, atol=1e-4)
        np.testing.assert_array_equal(stored.probabilities, told.probabilities)
        assert stored.text == told.text


def test_fine_tuning_hears_more_than_a_probe_that_is_not_finished(monkeypatch):
    monkeypatch.setattr(fitting, "STEPS", 3)
    data, test, own = spoken(40), spoken(15, seed=1), run()
    tuned = FineTune(last=2, steps=120, batch=8, rate=1e-2, views=1).tune(toy(), data, task_of(data), run=own)
    before = Probe().fit(toy(), data, task_of(data), run=own).model
    y = task_of(data).encode(test.labels)
    losses = [item_losses(y, model.outputs(test.items)).mean() for model in (before, tuned.model)]
    assert losses[1] < 0.7 * losses[0]


class StoppedError(Exception):
    pass


@pytest.mark.parametrize("name", QUICK)
def test_an_interrupted_training_goes_on_to_the_same_weights(name, tmp_path):
    data, strategy = spoken(10), QUICK[name]

    def stop(what, done, _total):
        if what.startswith(str(FineTune(last="all"))[:8]) and done == 6:
            raise StoppedError

    def tune(**more):
        return strategy.tune(toy(), data, task_of(data), run=run(**more))

    whole, folder = tune(), {"folder": tmp_path, "checkpoint_seconds": 0.0}
    with pytest.raises(StoppedError):
        tune(progress=stop, **folder)
    told = []
    resumed = tune(progress=lambda *facts: told.append(facts), **folder)
    assert next(done for what, done, _ in told if what.startswith("finetune(")) == 6
    assert resumed.model.backbone.weights_hash == whole.model.backbone.weights_hash
    np.testing.assert_array_equal(resumed.model.head.weights, whole.model.head.weights)


@pytest.mark.parametrize("name", QUICK)
def test_patience_keeps_whole_speakers_out_and_the_best_weights(name):
    data, learnt, held = spoken(20, groups=5), [], []
    of_rows, measure = SpeechObjective.of_rows, SpeechObjective.held_out

    def spy_rows(self, rows, items, **more):
        learnt.extend(items.tolist())
        return of_rows(self, rows, items, **more)

    def spy_measure(self):
        held.append((self.material.held_out, measure(self)))
        return held[-1][1]

    rows_patch = patch.object(SpeechObjective, "of_rows", spy_rows)
    with rows_patch, patch.object(SpeechObjective, "held_out", spy_measure):
        tuned = replace(QUICK[name], steps=40, patience=2).tune(toy(), data, task_of(data), run=run())
    outside = set(held[0][0].tolist())
    assert outside.isdisjoint(learnt)
    assert {data.groups[i] for i in outside}.isdisjoint(data.groups[i] for i in learnt)
    assert tuned.chosen["held out"] == len(outside) == 4
    assert tuned.chosen["best step"] <= tuned.chosen["steps"] <= 40
    part = data.take(sorted(outside))
    nats = losses_of(tuned.model.head, tuned_features(tuned, part), task_of(data).encode(part.labels))
    assert nats.sum() / sum(map(len, part.labels)) == pytest.approx(min(value for _, value in held), rel=1e-3)


def tuned_features(tuned, data: Dataset):
    backbone = tuned.model.backbone
    with torch.no_grad():
        return ragged(backbone.forward(backbone.prepare([item])).numpy() for item in data.items)


def test_no_speaker_is_on_both_sides_of_what_settings_are_chosen_on(monkeypatch):
    data, folds = spoken(18, groups=6), []
    choose = fitting.choose_frames

    def spy(spoken, cut, **more):
        folds.append((spoken, cut))
        return choose(spoken, cut, **more)

    monkeypatch.setattr(probe, "choose_frames", spy)
    monkeypatch.setattr(_speech, "choose_frames", spy)
    Probe().fit(toy(), data, task_of(data), run=run())
    fit_speech_probe(material_of(data), run=run())
    assert len(folds) == 2
    for _, cut in folds:
        assert len(cut) == 3
        assert sorted(np.concatenate([outside for _, outside in cut])) == list(range(18))
        for inside, outside in cut:
            assert {data.groups[i] for i in inside}.isdisjoint(data.groups[i] for i in outside)


def test_the_probe_that_training_starts_from_does_not_know_what_is_held_out():
    data = spoken(16)
    material = material_of(data, held_out=5)
    rest = replace(material_of(data.take(range(5, 16))), task=material.task)
    one, other = (fit_speech_probe(each, run=run()) for each in (material, rest))
    np.testing.assert_allclose(one.weights, other.weights, atol=1e-3)
    assert set(one.characters) == set("".join(data.labels))


def test_a_probe_says_what_it_chose_and_fits_it_again():
    data, own = spoken(15), run()
    fitted = Probe().fit(toy(), data, task_of(data), run=own)
    assert set(fitted.chosen) >= {"view", "strength", "decoder"}
    again = Probe().refit(toy(), data, task_of(data), chosen=fitted.chosen, run=own)
    np.testing.assert_array_equal(fitted.model.head.weights, again.head.weights)
    assert len(fitted.fold_values) == 3
    y = task_of(data).encode(data.labels)
    assert fitted.loss == pytest.approx(item_losses(y, fitted.held_out).mean())
    assert [heard.text for heard in again.outputs(data.items)] == [h.text for h in fitted.model.outputs(data.items)]


def test_settings_of_many_recordings_are_chosen_on_some_and_the_fit_is_of_all(monkeypatch):
    data, own = spoken(16), run()
    defaults = {"words": 300, "most": None}
    monkeypatch.setattr("headstart.strategies._documents.some_documents.__kwdefaults__", defaults)
    fitted = Probe().fit(toy(), data, task_of(data), run=own)
    some, of_all = str(fitted.chosen["chosen on"]).split(" of ")
    assert (0 < int(some) < 16, of_all) == (True, "16 recordings")
    assert fitted.held_out is None
    again = Probe().refit(toy(), data, task_of(data), chosen=fitted.chosen, run=own)
    np.testing.assert_array_equal(fitted.model.head.weights, again.head.weights)


def test_a_network_from_scratch_starts_from_zeros_and_decodes_as_is_usual():
    material = material_of(spoken(6))
    blank = blank_speech_model(material)
    assert not blank.weights.any()
    assert not blank.bias.any()
    assert isinstance(blank.decoder, Beam)
    tuned = QUICK["scratch"].tune(toy(), spoken(6), task_of(spoken(6)), run=run())
    assert tuned.model.head.decoder.to_arrays().keys() == blank.decoder.to_arrays().keys()
    assert not Scratch.from_probe
    assert FineTune.from_probe


def deciding(kept: dict):
    def decide(name, choose):
        if name not in kept:
            kept[name] = choose()
        return kept[name]

    return decide


def faster(data: Dataset, letter: float, *, every: int = 1) -> Dataset:
    """The same texts said in less time."""
    items = (Sound(sound(text, letter=letter)[::every], RATE) for text in data.labels or ())
    return replace(data, items=tuple(items))


def test_frames_are_few_where_what_is_said_fits_and_twice_as_many_where_it_does_not(monkeypatch):
    plain, said, kept = backbones.load("toy:audio"), [], {}
    slow = spoken(8)
    fast, too_fast = faster(slow, 0.02), faster(slow, 0.02, every=4)
    own = run(say=said.append, decide=deciding(kept))
    (few,) = reading_for([plain], slow, task_of(slow), run=own)
    assert (few.frames, few.frame_seconds) == (25.0, 0.04)
    assert said == ["toy:audio: a frame's features are of 40 ms of sound."]
    assert kept == {"frames a second on toy:audio": 25.0}
    (many,) = reading_for([plain], fast, task_of(fast), run=run(say=said.append))
    assert (many.frames, said[1:]) == (50.0, ["toy:audio: a frame's features are of 20 ms of sound."])
    (most,) = reading_for([plain], too_fast, task_of(slow), run=run(say=said.append))
    assert most.frames == 50.0
    assert said[3].startswith("Too short for their transcripts, so that they teach nothing: ")
    assert said[3].endswith(" of 8.")
    monkeypatch.setattr(_frames, "_too_short", lambda *_: pytest.fail("it was decided before"))
    (replayed,) = reading_for([plain], fast, task_of(fast), run=own)
    assert replayed.frames == 25.0
    assert reading_for([many], slow, task_of(slow), run=own) == (many,)


def test_frames_needed_are_one_for_each_character_and_one_between_equals():
    data, own = spoken(3), run()
    frames = own.features.rows_each(toy(), data)

    def too_short(*texts: str) -> int:
        told = replace(data, labels=texts)
        return _frames._too_short(toy(), told, task_of(told), own)

    fits = ["c" * (n % 2) + "ab" * (n // 2) for n in frames]
    assert too_short(*fits) == 0
    assert too_short(*fits[:2], fits[2] + "d") == 1
    doubled = ["a" * (n // 2 + n % 2) for n in frames]  # as many between them, less one
    assert too_short(*doubled) == 0
    assert too_short(*(text + "a" for text in doubled)) == 3


def test_networks_without_frames_are_left_out_and_said():
    said, data = [], spoken(4)
    wrong, right = backbones.load("toy:image"), toy()
    assert reading_for([wrong, right], data, task_of(data), run=run(say=said.append)) == (right,)
    assert said[0].startswith("Left out: ")
    with pytest.raises(BackboneError, match="only recordings have frames"):
        reading_for([wrong], data, task_of(data), run=run())


def test_what_transcripts_cannot_have_is_refused():
    data = spoken(4)
    with pytest.raises(OptionError, match="smoothing needs classes or labels, found transcription"):
        FineTune(smoothing=0.2).check_task(task_of(data))
    for head, fix in (("knn", r"Use probe\(\)"), ("nearest_mean", r"Use probe\(head='logistic'\)\.$")):
        with pytest.raises(OptionError, match=f"found transcription.*{fix}"):
            Probe(head=head).fit(toy(), data, task_of(data), run=run())
    with pytest.raises(OptionError, match="transcription"):
        Contrastive().tune(toy(), data, task_of(data), run=run())


def test_a_forecast_counts_the_probe_and_the_loss_of_frames(monkeypatch):
    data = spoken(6)
    strategy = QUICK["finetune"]
    monkeypatch.setattr(_speech, "seconds_per_frame", lambda *_, **__: 0.0)
    without = forecast(strategy, toy(), data, run=run()).training_seconds
    monkeypatch.setattr(_speech, "seconds_per_frame", lambda *_, **__: 1.0)
    frames = float(run().features.rows_each(toy(), data).sum())
    counted = forecast(strategy, toy(), data, run=run()).training_seconds - without
    steps = (strategy.steps + 6 / 4) * 4 / 6
    assert counted == pytest.approx(frames * (steps + 1.25 * _speech.STEPS * (1 + _speech.CHOOSING)), rel=0.05)
    blank = forecast(QUICK["scratch"], toy(), data, run=run()).training_seconds
    assert blank < counted


def test_frames_of_a_model_are_those_of_the_recordings():
    data = spoken(3)
    spoken_ones = spoken_of(FeatureSource().features(toy(), data), data, task_of(data), toy())
    assert spoken_ones.seen == seen_by(toy()) == 11
    assert seen_by(toy(50)) == 21
    assert fit_frames(spoken_ones, strength=1.0).seen == 11
