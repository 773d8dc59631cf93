"""Leave-one-out neighbours against loops and scikit-learn."""

import numpy as np
import pytest
from sklearn.neighbors import KNeighborsClassifier, NearestNeighbors

from headstart.errors import DataError
from headstart.transferability import Spectrum, neighbours
from headstart.transferability._neighbours import hits, nearest
from tests.reference import transferability as reference
from tests.transferability.small import alike, classes, labels, pinned, values


@pytest.mark.parametrize(("name", "expected"), [("iris", 0.96), ("digits", 0.9867), ("relu", 0.97)])
def test_the_pinned_values_of_one_neighbour_are_met(name, expected):
    F, y = pinned(name)
    assert hits(y, nearest(Spectrum.of(F), None), (1,)).mean() == pytest.approx(expected, abs=5e-5)


def test_three_neighbours_by_distance_tell_iris_as_is_published():
    F, y = pinned("iris")
    by_distance = NearestNeighbors(n_neighbors=3).fit(F).kneighbors(return_distance=False)
    assert hits(y, by_distance, (3,)).mean() == pytest.approx(0.96)


@pytest.mark.parametrize("n_classes", [2, 4])
def test_votes_are_those_of_loops(n_classes):
    F, y = classes(50, 8, n_classes, apart=0.4)
    alike(neighbours(F, y, kind="classification"), reference.neighbour_hits(F, y, sizes=(1, 3, 5)))


def test_two_classes_are_told_as_scikit_learn_tells_them():
    F, y = classes(60, 8, 2, apart=0.4)
    right = np.zeros(60)
    for i in range(60):
        rest = np.arange(60) != i
        for k in (1, 3, 5):
            theirs = KNeighborsClassifier(k, metric="cosine", algorithm="brute").fit(F[rest], y[rest])
            right[i] += (theirs.predict(F[i : i + 1])[0] == y[i]) / 3
    alike(neighbours(F, y, kind="classification"), right)


def test_neighbours_of_the_same_group_do_not_count():
    F, y = classes(25, 8, 3)
    rng = np.random.default_rng(0)
    F, y, groups = np.vstack([F, F + 1e-3 * rng.normal(size=F.shape)]), np.tile(y, 2), np.tile(np.arange(25), 2)
    alone = neighbours(F, y, kind="classification")
    found = neighbours(F, y, kind="classification", groups=np.array([f"g{g}" for g in groups]))
    alike(found, reference.neighbour_hits(F, y, sizes=(1, 3, 5), groups=groups))
    assert found.value < alone.value


def test_of_equal_votes_the_class_of_the_nearest_wins():
    found = np.array([[1, 2, 3]] * 4)
    for expected, y in [(1.0, [7, 7, 8, 9]), (0.0, [8, 7, 8, 9]), (1.0, [8, 7, 8, 8])]:
        assert hits(np.array(y), found, (3,))[0] == expected


def test_more_neighbours_than_the_smallest_class_has_examples_are_not_asked():
    F, y = classes(40, 8, 2)
    y[np.flatnonzero(y == 1)[2:]] = 0
    alike(neighbours(F, y, kind="classification"), reference.neighbour_hits(F, y, sizes=(1,)))
    y[np.flatnonzero(y == 0)[:2]] = 1
    alike(neighbours(F, y, kind="classification"), reference.neighbour_hits(F, y, sizes=(1, 3)))


def test_labels_score_balanced_accuracy():
    F, y = labels(60, 8, 3)
    y[:, 2] = np.arange(60) < 2  # two examples: one neighbour only
    expected, slope = [], np.zeros(60)
    for column, sizes in zip(y.T, [(1, 3, 5), (1, 3, 5), (1,)], strict=True):
        right = reference.neighbour_hits(F, column, sizes=sizes)

        def balanced(w, right=right, column=column):
            return np.mean([np.average(right[column == c], weights=w[column == c]) for c in (0, 1)])

        expected.append(balanced(np.ones(60)))
        slope += reference.slope(balanced, 60) / 3
    found = neighbours(F, y, kind="multilabel")
    assert found.value == pytest.approx(np.mean(expected))
    np.testing.assert_allclose(found.influence, slope, atol=1e-6)


def test_a_label_never_found_scores_no_more_than_chance():
    y = (np.arange(60) % 12 == 0)[:, None].astype(int)
    rows = np.random.default_rng(0).normal(size=(60, 3))
    assert neighbours(rows, y, kind="multilabel").value < 0.6


def test_values_score_the_share_of_variance_explained():
    F, y = values(60, 8)
    groups = np.arange(60) // 2
    found = neighbours(F, y, kind="regression", groups=groups)
    assert found.value == pytest.approx(reference.neighbour_r2(F, y, sizes=(1, 3, 5), groups=groups))


def test_the_influence_on_values_is_the_derivative_at_these_neighbours():
    F, y = values(40, 8)
    found = nearest(Spectrum.of(F), None)

    def score(w):
        total = np.average((y - np.average(y, weights=w)) ** 2, weights=w)
        told = [y[found[:, :k]].mean(axis=1) for k in (1, 3, 5)]
        return np.mean([1 - np.average((y - each) ** 2, weights=w) / total for each in told])

    score_found = neighbours(F, y, kind="regression")
    np.testing.assert_allclose(score_found.influence, reference.slope(score, 40), rtol=1e-5, atol=1e-7)


def test_blocks_do_not_change_the_result(monkeypatch):
    F, y = classes(50, 8, 3)
    whole = neighbours(F, y, kind="classification")
    monkeypatch.setattr("headstart.transferability._neighbours._CHUNK", 50 * 7)
    alike(neighbours(F, y, kind="classification"), whole.influence + whole.value)


def test_a_large_group_leaves_fewer_neighbours():
    F, y = classes(12, 4, 2)
    groups = np.where(np.arange(12) < 10, 0, np.arange(12))
    assert nearest(Spectrum.of(F), groups).shape == (12, 2)
    alike(
        neighbours(F, y, kind="classification", groups=groups),
        reference.neighbour_hits(F, y, sizes=(1,), groups=groups),
    )


@pytest.mark.parametrize("kind", ["classification", "multilabel", "regression"])
@pytest.mark.parametrize("constant", [0.0, 1.5])
def test_features_without_content_are_finite(kind, constant):
    y = {"classification": np.arange(12) % 3, "multilabel": np.eye(12, 2), "regression": np.arange(12.0)}[kind]
    found = neighbours(np.full((12, 4), constant), y, kind=kind)
    assert np.isfinite(found.influence).all()
    assert found.value < 0.6


def test_groups_that_cannot_be_are_refused():
    F, y = classes(12, 4, 2)
    with pytest.raises(DataError, match="expected examples of at least 2 groups, found 1"):
        neighbours(F, y, kind="classification", groups=np.zeros(12))
    with pytest.raises(DataError, match="expected a group for each of 12 rows, found 3"):
        neighbours(F, y, kind="classification", groups=np.arange(3))
