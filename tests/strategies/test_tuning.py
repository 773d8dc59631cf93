"""What every strategy that moves weights keeps, changes and refuses."""

from dataclasses import replace
from unittest.mock import patch

import numpy as np
import pytest
import torch
from torch import nn

from headstart import backbones
from headstart.backbones import Backbone, hash_state
from headstart.data import Dataset
from headstart.errors import BackboneError, DataError, OptionError
from headstart.evaluation import all_metrics
from headstart.features import Activations, FeatureSource
from headstart.strategies import Contrastive, FineTune, Run, _tuning
from headstart.strategies._tuning import default_last
from headstart.strategies.contrastive import pair_loss
from headstart.tasks import Classification
from tests.backbones.families import make
from tests.conftest import make_image
from tests.strategies.small import FAST, data_for, pictures, task_of, topics, toy, tune
from tests.strategies.test_probe import several


def digest(backbone: Backbone) -> str:
    return hash_state(backbone.network.state_dict())


def changed(one: Backbone, other: Backbone) -> set[str]:
    after = other.network.state_dict()
    return {name for name, value in one.network.state_dict().items() if not torch.equal(value, after[name])}


@pytest.mark.parametrize("name", FAST)
@pytest.mark.parametrize("family", ["toy:text", "resnet", "vit-token", "bert"])
def test_the_original_stays_and_only_what_was_thawed_changes(name, family, tmp_path):
    backbone = make(family, tmp_path)
    train = topics(24) if family == "toy:text" else data_for(backbone, 24)
    before = digest(backbone)
    tuned = tune(FAST[name], backbone, train)
    assert digest(backbone) == before
    assert not any(p.requires_grad for p in backbone.network.parameters())
    base = tuned.model.base
    assert (base.name, base.weights_hash) == (backbone.name, before)
    assert tuned.model.backbone.weights_hash == digest(tuned.model.backbone) != before
    moved = changed(tuned.start, tuned.model.backbone)
    assert moved
    assert moved <= set(base.trained)
    cut = None if name == "scratch" else backbone.cuts[-2]
    assert tuned.cut == cut
    assert base.trained == backbone.thawed_names(cut)
    test = data_for(backbone, 6, seed=2)
    outputs = tuned.outputs(test, run=Run(FeatureSource()))
    np.testing.assert_allclose(outputs, tuned.model.predict_proba(test.items), atol=1e-4)


@pytest.mark.parametrize("name", FAST)
def test_one_seed_gives_the_same_bits_and_another_other_ones(name):
    train = pictures(24) if name != "contrastive" else topics(24)
    first, again, other = (tune(FAST[name], toy(train), train, seed=seed) for seed in (1, 1, 2))
    assert first.model.backbone.weights_hash == again.model.backbone.weights_hash
    np.testing.assert_array_equal(first.model.head.weights, again.model.head.weights)
    assert first.model.backbone.weights_hash != other.model.backbone.weights_hash


def test_cross_validation_learns_the_colours_and_reports_how(tmp_path):
    train, test = pictures(45), pictures(30, seed=7)
    run = Run(FeatureSource())
    fitted = replace(FAST["finetune"], steps=30).fit(toy(train), train, task_of(train), run=run)
    assert len(fitted.fold_values) == 3
    assert fitted.loss < 0.8 * np.log(3)
    assert {"frozen up to", "views", "steps", "rate", "training_loss", "temperature"} <= set(fitted.chosen)
    assert fitted.chosen["temperature"] > 0
    assert np.mean(np.array(fitted.model.predict(test.items)) == np.array(test.labels)) > 0.7


@pytest.mark.parametrize("mode", ["frozen", "trained"])
def test_batch_norm_statistics_move_only_where_asked(mode, tmp_path):
    backbone = make("resnet", tmp_path)
    tuned = tune(FineTune(last=2, steps=4, batch=8, batch_norm=mode), backbone, pictures(16))
    moved = {name for name in changed(backbone, tuned.model.backbone) if "running" in name or "num_batches" in name}
    assert moved == ({n for n in backbone.thawed_names(tuned.cut) if "running" in n or "num_" in n} & moved)
    assert bool(moved) == (mode == "trained")
    assert not any(module.training for module in tuned.model.backbone.network.modules())


def test_l2_sp_holds_weights_at_their_pretrained_values():
    train = pictures(24)

    def distance(pull: float) -> float:
        model = tune(FineTune(last=2, steps=40, batch=8, rate=3e-3, pull=pull), toy(train), train).model
        pairs = zip(toy(train).network.parameters(), model.backbone.network.parameters(), strict=True)
        return sum(float((a - b).square().sum()) for a, b in pairs)

    assert distance(10.0) < 0.5 * distance(0.0)


def test_gradual_unfreezing_thaws_from_the_top():
    train, thaws, original = pictures(24), [], _tuning.train

    def spy(module, groups, *arguments, **more):
        thaws.extend(group.thaw for group in groups)
        return original(module, groups, *arguments, **more)

    with patch.object(_tuning, "train", spy):
        tune(FineTune(last="all", steps=8, batch=8, unfreezing="gradual"), toy(train), train)
    assert thaws == [0.5, 0.25, 0.0, 0.0]


@pytest.mark.parametrize("name", ["finetune", "lora", "scratch"])
@pytest.mark.parametrize(("kind", "metric"), [("multilabel", "micro_f1"), ("regression", "rmse")])
def test_label_sets_and_values_are_tuned_too(name, kind, metric):
    train, test = several(60, kind), several(30, kind, seed=9)
    task, run = task_of(train), Run(FeatureSource(), metric=metric)
    fitted = replace(FAST[name], steps=40).fit(toy(train), train, task, run=run)
    outputs, y = fitted.model.outputs(test.items), task.encode(test.labels)
    assert np.isfinite(outputs).all()
    if kind == "regression":
        assert abs(outputs.mean() - y.mean()) < 2 * y.std()
        assert fitted.chosen["temperature"] == 1.0
        assert fitted.loss < 1.5
    else:
        assert all_metrics(y, outputs)["log_loss"] < np.log(2) + 0.1
    assert np.isfinite(fitted.fold_values).all()


@pytest.mark.parametrize("kind", ["multilabel", "regression"])
def test_contrastive_refuses_what_has_no_classes_before_anything_is_computed(kind):
    train, source = several(20, kind), FeatureSource()
    metric = "rmse" if kind == "regression" else "micro_f1"
    for method in (Contrastive().fit, Contrastive().tune):
        with pytest.raises(OptionError, match=rf"contrastive\(\) needs one class per item, found {kind}. Use finetune"):
            method(toy(train), train, task_of(train), run=Run(source, metric=metric))
    assert source.computed == 0


def test_blocks_that_are_not_there_and_networks_without_cuts_are_refused(tmp_path):
    image, uncut = backbones.load("toy:image"), make("uncut", tmp_path)
    with pytest.raises(
        BackboneError, match="expected fewer than 3 blocks to thaw, found last=3. Use last=2 or less, or"
    ):
        FineTune(last=3).cut_of(image)
    with pytest.raises(BackboneError, match="it has no cut points. Use last='all', or probe"):
        FineTune().cut_of(uncut)
    single = Backbone.from_module([("all", nn.Conv2d(3, 2, 3))], lambda image: torch.ones(3, 8, 8))
    with pytest.raises(BackboneError, match="expected fewer than 1 blocks to thaw, found last=1. Use last='all'"):
        FineTune().cut_of(single)
    assert FineTune(last="all").cut_of(uncut) is None
    assert (default_last(image), default_last(backbones.load("toy:text")), FineTune(last=2).cut_of(image)) == (
        1, 1, "conv1",
    )  # fmt: skip


def test_a_network_of_ones_own_may_call_its_blocks_head_and_tail():
    def whiten(image):
        return torch.from_numpy(np.asarray(image.resize((8, 8)), dtype=np.float32)).permute(2, 0, 1) / 255

    torch.manual_seed(0)
    parts = [("body", nn.Conv2d(3, 4, 3)), ("tail", nn.Conv2d(4, 6, 3)), ("head", nn.Conv2d(6, 5, 1))]
    own, train = Backbone.from_module(parts, whiten, name="mine"), pictures(18)
    tuned = tune(FineTune(last=2, steps=3, batch=6), own, train)
    assert tuned.model.base.trained == ("1.weight", "1.bias", "2.weight", "2.bias")


def test_what_is_in_no_block_trains_with_all_of_a_network(tmp_path):
    backbone = make("vit-token", tmp_path)
    tuned = tune(FineTune(last="all", steps=3, batch=8), backbone, pictures(16))
    assert {"cls_token", "pos_embed"} <= changed(backbone, tuned.model.backbone)


def test_pairs_of_one_class_are_pulled_together_and_of_two_apart():
    features = torch.tensor([[1.0, 0.0], [2.0, 0.0], [0.0, 1.0], [1.0, 1.0], [1.0, 0.0]])
    y, items = torch.tensor([0, 0, 1, 1, 0]), torch.tensor([0, 1, 2, 3, 0])
    unit = features / features.norm(dim=1, keepdim=True)
    alike, apart = [], []
    for i in range(5):
        for j in range(5):
            cosine = float(unit[i] @ unit[j])
            if y[i] != y[j]:
                apart.append(cosine**2)
            elif items[i] != items[j]:
                alike.append((cosine - 1) ** 2)
    assert float(pair_loss(features, y, items)) == pytest.approx(np.mean(alike) + np.mean(apart))
    assert float(pair_loss(features[:1], y[:1], items[:1])) == 0.0


def test_contrastive_runs_an_example_once_however_often_it_is_in_a_batch():
    train = topics(6)
    seen, original = [], Activations.batch
    with patch.object(Activations, "batch", lambda self, rows: seen.append(len(rows)) or original(self, rows)):
        tune(Contrastive(last=1, steps=2, batch=48), toy(train), train)
    assert max(seen) <= 6


def test_one_example_or_copies_alone_cannot_choose_settings():
    picture = make_image((90, 90, 90), seed=0)
    train = Dataset("image", (picture,) * 4, tuple("abcd"), labels=("x", "y", "x", "y"))
    with pytest.raises(DataError, match="expected at least 2 separate examples"):
        FAST["finetune"].fit(toy(train), train, Classification(("x", "y")), run=Run(FeatureSource()))


def test_what_lora_has_to_say_is_said_once_and_in_the_same_words():
    train, said = topics(24), []
    strategy, run = FAST["lora"], Run(FeatureSource(), say=said.append)
    strategy.fit(toy(train), train, task_of(train), run=run)
    (once,) = said
    assert "fewer than 100 million trains no faster by it; finetune()" in once
    strategy.tune(toy(train), train.take(np.arange(18)), task_of(train), run=run)
    assert said == [once, once]
