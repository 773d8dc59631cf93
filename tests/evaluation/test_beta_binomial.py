"""Quantiles of the beta-binomial against scipy's."""

import numpy as np
import pytest
from scipy import stats

from headstart.evaluation._beta_binomial import beta_binomial_quantile


@pytest.mark.parametrize("n", [1, 7, 200, 5000])
@pytest.mark.parametrize(("a", "b"), [(1.0, 1.0), (0.3, 12.0), (190.5, 11.0), (40.0, 1e-9)])
def test_quantiles_are_those_of_scipy(n, a, b):
    levels = np.array([0.001, 0.025, 0.2, 0.5, 0.9, 0.975, 0.999])
    expected = stats.betabinom(n, a, b).ppf(levels)
    assert [beta_binomial_quantile(level, n, a, b) for level in levels] == expected.tolist()
