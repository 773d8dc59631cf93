"""Heads adapted on features, on domains of which it is known what helps."""

import numpy as np
import pytest

from headstart.domain_adaptation import METHODS, importance_weights
from headstart.linear import fit_standardised, nearest_prototypes
from tests.domain_adaptation.domains import moved_classes


def accuracy(head, pair, hidden):
    return (head.probabilities(pair.target).argmax(axis=1) == hidden).mean()


def fitted(name, pair, *, strength=0.01):
    return METHODS[name]().fit(pair, strength=strength)


def test_without_adapting_the_head_is_that_of_the_source():
    pair, _ = moved_classes()
    head = fitted("none", pair)
    expected = fit_standardised(pair.source, pair.y, n_classes=3, strength=0.01)
    assert np.array_equal(head.weights, expected.weights)


@pytest.mark.parametrize("name", ["standardise", "coral", "linear_transport", "entropic_transport", "prototypes"])
def test_a_target_that_is_stretched_and_moved_is_read_again(name):
    pair, hidden = moved_classes()
    assert accuracy(fitted("none", pair), pair, hidden) < 0.8
    assert accuracy(fitted(name, pair), pair, hidden) > 0.9


@pytest.mark.parametrize("name", METHODS)
def test_a_target_that_is_not_moved_stays_readable(name):
    pair, hidden = moved_classes(moved=0.0, stretched=1.0)
    assert accuracy(fitted(name, pair), pair, hidden) > 0.95


@pytest.mark.parametrize("name", METHODS)
def test_heads_are_those_of_any_model_and_the_same_again(name):
    pair, _ = moved_classes()
    one, other = fitted(name, pair), fitted(name, pair)
    assert one.weights.shape == (3, 12)
    assert one.link == "softmax"
    assert np.array_equal(one.weights, other.weights)
    assert np.array_equal(one.bias, other.bias)


@pytest.mark.parametrize("name", METHODS)
def test_no_method_sees_a_label_of_the_target(name):
    """There is nowhere to put one: what comes out depends on the order of the target's rows in nothing."""
    pair, _ = moved_classes()
    order = np.random.default_rng(1).permutation(len(pair.target))
    other = fitted(name, type(pair)(pair.source, pair.y, pair.target[order], 3, pair.folds))
    if name == "importance_weighting":  # whose folds are drawn by place
        return
    assert np.allclose(other.weights, fitted(name, pair).weights, atol=2e-3)


def test_classes_of_other_shares_are_told_more_often_right():
    pair, hidden = moved_classes(n=900, width=2, moved=0.0, stretched=1.0, seed=4, target_shares=[0.9, 0.05, 0.05])
    assert accuracy(fitted("label_shift", pair), pair, hidden) > accuracy(fitted("none", pair), pair, hidden)


def test_weights_are_larger_where_the_target_is():
    rng = np.random.default_rng(0)
    source, target = rng.normal(size=(400, 2)), rng.normal(size=(400, 2), loc=[1.5, 0])
    weights = importance_weights(source.astype(np.float32), target.astype(np.float32), seed=0)
    exact = np.exp(1.5 * source[:, 0] - 1.5**2 / 2)
    assert weights.mean() == pytest.approx(1)
    assert np.corrcoef(np.log(weights), np.log(exact))[0, 1] > 0.95


def test_weights_of_a_few_rows_do_not_decide_alone():
    rng = np.random.default_rng(0)
    source, target = rng.normal(size=(300, 2)), rng.normal(size=(300, 2)) + 6
    weights = importance_weights(source.astype(np.float32), target.astype(np.float32), seed=0)
    assert weights.max() < 100


def test_prototypes_mend_single_answers():
    rng = np.random.default_rng(0)
    y = np.arange(200) % 2
    rows = rng.normal(size=(200, 5)) * 0.3 + np.where(y[:, None] == 1, 1.0, -1.0)
    wrong = np.where(rng.random(200) < 0.2, 1 - y, y)
    assert (nearest_prototypes(rows, np.eye(2)[wrong]) == y).mean() > 0.99
