"""Choosing without labels of the target, where the labels are known to the test."""

from dataclasses import replace

import networkx
import numpy as np
import pytest

from headstart.domain_adaptation import (
    METHODS,
    MOVING,
    WEIGHING,
    automatic,
    best,
    candidates,
    clustering,
    joined,
    modularity,
    neighbours,
)
from tests.domain_adaptation.domains import moved_classes, rows


def test_neighbours_are_the_nearest_by_cosine():
    X = rows(40, 5)
    standard = (X - X.mean(axis=0)) / X.std(axis=0)
    unit = standard / np.linalg.norm(standard, axis=1, keepdims=True)
    similarity = unit @ unit.T - 2 * np.eye(40)
    expected = np.argsort(-similarity, axis=1)[:, :6]
    assert np.array_equal(np.sort(neighbours(X, k=6), axis=1), np.sort(expected, axis=1))


def test_no_neighbour_is_of_the_same_group():
    X, groups = rows(60, 5), np.arange(60) // 6
    found = neighbours(X, groups=groups)
    assert found.shape == (60, 10)
    assert not (groups[found] == groups[:, None]).any()


def test_fewer_rows_have_fewer_neighbours():
    assert neighbours(rows(4, 3)).shape == (4, 3)
    assert neighbours(rows(4, 3), groups=np.array([0, 0, 0, 1])).shape == (4, 1)


def test_a_single_group_is_as_none():
    assert np.array_equal(neighbours(rows(30, 3), groups=np.zeros(30)), neighbours(rows(30, 3)))


def test_modularity_is_that_of_the_directed_graph():
    X, y = rows(50, 4), np.random.default_rng(0).integers(3, size=50)
    nearest = neighbours(X, k=5)
    graph = networkx.DiGraph([(i, int(j)) for i in range(50) for j in nearest[i]])
    expected = networkx.community.modularity(graph, [set(np.flatnonzero(y == c).tolist()) for c in range(3)])
    assert modularity(y, nearest, n_classes=3)[0] == pytest.approx(expected)


def test_one_label_for_all_has_none():
    nearest = neighbours(rows(50, 4))
    assert modularity(np.ones(50, dtype=int), nearest, n_classes=3)[0] == pytest.approx(0)


def test_without_edges_there_is_none():
    assert modularity(np.array([0, 1]), np.empty((2, 0), dtype=int), n_classes=2).tolist() == [0.0]


def test_a_target_that_was_moved_is_adapted_to():
    pair, hidden = moved_classes()
    found = candidates(pair, MOVING)
    chosen = best(found)
    right = {each.name: (each.predicted.argmax(axis=1) == hidden).mean() for each in found}
    assert [each.name for each in found] == list(MOVING)
    assert chosen.name != "none"
    assert chosen.better >= 0.95
    assert right[chosen.name] > right["none"] + 0.1


def test_a_target_that_is_like_the_source_is_left_alone():
    left_alone = 0
    for seed in range(10):
        pair, hidden = moved_classes(seed=seed, moved=0.0, stretched=1.0)
        found = candidates(pair, MOVING)
        chosen = best(found)
        left_alone += chosen.name == "none"
        right = {each.name: (each.predicted.argmax(axis=1) == hidden).mean() for each in found}
        assert right[chosen.name] >= right["none"] - 0.02
    assert left_alone >= 8


def test_labels_of_the_target_that_cut_through_it_are_not_chosen():
    pair, _ = moved_classes(moved=0.0, stretched=1.0)
    found = candidates(pair, ["subspace"])
    assert [each.name for each in found] == ["none", "subspace"]
    assert found[0].better == 0.5
    assert 0 <= found[0].back <= 1
    assert found[1].back is None
    assert candidates(pair, ["subspace"], ways_back="all")[1].back > 0


def test_the_way_back_finds_the_labels_where_the_way_there_was_right():
    pair, _ = moved_classes()
    back = {each.name: each.back for each in candidates(pair, ["standardise"], ways_back="all")}
    assert back["standardise"] > 0.95


def test_every_method_can_be_asked_for():
    pair, _ = moved_classes(n=90)
    assert {each.name for each in candidates(pair, list(METHODS))} == set(METHODS)


def test_groups_are_drawn_whole():
    pair, _ = moved_classes()
    grouped = replace(pair, groups=(None, np.arange(240) // 60))
    found = candidates(grouped, ["standardise"])
    assert found[1].modularity > found[0].modularity
    assert found[1].modularity != candidates(pair, ["standardise"])[1].modularity
    one = candidates(replace(pair, groups=(None, np.zeros(240))), ["standardise"])
    assert one[1].modularity == candidates(pair, ["standardise"])[1].modularity


def test_clusters_are_looked_up_in_the_source():
    pair, _ = moved_classes()
    assert clustering(pair) > 0.9
    assert automatic(pair) == (*MOVING, "prototypes")
    assert best(candidates(pair)).name != "none"
    blurred = replace(pair, source=pair.source + 6 * rows(240, 12, seed=5))
    assert clustering(blurred) < 0.6
    assert automatic(blurred) == MOVING


def test_labels_without_clusters_have_no_clustering():
    pair, _ = moved_classes()
    assert clustering(replace(pair, y=np.random.default_rng(0).permutation(pair.y))) == pytest.approx(0, abs=0.1)
    assert clustering(replace(pair, y=np.zeros(240, dtype=int))) == 0


def test_clusters_of_single_speakers_are_no_clusters_of_classes():
    pair, _ = moved_classes()
    speakers = replace(pair, groups=(pair.y, None))
    assert clustering(speakers) < 0


def test_heads_made_elsewhere_are_judged_on_the_same_neighbours():
    pair, _ = moved_classes()
    found = candidates(pair, ["none", "coral"])
    again = joined(found, pair, {"other": (found[1].head, found[1].predicted)})
    assert [each.name for each in again] == ["none", "coral", "other"]
    assert again[2].modularity == pytest.approx(found[1].modularity)
    assert again[2].better == found[1].better


def test_words_have_candidates_of_their_own():
    pair, _ = moved_classes()
    assert automatic(replace(pair, words=True)) == WEIGHING
