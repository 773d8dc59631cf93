"""Schemes of tags: every way of writing the same entities is told and read as the same."""

import numpy as np
import pytest

from headstart.data._schemes import TAG, Broken, marks_of, recognise, to_iob2
from headstart.tasks import Entity, entities_of, tags_of


def written(entities, n_words, scheme):
    """Write entities in a scheme, by its definition."""
    tags = ["O"] * n_words
    before = None
    for entity in entities:
        start, end, name = entity[:3]
        touches = before is not None and before.end == start and before.type == name
        first, last, single = "B", "I", "B"
        if scheme == "IOB1":
            first = single = "B" if touches else "I"
        elif scheme == "BIOES":
            last, single = "E", "S"
        elif scheme == "BILOU":
            last, single = "L", "U"
        length = end - start
        marks = [single] if length == 1 else [first, *["I"] * (length - 2), last]
        tags[start:end] = [f"{mark}-{name}" for mark in marks]
        before = entity
    return tags


def sentence(random):
    """Draw entities of 2 types; many touch."""
    n_words, place, entities = int(random.integers(1, 15)), 0, []
    while place < n_words:
        end = min(n_words, place + int(random.integers(1, 4)))
        if random.random() < 0.5:
            entities.append(Entity(place, end, str(random.choice(["PER", "B-L"]))))
        place = end
    return entities, n_words


@pytest.mark.parametrize("scheme", ["IOB1", "IOB2", "BIOES", "BILOU"])
@pytest.mark.parametrize("seed", range(5))
def test_every_scheme_is_told_and_gives_the_same_entities(scheme, seed):
    random = np.random.default_rng(seed)
    sentences = [sentence(random) for _ in range(40)]
    tags = [written(entities, n_words, scheme) for entities, n_words in sentences]
    assert recognise(tags) == scheme
    for (entities, n_words), each in zip(sentences, tags, strict=True):
        converted, broken = to_iob2(each, scheme)
        assert converted == tags_of(entities, n_words)
        assert entities_of(converted) == entities
        assert not broken


@pytest.mark.parametrize(
    ("tags", "scheme"),
    [
        ([["O", "O"]], "IOB2"),
        ([], "IOB2"),
        ([["B-X", "O", "B-X"]], "IOB2"),
        ([["O", "I-X", "I-X", "I-Y"]], "IO"),
        ([["I-X", "B-X"], ["O", "I-X"]], "IOB1"),
        ([["S-X"]], "BIOES"),
        ([["B-X", "L-X", "U-X"]], "BILOU"),
        ([["B-X", "I-X", "O"]] * 9 + [["B-X", "E-X"]], "IOB2"),
        ([["B-X", "I-X", "O"]] * 9 + [["I-X"]], "IOB2"),
    ],
)
def test_a_scheme_is_the_one_that_fits_best(tags, scheme):
    assert recognise(tags) == scheme


@pytest.mark.parametrize(
    ("tags", "scheme", "converted", "broken"),
    [
        ("B-X I-Y", "IOB2", "B-X B-Y", [Broken(1, "'I-Y' after 'B-X'")]),
        ("O I-Y I-Y", "IOB2", "O B-Y I-Y", [Broken(1, "'I-Y' after 'O'")]),
        ("I-Y", "IOB2", "B-Y", [Broken(0, "'I-Y' after the start of the sentence")]),
        ("I-Y I-X B-X B-Y", "IOB1", "B-Y B-X B-X B-Y", []),
        ("I-Y I-Y I-X", "IO", "B-Y I-Y B-X", []),
        ("E-X", "BIOES", "B-X", [Broken(0, "'E-X' after the start of the sentence")]),
        ("B-X O", "BIOES", "B-X O", [Broken(1, "'O' after 'B-X'")]),
        ("B-X I-X", "BIOES", "B-X I-X", [Broken(1, "the end of the sentence after 'I-X'")]),
        ("B-X S-X", "BIOES", "B-X B-X", [Broken(1, "'S-X' after 'B-X'")]),
        ("B-X E-Y", "BIOES", "B-X B-Y", [Broken(1, "'E-Y' after 'B-X'")]),
        ("S-X I-X E-X", "BIOES", "B-X B-X I-X", [Broken(1, "'I-X' after 'S-X'")]),
        ("B-X L-X L-X", "BILOU", "B-X I-X B-X", [Broken(2, "'L-X' after 'L-X'")]),
    ],
)
def test_impossible_sequences_are_mended_by_the_rule_of_the_conll_tasks(tags, scheme, converted, broken):
    assert to_iob2(tags.split(), scheme) == (converted.split(), broken)


@pytest.mark.parametrize("tag", ["X-PER", "B", "B-", "PER", "o", "BPER", "-PER", "O-", "OO", ""])
def test_what_is_no_tag(tag):
    assert not TAG.fullmatch(tag)


def test_marks_of_schemes():
    assert [marks_of(scheme) for scheme in ("IO", "IOB1", "IOB2", "BIOES", "BILOU")] == ["BI"] * 3 + ["BIES", "BILU"]
