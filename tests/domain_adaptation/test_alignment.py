"""The maps between domains, against POT, scipy and what they promise."""

import numpy as np
import ot
import pytest
from scipy import linalg
from sklearn.covariance import ledoit_wolf

from headstart.domain_adaptation import coral, entropic_transport, linear_transport, standardise, subspace
from headstart.domain_adaptation._alignment import power, principal_axes
from headstart.errors import DataError, OptionError
from tests.domain_adaptation.domains import rows

SOURCE, TARGET = rows(90, 8, seed=1), rows(120, 8, seed=2, spread=2.0, shift=3.0)
MOVES = {
    "standardise": standardise,
    "coral": coral,
    "linear_transport": linear_transport,
    "subspace": lambda source, target: subspace(source, target, dimensions=3),
    "entropic_transport": lambda source, target: entropic_transport(source, target, blur=0.05),
}


def test_standardised_features_have_the_targets_mean_and_deviation():
    moved = standardise(SOURCE, TARGET)
    assert np.allclose(moved.mean(axis=0), TARGET.mean(axis=0), atol=1e-5)
    assert np.allclose(moved.std(axis=0), TARGET.std(axis=0), rtol=1e-5)


def test_standardising_leaves_the_spread_of_features_that_are_constant_in_one_domain():
    target = TARGET.copy()
    target[:, 0] = 7.0
    moved = standardise(SOURCE, target)
    assert np.allclose(moved[:, 0], SOURCE[:, 0] - SOURCE[:, 0].mean() + 7.0, atol=1e-5)
    assert np.isfinite(standardise(target, SOURCE)).all()


def shrunk(X):
    return ledoit_wolf(X.astype(np.float64))[0]


def test_coral_is_whitening_and_colouring():
    Cs, Ct = shrunk(SOURCE), shrunk(TARGET)
    by = linalg.inv(linalg.sqrtm(Cs)) @ linalg.sqrtm(Ct)
    expected = (SOURCE - SOURCE.mean(axis=0, dtype=np.float64)) @ by + TARGET.mean(axis=0, dtype=np.float64)
    assert np.allclose(coral(SOURCE, TARGET), expected, atol=1e-4)


def test_linear_transport_is_that_of_pot():
    means = [X.mean(axis=0, dtype=np.float64) for X in (SOURCE, TARGET)]
    A, b = ot.gaussian.bures_wasserstein_mapping(*means, shrunk(SOURCE), shrunk(TARGET))
    assert np.allclose(linear_transport(SOURCE, TARGET), SOURCE @ A + b, atol=1e-4)


def test_linear_transport_moves_less_than_coral():
    source, target = rows(3000, 6, seed=1) * np.float32([1, 2, 3, 4, 5, 6]), rows(3000, 6, seed=2)
    near = np.square(linear_transport(source, target) - source).mean()
    assert near < np.square(coral(source, target) - source).mean()


def test_subspace_alignment_is_the_formula_of_the_paper_in_the_targets_axes():
    Ps, Pt = principal_axes(SOURCE, 3), principal_axes(TARGET, 3)
    centred = SOURCE - SOURCE.mean(axis=0, dtype=np.float64)
    expected = centred @ Ps @ Ps.T @ Pt
    moved = subspace(SOURCE, TARGET, dimensions=3) - TARGET.mean(axis=0, dtype=np.float64)
    assert np.allclose(moved @ Pt, expected, atol=1e-4)
    assert np.linalg.matrix_rank(moved, tol=1e-2) == 3


def test_subspace_alignment_takes_no_more_axes_than_there_are():
    assert np.isfinite(subspace(SOURCE[:3], TARGET, dimensions=64)).all()


def test_entropic_transport_is_that_of_pot():
    cost = ot.dist(SOURCE.astype(np.float64), TARGET.astype(np.float64))
    plan = ot.sinkhorn([], [], cost / np.median(cost), 0.05, method="sinkhorn_stabilized", numItermax=20000)
    expected = plan @ TARGET / plan.sum(axis=1, keepdims=True)
    assert np.allclose(entropic_transport(SOURCE, TARGET, blur=0.05), expected, atol=1e-2)


def test_entropic_transport_refuses_plans_that_fill_the_memory():
    many = np.zeros((5001, 2), dtype=np.float32)
    with pytest.raises(OptionError, match="at most 5,000 examples of a domain, found 5,001 and 90"):
        entropic_transport(many, SOURCE[:, :2], blur=0.1)


def test_entropic_transport_refuses_what_double_precision_cannot_hold():
    with pytest.raises(OptionError, match="a blur of 0.01 or more, found 0.001"):
        entropic_transport(SOURCE, TARGET, blur=0.001)


@pytest.mark.parametrize("name", MOVES)
def test_a_domain_moved_onto_itself_stays_where_it_is(name):
    moved = MOVES[name](SOURCE, SOURCE)
    if name in ("subspace", "entropic_transport"):  # which leave something of it out
        assert np.allclose(moved.mean(axis=0), SOURCE.mean(axis=0), atol=1e-3)
    else:
        assert np.allclose(moved, SOURCE, atol=1e-4)


@pytest.mark.parametrize("name", MOVES)
def test_fewer_rows_than_features_do(name):
    moved = MOVES[name](rows(10, 30, seed=1), rows(12, 30, seed=2, shift=1.0))
    assert moved.shape == (10, 30)
    assert moved.dtype == np.float32
    assert np.isfinite(moved).all()


@pytest.mark.parametrize("name", MOVES)
def test_features_of_two_networks_are_refused(name):
    with pytest.raises(DataError, match="features of one width from both domains"):
        MOVES[name](SOURCE, TARGET[:, :5])


@pytest.mark.parametrize("name", MOVES)
def test_a_single_example_is_refused(name):
    with pytest.raises(DataError, match="at least 2 examples of each domain, found 90 and 1"):
        MOVES[name](SOURCE, TARGET[:1])


def test_powers_of_a_singular_matrix_are_finite():
    assert np.isfinite(power(np.diag([0.0, 1.0]), -0.5)).all()
