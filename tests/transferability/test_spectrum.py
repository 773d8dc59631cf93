import numpy as np
import pytest
from sklearn.covariance import ledoit_wolf_shrinkage

from headstart.errors import DataError
from headstart.transferability import Spectrum
from headstart.transferability._spectrum import shrinkage
from tests.transferability.small import features


@pytest.mark.parametrize(("n", "width"), [(30, 80), (80, 30), (30, 30)])
def test_it_is_the_singular_value_decomposition_of_the_rows_as_they_are(n, width):
    F = features(n, width, shift=3.0)
    found = Spectrum.of(F)
    np.testing.assert_allclose(found.singular[::-1], np.linalg.svd(F)[1], rtol=1e-6)
    np.testing.assert_allclose(found.coordinates @ found.coordinates.T, F @ F.T, rtol=1e-9)
    np.testing.assert_allclose(found.left.T @ found.left, np.eye(len(found.singular)), atol=1e-6)
    np.testing.assert_allclose(found.energies, found.singular**2)


@pytest.mark.parametrize(("n", "width"), [(30, 80), (80, 30)])
@pytest.mark.parametrize("shift", [0.0, 1000.0])
def test_variances_survive_a_large_mean(n, width, shift):
    F = features(n, width, shift=shift)
    found, covariance = Spectrum.of(F), np.cov(F, rowvar=False, ddof=0)
    assert found.variance == pytest.approx(np.trace(covariance), rel=1e-9)
    assert found.squared_covariance == pytest.approx((covariance**2).sum(), rel=1e-8)
    np.testing.assert_allclose(
        found.centred @ found.centred.T, (F - F.mean(axis=0)) @ (F - F.mean(axis=0)).T, atol=1e-4
    )


def test_repeated_columns_add_no_dimensions():
    F = features(40, 6)
    found = Spectrum.of(np.hstack([F, F, F[:, :1] - F[:, 1:2]]).astype(np.float32))
    assert found.left.shape == (40, 6)
    assert found.width == 13


@pytest.mark.parametrize(("F", "rank"), [(np.zeros((5, 3)), 0), (np.full((5, 3), 2.5), 1), (np.full((2, 7), -1), 1)])
def test_rows_that_are_all_the_same_are_flat(F, rank):
    found = Spectrum.of(F)
    assert found.flat
    assert found.left.shape == (len(F), rank)
    assert not Spectrum.of(features(5, 3)).flat


@pytest.mark.parametrize(("n", "width"), [(30, 80), (80, 30), (500, 5), (40, 1)])
@pytest.mark.parametrize("spread", [0.0, 1.0])
def test_shrinkage_is_scikit_learns(n, width, spread):
    F = features(n, width) * np.geomspace(1, 10**spread, width)
    rows = F - F.mean(axis=0)
    squares = ((rows.T @ rows / n) ** 2).sum()
    found = shrinkage(np.mean((rows**2).sum(axis=1) ** 2), squares, (rows**2).sum() / n, n=n, width=width)
    assert found == pytest.approx(ledoit_wolf_shrinkage(F), rel=1e-9)


def test_without_any_distance_to_the_target_shrinkage_is_complete():
    assert shrinkage(9.0, 2.0, 2.0, n=10, width=2) == 1.0


@pytest.mark.parametrize("F", [np.ones(4), np.ones((0, 3)), np.ones((3, 0))])
def test_what_is_no_matrix_is_refused(F):
    with pytest.raises(DataError, match=r"expected features of shape \(N, D\)"):
        Spectrum.of(F)


def test_features_that_are_not_finite_are_counted():
    F = features(6, 4)
    F[2, 1], F[3] = np.nan, np.inf
    with pytest.raises(DataError, match=r"expected finite features, found 5 that are not\. Look for"):
        Spectrum.of(F)
