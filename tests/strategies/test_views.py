"""Which views are trained on, whether they are mirrored, and what is said of them."""

import numpy as np
import pytest
import torch

from headstart.features import FeatureSource, key_of
from headstart.strategies import Contrastive, FineTune, LoRA, Probe, Run, Scratch
from headstart.strategies._thawed import Reading, Thawed, boundary, seen
from tests.strategies.small import pictures, task_of, tones, topics, toy, tune


@pytest.mark.parametrize(
    ("reading", "said"),
    [
        (Reading(), 1),
        (Reading(flips="off"), 1),
        (Reading(2), "2 (plain, 1 random crop and flip)"),
        (Reading(4), "4 (plain, 3 random crops and flips)"),
        (Reading(2, flips="off"), "2 (plain, 1 random crop)"),
        (Reading(16, flips="off"), "16 (plain, 15 random crops)"),
        (Reading(modality="audio"), 1),
        (Reading(4, flips="off", modality="audio"), "4 (plain, 3 with noise, gain and masks)"),
    ],
)
def test_what_is_said_of_views(reading, said):
    assert reading.described == said


def test_views_are_drawn_and_the_plain_one_alone_gives_another_model():
    train = pictures(24)
    one, four = (tune(FineTune(last=1, steps=6, batch=8, views=v), toy(train), train) for v in (1, 4))
    assert (one.chosen["views"], four.chosen["views"]) == (1, "4 (plain, 3 random crops and flips)")
    assert one.model.backbone.weights_hash != four.model.backbone.weights_hash
    text = topics(24)
    assert tune(FineTune(last=1, steps=2, batch=8, views=4), toy(text), text).chosen["views"] == 1


@pytest.mark.parametrize("kind", [FineTune, Contrastive, LoRA, Scratch])
def test_views_of_recordings_are_trained_on_too(kind):
    train = tones(24)
    more = {} if kind is Scratch else {"last": 1}
    one, two = (tune(kind(**more, steps=4, batch=8, views=v), toy(train), train) for v in (1, 2))
    assert (one.chosen["views"], two.chosen["views"]) == (1, "2 (plain, 1 with noise, gain and masks)")
    assert one.model.backbone.weights_hash != two.model.backbone.weights_hash


@pytest.mark.parametrize("cut", ["layer1", None])
def test_recordings_of_several_windows_in_several_views_give_what_each_gives_alone(cut):
    """Rows of one batch are drawn from several views, of several lengths, and some have two windows."""
    train, run, reading = tones(24), Run(FeatureSource()), Reading(3, modality="audio")
    backbone = toy(train)
    thawed = Thawed(backbone, cut, boundary(run, backbone, train, cut=cut, reading=reading))
    rows = np.random.default_rng(0).permutation(3 * len(train))[:40]
    assert max(len(backbone.preparer.read([item])[0]) for item in train.items) > 1
    networks = seen(backbone, reading)
    alone = [networks[row // 24].forward(networks[row // 24].prepare([train.items[row % 24]])) for row in rows]
    torch.testing.assert_close(thawed.features(rows), torch.cat(alone), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("kind", [FineTune, Contrastive, LoRA, Scratch])
def test_without_flips_the_views_are_others_and_so_is_the_model(kind):
    train = pictures(24)
    more = {} if kind is Scratch else {"last": 1}
    on, off = (kind(**more, steps=4, batch=8, views=2, flips=flips) for flips in ("on", "off"))
    keys = [[key_of(network).digest for network in seen(toy(train), s.reading_of(toy(train)))] for s in (on, off)]
    assert keys[0][0] == keys[1][0]
    assert keys[0][1] != keys[1][1]
    first, second = (tune(strategy, toy(train), train) for strategy in (on, off))
    assert first.chosen["views"] == "2 (plain, 1 random crop and flip)"
    assert second.chosen["views"] == "2 (plain, 1 random crop)"
    assert first.model.backbone.weights_hash != second.model.backbone.weights_hash


def test_a_probe_says_which_views_it_saw_and_finds_them_again():
    train, source = pictures(24), FeatureSource()
    task, run, backbone = task_of(train), Run(source), toy(train)
    assert "views" not in Probe().fit(backbone, train, task, run=run).chosen
    assert source.computed == 24
    for flips, said in (("on", "2 (plain, 1 random crop and flip)"), ("off", "2 (plain, 1 random crop)")):
        strategy, before = Probe(views=2, flips=flips), source.computed
        assert strategy.missing(backbone, train, run=run) == 24
        fitted = strategy.fit(backbone, train, task, run=run)
        assert fitted.chosen["views"] == said
        assert source.computed == before + 24
        again = strategy.refit(backbone, train, task, chosen=fitted.chosen, run=run)
        assert again.predict(train.items) == fitted.model.predict(train.items)
        assert (source.computed, strategy.missing(backbone, train, run=run)) == (before + 24, 0)
    sound = tones(24)
    found = Probe(views=2).fit(toy(sound), sound, task_of(sound), run=run)
    assert found.chosen["views"] == "2 (plain, 1 with noise, gain and masks)"
    text = topics(24)
    assert "views" not in Probe(views=2).fit(toy(text), text, task_of(text), run=run).chosen
