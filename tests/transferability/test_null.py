import numpy as np
import pytest

from headstart.errors import DataError
from headstart.transferability import NULL_SCORES, Spectrum, logme, neighbours, permutations, permuted_scores
from tests.transferability.small import classes, problem


@pytest.mark.parametrize("kind", ["classification", "multilabel", "regression"])
@pytest.mark.parametrize("grouped", ["alone", "groups"])
def test_every_labelling_scores_as_if_it_were_the_real_one(kind, grouped):
    F, y, _ = problem(kind, 40, 60)
    groups = np.arange(40) // 2 if grouped == "groups" else None
    orders = np.vstack([np.arange(40), permutations(y, groups, 6, seed=0)])
    found = permuted_scores(Spectrum.of(F), y, orders, kind=kind, groups=groups)
    assert NULL_SCORES == ("neighbours", "logme")
    assert found.shape == (7, 2)
    for order, row in zip(orders, found, strict=True):
        assert row[0] == pytest.approx(neighbours(F, y[order], kind=kind, groups=groups).value)
        assert row[1] == pytest.approx(logme(F, y[order], kind=kind).value, rel=1e-9)


@pytest.mark.parametrize("kind", ["classification", "regression"])
def test_blocks_do_not_change_the_scores(kind, monkeypatch):
    F, y, _ = problem(kind, 30, 10)
    orders = permutations(y, None, 9, seed=0)
    whole = permuted_scores(F, y, orders, kind=kind)
    monkeypatch.setattr("headstart.transferability._null._CHUNK", 700)
    np.testing.assert_allclose(permuted_scores(F, y, orders, kind=kind), whole)


def test_real_labels_stand_out_and_meaningless_ones_do_not():
    F, y = classes(60, 10, 3, apart=1.5)
    orders = permutations(y, None, 60, seed=1)
    assert (permuted_scores(F, y, orders, kind="classification").max(axis=0) < [0.7, 0]).all()
    null = permuted_scores(F, y, orders, kind="classification")
    real = permuted_scores(F, y, np.arange(60)[None], kind="classification")[0]
    assert (real > null.max(axis=0)).all()


def test_plain_labellings_are_permutations_that_a_seed_decides():
    y = np.arange(12) % 3
    orders = permutations(y, None, 5, seed=3)
    np.testing.assert_array_equal(np.sort(orders, axis=1), np.tile(np.arange(12), (5, 1)))
    np.testing.assert_array_equal(orders, permutations(y, None, 5, seed=3))
    assert (orders != permutations(y, None, 5, seed=4)).any()


@pytest.mark.parametrize("kind", ["classification", "multilabel"])
def test_groups_of_one_label_change_places_as_wholes(kind):
    groups = np.array(list("aabbbcccddee"))
    y = np.array([0, 0, 1, 1, 1, 0, 0, 0, 2, 2, 1, 1])
    labelled = y if kind == "classification" else np.eye(3, dtype=int)[y]
    orders = permutations(labelled, groups, 20, seed=0)
    for order in orders:
        of_groups = [set(y[order][groups == g].tolist()) for g in "abcde"]
        assert all(len(found) == 1 for found in of_groups)
        assert sorted(c for found in of_groups for c in found) == [0, 0, 1, 1, 2]
    assert len(np.unique(orders, axis=0)) > 5


def test_groups_of_several_labels_do_not_hold_examples_together():
    y, groups = np.arange(12) % 3, np.arange(12) // 4
    orders = permutations(y, groups, 5, seed=0)
    np.testing.assert_array_equal(np.sort(orders, axis=1), np.tile(np.arange(12), (5, 1)))


def test_labellings_of_other_rows_are_refused():
    with pytest.raises(DataError, match=r"expected row numbers of shape \(P, 4\), found \(2, 3\)"):
        permuted_scores(np.eye(4), np.arange(4) % 2, np.zeros((2, 3), dtype=int), kind="classification")


def test_groups_of_mixed_labels_keep_most_of_them_together():
    groups = np.repeat(np.arange(20), 5)
    y = np.array([0, 0, 0, 0, 1] * 10 + [1, 1, 1, 1, 0] * 10)
    rows = permutations(y, groups, 50, seed=0)
    assert (np.sort(rows, axis=1) == np.arange(100)).all()
    assert (groups[rows].reshape(50, 20, 5).std(axis=2) == 0).all()  # groups of one size: none is torn apart
    uneven = np.repeat(np.arange(10), [3, 7] * 5)
    laid = permutations(np.arange(50) % 2, uneven, 50, seed=0)
    assert (np.sort(laid, axis=1) == np.arange(50)).all()
    torn = (np.diff(uneven[laid], axis=1) != 0).sum(axis=1)
    assert (torn == 9).all()  # one after another, in whole
