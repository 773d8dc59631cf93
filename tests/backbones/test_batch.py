"""Batches joined item by item: rows, padding, owners and words."""

import numpy as np
import torch

from headstart.backbones import Batch, Words, interleave, load, word_backbone
from headstart.backbones._texts import join_windows
from headstart.data import Document


def windows(*lengths: int, value: int) -> tuple[np.ndarray, ...]:
    return tuple(np.full((length, 2), value + i, dtype=np.float32) for i, length in enumerate(lengths))


def same(one: Batch, other: Batch) -> None:
    assert torch.equal(one.values, other.values)
    for a, b in ((one.mask, other.mask), (one.owner, other.owner)):
        assert (a is None) == (b is None)
        assert a is None or torch.equal(a, b)


def test_items_of_two_batches_stand_as_if_collated_together():
    items = [windows(3, value=1), windows(5, 5, value=10), windows(2, value=20), windows(4, value=30)]

    def joined(rows):
        return join_windows([items[row] for row in rows], fill=0, dtype=np.float32)

    for first, second in (([0, 2], [1, 3]), ([1, 2], [0, 3]), ([0], [3]), ([2, 0, 3], [1])):
        order = np.random.default_rng(0).permutation(len(first) + len(second))
        places = [order[: len(first)], order[len(first) :]]
        both = np.array(first + second)[np.argsort(order)]
        same(interleave([joined(first), joined(second)], places), joined(both))


def test_rows_of_one_length_need_no_mask_and_pictures_stay_pictures():
    one, two = (torch.full((2, 3, 4, 4), float(i)) for i in range(2))
    found = interleave([Batch(one), Batch(two)], [np.array([0, 3]), np.array([1, 2])])
    assert found.values[:, 0, 0, 0].tolist() == [0, 1, 1, 0]
    assert (found.mask, found.owner, found.words) == (None, None, None)


def test_words_follow_their_items():
    backbone = word_backbone(load("toy:text"), "mean")
    texts = ["one two three", "", "a considerably longer document " * 30, "extraordinarily short"]
    documents = [Document.of_text(text) for text in texts]
    whole = backbone.prepare(documents)
    parts = [backbone.prepare([documents[i] for i in rows]) for rows in ([1, 2], [0, 3])]
    found = interleave(parts, [np.array([1, 2]), np.array([0, 3])])
    same(found, whole)
    assert isinstance(found.words, Words)
    assert found.words.count == whole.words.count
    assert torch.equal(found.words.places, whole.words.places)
    torch.testing.assert_close(backbone.forward(found), backbone.forward(whole))
