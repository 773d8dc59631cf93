"""Learning curves of transcripts: who is in the subsets, and what points say where nothing is heard."""

from itertools import pairwise

import numpy as np

from headstart.evaluation import Fold, curve_point, nested_subsets
from headstart.tasks import Heard


def test_equal_shares_go_as_far_as_the_smallest_class():
    y = np.repeat(np.arange(4), [75, 75, 75, 12])
    found = nested_subsets(y, None, (40, 48, 120, 237), seed=0, equal=True)
    assert [np.bincount(y[subset]).tolist() for subset in found] == [
        [10, 10, 10, 10],
        [12, 12, 12, 12],
        [36, 36, 36, 12],
        [75, 75, 75, 12],
    ]
    assert all(np.isin(smaller, larger).all() for smaller, larger in pairwise(found))
    assert np.bincount(y[nested_subsets(y, None, (40,), seed=0)[0]]).tolist() == [13, 13, 12, 2]


def test_draws_that_hear_nothing_at_all_have_an_interval_with_two_ends():
    heard = np.empty(30, dtype=object)
    heard[:] = [Heard(np.full((4, 2), 0.5, dtype=np.float32), "", ("a",)) for _ in heard]
    found = curve_point("scratch", [Fold(np.full(30, "a"), heard, 24)] * 3, metric="wer", seed=0)
    assert found.value == 1
    assert 0.8 < found.interval.low < found.interval.high == 1
    assert "each taken to lie from 0 to 1" in found.interval.method
