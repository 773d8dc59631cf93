"""The classifier of the pretraining: the library's own probabilities from our features, or None if it is not linear."""

from pathlib import Path

import numpy as np
import pytest
import timm
import torch
import torchvision

from headstart.backbones import augmented, from_scratch, load, rebuild, write_folder
from headstart.backbones._source_head import source_head
from tests.backbones import test_timm, test_torchvision
from tests.backbones.families import TEXT, make
from tests.backbones.layouts import pictures, randomise
from tests.backbones.layouts import write_folder as write_layout


def features(backbone, images):
    with torch.no_grad():
        batch = backbone.prepare(images)
        return batch, backbone.forward(batch)


@pytest.mark.parametrize("family", test_timm.FAMILIES)
def test_it_gives_the_probabilities_of_timm_itself(family: str, tmp_path: Path) -> None:
    folder, network = test_timm.tiny(tmp_path / "net", *test_timm.FAMILIES[family][:2])
    backbone = load(f"dir:{folder}")
    head = backbone.source_head
    if head is None:
        assert not backbone.cuts or isinstance(network.pretrained_cfg["classifier"], tuple), family
        return
    batch, found = features(backbone, pictures())
    with torch.no_grad():
        expected = network(batch.values.contiguous()).softmax(1).numpy()
    assert (head.weight.shape, head.bias.shape) == ((5, backbone.num_features), (5,))
    np.testing.assert_allclose(head.probabilities(found), expected, atol=1e-5)
    np.testing.assert_allclose(head.probabilities(found.numpy()), expected, atol=1e-5)
    assert expected.std() > 1e-4


@pytest.mark.parametrize("name", ["vgg11", "resnet18"])
def test_it_gives_the_probabilities_of_torchvision_itself(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if name == "vgg11":
        monkeypatch.setattr(torchvision.models, "get_model", test_torchvision.tiny_vgg)
    network = randomise(torchvision.models.get_model(name, weights=None))
    config = {**test_torchvision.CONFIG, "architecture": f"torchvision:{name}"}
    backbone = load(f"dir:{write_layout(tmp_path / 'net', config, network.state_dict())}")
    batch, found = features(backbone, pictures())
    with torch.no_grad():
        expected = network(batch.values.contiguous()).softmax(1).numpy()
    assert backbone.source_head is not None
    np.testing.assert_allclose(backbone.source_head.probabilities(found), expected, atol=1e-5)


@pytest.mark.parametrize("family", [*TEXT, "squeezenet", "toy:image", "toy:text", "own"])
def test_there_is_none_where_no_linear_layer_reads_the_features(family: str, tmp_path: Path) -> None:
    assert make(family, tmp_path).source_head is None


def test_it_stays_beside_the_backbone_as_it_was_read_and_is_no_part_of_it(tmp_path: Path) -> None:
    backbone = make("resnet", tmp_path / "net")
    head = backbone.source_head
    assert head is not None
    assert augmented(backbone, 1).source_head is head
    assert backbone.copy(after="stem").source_head is head
    assert not any(name.startswith("fc") for name in backbone.network.state_dict())
    again = rebuild(backbone.source, backbone.assets, backbone.network.state_dict())
    write_folder(backbone, tmp_path / "out")
    written = load(f"dir:{tmp_path / 'out'}")
    assert again.weights_hash == written.weights_hash == backbone.weights_hash
    without = (again, written, backbone.truncated("stem"), from_scratch(backbone, seed=0))
    assert [other.source_head for other in without] == [None] * 4


@pytest.mark.parametrize(
    "weights",
    [
        {},
        {"fc.weight": torch.zeros(5, 4)},
        {"fc.bias": torch.zeros(5)},
        {"fc.weight": torch.zeros(5, 4, 1, 1), "fc.bias": torch.zeros(5)},
        {"fc.weight": torch.zeros(5, 4), "fc.bias": torch.zeros(4)},
    ],
)
def test_what_is_no_linear_layer_is_not_taken_for_one(weights: dict[str, torch.Tensor]) -> None:
    assert source_head(weights, "fc") is None


def test_a_layer_of_another_width_than_the_features_is_left_out(tmp_path: Path) -> None:
    folder, network = test_timm.tiny(tmp_path / "net", *test_timm.FAMILIES["resnet"][:2])
    state = {**network.state_dict(), "fc.weight": torch.zeros(5, 99)}
    config = {"architecture": "resnet18", "model_args": test_timm.FAMILIES["resnet"][1], "pretrained_cfg": {}}
    assert load(f"dir:{write_layout(folder, config, state)}").source_head is None


@pytest.mark.shared
def test_mobilenet_sorts_as_timm_does(shared: Path) -> None:
    folder = shared / "weights/mobilenetv2_100.in1k"
    backbone = load(f"dir:{folder}")
    network = timm.create_model(f"local-dir:{folder}", pretrained=True).eval()
    batch, found = features(backbone, pictures())
    with torch.no_grad():
        expected = network(batch.values.contiguous()).softmax(1).numpy()
    assert backbone.source_head is not None
    assert backbone.source_head.weight.shape == (1000, 1280)
    np.testing.assert_allclose(backbone.source_head.probabilities(found), expected, atol=1e-5)
