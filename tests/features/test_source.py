"""The frozen pass and the features it stores."""

import multiprocessing
import time
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from headstart import backbones
from headstart.backbones import Batch
from headstart.backbones._texts import collate_windows, pool_tokens
from headstart.data import Dataset, Sound
from headstart.engine import LocalEngine
from headstart.errors import BudgetError
from headstart.features import FeatureSource, Store, frozen_pass, key_of
from headstart.features import _frozen as frozen_module
from tests.backbones.families import make
from tests.conftest import make_image, make_texts


def texts_dataset(texts: list[str]) -> Dataset:
    return Dataset("text", tuple(texts), tuple(map(str, range(len(texts)))))


def long_and_short(n: int) -> list[str]:
    rng = np.random.default_rng(1)
    return [" ".join(f"w{i}-{j}" for j in range(int(rng.integers(1, 60)))) for i in range(n)]


@pytest.mark.parametrize("name", ["toy:text", "toy:image"])
def test_features_from_the_store_equal_a_plain_forward_of_each_item(name):
    backbone = backbones.load(name)
    items = long_and_short(50) if name == "toy:text" else [make_image((90, 90, 90), seed=i) for i in range(50)]
    dataset = Dataset(backbone.modality, tuple(items), tuple(map(str, range(50))))
    for view in backbone.views:
        found = FeatureSource().features(backbone, dataset, view=view)
        with torch.inference_mode():
            plain = np.concatenate([backbone.forward_views(backbone.prepare([item]))[view].numpy() for item in items])
        np.testing.assert_allclose(found, plain, atol=1e-5)


@pytest.mark.parametrize("family", ["toy:text", "toy:audio", "whisper", "whisper-window", "conformer"])
def test_an_item_beyond_the_budget_of_a_batch_goes_in_runs_of_windows_to_the_same_row(family, tmp_path, monkeypatch):
    monkeypatch.setitem(frozen_module.TOKENS_PER_BATCH, "cpu", 110)
    backbone = make(family, tmp_path)
    noise = np.random.default_rng(0).standard_normal(16_000 * 4 + 777).astype(np.float32)
    noise *= np.linspace(0.01, 1, len(noise), dtype=np.float32)  # unlike windows
    item = "one two three four " * 100 if backbone.modality == "text" else Sound(noise, 16_000)
    with torch.inference_mode():
        views = backbone.forward_views(backbone.prepare([item]))
    run: list[int] = []
    forward = type(backbone).forward_views
    monkeypatch.setattr(type(backbone), "forward_views", lambda b, x: (run.append(len(x.values)), forward(b, x))[1])
    (rows,) = frozen_pass(backbone, [item], engine=LocalEngine())
    assert len(run) > 1
    for i, view in enumerate(backbone.views):
        np.testing.assert_allclose(rows.values[:, i], views[view].numpy(), atol=1e-5)


def test_a_second_run_computes_nothing_and_reads_the_same_bits():
    backbone, dataset = backbones.load("toy:text"), texts_dataset(long_and_short(40))
    first, second = FeatureSource(), FeatureSource()
    values = first.features(backbone, dataset)
    assert (first.computed, second.computed) == (40, 0)
    np.testing.assert_array_equal(values, second.features(backbone, dataset))
    assert second.computed == 0


def test_equal_items_are_computed_once_whatever_they_are_called():
    backbone, source = backbones.load("toy:text"), FeatureSource()
    values = source.features(backbone, texts_dataset(["a b", "c", "a b", "a b"]))
    assert source.computed == 2
    np.testing.assert_array_equal(values[0], values[2])


def test_only_what_is_missing_is_computed():
    backbone, source, texts = backbones.load("toy:text"), FeatureSource(), long_and_short(30)
    source.features(backbone, texts_dataset(texts[:20]))
    source.features(backbone, texts_dataset(texts))
    assert source.computed == 30


def test_changed_weights_are_another_key():
    one, other = backbones.load("toy:text"), backbones.load("toy:text")
    with torch.no_grad():
        next(other.network.parameters()).add_(1.0)
    assert key_of(one).digest != key_of(other).digest


def test_every_item_is_covered_once_and_no_batch_exceeds_the_token_budget(monkeypatch):
    monkeypatch.setitem(frozen_module.TOKENS_PER_BATCH, "cpu", 200)
    monkeypatch.setattr(frozen_module, "TEXTS_PER_WINDOW", 64)
    backbone, texts, positions = backbones.load("toy:text"), long_and_short(300), []
    for rows in frozen_pass(backbone, texts, engine=LocalEngine()):
        lengths = [len(texts[i].split()) for i in rows.positions]
        assert len(lengths) == 1 or (max(lengths) + 2) * len(lengths) <= 200 + 2 * len(lengths)
        positions += rows.positions.tolist()
    assert sorted(positions) == list(range(300))


def test_progress_counts_up_to_the_number_of_missing_items():
    seen = []
    source = FeatureSource(progress=lambda what, done, total: seen.append((what, done, total)))
    source.features(backbones.load("toy:text"), texts_dataset(long_and_short(25)))
    assert seen[0] == ("features of toy:text", 0, 25)
    assert seen[-1] == ("features of toy:text", 25, 25)


def test_a_budget_that_cannot_hold_the_pass_is_refused_with_the_time_needed(monkeypatch):
    monkeypatch.setattr("headstart.features._source.SECONDS_BEFORE_PREDICTING", 0.0)
    backbone = backbones.load("toy:image")
    items = tuple(make_image((90, 90, 90), seed=i) for i in range(40))
    source = FeatureSource(deadline=time.monotonic() + 1e-4)
    with pytest.raises(
        BudgetError, match=r"toy:image: frozen passes over 40 items need about \d+ s more.*Give \d+ s more"
    ):
        source.features(backbone, Dataset("image", items, tuple(map(str, range(40)))))


def _extract(root: str, texts: list[str]) -> None:
    FeatureSource(Store(Path(root))).features(backbones.load("toy:text"), texts_dataset(texts))


@pytest.mark.slow
def test_a_pass_killed_half_way_goes_on_to_the_same_bits(tmp_path, monkeypatch):
    texts, _ = make_texts(20_000)
    process = multiprocessing.get_context("spawn").Process(target=_extract, args=(str(tmp_path / "killed"), texts))
    process.start()
    while len(list((tmp_path / "killed").glob("features/*/*/*.json"))) < 3:  # the key and two shards
        time.sleep(0.005)
    process.kill()
    process.join()
    backbone, dataset = backbones.load("toy:text"), texts_dataset(texts)
    resumed, whole = FeatureSource(Store(tmp_path / "killed")), FeatureSource(Store(tmp_path / "whole"))
    np.testing.assert_array_equal(resumed.features(backbone, dataset), whole.features(backbone, dataset))
    assert 0 < resumed.computed < whole.computed == 20_000


def test_a_pass_that_leaves_no_time_for_the_rest_of_the_run_is_refused_too(monkeypatch):
    monkeypatch.setattr("headstart.features._source.SECONDS_BEFORE_PREDICTING", 0.0)
    backbone = backbones.load("toy:image")
    items = tuple(make_image((90, 90, 90), seed=i) for i in range(40))
    dataset = Dataset("image", items, tuple(map(str, range(40))))
    source = FeatureSource(deadline=time.monotonic() + 60, items=10_000_000)
    with pytest.raises(BudgetError, match="frozen passes over 10000000 items"):
        source.features(backbone, dataset)
    assert FeatureSource(deadline=time.monotonic() + 60, items=40).features(backbone, dataset).shape[0] == 40


@pytest.mark.parametrize("view", ["last", "mean"])
def test_a_long_text_runs_in_slices_within_the_budget_and_gives_the_row_of_one_pass(view, monkeypatch):
    monkeypatch.setitem(frozen_module.TOKENS_PER_BATCH, "cpu", 24)
    seen = []

    class Texts:
        def collate(self, windows):
            return collate_windows(windows, pad=0)

    def forward_views(batch):
        seen.append(batch.values.numel())
        values = batch.values[..., None].float() * torch.arange(1.0, 4.0)
        pooled = pool_tokens("mean", Batch(values, batch.mask, batch.owner))
        return {"last": pooled, "mean": pooled + 1}

    ids = np.random.default_rng(0).integers(1, 99, size=67).astype(np.int32)
    windows = tuple(ids[i : i + 8] for i in range(0, 67, 8))
    backbone = SimpleNamespace(
        preparer=Texts(), device=torch.device("cpu"), views=("last", "mean"), forward_views=forward_views
    )
    row = frozen_module._compute(backbone, [windows])
    assert row.shape == (1, 2, 3)
    assert seen == [24, 24, 24]
    expected = ids.mean() * np.arange(1, 4) + (view == "mean")
    np.testing.assert_allclose(row[0, ("last", "mean").index(view)], expected, rtol=1e-5)
