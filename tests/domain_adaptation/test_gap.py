"""How far apart two domains lie, on domains of which that is known."""

import numpy as np
import pytest

from headstart.domain_adaptation import class_shifts, discrepancy, measure_gap, unlike_anything
from headstart.errors import DataError
from tests.domain_adaptation.domains import rows


def both_halves(n=300, width=10):
    X = rows(2 * n, width)
    return X[:n], X[n:]


def test_halves_of_one_set_are_within_noise():
    gap = measure_gap(*both_halves())
    assert gap.within_noise
    assert gap.interval.low < 0.5 < gap.interval.high
    assert gap.mmd_p > 0.05
    assert gap.distance < 0.4
    assert gap.n == 300


def test_a_false_alarm_is_as_rare_as_it_should_be():
    alarms = 0
    for seed in range(20):
        X = rows(160, 6, seed=seed)
        alarms += not measure_gap(X[:80], X[80:], seed=seed).within_noise
    assert alarms <= 4


def test_a_shift_is_seen():
    source, target = both_halves()
    gap = measure_gap(source, target + np.float32(1.5))
    assert not gap.within_noise
    assert gap.auc > 0.95
    assert gap.mmd_p < 0.02
    assert gap.distance > 1.5


def test_a_spread_that_no_line_tells_apart_is_seen_by_the_discrepancy():
    source, target = both_halves()
    gap = measure_gap(source, target * np.float32(2))
    assert gap.interval.low < 0.6
    assert gap.mmd_p < 0.02
    assert not gap.within_noise


def test_more_features_than_examples_do_not_tell_halves_apart():
    X = rows(80, 400)
    assert measure_gap(X[:40], X[40:]).within_noise


def test_groups_that_differ_are_no_gap():
    rng = np.random.default_rng(3)
    speakers = 2.0 * rng.normal(size=(20, 8))
    who = np.repeat(np.arange(20), 15)
    X = (speakers[who] + rng.normal(size=(300, 8))).astype(np.float32)
    first = who < 10
    told = measure_gap(X[first], X[~first], groups=(who[first], who[~first]))
    blind = measure_gap(X[first], X[~first])
    assert blind.auc > 0.7
    assert not blind.within_noise
    assert told.within_noise


def test_one_group_on_each_side_is_still_measured():
    source, target = both_halves(40)
    gap = measure_gap(source, target, groups=(np.zeros(40), np.ones(40)))
    assert 0 <= gap.auc <= 1


def test_sizes_may_differ():
    source, target = both_halves()
    assert measure_gap(source[:50], target).n == 50


def test_the_discrepancy_is_the_unbiased_estimate():
    source, target = rows(30, 3, seed=1), rows(30, 3, seed=2, shift=0.5)
    both = np.concatenate([source, target]).astype(np.float64)
    squared = np.square(both[:, None] - both).sum(axis=-1)
    median = np.median(squared[np.triu_indices(60, 1)])
    kernel = np.mean([np.exp(-squared / (median * width)) for width in (0.25, 0.5, 1, 2, 4)], axis=0)
    within = [kernel[part, part].sum() - 30 for part in (slice(0, 30), slice(30, 60))]
    expected = sum(within) / (30 * 29) - 2 * kernel[:30, 30:].mean()
    found, p = discrepancy(both, np.arange(60), seed=0)
    assert found == pytest.approx(expected)
    assert 0 < p <= 1


def test_what_is_like_nothing_in_the_source_is_named_farthest_first():
    source, target = both_halves(200)
    strange = target.copy()
    strange[7] += 30
    strange[90] += 60
    assert unlike_anything(source, strange)[:2].tolist() == [90, 7]
    assert len(unlike_anything(source, target)) < 15


def test_widths_that_differ_are_refused():
    with pytest.raises(DataError, match="features of one width"):
        measure_gap(rows(20, 4), rows(20, 5))


def test_a_class_that_moved_is_told_from_those_that_stayed():
    X = rows(600, 8)
    y = np.arange(600) % 3
    X[np.arange(600), y] += 4
    target = X[300:].copy()
    target[y[300:] == 1] += np.float32(3)
    shifts = class_shifts(X[:300], y[:300], target, y[300:], n_classes=4)
    assert shifts[1] > 3 * max(shifts[0], shifts[2])
    assert np.isnan(shifts[3])
    few = np.where(y[300:] == 2, 0, y[300:])
    few[:4] = 2
    assert np.isnan(class_shifts(X[:300], y[:300], target, few, n_classes=3)[2])


def test_the_shift_is_in_spreads_of_the_class():
    rng = np.random.default_rng(0)
    source = rng.normal(size=(4000, 4)).astype(np.float32)
    target = source + np.float32(1)
    y = np.zeros(4000, dtype=int)
    # Four axes moved by one deviation each: a distance of 2, over a root mean square distance of 2.
    assert class_shifts(source, y, target, y, n_classes=1)[0] == pytest.approx(1, abs=0.05)


def test_a_large_source_is_looked_at_in_part():
    X = rows(12000, 4)
    target = X[:500] + np.float32(0)
    target[:20] += 60
    found = unlike_anything(X, target)
    assert set(range(20)) <= set(found[:20].tolist())
    assert len(found) < 40
