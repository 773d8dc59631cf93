"""Sets of classes that hold the right one as often as promised."""

import numpy as np
import pytest
from scipy import stats

from headstart.errors import OptionError
from headstart.evaluation import coverage_band, prediction_sets, set_threshold


def drawn(n: int, seed: int, *, classes: int = 5) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    p = rng.dirichlet(np.full(classes, 0.6), n)
    return (p.cumsum(axis=1) > rng.random(n)[:, None]).argmax(axis=1), p


def covered(y: np.ndarray, p: np.ndarray, threshold: float) -> float:
    inside = prediction_sets(p, np.full(p.shape[1], threshold))
    return float(inside[np.arange(len(y)), y].mean())


def test_coverage_of_two_hundred_draws_lies_in_the_band_as_often_as_stated() -> None:
    new, inside, shares = 2000, 0, []
    low, high = coverage_band(150, 0.9, new=new)
    for seed in range(200):
        y, p = drawn(150 + new, seed)
        share = covered(y[150:], p[150:], set_threshold(y[:150], p[:150], 0.9))
        inside += low <= share <= high
        shares.append(share)
    assert np.mean(shares) == pytest.approx(0.9, abs=0.01)
    assert stats.binom.cdf(inside, 200, 0.95) > 0.001
    assert inside / 200 > 0.9


def test_the_threshold_is_the_least_that_leaves_out_a_tenth_of_what_was_held_out() -> None:
    y, p = drawn(499, 0)
    threshold = set_threshold(y, p, 0.9)
    truth = np.where(p.argmax(axis=1) == y, 1.0, p[np.arange(499), y])
    assert (truth < threshold).sum() == 49  # floor(0.1 * 500) - 1
    assert threshold in truth


def test_every_set_holds_its_most_probable_class() -> None:
    p = np.array([[0.5, 0.3, 0.2], [0.1, 0.8, 0.1]])
    assert prediction_sets(p, np.full(3, np.inf)).tolist() == [[True, False, False], [False, True, False]]
    assert prediction_sets(p, np.array([0.0, 0.5, 0.2])).tolist() == [[True, False, True], [True, True, False]]


def test_where_most_answers_are_right_sets_are_single_and_the_band_says_so() -> None:
    y, p = np.zeros(200, dtype=int), np.tile([0.9, 0.1], (200, 1))
    y[:4] = 1
    assert set_threshold(y, p, 0.9) == np.inf
    assert coverage_band(200, 0.9, right=0.98)[1] > 0.98 > coverage_band(200, 0.9)[1]


def test_too_few_examples_put_every_class_into_every_set() -> None:
    y, p = drawn(8, 0)
    assert set_threshold(y, p, 0.9) == 0.0
    assert coverage_band(8, 0.9) == (1.0, 1.0)


def test_the_band_of_few_new_items_is_wider_and_that_of_many_is_the_beta_band() -> None:
    endless = coverage_band(100, 0.9)
    assert endless == pytest.approx(stats.beta(91, 10).ppf([0.025, 0.975]))
    assert coverage_band(100, 0.9, new=30)[0] < endless[0]
    assert coverage_band(100, 0.9, new=100_000) == pytest.approx(endless, abs=1e-3)


@pytest.mark.parametrize("coverage", [0.0, 1.0, 90])
def test_a_coverage_that_is_no_share_is_refused(coverage: float) -> None:
    with pytest.raises(OptionError, match="expected a coverage between 0 and 1"):
        coverage_band(100, coverage)
