"""What a network takes for one item: chosen items, time and memory."""

import numpy as np
import pytest

from headstart import backbones
from headstart.data import Sound
from headstart.features import _running as running_module
from headstart.features import running_cost
from tests.conftest import make_image


def sound(seconds: float) -> Sound:
    return Sound(np.zeros(int(16_000 * seconds), np.float32), 16_000)


ITEMS = {
    "toy:image": [make_image((90, 90, 90), seed=i) for i in range(3)],
    "toy:text": ["a " * 400, "one two three", "b"] * 5,
    "toy:audio": [sound(9), sound(0.5), sound(0.1)] * 5,
}


@pytest.mark.parametrize("name", ITEMS)
def test_ragged_items_of_middling_length_are_run(name, monkeypatch):
    backbone, run = backbones.load(name), []
    measure = running_module._milliseconds

    def spy(network, item):
        run.append(item)
        return measure(network, item)

    monkeypatch.setattr(running_module, "_milliseconds", spy)
    found = running_cost(backbone, ITEMS[name])
    assert found.milliseconds > 0
    assert found.memory_megabytes > found.weights_megabytes > 0
    assert len(run) == 5
    if name != "toy:image":
        assert all(item is ITEMS[name][1] for item in run)
