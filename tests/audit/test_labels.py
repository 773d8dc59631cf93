"""Labels that are probably wrong are found, ranked, and not where nothing says so."""

import builtins

import numpy as np
import pytest

from headstart.audit import label_errors, outliers
from headstart.errors import MissingExtraError


def told(y: np.ndarray, n_classes: int, *, sure: float = 0.9) -> np.ndarray:
    p = np.full((len(y), n_classes), (1 - sure) / (n_classes - 1))
    p[np.arange(len(y)), y] = sure
    return p


@pytest.mark.parametrize("n_classes", [2, 5])
def test_flipped_labels_are_listed_and_right_ones_are_not(n_classes):
    rng = np.random.default_rng(0)
    y = rng.integers(0, n_classes, 400)
    p = told(y, n_classes, sure=0.985)
    flipped = rng.permutation(400)[:20]
    wrong = y.copy()
    wrong[flipped] = (y[flipped] + 1) % n_classes
    found = label_errors(wrong, p)
    assert set(found.items) == set(flipped)
    assert (found.better == y[found.items]).all()
    assert (found.wrong > 0.5).all()
    assert found.wrong.max() <= 0.99
    np.testing.assert_allclose(found.given, p[found.items, wrong[found.items]])


def test_the_least_probable_label_comes_first():
    y = np.repeat([0, 1], 50)
    p = told(y, 2, sure=0.9)
    p[3], p[60] = (0.02, 0.98), (0.94, 0.06)
    p[7] = 0.45, 0.55  # hard, and not wrong
    assert label_errors(y, p).items.tolist() == [3, 60]


def test_a_class_without_items_and_a_single_class_are_no_trouble():
    y = np.repeat([0, 2], 30)
    p = told(y, 3, sure=0.98)
    p[5] = 0.01, 0.01, 0.98
    found = label_errors(y, p)
    assert found.items.tolist() == [5]
    assert found.better.tolist() == [2]
    assert not len(label_errors(np.zeros(9, dtype=int), np.ones((9, 1))).items)


def test_without_cleanlab_it_says_what_to_install(monkeypatch):
    plain = builtins.__import__

    def missing(name, *rest, **named):
        if name.startswith("cleanlab"):
            raise ImportError("no such thing")
        return plain(name, *rest, **named)

    monkeypatch.setattr(builtins, "__import__", missing)
    with pytest.raises(MissingExtraError, match="need cleanlab, which does not load .* pip install --upgrade cleanlab"):
        label_errors(np.repeat([0, 1], 9), told(np.repeat([0, 1], 9), 2))


def test_the_item_far_from_all_others_is_an_outlier_and_copies_are_no_neighbours():
    rng = np.random.default_rng(0)
    X = np.concatenate([np.ones((300, 1)), 0.1 * rng.normal(size=(300, 20))], axis=1)
    X[7, 0] = X[8, 0] = -1.0  # two copies of one odd item
    X[8] = X[7]
    X = (X / np.linalg.norm(X, axis=1, keepdims=True)).astype(np.float32)
    same = np.arange(300)
    same[8] = 7
    far, times = outliers(X, same=same)
    assert set(far) == {7, 8}
    assert (times > 3).all()
    assert not len(outliers(X[:4], same=np.arange(4))[0])
    assert not len(outliers(X[9:], same=np.arange(291))[0])
