"""The user's own network as a backbone."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from benchmarks import resnet20
from PIL import Image
from torch import Tensor, nn

from headstart.backbones import Backbone, read_tensors, rebuild
from headstart.data import Sound
from headstart.errors import BackboneError
from tests.backbones.layouts import pictures


def small(image: Image.Image) -> Tensor:
    pixels = np.asarray(image.resize((8, 8)), dtype=np.float32)
    return torch.from_numpy(pixels).permute(2, 0, 1) / 255


def blocks() -> list[tuple[str, nn.Module]]:
    torch.manual_seed(0)
    return [
        ("stem", nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4))),
        ("act", nn.ReLU(inplace=True)),
        ("body.1", nn.Conv2d(4, 6, 3)),
    ]


def test_own_blocks_have_a_cut_after_each_and_the_same_output() -> None:
    parts = blocks()
    backbone = Backbone.from_module(parts, small, name="mine")
    items = pictures()
    with torch.no_grad():
        for _, module in parts:
            module.eval()
        expected = nn.Sequential(*(module for _, module in parts))(torch.stack([small(i) for i in items])).mean((2, 3))
    batch = backbone.prepare(items)
    torch.testing.assert_close(backbone.forward(batch), expected)
    assert (backbone.cuts, backbone.num_features) == (("stem", "act", "body.1"), 6)
    for cut in backbone.cuts:
        stored = backbone.forward_to(batch, cut)
        kept = stored.values.clone()
        torch.testing.assert_close(backbone.forward_from(stored, cut), expected)
        assert torch.equal(stored.values, kept)
    assert backbone.preparer.cost(backbone.preparer.read(items)[0]) == 3 * 8 * 8


def test_the_users_modules_stay_as_they_are() -> None:
    parts = blocks()
    backbone = Backbone.from_module(parts, small)
    before = backbone.weights_hash
    assert parts[0][1].training
    assert all(parameter.requires_grad for parameter in parts[0][1].parameters())
    assert parts[1][1].inplace
    with torch.no_grad():
        parts[2][1].weight.zero_()
    assert Backbone.from_module(parts, small).weights_hash != before
    assert torch.equal(backbone.forward(backbone.prepare(pictures())), backbone.forward(backbone.prepare(pictures())))


def test_preprocessing_is_known_by_what_it_does() -> None:
    def brighter(image: Image.Image) -> Tensor:
        return small(image) * 1.1

    def same_in_other_words(image: Image.Image) -> Tensor:
        return small(image)

    hashes = [Backbone.from_module(blocks(), f).preprocessing_hash for f in (small, brighter, same_in_other_words)]
    assert hashes[0] == hashes[2]
    assert hashes[0] != hashes[1]


def test_text_networks_work_too() -> None:
    def count(text: str) -> Tensor:
        return torch.tensor([float(len(text)), float(text.count(" "))])

    backbone = Backbone.from_module([("linear", nn.Linear(2, 3))], count, modality="text")
    assert backbone.forward(backbone.prepare(["one", "two words"])).shape == (2, 3)


def test_its_code_is_not_saved_so_it_cannot_be_rebuilt() -> None:
    backbone = Backbone.from_module(blocks(), small, name="mine")
    with pytest.raises(BackboneError, match=r"mine: .*your own modules.*load\(folder, backbone=\.\.\.\)"):
        rebuild(backbone.source, backbone.assets, backbone.network.state_dict(), name="mine")


def sized(image: Image.Image) -> Tensor:
    return torch.zeros(3, image.height, image.width)


def as_array(image: Image.Image) -> np.ndarray:
    return np.asarray(image)


def noisy(image: Image.Image) -> Tensor:
    return small(image) + torch.rand(3, 8, 8)


@pytest.mark.parametrize(
    ("parts", "preprocessing", "message"),
    [
        ([], small, "at least one block, found none"),
        ([("a", nn.Identity()), ("a", nn.Identity())], small, "two blocks are called 'a'"),
        ([("flat", nn.Flatten(2))], small, r"block flat: expected .* found shape \(1, 3, 64\)"),
        ([("id", nn.Identity())], as_array, r"expected preprocessing to return a torch\.Tensor, found ndarray"),
        ([("id", nn.Identity())], noisy, "two different results for one item"),
    ],
)
def test_what_cannot_work_is_refused_at_once(
    parts: list[tuple[str, nn.Module]], preprocessing: Callable[[Image.Image], Tensor], message: str
) -> None:
    with pytest.raises(BackboneError, match=message):
        Backbone.from_module(parts, preprocessing)


def test_results_of_several_shapes_are_refused_with_both() -> None:
    backbone = Backbone.from_module([("id", nn.Identity())], sized)
    with pytest.raises(BackboneError, match=r"one shape, found \(3, 40, 61\) and \(3, 90, 33\)"):
        backbone.prepare(pictures(2))


@pytest.mark.shared
def test_a_network_that_no_library_has_loads_as_ones_own(shared: Path) -> None:
    backbone = resnet20.load(shared / "weights/resnet20.cifar10")
    stages = [f"layer{stage}.{i}" for stage in (1, 2, 3) for i in range(3)]
    assert (backbone.cuts, backbone.num_features) == (("conv1", *stages), 64)
    batch = backbone.prepare(pictures())
    assert backbone.forward(batch).shape == (3, 64)
    shapes = [tuple(backbone.forward_to(batch, cut).values.shape[1:]) for cut in ("conv1", "layer2.0", "layer3.2")]
    assert shapes == [(16, 32, 32), (32, 16, 16), (64, 8, 8)]
    assert backbone.truncated("layer2.1").num_features == 32
    # A wrong activation or shortcut would show: the network's own classifier is nearly sure of most of what it sees.
    weights = read_tensors(shared / "weights/resnet20.cifar10/model.safetensors")
    photos = sorted((shared / "data/images/hymenoptera/val/bees").iterdir())[:16]
    features = backbone.forward(backbone.prepare(photos))
    sure = (features @ weights["linear.weight"].T + weights["linear.bias"]).softmax(1).amax(1)
    assert sure.mean() > 0.7


def test_recordings_reach_the_users_function_as_samples_at_16_khz() -> None:
    lengths: list[int] = []

    def bands(samples: np.ndarray) -> Tensor:
        lengths.append(len(samples))
        return torch.from_numpy(np.abs(np.fft.rfft(samples, 14))).float()

    parts = [("a", nn.Linear(8, 5)), ("b", nn.Linear(5, 3))]
    backbone = Backbone.from_module(parts, bands, modality="audio", name="mine")
    assert (backbone.num_features, backbone.modality) == (3, "audio")
    del lengths[:]
    tone = np.sin(np.arange(8000) / 5).astype(np.float32)
    rows = backbone.forward(backbone.prepare([Sound(tone, 16_000), Sound(tone, 8_000)]))
    assert lengths == [8000, 16_000]
    assert rows.shape == (2, 3)
    assert backbone.truncated("a").num_features == 5
