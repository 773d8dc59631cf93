"""Small problems of every kind, and the three whose scores are published or pinned."""

import numpy as np
import pytest
from sklearn.datasets import load_digits, load_iris


def features(n, width, *, seed=0, shift=1.0):
    """Correlated rows on scales of their own, not centred."""
    rng = np.random.default_rng(seed)
    return rng.normal(size=(n, width)) @ rng.normal(size=(width, width)) * np.geomspace(2, 0.2, width) / 3 + shift


def classes(n, width, n_classes, *, seed=0, apart=0.7):
    rng = np.random.default_rng(seed + 100)
    y = rng.permutation(np.arange(n) % n_classes)
    return features(n, width, seed=seed) + apart * rng.normal(size=(n_classes, width))[y], y


def labels(n, width, n_labels, *, seed=0):
    F, rng = features(n, width, seed=seed), np.random.default_rng(seed + 100)
    scores = (F - F.mean(axis=0)) @ rng.normal(size=(width, n_labels)) / width**0.5 - 0.3 * np.arange(n_labels)
    return F, (scores + rng.normal(size=scores.shape) > 0).astype(np.int64)


def values(n, width, *, seed=0):
    F, rng = features(n, width, seed=seed), np.random.default_rng(seed + 100)
    return F, 40 + 7 * ((F - F.mean(axis=0)) @ rng.normal(size=width) / width**0.5 + rng.normal(size=n))


def problem(kind, n=40, width=12, *, seed=0):
    """Features and target of a kind, and how many outputs it has."""
    if kind == "regression":
        return *values(n, width, seed=seed), 1
    if kind == "multilabel":
        return *labels(n, width, 3, seed=seed), 3
    return *classes(n, width, 3, seed=seed), 3


def pinned(name):
    """iris; digits: 600 rows / 16; relu: 300 random rectified features of the first 100."""
    if name == "iris":
        return load_iris(return_X_y=True)
    F, y = load_digits(return_X_y=True)
    F, y = F[:600] / 16, y[:600]
    if name == "digits":
        return F, y
    return np.maximum(F[:100] @ np.random.default_rng(0).normal(size=(64, 300)), 0), y[:100]


def source_probabilities(F):
    scores = F @ np.random.default_rng(1).normal(size=(F.shape[1], 20))
    scores = np.exp(scores - scores.max(axis=1, keepdims=True))
    return scores / scores.sum(axis=1, keepdims=True)


def alike(score, expected, *, rel=1e-5):
    """The same value and the same influence as expected values (N,) of which the score is the mean."""
    assert score.value == pytest.approx(expected.mean(), rel=rel)
    np.testing.assert_allclose(score.influence, expected - expected.mean(), rtol=rel, atol=rel)
