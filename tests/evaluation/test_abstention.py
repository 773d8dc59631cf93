"""When to abstain, so that what is answered is wrong at most so often."""

import numpy as np
import pytest
from scipy import stats

from headstart.errors import OptionError
from headstart.evaluation import abstention, fewest_examples
from headstart.evaluation.abstention import design_effect, upper_bound


def drawn(n: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Confidences, each right as often as it says."""
    rng = np.random.default_rng(seed)
    confidence = 0.5 + 0.5 * rng.beta(3, 1, n)
    return confidence, rng.random(n) < confidence


def test_the_promise_is_kept_in_nine_of_ten_draws() -> None:
    kept = promised = 0
    for seed in range(200):
        confidence, right = drawn(400, seed)
        found = abstention(confidence, right, error=0.1)
        if found is None:
            continue
        promised += 1
        new, truth = drawn(20_000, 1000 + seed)
        kept += (~truth[new >= found.threshold]).mean() <= 0.1
    assert promised > 100
    assert kept / promised >= 0.9


def test_it_is_kept_on_as_few_new_items_too_whatever_their_luck() -> None:
    kept = []
    for seed in range(200):
        confidence, right = drawn(400, seed)
        found = abstention(confidence, right, error=0.1)
        if found is not None:
            new, truth = drawn(400, 5000 + seed)
            kept.append((~truth[new >= found.threshold]).mean() <= 0.1)
    assert len(kept) > 100
    assert np.mean(kept) >= 0.9


def test_more_errors_allowed_means_more_answers() -> None:
    confidence, right = drawn(4000, 0)
    few, many = (abstention(confidence, right, error=error) for error in (0.05, 0.1))
    assert few is not None
    assert many is not None
    assert many.answered > few.answered
    assert few.wrong <= few.bound <= 0.05


def test_all_is_answered_where_that_is_good_enough() -> None:
    confidence, right = np.linspace(0.6, 1, 500), np.ones(500, dtype=bool)
    found = abstention(confidence, right, error=0.02)
    assert found is not None
    assert (found.threshold, found.answered, found.wrong) == (0.0, 1.0, 0.0)


def test_too_few_examples_promise_nothing_and_the_fewest_do() -> None:
    fewest = fewest_examples(0.05)
    assert fewest == 160
    for n, promised in ((fewest - 4, False), (fewest, True)):
        found = abstention(np.linspace(0.5, 1, n), np.ones(n, dtype=bool), error=0.05)
        assert (found is not None) is promised


def test_the_bound_is_what_as_many_new_answers_show_if_the_share_is_as_clopper_and_pearson_have_it() -> None:
    wrong = np.array([True] * 3 + [False] * 97)
    rng = np.random.default_rng(0)
    shown = rng.binomial(100, rng.beta(4, 97, 200_000)) / 100
    assert stats.binomtest(3, 100).proportion_ci(0.9, method="exact").high == pytest.approx(stats.beta(4, 97).ppf(0.95))
    assert upper_bound(wrong, level=0.95) == pytest.approx(np.quantile(shown, 0.95))
    assert upper_bound(np.ones(5, dtype=bool), level=0.9) == 1.0
    assert upper_bound(np.empty(0, dtype=bool), level=0.9) == 1.0


def test_groups_that_are_wrong_as_a_whole_count_once() -> None:
    wrong = np.repeat([True, False, False, False], 25)
    groups = np.repeat(np.arange(4), 25)
    # 4 groups: the sample variance of their means over 4, by the binomial one of 100
    assert design_effect(wrong, groups) == pytest.approx(0.25 / 4 / (0.25 * 0.75 / 100))
    assert design_effect(wrong, None) == 1.0
    assert upper_bound(wrong, level=0.9, groups=groups) > upper_bound(wrong, level=0.9)


def test_without_an_error_every_group_counts_as_one_example() -> None:
    assert design_effect(np.zeros(60, dtype=bool), np.repeat(np.arange(20), 3)) == 3.0


@pytest.mark.parametrize("error", [0.0, 1.0, 5])
def test_an_error_rate_that_is_no_share_is_refused(error: float) -> None:
    with pytest.raises(OptionError, match="expected an error rate between 0 and 1"):
        abstention(np.ones(3), np.ones(3, dtype=bool), error=error)
