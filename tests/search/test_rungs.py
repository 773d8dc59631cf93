"""Which rungs are tried above the probe, for which data."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from headstart.data import Dataset, Document, Plan
from headstart.search._judging import NOTHING_KNOWN
from headstart.search._problem import Problem
from headstart.search._rungs import CONTRASTIVE_WITH_FEW, FINETUNED_WORDS, steps_above
from headstart.strategies import FineTune
from headstart.tasks import ragged, write_tags
from tests.strategies.small import topics

SIX = tuple(f"layer.{i}" for i in range(6))


def problem(per_class: int, *, classes: int = 2, kind: str = "classification", effort: str = "usual") -> Problem:
    y = np.repeat(np.arange(classes), per_class)
    task = SimpleNamespace(kind=kind, n_outputs=classes)
    everything = Plan(np.arange(len(y)), np.arange(0), "test")
    return Problem(
        topics(len(y)), everything, task, (), None, None, y if kind == "classification" else y.astype(float), effort
    )


def network(modality: str = "text", cuts: tuple[str, ...] = SIX, *, width: int = 768) -> SimpleNamespace:
    return SimpleNamespace(modality=modality, cuts=cuts, num_features=width)


def named(problem: Problem, backbone: SimpleNamespace) -> list[str]:
    return [str(step.strategy) for step in steps_above(problem, backbone)]


@pytest.mark.parametrize(
    ("per_class", "classes", "expected"),
    [
        (8, 2, "contrastive(last=5, rate=5e-05, steps=20)"),
        (16, 3, "contrastive(last=5, rate=5e-05, steps=30)"),
        (16, 6, "contrastive(last=5, rate=5e-05)"),
        (17, 2, "contrastive()"),
        (65, 2, "contrastive()"),
    ],
)
def test_texts_move_more_layers_less_where_labels_are_fewest(per_class, classes, expected):
    assert named(problem(per_class, classes=classes), network()) == [expected]


def test_gains_on_other_data_count_up_to_64_labels_per_class():
    (few,), (many,) = (steps_above(problem(n), network()) for n in (64, 65))
    assert few.prior == CONTRASTIVE_WITH_FEW
    assert few.why
    assert (many.prior, many.why) == (NOTHING_KNOWN, "")


def test_a_class_in_the_test_part_alone_does_not_count():
    one = problem(16, classes=3)
    y = np.concatenate([one.y, np.full(5, 3)])
    assert named(replace(one, y=y), network()) == ["contrastive(last=5, rate=5e-05, steps=30)"]


def test_what_is_tried_for_values_images_and_sounds():
    assert named(problem(50, kind="regression"), network()) == ["finetune()"]
    assert named(problem(50), network("image")) == ["probe(views=2)", "finetune()"]
    heard = FineTune(last=3, rate=7.5e-4, steps=100, views=4)
    assert named(problem(50), network("audio")) == ["probe(views=4)", str(heard)]


def documents(n: int, words: int) -> Problem:
    text = Document.of_words(["word"] * words)
    dataset = Dataset("text", (text,) * n, ("x",) * n, (write_tags(["O"] * words),) * n, kind="tagging")
    plan = Plan(np.arange(n), np.arange(0), "test")
    return Problem(dataset, plan, SimpleNamespace(kind="tagging"), (), None, None, ragged([]))


def test_entities_are_fine_tuned_by_the_word_and_gains_on_other_data_count():
    def tuned(n: int, words: int, width: int) -> FineTune:
        (step,) = steps_above(documents(n, words), SimpleNamespace(modality="text", cuts=SIX, num_features=width))
        assert (step.prior, bool(step.why)) == (FINETUNED_WORDS, True)
        assert isinstance(step.strategy, FineTune)
        return step.strategy

    assert tuned(100, 18, 384) == FineTune(last=3, rate=1e-3, steps=60, batch=16)
    assert tuned(100, 180, 768) == FineTune(last=3, rate=5e-4, steps=189, batch=2)
    assert tuned(50_000, 18, 8192) == FineTune(last=3, rate=1e-4, steps=600, batch=16)
    assert tuned(3, 1, 384).steps == 30


def test_more_effort_goes_deeper():
    last = str(FineTune(last="all", rate=1e-4, views=4, unfreezing="gradual"))
    assert named(problem(50, effort="more"), network()) == ["contrastive()", "contrastive(last=5, rate=0.0001)", last]
    image = ["probe(views=2)", "finetune()", str(FineTune(last=3, views=4)), last]
    assert named(problem(50, effort="more"), network("image")) == image
    seen = FineTune(last="all", rate=1e-3, steps=100, views=4, decay=1.0)
    narrow = ["probe(views=2)", str(seen), str(replace(seen, steps=200))]
    assert named(problem(50, effort="more"), network("image", width=368)) == narrow
    heard = FineTune(last=3, rate=7.5e-4, steps=100, views=4)
    deeper = [str(heard), str(replace(heard, last="all", steps=200))]
    assert named(problem(50, effort="more"), network("audio")) == ["probe(views=4)", *deeper]
    assert named(problem(50, kind="regression", effort="more"), network()) == ["finetune()", last]


def test_a_network_without_cuts_stays_with_the_probe():
    assert steps_above(problem(8), network(cuts=())) == []
