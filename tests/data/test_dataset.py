from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from headstart.data import Dataset, LeftOut, hash_item, load
from headstart.errors import DataError

TEXTS = Dataset(
    "text", ("a", "b", "c"), ("t:2", "t:3", "t:4"), labels=("x", "y", "x"), groups=("g", "g", "h"), source="t",
    notes=("Read.",), left_out=(LeftOut("t:5", "empty"),),
)  # fmt: skip


def test_taking_examples_keeps_their_columns_together():
    taken = TEXTS.take(np.array([2, 0]))
    assert (taken.items, taken.places, taken.labels, taken.groups) == (
        ("c", "a"),
        ("t:4", "t:2"),
        ("x", "x"),
        ("h", "g"),
    )
    assert (taken.parts, taken.notes, taken.left_out, len(taken)) == (None, TEXTS.notes, TEXTS.left_out, 2)


def test_the_hash_is_of_the_content_not_of_the_name(tmp_path):
    (tmp_path / "a").write_bytes(b"text")
    (tmp_path / "b").write_bytes(b"text")
    assert hash_item(tmp_path / "a") == hash_item(tmp_path / "b") == hash_item("text")
    image = Image.new("RGB", (4, 6))
    same = [image, np.zeros((6, 4, 3), np.uint8), np.zeros((4, 6, 3), np.uint8), np.zeros((6, 4, 3), np.uint16)]
    assert len({hash_item(item) for item in same}) == 4
    assert hash_item(image) == hash_item(image.copy())


def test_a_file_that_is_gone_is_named(tmp_path):
    with pytest.raises(
        DataError, match=r"gone.png: expected a file that can be read, found: No such file or directory"
    ):
        hash_item(tmp_path / "gone.png")


def test_the_fingerprint_follows_content_and_columns_but_not_places(make_images):
    here = load(make_images({"a": 2, "b": 1}))
    there = replace(here, places=("1", "2", "3"), source="elsewhere")
    assert here.fingerprint == there.fingerprint
    assert len(here.hashes) == len(set(here.hashes)) == 3
    assert here.take([2, 0]).hashes == replace(here, items=(here.items[2], here.items[0])).hashes
    others = [
        TEXTS,
        replace(TEXTS, items=("a", "b", "d")),
        replace(TEXTS, labels=("x", "x", "y")),
        replace(TEXTS, labels=None),
        replace(TEXTS, groups=None),
        replace(TEXTS, groups=None, domains=TEXTS.groups),
        replace(TEXTS, folds=("1", "2", "3")),
        TEXTS.take([1, 0, 2]),
        TEXTS.take([0, 1]),
    ]
    assert len({dataset.fingerprint for dataset in others}) == len(others)
