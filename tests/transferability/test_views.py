"""All scores of one feature matrix together, and what their influences are for."""

import numpy as np
import pytest

from headstart.data import make_folds
from headstart.errors import DataError
from headstart.transferability import (
    SCORES_FOR,
    Spectrum,
    discriminant,
    h_score,
    logme,
    neighbours,
    probe,
    score_view,
)
from tests.transferability.small import classes, problem


@pytest.mark.parametrize("kind", SCORES_FOR)
def test_every_score_of_the_kind_is_there_as_it_is_alone(kind):
    F, y, n_outputs = problem(kind, 60, 30)
    F, groups = F.astype(np.float32), np.arange(60) // 2
    folds = make_folds(y, groups=groups, n_splits=4, seed=0)
    found = score_view(F, y, kind=kind, n_classes=n_outputs, groups=groups, folds=folds)
    assert tuple(found) == SCORES_FOR[kind]
    alone = {
        "neighbours": lambda: neighbours(F, y, kind=kind, groups=groups),
        "h_score": lambda: h_score(F, y, kind=kind),
        "logme": lambda: logme(F, y, kind=kind),
        "discriminant": lambda: discriminant(F, y, kind=kind, groups=groups),
        "probe": lambda: probe(F, y, folds, kind=kind, n_classes=n_outputs),
    }
    for name, score in found.items():
        assert score.value == pytest.approx(alone[name]().value)
        assert score.influence.shape == (60,)
        assert score.influence.mean() == pytest.approx(0, abs=1e-9)
    given = score_view(F, y, kind=kind, n_classes=n_outputs, groups=groups, folds=folds, spectrum=Spectrum.of(F))
    assert {name: score.value for name, score in given.items()} == {name: score.value for name, score in found.items()}


@pytest.mark.parametrize("kind", SCORES_FOR)
def test_noise_scores_less_than_features(kind):
    F, y, n_outputs = problem(kind, 80, 10)
    noise = np.random.default_rng(9).normal(size=F.shape)
    folds = make_folds(y, groups=None, n_splits=4, seed=0)
    of_features, of_noise = (
        score_view(rows, y, kind=kind, n_classes=n_outputs, groups=None, folds=folds) for rows in (F, noise)
    )
    for name, score in of_features.items():
        assert score.value > of_noise[name].value, name


@pytest.mark.parametrize("kind", SCORES_FOR)
@pytest.mark.parametrize("constant", [0.0, 0.3])
def test_features_without_content_are_finite(kind, constant):
    _, y, n_outputs = problem(kind, 40, 12)
    folds = make_folds(y, groups=None, n_splits=4, seed=0)
    found = score_view(
        np.full((40, 12), constant, dtype=np.float32), y, kind=kind, n_classes=n_outputs, groups=None, folds=folds
    )
    for score in found.values():
        assert np.isfinite(score.value)
        assert np.isfinite(score.influence).all()


def test_two_examples_are_enough():
    found = score_view(
        np.array([[0.0, 1.0], [1.0, 0.5]]),
        np.array([0, 1]),
        kind="classification",
        n_classes=2,
        groups=None,
        folds=[(np.array([0]), np.array([1])), (np.array([1]), np.array([0]))],
    )
    assert all(np.isfinite(score.value) for score in found.values())


def test_lengths_that_differ_are_refused():
    F, y = classes(20, 4, 2)
    with pytest.raises(DataError, match="expected 20 labels"):
        score_view(F, y[:10], kind="classification", n_classes=2, groups=None, folds=[])
