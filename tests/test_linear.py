"""The linear classifiers: scikit-learn and scipy as independent implementations, and the troubles of little data."""

import numpy as np
import pytest
from scipy import optimize, sparse, special
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold
from sklearn.neighbors import KNeighborsClassifier, NearestCentroid

from headstart import linear
from headstart.errors import DataError, OptionError
from headstart.linear import (
    KNearest,
    LinearModel,
    Standardiser,
    cross_validate,
    fit_cross_validated,
    fit_logistic,
    fit_nearest_mean,
)


def problem(n, dimensions, n_classes, *, seed=0, apart=0.5):
    """Correlated Gaussian classes, standardised, every class present."""
    rng = np.random.default_rng(seed)
    y = rng.permutation(np.arange(n) % n_classes)
    mixing = rng.normal(size=(dimensions, dimensions)) * np.exp(-4 * np.arange(dimensions) / dimensions)[:, None]
    X = (apart * rng.normal(size=(n_classes, dimensions))[y] + rng.normal(size=(n, dimensions))) @ mixing
    X = X.astype(np.float32)
    return Standardiser.fit(X).transform(X), y


def folds_of(y, k=5):
    return list(StratifiedKFold(k, shuffle=True, random_state=0).split(y, y))


def objective_at(model, X, y, strength, weights=None):
    losses = special.logsumexp(model.logits(X), axis=1) - model.logits(X)[np.arange(len(y)), y]
    return np.average(losses, weights=weights) + strength / 2 * (model.weights.astype(float) ** 2).sum()


@pytest.mark.parametrize("strength", [3.0, 0.1, 0.001])
@pytest.mark.parametrize(("n", "dimensions", "n_classes"), [(200, 30, 2), (200, 30, 5), (40, 300, 2), (60, 200, 7)])
def test_logistic_regression_equals_scikit_learns(n, dimensions, n_classes, strength):
    X, y = problem(n, dimensions, n_classes)
    found = fit_logistic(X, y, n_classes=n_classes, strength=strength)
    c = (2 if n_classes == 2 else 1) / (n * strength)
    theirs = LogisticRegression(C=c, tol=1e-8, max_iter=10_000).fit(X.astype(float), y)
    assert found.converged
    assert found.weights.shape == (n_classes, dimensions)
    np.testing.assert_allclose(found.probabilities(X), theirs.predict_proba(X), atol=2e-3)
    rows = np.vstack([-theirs.coef_, theirs.coef_]) / 2 if n_classes == 2 else theirs.coef_
    bias = np.concatenate([-theirs.intercept_, theirs.intercept_]) / 2 if n_classes == 2 else theirs.intercept_
    best = objective_at(LinearModel(rows, bias), X, y, strength)
    assert best - 1e-7 <= objective_at(found, X, y, strength) <= best + 2e-6


def test_sparse_rows_and_weights_reach_the_optimum_that_plain_l_bfgs_finds():
    rng = np.random.default_rng(0)
    X = sparse.random_array((80, 120), density=0.1, rng=rng, dtype=np.float32).tocsr()
    y, weights, strength = rng.integers(0, 3, 80), rng.random(80), 0.01

    def objective(flat):
        parameters = flat.reshape(3, 121)
        logits = X @ parameters[:, :-1].T + parameters[:, -1]
        losses = special.logsumexp(logits, axis=1) - logits[np.arange(80), y]
        return np.average(losses, weights=weights) + strength / 2 * (parameters[:, :-1] ** 2).sum()

    best = optimize.minimize(objective, np.zeros(363), method="L-BFGS-B", options={"maxfun": 10**6, "ftol": 1e-12}).fun
    found = fit_logistic(X, y, n_classes=3, strength=strength, sample_weight=weights)
    assert objective_at(found, X, y, strength, weights) == pytest.approx(best, abs=3e-6)
    dense = fit_logistic(X.toarray(), y, n_classes=3, strength=strength, sample_weight=weights)
    np.testing.assert_allclose(found.probabilities(X), dense.probabilities(X), atol=2e-3)


def test_balanced_weights_equal_repeating_the_rare_class():
    X, y = problem(90, 10, 2, apart=0.2)
    X, y = np.vstack([X[y == 0], X[y == 1][:15]]), np.repeat([0, 1], [45, 15])
    balanced = fit_logistic(X, y, n_classes=2, strength=0.1, class_weight="balanced")
    thrice = np.concatenate([np.arange(45), np.tile(np.arange(45, 60), 3)])
    repeated = fit_logistic(X[thrice], y[thrice], n_classes=2, strength=0.1)
    np.testing.assert_allclose(balanced.probabilities(X), repeated.probabilities(X), atol=2e-3)


def test_a_strength_means_the_same_at_every_number_of_examples():
    X, y = problem(50, 20, 3)
    once = fit_logistic(X, y, n_classes=3, strength=0.1)
    often = fit_logistic(np.tile(X, (4, 1)), np.tile(y, 4), n_classes=3, strength=0.1)
    np.testing.assert_allclose(once.probabilities(X), often.probabilities(X), atol=2e-3)


def test_the_start_changes_the_time_and_not_the_answer(monkeypatch):
    X, y = problem(120, 40, 4)
    steps = []
    original = linear._solver._loss_and_gradient
    monkeypatch.setattr(linear._solver, "_loss_and_gradient", lambda *a: steps.append(1) or original(*a))
    cold = fit_logistic(X, y, n_classes=4, strength=0.01)
    n_cold = len(steps)
    warm = fit_logistic(X, y, n_classes=4, strength=0.01, start=cold)
    assert len(steps) - n_cold < n_cold / 3
    np.testing.assert_allclose(cold.probabilities(X), warm.probabilities(X), atol=2e-3)


def test_running_out_of_steps_is_said(monkeypatch):
    X, y = problem(120, 40, 4)
    monkeypatch.setattr(linear._solver, "_MAX_STEPS", 3)
    assert not fit_logistic(X, y, n_classes=4, strength=0.001).converged


def test_folding_the_standardiser_in_gives_the_same_answers_on_raw_features():
    rng = np.random.default_rng(0)
    X, y = rng.normal(50, [0.01, 3, 400], size=(90, 3)).astype(np.float32), np.arange(90) % 3
    standardiser = Standardiser.fit(X)
    rows = standardiser.transform(X)
    assert rows.mean(axis=0) == pytest.approx(0, abs=1e-3)
    assert rows.std(axis=0) == pytest.approx(1, abs=1e-3)
    model = fit_logistic(rows, y, n_classes=3, strength=0.1)
    np.testing.assert_allclose(model.fold(standardiser).probabilities(X), model.probabilities(rows), atol=2e-3)


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_a_constant_feature_keeps_scale_one_in_every_precision(dtype):
    X = np.stack([np.full(30, 0.1), np.arange(30) / 7], axis=1).astype(dtype)
    standardiser = Standardiser.fit(X)
    assert standardiser.scale[0] == 1.0
    assert np.abs(standardiser.transform(X)[:, 0]).max() < 1e-6
    assert standardiser.transform(X).dtype == np.float32
    assert fit_logistic(X, np.arange(30) // 15, n_classes=2, strength=0.01).probabilities(X)[0, 0] > 0.9


@pytest.mark.parametrize("size", [1e-32, 1e-8])
def test_a_feature_that_is_all_but_zero_gets_no_weight_of_any_size(size):
    X, y = problem(120, 40, 4)
    X = np.concatenate([X, size * np.random.default_rng(0).normal(size=(120, 1))], axis=1).astype(np.float32)
    standardiser = Standardiser.fit(X)
    assert standardiser.scale[-1] == 1.0
    folded = fit_logistic(standardiser.transform(X), y, n_classes=4, strength=0.01).fold(standardiser)
    assert np.abs(folded.weights).max() < 100


def test_features_that_are_all_constant_leave_the_class_frequencies():
    X, y = np.ones((10, 4), np.float32), np.array([0] * 7 + [1] * 3)
    np.testing.assert_allclose(fit_logistic(X, y, n_classes=2, strength=0.1).probabilities(X)[0], [0.7, 0.3], atol=1e-4)


def test_cross_validation_equals_fitting_every_fold_and_strength_alone():
    X, y = problem(120, 15, 3, apart=0.3)
    X, strengths, folds = 5 + 3 * X, (0.01, 1.0, 0.1), folds_of(y)
    found = cross_validate(X, y, folds, n_classes=3, strengths=strengths)
    losses, out = np.zeros((5, 3)), np.zeros((3, 120, 3))
    for f, (train, test) in enumerate(folds):
        mean, scale = X[train].mean(axis=0), X[train].std(axis=0)
        for s, strength in enumerate(sorted(strengths, reverse=True)):
            model = LogisticRegression(C=1 / (len(train) * strength), tol=1e-8, max_iter=9999)
            out[s, test] = model.fit((X[train] - mean) / scale, y[train]).predict_proba((X[test] - mean) / scale)
            losses[f, s] = -np.log(out[s, test, y[test]]).mean()
    np.testing.assert_allclose(found.log_loss, losses, atol=3e-3)
    assert found.strengths.tolist() == [1.0, 0.1, 0.01]
    best = losses.mean(axis=0).argmin()
    assert found.strength == found.strengths[best]
    np.testing.assert_allclose(found.probabilities, out[best], atol=5e-3)
    hits = [(out[best, test].argmax(axis=1) == y[test]).mean() for _, test in folds]
    np.testing.assert_allclose(found.accuracy[:, best], hits, atol=0.05)


def test_the_walk_ends_once_the_held_out_loss_has_turned_up():
    X, _ = problem(60, 100, 2)
    y = np.random.default_rng(1).permutation(np.arange(60) % 2)
    found = cross_validate(X, y, folds_of(y), n_classes=2)
    assert len(found.strengths) < len(linear.STRENGTHS)
    assert found.strength >= 3.0
    assert found.log_loss.shape == (5, len(found.strengths))


def test_equal_losses_choose_the_stronger_penalty():
    X, y = np.ones((20, 2), np.float32), np.arange(20) % 2
    assert cross_validate(X, y, folds_of(y), n_classes=2, strengths=(0.1, 1.0)).strength == 1.0


def test_items_held_out_twice_are_averaged_and_never_held_out_are_nan():
    X, y = problem(30, 4, 2)
    first = (np.arange(10, 30), np.arange(5))
    second = (np.arange(8, 30), np.arange(3, 8))
    found, a, b = (cross_validate(X, y, f, n_classes=2, strengths=[0.1]) for f in ([first, second], [first], [second]))
    np.testing.assert_allclose(found.probabilities[4], (a.probabilities[4] + b.probabilities[4]) / 2)
    assert np.isnan(found.probabilities[8:]).all()
    assert not np.isnan(found.probabilities[:8]).any()


@pytest.mark.parametrize("make", [np.asarray, sparse.csr_matrix])
def test_a_class_missing_from_a_training_part_gets_a_small_probability(make):
    X, y = problem(40, 6, 2)
    y = np.append(y, 2)
    X = make(np.vstack([X, X[:1]]))
    found = cross_validate(
        X, y, [(np.arange(40), np.array([40]))], n_classes=3, strengths=[0.1], class_weight="balanced"
    )
    assert 1e-4 < found.probabilities[40, 2] < 0.1
    assert np.isfinite(found.log_loss).all()
    np.testing.assert_allclose(found.probabilities[40].sum(), 1)


def test_the_model_for_all_rows_takes_features_as_they_come():
    X, y = problem(80, 10, 2, apart=1.0)
    raw = 100 + 10 * X
    model, found = fit_cross_validated(raw, y, folds_of(y), n_classes=2)
    assert (model.probabilities(raw).argmax(axis=1) == y).mean() > 0.9
    rows = Standardiser.fit(raw).transform(raw)
    alone = fit_logistic(rows, y, n_classes=2, strength=found.strength)
    np.testing.assert_allclose(model.probabilities(raw), alone.probabilities(rows), atol=2e-3)


def test_the_same_call_gives_the_same_numbers():
    X, y = problem(100, 150, 4)
    first, second = (fit_cross_validated(X, y, folds_of(y), n_classes=4) for _ in range(2))
    np.testing.assert_array_equal(first[0].weights, second[0].weights)
    np.testing.assert_array_equal(first[1].probabilities, second[1].probabilities)


def test_the_nearest_mean_is_scikit_learns_and_its_sureness_is_calibrated():
    X, y = problem(400, 50, 4, apart=0.4)
    model = fit_nearest_mean(X[:200], y[:200], n_classes=4)
    p = model.probabilities(X[200:])
    np.testing.assert_array_equal(p.argmax(axis=1), NearestCentroid().fit(X[:200], y[:200]).predict(X[200:]))
    loss = -np.log(p[np.arange(200), y[200:]]).mean()
    logits = model.logits(X[200:])
    others = [
        -special.log_softmax(t * logits, axis=1)[np.arange(200), y[200:]].mean() for t in np.geomspace(0.05, 20, 41)
    ]
    assert loss < min(others) + 0.02
    assert loss < 0.9 * np.log(4)


def test_the_nearest_mean_works_with_one_example_a_class_and_with_a_class_of_none():
    X = np.eye(3, dtype=np.float32)
    p = fit_nearest_mean(X[:2], np.array([0, 2]), n_classes=4).probabilities(X)
    assert p[:2].argmax(axis=1).tolist() == [0, 2]
    assert np.isfinite(p).all()
    assert (p > 0).all()


def test_the_nearest_neighbours_are_scikit_learns_and_blocks_do_not_matter(monkeypatch):
    X, y = problem(150, 12, 3)
    ours = KNearest.fit(X[:100], y[:100], n_classes=3, k=7)
    theirs = KNeighborsClassifier(7, metric="cosine", weights=lambda d: 1 / (d + 0.01)).fit(X[:100], y[:100])
    expected = (7 * theirs.predict_proba(X[100:]) + 1 / 3) / 8
    np.testing.assert_allclose(ours.probabilities(X[100:]), expected, atol=1e-4)
    monkeypatch.setattr(linear._models, "_CHUNK", 300)
    np.testing.assert_allclose(ours.probabilities(X[100:]), expected, atol=1e-4)
    assert ours.probabilities(X[:0]).shape == (0, 3)


def test_fewer_rows_than_neighbours_and_rows_of_zeros_still_vote():
    X = np.array([[0, 0], [1, 0], [0, 1]], np.float32)
    p = KNearest.fit(X, np.array([0, 1, 1]), n_classes=3, k=5).probabilities(X)
    assert np.isfinite(p).all()
    np.testing.assert_allclose(p.sum(axis=1), 1)
    assert p.min() == pytest.approx(1 / 3 / 4)


def test_what_cannot_be_fitted_is_refused():
    X, y = problem(10, 3, 2)
    broken = X.copy()
    broken[2, 1] = np.nan
    fit = {"n_classes": 2, "strength": 0.1}
    with pytest.raises(DataError, match=r"expected finite features, found 1 that are not. Look for empty or corrupt"):
        fit_logistic(broken, y, **fit)
    with pytest.raises(DataError, match="expected class numbers from 0 to 1, found 1 to 2"):
        fit_logistic(X, y + 1, **fit)
    with pytest.raises(DataError, match="expected one label for each of one or more rows, found 10 rows and 9 labels"):
        fit_nearest_mean(X, y[:9], n_classes=2)
    with pytest.raises(OptionError, match=r"expected strengths above 0, found \[0.0\]. Try strengths from"):
        fit_logistic(X, y, n_classes=2, strength=0.0)
    with pytest.raises(OptionError, match=r"expected strengths above 0, found \[\]"):
        cross_validate(X, y, folds_of(y), n_classes=2, strengths=[])
    with pytest.raises(OptionError, match="expected 10 sample weights of 0 or more, not all 0, found"):
        fit_logistic(X, y, **fit, sample_weight=np.zeros(10))
