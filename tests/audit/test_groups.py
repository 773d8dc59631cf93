"""How much a random split flatters: a lot where items of a group are alike, not at all where they are not."""

import numpy as np

from headstart.audit import flattery


def grouped(spread: float, *, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """60 patients of five pictures; what patients differ by, and a weak sign of the class."""
    rng = np.random.default_rng(seed)
    groups = np.repeat(np.arange(60), 5)
    y = (groups % 2).astype(int)
    X = spread * rng.normal(size=(60, 40))[groups] + rng.normal(size=(300, 40)) * 0.3
    X[:, 0] += 0.4 * y
    return X.astype(np.float32), y, groups


def test_patients_that_are_known_flatter():
    X, y, groups = grouped(2.0)
    found = flattery(X, y, copies=np.arange(300), groups=groups, n_classes=2, seed=0)
    assert found.random > found.grouped + 0.1
    assert 0 < found.low < found.difference < found.high
    assert found.n_groups == 60
    np.testing.assert_allclose(found.seeds.mean(axis=0), [found.random, found.grouped])


def test_groups_that_say_nothing_do_not():
    X, y, groups = grouped(0.0)
    found = flattery(X, y, copies=np.arange(300), groups=groups, n_classes=2, seed=0)
    assert found.low <= 0 <= found.high
    again = flattery(X, y, copies=np.arange(300), groups=groups, n_classes=2, seed=0)
    assert (again.seeds == found.seeds).all()
    assert (again.low, again.high) == (found.low, found.high)
