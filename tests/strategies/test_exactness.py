"""Training the thawed part from stored activations equals training with the frozen part live, step by step."""

import numpy as np
import pytest

from headstart.strategies import FineTune
from tests.backbones.families import make
from tests.strategies.small import data_for, three_ways

TOLERANCE = 1e-4


@pytest.mark.parametrize(
    ("family", "last"),
    [("resnet", 3), ("mobilenetv2", 8), ("vit-token", 1), ("vit-token", "all"), ("bert", 1), ("gpt2", 1)],
)
def test_stored_live_and_plain_training_take_the_same_steps_to_the_same_predictions(family, last, tmp_path):
    backbone = make(family, tmp_path)
    before = backbone.network.state_dict()
    strategy = FineTune(last=last, steps=50, batch=8, rate=1e-3)
    stored, live, plain = three_ways(strategy, backbone, data_for(backbone, 30), data_for(backbone, 12, seed=5))
    assert min(stored.moved, live.moved, plain.moved) > 0.01
    assert len(stored.losses) == len(plain.losses) == 50
    for other in (live, plain):
        losses, outputs = stored.differences(other)
        print(family, last, losses, outputs, stored.moved)
        assert losses < TOLERANCE
        assert outputs < TOLERANCE
    assert all(np.array_equal(before[name], value) for name, value in backbone.network.state_dict().items())
