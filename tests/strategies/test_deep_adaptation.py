"""Training the last blocks for a target without labels."""

from dataclasses import replace
from typing import get_args

import numpy as np
import pytest
import torch
from torch import nn

from headstart import backbones
from headstart.data import Dataset
from headstart.errors import OptionError
from headstart.features import FeatureSource
from headstart.strategies import DeepAdaptation, DeepMethod, Run, information, mixed_agreement
from headstart.tasks import task_from_labels
from tests.backbones.families import make
from tests.conftest import make_image
from tests.strategies.small import COLOURS, pictures, task_of, topics
from tests.strategies.test_tuning import changed, digest

METHODS = get_args(DeepMethod)
QUICK = {"steps": 6, "batch": 8, "last": 1, "views": 1}


def darker(n: int, *, seed: int = 5) -> Dataset:
    """The same colours, less of them, without labels; ordered by class, as folders are."""
    names = sorted(list(COLOURS)[i % 3] for i in range(n))
    shades = [tuple(part - 60 for part in COLOURS[name]) for name in names]
    items = tuple(make_image(shade, seed=seed * 1000 + i) for i, shade in enumerate(shades))
    return Dataset("image", items, tuple(map(str, range(n))))


def adapted(method: str, backbone, train, target, *, run: Run | None = None, **settings):
    strategy = DeepAdaptation(method=method, **(QUICK | settings))
    return strategy.tune(backbone, train, task_of(train), run=run or Run(FeatureSource()), target=target)


@pytest.mark.parametrize("method", METHODS)
def test_only_what_was_thawed_changes_and_the_outputs_are_those_of_the_model(method, tmp_path):
    backbone, train, target = make("resnet", tmp_path), pictures(24), darker(24)
    before = digest(backbone)
    tuned = adapted(method, backbone, train, target)
    assert digest(backbone) == before
    moved = changed(tuned.start, tuned.model.backbone)
    assert moved
    assert moved <= set(tuned.model.base.trained)
    statistics = {name for name in moved if "running" in name}
    assert bool(statistics) == (method in ("adabn", "tent"))
    assert (moved == statistics or all("num_batches" in name for name in moved - statistics)) == (method == "adabn")
    assert not any(module.training for module in tuned.model.backbone.network.modules())
    outputs = tuned.outputs(target, run=Run(FeatureSource()))
    np.testing.assert_allclose(outputs, tuned.model.predict_proba(target.items), atol=1e-4)


@pytest.mark.parametrize("method", METHODS)
def test_the_same_seed_gives_the_same_bits(method, tmp_path):
    backbone, train, target = make("resnet", tmp_path), pictures(18), darker(18)
    one, same = (adapted(method, backbone, train, target) for _ in range(2))
    assert digest(one.model.backbone) == digest(same.model.backbone)
    assert np.array_equal(one.model.head.weights, same.model.head.weights)


@pytest.mark.parametrize("method", ["deep_coral", "mmd", "dann", "cdan", "mcc", "shot"])
def test_the_target_is_looked_at(method):
    backbone = backbones.load("toy:image")
    one, other = (adapted(method, backbone, pictures(24), darker(24, seed=seed)) for seed in (5, 6))
    assert digest(one.model.backbone) != digest(other.model.backbone)


def test_a_weight_of_zero_is_fine_tuning():
    backbone = backbones.load("toy:image")
    plain, none = (adapted(method, backbone, pictures(24), darker(24), weight=0.0) for method in ("finetune", "mcc"))
    assert digest(plain.model.backbone) == digest(none.model.backbone)


def test_texts_are_adapted_too():
    backbone, train = backbones.load("toy:text"), topics(30)
    target = replace(topics(30, seed=1), labels=None)
    tuned = adapted("mcc", backbone, train, target)
    assert tuned.outputs(target, run=Run(FeatureSource())).shape == (30, 3)


def test_an_interrupted_training_ends_at_the_same_weights(tmp_path):
    backbone, train, target = make("resnet", tmp_path), pictures(18), darker(18)
    run = Run(FeatureSource(), folder=tmp_path / "work", checkpoint_seconds=0.0)

    def stop(name: str, done: int, total: int) -> None:
        if name.startswith("deepadaptation") and done == 4:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        adapted("shot", backbone, train, target, run=replace(run, progress=stop))
    assert list((tmp_path / "work" / "training").iterdir())
    resumed, whole = adapted("shot", backbone, train, target, run=run), adapted("shot", backbone, train, target)
    assert digest(resumed.model.backbone) == digest(whole.model.backbone)


def test_statistics_are_those_of_the_whole_target(tmp_path):
    backbone, target = make("resnet", tmp_path), darker(24)
    tuned = adapted("adabn", backbone, pictures(24), target, last="all")
    first = next(m for m in tuned.model.backbone.network.modules() if isinstance(m, nn.BatchNorm2d))
    caught = []
    first.register_forward_pre_hook(lambda _module, inputs: caught.append(inputs[0]))
    with torch.no_grad():
        tuned.model.backbone.forward(tuned.model.backbone.prepare(target.items))
    expected = caught[0].mean(dim=(0, 2, 3))
    assert torch.allclose(first.running_mean, expected, atol=1e-4)


def test_without_a_target_there_is_nothing_to_adapt_to():
    train = pictures(12)
    with pytest.raises(OptionError, match="mcc needs examples of a target"):
        DeepAdaptation(**QUICK).tune(backbones.load("toy:image"), train, task_of(train), run=Run(FeatureSource()))


@pytest.mark.parametrize(
    ("method", "problem"),
    [("adabn", "moves BatchNorm statistics"), ("tent", "gain and bias of normalising layers")],
)
def test_networks_without_normalising_layers_are_refused(method, problem):
    with pytest.raises(OptionError, match=problem):
        adapted(method, backbones.load("toy:image"), pictures(12), darker(12))


def test_values_and_labels_are_refused():
    train = replace(pictures(12), labels=tuple(map(str, range(12))), kind="regression")
    task = task_from_labels("regression", train.labels)
    with pytest.raises(OptionError, match="needs one class per item, found regression"):
        DeepAdaptation().tune(backbones.load("toy:image"), train, task, run=Run(FeatureSource()), target=darker(12))


def test_batches_hold_two_of_every_class_and_five_epochs_are_bounded():
    assert DeepAdaptation().work(1000, classes=40) == (62, 80)
    assert DeepAdaptation().work(20) == (30, 20)
    assert DeepAdaptation().work(10**6) == (300, 32)


def test_answers_that_hold_between_examples_agree():
    backbone, train, target = backbones.load("toy:image"), pictures(30), darker(30)
    run = Run(FeatureSource())
    tuned = adapted("finetune", backbone, train, target)
    answers = tuned.outputs(target, run=run).argmax(axis=1)
    answers[:3] = [0, 1, 2]
    assert 0 <= mixed_agreement(tuned, target, answers, run=run) <= 1
    assert np.isnan(mixed_agreement(tuned, target, np.zeros(30, dtype=int), run=run))


def test_the_agreement_of_texts_is_that_of_mixed_features():
    backbone, train = backbones.load("toy:text"), topics(24)
    target, run = replace(topics(24, seed=1), labels=None), Run(FeatureSource())
    tuned = adapted("finetune", backbone, train, target)
    answers = tuned.outputs(target, run=run).argmax(axis=1)
    features = tuned.features(target, run=run)
    others = np.random.default_rng(0).permutation(24)
    told = tuned.model.head.outputs((0.55 * features + 0.45 * features[others]).astype(np.float32)).argmax(axis=1)
    differ = answers != answers[others]
    expected = (told == answers)[differ].mean()
    assert mixed_agreement(tuned, target, answers, run=run) == pytest.approx(expected, abs=0.05)


def test_the_information_of_answers():
    assert information(np.eye(4)) == pytest.approx(np.log(4))
    assert information(np.full((5, 4), 0.25)) == pytest.approx(0, abs=1e-12)
