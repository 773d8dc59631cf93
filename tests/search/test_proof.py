"""What transfer is compared with: drawn alike, left out and said where it cannot be made, and held to the time left."""

import re
import time
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from headstart import backbones
from headstart.data import Dataset, Document, Plan
from headstart.errors import BackboneError, BudgetError, DataError, StoreError, TrainingError
from headstart.features import FeatureSource
from headstart.search import _proof
from headstart.search._problem import Problem
from headstart.search._proof import Measured, _some, compare_all, guarded, measure_baselines, random_weights, scratch
from headstart.strategies import Run, TuningForecast
from headstart.tasks import Tagging, ragged, write_tags
from tests.search.test_ladder import go, held_out, outer
from tests.search.test_scoring import values
from tests.strategies.small import task_of, tones, topics


def problem_of(dataset, plan=None, **run):
    task = task_of(dataset)
    y = np.asarray(task.encode(dataset.labels))
    networks = (backbones.load(f"toy:{dataset.modality}"),)
    return Problem(dataset, plan or held_out(dataset), task, networks, None, Run(FeatureSource(), **run), y)


@pytest.mark.parametrize("plan", [held_out, outer])
def test_a_model_whose_answers_have_no_ranks_is_left_out_and_said(plan):
    data, said = values(60), []
    outcome = go(data, plan=plan(data), metric="spearman", proof="quick", say=said.append)
    assert [name.split(",")[0] for name in outcome.baselines] == ["TF-IDF + ridge regression", "random weights"]
    (line,) = [line for line in said if line.startswith("No comparison with mean value: spearman is not defined on ")]
    assert "the values or the predictions are all equal" in line
    assert outcome.score.value > 0


def test_sounds_are_compared_with_their_cepstra_and_with_the_same_network_untrained():
    outcome = go(tones(45), proof="full")
    names = [re.sub(r" \(.*", "", name) for name in outcome.baselines]
    classical = "MFCC statistics + logistic regression"
    assert names == ["majority class", classical, "random weights, probe", "from scratch"]
    assert outcome.baselines[classical].value > outcome.baselines["majority class"].value + 0.3


def without_a_class():
    """Texts of which the test part lacks a class, scored by a metric that needs all of them."""
    data, said = topics(60), []
    few = np.array([i for i in range(40, 60) if data.labels[i] != "food"])
    return problem_of(data, Plan(np.arange(40), few, "test"), metric="auroc", say=said.append), said


def test_a_proof_whose_metric_is_not_defined_is_left_out_and_said():
    problem, said = without_a_class()
    (toy,) = problem.backbones
    ours = [problem.fold(problem.splits[0], np.full((len(problem.plan.test), 3), 1 / 3))]
    owed = SimpleNamespace(per_item=0.0, saving=0.0)
    assert random_weights(problem, toy) == {}
    assert scratch(problem, toy, ours, seconds=0.0, owed=owed) == {}
    assert compare_all(problem, ours, {"same": Measured(ours, 0.0)}) == {}
    heads = [line.split(" (")[0].split(":")[0] for line in said]
    assert heads == [f"No comparison with {name}" for name in ("random weights, probe", "from scratch", "same")]
    assert all(line.endswith("auroc is not defined on this test part: class 1 has no example there.") for line in said)


@pytest.mark.parametrize("kind", [BackboneError, BudgetError, DataError, StoreError, TrainingError])
def test_a_proof_that_fails_is_given_up_and_said(kind):
    def fail():
        raise kind("it broke")

    said = []
    assert guarded(problem_of(topics(30), say=said.append), fail, "the proof") == {}
    assert said == ["The proof was given up: it broke."]


def drawn(y, *, seed=0, part=None):
    part = np.arange(len(y)) if part is None else part
    return _some(SimpleNamespace(y=y, run=SimpleNamespace(seed=seed)), part)


def test_a_draw_has_every_class_and_else_their_shares():
    rng = np.random.default_rng(0)
    y = rng.permutation(np.repeat([0, 1, 2, 3], [4000, 990, 8, 2]))
    part = np.sort(rng.permutation(5000)[:4000])
    found = drawn(y, part=part)
    assert len(found) == 300 == len(set(found.tolist()) & set(part.tolist()))
    assert (np.diff(found) > 0).all()
    counts, shares = np.bincount(y[found], minlength=4), 300 * np.bincount(y[part], minlength=4) / 4000
    assert counts[2] >= 1
    assert (np.abs(counts - shares) <= 2).all()
    assert (counts > 0).tolist() == (shares > 0).tolist()
    assert found.tolist() == drawn(y, part=part).tolist() != drawn(y, part=part, seed=1).tolist()
    assert drawn(y, part=part[:300]).tolist() == part[:300].tolist()


def test_a_draw_of_several_labels_has_every_label_and_some_without_any():
    y = np.zeros((2000, 3), dtype=np.int64)
    y[:1500, 0] = 1
    y[1000:1700, 1] = 1
    y[[5, 1800], 2] = 1
    found = y[drawn(y)]
    assert (found.sum(axis=0) > 0).all()
    assert (found.sum(axis=1) == 0).sum() == pytest.approx(300 * 299 / 2000, abs=15)
    assert found[:, 0].mean() == pytest.approx(0.75, abs=0.05)


def test_a_draw_of_tagged_documents_has_every_type_and_some_without_any():
    tags = np.zeros((2000, 3), dtype=np.intp)
    tags[:1000, 1] = 1
    tags[[5, 1800], 2] = 3
    found = tags[drawn(ragged(tags))]
    assert (found == 3).any()
    assert (found[:, 1] == 1).sum() == pytest.approx(150, abs=3)


def tagged(n):
    """Texts, most of which name a place after "in"; words are known by where they stand in the text."""
    rng = np.random.default_rng(0)
    towns = rng.choice(["Rome", "Oslo", "Bern", "Kyiv", "Lima", "Rabat", "Quito"], n)
    items = tuple(Document.of_text(f"they met in {town},  yes") for town in towns)
    labels = tuple(write_tags(["O", "O", "O", "B-place", "O", "O"]) for _ in items)
    return Dataset("text", items, tuple(map(str, range(n))), labels=labels, kind="tagging")


def test_entities_are_compared_with_a_gazetteer_and_with_surface_features():
    data = tagged(40)
    task = Tagging(("place",))
    run = Run(FeatureSource(), metric="entity_f1")
    problem = Problem(data, held_out(data, 10), task, (), None, run, task.encode(data.labels))
    found = measure_baselines(problem, 1)
    assert list(found) == ["gazetteer", "surface features + logistic regression"]
    ours = [problem.fold(problem.splits[0], found["gazetteer"].folds[0].probabilities)]
    compared = compare_all(problem, ours, found)
    assert compared["gazetteer"].difference == 0
    assert compared["surface features + logistic regression"].value > 0.9


def test_a_draw_of_values_is_alike_in_their_quantiles():
    y = np.random.default_rng(0).lognormal(size=3000)
    ends = np.quantile(y, np.arange(1, 10) / 10)
    counts = np.bincount(np.searchsorted(ends, y[drawn(y)], side="right"), minlength=10)
    assert counts.tolist() == [30] * 10


class Slow:
    """A baseline that takes no time itself, and its items two thousandths of a second each to describe."""

    name = "slow"

    def __init__(self, n):
        time.sleep(0.002 * n)

    def predict(self, train, test):
        return np.full((len(test), 3), 1 / 3)


@pytest.mark.parametrize(("left", "kept"), [(0.4, False), (60.0, True), (None, True)])
def test_a_baseline_whose_items_take_too_long_to_describe_is_left_out_and_said(monkeypatch, left, kept):
    monkeypatch.setattr(_proof, "_described", lambda _problem, positions: Slow(len(positions)))
    deadline, said, decisions = None if left is None else time.monotonic() + 100 + left, [], {}

    def decide(name, choose):
        return decisions.setdefault(name, choose()) if name not in decisions else decisions[name]

    problem = problem_of(topics(400), say=said.append, deadline=deadline, decide=decide)
    found = measure_baselines(problem, 1, reserve=100.0)
    assert list(found) == ["majority class", *(["slow"] * kept)]
    assert said == ["The baseline slow was left out for lack of time."] * (not kept)
    if kept:
        assert found["slow"].seconds > 0.8
        return
    monkeypatch.setattr(_proof, "_described", lambda *_: pytest.fail("it was decided before"))
    later = replace(problem, run=replace(problem.run, deadline=None))
    assert list(measure_baselines(later, 1)) == ["majority class"]
    assert len(said) == 2


def test_training_from_scratch_leaves_time_to_predict_the_test_part(monkeypatch):
    monkeypatch.setattr(_proof, "forecast", lambda *_, **__: TuningForecast(0.0, 60.0, 1.0))
    monkeypatch.setattr(_proof, "FEWEST_STEPS", 30)
    problem = problem_of(topics(60))
    (toy,) = problem.backbones
    ours = [problem.fold(problem.splits[0], np.full((20, 3), 1 / 3))]

    def found(per_item):
        owed = SimpleNamespace(per_item=per_item, saving=10.0)
        hurried = replace(problem, run=replace(problem.run, deadline=time.monotonic() + 100))
        (name,) = scratch(hurried, toy, ours, seconds=1e9, owed=owed)
        return int(name.split("(")[1].split()[0])

    assert found(0.0) == 60
    assert 33 <= found(2.0) <= 35  # of 90 s, 52 are kept back
    with pytest.raises(BudgetError, match="30 steps need 160 s"):
        found(5.0)


def test_only_the_comparison_with_random_weights_is_of_something_else_than_ours():
    outcome = go(topics(60), proof="full")
    others = {name: other.compared for name, other in outcome.baselines.items()}
    assert [name.split(",")[0] for name, what in others.items() if what != "ours"] == ["random weights"]
    assert set(others.values()) == {"ours", "pretrained probe"}
