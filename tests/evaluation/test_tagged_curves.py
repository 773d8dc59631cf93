"""Curves of tagged texts: which texts each size gets, and points of predictions of words."""

import numpy as np
import pytest

from headstart.errors import DataError
from headstart.evaluation import Fold, Interval, LabelSaving, curve_point, nested_subsets, sentence
from headstart.tasks import ragged


def types_in(y):
    return {int(tag + 1) // 2 for each in y for tag in each if tag}


def tags(n, *, rare=2):
    """Half of the texts have no entity; a type is in nearly all others, a second in a few, always within words."""
    found = []
    for i in range(n):
        each = np.zeros(3 + i % 4, dtype=np.intp)
        if i % 2:
            each[:2] = (1, 2)
        if i < 2 * rare and i % 2:
            each[2] = 3
        found.append(each)
    return ragged(found)


@pytest.mark.parametrize("seed", range(5))
def test_every_type_is_in_the_smallest_subset_and_shares_are_kept(seed):
    y = tags(200)
    small, large, whole = nested_subsets(y, None, [8, 60, 200], seed=seed)
    assert (len(small), len(large), len(whole)) == (8, 60, 200)
    assert set(small) < set(large) < set(whole)
    assert types_in(y[small]) == {1, 2}
    without = np.mean([not each.any() for each in y[large]])
    assert without == pytest.approx(0.5, abs=0.05)


def test_groups_enter_whole():
    groups = np.arange(60) // 3
    for subset in nested_subsets(tags(60), groups, [8, 30], seed=0):
        assert all(np.isin(np.flatnonzero(groups == group), subset).all() for group in np.unique(groups[subset]))


def test_texts_without_words_or_entities_are_drawn_too():
    y = ragged([np.zeros(size, dtype=np.intp) for size in (0, 2, 0, 5, 1)])
    assert [len(subset) for subset in nested_subsets(y, None, [2, 5], seed=0)] == [2, 5]


def told(y, right):
    """Probabilities that are right about the first so many texts, and say of the others that there is nothing."""
    return ragged(np.eye(5)[each if i < right else np.zeros_like(each)] for i, each in enumerate(y))


def test_a_point_of_tags_resamples_the_shared_test_part():
    y = tags(80)
    point = curve_point("probe", [Fold(y, told(y, k), 20) for k in (60, 50)], metric="entity_f1", seed=0)
    assert point.n == 20
    assert point.values[0] > point.values[1] > 0.7
    assert point.interval.low < point.value < point.interval.high
    assert point.correction == 0
    assert point.test_noise.std() > 0


def test_test_parts_that_differ_are_told_apart():
    y = tags(80)
    draws = [Fold(y[:40], told(y[:40], 30), 20), Fold(y[40:], told(y[40:], 30), 20)]
    assert curve_point("probe", draws, metric="entity_f1", seed=0).correction > 0


def test_a_saving_says_what_was_counted():
    found = LabelSaving(4.0, Interval(2.0, 8.0, ""), 10, 40, 0.5, "exact")
    assert sentence(found, "entity_f1", unit="labelled texts") == (
        "Transfer reaches what 40 labelled texts from scratch reach (0.50 entity F1) with 10 labelled texts "
        "(interval 5 to 20): 4 times fewer."
    )


def test_precision_of_nothing_predicted_is_no_point():
    y = tags(20)
    with pytest.raises(DataError, match="entity_precision is not defined on a test part of probe"):
        curve_point("probe", [Fold(y, told(y, 0), 8)] * 2, metric="entity_precision", seed=0)
