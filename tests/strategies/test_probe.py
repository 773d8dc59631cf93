"""The probe chooses its settings inside the training part and learns what can be learnt."""

from dataclasses import replace

import numpy as np
import pytest

from headstart import backbones, strategies
from headstart.data import Dataset
from headstart.errors import OptionError
from headstart.evaluation import all_metrics, majority_baseline
from headstart.features import FeatureSource
from headstart.strategies import Probe, Run
from headstart.tasks import Classification, task_from_labels
from tests.conftest import make_texts


def labelled(n: int, *, seed: int = 0, **columns: tuple[str, ...]) -> Dataset:
    texts, labels = make_texts(n, seed=seed)
    return Dataset("text", tuple(texts), tuple(map(str, range(n))), labels=tuple(labels), **columns)


def fit(strategy: Probe, train: Dataset, metric: str = "accuracy") -> strategies.Fitted:
    assert train.labels is not None
    run = Run(FeatureSource(), metric=metric)
    return strategy.fit(backbones.load("toy:text"), train, Classification.from_labels(train.labels), run=run)


@pytest.mark.parametrize("head", ["logistic", "nearest_mean", "knn"])
def test_every_head_learns_the_topics_of_new_sentences(head):
    fitted = fit(Probe(head=head), labelled(150))
    test = labelled(60, seed=9)
    assert np.mean(np.array(fitted.model.predict(test.items)) == np.array(test.labels)) > 0.6
    assert len(fitted.fold_values) == 5
    assert fitted.chosen["view"] in ("last", "mean")
    np.testing.assert_allclose(fitted.model.predict_proba(test.items).sum(axis=1), 1, atol=1e-5)


def test_the_view_with_the_lower_cross_validated_loss_is_kept():
    train = labelled(120)
    losses = {}
    for view in ("last", "mean"):
        backbone = backbones.load("toy:text")
        only = replace(backbone, pool=None) if view == "last" else backbone
        run = Run(FeatureSource())
        losses[view] = Probe().fit(only, train, Classification.from_labels(train.labels), run=run)
    assert losses["mean"].log_loss <= losses["last"].log_loss
    assert losses["last"].model.view == "last"


def test_class_weights_follow_the_metric_unless_named():
    kept = [i for i in range(150) if i % 3 == 0 or i < 45]
    train = labelled(150).take(kept)
    rare = [name for name in set(train.labels) if train.labels.count(name) < 20]

    def rare_mass(strategy: Probe, metric: str) -> float:
        model = fit(strategy, train, metric).model
        columns = [model.task.classes.index(name) for name in rare]
        return float(model.predict_proba(labelled(60, seed=5).items)[:, columns].sum())

    plain, alike = rare_mass(Probe(), "accuracy"), rare_mass(Probe(), "macro_f1")
    assert alike > plain
    assert rare_mass(Probe(class_weight="balanced"), "accuracy") == pytest.approx(alike)
    assert rare_mass(Probe(class_weight="none"), "macro_f1") == pytest.approx(plain)


def several(n: int, kind: str, *, seed: int = 0) -> Dataset:
    """Sentences with the topics of two, or with how much they are about the first."""
    (texts, topics), (others, other_topics) = make_texts(n, seed=seed), make_texts(n, seed=seed + 1)
    partner = np.random.default_rng(seed).permutation(n)
    pairs = [(topics[i], other_topics[j]) for i, j in enumerate(partner)]
    joined = tuple(f"{texts[i]} {others[j]}" for i, j in enumerate(partner))
    if kind == "multilabel":
        labels = ["|".join(sorted(set(pair))) for pair in pairs]
    else:
        labels = [str(100 + 7.5 * pair.count("animals")) for pair in pairs]
    return Dataset("text", joined, tuple(map(str, range(n))), labels=tuple(labels), kind=kind)


@pytest.mark.parametrize("head", ["logistic", "knn"])
@pytest.mark.parametrize(("kind", "metric"), [("multilabel", "micro_f1"), ("regression", "rmse")])
def test_label_sets_and_values_are_learnt_too(head, kind, metric):
    train, test = several(150, kind), several(60, kind, seed=9)
    task = task_from_labels(kind, train.labels)
    run = Run(FeatureSource(), metric=metric)
    fitted = Probe(head=head).fit(backbones.load("toy:text"), train, task, run=run)
    view = run.features.features(fitted.model.backbone, test, view=fitted.model.view)
    outputs, y = fitted.model.head.outputs(view), task.encode(test.labels)
    constant = majority_baseline(task.encode(train.labels), n_classes=task.n_outputs).predict(
        np.arange(150), np.arange(60)
    )
    name = "log_loss" if kind == "multilabel" else "rmse"
    assert all_metrics(y, outputs)[name] < 0.9 * all_metrics(y, constant)[name]
    assert len(fitted.fold_values) == 5
    assert np.isfinite(fitted.fold_values).all()
    assert fitted.loss == fitted.log_loss < (0.7 if kind == "multilabel" else 1.0)


def test_a_head_or_metric_of_another_kind_of_task_is_refused():
    train = several(20, "regression")
    task, backbone = task_from_labels("regression", train.labels), backbones.load("toy:text")
    with pytest.raises(OptionError, match=r"probe\(head='nearest_mean'\) needs classes, found regression. Use probe"):
        Probe(head="nearest_mean").fit(backbone, train, task, run=Run(FeatureSource(), metric="rmse"))
    with pytest.raises(OptionError, match="found 'accuracy', which is one of classification"):
        Probe().fit(backbone, train, task, run=Run(FeatureSource()))


def test_two_fits_with_one_seed_give_the_same_bits():
    first, second = (fit(Probe(), labelled(90)).model.head for _ in range(2))
    np.testing.assert_array_equal(first.weights, second.weights)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("probe", Probe()),
        ("probe()", Probe()),
        ("probe(head='knn', k=3)", Probe(head="knn", k=3)),
        ('probe(class_weight="balanced")', Probe(class_weight="balanced")),
    ],
)
def test_call_strings_become_strategies(text, expected):
    assert strategies.parse(text) == expected


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("thaw(last=2)", r"unknown strategy 'thaw\(last=2\)'. Known: ladder, probe"),
        ("prob", r"unknown strategy 'prob'. Did you mean 'probe'\? Known"),
        ("probe('knn')", "unknown strategy"),
        ("os.system('ls')", "unknown strategy"),
        ("probe(", r"expected a strategy such as probe\(head='knn'\), found 'probe\('"),
        ("probe(head='svm')", "'head' cannot be 'svm'.*head: 'logistic' or 'nearest_mean' or 'knn'"),
        ("probe(k=0)", "'k' cannot be 0.*k: a whole number from 1"),
        ("probe(k=True)", "'k' cannot be True"),
        ("probe(depth=3)", "'depth' cannot be 3"),
        ("probe(k=__import__('os'))", "'k' cannot be __import__"),
        ("probe(k={[]: 1})", r"'k' cannot be \{\[\]: 1\}"),
        ("probe(**{'k': 3})", "None cannot be"),
    ],
)
def test_a_call_string_that_does_not_fit_is_refused_and_never_run(text, message):
    with pytest.raises(OptionError, match=message):
        strategies.parse(text)


@pytest.mark.parametrize("view", ["last", "mean"])
def test_a_view_that_is_asked_for_is_the_one_that_is_read(view):
    assert fit(Probe(view=view), labelled(60)).model.view == view


def test_a_view_that_a_network_does_not_have_is_refused():
    train = labelled(60)
    only = replace(backbones.load("toy:text"), pool=None)
    with pytest.raises(OptionError, match="Write view='last'"):
        Probe(view="mean").fit(only, train, Classification.from_labels(train.labels), run=Run(FeatureSource()))
