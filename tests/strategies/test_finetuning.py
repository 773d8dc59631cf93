"""How networks are fine-tuned where nothing else is asked."""

import pytest

from headstart.strategies import FineTune, finetuning, parse
from headstart.strategies._finetuning import LOWEST_RATE, MOST, PICTURES, SOUNDS, SPEECH
from tests.spoken import spoken
from tests.strategies.small import pictures, tones, toy
from tests.tagged import tagged


@pytest.mark.parametrize("kind", [spoken, tones, tagged, pictures], ids=["speech", "sounds", "words", "pictures"])
def test_steps_grow_with_the_examples_and_the_strategy_can_be_written_down(kind):
    backbone = toy(kind(4))
    few, many = (finetuning(backbone, kind(n)) for n in (4, 200))
    assert few.steps < many.steps < MOST
    assert few.last == many.last
    assert many.last == "all" if kind is pictures else 1 <= many.last < len(backbone.cuts)
    assert parse(str(many)) == many


def test_the_rate_falls_with_the_width_of_the_network_to_a_least_one():
    backbone = toy(tones(3))
    assert backbone.num_features < SOUNDS.width
    assert SOUNDS.strategy(backbone, 100, batch=8).rate == SOUNDS.rate

    class Wide:
        num_features, cuts = 4 * SOUNDS.width, backbone.cuts

    assert SOUNDS.strategy(Wide(), 100, batch=8).rate == pytest.approx(SOUNDS.rate / 4)
    Wide.num_features = 1000 * SPEECH.width
    assert SPEECH.strategy(Wide(), 100, batch=8).rate == LOWEST_RATE


def test_words_are_counted_in_sentences_however_long_the_documents_are():
    backbone = toy(tagged(3))
    steps = {n: finetuning(backbone, tagged(n)).steps for n in (100, 400)}
    assert steps[400] == pytest.approx(2 * steps[100], rel=0.15)


def test_only_narrow_networks_for_pictures_are_moved_more_than_the_strategy_does_by_itself():
    backbone = toy(pictures(3))
    assert finetuning(backbone, pictures(9)).views == PICTURES.views > FineTune.views

    class Wide:
        modality, num_features, cuts = "image", PICTURES.width + 1, backbone.cuts

    assert finetuning(Wide(), pictures(9)) == FineTune()
