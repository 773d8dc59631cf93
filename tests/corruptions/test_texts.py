"""Corruptions of texts: how many words change, how, and what never does."""

import numpy as np
import pytest

from headstart.corruptions import _texts as texts
from headstart.data import Document
from tests.reference.speech import edit_distance

LONG = " ".join(["another", "wonderful", "sentence", "about", "keyboards"] * 400)


def rng(seed=0):
    return np.random.default_rng(seed)


@pytest.mark.parametrize(("severity", "share"), [(1, 0.05), (2, 0.15), (3, 0.3)])
def test_typos_hit_their_share_of_the_words_with_one_error_each(severity, share):
    before, after = LONG.split(), texts.typos(LONG, severity, rng()).split()
    changed = [(a, b) for a, b in zip(before, after, strict=True) if a != b]
    assert len(changed) / len(before) == pytest.approx(share, abs=0.02)
    for a, b in changed:
        assert edit_distance(a, b) <= 2  # a swap is two substitutions
        assert sorted(a) == sorted(b) or edit_distance(a, b) == 1


def test_the_three_kinds_of_typos_are_about_as_frequent():
    before, after = LONG.split(), texts.typos(LONG, 3, rng()).split()
    kinds = [
        "drop" if len(a) > len(b) else "swap" if sorted(a) == sorted(b) else "key"
        for a, b in zip(before, after, strict=True)
        if a != b
    ]
    for kind in ("drop", "swap", "key"):
        assert kinds.count(kind) / len(kinds) == pytest.approx(1 / 3, abs=0.08)


def test_a_higher_severity_misspells_the_same_words_and_more():
    mild, middling, severe = (texts.typos(LONG, severity, rng()).split() for severity in (1, 2, 3))
    for word, *found in zip(LONG.split(), mild, middling, severe, strict=True):
        assert found in ([word] * 3, [word, word, found[2]], [word, found[2], found[2]], [found[2]] * 3)
    assert mild != middling != severe


def test_neighbours_are_keys_that_touch():
    assert set(texts.NEIGHBOURS["g"]) == {"f", "h", "t", "y", "v", "b"}
    assert set(texts.NEIGHBOURS["q"]) == {"w", "a"}
    assert all(key in texts.NEIGHBOURS[other] for key, others in texts.NEIGHBOURS.items() for other in others)


def test_letters_of_other_scripts_are_swapped_or_left_out_and_capitals_stay_capitals():
    found = texts.typos("привет " * 300, 3, rng()).split()
    assert {len(word) for word in found} == {5, 6}
    assert set("".join(found)) == set("привет")
    assert texts.typos("HELLO " * 300, 3, rng()).isupper()


def test_numbers_single_letters_and_empty_texts_have_no_typos():
    for text in ("", "1234 5678", "a b c", "!?", "_"):
        assert texts.typos(text, 3, rng()) == text


@pytest.mark.parametrize(("severity", "share"), [(1, 0.1), (2, 0.3), (3, 1.0)])
def test_case_changes_its_share_of_the_words(severity, share):
    before, after = LONG.split(), texts.case(LONG, severity, rng()).split()
    changed = [(a, b) for a, b in zip(before, after, strict=True) if a != b]
    assert all(b == a.upper() for a, b in changed)
    assert len(changed) / len(before) == pytest.approx(share, abs=0.03)


def test_case_makes_capitals_small_and_lengthens_no_letter():
    assert texts.case("NASA and Straße", 3, rng()) == "nasa AND STRAßE"


def test_punctuation_is_left_out_with_the_space_it_stood_in():
    text = "a film , not bad ; it's (almost) good !"
    assert texts.punctuation(text, 3, rng()) == "a film not bad its almost good"
    assert texts.punctuation("no marks  here", 3, rng()) == "no marks  here"
    assert texts.punctuation(" ?! ", 3, rng()) == " ?! "


@pytest.mark.parametrize(("severity", "share"), [(1, 1 / 3), (2, 2 / 3)])
def test_punctuation_leaves_out_its_share_of_the_marks(severity, share):
    found = texts.punctuation("word, " * 1000, severity, rng())
    assert 1 - found.count(",") / 1000 == pytest.approx(share, abs=0.05)


def test_documents_keep_every_character_that_is_no_letter_and_every_border():
    document = Document.of_text(LONG + " (1999), e-mail: 日本語").split_at([3])
    for severity in (1, 2, 3):
        for found in (texts.document_typos(document, severity, rng()), texts.document_case(document, severity, rng())):
            assert found.words == document.words
            assert len(found.text) == len(document.text)
            assert all(a == b for a, b in zip(document.text, found.text, strict=True) if not a.isalpha())
    typos = texts.document_typos(document, 3, rng()).text
    assert sorted(typos[:3]) == sorted("ano") or sum(a != b for a, b in zip(typos[:3], "ano", strict=True)) <= 1
    assert typos != document.text
