"""Ranking on tagged texts: words are scored, texts stay together, and what cannot read words is left out."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from headstart import backbones
from headstart.backbones import Backbone, word_backbone
from headstart.data import Dataset, Document
from headstart.errors import DataError
from headstart.features import FeatureSource
from headstart.tasks import flat, task_from_labels, write_tags
from headstart.transferability import Limits, rank
from headstart.transferability import _sample as sample_module
from headstart.transferability._sample import material_of
from tests.tagged import tagged


def network(name, *, seed=None):
    """The toy, or one whose words are told apart less well: its embeddings are nearly alike."""
    toy = backbones.load("toy:text")
    if seed is None:
        return replace(toy, name=name)
    other = replace(backbones.from_scratch(toy, seed=seed), name=name)
    for values in other.network["embedding"].parameters():
        values.data = values.data.mean(dim=0) + 1e-3 * values.data[:1].expand_as(values.data)
    return other


def ranked(networks, dataset, **more):
    task = task_from_labels("tagging", dataset.labels)
    return rank(dataset, networks, task=task, features=more.pop("features", None) or FeatureSource(), load=None, **more)


def material(dataset, *, seed=0):
    task = task_from_labels("tagging", dataset.labels)
    return material_of(dataset, task, FeatureSource(), Limits(), seed=seed)


def test_words_are_ranked_on_and_the_blind_network_comes_last():
    found = ranked([network("blind", seed=1), network("sees")], tagged(90))
    assert [each.name for each in found.candidates] == ["sees", "blind"]
    assert found.signal.detected
    best = found.candidates[0]
    assert set(best.scores) == {"neighbours", "h_score", "logme", "discriminant", "probe"}
    assert best.costs.milliseconds > 0
    assert 60 <= found.n <= 90  # texts
    assert any("words of" in note and "at most half of them outside entities" in note for note in found.notes)
    assert any("a word's features are the mean over its tokens" in note for note in found.notes)


def test_without_signal_that_is_said():
    dataset = tagged(60)
    rng = np.random.default_rng(0)
    words = [item.text.split() for item in dataset.items]
    mixed = tuple(Document.of_words([str(word) for word in rng.permutation(each)]) for each in words)
    found = ranked([network("sees")], replace(dataset, items=mixed))
    assert not found.signal.detected


def test_a_word_has_the_class_of_its_entity_whichever_word_of_it_it_is():
    dataset = tagged(60)
    found, y = material(dataset), task_from_labels("tagging", dataset.labels).encode(dataset.labels)
    task = task_from_labels("tagging", dataset.labels)
    sampled = np.asarray(task.encode(found.sample.labels))
    tags = [task.classes[number] for number in flat(sampled)[found.words]]
    names = ["O", *task.types]
    assert [names[number] for number in found.y] == [tag if tag == "O" else tag[2:] for tag in tags]
    assert found.n_classes == 3
    assert found.kind == "classification"
    assert found.labels_per_class == 20  # 20 sentences have an entity of each type
    assert sum((each > 0).sum() for each in y) == (found.y > 0).sum()  # every word of an entity
    assert (found.y == 0).sum() == (found.y > 0).sum()


def test_words_of_a_text_and_texts_of_a_group_are_never_on_both_sides():
    groups = tuple(f"g{i // 5}" for i in range(60))
    found = material(tagged(60, groups=groups))
    sizes = [len(item.words) for item in found.sample.items]
    document = np.repeat(np.arange(len(sizes)), sizes)[found.words]
    group = np.array(found.sample.groups)[document]
    assert all(len(set(group[found.units == unit])) == 1 for unit in np.unique(found.units))
    assert len(np.unique(found.units)) == len(set(group))
    for inside, outside in found.folds:
        assert not set(group[inside]) & set(group[outside])
        assert len(inside) + len(outside) == len(found.y)


def test_texts_without_a_chosen_word_are_not_run():
    features = FeatureSource()
    found = ranked([network("sees")], tagged(90), features=features)
    assert features.computed == found.n < 90


def test_of_many_words_only_some_texts_are_read(monkeypatch):
    monkeypatch.setattr(sample_module, "MOST_READ", 250)
    found = ranked([network("sees")], tagged(90))
    assert found.n <= 40
    assert found.notes[0].startswith("Ranked on ")
    assert found.notes[0].endswith(" of 90 training texts, alike in labels.")


def test_what_cannot_read_words_is_left_out_and_ends_nothing():
    body = torch.nn.Linear(4, 4)
    own = Backbone.from_module([("body", body)], lambda text: torch.zeros(4), modality="text", name="own")
    found = ranked([own, network("sees")], tagged(60))
    assert [(each.name, each.error is None) for each in found.candidates] == [("sees", True), ("own", False)]
    assert "no tokenizer" in found.candidates[1].error


def test_the_pooling_of_a_network_of_words_stays():
    features = FeatureSource()
    ranked([word_backbone(network("sees"), "first")], tagged(60), features=features)
    computed = features.computed
    ranked([network("sees")], tagged(60), features=features)
    assert features.computed == 2 * computed  # the mean is another thing


def test_the_tokenizer_tells_how_far_the_texts_are():
    found = ranked([network("sees")], tagged(60))
    assert "tokens a word" in found.candidates[0].similarity.sentence


def test_without_entities_there_is_nothing_to_rank_on():
    dataset = tagged(60)
    bare = replace(dataset, labels=tuple(write_tags(["O"] * len(item.words)) for item in dataset.items))
    with pytest.raises(DataError, match="expected words of entities to rank on, found none"):
        ranked([network("sees")], bare)


def test_an_empty_text_does_no_harm():
    dataset = tagged(60)
    with_empty = Dataset(
        "text",
        (Document("", ()), *dataset.items),
        ("empty", *dataset.places),
        labels=("[]", *dataset.labels),
        kind="tagging",
    )
    assert ranked([network("sees")], with_empty).candidates[0].error is None
