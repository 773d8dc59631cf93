"""Ranking candidates: the good before the bad, the broken left out, decoys found out, and costs beside scores."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import nn

from headstart import backbones
from headstart.backbones import Backbone
from headstart.data import Dataset
from headstart.errors import BackboneError, DataError, OptionError
from headstart.features import FeatureSource, running_cost
from headstart.tasks import task_from_labels
from headstart.transferability import Limits, rank
from headstart.transferability import _candidates as candidates_module
from headstart.transferability import _prior as prior_module
from headstart.transferability import _ranking as ranking_module
from headstart.transferability import _sample as sample_module
from headstart.transferability._prior import prior_of
from headstart.transferability._similarity import Similarity

COLOURS = {"red": (1.0, 0.2, 0.2), "green": (0.2, 1.0, 0.2), "blue": (0.2, 0.2, 1.0)}


def pictures(n=60, *, seed=0, shuffled=False, groups=None):
    rng = np.random.default_rng(seed)
    labels = [list(COLOURS)[i % 3] for i in range(n)]
    items = tuple(
        (255 * np.clip(np.array(COLOURS[label]) * 0.5 + rng.normal(0.2, 0.25, (8, 8, 3)), 0, 1)).astype(np.uint8)
        for label in labels
    )
    if shuffled:
        labels = [labels[i] for i in rng.permutation(n)]
    return Dataset("image", items, tuple(map(str, range(n))), labels=tuple(labels), groups=groups)


class Channel(nn.Module):
    """Sees some of the colours only, with noise of its own."""

    def __init__(self, sees, seed=0):
        super().__init__()
        generator = torch.Generator().manual_seed(seed)
        self.mix = nn.Parameter(torch.randn(len(sees) * 4, 16, generator=generator))
        self.sees = list(sees)

    def forward(self, pixels):
        seen = pixels[:, self.sees]
        return nn.functional.adaptive_avg_pool2d(seen, 2).flatten(1) @ self.mix


def network(name, sees=(0, 1, 2), seed=0, breaks=False):
    module = Channel(sees, seed)
    backbone = Backbone.from_module([("body", module)], to_tensor, name=name)
    if breaks:

        def forward(_batch):
            raise RuntimeError("mat1 and mat2\nshapes cannot be multiplied")

        backbone = replace(backbone, blocks=(replace(backbone.blocks[0], forward=forward),))
    return backbone


def to_tensor(image):
    return torch.as_tensor(np.array(image), dtype=torch.float32).permute(2, 0, 1) / 255


def ranked(networks, dataset=None, **more):
    dataset = dataset or pictures()
    return rank(
        dataset,
        networks,
        task=task_from_labels(dataset.kind, dataset.labels),
        features=more.pop("features", None) or FeatureSource(),
        load=more.pop("load", None) or backbones.load,
        **more,
    )


def test_the_network_that_sees_the_labels_comes_first_and_the_blind_one_last():
    found = ranked([network("one", (0,)), network("all"), network("two", (0, 1))])
    names = [each.name for each in found.candidates]
    assert names[0] == "all"
    assert names[-1] == "one"
    assert found.signal.detected
    assert found.signal.p_value == pytest.approx(0.01)
    assert found.shortlist(2) == tuple(names[:2])
    best = found.candidates[0]
    assert best.interval[0] <= best.score <= best.interval[1]
    assert set(best.scores) == {"neighbours", "h_score", "logme", "discriminant", "probe"}
    assert best.costs.milliseconds > 0
    assert best.costs.memory_megabytes > best.costs.megabytes > 0
    assert best.costs.seconds > 0


def test_without_signal_that_is_said():
    found = ranked([network("a"), network("b", seed=1)], pictures(shuffled=True))
    assert not found.signal.detected
    assert any(note.startswith("No detectable signal") for note in found.notes)


def test_permuted_labels_are_found_to_be_without_signal_as_often_as_the_level_says():
    detected = [ranked([network("a")], pictures(45, seed=s, shuffled=True)).signal.detected for s in range(20)]
    assert sum(detected) <= 4  # 5 % of them by chance


def missing(name):
    raise BackboneError("there is no such folder", where=name, fix="Check the path.")


def test_a_broken_candidate_is_reported_in_its_place_and_ends_nothing():
    found = ranked(["dir:gone", network("broken", breaks=True), network("fine")], load=missing)
    assert [each.name for each in found.candidates] == ["fine", "dir:gone", "broken"]
    assert found.candidates[1].error == "dir:gone: there is no such folder. Check the path."
    assert found.candidates[2].error == "RuntimeError: mat1 and mat2 shapes cannot be multiplied"
    assert found.shortlist() == ("fine",)


def test_a_network_whose_features_are_not_numbers_is_reported():
    broken = network("nan")
    with torch.no_grad():
        broken.network[0].mix.fill_(float("nan"))
    found = ranked([network("fine"), broken])
    assert "not finite" in found.candidates[1].error or "finite" in found.candidates[1].error


def test_one_of_another_modality_is_reported():
    found = ranked([network("fine"), backbones.load("toy:text")])
    assert found.candidates[1].error == "toy:text: reads text and the data is image"


def test_where_all_are_broken_there_is_no_order_and_no_signal():
    found = ranked(["dir:gone"], load=missing)
    assert found.signal is None
    assert found.shortlist() == ()
    assert found.candidates[0].score is None


def test_no_candidates_are_refused():
    with pytest.raises(OptionError, match="expected candidates to rank, found none"):
        ranked([])


def test_data_of_one_group_is_refused_before_any_candidate():
    with pytest.raises(DataError, match="2 separate examples or groups"):
        ranked([network("a")], pictures(12, groups=("same",) * 12))


@pytest.mark.parametrize(
    ("limits", "words"),
    [
        (Limits(megabytes=1e-9), "expected at most 1e-09 MB (--max-size)"),
        (Limits(milliseconds=1e-9), "expected at most 1e-09 ms an item (--max-latency)"),
        (Limits(licences=("mit",)), "expected a licence among mit, found a licence that is not known"),
    ],
)
def test_limits_leave_out_and_say_which(limits, words):
    found = ranked([network("a")], limits=limits)
    assert words in found.candidates[0].error


def test_what_the_catalogue_says_is_too_large_is_not_even_loaded():
    def never(name):
        raise AssertionError(f"{name} was loaded")

    found = ranked(["timm:vgg16.tv_in1k"], load=never, limits=Limits(megabytes=100.0))
    assert "found 553.4" in found.candidates[0].error
    assert found.candidates[0].licence == "bsd-3-clause"


def test_a_later_ranking_computes_no_features_again():
    features = FeatureSource()
    first = ranked([network("a"), network("b", (0,))], features=features)
    computed = features.computed
    again = ranked([network("a"), network("b", (0,))], features=features)
    assert features.computed == computed == 120
    assert [each.score for each in first.candidates] == [each.score for each in again.candidates]


def test_of_many_examples_a_sample_is_looked_at(monkeypatch):
    monkeypatch.setattr(sample_module, "MOST_EXAMPLES", 30)
    found = ranked([network("a")])
    assert found.n == 30
    assert found.notes[0] == "Ranked on 30 of 60 training examples, alike in labels."


def test_an_interrupt_keeps_what_was_looked_at(monkeypatch):
    look = ranking_module.look_at

    def interrupted(material, candidate, load):
        if candidate.name == "second":
            raise KeyboardInterrupt
        return look(material, candidate, load)

    monkeypatch.setattr(ranking_module, "look_at", interrupted)
    found = ranked([network("first"), network("second"), network("third")])
    assert found.interrupted
    assert [(each.name, each.error) for each in found.candidates] == [
        ("first", None),
        ("second", "not looked at: interrupted"),
        ("third", "not looked at: interrupted"),
    ]
    with pytest.raises(KeyboardInterrupt):
        ranked([network("second")])


def test_the_true_labels_are_judged_like_any_other_labelling(monkeypatch):
    """Else they would stand out a little: by a spread that leaves them out."""
    scores = np.random.default_rng(0).normal(size=(20, 2))
    y = np.arange(6) % 2
    material = SimpleNamespace(y=y, shuffled=np.tile(np.arange(6), (19, 1)), kind="classification", units=y)

    def null(found):
        monkeypatch.setattr(candidates_module, "permuted_scores", lambda *_, **__: found)
        return candidates_module._null(material, None)

    turned = np.roll(scores, 1, axis=0)  # another one is the truth
    assert null(turned) == pytest.approx(np.roll(null(scores), 1))


def test_when_time_is_up_no_further_candidate_is_begun_once_there_is_one():
    found = ranked(["dir:gone", network("a"), network("b")], load=missing, until=0.0)
    assert [(each.name, each.error) for each in found.candidates if each.name != "dir:gone"] == [
        ("a", None),
        ("b", "not looked at for lack of time"),
    ]
    assert not found.interrupted


def test_a_candidate_is_called_what_it_was_asked_for_as():
    found = ranked(["timm:vgg16.tv_in1k"], load=lambda _: network("another name"))
    assert found.candidates[0].name == "timm:vgg16.tv_in1k"


def test_a_loaded_network_has_the_licence_that_the_catalogue_knows():
    found = ranked([network("timm:vgg16.tv_in1k"), network("mine")], limits=Limits(licences=("bsd-3-clause",)))
    assert [(each.licence, each.error is None) for each in found.candidates] == [("bsd-3-clause", True), (None, False)]


def test_a_warning_where_all_are_far_from_the_data_and_none_where_one_is_near(monkeypatch):
    def similarity(backbone, *_, **__):
        far = backbone.name.startswith("far")
        return Similarity("x", 0.9 if far else 0.1, far, f"{backbone.name} says so")

    monkeypatch.setattr(candidates_module, "similarity_of", similarity)
    texts = Dataset(
        "text",
        tuple(f"{word} {i}" for i in range(20) for word in ("good", "bad")),
        tuple(map(str, range(40))),
        labels=("a", "b") * 20,
    )
    toy = backbones.load("toy:text")
    far, near = replace(toy, name="far"), replace(toy, name="near")
    (note,) = (n for n in ranked([far, replace(toy, name="far too")], texts).notes if n.startswith("Warning"))
    assert note == "Warning: the data is far from what every candidate was trained on. far says so"
    assert not any(n.startswith("Warning") for n in ranked([far, near], texts).notes)


def test_prior_and_data_that_disagree_are_said(monkeypatch):
    sizes = {"all": 10, "two": 100, "one": 1000, "other": 1000}

    def parameters(names, numbers, per_class):
        return prior_of(names, [sizes[name] for name in names], per_class)

    monkeypatch.setattr(ranking_module, "prior_of", parameters)
    found = ranked([network("all"), network("two", (0, 1)), network("one", (0,)), network("other", (1,))])
    assert any("disagree on the order" in note for note in found.notes)
    assert not any("disagree" in note for note in ranked([network("all"), network("two", (0, 1))]).notes)


def test_the_prior_is_published_numbers_of_one_source_else_size():
    known = ["timm:mobilenetv3_small_100.lamb_in1k", "timm:vit_base_patch16_224.augreg2_in21k_ft_in1k", "dir:mine"]
    found = prior_of(known, [1, 2, 3], labels_per_class=10)
    assert found.what.startswith("published: ImageNet-1k top-1")
    assert found.weight == 1.0
    assert found.values[0] < found.values[2] == 0.0 < found.values[1]
    by_size = prior_of(["dir:a", "dir:b", "dir:c"], [10, 100, 1000], labels_per_class=10)
    assert by_size.what == "number of parameters"
    assert by_size.weight == prior_module.SIZE_COUNTS
    assert by_size.values.tolist() == sorted(by_size.values)


def test_values_and_several_labels_are_ranked_too():
    plain = pictures(48)
    brightness = tuple(f"{np.asarray(item)[..., 0].mean():.3f}" for item in plain.items)
    values = Dataset("image", plain.items, plain.places, labels=brightness, kind="regression")
    found = ranked([network("blind", (1,)), network("all")], values)
    assert [each.name for each in found.candidates] == ["all", "blind"]
    assert set(found.candidates[0].scores) == {"neighbours", "logme", "probe"}
    labels = tuple(f"{label}|warm" if label == "red" else label for label in plain.labels)
    several = Dataset("image", plain.items, plain.places, labels=labels, kind="multilabel")
    found = ranked([network("blind", (1,)), network("all")], several)
    assert found.candidates[0].name == "all"


def test_running_cost_counts_the_weights_and_the_largest_layer():
    body = nn.Sequential(nn.AdaptiveAvgPool2d(8), nn.Flatten(), nn.Linear(3 * 64, 8, bias=False))
    backbone = Backbone.from_module([("body", body)], to_tensor, name="n")
    found = running_cost(backbone, pictures(3).items)
    weights = 4 * (3 * 64 * 8) / 2**20
    assert found.weights_megabytes == pytest.approx(weights)
    largest = 4 * (3 * 64 + 3 * 64) / 2**20  # into and out of pooling, and of flattening
    assert found.memory_megabytes == pytest.approx(weights + largest)
    assert found.milliseconds > 0


def test_a_network_that_is_cut_off_keeps_licence_and_domain_but_no_published_quality():
    whole, short = (prior_module.facts(f"timm:vgg16.tv_in1k{cut}") for cut in ("", "#features.3"))
    assert (short.licence, short.domain) == (whole.licence, whole.domain)
    assert (short.prior, short.megabytes) == (None, None)
    assert whole.prior is not None
    assert prior_module.facts("dir:mine#features.3") is None


def test_differences_of_size_or_quality_that_mean_nothing_count_little():
    alike = prior_of(["dir:a", "dir:b", "dir:c"], [10_000_000, 10_000_000, 10_010_000], labels_per_class=10)
    assert np.abs(alike.values).max() < 0.01
    doubled = prior_of(["dir:a", "dir:b", "dir:c"], [10_000_000, 10_000_000, 40_000_000], labels_per_class=10)
    assert doubled.values[2] > 0.5


def test_what_a_network_says_of_itself_is_said():
    toy = backbones.load("toy:text")
    texts = Dataset(
        "text",
        tuple(f"{w} {i}" for i in range(9) for w in ("good", "bad")),
        tuple(map(str, range(18))),
        labels=("a", "b") * 9,
    )
    found = ranked([toy, replace(toy, name="drawn", notes=("random weights, not pretrained",))], texts)
    assert "drawn: random weights, not pretrained." in found.notes
