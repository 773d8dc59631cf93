"""Texts and entities in lists: read alike, and whatever is wrong is named with its place."""

import numpy as np
import pytest

from headstart.data import Document, read_entities, read_texts
from headstart.errors import DataError
from headstart.tasks import read_tags

TOKENS = [["Anna", "Berg", "saw", "Rome"], ["nothing"]]


def labels(X, y):
    documents, form = read_texts(X)
    documents, found, odd = read_entities(documents, y, form)
    return documents, [read_tags(label) for label in found], odd


@pytest.mark.parametrize(
    "tags",
    [
        ["B-PER", "I-PER", "O", "B-LOC"],  # IOB2
        ["I-PER", "I-PER", "O", "I-LOC"],  # IOB1
        ["B-PER", "E-PER", "O", "S-LOC"],  # BIOES
        ["B-PER", "L-PER", "O", "U-LOC"],  # BILOU
        np.array(["B-PER", "I-PER", "O", "B-LOC"]),
    ],
    ids=["IOB2", "IOB1", "BIOES", "BILOU", "array"],
)
def test_tags_of_any_scheme_become_iob2(tags):
    documents, found, odd = labels(TOKENS, [tags, ["O"]])
    assert documents == [Document.of_words(tokens) for tokens in TOKENS]
    assert found == [["B-PER", "I-PER", "O", "B-LOC"], ["O"]]
    assert odd == ""


def test_an_impossible_sequence_is_mended_and_said():
    _, found, odd = labels(TOKENS, [["B-PER", "O", "I-PER", "B-LOC"], ["B-PER"]])
    assert found[0] == ["B-PER", "O", "B-PER", "B-LOC"]
    assert odd == "impossible tag sequences (IOB2), mended: 1 (first: y[0][2]: 'I-PER' after 'O')"


def test_spans_become_tags_and_cut_words_where_they_end():
    text = "Anna Berg saw Rome-based Bo"
    (document,), found, odd = labels([text], [[(np.int64(0), 9, "PER"), [14, 18, "LOC"]]])
    assert [text[start:end] for start, end in document.words] == ["Anna", "Berg", "saw", "Rome", "-", "based", "Bo"]
    assert found == [["B-PER", "I-PER", "O", "B-LOC", "O", "O", "O"]]
    assert odd == ""
    (document,), found, odd = labels(["Romes"], [[(0, 4, "LOC")]])
    assert (document.words, found) == (((0, 4), (4, 5)), [["B-LOC", "O"]])
    assert "y[0]" not in odd
    assert "did you mean [0, 5]" in odd or "inside a word" in odd


@pytest.mark.parametrize(
    ("X", "message"),
    [
        ("one text", "X: expected a list of texts or of lists of tokens, found the single item 'one text'. Wrap it"),
        ([], "X: expected at least one item, found none"),
        (["a", ["b"]], r"X\[1\]: expected a string, as X\[0\] is one, found list"),
        ([["a"], "b"], r"X\[1\]: expected a list of tokens, found str"),
        ([3], r"X\[0\]: expected a list of tokens, found int"),
        ([["a", " "]], r"X\[0\]\[1\]: expected a word, found ' '. Leave out empty tokens"),
        ([["a", 3]], r"X\[0\]\[1\]: expected a word, found 3"),
    ],
)
def test_what_is_no_list_of_texts_is_refused(X, message):
    with pytest.raises(DataError, match=message):
        read_texts(X)


@pytest.mark.parametrize(
    ("X", "y", "message"),
    [
        (TOKENS, [["O"]], "y: expected 2 values, one per item, found 1"),
        (TOKENS, "OO", "y: expected 2 values, one per item, found 1"),
        (TOKENS, [["O"] * 3, ["O"]], r"y\[0\]: expected 4 tags, one per token, found 3"),
        (TOKENS, [["O"] * 4, ["PER"]], r"y\[1\]\[0\]: expected O or a tag such as B-PER, found 'PER'"),
        (TOKENS, [["O"] * 4, [(0, 3, "PER")]], r"y\[1\]\[0\]: expected O or a tag .* Spans .* go with texts"),
        (TOKENS, [["O"] * 4, "O"], r"y\[1\]: expected a list of tags, found 'O'"),
        (TOKENS, [["B-A", "E-A", "S-A", "L-A"], ["S-A"]], r"y\[0\]\[3\]: .* B-, I-, E-, S- \(BIOES.*found 'L-A'"),
        (["Anna saw"], ["O"], r"y\[0\]: expected a list of spans \(start, end, type\), found 'O'"),
        (["Anna saw"], [["O", "O"]], r"y\[0\]: span 1: expected \[start, end, type\], found 'O'"),
        (["Anna saw"], [[(0, 9, "PER")]], r"y\[0\]: span 1: expected offsets from 0 to 8, .* found \[0, 9\]"),
        (["Anna saw"], [[(0, 4, "A"), (2, 8, "B")]], r"y\[0\]: expected separate spans, found that span 2.* overlaps"),
    ],
)
def test_entities_that_cannot_be_read_are_named(X, y, message):
    with pytest.raises(DataError, match=message):
        labels(X, y)
