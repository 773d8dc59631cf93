"""Rank and curve on tagged texts end to end: what is counted, what is compared, and what may be undefined."""

import re
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

import headstart
from headstart import CurveOptions, RankOptions, backbones
from headstart.errors import BackboneError, DataError, OptionError
from headstart.evaluation import Fold
from headstart.pipeline import _draws
from headstart.strategies import Probe, Tuning
from headstart.tasks import ragged, read_tags
from tests.tagged import make_tagged, write_conll

QUICK = CurveOptions(backbone="toy:text", offline=True, seeds=2, most=40)
SHORT = replace(QUICK, most=12)


@pytest.fixture
def _few_steps(monkeypatch):
    """Train every network for a moment only."""
    tune = Tuning.tune
    monkeypatch.setattr(Tuning, "tune", lambda self, *args, **kwargs: tune(replace(self, steps=3), *args, **kwargs))


@pytest.fixture
def tagged_file(tmp_path):
    return write_conll(tmp_path / "tagged.conll", *make_tagged(90))


def spy_on_probes(monkeypatch):
    seen, fit = [], Probe.fit
    monkeypatch.setattr(
        Probe, "fit", lambda self, b, train, *a, **k: seen.append(train) or fit(self, b, train, *a, **k)
    )
    return seen


@pytest.mark.usefixtures("_few_steps")
def test_three_arms_are_measured_by_entities_against_the_number_of_texts(tagged_file, tmp_path):
    said = []
    result = headstart.curve(tagged_file, tmp_path / "c.png", options=QUICK, say=said.append)
    assert list(result.points) == ["probe", "finetuned", "scratch"]
    assert {tuple(point.n for point in points) for points in result.points.values()} == {(8, 14, 23, 40)}
    assert (result.metric, result.task, result.n_test) == ("entity_f1", "text-tagging", 30)
    assert result.points["probe"][-1].value > result.points["scratch"][-1].value
    assert result.unit == result.to_dict()["unit"] == "labelled texts"
    assert "labelled texts" in result.sentence
    assert "100 more labelled texts than 40 would bring about" in result.next_sentence
    assert "entity F1" in result.next_sentence
    assert any(note.startswith("Labelled texts: 8, 14, 23, 40; 2 seeds. Fine-tuned means finetune(") for note in said)
    assert any("a word's features are the mean over its tokens" in note for note in said)
    assert (tmp_path / "c.png").stat().st_size > 0


@pytest.mark.usefixtures("_few_steps")
def test_subsets_are_nested_and_every_type_is_in_the_smallest(tagged_file, monkeypatch):
    seen = spy_on_probes(monkeypatch)
    headstart.curve(tagged_file, options=SHORT)
    assert [len(train) for train in seen] == [8, 12] * 2
    for few, more in pairwise(seen):
        assert len(few) > len(more) or {item.text for item in few.items} < {item.text for item in more.items}
    for train in seen:
        assert {tag[2:] for label in train.labels for tag in read_tags(label) if tag != "O"} == {"animals", "weather"}


def without_entities(monkeypatch, sizes):
    """Let a network that has seen so few texts predict no entity, and one that has seen more all of them."""

    def fold(y, probabilities, n_train, *rest):
        told = ragged(np.eye(5)[np.zeros_like(each) if n_train in sizes else each] for each in y)
        return Fold(y, told, n_train, *rest)

    monkeypatch.setattr(_draws, "Fold", fold)


@pytest.mark.usefixtures("_few_steps")
def test_a_size_at_which_the_metric_is_undefined_has_no_point(tagged_file, monkeypatch):
    without_entities(monkeypatch, (8,))
    said = []
    result = headstart.curve(tagged_file, options=replace(SHORT, metric="entity_precision"), say=said.append)
    assert [point.n for point in result.points["probe"]] == [12]
    assert "There is no point of probe with 8 labelled texts: entity_precision is not defined" in " ".join(said)


@pytest.mark.usefixtures("_few_steps")
def test_an_f1_of_nothing_predicted_is_zero_and_a_metric_undefined_everywhere_is_refused(tagged_file, monkeypatch):
    without_entities(monkeypatch, (8, 12))
    result = headstart.curve(tagged_file, options=SHORT)
    assert [point.value for point in result.points["probe"]] == [0.0, 0.0]
    assert result.saving is None
    assert result.sentence == (
        "How many labelled texts transfer saves cannot be told: from scratch nothing is learnt with up to 12 "
        "(0.00 entity F1)."
    )
    with pytest.raises(DataError, match="entity_precision is not defined on a test part of probe"):
        headstart.curve(tagged_file, options=replace(SHORT, metric="entity_precision"))


def test_sizes_count_types_and_too_few_texts_are_refused(tagged_file):
    with pytest.raises(OptionError, match="expected at least 8 labelled texts, found 5"):
        headstart.curve(tagged_file, options=replace(QUICK, most=5))


def test_a_network_without_a_tokenizer_has_no_curve(tagged_file):
    body = backbones.load("toy:text").network["layers"][0]
    own = backbones.Backbone.from_module([("body", body)], hashed, modality="text", name="own")
    with pytest.raises(BackboneError, match="no tokenizer"):
        headstart.curve(tagged_file, options=replace(QUICK, backbone=own))


def hashed(text):
    import torch

    return torch.full((16,), float(len(str(text))))


def test_candidates_for_words_come_best_first(tagged_file, tmp_path):
    toy = backbones.load("toy:text")
    others = tuple(replace(backbones.from_scratch(toy, seed=k), name=f"other {k}") for k in (1, 2))
    options = RankOptions(backbones=(toy, *others), offline=True)
    result = headstart.rank(tagged_file, tmp_path / "r.png", options=options)
    values = result.to_dict()
    assert values["task"] == "text-tagging"
    assert values["signal"] is True
    assert 60 <= values["n"] <= 90
    assert all(each["error"] is None for each in values["candidates"])
    assert (tmp_path / "r.png").stat().st_size > 0


@pytest.mark.shared
@pytest.mark.slow
def test_real_tweets_are_ranked_by_what_reads_their_words(shared):
    toy = backbones.load("toy:text")
    result = headstart.rank(
        shared / "data/ner/wnut17", options=RankOptions(backbones=(toy, "starter:minilm-l6"), offline=True)
    )
    assert result.shortlist == ("starter:minilm-l6", "toy:text")
    assert result.ranking.signal.detected
    best = result.ranking.candidates[0]
    assert best.scores["probe"] > result.ranking.candidates[1].scores["probe"] + 0.1


@pytest.mark.shared
@pytest.mark.slow
def test_real_tweets_have_a_curve(shared, tmp_path, monkeypatch):
    tune = Tuning.tune
    monkeypatch.setattr(Tuning, "tune", lambda self, *args, **kwargs: tune(replace(self, steps=5), *args, **kwargs))
    for part in ("train", "test"):
        sentences = re.split(r"\n\s*\n", (shared / f"data/ner/wnut17/{part}.conll").read_text())[:300]
        (tmp_path / f"{part}.conll").write_text("\n\n".join(sentences) + "\n")
    options = CurveOptions(backbone="starter:minilm-l6", offline=True, seeds=2, most=40)
    result = headstart.curve(tmp_path, options=options)
    assert result.n_test == 300
    sizes = [point.n for point in result.points["probe"]]
    assert (sizes[0], sizes[-1]) == (12, 40)  # two of each of six types
    assert result.points["probe"][-1].value > result.points["scratch"][-1].value + 0.04
