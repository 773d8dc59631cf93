"""Networks from timm: blocks, preprocessing, names and damaged folders, on tiny random configurations."""

import copy
import json
import re
from pathlib import Path
from typing import Any

import pytest
import timm
import torch

from headstart.backbones import load, rebuild
from headstart.backbones._timm import check_name
from headstart.errors import BackboneError
from tests.backbones.layouts import check_chain, pictures, randomise, write_folder

VIT = {"img_size": 32, "patch_size": 8, "embed_dim": 16, "depth": 2, "num_heads": 2}
CONVNEXT = {"depths": [1, 1, 2, 1], "dims": [8, 8, 16, 16]}
SWIN = {"img_size": 32, "window_size": 4, "embed_dim": 16, "depths": [1, 2, 2, 1], "num_heads": [1, 2, 2, 2]}
FAMILIES = {
    "resnet": ("resnet18", {"layers": [2, 1, 1, 1], "channels": [8, 8, 16, 16]}, 6, "stem"),
    "resnet-deep-stem": ("resnet26d", {"layers": [1, 1, 1, 1], "channels": [4, 4, 8, 8]}, 5, "stem"),
    "regnet": ("regnety_002", {}, 14, "stem"),
    "vgg": ("vgg11", {"mlp_ratio": 1 / 256}, 9, "features.2"),
    "vgg-bn": ("vgg11_bn", {"mlp_ratio": 1 / 256}, 9, "features.3"),
    "mobilenetv2": ("mobilenetv2_035", {}, 19, "stem"),
    "mobilenetv3": ("mobilenetv3_small_050", {}, 13, "stem"),
    "mnasnet": ("mnasnet_small", {}, 17, "stem"),
    "efficientnet": ("efficientnet_b0", {}, 18, "stem"),
    "efficientnetv2": ("tf_efficientnetv2_b0", {}, 23, "stem"),
    "convnext": ("convnext_atto", CONVNEXT, 6, "stem"),
    "convnextv2": ("convnextv2_atto", CONVNEXT, 6, "stem"),
    "convnext-norm": ("convnext_atto_ols", {**CONVNEXT, "head_norm_first": True}, 6, "stem"),
    "convnext-hidden": ("convnext_atto", {**CONVNEXT, "head_hidden_size": 24}, 6, "stem"),
    "swin": ("swin_tiny_patch4_window7_224", SWIN, 7, "embeddings"),
    "vit-token": ("vit_tiny_patch16_224", VIT, 3, "embeddings"),
    "vit-avg": ("vit_tiny_patch16_224", {**VIT, "global_pool": "avg", "class_token": False}, 3, "embeddings"),
    "vit-map": ("vit_tiny_patch16_224", {**VIT, "global_pool": "map", "reg_tokens": 2}, 3, "embeddings"),
    "vit-distilled": ("deit_tiny_distilled_patch16_224", VIT, 3, "embeddings"),
    "vit-deit3": ("deit3_small_patch16_224", VIT, 3, "embeddings"),
    "vit-dinov2": ("vit_small_patch14_dinov2", VIT, 3, "embeddings"),
    "vit-dinov2-reg": ("vit_small_patch14_reg4_dinov2", VIT, 3, "embeddings"),
    # Pictures of another size than the network was made for: its rotations follow them.
    "vit-dinov3": ("vit_small_patch16_dinov3", {**VIT, "img_size": 24}, 3, "embeddings"),
    "vit-dinov3-bias": ("vit_small_patch16_dinov3_qkvb", VIT, 3, "embeddings"),
    "vit-eva": ("eva_giant_patch14_224", VIT, 3, "embeddings"),
    "vit-eva02": ("eva02_tiny_patch14_224", {**VIT, "qkv_fused": False}, 3, "embeddings"),
    "uncut-rotary": ("vit_small_patch16_rope_mixed_224", VIT, 0, None),
    "uncut": ("densenet121", {"growth_rate": 4, "block_config": [1, 1, 1, 1]}, 0, None),
}
PRETRAINED = {"input_size": [3, 32, 32], "crop_pct": 0.9, "interpolation": "bicubic", "crop_mode": "center"}


def tiny(folder: Path, architecture: str, arguments: dict[str, Any], **config: Any) -> tuple[Path, torch.nn.Module]:
    """Write a network with five classes as timm does; return it too."""
    network = randomise(timm.create_model(architecture, num_classes=5, **arguments))
    config = {
        "architecture": architecture,
        "num_classes": 5,
        "model_args": arguments,
        "pretrained_cfg": {**PRETRAINED, "num_classes": 5},
        **config,
    }
    return write_folder(folder, config, network.state_dict()), network


@pytest.mark.parametrize("family", FAMILIES)
def test_every_cut_gives_the_features_of_timm_itself(family: str, tmp_path: Path) -> None:
    architecture, arguments, cuts, first = FAMILIES[family]
    folder, network = tiny(tmp_path / "net", architecture, arguments)
    backbone = load(f"dir:{folder}")
    with torch.no_grad():
        values = backbone.prepare(pictures()).values.contiguous()
        expected = network.forward_head(network.forward_features(values), pre_logits=True)
    check_chain(backbone, pictures(), expected)
    assert len(backbone.cuts) == cuts
    assert backbone.cuts[:1] == ((first,) if first else ())
    assert backbone.views == (("last", "mean") if family.startswith("vit") else ("last",))
    assert any("no cut points" in note for note in backbone.notes) == (first is None)


def test_the_layers_of_a_distilled_vit_are_pooled_as_its_head_does(tmp_path: Path) -> None:
    folder, network = tiny(tmp_path / "net", *FAMILIES["vit-distilled"][:2])
    backbone = load(f"dir:{folder}")
    batch = backbone.prepare(pictures())
    with torch.no_grad():
        embedded = network._pos_embed(network.patch_embed(batch.values))
        layers = [embedded, network.blocks[0](embedded), network.blocks(embedded)]
        expected = torch.stack([network.forward_head(values, pre_logits=True) for values in layers]).mean(0)
    torch.testing.assert_close(backbone.forward_views(batch)["mean"], expected, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("size", [(32, 32), (48, 32), (24, 40)])
def test_rotations_follow_the_size_of_the_pictures(size: tuple[int, int], tmp_path: Path) -> None:
    arguments = {**VIT, "dynamic_img_size": True}
    settings = {**PRETRAINED, "input_size": [3, *size]}
    for architecture in ("vit_small_patch16_dinov3", "eva02_tiny_patch14_224"):
        folder, network = tiny(tmp_path / architecture, architecture, arguments, pretrained_cfg=settings)
        backbone = load(f"dir:{folder}")
        with torch.no_grad():
            values = backbone.prepare(pictures()).values.contiguous()
            expected = network.forward_head(network.forward_features(values), pre_logits=True)
        assert values.shape[2:] == size
        check_chain(backbone, pictures(), expected)
        assert len(backbone.cuts) == 3


def test_vit_layers_are_pooled_as_the_network_pools_its_last(tmp_path: Path) -> None:
    folder, network = tiny(tmp_path / "net", *FAMILIES["vit-avg"][:2])
    backbone = load(f"dir:{folder}")
    batch = backbone.prepare(pictures())
    with torch.no_grad():
        embedded = network._pos_embed(network.patch_embed(batch.values))
        first, last = network.blocks[0](embedded), network.blocks(embedded)
    expected = (embedded.mean(1) + first.mean(1) + last.mean(1)) / 3
    torch.testing.assert_close(backbone.forward_views(batch)["mean"], expected, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("crop_mode", ["center", "squash", "border"])
def test_preprocessing_equals_the_transform_of_timm(crop_mode: str, tmp_path: Path) -> None:
    settings = {**PRETRAINED, "crop_mode": crop_mode, "mean": [0.4, 0.5, 0.6], "std": [0.2, 0.3, 0.25]}
    folder, _ = tiny(tmp_path / "net", *FAMILIES["mobilenetv3"][:2], pretrained_cfg=settings)
    backbone = load(f"dir:{folder}")
    transform = timm.data.create_transform(**timm.data.resolve_data_config(settings), is_training=False)
    expected = torch.stack([transform(picture) for picture in pictures(4)])
    prepared = backbone.preparer.read(pictures(4))
    assert {backbone.preparer.cost(item) for item in prepared} == {32 * 32}
    torch.testing.assert_close(backbone.preparer.collate(prepared).values, expected, atol=1e-5, rtol=0)


def test_nothing_depends_on_where_the_folder_lies(tmp_path: Path) -> None:
    first, _ = tiny(tmp_path / "here", *FAMILIES["resnet"][:2])
    second = first.rename(tmp_path / "there")
    (tmp_path / "link").symlink_to(second)
    one, two = load(f"dir:{second}"), load(f"dir:{tmp_path / 'link'}")
    assert (one.source, one.weights_hash, one.preprocessing_hash) == (
        two.source,
        two.weights_hash,
        two.preprocessing_hash,
    )
    assert two.name == f"dir:{tmp_path / 'link'}"
    assert str(tmp_path) not in json.dumps(dict(one.source))


def test_loading_leaves_random_numbers_alone_and_a_copy_is_independent(tmp_path: Path) -> None:
    folder, _ = tiny(tmp_path / "net", *FAMILIES["vit-token"][:2])
    torch.manual_seed(3)
    before = torch.get_rng_state()
    backbone = load(f"dir:{folder}")
    assert torch.equal(torch.get_rng_state(), before)
    twin = copy.deepcopy(backbone)
    batch = backbone.prepare(pictures())
    features = backbone.forward(batch)
    for parameter in twin.network.parameters():
        parameter.zero_()
    assert torch.equal(backbone.forward(batch), features)
    assert not torch.equal(twin.forward(batch), features)


def test_weights_of_a_foreign_layout_are_translated_by_timm(tmp_path: Path) -> None:
    architecture, arguments = FAMILIES["convnext"][:2]
    folder, network = tiny(tmp_path / "net", architecture, arguments)
    names = {  # ConvNeXt as its authors published it
        r"^stem\.": "downsample_layers.0.",
        r"^stages\.(\d)\.downsample\.": r"downsample_layers.\1.",
        r"\.blocks\.": ".",
        "conv_dw": "dwconv",
        r"mlp\.fc": "pwconv",
        r"^head\.norm": "norm",
        r"^head\.fc": "head",
    }
    foreign = {}
    for name, tensor in network.state_dict().items():
        for pattern, replacement in names.items():
            name = re.sub(pattern, replacement, name)
        foreign[name] = tensor
    assert set(foreign) != set(network.state_dict())
    config = json.loads((folder / "config.json").read_text())
    write_folder(folder, config, {name: value for name, value in foreign.items() if name != "norm.weight"})
    with pytest.raises(BackboneError, match="the weights do not fit the network"):
        load(f"dir:{folder}")
    del config["num_classes"]
    write_folder(folder, config, foreign)
    backbone = load(f"dir:{folder}")
    batch = backbone.prepare(pictures())
    with torch.no_grad():
        expected = network.forward_head(network.forward_features(batch.values), pre_logits=True)
    torch.testing.assert_close(backbone.forward(batch), expected, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize(
    ("target", "message"),
    [
        ("resnet18", r"lacks the tag.*timm:resnet18\.a1_in1k, timm:resnet18\.a2_in1k"),
        ("resnet18.nothing", r"no weights with the tag 'nothing'.*timm:resnet18\.a1_in1k"),
        ("resnt18.a1_in1k", r"has no architecture 'resnt18'.*Did you mean timm:resnet18\.a1_in1k"),
        ("zzzzzzzz", r"has no architecture 'zzzzzzzz'\. timm\.list_models"),
        ("vit_giant_patch14_224", "publishes no weights for 'vit_giant_patch14_224'"),
    ],
)
def test_a_wrong_name_is_answered_with_right_ones(target: str, message: str) -> None:
    with pytest.raises(BackboneError, match=message):
        check_name(target)


def test_a_folder_that_does_not_fit_names_file_and_layer(tmp_path: Path) -> None:
    folder, network = tiny(tmp_path / "net", *FAMILIES["resnet"][:2])
    config = json.loads((folder / "config.json").read_text())
    state = network.state_dict()
    state["layer1.0.conv1.weight"] = torch.zeros(3, 3)
    for name in ("bn1.weight", "bn1.bias", "conv1.weight", "layer2.0.conv1.weight"):
        del state[name]
    write_folder(folder, config, state)
    with pytest.raises(BackboneError, match=r"net.*conv1\.weight is missing; bn1\.weight is missing.*and 2 more"):
        load(f"dir:{folder}")
    write_folder(folder, {**config, "architecture": "resnet1818"}, state)
    with pytest.raises(BackboneError, match=r"has no architecture 'resnet1818'.*Did you mean resnet18"):
        load(f"dir:{folder}")
    write_folder(folder, {**config, "model_args": {"lawyers": 3}}, state)
    with pytest.raises(BackboneError, match=r"timm cannot build resnet18 with .*lawyers.*model_args"):
        load(f"dir:{folder}")


def test_a_network_for_gray_images_is_refused(tmp_path: Path) -> None:
    settings = {**PRETRAINED, "input_size": [1, 32, 32]}
    arguments = {**FAMILIES["resnet"][1], "in_chans": 1}
    folder, _ = tiny(tmp_path / "net", "resnet18", arguments, pretrained_cfg=settings)
    with pytest.raises(BackboneError, match="expects images of 1 channels"):
        load(f"dir:{folder}")


@pytest.mark.parametrize(
    "argument",
    [
        {"pretrained": True},
        {"checkpoint_path": "weights.pth"},
        {"pretrained_cfg": {"url": "http://192.0.2.1/x.pth"}},
        {"pretrained_cfg_overlay": {"file": "x.pth"}},
        {"cache_dir": "."},
        {"features_only": True},
        {"num_classes": 3},
    ],
)
def test_arguments_that_fetch_or_unpickle_weights_are_refused_in_folders_and_in_models(
    argument: dict[str, Any], tmp_path: Path
) -> None:
    folder, network = tiny(tmp_path / "net", *FAMILIES["resnet"][:2])
    source = json.loads(json.dumps(dict(load(f"dir:{folder}").source)))
    source["model_args"] |= argument
    message = f'"model_args" may only say how the network is built, found {next(iter(argument))}'
    with pytest.raises(BackboneError, match=message):
        rebuild(source, {}, network.state_dict(), name="crafted")
    config = json.loads((folder / "config.json").read_text())
    write_folder(folder, {**config, "model_args": source["model_args"]}, network.state_dict())
    with pytest.raises(BackboneError, match=message):
        load(f"dir:{folder}")


@pytest.mark.parametrize("architecture", ["hf-hub:timm/resnet18.a1_in1k", "hf-hub:resnet18", "local-dir:/tmp"])
def test_a_model_cannot_name_an_architecture_elsewhere(architecture: str, tmp_path: Path) -> None:
    folder, network = tiny(tmp_path / "net", *FAMILIES["resnet"][:2])
    source = {**load(f"dir:{folder}").source, "architecture": architecture}
    with pytest.raises(BackboneError, match=f"crafted: timm .* has no architecture '{architecture}'"):
        rebuild(source, {}, network.state_dict(), name="crafted")
    with pytest.raises(BackboneError, match='expected an object under "model_args", found a list'):
        rebuild({**source, "architecture": "resnet18", "model_args": [1]}, {}, network.state_dict(), name="crafted")


@pytest.mark.parametrize("empty", [False, True])
def test_a_folder_cannot_tell_timm_where_to_fetch_weights(
    empty: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fetch(*arguments: object, **_: object) -> None:
        raise AssertionError(f"timm went to fetch {arguments}")

    for name in ("load_state_dict_from_hf", "load_state_dict_from_path", "load_state_dict_from_url", "load_state_dict"):
        monkeypatch.setattr(f"timm.models._builder.{name}", fetch)
    places = {"source": "hf-hub", "hf_hub_id": "org/net", "url": "http://192.0.2.1/x.pth", "file": "x.pth"}
    folder, network = tiny(tmp_path / "net", *FAMILIES["resnet"][:2], pretrained_cfg={**places, "custom_load": True})
    assert load(f"dir:{folder}").cuts
    config = json.loads((folder / "config.json").read_text())
    state = {} if empty else {f"foreign.{name}": value for name, value in network.state_dict().items()}
    write_folder(folder, config, state)
    with pytest.raises(BackboneError, match="the weights do not fit the network"):
        load(f"dir:{folder}")
