"""Tags as numbers and back, and entities that are valid, with the probability of the whole entity."""

import itertools

import numpy as np
import pytest
from numpy.typing import NDArray

from headstart.errors import DataError
from headstart.tasks import (
    Entity,
    Tagging,
    best_tags,
    entities_of,
    ragged,
    read_tags,
    tags_of,
    task_from_dict,
    task_from_labels,
    write_tags,
)

TASK = Tagging(("LOC", "PER"))
SENTENCE = write_tags(["B-PER", "I-PER", "O", "B-LOC"])


def valid(tags: tuple[int, ...]) -> bool:
    """Say what IOB2 allows, rule by rule: an inside tag needs a tag of its type before it."""
    before = (0, *tags)
    return all(tag % 2 == 1 or tag == 0 or before[i] in (tag - 1, tag) for i, tag in enumerate(tags))


def every_sequence(p: NDArray[np.float64]) -> dict[tuple[int, ...], float]:
    """The weight of every valid sequence of tags."""
    sequences = filter(valid, itertools.product(range(p.shape[1]), repeat=len(p)))
    return {tags: float(np.prod([row[tag] for row, tag in zip(p, tags, strict=True)])) for tags in sequences}


def random_outputs(seed: int, *lengths: int) -> NDArray[np.object_]:
    rng = np.random.default_rng(seed)
    return ragged(rng.dirichlet(np.full(5, 0.4), size=length) for length in lengths)


def test_classes_and_numbers() -> None:
    assert TASK.classes == ("O", "B-LOC", "I-LOC", "B-PER", "I-PER")
    assert (TASK.kind, TASK.n_outputs) == ("tagging", 5)
    numbers = TASK.encode([SENTENCE, write_tags([]), write_tags(["O"])])
    assert numbers.dtype == object
    assert [each.tolist() for each in numbers] == [[3, 4, 0, 1], [], [0]]


def test_types_come_from_the_tags_seen_and_survive_json() -> None:
    task = task_from_labels("tagging", [SENTENCE, write_tags(["B-LOC", "I-LOC"])])
    assert task == TASK
    assert task_from_dict(task.to_dict()) == TASK


def test_an_unseen_type_is_named() -> None:
    with pytest.raises(DataError, match=r"1 type\(s\) of entity were never seen in training: 'ORG'.*'LOC', 'PER'"):
        TASK.encode([write_tags(["B-ORG", "I-ORG"])])


@pytest.mark.parametrize("seed", range(30))
def test_entities_are_those_of_the_best_valid_sequence_with_their_share_of_all(seed: int) -> None:
    outputs = random_outputs(seed, *np.random.default_rng(seed).integers(0, 6, 4))
    for p, tags, entities in zip(outputs, best_tags(outputs), TASK.decode(outputs), strict=True):
        weights = every_sequence(p) if len(p) else {(): 1.0}
        assert tuple(tags) == max(weights, key=lambda each: weights[each])
        share: dict[tuple[int, int, str], float] = {}
        for sequence, weight in weights.items():
            for entity in entities_of([TASK.classes[tag] for tag in sequence]):
                share[entity[:3]] = share.get(entity[:3], 0.0) + weight
        for entity in entities:
            assert entity.probability == pytest.approx(share[entity[:3]] / sum(weights.values()), rel=1e-9)
        assert [e[:3] for e in entities] == [e[:3] for e in entities_of([TASK.classes[tag] for tag in tags])]


def test_certain_and_impossible_words_do_not_break_it() -> None:
    p = np.zeros((3, 5))
    p[:, 2] = 1.0  # an inside tag everywhere, which cannot begin
    (entities,) = TASK.decode(ragged([p]))
    assert [entity[:3] for entity in entities] in ([(0, 3, "LOC")], [(1, 3, "LOC")])
    assert all(0 <= entity.probability <= 1 for entity in entities)


def test_a_document_is_decoded_the_same_among_others_and_at_any_length() -> None:
    outputs = random_outputs(1, 900, 3, 0, 5000, 41)
    together = TASK.decode(outputs)
    alone = [TASK.decode(outputs[i : i + 1])[0] for i in range(len(outputs))]
    for one, other in zip(together, alone, strict=True):
        assert [entity[:3] for entity in one] == [entity[:3] for entity in other]
        assert [entity.probability for entity in one] == pytest.approx([e.probability for e in other], rel=1e-9)
    assert all(0 < entity.probability <= 1 for entities in together for entity in entities)


def test_entities_and_tags_are_each_others_inverse() -> None:
    tags = read_tags(SENTENCE)
    assert entities_of(tags) == [Entity(0, 2, "PER"), Entity(3, 4, "LOC")]
    assert tags_of(entities_of(tags), 4) == tags
    assert tags_of([], 2) == ["O", "O"]


def test_a_tag_that_continues_nothing_begins_an_entity() -> None:
    assert entities_of(["I-PER", "I-LOC", "O", "I-LOC"]) == [
        Entity(0, 1, "PER"),
        Entity(1, 2, "LOC"),
        Entity(3, 4, "LOC"),
    ]
