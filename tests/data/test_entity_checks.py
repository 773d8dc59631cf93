"""What a check says about tagged texts, and how they are split."""

import json
import time
from collections import Counter

import numpy as np
import pytest

from headstart.data import (
    Dataset,
    Document,
    inner_folds,
    inspect,
    load,
    make_folds,
    plan_split,
    types_present,
    united_groups,
    warnings_about,
)
from headstart.errors import DataError
from headstart.tasks import ragged, task_from_labels, write_tags


def conll(path, sentences):
    text = "\n".join("".join(f"{word} {tag}\n" for word, tag in sentence) for sentence in sentences)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def sentence(n, *names):
    """A sentence of its own with an entity of each type."""
    return [(f"word{n}", "O"), *((f"{name}{n}", f"B-{name}") for name in names)]


def plenty(*names, each=12):
    return [sentence(f"{name}{i}", name) for name in names for i in range(each)]


def dataset(tags, *, words=None, **columns):
    """Texts with these lists of tags."""
    items = tuple(
        Document.of_words(words[i] if words else [f"w{i}x{j}" for j in range(len(each))]) for i, each in enumerate(tags)
    )
    places = tuple(f"a.conll:{i}" for i in range(len(tags)))
    labels = tuple(map(write_tags, tags))
    return Dataset("text", items, places, labels=labels, source="a.conll", kind="tagging", **columns)


def by_kind(inspection):
    return {finding.kind: finding for finding in inspection.findings}


def test_sound_data_has_counts_of_entities_and_no_findings(tmp_path):
    inspection = inspect(
        conll(tmp_path / "a.conll", [*plenty("PER", "LOC"), sentence("x", "LOC", "LOC"), [("so", "O")]])
    )
    assert (inspection.task, inspection.n) == ("text-tagging", 26)
    assert list(inspection.classes.items()) == [("LOC", 14), ("PER", 12)]
    assert inspection.summary["words"] == {"min": 1, "median": 2, "max": 3}
    assert inspection.summary["entities"] == {"min": 0, "median": 1, "max": 2}
    assert inspection.findings == ()
    assert json.loads(json.dumps(inspection.to_dict()))["classes"] == {"LOC": 14, "PER": 12}


def test_types_with_few_entities_are_one_finding(tmp_path):
    train, test = [*plenty("PER"), *plenty("LOC", each=3), *plenty("ORG", each=9)], plenty("PER", "LOC", "ORG")
    conll(tmp_path / "d" / "train.conll", train)
    conll(tmp_path / "d" / "test.conll", [[(f"{word}t", tag) for word, tag in each] for each in test])
    inspection = inspect(tmp_path / "d")
    assert set(by_kind(inspection)) == {"rare-types"}
    assert by_kind(inspection)["rare-types"].found == "types with under 10 training entities: 2 of 3 ('LOC' 3, 'ORG' 9)"
    assert [finding.kind for finding in warnings_about(load(tmp_path / "d"))] == ["rare-types"]


def test_types_that_are_in_the_test_part_alone_are_scored_and_said(tmp_path):
    train = conll(tmp_path / "a.conll", plenty("PER", "LOC"))
    test = conll(tmp_path / "b.conll", [sentence("t", "PER"), sentence("u", "ORG", "DATE")])
    finding = by_kind(inspect(train, test=test))["untrained-types"]
    expected = "types of entities that no training text holds: 'DATE', 'ORG'"
    assert (finding.severity, finding.where, finding.found) == ("warning", "b.conll:4", expected)
    assert plan_split(load(train, test=test), seed=0).how == "test"


def test_data_without_entities_cannot_be_learnt_from(tmp_path):
    path = conll(tmp_path / "a.conll", [sentence(i) for i in range(20)])
    finding = by_kind(inspect(path))["split"]
    assert (finding.severity, finding.found) == ("error", "expected entities, found none in 20 training texts")
    with pytest.raises(DataError, match="expected entities, found none in 20 training texts"):
        plan_split(load(path), seed=0)
    conll(tmp_path / "d" / "train.conll", [sentence(i) for i in range(20)])
    conll(tmp_path / "d" / "test.conll", plenty("PER"))
    assert inspect(tmp_path / "d").findings[0].found == "expected entities, found none in 20 training texts"


def test_the_same_text_with_other_tags_is_counted_and_shown(tmp_path):
    same = [("in", "O"), ("Paris", "B-LOC")]
    path = conll(tmp_path / "a.conll", [*plenty("LOC", "PER"), same, [("in", "O"), ("Paris", "B-PER")], same, same])
    found = by_kind(inspect(path))
    assert found["conflicting-copies"].severity == "warning"
    assert found["conflicting-copies"].where == "a.conll:73, a.conll:76"
    assert (
        found["conflicting-copies"].found == "the same text with different tags: 1 (first: 'Paris' is B-LOC and B-PER)"
    )
    assert "copies" not in found


def test_copies_within_and_across_parts_are_counted(tmp_path):
    conll(tmp_path / "d" / "train.conll", [*plenty("LOC"), sentence("a", "LOC"), sentence("a", "LOC"), sentence("b")])
    conll(tmp_path / "d" / "test.conll", [sentence("b"), sentence("c", "LOC")])
    found = by_kind(inspect(tmp_path / "d"))
    assert found["copies"].found == "items that occur more than once: 1 (1 exact copies)"
    assert found["copies-across-parts"].found == "items in training and scored part: 1 (1 exact copies)"
    assert found["copies-across-parts"].where == "train.conll:43 = test.conll:1"
    assert any("exact copy on the other side" in note for note in plan_split(load(tmp_path / "d"), seed=0).notes)


def test_long_texts_are_no_trouble(tmp_path):
    finding = by_kind(inspect(conll(tmp_path / "a.conll", [*plenty("LOC"), [("word", "O")] * 500])))["long-texts"]
    assert (finding.severity, finding.where) == ("info", "a.conll:37")
    assert "overlapping windows" in finding.fix


def test_types_that_are_written_differently_are_found(tmp_path):
    assert "'LOC', 'loc'" in by_kind(inspect(conll(tmp_path / "a.conll", plenty("LOC", "loc"))))["similar-labels"].found


def test_findings_about_classes_stay_away(tmp_path):
    kinds = set(by_kind(inspect(conll(tmp_path / "a.conll", [*plenty("A|B", each=200), *plenty("1", each=1)]))))
    assert kinds <= {"rare-types", "split"}


def test_types_present_are_zeros_and_ones():
    y = ragged([np.array([0, 3, 4]), np.zeros(0, int), np.array([1, 0, 5])])
    assert types_present(y).tolist() == [[0, 1, 0], [0, 0, 0], [1, 0, 1]]
    assert types_present(ragged([])).shape == (0, 0)
    assert types_present(ragged([np.zeros(2, int)])).shape == (1, 0)


def random_tags(random, n):
    """Texts of which half have no entity; the rarest type is in about a twentieth."""
    share = {"A": 0.4, "B": 0.2, "C": 0.05}
    return [["O", *(f"B-{name}" for name, p in share.items() if random.random() < p)] for _ in range(n)]


@pytest.mark.parametrize("grouped", [False, True])
def test_folds_are_alike_in_their_types_and_sizes(grouped):
    random = np.random.default_rng(0)
    tags = random_tags(random, 1000)
    groups = tuple(f"d{i}" for i in random.integers(0, 60, 1000)) if grouped else None
    data = dataset(tags, groups=groups)
    y = task_from_labels("tagging", data.labels).encode(data.labels)
    folds = inner_folds(data, y, seed=0)
    present = types_present(y)
    for train, held in folds:
        assert len(held) == pytest.approx(200, abs=25 if grouped else 1)
        assert present[held].sum(axis=0) == pytest.approx(present.sum(axis=0) / 5, abs=5 if grouped else 2)
        if groups:
            assert {groups[i] for i in train}.isdisjoint(groups[i] for i in held)
    again = inner_folds(data, y, seed=0)
    assert all((one[1] == other[1]).all() for one, other in zip(folds, again, strict=True))


def test_folds_of_texts_without_entities_are_alike_in_size():
    y = ragged([np.zeros(3, int)] * 11)
    assert sorted(len(held) for _, held in make_folds(y, groups=None, n_splits=5, seed=0)) == [2, 2, 2, 2, 3]


@pytest.mark.parametrize("n", [100, 300, 600])
def test_plans_keep_documents_together_and_train_every_type(n):
    random = np.random.default_rng(n)
    data = dataset(random_tags(random, n), groups=tuple(f"d{i}" for i in random.integers(0, n // 4, n)))
    plan = plan_split(data, seed=0)
    assert plan.how == ("holdout" if n >= 500 else "cv")
    for train, test in plan.folds or [(plan.train, plan.test)]:
        assert {data.groups[i] for i in train}.isdisjoint(data.groups[i] for i in test)
        known = {tag for i in train for tag in json.loads(data.labels[i])}
        assert known == {"O", "B-A", "B-B", "B-C"}


def test_a_rare_type_gives_fewer_folds_and_is_called_a_type():
    data = dataset([["O", "B-A"]] * 30 + [["B-B"]] * 7)
    assert "7 folds instead of 10: one type has only 7 separate examples or groups." in plan_split(data, seed=0).notes


def test_types_of_one_text_each_cannot_be_split():
    with pytest.raises(DataError, match="expected types of entities that recur, found one of its own in every text"):
        plan_split(dataset([["B-A"], ["B-B"]]), seed=0)
    with pytest.raises(DataError, match="expected at least 2 separate examples or groups, found 1"):
        plan_split(dataset([["B-A"], ["B-A"]], words=[["x"], ["x"]]), seed=0)


def test_documents_on_both_sides_of_a_given_split_are_refused():
    data = dataset([["B-A"]] * 4, groups=("d", "e", "d", "f"), parts=("train", "train", "test", "test"))
    with pytest.raises(DataError, match="expected every group on one side of the given split, found 1 on both"):
        plan_split(data, seed=0)


def test_short_copies_do_not_link_documents_and_long_ones_do():
    byline, long = ["Reuters"], [f"w{i}" for i in range(20)]
    words = [byline, ["a"], byline, long, long, ["b"]]
    groups = ("d1", "d1", "d2", "d2", "d3", "d3")
    tags = [["O"] * len(each) for each in words]
    assert united_groups(dataset(tags, words=words, groups=groups)).tolist() == [0, 0, 1, 1, 1, 1]
    separate = united_groups(dataset(tags, words=words)).tolist()
    assert separate[0] == separate[2]
    assert separate[3] == separate[4]
    assert len(set(separate)) == 4


@pytest.mark.shared
def test_documents_of_a_newspaper_can_be_split(shared):
    data = load(shared / "data" / "ner" / "conll2002-nl" / "train.conll")
    plan = plan_split(data, seed=0)
    assert {data.groups[i] for i in plan.train}.isdisjoint(data.groups[i] for i in plan.test)
    y = task_from_labels("tagging", data.labels).encode(data.labels)
    started = time.process_time()
    folds = inner_folds(data, y, seed=0)
    assert time.process_time() - started < 5
    shares = [Counter(np.repeat(np.arange(4), types_present(y)[held].sum(axis=0)).tolist()) for _, held in folds]
    for name in range(4):
        found = [share[name] for share in shares]
        assert max(found) < 1.1 * min(found)
