"""Features of words from the store, from activations at a cut and from a whole pass: one and the same."""

from typing import Any
from unittest.mock import patch

import numpy as np
import pytest
import torch
from torch import nn

from headstart.backbones import Backbone, Batch, load, word_backbone
from headstart.data import Dataset, Document
from headstart.engine import LocalEngine
from headstart.features import (
    Activations,
    FeatureSource,
    Inputs,
    LiveActivations,
    block_seconds,
    boundary_pass,
    frozen_pass,
    running_cost,
)
from headstart.features import _frozen as frozen_module
from headstart.features import _source as source_module

LENGTHS = [3, 0, 250, 1, 17, 0, 90, 5, 64, 40]


@pytest.fixture(params=["first", "mean"])
def backbone(request: pytest.FixtureRequest) -> Backbone:
    return word_backbone(load("toy:text"), request.param)


def documents() -> list[Document]:
    """Some without words, some of several windows, words of one token and of several."""
    rng = np.random.default_rng(2)
    return [Document.of_words([f"w{n}" + "long" * int(rng.integers(0, 6)) for n in range(size)]) for size in LENGTHS]


def dataset_of(items: list[Any]) -> Dataset:
    return Dataset("text", tuple(items), tuple(map(str, range(len(items)))))


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
def test_features_have_a_row_for_every_word_and_are_stored(backbone: Backbone, view: Any) -> None:
    items = documents()
    check(FeatureSource().features(backbone, dataset_of(items), view=view), whole(backbone, items, view))
    again = FeatureSource()
    check(again.features(backbone, dataset_of(items[::-1]), view=view), whole(backbone, items[::-1], view))
    assert again.computed == 0
    assert len(set(LENGTHS)) < len(LENGTHS), "two documents are equal"


def test_equal_documents_are_computed_once_and_others_split_otherwise_are_not(backbone: Backbone) -> None:
    text = "a cat sat"
    items = [Document.of_text(text), Document.of_text(text), Document(text, ((0, 5), (6, 9))), Document(text, ())]
    source = FeatureSource()
    found = source.features(backbone, dataset_of(items))
    assert source.computed == 3
    assert [len(rows) for rows in found] == [3, 3, 2, 0]
    check(found, whole(backbone, items))


@pytest.mark.parametrize("items", [["", " "], [Document("", ())], ["  ", "a"]])
def test_data_without_words(items: list[Any], backbone: Backbone) -> None:
    found = FeatureSource().features(backbone, dataset_of(items))
    check(found, whole(backbone, items))
    assert found[0].shape == (0, 16)
    stored = FeatureSource().activations(backbone, dataset_of(items), cut="layer1")
    assert backbone.forward_from(stored.batch(np.array([0])), "layer1").shape == (0, 16)


def test_no_documents_at_all(backbone: Backbone) -> None:
    assert FeatureSource().features(backbone, dataset_of([])).shape == (0,)


@pytest.mark.parametrize("cut", ["embeddings", "layer1", "layer2"])
def test_stored_live_and_whole_passes_agree(backbone: Backbone, cut: str) -> None:
    items = documents()
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


def test_words_are_looked_up_once(backbone: Backbone) -> None:
    items, source = documents(), FeatureSource()
    stored = source.activations(backbone, dataset_of(items), cut="layer1")
    with patch.object(source_module, "read_each", side_effect=source_module.read_each) as reading:
        again = source.activations(backbone, dataset_of(items[::-1]), cut="layer1")
        other = source.activations(backbone, dataset_of([*items, Document.of_text("one more")]), cut="layer1")
    assert [len(call.args[1]) for call in reading.call_args_list] == [0, 1]
    assert isinstance(stored, Activations)
    assert stored.places is not None
    assert again.places is not None
    for ours, theirs in zip(stored.places, again.places[::-1], strict=True):
        np.testing.assert_array_equal(ours, theirs)
    assert len(other) == len(items) + 1


def test_a_long_document_runs_in_pieces(backbone: Backbone, monkeypatch: pytest.MonkeyPatch) -> None:
    items = [Document.of_words([f"w{n}" for n in range(5000)]), Document.of_text("the cat")]
    expected = whole(backbone, items)
    monkeypatch.setitem(frozen_module.TOKENS_PER_BATCH, "cpu", 512)
    seen: list[int] = []
    hook = backbone.network.get_submodule("embedding").register_forward_hook(
        lambda _module, inputs, _output: seen.append(inputs[0].numel())
    )
    found = FeatureSource().features(backbone, dataset_of(items))
    hook.remove()
    check(found, expected)
    assert max(seen) <= 512
    assert sum(seen) > 5000


def test_the_pass_yields_rows_of_words_window_by_window(backbone: Backbone, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(frozen_module, "TOKENS_PER_WINDOW", 100)
    monkeypatch.setitem(frozen_module.TOKENS_PER_BATCH, "cpu", 100)
    items = documents()
    rows = list(frozen_pass(backbone, items, engine=LocalEngine()))
    assert sorted(np.concatenate([each.positions for each in rows])) == list(range(len(items)))
    assert sum(each.ends_window for each in rows) > 2
    for each in rows:
        assert [len(value) for value in each.values] == [LENGTHS[i] for i in each.positions]
        assert all(value.shape[1:] == (2, 16) for value in each.values)


def test_gradients_after_a_cut_equal_those_of_a_whole_pass(backbone: Backbone) -> None:
    items, rows = documents(), np.arange(len(LENGTHS))
    stored = FeatureSource().activations(backbone, dataset_of(items), cut="layer1")
    layer = backbone.blocks[-1].modules[0]
    assert isinstance(layer, nn.Sequential)
    weight, found = layer[0].weight.requires_grad_(), []
    for values in (backbone.forward_from(stored.batch(rows), "layer1"), backbone.forward(backbone.prepare(items))):
        weight.grad = None
        values.square().sum().backward()
        found.append(weight.grad)
    torch.testing.assert_close(found[0], found[1], atol=1e-5, rtol=1e-5)


def test_costs_are_measured(backbone: Backbone) -> None:
    items = documents()
    seconds = block_seconds(backbone, dataset_of(items))
    assert len(seconds.blocks) == 3
    assert running_cost(backbone, items).milliseconds > 0
    forecast = FeatureSource().predict_activations(backbone, dataset_of(items), cut="layer1")
    exact = sum(r.nbytes for r in boundary_pass(backbone, items, cut="layer1", engine=LocalEngine())) / 2**20
    assert forecast.megabytes == pytest.approx(exact, rel=0.5)


def test_a_batch_carries_its_words(backbone: Backbone) -> None:
    batch = backbone.prepare(documents())
    assert batch.words is not None
    assert batch.words.count == sum(LENGTHS)
    moved = backbone.forward_to(batch.to(torch.device("cpu")), "layer1")
    assert isinstance(moved, Batch)
    assert moved.words is not None
    assert torch.equal(moved.words.places, batch.words.places)
