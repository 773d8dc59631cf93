"""Entity scores: against seqeval, against their definitions written out, and what the report of mistakes says."""

import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from seqeval.metrics import classification_report
from seqeval.scheme import IOB2

from headstart.errors import DataError
from headstart.evaluation import (
    Fold,
    all_metrics,
    bootstrap_interval,
    class_scores,
    compare,
    entities,
    f1_gains,
    find_metric,
    match_entities,
    metrics_for,
    paired_interval,
    per_class,
    score,
)
from headstart.tasks import Entity, Tagging, entities_of, ragged, write_tags
from tests.reference import entities as reference

TASK = Tagging(("drug", "gene", "place"))
NAMES = list(metrics_for("tagging"))


def marked(rng, n, *, longest=12):
    """Valid tags of n documents, some without words."""
    documents = []
    for _ in range(n):
        tags = []
        for _ in range(rng.integers(0, longest)):
            kind = TASK.types[rng.integers(3)]
            tags += ["O"] if rng.random() < 0.6 else [f"B-{kind}", *[f"I-{kind}"] * rng.integers(0, 3)]
        documents.append(tags)
    return documents


def problem(n=60, *, seed=0, noise=1.2):
    """Labels, and probabilities that are often right and often of impossible sequences of tags."""
    rng = np.random.default_rng(seed)
    y = TASK.encode([write_tags(tags) for tags in marked(rng, n)])
    return y, predictions(y, seed=seed + 1, noise=noise)


def predictions(y, *, seed=0, noise=1.2):
    rng = np.random.default_rng(seed)
    scores = [2 * np.eye(7)[tags] + noise * rng.normal(size=(len(tags), 7)) for tags in y]
    return ragged(np.exp(each) / np.exp(each).sum(axis=1, keepdims=True) for each in scores)


def told(p):
    """The tags that predictions tell."""
    return [tags_written(found, len(rows)) for found, rows in zip(TASK.decode(p), p, strict=True)]


def tags_written(found, n_words):
    tags = ["O"] * n_words
    for entity in found:
        tags[entity.start : entity.end] = [f"I-{entity.type}"] * (entity.end - entity.start)
        tags[entity.start] = f"B-{entity.type}"
    return tags


def written(y):
    return [[TASK.classes[number] for number in tags] for tags in y]


def certain(*documents):
    """Predictions that say exactly these tags."""
    return ragged(np.eye(7)[tags] if len(tags) else np.empty((0, 7)) for tags in encoded(*documents))


def encoded(*documents):
    return TASK.encode([write_tags(tags.split()) for tags in documents])


@pytest.mark.parametrize("seed", range(8))
def test_seqeval_counts_the_same(seed):
    y, p = problem(seed=seed, noise=(0.5, 2.0)[seed % 2])
    report = classification_report(written(y), told(p), mode="strict", scheme=IOB2, output_dict=True, zero_division=0)
    micro = report["micro avg"]
    assert entities.entity_f1(y, p) == pytest.approx(micro["f1-score"], abs=1e-12)
    assert entities.entity_precision(y, p) == pytest.approx(micro["precision"], abs=1e-12)
    assert entities.entity_recall(y, p) == pytest.approx(micro["recall"], abs=1e-12)
    assert entities.macro_f1(y, p) == pytest.approx(report["macro avg"]["f1-score"], abs=1e-12)
    for name, found in per_class(y, p, TASK.classes).items():
        theirs = report[name]
        assert found["n"] == theirs["support"]
        assert [found["precision"], found["recall"], found["f1"]] == pytest.approx(
            [theirs["precision"], theirs["recall"], theirs["f1-score"]], abs=1e-12
        )


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("seed", range(3))
def test_every_metric_equals_its_definition_written_out(name, seed):
    y, p = problem(seed=seed)
    expected = getattr(reference, name)(written(y), told(p), p, TASK.classes)
    assert find_metric(name, "tagging").score(y, p) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("name", NAMES)
def test_counts_score_a_resample_as_if_it_were_put_together(name):
    y, p = problem(25)
    drawn = np.random.default_rng(1).integers(0, 25, (7, 25))
    counts = np.stack([np.bincount(row, minlength=25) for row in drawn]).astype(float)
    function = find_metric(name, "tagging").function
    together = [function(y[row], p[row]) for row in drawn]
    np.testing.assert_allclose(function(y, p, counts), together, atol=1e-12)
    assert function(y, p, counts[0]) == pytest.approx(together[0])


def test_the_last_word_of_a_document_does_not_go_on_in_the_next():
    y = encoded("O B-drug", "", "B-drug I-drug O")
    assert entities.marked_entities(y, 3).tolist() == [[1, 0, 0], [0, 0, 0], [1, 0, 0]]
    p = certain("O B-drug", "", "B-drug O O")
    assert entities.entity_f1(y, p) == 0.5
    assert entities.partial_f1(y, p) == 0.75
    assert entities.token_accuracy(y, p) == 0.8


def test_an_entity_in_pieces_is_one_partial_match():
    y = encoded("B-drug I-drug I-drug I-drug I-drug O")
    assert entities.partial_f1(y, certain("B-drug O B-drug O B-drug O")) == 2 * 0.5 / (1 + 3)
    assert entities.partial_f1(y, certain("B-gene I-gene O O O O")) == 0.0
    joined = encoded("B-drug B-drug B-drug O O O")
    assert entities.partial_f1(joined, certain("B-drug I-drug I-drug O O O")) == 2 * 0.5 / (3 + 1)


def test_impossible_tags_are_never_scored():
    """The most probable tag of the second word alone is I-gene, which nothing begins."""
    p = ragged([np.array([[0.9, 0.02, 0.02, 0.02, 0.02, 0.01, 0.01], [0.3, 0.05, 0.05, 0.1, 0.48, 0.01, 0.01]])])
    y = encoded("O O")
    assert entities.token_accuracy(y, p) == 1.0
    assert np.isnan(entities.entity_precision(y, p))


def test_without_entities_nothing_is_defined_but_what_is_of_words():
    y = encoded("O O O", "")
    nothing = all_metrics(y, certain("O O O", ""))
    assert {name for name, value in nothing.items() if value is None} == {
        "entity_f1", "entity_precision", "entity_recall", "macro_f1", "partial_f1",
    }  # fmt: skip
    assert (nothing["token_accuracy"], nothing["log_loss"]) == (1.0, 0.0)
    spurious = all_metrics(y, certain("O B-drug O", ""))
    assert spurious["entity_f1"] == spurious["entity_precision"] == spurious["macro_f1"] == 0.0
    assert spurious["entity_recall"] is None
    no_words = all_metrics(encoded("", ""), certain("", ""))
    assert set(no_words.values()) == {None}
    missed = per_class(encoded("B-drug O"), certain("O O"), TASK.classes)
    assert missed["drug"] == {"precision": None, "recall": 0.0, "f1": 0.0, "n": 1}
    assert missed["gene"] == {"precision": None, "recall": None, "f1": None, "n": 0}


def test_new_predictions_in_the_same_column_are_tallied_anew():
    y, p = problem(20)
    before = entities.entity_f1(y, p)
    p[:] = certain(*(" ".join(tags) for tags in written(y)))
    assert entities.entity_f1(y, p) == 1.0 != before
    for seed in range(10):  # more pairs than are remembered
        entities.entity_f1(*problem(20, seed=seed))
    assert entities.entity_f1(y, p) == 1.0


def test_decoding_is_done_once_for_all_metrics_and_resamples(monkeypatch):
    calls, decode = [], entities.best_tags
    monkeypatch.setattr(entities, "best_tags", lambda p: calls.append(1) or decode(p))
    y, p = problem(40, seed=77)
    all_metrics(y, p)
    bootstrap_interval("entity_f1", y, p, seed=0, resamples=50)
    per_class(y, p, TASK.classes)
    assert len(calls) == 1


@pytest.mark.parametrize("groups", [None, np.arange(5000) // 10])
def test_intervals_of_5000_sentences_are_quick(groups):
    y, p = problem(5000)
    worse = predictions(y, seed=9, noise=2.0)
    started = time.monotonic()
    interval = bootstrap_interval("entity_f1", y, p, groups=groups, seed=0)
    gain = paired_interval("entity_f1", y, p, worse, groups=groups, seed=0)
    assert time.monotonic() - started < 10
    assert 0 < interval.high - interval.low < 0.1
    assert interval.low < entities.entity_f1(y, p) < interval.high
    assert 0 < gain.low < gain.high
    assert interval.method == ("bootstrap of 5000 items" if groups is None else "bootstrap of 500 groups")


def test_proofs_take_documents():
    y, p = problem(40)
    worse = predictions(y, seed=5, noise=3.0)
    folds, theirs = (
        [Fold(y[part], out[part], 30, items=part) for part in np.array_split(np.arange(40), 4)] for out in (p, worse)
    )
    found = score(folds, metric="entity_f1", how="cv", n=40, seed=0)
    assert found.value == pytest.approx(np.mean([entities.entity_f1(fold.y, fold.probabilities) for fold in folds]))
    assert compare(folds, theirs, metric="entity_f1", seed=0, seconds=1.0).difference > 0
    once = class_scores(folds, TASK.classes)
    assert once == per_class(y, p, TASK.classes)
    twice = class_scores([*folds, *folds], TASK.classes)
    assert {name: row["n"] for name, row in twice.items()} == {name: row["n"] for name, row in once.items()}


def test_a_score_that_no_entity_defines_says_so():
    fold = Fold(encoded("O O"), certain("O O"), 5)
    with pytest.raises(DataError, match="entity_f1 is not defined on this test part: no entity is marked, or none is"):
        score([fold], metric="entity_f1", how="test", n=1, seed=0)


@pytest.mark.parametrize(
    ("y", "p", "message"),
    [
        (ragged([]), ragged([]), "expected the probabilities of 0 documents, one or more, found 0"),
        (encoded("O", "O"), certain("O"), "expected the probabilities of 2 documents, one or more, found 1"),
        (encoded("O", "O O"), certain("O", "O"), r"of each of 3 words, found \(2, 7\), first in document 1"),
        (encoded("O"), ragged([np.ones((1, 4)) / 4]), r"expected 1 \+ 2 \* types probabilities of each of 1 words"),
        (encoded("O"), ragged([np.full((1, 7), np.nan)]), "expected finite probabilities, found 7 that are not"),
        (encoded("B-place"), ragged([np.ones((1, 3)) / 3]), "expected tag numbers from 0 to 2, found 5 to 5"),
    ],
)
def test_arrays_that_do_not_fit_are_refused(y, p, message):
    with pytest.raises(DataError, match=message):
        entities.entity_f1(y, p)


def test_each_mistake_is_named():
    marked = [
        [
            Entity(0, 1, "drug"),
            Entity(2, 4, "gene"),
            Entity(5, 8, "drug"),
            Entity(9, 10, "drug"),
            Entity(12, 13, "drug"),
        ],
        [],
    ]
    told = [
        [Entity(0, 1, "drug", 0.9), Entity(2, 4, "drug", 0.5), Entity(6, 7, "drug", 0.4), Entity(9, 11, "gene", 0.3)],
        [Entity(3, 4, "gene", 0.6)],
    ]
    counts, mistakes = match_entities(marked, told)
    assert counts == dict.fromkeys(entities.MATCHES, 1)
    assert [(each.document, each.match, each.marked, each.predicted) for each in mistakes] == [
        (0, "wrong type", marked[0][1], told[0][1]),
        (0, "wrong border", marked[0][2], told[0][2]),
        (0, "wrong type and border", marked[0][3], told[0][3]),
        (0, "missed", marked[0][4], None),
        (1, "spurious", None, told[1][0]),
    ]
    with pytest.raises(DataError, match="expected the predicted entities of 2 documents, found 1"):
        match_entities(marked, told[:1])


def test_the_same_type_goes_before_an_earlier_overlap():
    true = [Entity(0, 3, "drug")]
    counts, mistakes = match_entities([true], [[Entity(0, 1, "gene"), Entity(2, 3, "drug")]])
    assert (counts["wrong border"], counts["spurious"], counts["wrong type and border"]) == (1, 1, 0)
    assert [each.match for each in mistakes] == ["wrong border", "spurious"]


@given(st.integers(0, 10_000))
def test_matches_account_for_every_entity_and_agree_with_the_scores(seed):
    y, p = problem(12, seed=seed, noise=2.0)
    true, found = [entities_of(tags) for tags in written(y)], TASK.decode(p)
    counts, mistakes = match_entities(true, found)
    paired = sum(counts[match] for match in ("exact", "wrong type", "wrong border", "wrong type and border"))
    n_true, n_found = sum(map(len, true)), sum(map(len, found))
    assert (paired + counts["missed"], paired + counts["spurious"]) == (n_true, n_found)
    assert len(mistakes) == sum(counts.values()) - counts["exact"]
    if n_true + n_found:
        assert entities.entity_f1(y, p) == pytest.approx(2 * counts["exact"] / (n_true + n_found))
        worth = counts["exact"] + counts["wrong border"] / 2
        assert entities.partial_f1(y, p) == pytest.approx(2 * worth / (n_true + n_found))


@pytest.mark.parametrize("seed", range(10))
def test_the_mean_of_the_gains_is_the_gain_in_f1(seed):
    y, before = problem(seed=seed)
    after = predictions(y, seed=seed + 100, noise=0.6)
    gains = f1_gains(y, before, after)
    assert gains.shape == (len(y),)
    assert gains.mean() == pytest.approx(entities.entity_f1(y, after) - entities.entity_f1(y, before))
    np.testing.assert_allclose(f1_gains(y, after, before), -gains, atol=1e-12)
    assert not f1_gains(y, before, before).any()


def test_gains_of_models_that_tell_nothing():
    y = encoded("O O", "B-gene")
    silent, right = certain("O O", "O"), certain("O O", "B-gene")
    assert f1_gains(y, silent, right).tolist() == [0.0, 2.0]
    nothing = encoded("O O", "O")
    assert f1_gains(nothing, silent, silent).tolist() == [0.0, 0.0]
    assert f1_gains(nothing, silent, right).tolist() == [0.0, 0.0]
