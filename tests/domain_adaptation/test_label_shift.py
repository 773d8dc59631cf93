"""Shares of classes in the target."""

import numpy as np
import pytest

from headstart.domain_adaptation import for_shares, shares_interval, target_shares
from headstart.errors import OptionError
from headstart.linear import LinearModel

BEFORE = np.array([0.5, 0.5])


def answers(n, shares, *, seed=0, apart=1.5):
    """Exact probabilities of a model of two normal classes of equal shares, on examples of other shares."""
    rng = np.random.default_rng(seed)
    y = rng.choice(2, size=n, p=shares)
    x = rng.normal(size=n) + apart * y
    odds = np.exp(apart * x - apart**2 / 2)
    return np.column_stack([1 / (1 + odds), odds / (1 + odds)]), y


def test_shares_are_found():
    p, y = answers(5000, [0.85, 0.15])
    assert target_shares(p, BEFORE)[1] == pytest.approx(y.mean(), abs=0.02)
    assert (p.argmax(axis=1)).mean() > 0.2  # counting answers would be wrong


def test_they_solve_the_equation_of_maximum_likelihood():
    p, _ = answers(400, [0.7, 0.3])
    q = target_shares(p, BEFORE)
    joint = p * q / BEFORE
    assert np.allclose((joint / joint.sum(axis=1, keepdims=True)).mean(axis=0), q, atol=1e-4)
    assert q.sum() == pytest.approx(1)


def test_equal_shares_stay():
    p, y = answers(4000, [0.5, 0.5])
    assert target_shares(p, BEFORE)[1] == pytest.approx(y.mean(), abs=0.03)


def test_a_class_that_training_lacks_has_no_share():
    p, _ = answers(50, [0.5, 0.5])
    three = np.column_stack([p * 0.9, np.full(50, 0.1)])
    q = target_shares(three, np.array([0.5, 0.5, 0.0]))
    assert q[2] == 0
    assert q.sum() == pytest.approx(1)


def test_intervals_hold_the_share_about_as_often_as_they_say():
    held = 0
    for seed in range(40):
        p, _ = answers(200, [0.8, 0.2], seed=seed)
        low, high = shares_interval(p, BEFORE, seed=0)
        held += low[1] <= 0.2 <= high[1]
    assert held >= 34


def test_a_head_for_other_shares_is_bayes():
    head = LinearModel(np.array([[0.0], [1.0]], dtype=np.float32), np.zeros(2, dtype=np.float32))
    X = np.array([[0.3], [-2.0]], dtype=np.float32)
    p = head.probabilities(X) * [1.6, 0.4]
    found = for_shares(head, before=BEFORE, after=np.array([0.8, 0.2])).probabilities(X)
    assert np.allclose(found, p / p.sum(axis=1, keepdims=True), atol=1e-6)


def test_models_of_labels_have_no_shares():
    head = LinearModel(np.zeros((2, 1), dtype=np.float32), np.zeros(2, dtype=np.float32), link="sigmoid")
    with pytest.raises(OptionError, match="classes that exclude each other"):
        for_shares(head, before=BEFORE, after=BEFORE)
