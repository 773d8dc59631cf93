"""Columns whose items have several rows each."""

import numpy as np

from headstart.tasks import counts, cut, flat, is_ragged, kind_of, ragged, rows_of, unknown

PARTS = [np.arange(3), np.empty(0, dtype=int), np.array([7]), np.array([8])]


def test_items_of_one_length_stay_items() -> None:
    column = ragged([np.zeros((2, 3)), np.ones((2, 3))])
    assert (column.shape, column[1].shape, is_ragged(column)) == ((2,), (2, 3), True)
    assert ragged([np.zeros(4)]).shape == (1,)
    assert ragged([]).shape == (0,)


def test_flat_and_cut_are_each_others_inverse() -> None:
    column = ragged(PARTS)
    assert flat(column).tolist() == [0, 1, 2, 7, 8]
    assert counts(column).tolist() == [3, 0, 1, 1]
    assert [part.tolist() for part in cut(flat(column), counts(column))] == [part.tolist() for part in PARTS]
    assert len(cut(np.empty((0, 2)), [])) == len(flat(ragged([]))) == 0


def test_plain_columns_pass_through() -> None:
    plain = np.arange(3)
    assert flat(plain) is plain
    assert not is_ragged(plain)


def test_rows_of_items_come_item_by_item_in_the_order_asked() -> None:
    sizes = counts(ragged(PARTS))
    assert rows_of(np.array([2, 0, 1, 2]), sizes).tolist() == [3, 0, 1, 2, 3]
    assert rows_of(np.array([], dtype=int), sizes).tolist() == []


def test_kind_and_unknown_outputs() -> None:
    y = ragged(PARTS)
    assert kind_of(y) == "tagging"
    blank = unknown(y, 4)
    assert [part.shape for part in blank] == [(3, 4), (0, 4), (1, 4), (1, 4)]
    assert np.isnan(flat(blank)).all()
    assert unknown(np.arange(2), 3).shape == (2, 3)
