"""The sequential test: how often it says yes to nothing, how often to something, and what it does at the edges."""

from math import inf, sqrt

import numpy as np
import pytest
from scipy import stats

from headstart.search import Judgement, Prior, _judging, judge
from headstart.search._judging import NOTHING_KNOWN, _chance, _share, weights_alike

LOOKS, RATIO = 3, 0.5


def climb_once(rng, *, gain, n=20, prior=None, clusters=None):
    """Look after each of three folds, until the answer is clear; returns it and the look."""
    effects = np.zeros(LOOKS * n) if clusters is None else np.repeat(rng.normal(0, 1, LOOKS * clusters), n // clusters)
    gains = gain + effects + rng.normal(0, 1, LOOKS * n)
    units = np.arange(LOOKS * n) if clusters is None else np.repeat(np.arange(LOOKS * clusters), n // clusters)
    for look in range(1, LOOKS + 1):
        more = {} if prior is None else {"prior": prior}
        found = judge(gains[: look * n], units[: look * n], look=look, looks=LOOKS, test_per_train=RATIO, **more)
        if found.answer != "open":
            return found.answer == "better", look
    raise AssertionError("the last look is always an answer")


def accepted(gain, *, times=1000, **more):
    rng = np.random.default_rng(0)
    return float(np.mean([climb_once(rng, gain=gain, **more)[0] for _ in range(times)]))


@pytest.mark.parametrize("n", [4, 20, 60])
def test_where_there_is_no_gain_a_rung_is_hardly_ever_accepted(n):
    assert accepted(0.0, n=n) <= 0.05 + 2 * sqrt(0.05 * 0.95 / 1000)


@pytest.mark.parametrize("clusters", [2, 5])
def test_groups_that_gain_or_lose_together_do_not_count_as_many(clusters):
    assert accepted(0.0, n=20, clusters=clusters) <= 0.05 + 2 * sqrt(0.05 * 0.95 / 1000)


def test_few_units_give_the_probability_of_student():
    gains = np.array([0.3, 0.1, 0.5, -0.1])
    found = judge(gains, np.arange(4), look=3, looks=3, test_per_train=0.0)
    assert found.probability == pytest.approx(1 - stats.ttest_1samp(gains, 0, alternative="greater").pvalue)
    for gain in (1e-9, -1e-9):
        near = judge(gains - gains.mean() + gain, np.arange(4), look=3, looks=3, test_per_train=0.0)
        assert near.probability == pytest.approx(0.5, abs=1e-6)


def test_power_grows_with_the_gain_and_with_the_items():
    by_gain = [accepted(gain, times=300) for gain in (0.0, 0.3, 0.6, 1.2)]
    assert by_gain == sorted(by_gain)
    assert by_gain[-1] > 0.95
    assert accepted(0.3, times=300, n=100) > accepted(0.3, times=300, n=20)


def test_a_clear_winner_and_a_hopeless_rung_cost_one_fold():
    rng = np.random.default_rng(1)
    assert climb_once(rng, gain=3.0) == (True, 1)
    assert climb_once(rng, gain=-3.0) == (False, 1)


def test_a_prior_moves_the_answer_towards_what_is_known():
    known, doubted = Prior(0.3, 0.1), Prior(-0.3, 0.1)
    rates = [accepted(0.2, times=300, prior=prior) for prior in (doubted, None, known)]
    assert rates[0] < rates[1] < rates[2]
    gains, units = np.random.default_rng(0).normal(0, 1, 5000), np.arange(5000)
    flat, told = (
        judge(gains, units, look=3, looks=3, test_per_train=0.5, prior=p) for p in (Prior(), Prior(0.02, 10.0))
    )
    assert told.probability == pytest.approx(flat.probability, abs=1e-3)
    assert (told.gain, told.error) == (flat.gain, flat.error)


def test_clusters_and_shared_training_items_widen_the_error():
    gains = np.repeat(np.random.default_rng(0).normal(0, 1, 12), 5)
    apart = judge(gains, np.arange(60), look=1, looks=3, test_per_train=0.0)
    together = judge(gains, np.repeat(np.arange(12), 5), look=1, looks=3, test_per_train=0.0)
    assert together.error == pytest.approx(sqrt(5 * 59 / 60 * 12 / 11 * 60 / 60) * apart.error, rel=0.01)
    assert apart.error == pytest.approx(gains.std(ddof=1) / sqrt(60))
    later = judge(gains, np.arange(60), look=2, looks=3, test_per_train=0.5)
    assert later.error == pytest.approx(sqrt(2) * apart.error)


@pytest.mark.parametrize(("gain", "answer"), [(0.0, "not better"), (-0.1, "not better"), (0.1, "better")])
def test_equal_gains_of_all_items_are_beyond_doubt(gain, answer):
    found = judge(np.full(9, gain), np.arange(9), look=1, looks=3, test_per_train=0.5)
    assert (found.answer, found.gain) == (answer, pytest.approx(gain))
    with_prior = judge(np.full(9, gain), np.arange(9), look=1, looks=3, test_per_train=0.5, prior=Prior(0.1, 0.1))
    assert with_prior.answer == answer


def test_one_group_says_nothing():
    gains, units = np.array([1.0, 2.0, 1.5]), np.zeros(3)
    answers = [judge(gains, units, look=look, looks=3, test_per_train=0.5) for look in (1, 2, 3)]
    assert [found.answer for found in answers] == ["open", "open", "not better"]
    assert {(found.error, found.probability) for found in answers} == {(inf, 0.5)}


@pytest.mark.parametrize(("z", "look"), [(-0.5, 1), (0.4, 1), (1.2, 1), (0.9, 2)])
def test_the_chance_of_a_yes_is_that_of_folds_still_to_come(z, look):
    rng, share = np.random.default_rng(0), _share(look, LOOKS, RATIO)
    effect = rng.normal(z, 1, 200_000)  # as likely as the folds so far say, in their standard errors
    to_come = share / (1 - share)  # variance of what the folds to come will say
    after = share * z + (1 - share) * rng.normal(effect, sqrt(to_come))
    assert _chance(float(stats.norm.cdf(z)), NOTHING_KNOWN, share) == pytest.approx(
        np.mean(after / sqrt(share) > stats.norm.ppf(0.95)), abs=0.005
    )


def test_a_rung_that_would_hardly_win_is_given_up_after_one_fold_and_little_power_is_lost(monkeypatch):
    def looks_and_wins(gain: float) -> tuple[float, float]:
        rng = np.random.default_rng(0)
        ends = [climb_once(rng, gain=gain, n=60) for _ in range(300)]
        return float(np.mean([look for _, look in ends])), float(np.mean([won for won, _ in ends]))

    (none, _), (_, some) = looks_and_wins(0.0), looks_and_wins(0.3)
    monkeypatch.setattr(_judging, "HOPELESS", 0.0)
    (none_to_the_end, _), (_, most) = looks_and_wins(0.0), looks_and_wins(0.3)
    assert none < 1.6 < 2.5 < none_to_the_end
    assert some > most - 0.05


@pytest.mark.parametrize("units", [1, 2, 3])
def test_a_prior_does_not_decide_for_a_handful_of_groups(units):
    prior, told = Prior(0.2, 0.1, confidence=0.5), {"look": 1, "looks": 1, "test_per_train": 0.5}
    gains, groups = np.array([-2.0, -2.5, -1.5] * 4), np.arange(12) % units
    found = judge(gains, groups, prior=prior, **told)
    assert found.answer == "not better"
    assert found == judge(gains, groups, **told)  # as if nothing were known
    vague = np.random.default_rng(0).normal(0, 1, 12)
    assert judge(vague, groups, prior=prior, **told).answer == "not better"
    enough = judge(vague, np.arange(12) % 4, prior=prior, **told)
    assert (enough.answer, enough.prior) == ("better", prior)


def test_where_a_prior_counts_doubt_looks_on_and_a_loss_on_the_folds_is_never_taken():
    prior, told = Prior(0.05, 0.06, confidence=0.5), {"looks": 3, "test_per_train": 0.5}
    noise = np.random.default_rng(1).normal(0, 0.3, 40)

    def judged(gain: float, look: int) -> Judgement:
        return judge(noise - noise.mean() + gain, np.arange(40), look=look, prior=prior, **told)

    assert judged(0.10, 1).answer == "better"
    assert judged(0.01, 1).answer == "open"
    assert judged(0.01, 3).answer == "better"
    lost = judged(-0.01, 3)
    assert (lost.answer, lost.probability > 0.5) == ("not better", True)


def test_weights_make_classes_count_alike_and_have_mean_one():
    y = np.array([0] * 6 + [1] * 3 + [4])
    weights = weights_alike(y)
    assert [weights[y == c].sum() for c in (0, 1, 4)] == pytest.approx([10 / 3] * 3)
    assert weights.mean() == pytest.approx(1.0)
    assert weights_alike(np.arange(5)).tolist() == [1.0] * 5
