"""Merged low-rank changes become adapters again, which peft loads to the same weights."""

import json
from pathlib import Path

import pytest
import torch

from headstart.backbones import Backbone, load, read_adapters, rebuild, with_lora, write_adapters
from headstart.errors import BackboneError
from tests.backbones import test_timm, test_transformers
from tests.backbones.layouts import TEXTS, pictures


def made(family: str, folder: Path) -> Backbone:
    if family in test_timm.FAMILIES:
        test_timm.tiny(folder, *test_timm.FAMILIES[family][:2])
    else:
        test_transformers.tiny(folder, family)
    return load(f"dir:{folder}")


def trained(backbone: Backbone, *, rank: int) -> Backbone:
    adapted = with_lora(backbone, after=None, rank=rank, alpha=2 * rank, seed=0)
    generator = torch.Generator().manual_seed(1)
    for parameter in adapted.parameters.values():
        parameter.data += 0.1 * torch.randn(parameter.shape, generator=generator)
    return adapted.merge()


@pytest.mark.parametrize("family", ["bert", "distilbert", "deberta-v3", "gpt2", "resnet", "vit-token"])
def test_peft_gives_back_the_trained_network(family: str, tmp_path: Path) -> None:
    backbone = made(family, tmp_path / "base")
    after = trained(backbone, rank=2)
    written = write_adapters(backbone, after, base="org/base", folder=tmp_path)
    assert written.rank == 2
    assert written.left_out < 1e-6
    state = read_adapters(backbone, tmp_path)
    again = rebuild(after.source, after.assets, state)
    items = pictures(2) if backbone.modality == "image" else TEXTS
    features = after.forward(after.prepare(items))
    assert (features - backbone.forward(backbone.prepare(items))).abs().max() > 1e-3, "nothing was trained"
    torch.testing.assert_close(again.forward(again.prepare(items)), features, atol=1e-5, rtol=1e-5)
    config = json.loads((tmp_path / "adapter_config.json").read_text())
    assert (config["base_model_name_or_path"], config["peft_type"]) == ("org/base", "LORA")


def test_the_pretrained_network_stays_as_it_is(tmp_path: Path) -> None:
    backbone = made("bert", tmp_path / "base")
    before = {name: tensor.clone() for name, tensor in backbone.network.state_dict().items()}
    write_adapters(backbone, trained(backbone, rank=1), base="x", folder=tmp_path)
    read_adapters(backbone, tmp_path)
    assert all(torch.equal(tensor, before[name]) for name, tensor in backbone.network.state_dict().items())


def changed(backbone: Backbone, name: str) -> Backbone:
    own = backbone.copy(after=None)
    with torch.no_grad():
        own.network.state_dict()[name].add_(0.1)
    return own


def test_what_is_no_low_rank_change_of_layers_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    backbone = made("bert", tmp_path / "base")
    for after, said in (
        (backbone, "there is nothing to adapt"),
        (changed(backbone, "encoder.layer.0.output.dense.bias"), "changed encoder.layer.0.output.dense.bias"),
        (changed(backbone, "encoder.layer.0.output.LayerNorm.weight"), "which low-rank adapters do not hold"),
        (backbone.truncated(backbone.cuts[1]), "no longer built as"),
    ):
        with pytest.raises(BackboneError, match=said):
            write_adapters(backbone, after, base="x", folder=tmp_path)
    monkeypatch.setattr("headstart.backbones._adapters.HIGHEST", 1)
    with pytest.raises(BackboneError, match=r"by more than low ranks \(2 and more\)"):
        write_adapters(backbone, trained(backbone, rank=2), base="x", folder=tmp_path)
