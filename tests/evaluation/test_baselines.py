"""The classical baselines: what they learn, from which part they learn it, and scikit-learn as the yardstick."""

import csv

import numpy as np
import pytest
from PIL import Image
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline, make_union

from headstart.evaluation import baselines
from headstart.evaluation.baselines import (
    describe_image,
    image_baseline,
    majority,
    majority_baseline,
    text_baseline,
)

TOPICS = (
    ("the invoice was charged twice", "refund my payment please", "wrong amount on the bill"),
    ("the parcel never arrived", "where is my delivery", "tracking says lost package"),
    ("i forgot my password", "cannot log in to my account", "reset the login code"),
)


def messages(n, seed=0):
    rng = np.random.default_rng(seed)
    y = np.arange(n) % 3
    return [" ".join(rng.choice(TOPICS[c], 2)) + f" {rng.integers(1000)}" for c in y], y


def striped(n, seed=0):
    """Noisy stripes: upright for class 0, level for class 1; the colours say nothing."""
    rng = np.random.default_rng(seed)
    images, y = [], np.arange(n) % 2
    for c in y:
        wave = 60 * np.sin(np.arange(80) * rng.uniform(0.5, 1.0) + rng.uniform(0, 6))
        plane = np.tile(wave, (80, 1)) if c == 0 else np.tile(wave[:, None], (1, 80))
        noisy = plane[:, :, None] + rng.normal(128, 20, (80, 80, 3)) + rng.uniform(-30, 30, 3)
        images.append(Image.fromarray(noisy.clip(0, 255).astype(np.uint8)))
    return images, y


def test_the_majority_baseline_answers_with_the_frequencies_of_the_training_part():
    y = np.array([1, 1, 1, 0, 2, 2, 2, 2])
    baseline = majority_baseline(y, n_classes=4)
    p = baseline.predict(np.arange(4), np.arange(4, 8))
    np.testing.assert_allclose(p, majority(y[:4], n_classes=4, n_test=4))
    np.testing.assert_allclose(p[0], [1.25 / 5, 3.25 / 5, 0.25 / 5, 0.25 / 5])
    assert baseline.name == "majority class"


def test_the_text_baseline_is_scikit_learns_tf_idf_with_logistic_regression(monkeypatch):
    monkeypatch.setattr(baselines, "_TEXT_STRENGTHS", (1e-3,))
    texts, y = messages(90)
    train, test = np.arange(60), np.arange(60, 90)
    p = text_baseline(texts, y, n_classes=3, groups=None, seed=0).predict(train, test)
    words = TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True, token_pattern=r"(?u)\b\w+\b")
    letters = TfidfVectorizer(analyzer="char_wb", ngram_range=(2, 5), sublinear_tf=True)
    theirs = make_pipeline(make_union(words, letters), LogisticRegression(C=1 / (60 * 1e-3), tol=1e-8, max_iter=9999))
    expected = theirs.fit(texts[:60], y[:60]).predict_proba(texts[60:])
    np.testing.assert_allclose(p, expected, atol=2e-3)
    assert (p.argmax(axis=1) == y[60:]).mean() > 0.9


def test_nothing_is_learnt_from_texts_outside_the_training_part():
    texts, y = messages(90)
    train, test = np.arange(60), np.arange(60, 75)
    one = text_baseline(texts, y, n_classes=3, groups=None, seed=0).predict(train, test)
    other_texts = [*texts[:75], *["quite different words " * 3] * 15]
    other = text_baseline(other_texts, y, n_classes=3, groups=None, seed=0).predict(train, test)
    np.testing.assert_allclose(one, other, atol=1e-6)


def test_the_most_frequent_terms_of_the_training_part_are_kept(monkeypatch):
    terms = baselines._Terms.count(["a a a b", "b c", "d d d d"], "word", (1, 1), 2)
    rows, held_out = terms.weigh(np.array([0, 1]), np.array([2]))
    assert rows.shape == (2, 2)
    assert held_out.nnz == 0
    assert (rows.toarray()[:, 1] > 0).tolist() == [True, True]  # b; c and d are left out


@pytest.mark.parametrize("texts", [["", " ", "!", "?"] * 3, ["ok", "", "ok", "so", "so", ""] * 2])
def test_texts_without_words_are_no_reason_to_stop(texts):
    y = np.arange(12) % 2
    p = text_baseline(texts, y, n_classes=2, groups=None, seed=0).predict(np.arange(8), np.arange(8, 12))
    assert p.shape == (4, 2)
    assert np.isfinite(p).all()


def test_many_texts_are_judged_by_one_inner_fold(monkeypatch):
    asked = []
    original = baselines.fit_cross_validated
    monkeypatch.setattr(
        baselines,
        "fit_cross_validated",
        lambda X, y, folds, **k: asked.append(len(folds)) or original(X, y, folds, **k),
    )
    texts, y = messages(60)
    baseline = text_baseline(texts, y, n_classes=3, groups=None, seed=0)
    baseline.predict(np.arange(40), np.arange(40, 60))
    monkeypatch.setattr(baselines, "_MANY_TEXTS", 30)
    baseline.predict(np.arange(40), np.arange(40, 60))
    assert asked == [3, 1]


def test_inner_folds_keep_groups_together_and_two_groups_are_enough(monkeypatch):
    seen = []
    original = baselines.make_folds
    monkeypatch.setattr(baselines, "make_folds", lambda y, **k: seen.append((k, original(y, **k))) or seen[-1][1])
    images, y = striped(24)
    descriptors = np.stack([describe_image(image) for image in images])
    groups = np.array(["x", "y", "z"])[np.arange(24) // 8]
    image_baseline(descriptors, y, n_classes=2, groups=groups, seed=0).predict(np.arange(16), np.arange(16, 24))
    ((options, folds),) = seen
    assert options["groups"].tolist() == ["x"] * 8 + ["y"] * 8
    assert len(folds) == 2


def test_the_image_baseline_tells_stripes_apart_by_their_direction():
    images, y = striped(60)
    descriptors = np.stack([describe_image(image) for image in images])
    baseline = image_baseline(descriptors, y, n_classes=2, groups=None, seed=0)
    p = baseline.predict(np.arange(30), np.arange(30, 60))
    assert (p.argmax(axis=1) == y[30:]).mean() > 0.9


def test_colours_are_told_apart_and_shares_are_those_of_the_picture():
    red, blue = (describe_image(Image.new("RGB", (50, 30), colour)) for colour in ("red", "blue"))
    assert red.shape == (128 + 9 + 576 + 192,)
    assert red.dtype == np.float32
    assert (red[:128] ** 2).sum() == pytest.approx(1)
    assert red[:128].argmax() != blue[:128].argmax()
    assert red[128:131].tolist() == [1.0, 0.0, 0.0]
    assert np.abs(red[137:713]).max() == 0


@pytest.mark.parametrize("mode", ["L", "P", "RGBA", "1"])
@pytest.mark.parametrize("size", [(1, 1), (640, 3)])
def test_every_mode_and_size_of_picture_is_described(mode, size):
    assert np.isfinite(describe_image(Image.new("RGB", size, "teal").convert(mode))).all()


@pytest.mark.shared
@pytest.mark.slow
def test_trec_questions_are_answered_as_well_as_tf_idf_can(shared):
    columns = []
    for part in ("train", "test"):
        with (shared / "data" / "text" / "trec6" / f"{part}.csv").open(encoding="utf-8", newline="") as file:
            columns.append([(row["text"], row["label"]) for row in csv.DictReader(file)])
    n, rows = len(columns[0]), columns[0] + columns[1]
    y = np.unique([label for _, label in rows], return_inverse=True)[1]
    baseline = text_baseline([text for text, _ in rows], y, n_classes=6, groups=None, seed=0)
    p = baseline.predict(np.arange(n), np.arange(n, len(rows)))
    assert 0.86 < (p.argmax(axis=1) == y[n:]).mean() < 0.92
