import numpy as np
import pytest

from headstart.errors import DataError
from headstart.transferability import word_rows


def words(n_entity, n_outside):
    kinds = np.random.default_rng(0).permutation([1] * n_entity + [0] * n_outside)
    return kinds, np.arange(len(kinds)) // 10


@pytest.mark.parametrize(
    ("n_entity", "n_outside", "entity", "outside"),
    [(50, 1000, 50, 50), (500, 1000, 50, 50), (500, 20, 80, 20), (30, 10, 30, 10), (200, 0, 100, 0), (80, 300, 50, 50)],
)
def test_at_most_half_of_the_words_are_outside(n_entity, n_outside, entity, outside):
    kinds, groups = words(n_entity, n_outside)
    rows = word_rows(kinds, groups, most=100, seed=0)
    assert np.bincount(kinds[rows], minlength=2).tolist() == [outside, entity]
    assert (np.diff(rows) > 0).all()


def test_no_group_has_more_than_its_share_of_words_of_either_side():
    kinds, groups = words(400, 600)
    groups = np.where(groups < 50, 0, groups)  # half of all words in one document
    rows = word_rows(kinds, groups, most_each=40, seed=0)
    inside = kinds[rows[groups[rows] == 0]]
    assert (inside == 1).sum() == 20
    assert (inside == 0).sum() <= 20
    assert np.isin(np.unique(groups), groups[rows]).all()


def test_a_seed_decides_the_words():
    kinds, groups = words(400, 1000)
    chosen = [word_rows(kinds, groups, most=100, seed=seed).tolist() for seed in (0, 0, 1)]
    assert chosen[0] == chosen[1] != chosen[2]


def test_what_has_no_entity_is_refused():
    with pytest.raises(DataError, match="expected words of entities to rank on, found none"):
        word_rows(np.array([0, 0]), np.array([0, 1]), seed=0)
    with pytest.raises(DataError, match="expected a group for each of 2 words, found 1"):
        word_rows(np.array([0, 1]), np.array([0]), seed=0)
