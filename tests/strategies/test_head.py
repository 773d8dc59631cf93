"""The head that trains, its loss, and how it weighs and smooths classes and labels."""

from unittest.mock import patch

import numpy as np
import pytest
import torch
from scipy import special

from headstart.errors import OptionError
from headstart.features import FeatureSource
from headstart.linear import LinearModel
from headstart.strategies import FineTune, LoRA, Run, Scratch, finetune
from headstart.strategies._head import LinearHead, balanced_weights, task_loss
from tests.strategies.small import FAST, pictures, task_of, toy, tune
from tests.strategies.test_probe import several


def head_and_rows(spread: float, dead: int = 1) -> tuple[LinearModel, np.ndarray]:
    X = np.random.default_rng(0).normal(3, 2, (40, 6)).astype(np.float32)
    X[:, :dead] = (1 + X[:, :dead]) * np.float32(spread)
    scale = X.std(axis=0)
    weights = (np.random.default_rng(1).normal(size=(3, 6)) / np.where(scale > 0, scale, 1)).astype(np.float32)
    return LinearModel(weights, np.array([0.5, -1, 2], np.float32)), X


@pytest.mark.parametrize(("spread", "dead"), [(1e-29, 1), (1e-29, 5), (0.0, 2)])
def test_dead_features_send_no_large_gradients_back_and_count_as_their_mean(spread, dead):
    start, X = head_and_rows(spread, dead)
    head = LinearHead(start, X)
    rows = torch.from_numpy(X).requires_grad_()
    target = torch.zeros(40, dtype=torch.long)
    task_loss(head(rows), target, "classification").backward()
    assert rows.grad.abs().max() < 10
    expected = X.astype(np.float64)
    expected[:, :dead] = expected[:, :dead].mean(axis=0)
    np.testing.assert_allclose(head(rows).detach().numpy(), start.logits(expected), atol=1e-3)


def test_the_head_equals_the_probe_it_starts_from_before_and_after_folding():
    start, X = head_and_rows(1.0)
    head = LinearHead(start, X)
    np.testing.assert_allclose(head(torch.from_numpy(X)).detach().numpy(), start.logits(X), atol=1e-4)
    folded = head.fold("classification")
    np.testing.assert_allclose(folded.logits(X), start.logits(X), atol=1e-4)
    assert folded.link == "softmax"


def test_rare_classes_weigh_as_much_under_metrics_that_say_so():
    train = pictures(60)
    kept = [i for i, label in enumerate(train.labels) if label != "red" or i < 12]
    train = train.take(kept)
    strategy = FineTune(last=1, steps=20, batch=16, rate=1e-3)
    mass = []
    for metric in ("accuracy", "balanced_accuracy"):
        model = tune(strategy, toy(train), train, metric=metric).model
        mass.append(model.predict_proba(pictures(30, seed=3).items)[:, model.task.classes.index("red")].sum())
    assert mass[1] > mass[0]
    y = np.array([0, 0, 0, 2])
    np.testing.assert_allclose(balanced_weights(y, 3)[y].numpy(), [2 / 3, 2 / 3, 2 / 3, 2])


LABELS = np.array([[1, 0, 1], [0, 0, 1], [0, 0, 1], [0, 1, 1]], dtype=np.float32)


def test_the_weights_of_a_label_give_its_presence_and_absence_the_same_sum():
    weights = balanced_weights(LABELS, 3).numpy()
    np.testing.assert_allclose(weights[:, :2], [[4 / 6, 4 / 6], [4 / 2, 4 / 2]])
    assert weights[1, 2] == 1
    each = np.where(LABELS > 0, weights[1], weights[0])
    np.testing.assert_allclose(each.mean(axis=0), 1)
    for label in (0, 1):
        assert each[LABELS[:, label] > 0, label].sum() == pytest.approx(each[LABELS[:, label] == 0, label].sum())


@pytest.mark.parametrize("smoothing", [0.0, 0.2])
@pytest.mark.parametrize("weighted", [False, True])
def test_the_loss_of_labels_is_smoothed_towards_a_half_and_weighed(smoothing, weighted):
    scores = np.random.default_rng(0).normal(size=(4, 3)).astype(np.float32)
    weights = balanced_weights(LABELS, 3) if weighted else None
    found = task_loss(
        torch.from_numpy(scores), torch.from_numpy(LABELS), "multilabel", smoothing=smoothing, weights=weights
    )
    p, total = special.expit(scores.astype(np.float64)), 0.0
    for row in range(4):
        for label in range(3):
            wanted = LABELS[row, label] * (1 - smoothing) + smoothing / 2
            nats = -(wanted * np.log(p[row, label]) + (1 - wanted) * np.log(1 - p[row, label]))
            having = LABELS[:, label].sum() if LABELS[row, label] else 4 - LABELS[:, label].sum()
            share = 4 / (2 * having) if weighted and label < 2 else 1.0
            total += share * nats
    assert float(found) == pytest.approx(total / 12, rel=1e-5)


def test_the_loss_of_classes_is_smoothed_over_all_of_them_and_of_values_is_squared():
    scores, y = torch.tensor([[2.0, 0.0, -1.0]]), torch.tensor([0])
    logs = special.log_softmax([2.0, 0.0, -1.0])
    expected = -(0.7 * logs[0] + 0.1 * logs.sum())
    assert float(task_loss(scores, y, "classification", smoothing=0.3)) == pytest.approx(expected)
    assert float(task_loss(scores[:, :1], torch.tensor([0.5]), "regression", smoothing=0.3)) == pytest.approx(2.25)


@pytest.mark.parametrize("name", ["finetune", "lora", "scratch"])
@pytest.mark.parametrize(("metric", "weighted"), [("macro_f1", True), ("micro_f1", False)])
def test_training_weighs_labels_alike_under_metrics_that_say_so_and_smooths_them(name, metric, weighted):
    train, seen = several(24, "multilabel"), []

    def spy(*arguments, **more):
        seen.append(more)
        return task_loss(*arguments, **more)

    with patch.object(finetune, "task_loss", spy):
        tune(FAST[name], toy(train), train, metric=metric)
    assert {more["smoothing"] for more in seen} == {0.1}
    task = task_of(train)
    expected = balanced_weights(task.encode(train.labels), task.n_outputs)
    assert all((more["weights"] is None) != weighted for more in seen)
    assert not weighted or torch.equal(seen[0]["weights"], expected)


@pytest.mark.parametrize("kind", [FineTune, LoRA, Scratch])
def test_smoothing_of_values_is_refused_where_it_was_asked_for(kind):
    train, source = several(20, "regression"), FeatureSource()
    for method in (kind(smoothing=0.2).fit, kind(smoothing=0.2).tune):
        with pytest.raises(OptionError, match=r"smoothing needs classes or labels, found regression. Leave smoothing"):
            method(toy(train), train, task_of(train), run=Run(source, metric="rmse"))
    assert source.computed == 0
    kind(smoothing=0.0).check_task(task_of(train))
    kind().check_task(task_of(train))
