"""Which tokens stand for which words, and in which window, against a comparison of each with each."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from headstart.data import Document
from headstart.runtime._aligned import align, place_words
from tests.backbones.test_words import tokens_of, window_for

borders = st.lists(st.integers(0, 60), min_size=2, max_size=40, unique=True).map(
    lambda places: tuple(zip(sorted(places)[::2], sorted(places)[1::2], strict=False))
)
offsets = st.lists(st.tuples(st.integers(0, 60), st.integers(0, 5)), min_size=1, max_size=40).map(
    lambda spans: [(start, start + size) for start, size in sorted(spans)]
)


@given(borders, offsets)
def test_tokens_belong_to_the_words_they_touch(words: tuple[tuple[int, int], ...], covered: list) -> None:
    tokens, numbers = align(words, np.array(covered))
    found = [tokens[numbers == word].tolist() for word in range(len(words))]
    assert found == tokens_of(Document("x" * 61, words), covered)


@given(borders, offsets, st.integers(2, 12), st.sampled_from(["first", "mean"]))
def test_every_word_is_answered_by_the_best_of_the_windows(words, covered, window, pooling) -> None:
    overlap = window // 4
    places = place_words(words, np.array(covered), window=window, overlap=overlap, before=1, pooling=pooling)
    expected = []
    for word, own in enumerate(tokens_of(Document("x" * 61, words), covered)):
        start, end = window_for(own, len(covered), window, overlap)
        held = [token for token in own if start <= token < end]
        number = start // (window - overlap)
        expected += [[number, token - start + 1, word] for token in (held[:1] if pooling == "first" else held)]
    assert places.tolist() == expected
