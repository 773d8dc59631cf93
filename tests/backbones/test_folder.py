"""Damaged, foreign and unsafe folders."""

import json
from pathlib import Path

import pytest
import torch
from torch import nn

from headstart import backbones
from headstart.backbones import load
from headstart.backbones._folder import unfilled
from headstart.errors import BackboneError
from tests.backbones.layouts import write_folder

CONFIG = {"architecture": "test_resnet"}


def test_a_folder_without_a_known_layout_says_what_it_holds_and_what_is_accepted(tmp_path: Path) -> None:
    with pytest.raises(BackboneError, match="no such folder"):
        load(f"dir:{tmp_path / 'absent'}")
    with pytest.raises(BackboneError, match="found nothing"):
        load(f"dir:{tmp_path}")
    (tmp_path / "notes.txt").write_text("x")
    with pytest.raises(BackboneError, match=r'found notes\.txt\. Expected a config\.json with "architecture" \(timm\)'):
        load(f"dir:{tmp_path}")


@pytest.mark.parametrize(
    ("content", "message"), [("{broken", "not valid JSON"), ("[1]", "expected a JSON object, found a list")]
)
def test_a_broken_configuration_is_named(content: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(content)
    with pytest.raises(BackboneError, match=rf"config\.json: {message}"):
        load(f"dir:{tmp_path}")


def test_weights_that_are_cut_short_are_named(tmp_path: Path) -> None:
    write_folder(tmp_path, CONFIG, {"fc.weight": torch.zeros(100, 100)})
    path = tmp_path / "model.safetensors"
    path.write_bytes(path.read_bytes()[:5000])
    with pytest.raises(BackboneError, match=r"model\.safetensors: not a complete safetensors file.*download it again"):
        load(f"dir:{tmp_path}")
    path.write_bytes(b"")
    with pytest.raises(BackboneError, match="not a complete safetensors file"):
        load(f"dir:{tmp_path}")


def test_a_missing_shard_is_named(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps(CONFIG))
    index = {"weight_map": {"fc.weight": "model-1-of-1.safetensors"}}
    (tmp_path / "model.safetensors.index.json").write_text(json.dumps(index))
    with pytest.raises(BackboneError, match=r"model-1-of-1\.safetensors"):
        load(f"dir:{tmp_path}")


def test_pickles_are_never_opened(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps(CONFIG))
    with pytest.raises(BackboneError, match=r"there is no model\.safetensors"):
        load(f"dir:{tmp_path}")
    (tmp_path / "pytorch_model.bin").write_bytes(b"cos\nsystem\n(S'exit 1'\ntR.")
    with pytest.raises(BackboneError, match=r"found pytorch_model\.bin, which is a pickle.*convert it once"):
        load(f"dir:{tmp_path}")


def test_networks_are_created_without_random_numbers_and_layers_made_later_are_whole() -> None:
    torch.manual_seed(0)
    before = torch.get_rng_state()
    with unfilled():
        layer = nn.Linear(4, 4)
        nn.init.trunc_normal_(tensor=layer.weight)
    assert torch.equal(torch.get_rng_state(), before)
    assert nn.Linear(4, 4).weight.std() > 0
    assert not torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize("name", ["../other/model.safetensors", "/model.safetensors", "a\\b.safetensors", "..", "", 3])
def test_an_index_that_names_files_elsewhere_is_refused(name: object, tmp_path: Path) -> None:
    folder = tmp_path / "net"
    write_folder(tmp_path / "other", CONFIG, {"fc.weight": torch.zeros(1)})
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps(CONFIG))
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": {"fc.weight": name}}))
    with pytest.raises(BackboneError, match=r"index\.json: expected the names of weight files in the same folder"):
        load(f"dir:{folder}")
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": ["x"]}))
    with pytest.raises(BackboneError, match=r"in the same folder, found \['x'\]"):
        load(f"dir:{folder}")


@pytest.mark.parametrize(
    ("name", "content", "licence"),
    [
        ("backbone.json", {"licence": "mit"}, "mit"),
        ("config.json", {"license": "apache-2.0"}, "apache-2.0"),
        ("config.json", {"pretrained_cfg": {"license": "bsd-3-clause"}}, "bsd-3-clause"),
        ("config.json", {"pretrained_cfg": None, "license": 7}, None),
    ],
)
def test_the_licence_is_what_the_folder_states(tmp_path, name, content, licence):
    (tmp_path / name).write_text(json.dumps(content))
    assert backbones.licence_of(f"dir:{tmp_path}") == licence


def test_the_licence_is_what_the_catalogue_states_also_of_a_part():
    assert backbones.licence_of("timm:vgg16.tv_in1k#features.3") == "bsd-3-clause"
    assert backbones.licence_of("timm:unheard_of.tag") is None
