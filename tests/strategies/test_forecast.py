"""What a training is expected to take: seconds of what it does, bytes of what it holds."""

import time
from unittest.mock import patch

import numpy as np
import pytest
import torch
from torch import nn

from headstart.backbones import Backbone
from headstart.data import Dataset
from headstart.engine import LocalEngine
from headstart.errors import TrainingError
from headstart.features import FeatureSource, Inputs
from headstart.strategies import Contrastive, FineTune, LoRA, Run, Scratch, _forecast, forecast
from headstart.strategies._forecast import _typical
from headstart.strategies._thawed import Thawed
from tests.strategies.small import live, pictures, topics, toy


def test_a_forecast_counts_what_is_missing_and_what_runs_live():
    train, strategy = pictures(30), FineTune(last=1, steps=10, batch=8)
    backbone, source = toy(train), FeatureSource()
    fresh = forecast(strategy, backbone, train, run=Run(source))
    assert fresh.gathering_seconds > 0
    assert fresh.training_seconds > 0
    assert fresh.megabytes > 0
    strategy.gather(backbone, train, run=Run(source))
    stored = forecast(strategy, backbone, train, run=Run(source))
    assert (stored.gathering_seconds, stored.stored_megabytes) == (0, 0)
    unstored = forecast(strategy, backbone, train, run=Run(FeatureSource(), decide=live))
    assert (unstored.gathering_seconds, unstored.stored_megabytes) == (0, 0)
    assert stored.megabytes == unstored.megabytes == fresh.megabytes
    assert forecast(Scratch(steps=2), backbone, train, run=Run(source)).gathering_seconds == 0


def test_a_forecast_without_a_cut_counts_the_inputs_of_every_view():
    train = pictures(30)
    one, four = (FineTune(last="all", steps=2, views=views) for views in (1, 4))
    few, many = (forecast(strategy, toy(train), train, run=Run(FeatureSource())).megabytes for strategy in (one, four))
    per_view = 30 * np.asarray(Inputs(toy(train), train.items).prepared[0]).nbytes / 2**20
    assert many - few == pytest.approx(3 * per_view)


def test_what_is_stored_is_predicted_apart_from_memory():
    train, source = pictures(30), FeatureSource()
    strategy = FineTune(last=1, steps=2, views=3)
    expected = forecast(strategy, toy(train), train, run=Run(source)).stored_megabytes
    stored = strategy.gather(toy(train), train, run=Run(source)).sources
    assert expected == pytest.approx(sum(view.nbytes for view in stored) / 2**20)
    half = FineTune(last=1, steps=2, views=3, activations="float16")
    assert forecast(half, toy(train), train, run=Run(source)).stored_megabytes == pytest.approx(expected / 2)


def test_texts_of_several_windows_have_inputs_of_every_length():
    long = tuple(" ".join(f"w{i}" for i in range(n)) for n in range(1, 200, 10))
    train = Dataset("text", long, long, labels=tuple("ab" * 10))
    tokens = sum(len(window) for item in Inputs(toy(train), long).prepared for window in item)
    assert Inputs(toy(train), long).nbytes == 4 * tokens
    assert forecast(FineTune(last="all", steps=1), toy(train), train, run=Run(FeatureSource())).megabytes > 0


def test_what_is_kept_for_the_way_back_counts_each_block_of_memory_once_and_no_weights():
    network = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 2))
    rows = torch.ones(5, 4)
    with _forecast._kept(network) as kept:
        network(rows).sum().backward()
    assert sum(kept.values()) == 4 * (5 * 4 + 5 * 8)  # the input, and what ReLU gave to itself and to the next layer
    assert network[0].weight.grad is not None


def test_memory_follows_the_batch_and_the_blocks_that_train():
    train = pictures(64)

    def megabytes(**settings) -> float:
        return forecast(FineTune(steps=2, **settings), toy(train), train, run=Run(FeatureSource())).megabytes

    small, large = megabytes(last=1, batch=8), megabytes(last=1, batch=64)
    assert large > 3 * small
    assert megabytes(last=2, batch=64) > large


def slowly(image) -> torch.Tensor:
    time.sleep(0.004)
    return torch.from_numpy(np.asarray(image.resize((8, 8)), dtype=np.float32)).permute(2, 0, 1) / 255


def test_without_a_cut_every_training_reads_every_view_anew():
    torch.manual_seed(0)
    own = Backbone.from_module([("body", nn.Conv2d(3, 4, 3)), ("top", nn.Conv2d(4, 6, 3))], slowly, name="mine")
    train, run = pictures(40), Run(FeatureSource(), engine=LocalEngine(1))
    few, many = (
        forecast(FineTune(last="all", steps=1, batch=8, views=views), own, train, run=run).training_seconds
        for views in (1, 4)
    )
    assert many - few > 0.8 * 3 * 40 * 0.004


@pytest.mark.parametrize(("strategy", "n", "classes", "work"), [
    (Contrastive(), 500, 2, (40, 48)),
    (Contrastive(), 500, 150, (40, 300)),
    (Contrastive(), 100, 150, (40, 100)),
    (FineTune(), 500, 150, (156, 32)),
    (LoRA(), 500, 150, (156, 32)),
    (Scratch(), 500, 150, (468, 32)),
])  # fmt: skip
def test_many_classes_make_large_batches_of_pairs_alone(strategy, n, classes, work):
    assert strategy.work(n, classes=classes) == work


def test_a_forecast_takes_a_step_of_as_many_examples_as_training_does():
    texts = topics(90)
    many = Dataset("text", texts.items, texts.places, labels=tuple(str(i % 30) for i in range(90)))
    taken, step = [], _forecast._step
    with patch.object(
        _forecast, "_step", lambda start, sample, *rest: taken.append(len(sample)) or step(start, sample, *rest)
    ):
        for train in (texts, many):
            forecast(Contrastive(last=1, steps=1), toy(train), train, run=Run(FeatureSource()))
    assert taken == [48, 60]


def test_a_step_that_memory_cannot_hold_is_a_training_error():
    def full(self, rows):
        raise torch.OutOfMemoryError(
            "CUDA out of memory. Tried to allocate 2.50 GiB. GPU 0 has a total capacity of 8 GiB"
        )

    train = pictures(12)
    with (
        patch.object(Thawed, "features", full),
        pytest.raises(
            TrainingError,
            match=r"finetune\(last=1\): expected memory for every step, found none left for another 2.50 GiB",
        ),
    ):
        forecast(FineTune(last=1), toy(train), train, run=Run(FeatureSource()))


def test_a_sample_has_all_sizes_in_their_proportion():
    texts = tuple("word " * (1000 if i == 0 else 1 + i % 50) for i in range(100))
    train = Dataset("text", texts, tuple(map(str, range(100))), labels=("a", "b") * 50)
    chosen = _typical(train, 10)
    assert len(set(chosen.tolist())) == 10
    assert 0 not in chosen
    sizes = np.array([len(texts[i]) for i in chosen])
    assert sizes.mean() == pytest.approx(np.median([len(text) for text in texts]), rel=0.15)
    same = Dataset("image", tuple(range(9)), tuple(map(str, range(9))))
    assert _typical(same, 3).tolist() == [1, 4, 7]
