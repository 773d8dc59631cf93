"""Which rows a step draws."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from headstart.errors import OptionError
from headstart.training import balanced, epochs


@given(st.integers(1, 60), st.integers(1, 20), st.integers(0, 5))
def test_every_row_is_drawn_once_an_epoch_and_none_alone(n, size, seed):
    batches = epochs(n, size, seed)
    drawn = [batches.rows(step) for step in range(2 * batches.per_epoch)]
    for epoch in (drawn[: batches.per_epoch], drawn[batches.per_epoch :]):
        assert sorted(np.concatenate(epoch)) == list(range(n))
        assert all(len(rows) <= size + 1 for rows in epoch)
        assert all(len(rows) > 1 for rows in epoch) or size == 1 or n == 1


def test_epochs_differ_and_depend_on_nothing_but_seed_and_step():
    first, second = epochs(50, 50, 0), epochs(50, 50, 0)
    assert not np.array_equal(first.rows(0), first.rows(1))
    assert not np.array_equal(first.rows(0), epochs(50, 50, 1).rows(0))
    assert [second.rows(step).tolist() for step in (9, 0, 4)] == [first.rows(step).tolist() for step in (9, 0, 4)]
    kept = torch.from_numpy(first.rows(3))
    kept.zero_()
    assert first.rows(3).any()


@given(st.lists(st.integers(0, 4), min_size=1, max_size=40), st.integers(1, 12))
def test_classes_of_a_balanced_batch_differ_by_at_most_one(y, size):
    y = np.array(y)
    batches = balanced(y, size, 0)
    for step in range(6):
        rows = batches.rows(step)
        counts = [int((y[rows] == name).sum()) for name in np.unique(y)]
        assert len(rows) == size
        assert max(counts) - min(counts) <= 1


def test_rows_of_a_class_are_drawn_without_replacement_until_none_is_left():
    y = np.array([2] * 7 + [9] * 3)
    drawn = np.concatenate([balanced(y, 4, 1).rows(step) for step in range(21)])
    for members in (np.arange(7), np.arange(7, 10)):
        own = drawn[np.isin(drawn, members)]
        for start in range(0, len(own), len(members)):
            assert sorted(own[start : start + len(members)]) == members.tolist()
    assert balanced(y, 4, 1).per_epoch == 4
    assert np.array_equal(balanced(y, 4, 1).rows(17), drawn[68:72])


@pytest.mark.parametrize("make", [lambda: epochs(0, 4, 0), lambda: epochs(4, 0, 0), lambda: balanced([], 4, 0)])
def test_no_rows_or_empty_batches_are_refused(make):
    with pytest.raises(OptionError, match="expected at least 1 row and batches of at least 1, found"):
        make()
