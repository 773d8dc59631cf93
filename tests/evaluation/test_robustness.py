"""What corruptions cost, against the plain definitions, and sentences that never say more than was shown."""

import numpy as np
import pytest

from headstart.evaluation import Condition, accuracy, bootstrap_interval, paired_interval, robustness, robustness_gap


def answers(y, share, seed):
    """Probabilities of two classes that are right for a share of the items, one item after the other."""
    right = np.random.default_rng(seed).permutation(len(y)) < share * len(y)
    p = np.full((len(y), 2), 0.2)
    p[np.arange(len(y)), np.where(right, y, 1 - y)] = 0.8
    return p


Y = np.arange(200) % 2


def conditions(shares, *, seed=0):
    return [
        Condition(name, severity, f"level {severity}", answers(Y, share, seed + 10 * place + severity))
        for place, (name, each) in enumerate(shares.items())
        for severity, share in enumerate(each, start=1)
    ]


SHARES = {"blur": (0.9, 0.8, 0.7), "noise": (0.8, 0.6, 0.5)}


def test_every_condition_has_its_score_and_its_paired_difference_to_clean():
    clean, rows = answers(Y, 0.95, 99), conditions(SHARES)
    found = robustness(Y, clean, rows, metric="accuracy", seed=3)
    assert found.clean.value == pytest.approx(0.95)
    assert [row.score.value for row in found.conditions] == pytest.approx([0.9, 0.8, 0.7, 0.8, 0.6, 0.5])
    assert [row.severity for row in found.conditions] == [1, 2, 3, 1, 2, 3]
    last = found.conditions[-1]
    assert last.difference.value == pytest.approx(0.5 - 0.95)
    assert last.score.interval == bootstrap_interval("accuracy", Y, rows[-1].outputs, seed=3)
    assert last.difference.interval == paired_interval("accuracy", Y, rows[-1].outputs, clean, seed=3)


def test_the_mean_is_over_corruptions_and_the_drop_is_a_share_of_the_clean_score():
    clean = answers(Y, 0.95, 99)
    rows = conditions({"blur": (0.9, 0.8, 0.7), "noise": (0.5,)})  # one severity counts as much as three
    found = robustness(Y, clean, rows, metric="accuracy", seed=3)
    assert [row.score.value for row in found.corruptions] == pytest.approx([0.8, 0.5])
    assert found.mean.value == pytest.approx(0.65)
    assert found.difference.value == pytest.approx(0.65 - 0.95)
    assert found.relative_drop.value == pytest.approx((0.95 - 0.65) / 0.95)


def test_the_interval_of_the_drop_is_the_bootstrap_of_the_ratio():
    clean, rows = answers(Y, 0.9, 99), conditions(SHARES)
    found = robustness(Y, clean, rows, metric="accuracy", seed=3)
    rng = np.random.default_rng(8)
    drops = []
    for _ in range(2000):
        drawn = rng.integers(len(Y), size=len(Y))
        whole = accuracy(Y[drawn], clean[drawn])
        corrupted = np.mean([accuracy(Y[drawn], row.outputs[drawn]) for row in rows])
        drops.append((whole - corrupted) / whole)
    low, high = np.quantile(drops, [0.025, 0.975])
    assert (found.relative_drop.interval.low, found.relative_drop.interval.high) == pytest.approx((low, high), abs=0.01)


def test_of_an_error_the_drop_is_its_growth():
    y = np.linspace(0, 1, 50)
    clean, worse = (y + 0.1)[:, None], (y + 0.15)[:, None]
    found = robustness(y, clean, [Condition("noise", 1, "", worse)], metric="rmse", seed=0)
    assert found.relative_drop.value == pytest.approx(0.5)
    assert found.conditions[0].difference.value == pytest.approx(0.05)


def test_a_clean_score_of_zero_has_no_share_to_lose():
    y = np.linspace(0, 1, 50)
    found = robustness(y, y[:, None], [Condition("noise", 1, "", (y + 0.1)[:, None])], metric="rmse", seed=0)
    assert (found.relative_drop.value, found.relative_drop.interval) == (None, None)
    gap = robustness_gap(
        y,
        (y[:, None], [Condition("noise", 1, "", (y + 0.1)[:, None])]),
        (y[:, None], [Condition("noise", 1, "", (y + 0.1)[:, None])]),
        metric="rmse",
        seed=0,
    )
    assert gap.more_robust is None
    assert gap.sentence.endswith("What share of a score is lost is not defined.")


def test_a_metric_that_is_not_defined_has_no_figures():
    y = np.zeros(30, dtype=int)
    p = np.full((30, 2), 0.5)
    found = robustness(y, p, [Condition("noise", 1, "", p)], metric="auroc", seed=0)
    assert found.clean.value is None
    assert found.mean.interval is None
    arm = (p, [Condition("noise", 1, "", p)])
    gap = robustness_gap(y, arm, arm, metric="auroc", seed=0)
    assert gap.sentence == "On corrupted items AUROC is not defined."


def test_nothing_lost_on_any_item_has_an_interval_all_the_same():
    clean = answers(Y, 1.0, 0)
    found = robustness(Y, clean, [Condition("case", 1, "", clean)], metric="accuracy", seed=0)
    assert found.relative_drop.value == 0
    assert 0 <= found.relative_drop.interval.low <= found.relative_drop.interval.high < 0.05
    assert found.mean.interval.low > 0.95


@pytest.mark.parametrize(("groups", "units"), [(None, "200 items"), (np.arange(200) // 10, "20 groups")])
def test_a_corruption_that_changes_no_answer_has_a_narrow_interval_around_zero(groups, units):
    clean = answers(Y, 0.8, 0)
    almost = 0.9 * clean + 0.05  # other probabilities, the same answers
    found = robustness(Y, clean, [Condition("case", 1, "", almost)], metric="accuracy", groups=groups, seed=0)
    difference = found.conditions[0].difference
    assert difference.value == 0
    assert difference.interval.high == -difference.interval.low == 1 - 0.025 ** (1 / int(units.split()[0]))
    assert difference.interval.method == f"Clopper-Pearson, no difference on {units}"


def gap_of(ours, theirs):
    return robustness_gap(
        Y,
        (answers(Y, ours[0], 50), conditions(ours[1])),
        (answers(Y, theirs[0], 70), conditions(theirs[1], seed=100)),
        metric="accuracy",
        seed=0,
        name="scratch",
    )


def test_a_model_that_loses_a_smaller_share_is_more_robust():
    gap = gap_of((0.95, {"noise": (0.9, 0.9, 0.9)}), (0.9, {"noise": (0.6, 0.5, 0.4)}))
    assert (gap.better, gap.more_robust) == (True, True)
    assert gap.mean.value == pytest.approx(0.9 - 0.5)
    assert gap.clean.value == pytest.approx(0.05)
    assert "On corrupted items it is better: accuracy +0.400" in gap.sentence
    assert "It loses 5.3% of its clean score and scratch 44.4%: -39.2 points [" in gap.sentence
    assert gap.sentence.endswith("so it is more robust.")


def test_a_model_with_little_to_lose_may_lose_a_smaller_share_and_still_be_worse():
    gap = gap_of((0.95, {"noise": (0.8, 0.7, 0.6)}), (0.55, {"noise": (0.55, 0.55, 0.5)}))
    assert (gap.better, gap.more_robust) == (True, False)
    assert gap.sentence.startswith("On corrupted items it is better")
    assert "so it is less robust. Scratch is not shown to be better than the most frequent answer" in gap.sentence
    assert gap.sentence.endswith("it has little to lose.")


def test_a_model_that_tells_classes_apart_and_loses_less_is_simply_more_robust_than_this_one():
    gap = gap_of((0.95, {"noise": (0.6, 0.6, 0.6)}), (0.8, {"noise": (0.75, 0.75, 0.75)}))
    assert (gap.better, gap.more_robust) == (False, False)
    assert gap.sentence.endswith("so it is less robust.")


def test_within_noise_nothing_is_claimed():
    gap = gap_of((0.9, SHARES), (0.9, SHARES))
    assert (gap.better, gap.more_robust) == (None, None)
    assert "no difference is shown" in gap.sentence
    assert gap.sentence.endswith("so neither is shown to be more robust.")


def test_of_errors_the_smaller_is_better():
    y = np.linspace(0, 1, 80)
    noise = np.random.default_rng(0).normal(size=(3, 80, 1)) * 0.1
    ours = (y[:, None] + noise[0], [Condition("noise", 1, "", y[:, None] + 1.2 * noise[1])])
    theirs = (y[:, None] + noise[0], [Condition("noise", 1, "", y[:, None] + 4 * noise[2])])
    gap = robustness_gap(y, ours, theirs, metric="rmse", seed=0)
    assert (gap.better, gap.more_robust) == (True, True)
    assert "Its error grows by" in gap.sentence


def test_whole_groups_are_drawn():
    groups = np.repeat(np.arange(20), 10)
    found = robustness(Y, answers(Y, 0.9, 1), conditions(SHARES), metric="accuracy", groups=groups, seed=0)
    assert found.clean.interval.method == "bootstrap of 20 groups"
    assert found.mean.interval.method == "bootstrap of 20 groups"
