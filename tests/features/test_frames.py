"""Features of frames from the store, from activations at a cut and from a whole pass: one and the same."""

from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import pytest
import torch
from torch import nn

from headstart.backbones import Backbone, _sounds, frame_backbone, load
from headstart.data import Dataset, Sound
from headstart.engine import LocalEngine
from headstart.features import (
    FeatureSource,
    Inputs,
    LiveActivations,
    block_seconds,
    boundary_pass,
    frozen_pass,
    running_cost,
)
from headstart.features import _frozen as frozen_module
from headstart.model import AdaptedModel
from headstart.tasks import Heard, Transcription
from tests.backbones import test_transformers_sounds as whisper

SIZES = [4000, 400, 90_000, 16_000, 641, 30_000, 500, 12_345, 21_000, 8000]  # samples; windows of 1.28 s
FRAMES = [7, 1, 141, 25, 2, 47, 1, 20, 33, 13]  # of two of the network's, of 20 ms; the last counts with one


@pytest.fixture
def backbone() -> Backbone:
    return frame_backbone(load("toy:audio"), 25)


def recordings() -> list[Sound]:
    rng = np.random.default_rng(2)
    return [Sound((0.1 * rng.standard_normal(size)).astype(np.float32), 16_000) for size in SIZES]


def dataset_of(items: list[Any]) -> Dataset:
    return Dataset("audio", tuple(items), tuple(map(str, range(len(items)))))


def whole(backbone: Backbone, items: list[Any], view: Any = "last") -> list[np.ndarray]:
    with torch.no_grad():
        return [backbone.forward_views(backbone.prepare([item]))[view].numpy() for item in items]


def check(found: np.ndarray, expected: list[np.ndarray]) -> None:
    assert found.dtype == object
    assert found.shape == (len(expected),)
    for ours, theirs in zip(found, expected, strict=True):
        assert ours.dtype == np.float32
        assert ours.shape == theirs.shape
        np.testing.assert_allclose(ours, theirs, atol=1e-5)


@pytest.mark.parametrize("view", ["last", "mean"])
def test_features_have_a_row_for_every_frame_and_are_stored(backbone: Backbone, view: Any) -> None:
    items = recordings()
    found = FeatureSource().features(backbone, dataset_of(items), view=view)
    assert list(map(len, found)) == FRAMES
    check(found, whole(backbone, items, view))
    again = FeatureSource()
    check(again.features(backbone, dataset_of(items[::-1]), view=view), whole(backbone, items[::-1], view))
    assert again.computed == 0


def test_other_rates_and_whole_recordings_are_stored_apart(backbone: Backbone) -> None:
    items, source = recordings()[:3], FeatureSource()
    others = [backbone, frame_backbone(backbone, 50), load("toy:audio")]
    found = [source.features(each, dataset_of(items)) for each in others]
    assert source.computed == 9
    assert [len(each[0]) for each in found[:2]] == [7, 13]
    assert found[2].shape == (3, 16)
    check(found[1], whole(others[1], items))


def test_equal_recordings_are_computed_once(backbone: Backbone) -> None:
    items, source = [*recordings()[:2], *recordings()[:2]], FeatureSource()
    check(source.features(backbone, dataset_of(items)), whole(backbone, items))
    assert source.computed == 2
    assert source.features(backbone, dataset_of([])).shape == (0,)


@pytest.mark.parametrize("cut", ["stem", "layer1", "layer2"])
def test_stored_live_and_whole_passes_agree(backbone: Backbone, cut: str) -> None:
    items = recordings()
    expected = whole(backbone, items)
    stored = FeatureSource().activations(backbone, dataset_of(items), cut=cut)
    live, inputs = LiveActivations(backbone, items, cut), Inputs(backbone, items)
    for rows in (np.array([2]), np.array([6, 1, 2, 0, 9]), np.arange(10)[::-1], np.array([5, 1])):
        joined = np.concatenate([expected[i] for i in rows])
        for found in (
            backbone.forward_from(stored.batch(rows), cut),
            backbone.forward_from(live.batch(rows), cut),
            backbone.forward(inputs.batch(rows)),
        ):
            np.testing.assert_allclose(found.detach().numpy(), joined, atol=1e-5)
    assert inputs.sizes.tolist() == [sum(map(len, each[:-1])) for each in inputs.prepared]
    assert inputs.nbytes == sum(part.nbytes for each in inputs.prepared for part in each)


@pytest.mark.parametrize("pad", ["none", "window"])
def test_activations_in_half_precision_know_where_their_frames_are(pad: str, tmp_path: Path) -> None:
    backbone = frame_backbone(load(f"dir:{whisper.tiny(tmp_path / 'net', pad=pad)}"), 25)
    items = recordings()[:6]
    cut = backbone.cuts[1]
    stored = FeatureSource().activations(backbone, dataset_of(items), cut=cut, precision="float16")
    assert stored.places is not None
    for (*_, places), known in zip(backbone.preparer.read(items), stored.places, strict=True):
        np.testing.assert_array_equal(places, known)
    found = backbone.forward_from(stored.batch(np.array([3, 2, 1])), cut).detach().numpy()
    expected = whole(backbone, items)
    np.testing.assert_allclose(found, np.concatenate([expected[i] for i in (3, 2, 1)]), atol=2e-2)


@pytest.mark.parametrize("first", ["features", "activations", "nothing"])
def test_recordings_are_not_decoded_again_to_count_their_frames(first: str, backbone: Backbone) -> None:
    data, source = dataset_of([*recordings(), recordings()[0]]), FeatureSource()
    if first == "features":
        source.features(backbone, data)
    if first == "activations":
        source.activations(backbone, data, cut="layer1")
    with patch.object(_sounds, "read_sound", side_effect=_sounds.read_sound) as decoded:
        for _ in range(2):
            assert source.rows_each(backbone, data).tolist() == [*FRAMES, FRAMES[0]]  # type: ignore[union-attr]
        source.activations(backbone, data.take(np.arange(0)), cut="stem")
    assert decoded.call_count == (len(SIZES) if first == "nothing" else 0)
    assert source.rows_each(load("toy:audio"), data) is None


def test_stored_activations_are_not_decoded_again(backbone: Backbone) -> None:
    data = dataset_of(recordings())
    FeatureSource().activations(backbone, data, cut="layer1")
    with patch.object(_sounds, "read_sound", side_effect=AssertionError("decoded again")):
        again = FeatureSource().activations(backbone, data, cut="layer1")
    found = backbone.forward_from(again.batch(np.array([2, 4])), "layer1").detach().numpy()
    expected = whole(backbone, recordings())
    np.testing.assert_allclose(found, np.concatenate([expected[2], expected[4]]), atol=1e-5)


def test_half_an_hour_runs_in_pieces(backbone: Backbone) -> None:
    samples = np.sin(np.arange(1800 * 16_000, dtype=np.float32) / 7) / 4
    seen: list[int] = []
    hook = backbone.network.get_submodule("stem").register_forward_hook(
        lambda _module, _inputs, output: seen.append(output.shape[0] * output.shape[1])
    )
    item = Sound(samples, 16_000)
    (rows,) = frozen_pass(backbone, [item], engine=LocalEngine())
    hook.remove()
    assert rows.values[0].shape == (45_000, 2, 16)
    assert max(seen) <= frozen_module.TOKENS_PER_BATCH["cpu"]
    assert 90_000 < sum(seen) < 1.5 * 90_000
    for start in (0, 19_992, 43_992):  # where windows begin; away from its ends it is as some seconds of it
        near = whole(backbone, [Sound(samples[start * 640 : (start + 1000) * 640], 16_000)])[0]
        np.testing.assert_allclose(rows.values[0][start + 24 : start + 900, 0], near[24:900], atol=1e-5)


def test_the_pass_yields_rows_of_frames_window_by_window(backbone: Backbone, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(frozen_module, "TOKENS_PER_WINDOW", 100)
    monkeypatch.setitem(frozen_module.TOKENS_PER_BATCH, "cpu", 100)
    items = recordings()
    rows = list(frozen_pass(backbone, items, engine=LocalEngine()))
    assert sorted(np.concatenate([each.positions for each in rows])) == list(range(len(items)))
    assert sum(each.ends_window for each in rows) > 2
    expected = whole(backbone, items)
    for each in rows:
        for position, value in zip(each.positions, each.values, strict=True):
            assert value.shape == (FRAMES[position], 2, 16)
            np.testing.assert_allclose(value[:, 0], expected[position], atol=1e-5)


def test_gradients_after_a_cut_equal_those_of_a_whole_pass(backbone: Backbone) -> None:
    items, rows = recordings(), np.arange(len(SIZES))
    stored = FeatureSource().activations(backbone, dataset_of(items), cut="layer1")
    layer = backbone.blocks[-1].modules[0]
    assert isinstance(layer, nn.Sequential)
    weight, found = layer[0].weight.requires_grad_(), []
    for values in (backbone.forward_from(stored.batch(rows), "layer1"), backbone.forward(backbone.prepare(items))):
        weight.grad = None
        values.square().sum().backward()
        found.append(weight.grad)
    torch.testing.assert_close(found[0], found[1], atol=1e-4, rtol=1e-4)


def test_costs_are_measured(backbone: Backbone) -> None:
    items = recordings()
    assert len(block_seconds(backbone, dataset_of(items)).blocks) == 3
    assert running_cost(backbone, items).milliseconds > 0
    forecast = FeatureSource().predict_activations(backbone, dataset_of(items), cut="layer1")
    exact = sum(r.nbytes for r in boundary_pass(backbone, items, cut="layer1", engine=LocalEngine())) / 2**20
    assert forecast.megabytes == pytest.approx(exact, rel=0.5)


class Counting:
    """A head that answers with how many frames it was given."""

    def outputs(self, X: np.ndarray) -> np.ndarray:
        out = np.empty(len(X), dtype=object)
        for number, frames in enumerate(X):
            out[number] = Heard(np.ones((len(frames), 2), np.float32), str(len(frames)), ("a",))
        return out


def test_a_model_gives_one_answer_for_each_recording(backbone: Backbone) -> None:
    model = AdaptedModel(backbone, Counting(), Transcription(("a",)))  # type: ignore[arg-type]
    found = model.outputs(recordings())
    assert (found.dtype, found.shape) == (np.dtype(object), (len(SIZES),))
    assert [len(each.probabilities) for each in found] == FRAMES
    assert model.predict(recordings()) == list(map(str, FRAMES))
    assert repr(model) == "AdaptedModel('toy:audio', probe(), 1 characters)"
