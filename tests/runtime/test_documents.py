"""Where words are: offsets that are the text's own, whatever the script."""

import random
from itertools import pairwise

import pytest

from headstart.data import Document, hash_item, split_words


def words_of(text: str) -> list[str]:
    return [text[start:end] for start, end in split_words(text)]


CASES = {
    "Dr. O'Neil, 45mg/kg": ["Dr", ".", "O", "'", "Neil", ",", "45mg", "/", "kg"],
    "a\u00a0b\tc\r\nd": ["a", "b", "c", "d"],
    "cafe\u0301 na\u00efve x_1": ["cafe\u0301", "na\u00efve", "x_1"],
    "\u05d0\u05d1, \u05d2\u200f!": ["\u05d0\u05d1", ",", "\u05d2", "!"],  # right to left
    "\u0645\u06cc\u200c\u0631\u0648": ["\u0645\u06cc\u200c\u0631\u0648"],  # a joiner within a word
    "\u0939\u093f\u0928\u094d \u092e\u0947\u0902": ["\u0939\u093f\u0928\u094d", "\u092e\u0947\u0902"],
    "\u6771\u4eac\u3078": ["\u6771", "\u4eac", "\u3078"],
    "\u0e14\u0e4c": ["\u0e14\u0e4c"],
    "\U0001f469\u200d\U0001f467 \U0001f44d\U0001f3fd!": ["\U0001f469\u200d\U0001f467", "\U0001f44d\U0001f3fd", "!"],
    "a\u200bb\ufeff": ["a", "b"],
    "\u0301a": ["\u0301", "a"],
    "Ada\u00ad said\u200d\u200c, \U0001f469\u200d": ["Ada", "said", ",", "\U0001f469"],  # what joins nothing
    " \r\n\t": [],
    "": [],
}


@pytest.mark.parametrize(("text", "words"), CASES.items())
def test_words_of_running_text(text: str, words: list[str]) -> None:
    assert words_of(text) == words


@pytest.mark.parametrize("seed", range(50))
def test_every_visible_character_is_in_exactly_one_word(seed: int) -> None:
    rng = random.Random(seed)
    alphabet = "ab1_ \t\r\n\u00a0.,'\u00e9e\u0301\u05d0\u0645\u200c\u200d\u200b\ufeff\U0001f469\U0001f3fd"
    alphabet += "\u6771\u0e14\u0e4c\ud800"
    text = "".join(rng.choices(alphabet, k=60))
    borders = split_words(text)
    assert all(start < end for start, end in borders)
    assert all(one[1] <= other[0] for one, other in pairwise(borders))
    inside = {place for start, end in borders for place in range(start, end)}
    unseen = set(" \t\r\n\u00a0\u200b\ufeff\u200c\u200d")
    assert all(text[place] in unseen for place in set(range(len(text))) - inside)


def test_given_words_are_kept_and_joined_by_single_spaces() -> None:
    document = Document.of_words(["New", "York", "'s", "\u6771\u4eac"])
    assert str(document) == "New York 's \u6771\u4eac"
    assert [document.text[start:end] for start, end in document.words] == ["New", "York", "'s", "\u6771\u4eac"]
    assert len(document) == len(document.text)
    assert document.text[slice(*document.span(0, 2))] == "New York"


def test_words_can_be_cut_where_an_entity_begins() -> None:
    document = Document.of_text("COVID-19 pre-COVID19")
    assert Document("x", ()).split_at([0]) == Document("x", ())
    cut = document.split_at([2, 16, 0, 5, 99])  # only the first two lie inside words
    assert [cut.text[start:end] for start, end in cut.words] == ["CO", "VID", "-", "19", "pre", "-", "COV", "ID19"]


def test_content_is_text_and_borders() -> None:
    one, other = Document.of_words(["a", "b"]), Document("a b", ((0, 3),))
    assert hash_item(one) == hash_item(Document.of_text("a b"))
    assert len({hash_item(one), hash_item(other), hash_item("a b")}) == 3
