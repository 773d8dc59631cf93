"""Copies of what runs after a cut point: the same answers, the frozen part in the same memory, the original safe."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import nn

from headstart.backbones import Backbone
from headstart.errors import BackboneError
from tests.backbones.families import EVERY, items, make, small
from tests.backbones.layouts import pictures


def some_cuts(backbone: Backbone) -> list[str | None]:
    return [None, *dict.fromkeys(backbone.cuts[i] for i in (0, len(backbone.cuts) // 2, -1))]


@pytest.mark.parametrize("family", EVERY)
def test_a_copy_answers_the_same_and_training_it_leaves_the_original_alone(family: str, tmp_path: Path) -> None:
    backbone = make(family, tmp_path)
    batch = backbone.prepare(items(backbone))
    features, before, digest = backbone.forward(batch), state_of(backbone), backbone.weights_hash
    for cut in some_cuts(backbone):
        copy = backbone.copy(after=cut)
        assert torch.equal(copy.forward(batch), features)
        for other in some_cuts(backbone)[1:]:
            stored = backbone.forward_to(batch, other)
            assert torch.equal(copy.forward_to(batch, other).values, stored.values)
            assert torch.equal(copy.forward_from(stored, other), backbone.forward_from(stored, other))
        thawed = backbone.thawed_names(cut)
        assert copy.weights_hash == digest
        change(copy, thawed)
        assert torch.equal(backbone.forward(batch), features)
        assert all(torch.equal(tensor, before[name]) for name, tensor in backbone.network.state_dict().items())
        assert not thawed or not torch.equal(copy.forward(batch), features)
        assert (backbone.copy(after=cut).weights_hash, backbone.weights_hash) == (digest, digest)


@pytest.mark.parametrize("family", EVERY)
def test_weights_up_to_the_cut_share_memory_and_nothing_else_does(family: str, tmp_path: Path) -> None:
    backbone = make(family, tmp_path)
    for cut in some_cuts(backbone):
        copy = backbone.copy(after=cut)
        assert (copy.preparer is backbone.preparer, copy.assets is backbone.assets) == (True, True)
        parameters, own = dict(copy.network.named_parameters()), copy.network.state_dict()
        frozen = set(parameters) - set(backbone.thawed_names(cut))
        for name, tensor in backbone.network.state_dict().items():
            assert (own[name].data_ptr() == tensor.data_ptr()) == (name in frozen), name
            assert own[name].stride() == tensor.stride()
        assert not any(parameter is mine for parameter, mine in pairs(backbone, copy))
        assert not {id(m) for m in copy.network.modules()} & {id(m) for m in backbone.network.modules()}


def pairs(one: Backbone, two: Backbone) -> list[tuple[nn.Parameter, nn.Parameter]]:
    return list(zip(one.network.parameters(), two.network.parameters(), strict=True))


def state_of(backbone: Backbone) -> dict[str, torch.Tensor]:
    return {name: tensor.clone() for name, tensor in backbone.network.state_dict().items()}


def change(backbone: Backbone, names: tuple[str, ...]) -> None:
    state = backbone.network.state_dict()
    for name in names:
        state[name].add_(torch.rand(state[name].shape) if state[name].is_floating_point() else 1)


@pytest.mark.parametrize(
    ("family", "cut", "first", "count"),
    [
        ("resnet", "layer4.0", None, 0),
        ("resnet", "layer3.0", "layer4.0.conv1.weight", 18),
        ("vit-token", "embeddings", "blocks.0.norm1.weight", 26),
        ("vit-map", "blocks.1", "norm.weight", 15),
        ("vit-dinov3", "blocks.1", "norm.weight", 2),
        ("convnext", "stages.2.blocks.0", "stages.2.blocks.1.gamma", 24),
        ("swin", "layers.2.blocks.1", "layers.3.downsample.norm.weight", 18),
        ("regnet", "s4.b6", "s4.b7.conv1.conv.weight", 22),
        ("bert", "encoder.layer.0", "encoder.layer.1.attention.self.query.weight", 16),
        ("mpnet", "encoder.layer.0", "encoder.layer.1.attention.attn.q.weight", 16),
        ("deberta-v2", "embeddings", "encoder.layer.0.attention.self.query_proj.weight", 36),
        ("deberta-v3", "encoder.layer.0", "encoder.layer.1.attention.self.query_proj.weight", 16),
        ("gpt2", "h.1", "ln_f.weight", 2),
        ("own", "stem", "1.weight", 14),
    ],
)
def test_what_is_thawed_is_named_as_in_the_network(
    family: str, cut: str, first: str | None, count: int, tmp_path: Path
) -> None:
    backbone = make(family, tmp_path)
    names, everything = backbone.thawed_names(cut), list(backbone.network.state_dict())
    assert (next(iter(names), None), len(names)) == (first, count)
    assert list(names) == [name for name in everything if name in names]
    assert backbone.thawed_names(None) == tuple(everything)
    assert [block.name for block in backbone.after(cut)] == list(backbone.cuts[backbone.cuts.index(cut) + 1 :])
    assert backbone.after(None) == backbone.blocks


def test_thawing_moving_or_running_a_copy_in_training_mode_does_not_reach_the_original(tmp_path: Path) -> None:
    backbone = make("resnet", tmp_path)
    copy, before = backbone.copy(after="layer3.0"), state_of(backbone)
    copy.network.requires_grad_(True).train()
    with torch.no_grad():
        copy.forward(copy.prepare(pictures()))
    copy.to("meta")
    assert backbone.device.type == "cpu"
    assert not any(parameter.requires_grad for parameter in backbone.network.parameters())
    assert not any(module.training for module in backbone.network.modules())
    assert all(torch.equal(tensor, before[name]) for name, tensor in backbone.network.state_dict().items())


def test_a_network_without_cut_points_is_copied_whole(tmp_path: Path) -> None:
    backbone = make("uncut", tmp_path)
    batch = backbone.prepare(pictures())
    features, copy = backbone.forward(batch), backbone.copy(after=None)
    assert torch.equal(copy.forward(batch), features)
    change(copy, copy.thawed_names(None))
    assert torch.equal(backbone.forward(batch), features)
    with pytest.raises(BackboneError, match=r"there is no cut point 'stem'.*cut points: none"):
        backbone.copy(after="stem")


def test_weights_used_on_both_sides_of_a_cut_are_told_with_the_cuts_that_work() -> None:
    shared = nn.Conv2d(3, 3, 1)
    parts = [("first", nn.Conv2d(3, 3, 1)), ("a", shared), ("act", nn.ReLU()), ("b", shared), ("c", nn.Conv2d(3, 4, 1))]
    backbone = Backbone.from_module(parts, small, name="mine")
    message = r"mine: blocks before and after the cut point 'act' share weights\. Cut after one of: first, b, c\."
    with pytest.raises(BackboneError, match=message):
        backbone.copy(after="act")
    with pytest.raises(BackboneError, match=message):
        backbone.thawed_names("act")
    copy = backbone.copy(after="first")
    assert copy.blocks[1].modules[0] is copy.blocks[3].modules[0]
    change(copy, ("1.weight",))
    assert torch.equal(copy.network.state_dict()["1.weight"], copy.network.state_dict()["3.weight"])
    assert backbone.thawed_names("first")[:4] == ("1.weight", "1.bias", "3.weight", "3.bias")


def test_where_every_cut_splits_a_weight_only_the_whole_can_be_thawed() -> None:
    shared = nn.Conv2d(3, 3, 1)
    backbone = Backbone.from_module([("a", shared), ("b", nn.Sequential(shared, nn.ReLU()))], small)
    tail = replace(backbone, tail_modules=(backbone.network[0],))
    with pytest.raises(BackboneError, match=r"Thaw the whole network"):
        tail.copy(after="b")
    copy = tail.copy(after=None)
    assert copy.tail_modules[0] is copy.network[0]
    assert copy.network[0] is not backbone.network[0]
