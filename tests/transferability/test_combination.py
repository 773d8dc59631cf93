"""One order from many scores: the scale, the replicates, ties, and what is known from elsewhere."""

import numpy as np
import pytest

from headstart.transferability import combine, draw_weights, prior_weight
from headstart.transferability._combination import standardise

NOTHING = np.zeros


def evidence(means, *, n=200, k=3, noise=1.0, seed=0, views=1):
    """Scores that are means over examples: what each contributes is known exactly."""
    rng = np.random.default_rng(seed)
    shared = rng.normal(size=(1, 1, 1, n))  # hard examples are hard for all
    parts = np.asarray(means)[:, None, None, None] + shared + noise * rng.normal(size=(len(means), views, k, n))
    values = parts.mean(axis=-1)
    return values, parts - values[..., None]


def order(means, *, prior=None, cost=None, units=None, n=200, **more):
    values, influence = evidence(means, n=n, **more)
    c = len(means)
    return combine(
        values,
        influence,
        prior=NOTHING(c) if prior is None else np.asarray(prior, dtype=float),
        cheap_first=NOTHING(c) if cost is None else np.asarray(cost, dtype=float),
        units=np.arange(n) if units is None else units,
        seed=0,
    )


def test_the_best_comes_first_and_is_surely_among_the_best_three():
    found = order([0.0, 3.0, 1.0, 2.0, -1.0])
    assert found.order.tolist() == [1, 3, 2, 0, 4]
    assert found.p_top.round(2).tolist() == [0.0, 1.0, 1.0, 1.0, 0.0]
    assert found.tie[found.order].tolist() == [1, 2, 3, 4, 5]


def test_candidates_that_the_examples_cannot_tell_apart_are_a_tie():
    found = order([0.0, 0.01, 3.0], n=50)
    assert found.tie.tolist() == [2, 2, 1]


def test_what_the_examples_cannot_show_counts_little_beside_the_prior():
    weak = order([0.0, 0.01, 0.02], n=50, prior=[1.0, 0.0, -1.0])
    strong = order([0.0, 3.0, 6.0], n=50, prior=[0.5, 0.0, -0.5])
    assert weak.order[0] == 0
    assert strong.order.tolist() == [2, 1, 0]
    assert np.allclose(strong.score - strong.measured, [0.5, 0.0, -0.5])


def test_a_candidate_counts_with_its_best_view_and_one_that_lacks_a_view_is_no_worse():
    values, influence = evidence([0.0, 0.0, 1.0], views=2, noise=0.0)
    values[0, 1] += 2.0  # its second view is the best of all
    values[2, 1], influence[2, 1] = np.nan, np.nan
    found = combine(
        values, influence, prior=NOTHING(3), cheap_first=NOTHING(3), units=np.arange(values.shape[0] and 200), seed=0
    )
    assert found.view.tolist() == [1, 0, 0]
    assert found.order.tolist() == [0, 2, 1]


def test_of_equals_the_cheaper_goes_first():
    values, influence = evidence([1.0], noise=0.0)
    three = np.repeat(values, 3, axis=0), np.repeat(influence, 3, axis=0)
    found = combine(*three, prior=NOTHING(3), cheap_first=np.array([3.0, 1.0, 2.0]), units=np.arange(200), seed=0)
    assert found.order.tolist() == [1, 2, 0]
    assert found.tie.tolist() == [1, 1, 1]
    assert np.isfinite(found.score).all()


def test_order_is_kept_among_the_good_where_most_are_alike_and_bad():
    """All of the good lie beyond what counts in full; the best of them must not lose to the cheapest."""
    means = [0.33, 0.34, 0.33, 0.35, 0.34, 0.80, 0.85, 0.90, 0.95]
    found = order(means, noise=0.3, n=1000, cost=range(9))
    assert found.order[:4].tolist() == [8, 7, 6, 5]
    assert found.p_top[8] > 0.95
    assert found.p_top[5] < 0.05
    assert found.measured.max() < 4


def test_equals_in_every_replicate_stand_among_the_best_as_they_do_in_the_order():
    values, influence = evidence([1.0], noise=0.0)
    four = np.repeat(values, 4, axis=0), np.repeat(influence, 4, axis=0)
    found = combine(*four, prior=NOTHING(4), cheap_first=np.array([4.0, 1.0, 3.0, 2.0]), units=np.arange(200), seed=0)
    assert found.order.tolist() == [1, 3, 2, 0]
    assert found.p_top.tolist() == [0.0, 1.0, 1.0, 1.0]


def test_intervals_hold_the_score_and_narrow_with_more_examples():
    few, many = order([0.0, 1.0, 3.0], n=40), order([0.0, 1.0, 3.0], n=4000)
    for found in (few, many):
        low, high = found.interval(2)
        assert low <= found.score[2] <= high
    assert np.ptp(few.interval(1)) > 3 * np.ptp(many.interval(1))


def test_whole_groups_are_drawn_so_few_groups_leave_more_doubt():
    single = order([0.0, 0.5], n=200)
    grouped = order([0.0, 0.5], n=200, units=np.repeat(np.arange(2), 100))
    weights = draw_weights(np.repeat(np.arange(2), 100), seed=0)
    assert set(np.unique(weights)) <= {0.0, 1.0, 2.0}
    assert np.allclose(weights.mean(axis=1), 1.0)
    assert len(np.unique(grouped.drawn[:, 1])) == 3
    assert len(np.unique(single.drawn[:, 1])) > 100


def test_replicates_equal_scores_of_examples_drawn_with_replacement():
    values, influence = evidence([0.0, 1.0], n=30)
    parts = values[..., None] + influence
    weights = draw_weights(np.arange(30), seed=3, replicates=1)[0]
    drawn = np.repeat(np.arange(30), weights.astype(int))
    linear = values + (weights * influence).mean(axis=-1)
    assert np.allclose(linear, parts[..., drawn].mean(axis=-1))


def test_the_same_seed_gives_the_same_replicates():
    assert (order([0.0, 1.0]).drawn == order([0.0, 1.0]).drawn).all()


@pytest.mark.parametrize(("labels", "weight"), [(5, 1.0), (20, 1.0), (100, 0.5), (1000, 0.25), (1e6, 0.25)])
def test_a_prior_counts_the_more_the_fewer_labels_there_are(labels, weight):
    assert prior_weight(labels) == pytest.approx(weight)
    assert 0.25 <= prior_weight(50) <= 1.0


def test_numbers_are_put_on_a_common_scale():
    z = standardise(np.array([1.0, 2.0, 3.0, np.nan, 100.0]))
    assert z[3] == 0.0
    assert z[4] == 3.0
    assert z[0] < z[1] < z[2]
    assert (standardise(np.array([5.0, 5.0])) == 0).all()
    assert (standardise(np.array([np.nan])) == 0).all()
    assert standardise(np.array([1.0, 1.0, 1.0, 2.0]))[3] > 0  # a median deviation of zero is not a spread of zero


def test_one_score_that_is_wrong_decides_nothing():
    values, influence = evidence([0.0, 1.0, 2.0, 3.0], k=5, noise=0.0)
    values[:, :, 2] = np.array([9.0, -9.0, -9.0, -9.0])[:, None]  # one score prefers the worst by far
    found = combine(values, influence, prior=NOTHING(4), cheap_first=NOTHING(4), units=np.arange(200), seed=0)
    assert found.order.tolist() == [3, 2, 1, 0]
