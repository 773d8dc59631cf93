"""How unlike the training data an item is."""

import numpy as np
from sklearn.covariance import LedoitWolf

from headstart.confidence import Confidence, fit_novelty


def features(n: int, *, seed: int, shift: float = 0.0, width: int = 40) -> np.ndarray:
    rng = np.random.default_rng(seed)
    mixing = np.random.default_rng(99).normal(size=(width, width)) / np.sqrt(width)
    return (rng.normal(size=(n, width)) @ mixing + shift).astype(np.float32)


def test_new_items_of_the_same_kind_are_spread_evenly_and_others_are_far() -> None:
    found = fit_novelty(features(400, seed=0), np.arange(400), seed=0)
    assert found is not None
    same, other = found.of(features(2000, seed=1)), found.of(features(200, seed=2, shift=3.0))
    assert 0.02 < (same > 0.95).mean() < 0.09
    assert abs(same.mean() - 0.5) < 0.05
    assert other.min() > 0.99


def test_with_few_features_the_distance_is_mahalanobis_under_ledoit_and_wolf() -> None:
    X, new = features(300, seed=0, width=10), features(50, seed=1, width=10)
    found = fit_novelty(X, np.arange(300), seed=0)
    assert found is not None
    mean, scale = X.mean(axis=0, dtype=float), X.std(axis=0, dtype=float)
    reference = LedoitWolf(assume_centered=True).fit((X - mean) / scale)
    np.testing.assert_allclose(
        found.normal.distances(new.astype(float)), reference.mahalanobis((new - mean) / scale), rtol=1e-6
    )


def test_more_features_than_examples_are_no_trouble() -> None:
    found = fit_novelty(features(40, seed=0, width=300), np.arange(40), seed=0)
    assert found is not None
    assert np.isfinite(found.of(features(10, seed=1, width=300))).all()


def test_a_feature_that_never_varied_says_nothing() -> None:
    X = features(100, seed=0)
    X[:, 3] = 7.0
    found = fit_novelty(X, np.arange(100), seed=0)
    changed = X.copy()
    changed[:, 3] = -100.0
    assert found is not None
    assert np.array_equal(found.of(X), found.of(changed))


def test_members_of_a_group_are_left_out_together() -> None:
    centres = features(60, seed=0)
    X = np.repeat(centres, 5, axis=0) + 0.01 * features(300, seed=1)
    together = fit_novelty(X, np.repeat(np.arange(60), 5), seed=0)
    alone = fit_novelty(X, np.arange(300), seed=0)
    assert together is not None
    assert alone is not None
    assert np.median(together.known) > np.median(alone.known)


def test_too_few_examples_or_groups_say_nothing() -> None:
    assert fit_novelty(features(19, seed=0), np.arange(19), seed=0) is None
    assert fit_novelty(features(40, seed=0), np.arange(40) % 4, seed=0) is None


def test_the_same_seed_gives_the_same_and_what_is_kept_comes_back_from_arrays() -> None:
    X, new = features(1200, seed=0), features(100, seed=1)
    first, second = (fit_novelty(X, np.arange(1200), seed=3) for _ in range(2))
    assert first is not None
    assert second is not None
    assert np.array_equal(first.known, second.known)
    back = Confidence.from_arrays(Confidence(novelty=first).to_arrays()).novelty
    assert back is not None
    np.testing.assert_allclose(back.of(new), first.of(new), atol=2e-3)
