"""Which labels of the target tell the most, and what they turn."""

import numpy as np
import pytest
from scipy.stats import binomtest

from headstart.domain_adaptation import Candidate, Decision, after_asking, rival, worth_asking

N = 200


def candidate(name: str, answers: np.ndarray, *, modularity: float = 0.1, sure: float = 0.8) -> Candidate:
    predicted = np.full((len(answers), 3), (1 - sure) / 2)
    predicted[np.arange(len(answers)), answers] = sure
    return Candidate(name, None, predicted, modularity, 0.5, None)  # type: ignore[arg-type]  # no head is needed


@pytest.fixture
def truth() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 3, N)


def wrong_on(truth: np.ndarray, rows: slice) -> np.ndarray:
    answers = truth.copy()
    answers[rows] = (answers[rows] + 1) % 3
    return answers


@pytest.fixture
def found(truth):
    """The head as it is errs on 80 examples, its rival on 20 others."""
    plain, other = wrong_on(truth, slice(0, 80)), wrong_on(truth, slice(80, 100))
    return [candidate("none", plain), candidate("coral", other, modularity=0.3), candidate("standardise", plain)]


def refused(found) -> Decision:
    return Decision(found[0], refused=True, reason="A class seems to be missing.")


def adapted(found) -> Decision:
    return Decision(found[1], refused=False, reason="Better.")


def test_the_rival_is_the_best_of_the_others(found):
    assert rival(found).name == "coral"
    assert rival(found[:1]).name == "none"


def test_asked_are_examples_on_which_the_two_differ(found):
    rows = worth_asking(found, 30, seed=0)
    assert len(set(rows)) == 30
    assert rows.max() < 100
    assert np.array_equal(rows, worth_asking(found, 30, seed=0))
    assert not np.array_equal(rows, worth_asking(found, 30, seed=1))
    counts = np.bincount([(worth_asking(found, 50, seed=seed) < 80).sum() for seed in range(60)])
    assert abs(np.average(np.arange(len(counts)), weights=counts) - 40) < 1  # a fair draw: 80 of 100


def test_where_too_few_differ_the_least_sure_follow(truth):
    plain = candidate("none", truth)
    other = candidate("coral", wrong_on(truth, slice(0, 3)))
    for each in (plain, other):
        each.predicted[50] = [0.34, 0.33, 0.33]
    rows = worth_asking([plain, other], 5, seed=0)
    assert sorted(rows[:3]) == [0, 1, 2]
    assert rows[3] == 50
    assert len(set(rows)) == 5


def test_what_is_known_is_not_asked_again_and_the_first_few_are_a_fair_draw(found):
    first = worth_asking(found, 40, seed=0)
    assert not set(worth_asking(found, 40, seed=0, known=first)) & set(first)
    assert list(worth_asking(found, 10, seed=0)) == list(first[:10])
    assert list(first) != sorted(first)


def test_labels_turn_nothing_that_was_asked_for_by_name(found, truth):
    rows = np.arange(85, 95)
    decision, said = after_asking(adapted(found), found, rows, truth[rows], fixed=True)
    assert decision.chosen.name == "coral"
    assert not decision.refused
    assert said.worse == 10
    assert "errs on 10 where that is right" in decision.reason


def test_labels_turn_a_refusal_where_they_speak_beyond_chance(found, truth):
    rows = worth_asking(found, 20, seed=1)
    decision, said = after_asking(refused(found), found, rows, truth[rows])
    assert (said.n, said.rival, said.better + said.worse) == (20, "coral", 20)
    assert decision.chosen.name == "coral"
    assert not decision.refused
    assert decision.reason.startswith("Of 20 labelled examples, coral is right on")
    value, low, high = said.gain
    assert value == pytest.approx(0.5 * (said.better - said.worse) / 20)
    assert low <= 0.3 <= high  # 80 - 20 of 200


def test_few_labels_turn_nothing(found, truth):
    rows = np.array([0, 1, 2])
    decision, said = after_asking(refused(found), found, rows, truth[rows])
    assert said.better == 3
    assert decision.chosen.name == "none"
    assert decision.refused
    assert decision.reason.startswith("A class seems to be missing. And of 3 labelled")


def test_labels_turn_what_does_harm(found, truth):
    rows = np.arange(85, 95)
    decision, said = after_asking(adapted(found), found, rows, truth[rows])
    assert said.worse == 10
    assert decision.chosen.name == "none"
    assert decision.refused


def test_a_bare_majority_turns_nothing(found, truth):
    rows = np.array([0, 1, 2, 80, 81, 82, 83])  # three better, four worse
    decision, said = after_asking(adapted(found), found, rows, truth[rows])
    assert (said.better, said.worse) == (3, 4)
    assert decision.chosen.name == "coral"


def test_labels_may_bear_out_the_choice(found, truth):
    rows = np.arange(0, 90, 5)
    decision, said = after_asking(adapted(found), found, rows, truth[rows])
    assert decision.chosen.name == "coral"
    assert decision.reason.startswith("Better. And of 18 labelled examples")
    assert said.better == 16


def test_labels_on_which_both_agree_tell_nothing(found, truth):
    rows = np.arange(150, 170)
    decision, said = after_asking(adapted(found), found, rows, truth[rows])
    assert (said.better, said.worse, said.gain) == (0, 0, None)
    assert decision.chosen.name == "coral"


def test_the_limits_of_the_gain_hold_its_value_in_95_of_100_draws():
    rng = np.random.default_rng(0)
    truth = np.zeros(N, dtype=int)
    plain = np.where(np.arange(N) < 60, 1, 0)  # wrong on 60
    other = np.where((np.arange(N) >= 60) & (np.arange(N) < 90), 2, 0)  # wrong on 30 others
    both = [candidate("none", plain), candidate("coral", other)]
    held = 0
    for seed in range(200):
        rows = worth_asking(both, 12, seed=int(rng.integers(1e9)) + seed)
        _, said = after_asking(adapted(both), both, rows, truth[rows])
        value, low, high = said.gain
        assert low <= value <= high
        held += low <= 30 / N <= high
    assert held >= 190
    wins = binomtest(12, 12).proportion_ci(0.975)
    assert wins.low > 0.6
