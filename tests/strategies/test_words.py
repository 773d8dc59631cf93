"""Tagging: strategies fit rows of words, exactly as if these were items, and documents of any length."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from headstart import backbones
from headstart.backbones import word_backbone
from headstart.data import Dataset, Document
from headstart.errors import BackboneError, OptionError
from headstart.features import FeatureSource
from headstart.linear import fit_cross_validated
from headstart.strategies import FineTune, LoRA, Probe, Run, Scratch, reading_for
from headstart.strategies._documents import some_documents
from headstart.strategies._thawed import Thawed, boundary
from headstart.strategies._tuning import Reading
from headstart.tasks import Tagging, counts, flat, rows_of, task_from_labels, write_tags
from tests.tagged import TYPES, tagged

TASK = Tagging(TYPES)


def words(name: str = "toy:text") -> backbones.Backbone:
    return word_backbone(backbones.load(name), "mean")


def run() -> Run:
    return Run(FeatureSource(), metric="entity_f1")


def words_each(data: Dataset) -> np.ndarray:
    return np.array([len(item.words) for item in data.items])


def long_ones(n: int) -> Dataset:
    """Documents of several windows, one without a word and one of a single word among them."""
    short = tagged(6 * n)
    texts = [" ".join(item.text for item in short.items[i::n]) for i in range(n)]
    items = (*map(Document.of_text, texts), Document.of_text(""), Document.of_text("rain"))
    labels = tuple(write_tags(["O"] * len(item.words)) for item in items)
    return Dataset("text", items, tuple(map(str, range(len(items)))), labels=labels, kind="tagging")


def test_a_probe_of_words_is_the_fit_of_their_rows() -> None:
    data = tagged(60)
    fitted = Probe().fit(words(), data, TASK, run=run())
    X = FeatureSource().features(words(), data, view=fitted.model.view)
    y = TASK.encode(data.labels or ())
    strength = float(fitted.chosen["strength"])
    folds = [(np.arange(30), np.arange(30, 60))]
    sizes = counts(y)
    by_word = [(rows_of(inside, sizes), rows_of(outside, sizes)) for inside, outside in folds]
    one, found = fit_cross_validated(X, y, folds, n_classes=5, strengths=[strength], kind="tagging")
    other, expected = fit_cross_validated(flat(X), flat(y), by_word, n_classes=5, strengths=[strength])
    np.testing.assert_allclose(flat(found.outputs), expected.outputs)
    np.testing.assert_allclose(one.weights, other.weights)
    np.testing.assert_allclose(fitted.model.head.weights, one.weights, atol=1e-6)
    assert [len(each) for each in fitted.model.outputs(data.items)] == sizes.tolist()


def test_training_from_the_cut_sees_the_rows_of_the_whole_network() -> None:
    backbone, data = words(), long_ones(4)
    cut = backbone.cuts[0]
    views = boundary(run(), backbone, data, cut=cut, reading=Reading())
    thawed = Thawed(backbone, cut, views, FeatureSource().rows_each(backbone, data))
    with torch.no_grad():
        expected = [backbone.forward(backbone.prepare([item])).numpy() for item in data.items]
        together = thawed.features(np.arange(len(data))[::-1].copy()).numpy()
    np.testing.assert_allclose(together, np.concatenate(expected[::-1]), atol=1e-5)
    for one, other in zip(thawed.all_features(), expected, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-5)


@pytest.mark.parametrize("strategy", [FineTune(last=1, steps=20), LoRA(last=1, steps=5), Scratch(steps=5)], ids=str)
def test_what_moves_weights_takes_documents_and_predicts_every_word_once(strategy) -> None:
    data = tagged(40)
    tuned = strategy.tune(words(), data, TASK, run=run())
    longer = long_ones(3)
    for dataset in (data, longer):
        outputs = tuned.outputs(dataset, run=run())
        assert [each.shape for each in outputs] == [(len(item.words), 5) for item in dataset.items]
        np.testing.assert_allclose(flat(outputs), flat(tuned.model.outputs(dataset.items)), atol=1e-5)


def test_fine_tuning_learns_entities_and_is_the_same_again() -> None:
    data, test = tagged(120), tagged(60, seed=1)
    strategy = FineTune(last=2, rate=1e-2, steps=120, batch=16)
    one, other = (strategy.tune(words(), data, TASK, run=run()).outputs(test, run=run()) for _ in range(2))
    np.testing.assert_array_equal(flat(one), flat(other))
    before = Probe().fit(words(), data, TASK, run=run()).model.outputs(test.items)
    right = [flat(outputs).argmax(axis=1) == flat(TASK.encode(test.labels or ())) for outputs in (before, one)]
    assert right[1].mean() > right[0].mean()


def test_documents_without_a_word_teach_nothing_and_stop_nothing() -> None:
    empty = Dataset("text", (Document.of_text(""),) * 3, ("a", "b", "c"), labels=("[]",) * 3, kind="tagging")
    full = tagged(12)
    data = replace(
        full,
        items=(*full.items, *empty.items),
        places=(*full.places, *empty.places),
        labels=(*(full.labels or ()), *(empty.labels or ())),
    )
    tuned = FineTune(last=1, steps=6, batch=2).tune(words(), data, TASK, run=run())
    assert [len(each) for each in tuned.outputs(empty, run=run())] == [0, 0, 0]


def test_smoothing_is_not_for_tags() -> None:
    with pytest.raises(OptionError, match="smoothing needs classes or labels, found tagging"):
        FineTune(smoothing=0.2).check_task(TASK)
    FineTune(smoothing=0.1).check_task(TASK)


@pytest.mark.parametrize(
    ("head", "fix"), [("knn", r"Use probe\(\)"), ("nearest_mean", r"Use probe\(head='logistic'\)\.$")]
)
def test_heads_that_answer_once_per_item_are_refused(head, fix) -> None:
    with pytest.raises(OptionError, match=f"found tagging.*{fix}"):
        Probe(head=head).fit(words(), tagged(20), TASK, run=run())


def test_some_documents_are_whole_groups_with_enough_words() -> None:
    data = tagged(60, groups=tuple(f"g{i // 3}" for i in range(60)))
    sizes = words_each(data)
    some = some_documents(data, sizes, seed=0, words=100)
    groups = set(some.groups or ())
    assert len(some) == 3 * len(groups)
    total = sum(len(item.words) for item in some.items)
    assert 100 <= total < 100 + 3 * 12
    assert some_documents(data, sizes, seed=0, words=10**6) is data
    assert len(some_documents(data, sizes, seed=0, most=9)) == 9
    assert some.places == tuple(sorted(some.places, key=int))


def test_a_probe_of_many_words_is_chosen_on_some_and_fitted_on_all(monkeypatch) -> None:
    data = tagged(90)
    monkeypatch.setattr("headstart.strategies._documents.some_documents.__kwdefaults__", {"words": 150, "most": None})
    fitted = Probe().fit(words(), data, TASK, run=run())
    chosen_on = str(fitted.chosen["chosen on"])
    assert chosen_on.endswith("of 90 documents")
    assert int(chosen_on.split()[0]) < 90
    again = Probe().refit(words(), data, TASK, chosen=fitted.chosen, run=run())
    np.testing.assert_array_equal(fitted.model.head.weights, again.head.weights)


def test_how_a_word_is_read_is_chosen_once_and_said() -> None:
    data, said, kept = tagged(40), [], {}

    def decide(name, choose):
        return kept.setdefault(name, kept.get(name) or choose())

    choosing = replace(run(), say=said.append, decide=decide)
    (one,) = reading_for([backbones.load("toy:text")], data, TASK, run=choosing)
    assert one.pooling_of_words in ("first", "mean")
    assert len(said) == 1
    assert "held-out loss on 40 documents: first 0." in said[0]
    (again,) = reading_for([backbones.load("toy:text")], data, TASK, run=choosing)
    assert (again.pooling_of_words, len(said)) == (one.pooling_of_words, 1)
    assert reading_for([one], data, TASK, run=choosing) == (one,)
    plain = backbones.load("toy:text")
    assert reading_for([plain], data, task_from_labels("classification", ["a", "b"]), run=choosing) == (plain,)


def test_networks_that_cannot_read_words_are_left_out_and_said() -> None:
    said: list[str] = []
    wrong, right = backbones.load("toy:image"), words()
    telling = replace(run(), say=said.append)
    assert reading_for([wrong, right], tagged(20), TASK, run=telling) == (right,)
    assert said[0].startswith("Left out: ")
    assert "toy:image" in said[0]
    with pytest.raises(BackboneError):
        reading_for([wrong], tagged(20), TASK, run=telling)


def test_half_of_some_documents_are_lent_where_some_are() -> None:
    data = replace(tagged(300), lent=(False,) * 20 + (True,) * 280)
    sizes = words_each(data)
    some = some_documents(data, sizes, seed=0, words=1000)
    assert len(some.own) == 20
    assert 500 <= sum(len(item.words) for item in some.items[20:]) < 515
    assert len(some_documents(data, sizes, seed=0, most=10).own) == 5
