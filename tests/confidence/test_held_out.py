"""What is kept of held-out examples, and what it promises."""

import numpy as np
import pytest

from headstart.confidence import Confidence, HeldOut
from headstart.errors import OptionError


def held(n: int = 300, *, classes: int = 3, seed: int = 0) -> HeldOut:
    rng = np.random.default_rng(seed)
    p = rng.dirichlet(np.ones(classes), n)
    y = (p.cumsum(axis=1) > rng.random(n)[:, None]).argmax(axis=1)
    return HeldOut.of(y, p, np.arange(n).astype(str))


def test_examples_that_no_fit_held_out_are_left_out() -> None:
    p = np.array([[0.2, 0.8], [np.nan, np.nan], [0.6, 0.4]])
    found = HeldOut.of(np.array([1, 0, 0]), p, np.array(["a", "b", "a"]))
    assert (len(found), found.n_groups) == (2, 1)
    assert found.right.tolist() == [True, True]


def test_per_class_every_class_has_the_coverage_of_its_own() -> None:
    known, new = held(3000), held(3000, seed=1)
    thresholds = known.set_thresholds(0.9, per_class=True)
    assert len(set(thresholds)) == 3
    for number in range(3):
        own = new.y == number
        inside = (new.p[own] >= thresholds)[:, number] | (new.p[own].argmax(axis=1) == number)
        assert inside.mean() == pytest.approx(0.9, abs=0.03)


def test_groups_and_not_their_examples_make_the_band() -> None:
    found = held(300)
    grouped = HeldOut(found.y, found.p, np.repeat(np.arange(30), 10).astype(np.int32))
    assert grouped.coverage_band(0.9)[0] < found.coverage_band(0.9)[0]


def test_examples_that_are_missed_together_count_as_fewer_than_there_are_groups() -> None:
    p = np.tile([0.6, 0.4], (400, 1)).astype(np.float32)
    y = np.repeat(np.arange(100) % 5 == 0, 4).astype(np.int32)  # of every fifth group all are wrong
    together = HeldOut(y, p, np.repeat(np.arange(100), 4).astype(np.int32))
    p[y == 1] = [0.9, 0.1]  # and are not in the sets
    apart = HeldOut(y, p, np.tile(np.arange(100), 4).astype(np.int32))
    assert together.coverage_band(0.9, new=400)[0] <= apart.coverage_band(0.9, new=400)[0]


def test_the_class_that_is_looked_for_can_be_either() -> None:
    two = held(400, classes=2)
    other = two.positive(0)
    assert np.array_equal(other.p[:, 1], two.p[:, 0])
    assert np.array_equal(other.y, 1 - two.y)
    assert np.array_equal(two.positive(1).p, two.p)
    assert other.operating_threshold(0.9) != two.operating_threshold(0.9)


def test_operating_points_need_two_classes_and_a_share() -> None:
    with pytest.raises(OptionError, match="an operating point needs two classes, found 3"):
        held().operating_threshold(0.95)
    with pytest.raises(OptionError, match="expected a specificity between 0 and 1, found 95"):
        held(classes=2).operating_threshold(95)


def test_what_is_kept_comes_back_from_arrays() -> None:
    known = Confidence(held_out=held())
    back = Confidence.from_arrays(known.to_arrays())
    assert back.novelty is None
    assert back.held_out is not None
    assert back.held_out.set_thresholds(0.9) == pytest.approx(held().set_thresholds(0.9))
    assert back.held_out.abstention(0.4) == held().abstention(0.4)
    assert Confidence.from_arrays({}) == Confidence() or Confidence.from_arrays({}).held_out is None
