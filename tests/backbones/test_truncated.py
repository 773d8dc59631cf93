"""Networks cut off after a block: the pooled activations of that block, and nothing of what follows it."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from headstart.backbones import Backbone, from_scratch, load, rebuild, with_lora, write_folder
from headstart.errors import BackboneError
from tests.backbones.families import EVERY, items, make, small
from tests.backbones.layouts import check_modules, check_rebuilt, pictures

AFTER = {"mobilenetv2": "blocks.2.0", "vit-map": "blocks.0", "bert": "encoder.layer.0", "toy:text": "embeddings"}


def pooled(backbone: Backbone, values: Tensor, cut: str) -> Tensor:
    """What the features after a cut must be, from the activations there alone."""
    stored = backbone.forward_to(values, cut)
    if cut == backbone.cuts[-1]:
        return backbone.tail(stored)
    if backbone.pool is not None:
        return backbone.pool(stored)
    if stored.values.ndim == 2:
        return stored.values
    channels_last = str(backbone.source.get("architecture")).startswith("swin")
    rows = (stored.values.movedim(3, 1) if channels_last else stored.values).flatten(2).mean(2)
    if stored.owner is None:
        return rows
    return torch.stack([rows[stored.owner == item].mean(0) for item in stored.owner.unique()])


@pytest.mark.parametrize("family", EVERY)
def test_the_features_are_the_pooled_activations_at_every_cut(family: str, tmp_path: Path) -> None:
    backbone = make(family, tmp_path / "net")
    digest, names = backbone.weights_hash, list(backbone.network.state_dict())
    batch = backbone.prepare(items(backbone))
    for i, cut in enumerate(backbone.cuts):
        short, expected = backbone.truncated(cut), pooled(backbone, batch, cut)
        torch.testing.assert_close(short.forward(batch), expected, atol=1e-6, rtol=1e-5)
        assert (short.num_features, short.cuts, short.views) == (
            expected.shape[1],
            backbone.cuts[: i + 1],
            backbone.views,
        )
        assert torch.equal(short.forward_views(batch)["last"], short.forward(batch))
        for earlier in short.cuts:
            stored = short.forward_to(batch, earlier)
            torch.testing.assert_close(short.forward_from(stored, earlier), expected, atol=1e-6, rtol=1e-5)
        kept = list(short.network.state_dict())
        gone = [name for name in backbone.thawed_names(cut) if not (name.startswith("attn_pool.") and backbone.pool)]
        assert kept == [name for name in names if name not in gone or cut == backbone.cuts[-1]]
        check_modules(short)
        if cut != backbone.cuts[-1]:
            assert (short.name, short.source["after"]) == (f"{backbone.name}#{cut}", cut)
            assert short.preprocessing_hash != backbone.preprocessing_hash
            assert short.notes[-1] == f"cut off after {cut}"
    assert backbone.truncated(backbone.cuts[-1]) is backbone
    assert backbone.weights_hash == Backbone.copy(backbone, after=None).weights_hash == digest


@pytest.mark.parametrize("family", [family for family in EVERY if family not in ("own", "augmented")])
def test_every_truncated_network_is_written_built_and_loaded_again(family: str, tmp_path: Path) -> None:
    backbone = make(family, tmp_path / "net")
    batch = backbone.prepare(items(backbone))
    for i, cut in enumerate(backbone.cuts[:: 1 + len(backbone.cuts) // 6]):
        short = backbone.truncated(cut)
        write_folder(short, tmp_path / str(i))
        again = load(f"dir:{tmp_path / str(i)}")
        assert torch.equal(again.forward(batch), short.forward(batch))
        assert (again.weights_hash, again.preprocessing_hash) == (short.weights_hash, short.preprocessing_hash)
        assert (again.cuts, again.notes, again.num_features) == (short.cuts, short.notes, short.num_features)
    check_rebuilt(short, items(backbone), short.forward(batch))


@pytest.mark.parametrize("family", AFTER)
def test_cutting_twice_is_cutting_once(family: str, tmp_path: Path) -> None:
    backbone, cut = make(family, tmp_path), AFTER[family]
    once = backbone.truncated(cut)
    twice = backbone.truncated(backbone.cuts[-2]).truncated(cut)
    assert (twice.name, twice.source, twice.weights_hash, twice.notes) == (
        *(once.name, once.source, once.weights_hash, once.notes),
    )
    batch = backbone.prepare(items(backbone))
    assert torch.equal(twice.forward(batch), once.forward(batch))
    assert torch.equal(load(once.name).forward(batch), once.forward(batch))
    assert load(once.name).name == once.name


@pytest.mark.parametrize("family", AFTER)
def test_it_is_copied_drawn_anew_and_adapted_like_any_other(family: str, tmp_path: Path) -> None:
    backbone, cut = make(family, tmp_path), AFTER[family]
    short = backbone.truncated(cut)
    batch = short.prepare(items(short))
    features, digest = short.forward(batch), backbone.weights_hash
    copy = short.copy(after=None)
    for tensor in copy.network.state_dict().values():
        tensor.zero_()
    assert torch.equal(short.forward(batch), features)
    fresh = from_scratch(short, seed=0)
    assert list(fresh.network.state_dict()) == list(short.network.state_dict())
    assert (fresh.name, fresh.cuts, fresh.notes[0]) == (short.name, short.cuts, "random weights, not pretrained")
    assert not torch.equal(fresh.forward(batch), features)
    assert short.thawed_names(None) == tuple(short.network.state_dict())
    if family != "toy:text":  # an embedding alone, which carries no adapter
        adapted = with_lora(short, after=None, rank=2, alpha=4, seed=0)
        with torch.no_grad():
            for parameter in adapted.parameters.values():
                parameter.add_(0.1)
        merged = adapted.merge()
        assert list(merged.network.state_dict()) == list(short.network.state_dict())
        again = rebuild(merged.source, merged.assets, merged.network.state_dict())
        torch.testing.assert_close(again.forward(batch), adapted.backbone.forward(batch), atol=1e-4, rtol=1e-4)
    short.to("meta")
    assert (backbone.device.type, backbone.weights_hash) == ("cpu", digest)


def test_its_weights_take_no_memory_beside_the_whole_network(tmp_path: Path) -> None:
    backbone = make("mobilenetv2", tmp_path)
    short, whole = backbone.truncated("blocks.2.0"), dict(backbone.network.named_parameters())
    own = dict(short.network.named_parameters())
    assert 0 < sum(p.numel() for p in own.values()) < sum(p.numel() for p in whole.values()) / 10
    assert all(p.data_ptr() == whole[name].data_ptr() and p is not whole[name] for name, p in own.items())
    assert not any(p.requires_grad for p in own.values())


@pytest.mark.parametrize("family", AFTER)
def test_weights_that_it_uses_must_be_there_and_no_others(family: str, tmp_path: Path) -> None:
    backbone, cut = make(family, tmp_path), AFTER[family]
    short = backbone.truncated(cut)
    source, state = json.loads(json.dumps(dict(short.source))), short.network.state_dict()
    for name, tensor in state.items():
        lacking = {other: value for other, value in state.items() if other != name}
        with pytest.raises(BackboneError, match=rf"short: the weights do not fit the network: {name} is missing"):
            rebuild(source, short.assets, lacking, name="short")
        with pytest.raises(BackboneError, match=rf"{name} has shape"):
            rebuild(source, short.assets, {**state, name: torch.zeros(*tensor.shape, 2)})
        if len(state) > 40:
            break
    left = next(name for name in backbone.network.state_dict() if name not in state)
    with pytest.raises(BackboneError, match=rf"the network: {left} is not part of it"):
        rebuild(source, short.assets, {**state, left: backbone.network.state_dict()[left]})
    with pytest.raises(BackboneError, match=r"the network: other\.weight is not part of it"):
        rebuild(source, short.assets, {**state, "other.weight": torch.zeros(1)})


@pytest.mark.parametrize("after", ["nowhere", None, 3])
def test_a_cut_point_that_is_not_there_is_told_with_those_that_are(after: str) -> None:
    backbone = load("toy:text")
    with pytest.raises(BackboneError, match=rf"there is no cut point {after!r}.*embeddings, layer1, layer2"):
        backbone.truncated(after)
    with pytest.raises(BackboneError, match=rf"there is no cut point {after!r}"):
        rebuild({**backbone.source, "after": after}, {}, backbone.network.state_dict())
    with pytest.raises(BackboneError, match="there is no cut point 'conv9'"):
        load("toy:image#conv9")


def test_a_network_without_cut_points_cannot_be_cut_off(tmp_path: Path) -> None:
    with pytest.raises(BackboneError, match="there is no cut point 'stages.0'.*cut points: none"):
        make("uncut", tmp_path).truncated("stages.0")


def test_activations_that_cannot_be_averaged_are_refused_with_their_shape() -> None:
    backbone = Backbone.from_module([("a", nn.Flatten(2)), ("b", nn.Flatten(1))], small, name="mine")
    with pytest.raises(BackboneError, match=r"mine#a: expected activations of shape .* found \(1, 3, 64\)\. Choose"):
        backbone.truncated("a")


def test_axes_of_space_are_the_blocks_own_and_training_mode_changes_nothing() -> None:
    norm = nn.Sequential(nn.Conv2d(3, 5, 1), nn.BatchNorm2d(5))
    backbone = Backbone.from_module([("a", norm), ("b", nn.Conv2d(5, 2, 1))], small)
    last = replace(backbone.blocks[0], forward=lambda batch: norm.eval()(batch.values).movedim(1, 3), space=(1, 2))
    moved = replace(backbone, blocks=(last, backbone.blocks[1]))
    batch = backbone.prepare(pictures())
    expected = backbone.truncated("a").forward(batch)
    torch.testing.assert_close(moved.truncated("a").forward(batch), expected)
    backbone.network.train()
    torch.testing.assert_close(backbone.truncated("a").forward(batch), expected)
