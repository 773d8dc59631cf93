"""What another data set lends trains beside one's own, and is never held out or scored."""

from dataclasses import replace

import numpy as np
import pytest

from headstart.data import Dataset, inner_folds, lend, may_train, plan_split
from headstart.errors import DataError


def dataset(texts, labels, **columns) -> Dataset:
    return Dataset("text", tuple(texts), tuple(f"{name}:1" for name in texts), labels=tuple(labels), **columns)


def target(n=12, **columns) -> Dataset:
    return dataset([f"own {i}" for i in range(n)], "ab" * (n // 2), **columns)


def source(n=40, **columns) -> Dataset:
    return dataset([f"lent {i}" for i in range(n)], "abac" * (n // 4), source="other.csv", **columns)


def split(data: Dataset, **given):
    return plan_split(data, seed=0, **given)


@pytest.fixture
def given() -> Dataset:
    return target(parts=("train",) * 8 + ("test",) * 4)


def test_ones_own_keep_their_positions_and_are_repeated_until_they_are_half_of_what_trains(given):
    pooled, plan = lend(given, split(given), source())
    assert pooled.items[:12] == given.items
    assert plan.test.tolist() == [8, 9, 10, 11]
    trains = pooled.take(plan.train)
    assert trains.own.tolist() == list(range(8))
    assert sum(item.startswith("lent") for item in trains.items) == 40
    assert [trains.items.count(f"own {i}") for i in range(8)] == [5] * 8
    assert (pooled.parts, pooled.folds, pooled.domains) == (None, None, None)
    assert pooled.hashes == replace(pooled).hashes


def test_what_occurs_in_the_target_is_not_lent(given):
    known = replace(source(), items=("own 9", "own 1", *source().items[2:]))
    pooled, _ = lend(given, split(given), known)
    assert sum(item.startswith("lent") for item in pooled.items) == 38
    assert pooled.items.count("own 9") == 1


def test_every_outer_fold_is_taught_by_all_that_is_lent_but_copies_of_what_it_scores():
    data = target()
    pooled, plan = lend(data, split(data), source())
    assert plan.how == "cv"
    for inside, outside in plan.folds:
        assert not {pooled.items[i] for i in inside} & {pooled.items[i] for i in outside}
        assert sum(pooled.items[i].startswith("lent") for i in inside) == 40
        assert outside.max() < 12


def test_inner_folds_hold_out_ones_own_alone_as_without_the_source(given):
    plan = split(given)
    pooled, both = lend(given, plan, source())
    train, own = pooled.take(both.train), given.take(plan.train)
    with_source = inner_folds(train, np.array(train.labels), seed=0, n_splits=3)
    without = inner_folds(own, np.array(own.labels), seed=0, n_splits=3)
    for (inside, outside), (_, same) in zip(with_source, without, strict=True):
        assert outside.tolist() == same.tolist()
        assert not {train.items[i] for i in inside} & {train.items[i] for i in outside}
        assert sum(train.items[i].startswith("lent") for i in inside) == 40


def test_groups_of_the_source_unite_nothing():
    data = target(groups=tuple("ppqqrrssttuu"))
    lent = source(groups=("p", "q") * 20)
    pooled, _ = lend(data, split(data), replace(lent, items=("x",) * 40))
    train = pooled.take(range(len(pooled)))
    folds = inner_folds(train, np.array(train.labels), seed=0, n_splits=6)
    assert sorted(len(outside) for _, outside in folds) == [2] * 6


def test_groups_of_one_data_set_do_not_train_where_they_are_scored():
    data = target(groups=tuple("ppqqrrssttuu"), parts=("train",) * 8 + ("test",) * 4)  # t and u are scored
    lent = source(groups=tuple("ptux") * 10)
    pooled, plan = lend(data, split(data), lent, shared_groups=True)
    assert {pooled.groups[i] for i in plan.train} == set("pqrs") | {"x"}
    train = pooled.take(plan.train)
    for inside, outside in inner_folds(train, np.array(train.labels), seed=0, n_splits=2):
        assert not {train.groups[i] for i in inside} & {train.groups[i] for i in outside}
    apart, both = lend(data, split(data), lent)  # of another data set they are other groups
    assert sum(apart.items[i].startswith("lent") for i in both.train) == 40


def test_a_group_on_both_sides_on_request_shuts_nothing_out():
    data = target(groups=("p",) * 12, parts=("train",) * 8 + ("test",) * 4)
    pooled, plan = lend(data, split(data, allow_straddling=True), source(groups=("p",) * 40), shared_groups=True)
    assert sum(pooled.items[i].startswith("lent") for i in plan.train) == 40


def test_a_source_without_groups_is_lent_to_data_with_groups_and_the_other_way_round():
    grouped, plain = target(groups=tuple("ppqqrrssttuu")), target()
    assert len(lend(grouped, split(grouped), source())[0].groups) > 12
    assert lend(plain, split(plain), source(groups=("p", "q") * 20))[0].groups is None


def test_without_what_is_lent_all_others_may_train():
    assert may_train(target(), np.array([1, 3])).tolist() == [0, 2, *range(4, 12)]


def test_labels_of_the_test_part_may_be_taught_by_other_data():
    data = dataset(["1", "2", "3", "4", "5"], "aabbc", parts=("train",) * 4 + ("test",))
    with pytest.raises(DataError, match="found 'c' in the test part alone"):
        split(data)
    assert split(data, taught=("c",)).test.tolist() == [4]


def test_the_fingerprint_tells_what_is_lent():
    data = target()
    assert data.fingerprint == replace(data, lent=None).fingerprint
    assert data.fingerprint != replace(data, lent=(True,) * 12).fingerprint
