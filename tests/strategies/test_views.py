"""Which views are trained on, whether they are mirrored, and what is said of them."""

import pytest

from headstart.features import FeatureSource, key_of
from headstart.strategies import Contrastive, FineTune, LoRA, Probe, Run, Scratch
from headstart.strategies._thawed import Reading, seen
from tests.strategies.small import pictures, task_of, topics, toy, tune


@pytest.mark.parametrize(
    ("reading", "said"),
    [
        (Reading(), 1),
        (Reading(flips="off"), 1),
        (Reading(2), "2 (plain, 1 random crop and flip)"),
        (Reading(4), "4 (plain, 3 random crops and flips)"),
        (Reading(2, flips="off"), "2 (plain, 1 random crop)"),
        (Reading(16, flips="off"), "16 (plain, 15 random crops)"),
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
    text = topics(24)
    assert "views" not in Probe(views=2).fit(toy(text), text, task_of(text), run=run).chosen
