"""A long recording runs a few windows at a time: the features and transcripts of running it whole, in flat memory."""

import tracemalloc
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from headstart.backbones import Backbone, _long, frame_backbone, load
from headstart.data import Dataset, Sound
from headstart.engine import LocalEngine
from headstart.features import FeatureSource, Store, frozen_pass
from headstart.features import _frozen as frozen_module
from headstart.linear import FrameModel
from headstart.linear import _frames as frames_module
from headstart.model import AdaptedModel
from headstart.tasks import Beam, CharacterModel, Greedy, Transcription, ragged

SECONDS = [0.3, 70.0, 2.0, 200.0, 61.28]
CHARACTERS = ("a", "b", " ")


def recording(seconds: float, *, seed: int = 0) -> Sound:
    samples = 0.1 * np.random.default_rng([seed, int(1000 * seconds)]).standard_normal(int(seconds * 16_000))
    return Sound(samples.astype(np.float32), 16_000)


@pytest.fixture(params=["whole", "frames"])
def backbone(request: pytest.FixtureRequest) -> Backbone:
    whole = load("toy:audio")
    return whole if request.param == "whole" else frame_backbone(whole, 25)


def rows_of(backbone: Backbone, items: list[Sound]) -> list[np.ndarray]:
    found: list[np.ndarray] = [np.empty(0)] * len(items)
    for rows in frozen_pass(backbone, items, engine=LocalEngine()):
        for position, values in zip(rows.positions, rows.values, strict=True):
            found[position] = values
    return found


@pytest.mark.parametrize("budget", [1024, 40_000])
def test_features_are_those_of_reading_them_whole(
    backbone: Backbone, budget: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(frozen_module.TOKENS_PER_BATCH, "cpu", budget)  # a GPU runs several long ones at once
    items = [recording(seconds) for seconds in SECONDS]
    found = rows_of(backbone, items)
    monkeypatch.setattr(_long, "SECONDS_KEPT", 10_000)
    for ours, theirs in zip(found, rows_of(backbone, items), strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_they_are_stored_alike(backbone: Backbone, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = Dataset("audio", tuple(map(recording, SECONDS)), tuple(map(str, SECONDS)))
    found = FeatureSource(Store(tmp_path / "a")).features(backbone, data)
    monkeypatch.setattr(_long, "SECONDS_KEPT", 10_000)
    for ours, theirs in zip(found, FeatureSource(Store(tmp_path / "b")).features(backbone, data), strict=True):
        np.testing.assert_array_equal(ours, theirs)


def model(seen: int = 5) -> AdaptedModel:
    """A head with random weights that hears what a language has seldom: the decoder has something to do."""
    backbone, rng = frame_backbone(load("toy:audio"), 25), np.random.default_rng(1)
    X = ragged(each[:, 0] for each in rows_of(backbone, [recording(3)]))
    blank = FrameModel.zeros(X, CHARACTERS, seen=seen)
    weights = rng.standard_normal(blank.weights.shape).astype(np.float32)
    beam = Beam(8, 0.5, 0.5, CharacterModel.from_texts(["ab", "ba a"], CHARACTERS))
    head = FrameModel(weights, blank.bias, blank.mean, blank.scale, CHARACTERS, beam)
    return AdaptedModel(backbone, head, Transcription(CHARACTERS))


def test_transcripts_are_those_of_reading_them_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    items, adapted = [recording(seconds) for seconds in SECONDS], model()
    found = adapted.outputs(items)
    monkeypatch.setattr(_long, "SECONDS_KEPT", 10_000)
    for ours, rows in zip(found, rows_of(adapted.backbone, items), strict=True):
        (theirs,) = adapted.head.outputs(ragged([rows[:, 0]]))
        np.testing.assert_array_equal(ours.probabilities, theirs.probabilities)
        assert len(ours.text) > 0
        assert ours.text == theirs.text


@pytest.mark.parametrize("seen", [1, 11])
@pytest.mark.parametrize("size", [1, 3, 63, 64, 65, 128, 200])
def test_a_model_hears_the_same_however_frames_come(seen: int, size: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(frames_module, "BLOCK", 64)
    head = model(seen).head
    assert isinstance(head, FrameModel)
    X = np.random.default_rng(size).standard_normal((size, 16)).astype(np.float32)
    whole = head.heard([X])
    for cut in (1, 7, 64):
        found = head.heard(X[start : start + cut] for start in range(0, size, cut))
        np.testing.assert_array_equal(found.probabilities, whole.probabilities)
        assert found.text == whole.text
    monkeypatch.setattr(frames_module, "BLOCK", 10_000)
    np.testing.assert_allclose(head.heard([X]).probabilities, whole.probabilities, atol=1e-5)


def peak(adapted: AdaptedModel, item: Sound) -> int:
    tracemalloc.start()
    adapted.predict([item])
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return most


def test_memory_hardly_follows_the_length(monkeypatch: pytest.MonkeyPatch) -> None:
    adapted, short, long = model(), recording(70), recording(310)
    assert isinstance(adapted.head, FrameModel)
    adapted = replace(adapted, head=replace(adapted.head, decoder=Greedy()))
    peak(adapted, short)
    grown = peak(adapted, long) - peak(adapted, short)
    monkeypatch.setattr(_long, "SECONDS_KEPT", 10_000)
    whole = peak(adapted, long) - peak(adapted, short)
    assert whole > 240 * 64_000  # the samples alone
    assert grown < 240 * 4_000  # probabilities of 25 frames a second, and their places
