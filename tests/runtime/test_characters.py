"""The language model of characters against the definition of its mixture, and as arrays."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headstart.errors import ArtifactError, OptionError
from headstart.tasks import CharacterModel
from tests.reference.speech import next_probability

CHARACTERS = (" ", "a", "b")
TEXTS = st.lists(st.text(CHARACTERS, max_size=6), max_size=5)
SIGNS = "$ ab"  # of the columns; the mark ends a text


def numbers(context: str) -> tuple[int, ...]:
    return tuple("^ ab".index(character) for character in context)


@settings(deadline=None)
@given(TEXTS, st.text(CHARACTERS, max_size=7), st.booleans(), st.integers(1, 6))
def test_probabilities_are_those_of_the_mixture(texts: list[str], context: str, begins: bool, order: int) -> None:
    context = "^" + context if begins else context
    model = CharacterModel.from_texts(texts, CHARACTERS, order)
    row = model.log_probabilities(numbers(context))
    expected = [next_probability(texts, context, sign, CHARACTERS, order) for sign in SIGNS]
    np.testing.assert_allclose(np.exp(row), expected, rtol=1e-9)
    assert np.exp(row).sum() == pytest.approx(1)
    assert model.log_probability(numbers(context), 2) == row[2]


@settings(deadline=None)
@given(TEXTS, st.text(CHARACTERS, max_size=8), st.integers(1, 6))
def test_contexts_go_on_one_character_at_a_time(texts: list[str], text: str, order: int) -> None:
    model = CharacterModel.from_texts(texts, CHARACTERS, order)
    context = short = model.start
    for number in numbers(text):
        context, short = model.after(context, number), model.known(model.after(short, number))
    assert len(context) < order
    whole = model.log_probabilities(numbers("^" + text))
    np.testing.assert_array_equal(model.log_probabilities(context), whole)
    np.testing.assert_array_equal(model.log_probabilities(short), whole)


@settings(deadline=None)
@given(TEXTS, st.text(CHARACTERS, max_size=6), st.integers(1, 6))
def test_the_same_again_from_arrays(texts: list[str], context: str, order: int) -> None:
    model = CharacterModel.from_texts(texts, CHARACTERS, order)
    again = CharacterModel.from_arrays(model.to_arrays(), 4)
    assert (again.order, again.columns) == (order, 4)
    for before in (numbers(context), numbers("^" + context)):
        np.testing.assert_array_equal(again.log_probabilities(before), model.log_probabilities(before))


def test_a_word_that_was_seen_is_more_probable_and_no_other_impossible() -> None:
    model = CharacterModel.from_texts(["ab ab ab", "ba é"], CHARACTERS)  # é is none of them
    assert model.log_probability(numbers("^a"), 3) > model.log_probability(numbers("^a"), 2)
    assert np.isfinite(model.log_probabilities(numbers("bbbbbb"))).all()
    assert model.columns == 4


def test_rows_cannot_be_written_to() -> None:
    row = CharacterModel.from_texts(["ab"], CHARACTERS).log_probabilities(())
    with pytest.raises(ValueError, match="read-only"):
        row[0] = 0.0


@pytest.mark.parametrize("order", [0, 7])
def test_an_order_that_is_not_there(order: int) -> None:
    with pytest.raises(OptionError, match=f"runs of 1 to 6, found an order of {order}"):
        CharacterModel.from_texts(["ab"], CHARACTERS, order)


RUNS = np.array([[0, 0, 1], [0, 1, 0]])
ONES = np.ones(2, dtype=np.int64)


@pytest.mark.parametrize(
    ("arrays", "problem"),
    [
        ({}, "a matrix of 1 to 6 columns"),
        ({"runs": RUNS}, "a matrix of 1 to 6 columns"),
        ({"runs": RUNS, "counts": ONES[:1]}, "a count of each"),
        ({"runs": RUNS[:, :0], "counts": ONES}, "1 to 6 columns"),
        ({"runs": np.ones((2, 7), dtype=int), "counts": ONES}, "1 to 6 columns"),
        ({"runs": RUNS[0], "counts": ONES}, "a matrix"),
        ({"runs": RUNS.astype(float), "counts": ONES}, "whole numbers, found float64"),
        ({"runs": RUNS, "counts": ONES * np.nan}, "whole numbers"),
        ({"runs": RUNS - 1, "counts": ONES}, "numbers from 0 to 3, found -1 to 0"),
        ({"runs": RUNS * 4, "counts": ONES}, "numbers from 0 to 3, found 0 to 4"),
        ({"runs": RUNS, "counts": ONES - 1}, "counts from 1 to"),
        ({"runs": RUNS, "counts": ONES << 40}, "counts from 1 to"),
        ({"runs": RUNS[:, ::-1] + [[0, 0, 0], [1, -1, 1]], "counts": ONES}, "begin once"),
    ],
)
def test_arrays_that_are_no_model(arrays: dict[str, np.ndarray], problem: str) -> None:
    with pytest.raises(ArtifactError, match=problem) as caught:
        CharacterModel.from_arrays(arrays, 4)
    assert "\n" not in str(caught.value)
