"""Adapted image networks in timm's layout: timm's own loader and preprocessing give the same scores."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from headstart import backbones
from headstart.backbones import Backbone, load, picture_backbone, read_timm_folder, write_timm_folder
from headstart.data import PixelScale, read_pixels
from headstart.errors import BackboneError
from tests.backbones.layouts import pictures
from tests.backbones.test_timm import FAMILIES, tiny

NAMES = [name for name in FAMILIES if name != "vit-distilled"]


def head_on(backbone: Backbone) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    return torch.randn(3, backbone.num_features, generator=generator), torch.randn(3, generator=generator)


def write(backbone: Backbone, folder: Path) -> Path:
    folder.mkdir()
    weights, bias = head_on(backbone)
    write_timm_folder(backbone, weights, bias, labels=["a", "b", "c"], licence="mit", folder=folder)
    return folder


def check(backbone: Backbone, folder: Path, items: list, seen: list) -> None:
    weights, bias = head_on(backbone)
    ours = backbone.forward(backbone.prepare(items)) @ weights.T + bias
    scale = float(ours.abs().max())
    torch.testing.assert_close(read_timm_folder(write(backbone, folder))(seen), ours, atol=1e-5 * scale, rtol=1e-5)


@pytest.mark.parametrize("family", NAMES)
def test_timm_gives_the_scores_of_the_head(family: str, tmp_path: Path) -> None:
    tiny(tmp_path / "base", *FAMILIES[family][:2])
    check(load(f"dir:{tmp_path / 'base'}"), tmp_path / "out", pictures(4), pictures(4))


def test_the_configuration_says_labels_licence_and_preprocessing(tmp_path: Path) -> None:
    tiny(tmp_path / "base", *FAMILIES["resnet"][:2])
    config = json.loads((write(load(f"dir:{tmp_path / 'base'}"), tmp_path / "out") / "config.json").read_text())
    assert config["label_names"] == ["a", "b", "c"]
    assert config["pretrained_cfg"]["license"] == "mit"
    assert config["pretrained_cfg"]["crop_pct"] == 0.9


def test_a_network_of_other_channels_has_them_in_timm_too(tmp_path: Path) -> None:
    tiny(tmp_path / "base", *FAMILIES["resnet"][:2])
    scale = PixelScale({"float": (0.0, 1.0)}, 5)
    backbone = picture_backbone(load(f"dir:{tmp_path / 'base'}"), scale)
    items = [np.random.default_rng(i).random((40, 61, 5), dtype=np.float32) for i in range(2)]
    check(backbone, tmp_path / "out", items, [read_pixels(item, scale) for item in items])


def test_what_timm_cannot_build_is_refused_with_what_can(tmp_path: Path) -> None:
    tiny(tmp_path / "base", *FAMILIES["resnet"][:2])
    whole = load(f"dir:{tmp_path / 'base'}")
    tiny(tmp_path / "two", *FAMILIES["vit-distilled"][:2])
    for backbone, said in (
        (load("toy:image"), "comes from toy, not timm"),
        (whole.truncated(whole.cuts[1]), "cut off after"),
        (load(f"dir:{tmp_path / 'two'}"), "is no one linear layer"),
    ):
        with pytest.raises(BackboneError, match=rf"{said}.*--format onnx"):
            write(backbone, tmp_path / said[:5])


def test_a_head_of_other_features_than_timms_is_refused(tmp_path: Path) -> None:
    tiny(tmp_path / "base", *FAMILIES["resnet"][:2])
    backbone = load(f"dir:{tmp_path / 'base'}")
    with pytest.raises(BackboneError, match="takes other weights than its features give, such as fc.weight"):
        write_timm_folder(backbone, torch.zeros(2, 3), torch.zeros(2), labels=["a", "b"], licence=None, folder=tmp_path)


def test_a_starter_is_a_network_that_timm_has(tmp_path: Path) -> None:
    check(backbones.load("starter:image-small"), tmp_path / "out", pictures(4), pictures(4))
