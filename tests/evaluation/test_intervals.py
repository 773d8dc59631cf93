"""Intervals: against resamples put together by hand, closed forms, and their coverage on simulated data."""

import numpy as np
import pytest
from scipy import stats

from headstart.errors import OptionError
from headstart.evaluation.intervals import bootstrap_interval, figure_interval, nadeau_bengio, paired_interval
from headstart.evaluation.metrics import METRICS, accuracy
from headstart.linear import Standardiser, fit_logistic
from tests.reference import scores


def problem(n, n_classes=2, *, right=0.8, seed=0):
    rng = np.random.default_rng(seed)
    y = rng.integers(0, n_classes, n)
    said = np.where(rng.random(n) < right, y, rng.integers(0, n_classes, n))
    return y, 0.9 * np.eye(n_classes)[said] + 0.1 * rng.dirichlet(np.ones(n_classes), n)


def perfect(n):
    y = np.arange(n) % 2
    return y, 0.8 * np.eye(2)[y] + 0.1


@pytest.mark.parametrize("name", METRICS)
@pytest.mark.parametrize("grouped", [False, True])
def test_the_bootstrap_agrees_with_resamples_put_together(name, grouped):
    y, p = problem(60, 3)
    groups = np.arange(60) // 4 if grouped else np.arange(60)
    found = bootstrap_interval(name, y, p, groups=groups if grouped else None, seed=1, resamples=4000)
    expected = np.nanquantile(
        scores.bootstrap(getattr(scores, name), y, p, groups=groups, resamples=400, seed=2), [0.025, 0.975]
    )
    width = expected[1] - expected[0]
    assert [found.low, found.high] == pytest.approx(expected, abs=0.2 * width)
    assert found.method == ("bootstrap of 15 groups" if grouped else "bootstrap of 60 items")


def test_any_figure_is_drawn_as_a_score_is():
    y, p = problem(60)
    groups = np.arange(60) // 4
    found = figure_interval(lambda counts: accuracy(y, p, counts), y, groups=groups, bounds=(0.0, 1.0), seed=1)
    assert found == bootstrap_interval("accuracy", y, p, groups=groups, seed=1)
    twice = figure_interval(lambda counts: 2 * accuracy(y, p, counts), y, groups=groups, bounds=(0.0, 2.0), seed=1)
    assert [twice.low, twice.high] == pytest.approx([2 * found.low, 2 * found.high])


def test_the_same_seed_gives_the_same_interval_and_blocks_do_not_matter(monkeypatch):
    y, p = problem(50)
    first = bootstrap_interval("log_loss", y, p, seed=3)
    assert bootstrap_interval("log_loss", y, p, seed=3) == first
    assert bootstrap_interval("log_loss", y, p, seed=4) != first
    monkeypatch.setattr("headstart.evaluation.intervals._CHUNK", 5000)
    again = bootstrap_interval("log_loss", y, p, seed=3)
    assert [again.low, again.high] == pytest.approx([first.low, first.high])


def test_items_of_one_group_that_stand_and_fall_together_widen_the_interval():
    y, p = problem(40, right=0.7)
    copies = np.repeat(np.arange(40), 10)
    by_item = bootstrap_interval("accuracy", y[copies], p[copies], seed=0)
    by_group = bootstrap_interval("accuracy", y[copies], p[copies], groups=copies, seed=0)
    assert by_group.high - by_group.low > 2.5 * (by_item.high - by_item.low)


@pytest.mark.parametrize("n", [5, 30])
def test_no_error_among_n_gives_the_clopper_pearson_interval(n):
    y, p = perfect(n)
    found = bootstrap_interval("accuracy", y, p, seed=0)
    low, high = stats.binomtest(n, n).proportion_ci(0.95, method="exact")
    assert (found.low, found.high) == pytest.approx((low, high))
    assert found.method == f"Clopper-Pearson, {n} items without spread"


def test_groups_without_spread_count_as_groups_and_one_group_tells_almost_nothing():
    y, p = perfect(40)
    ten = bootstrap_interval("accuracy", y, p, groups=np.arange(40) // 4, seed=0)
    assert (ten.low, ten.high) == pytest.approx(tuple(stats.binomtest(10, 10).proportion_ci(0.95, method="exact")))
    one = bootstrap_interval("accuracy", *problem(40), groups=np.zeros(40), seed=0)
    assert one.low < 0.05
    assert one.high > 0.95
    assert one.method == "Wilson with the largest possible variance, 1 group without spread"


@pytest.mark.parametrize("rights", [(75, 75), (75, 74), (95, 40, 60)])
def test_a_few_groups_are_never_surer_than_their_items(rights):
    """Two speakers may score alike by luck: over them alone the interval would have hardly any width."""
    y, groups = np.zeros(100 * len(rights), int), np.repeat(np.arange(len(rights)), 100)
    right = np.concatenate([np.arange(100) < each for each in rights])
    p = np.where(right[:, None], [0.9, 0.1], [0.1, 0.9])
    found = bootstrap_interval("accuracy", y, p, groups=groups, seed=0)
    items = bootstrap_interval("accuracy", y, p, seed=0)
    assert found.low <= items.low < items.high <= found.high
    assert found.low <= min(rights) / 100 or len(rights) == 2
    assert found.method.startswith("the wider of: ")
    assert f"{len(rights)} groups" in found.method
    assert found.method.endswith(f"; bootstrap of {len(y)} items")
    against = paired_interval("accuracy", y, p, np.full_like(p, 0.5), groups=groups, seed=0)
    assert against.method.startswith("the wider of: ")
    five = bootstrap_interval("accuracy", y, p, groups=np.arange(len(y)) // (len(y) // 5), seed=0)
    assert five.method == "bootstrap of 5 groups"


def test_resamples_without_a_score_are_counted_and_most_of_them_undefined_is_said():
    y, p = np.array([1] + [0] * 7), problem(8)[1]
    found = bootstrap_interval("auroc", y, p, seed=0)  # (7/8)^8 = 34 % of resamples lack class 1
    assert 0.3 * 2000 < found.skipped < 0.4 * 2000
    rare = bootstrap_interval("auroc", np.array([0, 1, 2, 3, 0, 0]), problem(6, 4)[1], seed=0)
    assert (rare.low, rare.high) == (0.0, 1.0)
    assert rare.method == "undefined in most resamples of 6 items: the whole range"


def test_a_paired_interval_is_narrower_than_two_and_is_signed_a_minus_b():
    y, p = problem(200, right=0.7)
    better = np.where(np.arange(200)[:, None] < 20, 0.8 * np.eye(2)[y] + 0.1, p)
    found = paired_interval("accuracy", y, better, p, seed=0)
    single = bootstrap_interval("accuracy", y, p, seed=0)
    gain = METRICS["accuracy"].function(y, better) - METRICS["accuracy"].function(y, p)
    assert 0 <= found.low < gain < found.high
    assert found.high - found.low < 0.6 * (single.high - single.low)
    swapped = paired_interval("accuracy", y, p, better, seed=0)
    assert (swapped.low, swapped.high) == pytest.approx((-found.high, -found.low))


def test_two_models_that_never_differ_may_still_differ_on_other_items():
    y, p = perfect(20)
    found = paired_interval("accuracy", y, p, p, seed=0)
    low, high = stats.binomtest(10, 20).proportion_ci(0.95, method="wilson")
    assert (found.low, found.high) == pytest.approx((2 * low - 1, 2 * high - 1))
    assert found.method == "Wilson with the largest possible variance, 20 items without spread"


def test_nadeau_bengio_is_the_t_interval_with_the_corrected_variance():
    values = np.array([[0.7, 0.8, 0.75], [0.72, 0.78, 0.81]])
    found = nadeau_bengio(values, n_train=80, n_test=40, bounds=(0, 1))
    half = stats.t.ppf(0.975, 5) * np.sqrt(values.var(ddof=1) * (1 / 6 + 40 / 80))
    assert (found.low, found.high) == pytest.approx((values.mean() - half, values.mean() + half))
    assert found.method == "Nadeau-Bengio, 6 folds"
    assert nadeau_bengio([0.5, 0.99], n_train=80, n_test=40, bounds=(0, 1)).high == 1.0
    assert nadeau_bengio([0.5, 0.6, float("nan")], n_train=80, n_test=40, bounds=(0, 1)).skipped == 1


def test_folds_that_all_agree_are_not_taken_for_certainty():
    found = nadeau_bengio(np.ones(10), n_train=45, n_test=5, bounds=(0, 1))
    assert (found.low, found.high) == pytest.approx((0.025 ** (1 / 50), 1.0))
    assert found.method == "Clopper-Pearson, 50 items without spread"
    six = nadeau_bengio(np.ones(3), n_train=160, n_test=80, bounds=(0, 1), units=6)
    assert (six.low, six.high) == pytest.approx(tuple(stats.binomtest(6, 6).proportion_ci(0.95, method="exact")))
    assert six.method == "Clopper-Pearson, 6 units without spread"


@pytest.mark.parametrize(("value", "bounds"), [(0.5, (0, 1)), (0.3, (0, 1)), (1.0, (0, 2)), (0.0, (-1, 1))])
def test_folds_that_agree_between_the_bounds_are_as_uncertain_as_their_units_can_be(value, bounds):
    found = nadeau_bengio(np.full(5, value), n_train=32, n_test=8, bounds=bounds, units=40)
    reach = bounds[1] - bounds[0]
    expected = stats.binomtest(round(40 * (value - bounds[0]) / reach), 40).proportion_ci(0.95, method="wilson")
    assert [found.low, found.high] == pytest.approx([bounds[0] + reach * end for end in expected])
    assert found.method == "Wilson with the largest possible variance, 40 units without spread"


def test_one_fold_and_unknown_metrics_are_refused():
    with pytest.raises(OptionError, match="expected scores of at least 2 folds, found 1"):
        nadeau_bengio([0.5, float("nan")], n_train=8, n_test=2, bounds=(0, 1))
    with pytest.raises(OptionError, match=r"expected a metric, found 'f2'\. Use one of accuracy, "):
        bootstrap_interval("f2", *perfect(4), seed=0)


def one_experiment(seed, *, n=60, dimensions=32, repeats=5, n_splits=5):
    """Fold accuracies on Gaussian classes, and the true accuracy of the model fitted on all of the data."""
    rng = np.random.default_rng(seed)
    centre = np.full(dimensions, 0.22)

    def fitted(X, y):
        standardiser = Standardiser.fit(X)
        return fit_logistic(standardiser.transform(X), y, n_classes=2, strength=0.3).fold(standardiser)

    y = np.arange(n) % 2
    X = rng.normal(size=(n, dimensions)) + np.where(y[:, None] == 1, centre, -centre)
    values = []
    for _ in range(repeats):
        for part in np.array_split(rng.permutation(n), n_splits):
            rest = np.setdiff1d(np.arange(n), part)
            values.append((fitted(X[rest], y[rest]).logits(X[part]).argmax(axis=1) == y[part]).mean())
    model = fitted(X, y)
    w, b = model.weights[1] - model.weights[0], model.bias[1] - model.bias[0]
    truth = np.mean(
        [stats.norm.cdf((w @ centre + b) / np.linalg.norm(w)), stats.norm.cdf((w @ centre - b) / np.linalg.norm(w))]
    )
    return np.array(values), truth


@pytest.mark.slow
def test_nadeau_bengio_covers_where_the_plain_t_interval_over_folds_does_not():
    corrected = naive = 0
    for seed in range(100):
        values, truth = one_experiment(seed)
        found = nadeau_bengio(values, n_train=48, n_test=12, bounds=(0, 1))
        low, high = stats.t.interval(0.95, len(values) - 1, loc=values.mean(), scale=stats.sem(values))
        corrected += found.low <= truth <= found.high
        naive += low <= truth <= high
    assert corrected >= 88
    assert naive <= 75
