"""Learning curves: subsets, points, fits and label savings, against closed forms, scipy and simulated truth."""

from itertools import pairwise

import numpy as np
import pytest
from scipy import optimize, stats

from headstart.errors import DataError, OptionError
from headstart.evaluation import (
    CurvePoint,
    Fold,
    Interval,
    bootstrap_interval,
    curve_point,
    fit_curve,
    label_saving,
    nadeau_bengio,
    nested_subsets,
    point_of_values,
    sentence,
    sizes,
)
from headstart.evaluation.curves import _weights, monotone
from headstart.evaluation.saving import LabelSaving, written_score

SIZES = (8, 17, 38, 82, 177, 384)


def power_law(n, *, a=0.05, b=1.2, c=0.5):
    return a + b * np.asarray(n, dtype=float) ** -c


def points_of(arm, means, *, sizes=SIZES, sd=0.0, draws=3, rng=None, bounds=(0.0, 1.0)):
    rng = rng or np.random.default_rng(0)
    return [
        point_of_values(
            arm, n, np.clip(mean + sd * (n / 8) ** -0.4 * rng.normal(size=draws), *bounds), bounds=bounds, n_test=200
        )
        for n, mean in zip(sizes, means, strict=True)
    ]


def fold(y, right, *, n_train=24, groups=None, items=None):
    said = np.where(right, y, (y + 1) % 3)
    return Fold(y, 0.9 * np.eye(3)[said] + 0.1 / 3, n_train, groups, items)


def test_sizes_are_a_geometric_series_from_two_per_class_to_everything():
    assert sizes(384, 4) == SIZES
    assert sizes(384, 10) == (20, 36, 65, 118, 213, 384)
    assert sizes(384, 4, most=90) == (8, 13, 21, 34, 55, 90)
    assert sizes(9, 2) == (9,)
    assert sizes(5, 1) == (5,)
    ratios = np.array(sizes(50_000, 100)[1:]) / sizes(50_000, 100)[:-1]
    assert ratios == pytest.approx(np.full(5, 250**0.2), rel=0.02)


def test_subsets_are_nested_of_the_sizes_wanted_and_stratified():
    y = np.repeat(np.arange(4), [200, 120, 60, 4])
    found = nested_subsets(y, None, SIZES, seed=0)
    assert [len(subset) for subset in found] == list(SIZES)
    for smaller, larger in pairwise(found):
        assert np.isin(smaller, larger).all()
    for subset in found:
        counts = np.bincount(y[subset], minlength=4)
        assert (np.abs(counts - len(subset) * np.bincount(y) / 384) <= 1.5).all()
        assert (counts > 0).all()


def test_the_seed_decides_the_subsets_and_every_example_has_a_chance():
    y = np.arange(60) % 3
    first = nested_subsets(y, None, (9, 30), seed=1)
    assert all(np.array_equal(a, b) for a, b in zip(first, nested_subsets(y, None, (9, 30), seed=1), strict=True))
    seen = np.concatenate([nested_subsets(y, None, (9,), seed=seed)[0] for seed in range(200)])
    assert np.bincount(seen, minlength=60).min() > 10  # 30 expected


@pytest.mark.parametrize("kind", ["mixed", "one class each"])
def test_groups_enter_whole_and_sizes_are_as_near_as_groups_allow(kind):
    rng = np.random.default_rng(0)
    y = rng.integers(0, 4, 384)
    groups = rng.integers(0, 40, 384) if kind == "mixed" else y * 100 + rng.integers(0, 10, 384)
    found = nested_subsets(y, groups, SIZES, seed=0)
    for subset in found:
        assert set(y[subset]) == {0, 1, 2, 3}
        assert not np.isin(groups[subset], groups[np.setdiff1d(np.arange(384), subset)]).any()
    assert [len(subset) for subset in found[3:]] == pytest.approx(SIZES[3:], abs=6)


def test_a_group_larger_than_the_size_still_enters_where_its_class_has_no_other():
    y, groups = np.repeat([0, 1], [50, 50]), np.repeat([0, 1, 2, 3], 25)
    assert [len(subset) for subset in nested_subsets(y, groups, (8, 40, 100), seed=0)] == [50, 50, 100]


def test_labels_and_items_without_any_are_all_in_the_smallest_subset():
    rng = np.random.default_rng(0)
    y = (rng.random((200, 5)) < (0.5, 0.3, 0.2, 0.05, 0.03)).astype(int)
    found = nested_subsets(y, None, (10, 50, 200), seed=0)
    assert [len(subset) for subset in found] == [10, 50, 200]
    assert y[found[0]].any(axis=0).all()
    assert (~y[found[0]].any(axis=1)).any()
    assert y[found[1]].mean(axis=0) == pytest.approx(y.mean(axis=0), abs=0.1)


def test_values_are_spread_over_their_quantiles():
    y = np.random.default_rng(0).normal(size=320)
    smallest = nested_subsets(y, None, (8, 320), seed=3)[0]
    assert sorted(stats.rankdata(y)[smallest] * 8 // 320.5) == list(range(8))


@pytest.mark.parametrize("wanted", [(), (0, 5), (8, 8), (8, 21)])
def test_sizes_that_do_not_rise_or_fit_are_refused(wanted):
    with pytest.raises(OptionError, match="expected rising sizes from 1 to 20"):
        nested_subsets(np.arange(20) % 2, None, wanted, seed=0)


def test_without_test_error_the_interval_is_students():
    values = [0.6, 0.7, 0.65, 0.61]
    found = point_of_values("probe", 24, values, bounds=(0, 1), n_test=50)
    expected = stats.t.interval(0.95, 3, np.mean(values), stats.sem(values))
    assert (found.interval.low, found.interval.high) == pytest.approx(expected)
    assert found.value == pytest.approx(0.64)
    assert found.interval.method == "t over 4 draws"


def test_a_test_error_widens_the_interval_and_many_draws_do_not_lessen_it():
    values = list(np.tile([0.6, 0.7], 500))
    found = point_of_values("probe", 24, values, bounds=(0, 1), n_test=100_000, test_error=0.05)
    assert (found.interval.low, found.interval.high) == pytest.approx((0.65 - 0.098, 0.65 + 0.098), abs=1e-3)
    few = point_of_values("probe", 24, [0.6, 0.7], bounds=(0, 1), n_test=50, test_error=0.04)
    freedom = (0.05**2 + 0.04**2) ** 2 / (0.05**4 / 1 + 0.04**4 / 49)  # Welch-Satterthwaite
    half = stats.t.ppf(0.975, freedom) * np.hypot(0.05, 0.04)
    assert few.interval.low == pytest.approx(0.65 - half)
    assert few.interval.method == "t over 2 draws and resamples of 50 test units"


def test_draws_on_one_test_part_combine_their_spread_with_its_resamples():
    rng = np.random.default_rng(0)
    y = rng.integers(0, 3, 120)
    draws = [fold(y, rng.random(120) < 0.7) for _ in range(3)]
    found = curve_point("probe", draws, metric="accuracy", seed=0)
    right = np.mean([draw.probabilities.argmax(axis=1) == y for draw in draws], axis=0)
    assert found.value == pytest.approx(right.mean())
    assert found.n == 24
    assert found.test_noise.std() == pytest.approx(right.std() / np.sqrt(120), rel=0.1)


def test_one_draw_has_the_interval_of_the_test_part():
    rng = np.random.default_rng(1)
    y = rng.integers(0, 3, 200)
    only = fold(y, rng.random(200) < 0.7)
    found = curve_point("probe", [only], metric="accuracy", seed=0).interval
    expected = bootstrap_interval("accuracy", y, only.probabilities, seed=0)
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high), abs=0.015)


def test_perfect_draws_do_not_give_an_interval_without_width():
    y = np.arange(30) % 3
    draws = [fold(y, np.ones(30, dtype=bool))] * 3
    found = curve_point("probe", draws, metric="accuracy", seed=0).interval
    assert (found.low, found.high) == pytest.approx(tuple(stats.binomtest(30, 30).proportion_ci(method="exact")))


def test_draws_with_test_parts_of_their_own_have_nadeau_and_bengios_interval():
    rng = np.random.default_rng(0)
    parts = np.arange(100).reshape(5, 20)
    draws = [fold(rng.integers(0, 3, 20), rng.random(20) < 0.7, items=items) for items in parts]
    found = curve_point("probe", draws, metric="accuracy", seed=0)
    expected = nadeau_bengio(found.values, n_train=80, n_test=20, bounds=(0, 1), units=100)
    assert found.interval == expected
    assert found.correction == 0.25


def test_one_value_alone_and_an_undefined_metric_are_refused():
    with pytest.raises(OptionError, match="expected scores of at least 2 draws at 24 labels, found 1"):
        point_of_values("probe", 24, [0.6], bounds=(0, 1), n_test=50)
    y = np.zeros(10, dtype=int)
    with pytest.raises(DataError, match="auroc is not defined on a test part of probe"):
        curve_point("probe", [fold(y, y == 0)] * 2, metric="auroc", seed=0)


@pytest.mark.parametrize(
    "law", [{"a": 0.05, "b": 1.2, "c": 0.5}, {"a": 0.0, "b": 0.6, "c": 0.2}, {"a": 0.2, "b": 3, "c": 1.1}]
)
def test_a_power_law_is_found_again(law):
    found = fit_curve(points_of("probe", 1 - power_law(SIZES, **law), sd=1e-6), metric="accuracy", seed=0)
    assert found.form == "power law"
    assert found.parameters[0] == pytest.approx(list(law.values()), abs=0.02)
    assert found.predict(1000).value == pytest.approx(1 - power_law(1000, **law), abs=1e-3)
    expected = power_law(384, **law) - power_law(484, **law)
    assert found.gain(100).value == pytest.approx(expected, rel=0.01)


def test_the_fit_agrees_with_least_squares_from_many_starts():
    rng = np.random.default_rng(3)
    for _ in range(5):
        points = points_of("probe", 1 - power_law(SIZES, a=0.15), sd=0.05, rng=rng)
        found = fit_curve(points, metric="accuracy", seed=0)
        weights = _weights(points)
        errors = 1 - np.array([point.value for point in points])

        def missed(law, errors=errors, weights=weights):
            return (power_law(SIZES, a=law[0], b=law[1], c=law[2]) - errors) * np.sqrt(weights)

        starts = [(a, b, c) for a in (0.01, 0.2) for b in (0.5, 2) for c in (0.2, 0.7, 1.5)]
        fits = [optimize.least_squares(missed, start, bounds=([0, 0, 0.01], [np.inf, np.inf, 2])) for start in starts]
        best = min(fit.cost for fit in fits)
        assert 0.5 * (missed(found.parameters[0]) ** 2).sum() == pytest.approx(best, rel=5e-3)


def test_weights_follow_the_trend_of_the_widths_and_open_intervals_have_none():
    points = [CurvePoint("a", n, 0.5, Interval(0, n**-0.5, ""), (0.5,)) for n in SIZES]
    assert _weights(points) == pytest.approx(np.array(SIZES) / sum(SIZES))
    points = [CurvePoint("a", n, 0.5, Interval(0, np.inf, ""), (0.5,)) for n in SIZES]
    assert _weights(points) == pytest.approx(np.full(6, 1 / 6))


def test_monotone_rows_agree_with_scipys_isotonic_regression():
    rows = np.random.default_rng(0).normal(size=(50, 6)).round(1)
    expected = [optimize.isotonic_regression(row).x for row in rows]
    assert monotone(rows) == pytest.approx(np.array(expected))


def test_a_curve_that_gets_worse_is_flat():
    found = fit_curve(points_of("probe", np.linspace(0.7, 0.6, 6), sd=1e-6), metric="accuracy", seed=0)
    assert found.predict(10).value == found.predict(10_000).value
    assert found.gain().value == 0


def test_losses_are_fitted_as_they_are():
    points = points_of("probe", power_law(SIZES, b=20), sd=1e-6, bounds=(0, np.inf))
    found = fit_curve(points, metric="rmse", seed=0)
    assert found.predict(1000).value == pytest.approx(power_law(1000, b=20), abs=0.01)
    assert found.gain(100).value > 0


def test_predictions_have_intervals_that_cover_and_widen_beyond_the_sizes():
    covered, widths = [], []
    for seed in range(60):
        points = points_of("probe", 1 - power_law(SIZES), sd=0.05, draws=5, rng=np.random.default_rng(seed))
        found = fit_curve(points, metric="accuracy", seed=0)
        for n in (100, 2000):
            interval = found.predict(n).interval
            covered.append(interval.low <= 1 - power_law(n) <= interval.high)
        widths.append(
            [np.diff([found.predict(n).interval.low, found.predict(n).interval.high])[0] for n in (100, 5000)]
        )
    assert np.mean(covered) > 0.88
    assert np.mean(widths, axis=0)[1] > np.mean(widths, axis=0)[0]


def test_three_sizes_are_interpolated_and_not_extended():
    found = fit_curve(points_of("probe", [0.4, 0.6, 0.5], sizes=(8, 32, 128), sd=1e-6), metric="accuracy", seed=0)
    assert found.form == "interpolation"
    assert found.predict(16).value == pytest.approx((0.4 + 0.55) / 2, abs=1e-5)
    assert found.gain() is None
    with pytest.raises(OptionError, match=r"expected 8 to 128 labels, found 200\. Measure four sizes"):
        found.predict(200)


@pytest.mark.parametrize("factor", [1.0, 4.0, 16.0])
def test_the_interval_covers_a_known_factor(factor):
    found = []
    for seed in range(100):
        rng = np.random.default_rng([seed, 7])
        transfer = points_of("probe", 1 - power_law(np.multiply(SIZES, factor)), sd=0.05, draws=4, rng=rng)
        scratch = points_of("scratch", 1 - power_law(SIZES), sd=0.05, draws=4, rng=rng)
        found.append(label_saving(transfer, scratch, metric="accuracy", seed=0))
    assert sum(saving.interval.low <= factor <= saving.interval.high for saving in found) >= 88
    assert np.median([saving.factor for saving in found]) == pytest.approx(factor, rel=0.15)


@pytest.mark.parametrize("factor", [1.0, 3.0, 12.0])
def test_without_noise_the_factor_is_exact_and_swapping_the_arms_inverts_it(factor):
    fast = points_of("probe", 1 - power_law(np.multiply(SIZES, factor)), sd=1e-7)
    slow = points_of("scratch", 1 - power_law(SIZES), sd=1e-7)
    found = label_saving(fast, slow, metric="accuracy", seed=0)
    assert found.factor == pytest.approx(factor, rel=0.1)
    assert found.level == pytest.approx(1 - power_law(384))
    assert found.bound == "exact"
    swapped = label_saving(slow, fast, metric="accuracy", seed=0)
    assert swapped.factor == pytest.approx(1 / found.factor)
    assert (swapped.n, swapped.N) == pytest.approx((found.N, found.n))


def test_the_same_curve_saves_nothing_even_on_a_plateau():
    points = points_of("probe", [0.3, 0.5, 0.7, 0.7, 0.7, 0.7])
    found = label_saving(points, points, metric="accuracy", seed=0)
    assert found.factor == 1
    assert found.interval.low <= 1 <= found.interval.high
    assert sentence(found, "accuracy").startswith("No saving of labels is shown")


def test_better_scores_of_transfer_never_lower_the_factor():
    rng = np.random.default_rng(0)
    scratch = points_of("scratch", 1 - power_law(SIZES), sd=0.05)
    for _ in range(20):
        means = np.clip(1 - power_law(SIZES) + 0.2 * rng.normal(size=6), 0, 1)
        better = np.clip(means + 0.2 * rng.random(6) * (rng.random(6) < 0.5), 0, 1)
        pair = [label_saving(points_of("probe", m), scratch, metric="accuracy", seed=0).factor for m in (means, better)]
        assert pair[1] >= pair[0] - 1e-9


def test_losses_save_labels_as_scores_do():
    scores = [points_of("a", 1 - power_law(np.multiply(SIZES, f)), sd=0.02) for f in (5, 1)]
    losses = [points_of("a", power_law(np.multiply(SIZES, f)), sd=-0.02, bounds=(0, np.inf)) for f in (5, 1)]
    first, second = label_saving(*scores, metric="accuracy", seed=0), label_saving(*losses, metric="rmse", seed=0)
    assert second.factor == pytest.approx(first.factor)
    assert second.level == pytest.approx(1 - first.level)


def test_a_level_reached_at_the_smallest_size_gives_a_bound():
    high, low = points_of("probe", np.linspace(0.8, 0.9, 6), sd=0.002), points_of("scratch", np.linspace(0.2, 0.6, 6))
    found = label_saving(high, low, metric="accuracy", seed=0)
    assert (found.bound, found.lower_bound, found.factor, found.interval.high) == ("at least", True, 48, np.inf)
    swapped = label_saving(low, high, metric="accuracy", seed=0)
    assert (swapped.bound, swapped.lower_bound, swapped.interval.low) == ("at most", False, 0)
    assert swapped.factor == pytest.approx(1 / 48)


def test_two_flat_curves_at_one_level_tell_nothing():
    points = points_of("probe", [0.5] * 6)
    found = label_saving(points, points, metric="accuracy", seed=0)
    assert (found.factor, found.bound) == (1, "exact")


def test_resamples_shared_by_both_arms_cancel_where_they_agree():
    rng = np.random.default_rng(0)
    y, hard = rng.integers(0, 3, 60), rng.random(60)

    def arm(factor):
        return [
            curve_point(
                "a",
                [fold(y, hard < 1 - power_law(factor * n) + 0.01 * j, n_train=n) for j in range(3)],
                metric="accuracy",
                seed=0,
            )
            for n in SIZES
        ]

    found = label_saving(arm(6), arm(1), metric="accuracy", seed=0)
    assert found.interval.low > 1.5
    alone = [CurvePoint("a", p.n, p.value, p.interval, p.values) for p in arm(6)]
    unpaired = label_saving(alone, arm(1), metric="accuracy", seed=0)
    assert unpaired.interval.low < found.interval.low


def test_the_same_seed_gives_the_same_intervals():
    rng = np.random.default_rng(0)
    arms = [points_of("a", 1 - power_law(np.multiply(SIZES, f)), sd=0.05, rng=rng) for f in (5, 1)]
    assert label_saving(*arms, metric="accuracy", seed=1) == label_saving(*arms, metric="accuracy", seed=1)
    assert label_saving(*arms, metric="accuracy", seed=1) != label_saving(*arms, metric="accuracy", seed=2)
    again = [fit_curve(arms[0], metric="accuracy", seed=1).gain() for _ in range(2)]
    assert again[0] == again[1]


def test_no_points_and_unknown_metrics_are_refused():
    points = points_of("a", [0.5] * 6)
    with pytest.raises(OptionError, match="expected the points of a curve, found none"):
        label_saving([], points, metric="accuracy", seed=0)
    with pytest.raises(OptionError, match="expected a metric, found 'cleverness'"):
        fit_curve(points, metric="cleverness", seed=0)


def saving(factor, low, high, n, N, bound="exact"):
    return LabelSaving(factor, Interval(low, high, "by hand"), n, N, 0.612, bound)


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        (
            saving(16, 9.6, 24, 24, 384),
            "Transfer reaches what 384 labels from scratch reach (0.61 accuracy) with 24 labels (interval 16 to 40): "
            "16 times fewer.",
        ),
        (
            saving(16, 9.6, np.inf, 24, 384),
            "Transfer reaches what 384 labels from scratch reach (0.61 accuracy) with 24 labels (interval up to 40): "
            "16 times fewer.",
        ),
        (
            saving(48, 32, np.inf, 8, 384, "at least"),
            "Transfer already reaches what 384 labels from scratch reach (0.61 accuracy) with 8 labels, the fewest "
            "tried; interval up to 12: at least 48 times fewer.",
        ),
        (
            saving(48, 48, np.inf, 8, 384, "at least"),
            "Transfer already reaches what 384 labels from scratch reach (0.61 accuracy) with 8 labels, the fewest "
            "tried: at least 48 times fewer.",
        ),
        (
            saving(1.25, 0.8, 2, 307.2, 384),
            "No saving of labels is shown: transfer needs 307 labels for what 384 labels from scratch reach (0.61 "
            "accuracy), but the difference is within the noise (interval 0.8 to 2 times as many from scratch).",
        ),
        (
            saving(0.25, 0.125, 0.5, 384, 96),
            "Transfer did not help: 96 labels from scratch reach what transfer reaches with 384 labels (0.61 accuracy; "
            "interval 48 to 192): 4 times fewer from scratch.",
        ),
        (
            saving(1 / 48, 0, 1 / 32, 384, 8, "at most"),
            "Transfer did not help: 8 labels from scratch already reach what transfer reaches with 384 labels (0.61 "
            "accuracy; interval up to 12): at least 48 times fewer from scratch.",
        ),
    ],
)
def test_sentences_say_what_was_found(found, expected):
    assert sentence(found, "accuracy") == expected


@pytest.mark.parametrize(
    ("value", "text"), [(0.614, "0.61"), (0.0123456, "0.0123"), (1234.5, "1230"), (0, "0.00"), (23.46, "23.5")]
)
def test_scores_are_written_with_the_digits_that_matter(value, text):
    assert written_score(value) == text
