"""Scores of transcripts: against jiwer and every path of frames, their intervals, and the table of errors."""

import gc
import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from headstart.errors import DataError
from headstart.evaluation import (
    DEFAULT_METRICS,
    Fold,
    Operation,
    all_metrics,
    bootstrap_interval,
    class_scores,
    compare,
    curve_point,
    find_metric,
    majority_baseline,
    metrics_for,
    nested_subsets,
    paired_interval,
    per_class,
    score,
    transcript_errors,
    transcripts,
    verdict,
    word_gains,
)
from headstart.linear import item_losses, transcript_nats
from headstart.tasks import Heard, Transcription, ragged
from tests.reference import transcripts as reference

CHARACTERS = (" ", "a", "b", "e")
NAMES = list(metrics_for("transcription"))
PRICE = -np.log(1e-7)
texts_of = st.lists(st.text(alphabet="ab é", max_size=12), min_size=1, max_size=6)


def hear(*texts, characters=CHARACTERS, frames=6, seed=0):
    """What a model makes of recordings: these texts, with probabilities by chance."""
    rng = np.random.default_rng(seed)
    rows = rng.dirichlet(np.ones(1 + len(characters)), size=(len(texts), frames)).astype(np.float32)
    return ragged(Heard(probabilities, text, characters) for probabilities, text in zip(rows, texts, strict=True))


def spoken(*texts):
    return np.array(texts, dtype=np.str_)


def problem(n=60, *, seed=0, wrong=0.3):
    """Transcripts of one to six words, and what was heard, in which some are left out, put in, or another."""
    rng = np.random.default_rng(seed)
    words = np.array(["a", "ab", "be", "bee", "abba", "ebb"])
    said = [" ".join(rng.choice(words, rng.integers(1, 7))) for _ in range(n)]
    return np.array(said), hear(*(misheard(text, rng, words, wrong) for text in said), seed=seed, frames=30)


def misheard(text, rng, words, wrong):
    found = []
    for word in text.split():
        chance = rng.random() / wrong
        found += [] if chance < 0.3 else [rng.choice(words)] if chance < 0.7 else [word]
        found += [rng.choice(words)] if 0.7 < chance < 1 else []
    return " ".join(found)


def heard_texts(p):
    return [each.text for each in p]


@given(texts_of, st.randoms(use_true_random=False))
def test_jiwer_counts_the_same(said, random):
    said[0] = f"{said[0]} a"  # jiwer needs a word
    told = ["".join(random.choice("ab é") for _ in range(random.randrange(12))) for _ in said]
    y, p = Transcription.from_labels(said).encode(said), hear(*told)
    singly = [" ".join(each.split()) for each in told]  # jiwer leaves several spaces where it counts characters
    assert transcripts.wer(y, p) == pytest.approx(reference.wer(y, singly), abs=1e-12)
    assert transcripts.cer(y, p) == pytest.approx(reference.cer(y, singly), abs=1e-12)


def test_what_is_heard_where_nothing_is_said_is_put_in():
    y = spoken("a b", "")
    assert transcripts.wer(y, hear("a b", "be a be")) == 1.5
    assert transcripts.cer(y, hear("a b", "be")) == 2 / 3
    assert reference.wer(y, ["a b", "be a be"]) == 1.5
    assert transcripts.exact(y, hear("a b", "be")) == 0.5


def test_without_words_only_the_share_without_an_error_is_defined():
    found = all_metrics(spoken("", ""), hear("", "a"))
    assert found == {"wer": None, "cer": None, "exact": 0.5, "log_loss": None}
    fold = Fold(spoken(""), hear("a"), 5)
    with pytest.raises(DataError, match=r"wer is not defined on this test part: no transcript holds a word there"):
        score([fold], metric="wer", how="test", n=1, seed=0)


def test_spaces_and_composed_characters_are_compared_as_spelt():
    assert transcripts.cer(spoken("caf\u00e9 a"), hear(" cafe\u0301  a ")) == 0
    assert transcripts.exact(spoken("caf\u00e9 a"), hear("cafe\u0301  a")) == 1
    assert transcripts.cer(spoken("ab"), hear("a b")) == 0.5
    assert transcripts.wer(spoken("ab"), hear("a b")) == 2


def test_characters_outside_the_vocabulary_are_errors():
    y, p = spoken("a \u00fc", "ab"), hear("a", "ab")
    assert transcripts.wer(y, p) == 1 / 3
    assert transcripts.cer(y, p) == 2 / 5
    found = transcript_errors(spoken("a \u00fc", "ab", "\u00fc\u00fc"), hear("a", "ab", "a"))
    assert (found.outside, found.outside_recordings) == ({"\u00fc": 3}, 2)


@pytest.mark.parametrize("seed", range(4))
def test_losses_are_those_of_all_paths_of_frames(seed):
    y, p = spoken("ab", "", "bb a", "e"), hear("", "", "", "", frames=5, seed=seed)
    nats = [reference.nats(said, heard.probabilities, CHARACTERS) for said, heard in zip(y, p, strict=True)]
    np.testing.assert_allclose(transcript_nats(y, p), nats, rtol=1e-5)
    assert transcripts.transcript_log_loss(y, p) == pytest.approx(sum(nats) / 7, rel=1e-5)
    np.testing.assert_allclose(item_losses(y, p), np.array(nats) / (7 / 4), rtol=1e-5)


def test_what_cannot_be_heard_has_a_price():
    few = hear("", frames=2)
    assert transcript_nats(spoken("bb"), few) == pytest.approx([3 * PRICE])  # a blank between the two
    assert transcript_nats(spoken("abe"), few) == pytest.approx([3 * PRICE])
    known = transcript_nats(spoken("ab"), few)
    assert transcript_nats(spoken("a\u00fcb"), few) == pytest.approx(known + PRICE)
    never = ragged([Heard(np.array([[1, 0, 0, 0, 0]], dtype=np.float32), "", CHARACTERS)])
    assert transcript_nats(spoken("a"), never) == pytest.approx([PRICE])
    silent = ragged([Heard(np.zeros((0, 5), dtype=np.float32), "", CHARACTERS)])
    assert transcript_nats(spoken(""), silent) == pytest.approx([0])
    assert transcript_nats(spoken("a"), silent) == pytest.approx([PRICE])


def test_losses_without_any_character_are_still_numbers():
    assert np.isfinite(item_losses(spoken("", ""), hear("", ""))).all()


@pytest.mark.parametrize("name", NAMES)
def test_counts_score_a_resample_as_if_it_were_put_together(name):
    y, p = problem(25)
    drawn = np.random.default_rng(1).integers(0, 25, (7, 25))
    counts = np.stack([np.bincount(row, minlength=25) for row in drawn]).astype(float)
    function = find_metric(name, "transcription").function
    together = [function(y[row], p[row]) for row in drawn]
    np.testing.assert_allclose(function(y, p, counts), together, atol=1e-9)
    assert function(y, p, counts[0]) == pytest.approx(together[0])


def test_a_resample_without_a_word_has_no_rate():
    counts = np.array([[1.0, 1.0], [0.0, 2.0]])
    np.testing.assert_allclose(transcripts.wer(spoken("a b", ""), hear("a", "e"), counts), [1.0, np.nan])


def test_every_recording_is_compared_once(monkeypatch):
    calls, count = [], transcripts.edits
    monkeypatch.setattr(transcripts, "edits", lambda a, b: calls.append(1) or count(a, b))
    y, p = problem(40, seed=77)
    all_metrics(y, p)
    bootstrap_interval("wer", y, p, seed=0, resamples=50)
    all_metrics(y[::2], p[::2])  # as folds and all of them together
    word_gains(y, p, p)
    assert len(calls) == 2 * 40
    p[:] = problem(40, seed=78)[1]
    assert transcripts.wer(y, p) == pytest.approx(reference.wer(y, heard_texts(p)))


def test_what_is_remembered_goes_with_what_was_heard():
    gc.collect()
    before = len(transcripts._KNOWN)
    y, p = problem(30, seed=5)
    all_metrics(y, p)
    assert len(transcripts._KNOWN) == before + 30
    del p
    gc.collect()
    assert len(transcripts._KNOWN) == before


def test_intervals_of_2000_recordings_are_quick():
    y, p = problem(2000)
    speakers = np.arange(2000) % 40
    started = time.monotonic()
    interval = bootstrap_interval("wer", y, p, groups=speakers, seed=0)
    gain = paired_interval("wer", y, p, problem(2000, wrong=0.6)[1], groups=speakers, seed=0)
    assert time.monotonic() - started < 10
    assert interval.low < transcripts.wer(y, p) < interval.high
    assert interval.method == "bootstrap of 40 groups"
    assert gain.low < gain.high < 0


@pytest.mark.parametrize(
    ("speakers", "method"),
    [
        (5, "bootstrap of 5 groups"),
        (4, "bootstrap of 60 items of the same 4 groups"),
        (1, "bootstrap of 60 items of the same group"),
    ],
)
def test_few_speakers_are_taken_as_they_are_and_it_is_said(speakers, method):
    y, p = problem(60)
    groups = np.arange(60) % speakers
    found = bootstrap_interval("wer", y, p, groups=groups, seed=0)
    assert found.method == method
    if speakers < 5:
        alone = bootstrap_interval("wer", y, p, seed=0)
        assert (found.low, found.high) == (alone.low, alone.high)
        assert alone.method == "bootstrap of 60 items"
    paired = paired_interval("wer", y, p, problem(60, seed=3)[1], groups=groups, seed=0)
    assert paired.method == method


def test_other_kinds_draw_few_groups():
    y, p = np.arange(60) % 2, np.tile([0.7, 0.3], (60, 1))
    y[:20] = 0
    found = bootstrap_interval("accuracy", y, p, groups=np.arange(60) // 20, seed=0)
    assert found.method == "the wider of: bootstrap of 3 groups; bootstrap of 60 items"


def test_no_error_at_all_is_neither_certain_nor_boundless():
    y = problem(50)[0]
    p = hear(*y, frames=30)
    found = bootstrap_interval("wer", y, p, seed=0)
    assert (found.low, found.high) == (0, pytest.approx(1 - 0.025 ** (1 / 50)))
    assert found.method == "Clopper-Pearson, 50 items without spread, each taken to lie from 0 to 1"
    same = paired_interval("wer", y, p, p, seed=0)
    assert -0.3 < same.low < 0 < same.high < 0.3
    folds = [Fold(y[part], p[part], 40, items=part) for part in np.array_split(np.arange(50), 5)]
    several = score(folds, metric="wer", how="cv", n=50, seed=0).interval
    assert (several.low, several.high, several.method) == (0, found.high, found.method.replace("items", "units"))
    again = compare(folds, folds, metric="wer", seed=0, seconds=0.0).difference_interval
    assert (again.low, again.high) == pytest.approx((same.low, same.high))


def test_agreeing_beyond_what_is_typical_is_open():
    y, p = spoken("a", "a", "b"), hear("b b", "e b", "a a")
    assert transcripts.wer(y, p) == 2
    found = bootstrap_interval("wer", y, p, seed=0)
    assert (found.high, found.method) == (np.inf, "open, 3 items without spread")


def test_proofs_take_transcripts():
    y, p = problem(60)
    worse = problem(60, wrong=0.8)[1]
    folds, theirs = (
        [Fold(y[part], out[part], 45, items=part) for part in np.array_split(np.arange(60), 4)] for out in (p, worse)
    )
    found = score(folds, metric="wer", how="cv", n=60, seed=0)
    assert found.value == pytest.approx(np.mean([transcripts.wer(fold.y, fold.probabilities) for fold in folds]))
    assert set(found.metrics) == set(NAMES)
    against = compare(folds, theirs, metric="wer", seed=0, seconds=1.0)
    assert against.difference < 0
    assert verdict({"scratch": against}, metric="wer") is True
    assert class_scores(folds, ("", *CHARACTERS)) == per_class(y, p, ("", *CHARACTERS)) == {}
    assert DEFAULT_METRICS["transcription"] == "wer"


def test_a_point_of_transcripts_resamples_the_shared_test_part():
    y, p = problem(60)
    draws = [Fold(y, out, 20, groups=np.arange(60) % 2) for out in (p, problem(60, wrong=0.5)[1])]
    point = curve_point("probe", draws, metric="wer", seed=0)
    assert point.interval.method == "t over 2 draws and resamples of 60 test units"
    assert point.test_noise.std() > 0
    many = curve_point("probe", [Fold(y, p, 20, groups=np.arange(60) % 6)] * 2, metric="wer", seed=0)
    assert many.interval.method == "t over 2 draws and resamples of 6 test units"


def test_few_different_texts_are_spread_as_classes():
    y = np.array(["go", "stop", "left"])[np.r_[np.zeros(80, int), np.ones(15, int), np.full(5, 2)]]
    small, large = nested_subsets(y, None, [8, 40], seed=0)
    assert set(y[small]) == {"go", "stop", "left"}
    assert np.mean(y[large] == "go") == pytest.approx(0.8, abs=0.05)


def test_sentences_are_drawn_by_chance():
    y = np.array([f"sentence {number}" for number in range(100)])
    subsets = [nested_subsets(y, None, [10, 60], seed=seed) for seed in (0, 1)]
    assert [len(each) for each in subsets[0]] == [10, 60]
    assert set(subsets[0][0]) <= set(subsets[0][1])
    assert set(subsets[0][0]) != set(subsets[1][0])


def test_the_constant_answer_is_what_is_said_most_often():
    y = np.array(["go"] * 5 + ["stop"] * 4 + ["go left"])
    baseline = majority_baseline(y, n_classes=9)
    assert baseline.name == "most frequent transcript"
    answers = baseline.predict(np.arange(10), np.arange(3))
    assert heard_texts(answers) == ["go"] * 3
    assert answers[0].characters == tuple(" efglopst")
    np.testing.assert_allclose(answers[0].probabilities.sum(axis=1), 1, rtol=1e-6)
    assert answers[0].probabilities.shape == (7, 10)
    assert len({id(each) for each in answers}) == 3
    assert all_metrics(y[:3], answers)["log_loss"] < PRICE


def test_nothing_is_said_where_that_is_less_wrong():
    y = np.array(["a b e", "a b e", "bee", "ebb", "abba", "ab", "be be"])
    assert heard_texts(majority_baseline(y, n_classes=5).predict(np.arange(7), np.arange(2))) == ["", ""]
    assert heard_texts(majority_baseline(y, n_classes=5).predict(np.arange(4), np.arange(1))) == ["a b e"]
    assert heard_texts(majority_baseline(spoken("", ""), n_classes=1).predict(np.arange(2), np.arange(1))) == [""]


@pytest.mark.parametrize("seed", range(5))
def test_the_mean_of_the_gains_is_the_gain_in_words(seed):
    y, before = problem(seed=seed)
    after = problem(seed=seed, wrong=0.1)[1]
    gains = word_gains(y, before, after)
    assert gains.mean() == pytest.approx(transcripts.wer(y, before) - transcripts.wer(y, after))
    assert gains.shape == (60,)
    np.testing.assert_allclose(word_gains(y, after, before), -gains)
    assert word_gains(spoken("", ""), hear("", "a"), hear("", "")).tolist() == [0.0, 0.0]


def test_errors_are_told_word_by_word():
    y = spoken("she had your dark suit in wash water", "she had", "")
    p = hear("she has your suit in wash water all", "she has", "all")
    found = transcript_errors(y, p)
    assert found.counts == {"same": 7, "substituted": 2, "left out": 1, "put in": 2}
    assert found.substituted == (("had", "has", 2),)
    assert found.left_out == (("dark", 1),)
    assert found.put_in == (("all", 2),)
    first = found.recordings[0]
    assert first.marked == "she [-had-]{+has+} your [-dark-] suit in wash water {+all+}"
    assert (first.said, first.heard, first.words, first.errors) == (y[0], p[0].text, 8, 3)
    assert first.operations[1] == Operation("substituted", "had", "has")
    assert [each.marked for each in found.recordings[1:]] == ["she [-had-]{+has+}", "{+all+}"]


def test_the_most_frequent_errors_come_first_then_by_the_alphabet():
    y, p = spoken("b", "a", "e", "e"), hear("", "", "", "")
    assert transcript_errors(y, p).left_out == (("e", 2), ("a", 1), ("b", 1))
    assert transcript_errors(y, p, most=2).left_out == (("e", 2), ("a", 1))


@given(st.integers(0, 10_000))
def test_the_table_of_errors_agrees_with_the_rate(seed):
    y, p = problem(8, seed=seed, wrong=0.6)
    found = transcript_errors(y, p)
    words = sum(each.words for each in found.recordings)
    errors = sum(each.errors for each in found.recordings)
    assert transcripts.wer(y, p) == pytest.approx(errors / words)
    assert errors == sum(found.counts.values()) - found.counts["same"]
    for said, heard, each in zip(y, p, found.recordings, strict=True):
        assert " ".join(filter(None, (one.said for one in each.operations))) == said
        assert " ".join(filter(None, (one.heard for one in each.operations))) == heard.text


@pytest.mark.parametrize(
    ("y", "p", "message"),
    [
        (spoken(), hear(), "expected what was heard in 0 recordings, one or more, found 0"),
        (spoken("a", "b"), hear("a"), "expected what was heard in 2 recordings, one or more, found 1"),
        (spoken("a", "b"), ragged([hear("a")[0], None]), "in every recording, found none of 1, first 1"),
    ],
)
@pytest.mark.parametrize("function", [transcripts.wer, transcript_errors, lambda y, p: word_gains(y, p, p)])
def test_outputs_that_do_not_fit_are_refused(function, y, p, message):
    with pytest.raises(DataError, match=message):
        function(y, p)


def test_probabilities_that_do_not_fit_are_refused():
    wide = ragged([Heard(np.ones((3, 2), dtype=np.float32), "a", CHARACTERS)])
    with pytest.raises(DataError, match=r"expected probabilities of shape \(frames, 5\), found \(3, 2\)"):
        transcripts.transcript_log_loss(spoken("a"), wide)
    unknown = ragged([Heard(np.full((3, 5), np.nan, dtype=np.float32), "a", CHARACTERS)])
    with pytest.raises(DataError, match="expected finite probabilities, found 15 that are not"):
        transcripts.transcript_log_loss(spoken("a"), unknown)
    assert transcripts.wer(spoken("a"), unknown) == 0
