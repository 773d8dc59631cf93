"""The data sets that come with the package: what lies there, and the digits that are written."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from headstart import examples


def pictures(folder):
    return {path.relative_to(folder).as_posix(): np.asarray(Image.open(path)) for path in folder.rglob("*.png")}


@pytest.fixture(scope="module")
def digits(tmp_path_factory):
    return examples.digits(tmp_path_factory.mktemp("digits"))


def test_digits_are_written_as_pictures_to_look_at_in_a_folder_for_each_digit(digits):
    found = pictures(digits)
    for part, most in (("train", 20), ("test", 50)):
        for digit in range(10):
            assert sum(name.startswith(f"{part}/{digit}/") for name in found) == most
    for picture in found.values():
        assert (picture.shape, picture.dtype) == ((32, 32), np.uint8)
        assert (picture[:4] == 255).all()  # dark on white, with a margin
        assert picture.min() < 100


def test_digits_of_the_two_parts_come_from_the_two_ends_of_the_source(digits):
    train, test = ({int(path.stem) for path in (digits / part).rglob("*.png")} for part in ("train", "test"))
    assert max(train) < examples.OTHER_HANDS <= min(test)
    assert len(train) == 200
    assert len(test) == 500
    forms = np.linspace(0, examples.OTHER_HANDS, 10)  # about as many as people filled in
    assert np.histogram(list(train), forms)[0].min() >= 15


def test_digits_are_the_same_every_time_and_only_as_many_as_there_are(digits, tmp_path):
    before = pictures(digits)
    after = pictures(examples.digits(digits))
    assert before.keys() == after.keys()
    assert all((before[name] == after[name]).all() for name in before)
    every = pictures(examples.digits(tmp_path, per_class=10_000, test_per_class=1))
    assert sum(name.startswith("train/") for name in every) == examples.OTHER_HANDS
    assert sum(name.startswith("test/") for name in every) == 10


@pytest.mark.parametrize("name", ["messages", "digits", "words"])
def test_every_set_has_a_card_that_states_its_licence(name):
    card = Path(examples.__file__).parent / name / "CARD.md"
    assert "Licence: " in card.read_text(encoding="utf-8")


def test_what_is_stored_has_two_parts():
    assert {path.stem for path in examples.messages().glob("*.csv")} == {"train", "test"}
    assert {path.name for path in examples.words().iterdir() if path.is_dir()} == {"train", "test"}
