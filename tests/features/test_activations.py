"""Activations at a cut point: stored, read back, computed live, predicted."""

import numpy as np
import pytest
import torch

from headstart import backbones
from headstart.backbones import Backbone, Batch
from headstart.data import Dataset, Sound
from headstart.engine import LocalEngine
from headstart.errors import BackboneError
from headstart.features import (
    Activations,
    FeatureSource,
    Forecast,
    LiveActivations,
    Store,
    block_seconds,
    boundary_pass,
    key_of,
)
from headstart.features import _activations as activations_module
from headstart.features import _costs as costs_module
from headstart.features import _frozen as frozen_module
from headstart.features import _source as source_module
from tests.conftest import make_image

CUTS = {"toy:image": "conv2", "toy:text": "layer1", "toy:audio": "layer1"}


def dataset_of(name: str, n: int = 40) -> Dataset:
    rng = np.random.default_rng(1)
    if name == "toy:image":
        items = tuple(make_image((90, 90, 90), seed=i) for i in range(n))
    elif name == "toy:audio":  # windows hold 1.28 seconds
        lengths = rng.integers(600, 50_000, n)
        items = tuple(Sound(rng.standard_normal(length).astype(np.float32), 16_000) for length in lengths)
    else:  # windows hold 64 tokens: some texts have one, some three
        items = tuple(" ".join(f"w{i}-{j}" for j in range(int(rng.integers(1, 150)))) for i in range(n))
    return Dataset(name.removeprefix("toy:"), items, tuple(map(str, range(n))))


def plain(backbone: Backbone, items: list, cut: str) -> Batch:
    with torch.no_grad():
        return backbone.forward_to(backbone.prepare(items), cut)


@pytest.mark.parametrize("name", CUTS)
def test_stored_and_live_activations_equal_a_plain_pass_with_mask_and_owners(name):
    backbone, dataset, cut = backbones.load(name), dataset_of(name), CUTS[name]
    stored = FeatureSource().activations(backbone, dataset, cut=cut)
    live = LiveActivations(backbone, dataset.items, cut)
    assert len(stored) == len(live) == 40
    for rows in (np.array([7]), np.array([5, 0, 39, 5, 12]), np.arange(40)[::-1]):
        expected = plain(backbone, [dataset.items[i] for i in rows], cut)
        for found in (stored.batch(rows), live.batch(rows)):
            real = torch.ones(expected.values.shape[:2], dtype=torch.bool) if expected.mask is None else expected.mask
            assert found.values.dtype == torch.float32
            torch.testing.assert_close(found.values[real], expected.values[real], rtol=1e-5, atol=1e-6)
            for part in ("mask", "owner"):
                ours, theirs = getattr(found, part), getattr(expected, part)
                assert (ours is None) == (theirs is None)
                assert ours is None or torch.equal(ours, theirs)
            with torch.no_grad():
                ours, theirs = backbone.forward_from(found, cut), backbone.forward_from(expected, cut)
            torch.testing.assert_close(ours, theirs, rtol=1e-5, atol=1e-6)


def test_gradients_after_the_cut_equal_those_of_a_whole_pass():
    backbone, dataset, rows = backbones.load("toy:text"), dataset_of("toy:text"), np.arange(9)
    stored = FeatureSource().activations(backbone, dataset, cut="layer1")
    weight = backbone.blocks[-1].modules[0][0].weight.requires_grad_()
    found = []
    for values in (
        backbone.forward_from(stored.batch(rows), "layer1"),
        backbone.forward_from(LiveActivations(backbone, dataset.items, "layer1").batch(rows), "layer1"),
        backbone.forward(backbone.prepare([dataset.items[i] for i in rows])),
    ):
        weight.grad = None
        values.square().sum().backward()
        found.append(weight.grad.clone())
    torch.testing.assert_close(found[0], found[2], rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(found[1], found[2], rtol=1e-5, atol=1e-6)


def test_float16_takes_half_the_space_and_is_widened_on_reading():
    backbone, dataset, source = backbones.load("toy:image"), dataset_of("toy:image"), FeatureSource()
    whole, half = (source.activations(backbone, dataset, cut="conv2", precision=p) for p in ("float32", "float16"))
    assert whole.nbytes == 2 * half.nbytes == 40 * 16 * 8 * 8 * 4
    rows = np.arange(40)
    assert half.batch(rows).values.dtype == torch.float32
    expected = whole.batch(rows).values.half().float()
    assert torch.equal(half.batch(rows).values, expected)


def test_activations_too_large_for_float16_are_refused():
    backbone = backbones.load("toy:image")
    with torch.no_grad():
        backbone.network[0][0].bias.fill_(1e6)
    with pytest.raises(BackboneError, match=r"toy:image \(conv1\): expected activations up to 65,504, found 1e\+06"):
        FeatureSource().activations(backbone, dataset_of("toy:image"), cut="conv1", precision="float16")


def test_an_unknown_cut_is_refused_everywhere():
    backbone, dataset = backbones.load("toy:text"), dataset_of("toy:text", 3)
    for call in (
        lambda: FeatureSource().activations(backbone, dataset, cut="nowhere"),
        lambda: FeatureSource().predict_activations(backbone, dataset, cut="nowhere"),
        lambda: LiveActivations(backbone, dataset.items, "nowhere").batch(np.array([0])),
    ):
        with pytest.raises(BackboneError, match="there is no cut point 'nowhere'"):
            call()


def test_a_block_called_features_is_not_taken_for_the_features():
    blocks = [("features", torch.nn.Conv2d(3, 4, 3)), ("end", torch.nn.ReLU())]
    backbone = Backbone.from_module(blocks, lambda image: torch.ones(3, 8, 8) * image.width)
    dataset, source = dataset_of("toy:image", 5), FeatureSource()
    assert source.features(backbone, dataset).shape == (5, 4)
    assert source.activations(backbone, dataset, cut="features").batch(np.arange(5)).values.shape == (5, 4, 6, 6)


def test_equal_items_are_computed_once_and_counted_once():
    backbone, source = backbones.load("toy:text"), FeatureSource()
    dataset = Dataset("text", ("a b", "c", "a b"), ("0", "1", "2"))
    found = source.activations(backbone, dataset, cut="layer1")
    assert source.computed == 2
    assert found.nbytes == (3 + 2) * 16 * 4
    batch = found.batch(np.array([0, 2]))
    assert torch.equal(batch.values[0], batch.values[1])
    assert batch.mask is None


def test_a_second_run_computes_nothing_and_reads_the_same_bits():
    backbone, dataset, rows = backbones.load("toy:text"), dataset_of("toy:text"), np.arange(40)
    first, second = FeatureSource(), FeatureSource()
    values = first.activations(backbone, dataset, cut="layer1").batch(rows).values
    assert torch.equal(second.activations(backbone, dataset, cut="layer1").batch(rows).values, values)
    assert (first.computed, second.computed) == (40, 0)


def small_windows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(frozen_module.TOKENS_PER_BATCH, "cpu", 200)
    monkeypatch.setattr(activations_module, "TOKENS_PER_WINDOW", 1000)
    monkeypatch.setattr(frozen_module, "TEXTS_PER_WINDOW", 8)
    monkeypatch.setattr(source_module, "BYTES_PER_SHARD", 20_000)
    for modality in ("image", "text", "audio"):
        monkeypatch.setitem(source_module.ROWS_PER_SHARD, modality, 12)  # no multiple of a batch


def interrupted_after(batches: int):
    def progress(what: str, done: int, total: int) -> None:
        seen.append(done)
        if len(seen) > batches:
            raise KeyboardInterrupt

    seen: list[int] = []
    return progress


@pytest.mark.parametrize("after", [4, 14])
@pytest.mark.parametrize("what", ["activations", "features"])
@pytest.mark.parametrize("name", CUTS)
def test_an_interrupted_pass_goes_on_to_the_same_bits(name, what, after, tmp_path, monkeypatch):
    small_windows(monkeypatch)
    backbone, dataset = backbones.load(name), dataset_of(name, 120)

    def rows(source: FeatureSource) -> np.ndarray:
        if what == "features":
            return source.features(backbone, dataset)
        pieces = source.activations(backbone, dataset, cut=CUTS[name]).pieces
        return np.concatenate([piece for item in pieces for piece in item])

    with pytest.raises(KeyboardInterrupt):
        rows(FeatureSource(Store(tmp_path / "broken"), progress=interrupted_after(after)))
    resumed, whole = FeatureSource(Store(tmp_path / "broken")), FeatureSource(Store(tmp_path / "whole"))
    np.testing.assert_array_equal(rows(resumed), rows(whole))
    assert resumed.computed <= whole.computed == 120
    if after == 14:
        assert resumed.computed < 120


@pytest.mark.parametrize("after", [4, 9, 14])
def test_a_resumed_pass_runs_the_batches_that_were_left(after, monkeypatch, tmp_path):
    small_windows(monkeypatch)
    backbone, dataset, run = backbones.load("toy:text"), dataset_of("toy:text", 100), []
    preparer = type(backbone.preparer)
    collate = preparer.collate

    def noted(self, prepared):
        run.append([window.tobytes() for windows in prepared for window in windows])
        return collate(self, prepared)

    monkeypatch.setattr(preparer, "collate", noted)
    FeatureSource(Store(tmp_path / "whole")).activations(backbone, dataset, cut="layer1")
    whole, broken = list(run), Store(tmp_path / "broken")
    with pytest.raises(KeyboardInterrupt):
        FeatureSource(broken, progress=interrupted_after(after)).activations(backbone, dataset, cut="layer1")
    run.clear()
    FeatureSource(broken).activations(backbone, dataset, cut="layer1")
    assert run == whole[len(whole) - len(run) :]


def test_a_long_text_runs_in_slices_within_the_budget_and_gives_the_rows_of_one_pass(monkeypatch):
    backbone, text = backbones.load("toy:text"), " ".join(f"w{i}" for i in range(1000))
    expected, seen = plain(backbone, [text], "layer1"), []
    monkeypatch.setitem(frozen_module.TOKENS_PER_BATCH, "cpu", 200)
    forward_to = Backbone.forward_to

    def noted(self, batch, cut):
        seen.append(batch.values.numel())
        return forward_to(self, batch, cut)

    monkeypatch.setattr(Backbone, "forward_to", noted)
    (rows,) = boundary_pass(backbone, [text], cut="layer1", engine=LocalEngine())
    live = LiveActivations(backbone, [text], "layer1").batch(np.array([0]))
    assert max(seen) <= 200
    stored = Activations(rows.pieces).batch(np.array([0]))
    for found in (stored, live):
        assert torch.equal(found.owner, expected.owner)
        torch.testing.assert_close(found.values[found.mask], expected.values[expected.mask], rtol=1e-5, atol=1e-6)


def test_images_lie_channels_last_where_the_network_does():
    backbone, dataset = backbones.load("toy:image"), dataset_of("toy:image", 4)
    for form, expected in ((torch.contiguous_format, False), (torch.channels_last, True)):
        backbone.network.to(memory_format=form)
        values = FeatureSource().activations(backbone, dataset, cut="conv2").batch(np.arange(4)).values
        assert values.is_contiguous(memory_format=torch.channels_last) == expected


def test_live_activations_leave_the_thawed_blocks_in_training_mode():
    backbone, dataset = backbones.load("toy:image"), dataset_of("toy:image", 4)
    live = LiveActivations(backbone, dataset.items, "conv2")
    backbone.network.train()
    values = live.batch(np.arange(4)).values
    assert [block.modules[0].training for block in backbone.blocks] == [False, False, True]
    assert not values.requires_grad
    assert live.nbytes == 0


@pytest.mark.parametrize("precision", ["float32", "float16"])
@pytest.mark.parametrize("name", CUTS)
def test_the_predicted_size_is_within_a_tenth_and_nothing_is_stored(name, precision, monkeypatch):
    monkeypatch.setitem(frozen_module.TOKENS_PER_BATCH, "cpu", 800)
    backbone, dataset, source = backbones.load(name), dataset_of(name, 200), FeatureSource()
    predicted = source.predict_activations(backbone, dataset, cut=CUTS[name], precision=precision)
    assert source.store.shelves() == []
    found = source.activations(backbone, dataset, cut=CUTS[name], precision=precision)
    assert predicted.megabytes == pytest.approx(found.nbytes / 2**20, rel=0.1)
    assert predicted.seconds > 0
    again = source.predict_activations(backbone, dataset, cut=CUTS[name], precision=precision)
    assert again == Forecast(0.0, 0.0)


def test_of_very_many_texts_a_sample_is_tokenised(monkeypatch):
    monkeypatch.setitem(costs_module.MOST_READ, "text", 50)
    backbone, dataset, source = backbones.load("toy:text"), dataset_of("toy:text", 300), FeatureSource()
    predicted = source.predict_activations(backbone, dataset, cut="layer1")
    found = source.activations(backbone, dataset, cut="layer1")
    assert predicted.megabytes == pytest.approx(found.nbytes / 2**20, rel=0.1)


def test_room_tells_whether_a_cut_fits_under_the_limit():
    backbone, dataset = backbones.load("toy:image"), dataset_of("toy:image")
    key = key_of(backbone, cut="conv2")
    for limit, fits in ((100_000, False), (200_000, True)):  # 40 * 4096 bytes
        source = FeatureSource(Store(limit=limit))
        needed = source.predict_activations(backbone, dataset, cut="conv2").megabytes * 2**20
        assert (needed <= source.store.room(key)) == fits


@pytest.mark.parametrize("name", CUTS)
def test_block_seconds_has_a_number_for_every_block(name):
    backbone = backbones.load(name)
    found = block_seconds(backbone, dataset_of(name), n=1)
    assert len(found.blocks) == len(backbone.cuts)
    assert min(*found.blocks, found.tail, found.reading) > 0


@pytest.mark.shared
@pytest.mark.slow
@pytest.mark.parametrize("name", ["mobilenet", "minilm"])
def test_real_networks_give_the_features_of_a_whole_pass_from_the_middle(name, shared):
    if name == "mobilenet":
        backbone = backbones.load(f"dir:{shared}/weights/mobilenetv2_100.in1k")
        items = sorted((shared / "data/images/hymenoptera/val/bees").iterdir())[:10]
    else:
        backbone = backbones.load("starter:minilm-l6")
        items = [" ".join(["how far is it to the moon"] * n) for n in (1, 3, 60, 2)]
    dataset, rows = Dataset(backbone.modality, tuple(items), tuple(map(str, items))), np.arange(len(items))[::-1]
    cut = backbone.cuts[len(backbone.cuts) // 2]
    with torch.no_grad():
        expected = backbone.forward(backbone.prepare(items)).flip(0)
        for precision, tolerance in (("float32", 1e-5), ("float16", 1e-2)):
            found = FeatureSource().activations(backbone, dataset, cut=cut, precision=precision).batch(rows)
            torch.testing.assert_close(backbone.forward_from(found, cut), expected, rtol=tolerance, atol=tolerance)


def test_live_texts_have_sizes_before_they_are_read_so_that_like_goes_with_like(monkeypatch):
    texts = dataset_of("toy:text").items
    monkeypatch.setattr(type(backbones.load("toy:text").preparer), "read", None)
    sizes = LiveActivations(backbones.load("toy:text"), texts, "layer1").sizes
    assert np.argsort(sizes, kind="stable").tolist() == sorted(range(40), key=lambda i: len(texts[i]) // 4)
    assert sizes.min() >= 1
    pictures = dataset_of("toy:image").items
    assert set(LiveActivations(backbones.load("toy:image"), pictures, "conv2").sizes.tolist()) == {1}


def test_sounds_have_sizes_before_they_are_read_in_memory_as_in_files(tmp_path):
    sounds = dataset_of("toy:audio").items
    paths = [tmp_path / f"{i}.wav" for i in range(len(sounds))]
    for path, sound in zip(paths, sounds, strict=True):
        path.write_bytes(bytes(2 * len(sound.samples)))  # never read, so that zeros do
    order = sorted(range(40), key=lambda i: len(sounds[i].samples))
    for items in (sounds, paths):
        sizes = LiveActivations(backbones.load("toy:audio"), items, "layer1").sizes
        assert (np.diff(sizes[order]) >= 0).all()
        frames = [len(sound.samples) / 320 for sound in sounds]
        np.testing.assert_allclose(sizes, frames, atol=1)
    gone = LiveActivations(backbones.load("toy:audio"), [tmp_path / "gone.wav"], "layer1")
    assert gone.sizes.tolist() == [1]
