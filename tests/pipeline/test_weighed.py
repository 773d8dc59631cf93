import numpy as np
import pytest

from headstart.backbones import load
from headstart.linear import LinearModel
from headstart.model import AdaptedModel
from headstart.pipeline._weighed import LEAST, PASSES, weighed
from headstart.tasks import Classification

TASK = Classification(("bad", "good"))


class Counting:
    """Stands in for a model: the class good is as probable as the share of a text's words that are 'fine'."""

    def __init__(self) -> None:
        self.passes = 0

    def outputs(self, texts: list[str]) -> np.ndarray:
        self.passes += len(texts)
        p = np.array([sum(word == "fine" for word in text.split()) / max(1, len(text.split())) for text in texts])
        return np.stack([1 - p, p], axis=1)


def test_the_words_that_an_answer_hangs_on_are_marked() -> None:
    model = Counting()
    first, second = weighed(model, ["a fine day", "not it at all"], [1, 0])  # type: ignore[arg-type]
    assert [(start, end) for start, end, _ in first] == [(2, 6)]
    assert first[0][2] == pytest.approx(1 / 3)
    assert [(start, end) for start, end, _ in second] == []
    assert model.passes == 2 + 3 + 4


def test_long_texts_cost_as_many_passes_as_others_and_short_ones_have_no_parts() -> None:
    model = Counting()
    found = weighed(model, ["word " * 500 + "fine", "fine", ""], [1, 1, 1])  # type: ignore[arg-type]
    assert model.passes == 3 + PASSES
    assert found[1:] == [[], []]


def test_weights_are_differences_of_a_networks_own_answers() -> None:
    backbone = load("toy:text")
    rng = np.random.default_rng(0)
    head = LinearModel(rng.normal(size=(2, 16)).astype("f4") * 9, np.zeros(2, "f4"))
    model, text = AdaptedModel(backbone, head, TASK), "one two three four"
    both = weighed(model, [text, text], [0, 1])
    assert any(both)
    for told, marks in enumerate(both):
        for start, end, weight in marks:
            less = model.outputs([text])[0, told] - model.outputs([text[:start] + text[end:]])[0, told]
            assert weight == pytest.approx(less, abs=1e-6)
            assert weight >= LEAST
