"""Baselines for entities: which names are found again, what words look like, and that nothing else teaches."""

import numpy as np
import pytest

from headstart.evaluation import all_metrics, entity_baselines, gazetteer_baseline, word_baseline
from headstart.evaluation.entity_baselines import _describe, _shape, _word_features
from headstart.tasks import Tagging, best_tags, write_tags

TASK = Tagging(("drug", "place"))


def encoded(*tags):
    return TASK.encode([write_tags(each.split()) for each in tags])


def found(train, test):
    """The tags that the gazetteer of some documents gives to another."""
    words = [pair[0].split() for pair in train] + [test.split()]
    y = encoded(*(pair[1] for pair in train), " ".join("O" for _ in words[-1]))
    p = gazetteer_baseline(words, y, n_tags=5).predict(np.arange(len(train)), np.array([len(train)]))
    return " ".join(TASK.classes[number] for number in best_tags(p)[0])


def test_the_longest_name_from_the_left_is_found():
    train = [("in New York", "O B-place I-place"), ("New York Avenue here", "B-place I-place I-place O")]
    assert found(train, "New York Avenue New York New") == "B-place I-place I-place B-place I-place O"


def test_names_are_found_as_written_and_else_in_lower_case():
    train = [("Reading", "B-place"), ("Aspirin", "B-drug"), ("reading", "B-drug")]
    assert found(train, "Reading reading ASPIRIN READING") == "B-place B-drug B-drug B-drug"


def test_the_most_frequent_type_is_told_the_first_of_equals():
    train = [
        ("Boston", "B-place"),
        ("Boston", "B-place"),
        ("Boston", "B-drug"),
        ("Salem", "B-place"),
        ("Salem", "B-drug"),
    ]
    assert found(train, "Boston Salem") == "B-place B-drug"


def test_names_that_mostly_stand_outside_entities_are_not_used():
    train = [("nice is nice", "B-place O O"), ("nice", "O"), ("lead", "O"), ("lead", "B-drug"), ("a lead b", "O O O")]
    assert found(train, "nice lead") == "O O"
    # "lead pipe" is an entity as often as not; that "lead" is inside it is not outside of entities.
    assert found([("lead pipe", "B-drug I-drug"), ("lead", "B-drug"), ("lead", "O")], "lead") == "B-drug"


def test_a_name_cut_off_by_the_end_of_a_document_is_not_found():
    assert found([("New York", "B-place I-place"), ("see New York", "O B-place I-place")], "in New") == "O O"
    # "tin" ends a document, where no "tin can" can begin: counted outside entities once, and inside once.
    assert found([("tin", "B-drug"), ("a tin", "O O"), ("tin can", "B-drug I-drug")], "tin") == "B-drug"


def test_the_gazetteer_is_sure_but_never_certain():
    words, y = [["in", "Nice"], ["Nice", "now"], []], encoded("O B-place", "O O", "")
    p = gazetteer_baseline(words, y, n_tags=5).predict(np.array([0]), np.array([1, 2]))
    assert [each.shape for each in p] == [(2, 5), (0, 5)]
    np.testing.assert_allclose(p[0].sum(axis=1), 1.0)
    assert p[0][0, 3] == pytest.approx(0.9 + 0.1 * 1.2 / 3)
    assert p[0].min() > 0


def sentences(n, *, seed=0):
    """Drugs end in "ol" and are new in every sentence; places follow "in"."""
    rng = np.random.default_rng(seed)
    words, tags = [], []
    for _ in range(n):
        name = "".join(rng.choice(list("bcdfgklmnprst"), 4))
        place = "".join(rng.choice(list("aeiou"), 4)).title()
        words.append(["we", "gave", f"{name}ol", "salt", "to", "people", "in", place, "."])
        tags.append("O O B-drug I-drug O O O B-place O")
    return words, encoded(*tags)


def test_surface_features_find_names_that_were_never_seen():
    words, y = sentences(80)
    train, test = np.arange(60), np.arange(60, 80)
    baseline = word_baseline(words, y, n_tags=5, groups=None, seed=0)
    p = baseline.predict(train, test)
    assert baseline.name == "surface features + logistic regression"
    assert all_metrics(y[test], p)["entity_f1"] > 0.95
    known = gazetteer_baseline(words, y, n_tags=5).predict(train, test)
    assert (all_metrics(y[test], known)["entity_f1"] or 0.0) < 0.5
    np.testing.assert_allclose(np.concatenate(p).sum(axis=1), 1.0, atol=1e-6)


@pytest.mark.parametrize("make", ["gazetteer", "words"])
def test_only_the_training_part_teaches(make):
    words, y = sentences(30)
    train, test = np.arange(20), np.arange(20, 30)

    def predicted(labels):
        if make == "words":
            return word_baseline(words, labels, n_tags=5, groups=None, seed=0).predict(train, test)
        return gazetteer_baseline(words, labels, n_tags=5).predict(train, test)

    changed = y.copy()
    changed[20:] = encoded(*["B-drug O O O O O O O O"] * 10)
    for one, other in zip(predicted(y), predicted(changed), strict=True):
        np.testing.assert_array_equal(one, other)


def test_documents_without_words_and_groups_are_taken():
    words, y = sentences(24)
    words[3], words[20] = [], []
    y[3] = y[20] = encoded("")[0]
    groups = np.arange(24) // 2
    p = word_baseline(words, y, n_tags=5, groups=groups, seed=0).predict(np.arange(18), np.arange(18, 24))
    assert [each.shape for each in p] == [(len(own), 5) for own in words[18:]]


def test_no_gazetteer_is_asked_about_its_own_groups(monkeypatch):
    seen, make = [], entity_baselines.make_folds

    def spy(y, *, groups, **options):
        folds = make(y, groups=groups, **options)
        seen.extend((groups[a], groups[b]) for a, b in folds)
        return folds

    monkeypatch.setattr(entity_baselines, "make_folds", spy)
    words, y = sentences(24)
    word_baseline(words, y, n_tags=5, groups=np.arange(24) // 4, seed=0).predict(np.arange(20), np.arange(20, 24))
    assert seen
    assert all(not set(a) & set(b) for a, b in seen)


def test_words_are_described_by_themselves_and_their_neighbours():
    assert _shape("McDonald's-42") == "XxXx'x-9"
    assert _shape("x" * 1000) == "x"
    features = _word_features("IL-2")
    assert features[:2] == ["word il-2", "shape X-9"]
    assert {"begins i", "begins il-", "ends 2", "ends l-2", "capital letters", "has a digit", "has a hyphen"} < {
        *features
    }
    assert "begins il-2" not in features
    rows = _describe([["a", "b", "a"], [], ["a"]]).toarray()
    assert rows.shape[0] == 4
    assert (rows[0] != rows[2]).any()  # the same word in other company
    alone = _describe([["a"], ["a"]]).toarray()
    np.testing.assert_array_equal(alone[0], alone[1])  # a neighbour is of the same document


def test_a_type_that_training_lacks_gets_little_and_not_nothing():
    words, y = sentences(12)
    y[:10] = encoded(*["O O B-drug I-drug O O O O O"] * 10)
    p = word_baseline(words, y, n_tags=5, groups=None, seed=0).predict(np.arange(10), np.arange(10, 12))
    assert 0 < np.concatenate(list(p))[:, 3].max() < 0.1


@pytest.mark.parametrize("groups", [None, np.array([0, 0, 0, 1])])
def test_a_training_part_of_one_group_is_enough(groups):
    words, y = sentences(4)
    train = np.array([0]) if groups is None else np.arange(3)
    (p,) = word_baseline(words, y, n_tags=5, groups=groups, seed=0).predict(train, np.array([3]))
    assert p.shape == (9, 5)
    assert (p.argmax(axis=1) == y[3]).mean() > 0.7
