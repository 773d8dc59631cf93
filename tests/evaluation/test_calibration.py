"""Whether probabilities mean what they say."""

import numpy as np
import pytest

from headstart.errors import DataError
from headstart.evaluation import calibration


def drawn(n: int, *, sharper: float = 1.0, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Labels drawn from probabilities, which are then made too sure."""
    rng = np.random.default_rng(seed)
    p = rng.dirichlet([1.0, 1.0, 1.0], n)
    y = (p.cumsum(axis=1) > rng.random(n)[:, None]).argmax(axis=1)
    told = p**sharper
    return y, told / told.sum(axis=1, keepdims=True)


def test_the_error_is_that_of_ten_bins_of_equal_size_counted_one_by_one() -> None:
    y, p = drawn(200)
    order = np.argsort(p.max(axis=1))
    gaps = [
        abs(float(p[some].max(axis=1).mean()) - float((p[some].argmax(axis=1) == y[some]).mean())) * len(some) / 200
        for some in np.array_split(order, 10)
    ]
    assert calibration(y, p, seed=0).error == pytest.approx(sum(gaps))


def test_true_probabilities_show_no_more_error_than_chance_and_sharpened_ones_do() -> None:
    honest, sure = (calibration(*drawn(2000, sharper=sharper), seed=0) for sharper in (1.0, 3.0))
    assert honest.error < honest.chance[1] * 1.2
    assert sure.error > 3 * sure.chance[1]
    assert sure.interval.low < sure.error < sure.interval.high


def test_bins_rise_in_confidence_and_hold_every_item_once() -> None:
    found = calibration(*drawn(333), seed=0)
    assert sum(each.n for each in found.bins) == found.n == 333
    assert [each.confidence for each in found.bins] == sorted(each.confidence for each in found.bins)
    assert all(each.interval[0] <= each.accuracy <= each.interval[1] for each in found.bins)


def test_equal_confidences_lie_in_one_bin() -> None:
    y, p = np.array([0, 1] * 20), np.tile([0.7, 0.3], (40, 1))
    found = calibration(y, p, seed=0)
    assert len(found.bins) == 1
    assert found.error == pytest.approx(0.2)


def test_groups_widen_the_interval() -> None:
    y, p = drawn(400, sharper=3.0)
    order = np.argsort(p.argmax(axis=1) == y)
    groups = np.empty(400, dtype=int)
    groups[order] = np.arange(400) // 20  # right answers lie in groups of their own
    alone, together = calibration(y, p, seed=0).interval, calibration(y, p, groups=groups, seed=0).interval
    assert together.high - together.low > alone.high - alone.low


def test_no_items_are_refused() -> None:
    with pytest.raises(DataError, match=r"expected probabilities of shape \(0, classes\)"):
        calibration(np.empty(0, dtype=int), np.empty((0, 2)), seed=0)
