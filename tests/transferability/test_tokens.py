import numpy as np
import pytest

from headstart.errors import DataError
from headstart.transferability import token_rows


def words(n_entity, n_outside):
    tags = np.random.default_rng(0).permutation(["B-PER"] * n_entity + ["O"] * n_outside).tolist()
    return tags, [f"s{i // 10}" for i in range(len(tags))]


@pytest.mark.parametrize(
    ("n_entity", "n_outside", "entity", "outside"),
    [(50, 1000, 50, 50), (500, 1000, 50, 50), (500, 20, 80, 20), (30, 10, 30, 10), (200, 0, 100, 0), (80, 300, 50, 50)],
)
def test_at_most_half_of_the_words_are_outside(n_entity, n_outside, entity, outside):
    tags, sentences = words(n_entity, n_outside)
    found = token_rows(tags, sentences, most=100, seed=0)
    chosen = [tags[row] for row in found.rows]
    assert (chosen.count("B-PER"), chosen.count("O")) == (entity, outside)
    assert (np.diff(found.rows) > 0).all()


def test_groups_are_the_sentences():
    tags, sentences = words(40, 100)
    found = token_rows(tags, sentences, most=30, seed=0)
    assert [sentences[row] for row in found.rows] == [f"s{group}" for group in found.groups]


def test_a_seed_decides_the_words():
    tags, sentences = words(400, 1000)
    chosen = [token_rows(tags, sentences, most=100, seed=seed).rows.tolist() for seed in (0, 0, 1)]
    assert chosen[0] == chosen[1] != chosen[2]


def test_the_outside_tag_can_have_another_name():
    found = token_rows(["-", "X", "-", "-"], [0, 0, 1, 1], outside="-", seed=0)
    assert 1 in found.rows
    assert len(found.rows) == 2


def test_what_has_no_entity_is_refused():
    with pytest.raises(DataError, match="expected words with a tag other than 'O', found none"):
        token_rows(["O", "O"], [0, 0], seed=0)
    with pytest.raises(DataError, match="expected a sentence for each of 2 words, found 1"):
        token_rows(["O", "X"], [0], seed=0)
