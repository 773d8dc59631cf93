"""Refusals, each on domains of which it is known that adapting would be wrong."""

from dataclasses import replace

import numpy as np
import pytest

from headstart.domain_adaptation import METHODS, candidates, cohesion, decide, measure_gap, neighbours
from tests.domain_adaptation.domains import moved_classes

NAMES = ("ant", "bee", "cat", "dog")


def decided(pair):
    return decide(pair, candidates(pair), measure_gap(pair.source, pair.target), classes=NAMES)


def test_a_domain_that_was_moved_is_adapted_to():
    found = decided(moved_classes(seed=2)[0])
    assert not found.refused
    assert found.chosen.name in METHODS
    assert found.reason.startswith(f"With {found.chosen.name} the answers follow the target's own structure better")


def test_identical_domains_are_left_alone():
    pair, _ = moved_classes()
    found = decided(replace(pair, target=pair.source))
    assert found.refused
    assert found.chosen.name == "none"
    assert "cannot be told apart" in found.reason


def test_two_halves_of_one_domain_are_left_alone():
    pair, _ = moved_classes(moved=0.0, stretched=1.0)
    found = decided(pair)
    assert found.chosen.name == "none"
    assert found.refused
    assert "nothing to adapt to" in found.reason


def test_a_target_that_lacks_one_of_two_classes():
    pair, _ = moved_classes(n=400, n_classes=2, moved=0.5, stretched=1.0, target_shares=[1.0, 0.0])
    found = decided(pair)
    assert found.refused
    assert found.missing == (1,)
    assert found.reason == "The target seems to have none of 'bee': adapting would find some all the same."


def test_a_target_that_lacks_one_of_several_classes():
    pair, _ = moved_classes(n=600, n_classes=4, seed=1, target_shares=[0.4, 0.3, 0.3, 0.0])
    found = decided(pair)
    assert found.refused
    assert found.missing == (3,)
    assert "none of 'dog'" in found.reason


def test_a_target_of_another_task():
    pair, _ = moved_classes(n_classes=4)
    noise = np.random.default_rng(0).normal(size=pair.target.shape)
    found = decided(replace(pair, target=(40 + noise).astype(np.float32)))
    assert found.refused
    assert found.chosen.name == "none"
    assert "do not lead back" in found.reason
    assert "100% of the target is like nothing in the source" in found.reason


def test_a_target_far_from_a_source_whose_classes_are_no_clusters():
    pair, _ = moved_classes(n=300, n_classes=2, width=20)
    generator = np.random.default_rng(0)
    # A line tells the classes apart, which lie beside each other in one cloud.
    rows = generator.normal(size=(300, 20))
    rows[:, 0] += 2.2 * (2 * pair.y - 1)
    far = rows[generator.permutation(300)] + 25 * np.eye(20)[1]
    mixed = replace(pair, source=rows.astype(np.float32), target=far.astype(np.float32))
    found = decided(mixed)
    assert found.refused
    assert found.chosen.name == "none"
    assert found.reason.startswith("100% of the target is like nothing in the source, and classes are no clusters")


def test_a_target_that_the_network_cannot_read():
    pair, _ = moved_classes(seed=2)
    gap = measure_gap(pair.source, pair.target)
    found = decide(pair, candidates(pair), gap, classes=NAMES, unread="It knows no such language.")
    assert found.refused
    assert found.reason == "It knows no such language. Take a network that knows it."


def test_a_gap_that_does_not_matter():
    pair, _ = moved_classes(width=12, moved=0.0, stretched=1.0)
    target = pair.target.copy()
    target[:, 0] += 1.0
    found = decided(replace(pair, target=target))
    assert found.chosen.name == "none"
    assert not found.refused
    assert found.reason.startswith("No way of adapting (standardise, coral, linear_transport, prototypes)")


def test_cohesion_is_high_for_clusters_and_none_for_strays():
    rng = np.random.default_rng(0)
    X = (rng.normal(size=(200, 4)) + 6 * np.eye(4)[np.arange(200) % 2]).astype(np.float32)
    labels = np.arange(200) % 2
    labels[rng.permutation(200)[:20]] = 2
    held = cohesion(labels, neighbours(X), n_classes=4)
    assert held[:2].min() > 0.6
    assert held[2] == pytest.approx(0, abs=0.1)
    assert held[3] == 0


def test_one_class_for_all_has_no_cohesion():
    X = np.random.default_rng(0).normal(size=(30, 3)).astype(np.float32)
    assert cohesion(np.zeros(30, dtype=int), neighbours(X), n_classes=2).tolist() == [0, 0]
