"""The torchvision layout: SqueezeNet, VGG and ResNet from a folder."""

from pathlib import Path

import pytest
import torch
import torchvision
from torch import nn
from torchvision.transforms import CenterCrop, Compose, InterpolationMode, Normalize, Resize, ToTensor

from headstart.backbones import load
from headstart.errors import BackboneError
from tests.backbones.layouts import check_chain, pictures, randomise, write_folder

MEAN, STD = [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]
CONFIG = {"input_size": [3, 64, 48], "mean": MEAN, "std": STD, "interpolation": "bicubic", "crop_pct": 0.8}


def tiny_vgg(name: str, weights: None = None) -> nn.Module:
    """A VGG of torchvision's own class; its published sizes have 400 MB of dense weights."""
    network = torchvision.models.VGG(torchvision.models.vgg.make_layers([4, "M", 8, 8, "M"], batch_norm=True))
    network.classifier = nn.Sequential(
        *(nn.Linear(8 * 49, 12), nn.ReLU(inplace=True), nn.Dropout(0.5)),
        *(nn.Linear(12, 10), nn.ReLU(inplace=True), nn.Dropout(0.5)),
        nn.Linear(10, 5),
    )
    return network


def reference(network: nn.Module, values: torch.Tensor) -> torch.Tensor:
    """The input of the network's last layer, or SqueezeNet's features averaged over the picture."""
    seen = []
    if isinstance(network, torchvision.models.SqueezeNet):
        return network.features(values).mean((2, 3))
    last = network.classifier[-1] if isinstance(network, torchvision.models.VGG) else network.fc
    last.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    network(values)
    return seen[0]


@pytest.mark.parametrize(
    ("name", "cuts"),
    [
        ("squeezenet1_0", ["features.2", "features.3", "features.4", "features.6", "features.7", "features.8"]),
        ("squeezenet1_1", ["features.2", "features.3", "features.5", "features.6", "features.8", "features.9"]),
        ("vgg11", ["features.3", "features.6", "features.10", "classifier.2", "classifier.5"]),
        ("resnet18", ["stem", "layer1.0", "layer1.1", "layer2.0", "layer2.1", "layer3.0", "layer3.1", "layer4.0"]),
    ],
)
def test_every_cut_gives_the_features_of_torchvision_itself(
    name: str, cuts: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if name == "vgg11":
        monkeypatch.setattr(torchvision.models, "get_model", tiny_vgg)
    network = randomise(torchvision.models.get_model(name, weights=None))
    folder = write_folder(tmp_path / "net", {**CONFIG, "architecture": f"torchvision:{name}"}, network.state_dict())
    backbone = load(f"dir:{folder}")
    with torch.no_grad():
        expected = reference(network, backbone.prepare(pictures()).values.contiguous())
    check_chain(backbone, pictures(), expected)
    assert list(backbone.cuts[: len(cuts)]) == cuts


def test_preprocessing_is_that_of_torchvision(tmp_path: Path) -> None:
    network = torchvision.models.squeezenet1_1(weights=None)
    folder = write_folder(tmp_path, {**CONFIG, "architecture": "torchvision:squeezenet1_1"}, network.state_dict())
    transform = Compose([Resize(60, InterpolationMode.BICUBIC), CenterCrop((64, 48)), ToTensor(), Normalize(MEAN, STD)])
    expected = torch.stack([transform(picture) for picture in pictures(4)])
    values = load(f"dir:{folder}").prepare(pictures(4)).values
    torch.testing.assert_close(values, expected, atol=1e-5, rtol=0)


def test_half_precision_on_disk_is_computed_in_single_and_said(tmp_path: Path) -> None:
    network = torchvision.models.squeezenet1_1(weights=None)
    half = {name: tensor.half() for name, tensor in network.state_dict().items()}
    backbone = load(f"dir:{write_folder(tmp_path, {**CONFIG, 'architecture': 'torchvision:squeezenet1_1'}, half)}")
    assert {parameter.dtype for parameter in backbone.network.parameters()} == {torch.float32}
    assert backbone.notes == ("weights stored as float16 were converted to float32",)


def test_what_the_layout_cannot_hold_is_refused(tmp_path: Path) -> None:
    state = torchvision.models.squeezenet1_1(weights=None).state_dict()
    write_folder(tmp_path, {**CONFIG, "architecture": "torchvision:squeeznet1_1"}, state)
    with pytest.raises(BackboneError, match=r"'squeeznet1_1' is not supported.*torchvision:squeezenet1_1"):
        load(f"dir:{tmp_path}")
    write_folder(tmp_path, {**CONFIG, "architecture": "torchvision:densenet121"}, state)
    with pytest.raises(BackboneError, match=r"'densenet121' is not supported.*SqueezeNet, VGG and ResNet"):
        load(f"dir:{tmp_path}")
    write_folder(tmp_path, {"architecture": "torchvision:squeezenet1_1", "std": STD}, state)
    with pytest.raises(BackboneError, match=r"config\.json lacks input_size, mean"):
        load(f"dir:{tmp_path}")
    write_folder(tmp_path, {**CONFIG, "architecture": "torchvision:squeezenet1_0"}, state)
    with pytest.raises(BackboneError, match=r"features\.0\.weight has shape \(64, 3, 3, 3\) where \(96, 3, 7, 7\)"):
        load(f"dir:{tmp_path}")
