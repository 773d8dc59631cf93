"""Rows of frames through the part of a network that trains."""

import numpy as np
import pytest
import torch

from headstart.backbones import frame_backbone, load
from headstart.data import Dataset, Sound
from headstart.features import FeatureSource
from headstart.features import _frozen as frozen_module
from headstart.strategies import Run
from headstart.strategies._thawed import Reading, Thawed, boundary

SIZES = (4000, 90_000, 641, 30_000, 16_000, 400)


@pytest.mark.parametrize("cut", ["layer1", None])
def test_training_from_the_cut_sees_the_frames_of_the_whole_network(
    cut: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    rng = np.random.default_rng(0)
    items = tuple(Sound((0.1 * rng.standard_normal(size)).astype(np.float32), 16_000) for size in SIZES)
    data = Dataset("audio", items, tuple(map(str, range(len(items)))))
    backbone, run = frame_backbone(load("toy:audio"), 25), Run(FeatureSource())
    views = boundary(run, backbone, data, cut=cut, reading=Reading())
    thawed = Thawed(backbone.copy(after=cut), cut, views, run.features.rows_each(backbone, data))
    with torch.no_grad():
        expected = [backbone.forward(backbone.prepare([item])).numpy() for item in items]
        together = thawed.features(np.array([3, 0, 5, 1])).numpy()
    np.testing.assert_allclose(together, np.concatenate([expected[i] for i in (3, 0, 5, 1)]), atol=1e-5)
    monkeypatch.setitem(frozen_module.TOKENS_PER_BATCH, "cpu", 128)
    seen: list[int] = []
    hook = (
        thawed.backbone.blocks[-1]
        .modules[0]
        .register_forward_hook(lambda _module, inputs, _output: seen.append(inputs[0].shape[0] * inputs[0].shape[1]))
    )
    for one, other in zip(thawed.all_features(), expected, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-5)
    hook.remove()
    assert max(seen) <= 128, "long recordings run a few windows at a time"
