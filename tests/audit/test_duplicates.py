"""Near-duplicates are found by limits that the data gives, and different items are not."""

import numpy as np
import pytest
from PIL import Image

from headstart.audit import Copies, altered, comparable, near_duplicates, signatures, united
from headstart.audit._duplicates import nearest
from headstart.data import Dataset, Sound
from tests.conftest import make_texts
from tests.data.sounds import noise


def rows(n: int, width: int = 40, *, seed: int = 0) -> np.ndarray:
    made = np.random.default_rng(seed).normal(size=(n, width))
    return (made / np.linalg.norm(made, axis=1, keepdims=True)).astype(np.float32)


def turned(some: np.ndarray, by: float, *, seed: int = 1) -> np.ndarray:
    """Rows near others: what is added has the length ``by``."""
    made = some + by * rows(len(some), some.shape[1], seed=seed)
    return (made / np.linalg.norm(made, axis=1, keepdims=True)).astype(np.float32)


def planted(by: float, *, n: int = 3000) -> tuple[np.ndarray, np.ndarray, Copies, set[tuple[int, int]]]:
    looks, felt = rows(n), rows(n, seed=7)
    for i in range(10):
        looks[n - 1 - i], felt[n - 1 - i] = (
            turned(looks[i : i + 1], by, seed=50 + i)[0],
            turned(felt[i : i + 1], by, seed=90 + i)[0],
        )
    of = np.arange(100, 160)
    known = Copies(of, turned(looks[of], by, seed=3), turned(felt[of], by, seed=4))
    return looks, felt, known, {(i, n - 1 - i) for i in range(10)}


def test_planted_copies_are_found_and_nothing_else():
    looks, felt, known, wanted = planted(0.2)
    found = near_duplicates(looks, felt, known, same=np.arange(len(looks)))
    assert set(map(tuple, found.pairs.tolist())) == wanted
    assert not found.overlap
    assert found.found > 0.95
    assert (np.diff(found.distances) >= 0).all()


def test_pairs_are_those_of_a_plain_double_loop():
    looks, felt, known, _ = planted(0.6, n=1500)  # more than a block of rows
    found = near_duplicates(looks, felt, known, same=np.arange(len(looks)))
    apart = 1 - looks.astype(float) @ looks.T.astype(float)
    plain = {(i, j) for i in range(1500) for j in range(i + 1, 1500) if apart[i, j] <= found.limit - 1e-6}
    assert plain <= set(map(tuple, found.pairs.tolist()))
    np.testing.assert_allclose(found.distances, [apart[i, j] for i, j in found.pairs], atol=1e-5)


def test_where_copies_lie_as_far_as_others_it_says_so_and_takes_next_to_none():
    looks, felt, known, _ = planted(3.0)
    found = near_duplicates(looks, felt, known, same=np.arange(len(looks)))
    assert found.overlap
    assert len(found.pairs) <= 3  # one in 1,000


def test_exact_copies_are_no_pairs():
    looks, felt, known, wanted = planted(0.2)
    same = np.arange(len(looks))
    for i, j in wanted:
        looks[j], felt[j], same[j] = looks[i], felt[i], same[i]
    assert not len(near_duplicates(looks, felt, known, same=same).pairs)
    assert nearest(looks, same=same).min() > 0.01


def test_what_is_linked_stays_together():
    units = united(np.array([0, 1, 2, 2, 3]), np.array([[0, 3], [1, 4]]))
    assert units[0] == units[2] == units[3]
    assert units[1] == units[4] != units[0]
    assert len(set(united(np.arange(4), np.empty((0, 2), dtype=int)))) == 4


def picture(seed: int) -> Image.Image:
    pixels = np.random.default_rng(seed).integers(0, 256, size=(6, 6, 3), dtype=np.uint8)
    return Image.fromarray(pixels).resize((80, 60), Image.Resampling.BICUBIC)


def recording(seed: int) -> Sound:
    """Noise whose loudness and colour change."""
    parts = [np.convolve(noise(0.2, seed=seed * 9 + i), np.ones(1 + (seed + i) % 5)) * (1 + i) for i in range(4)]
    return Sound(np.concatenate(parts).astype(np.float32), 16_000)


@pytest.mark.parametrize("modality", ["image", "text", "audio"])
def test_altered_copies_lie_nearer_than_other_items(modality):
    make = {"image": picture, "audio": recording, "text": lambda i: make_texts(40)[0][i]}[modality]
    items = tuple(make(i) for i in range(40))
    signed = signatures(Dataset(modality, items, tuple(map(str, range(40)))))
    own = comparable(signed, modality)
    for i in range(0, 40, 10):
        copies = altered(items[i], modality)
        assert len(copies) >= 2
        made = comparable(signatures(Dataset(modality, tuple(copies), ("",) * len(copies))), modality, signed)
        assert ((made @ own.T).argmax(axis=1) == i).all()
        np.testing.assert_allclose(np.linalg.norm(made, axis=1), 1, atol=1e-5)


def test_a_picture_of_one_colour_and_a_text_of_one_word_have_signatures():
    plain = [Image.new("RGB", (20, 9), "white"), picture(1)]
    assert np.isfinite(comparable(signatures(Dataset("image", tuple(plain), ("a", "b"))), "image")).all()
    assert altered("word", "text") == ["word"]
    assert len(altered(Image.new("L", (1, 1)), "image")) == 3
