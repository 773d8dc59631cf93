"""Low-rank adapters: where they go, that they start from nothing, train alone, and fold into plain weights."""

import math
import socket
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import nn

from headstart.backbones import Backbone, Lora, with_lora
from headstart.errors import BackboneError, OptionError
from tests.backbones.families import items, make, small
from tests.backbones.layouts import pictures

SETTINGS = {"rank": 3, "alpha": 6.0, "seed": 0}
# Family, cut, how many layers are adapted after it, and the first and last of them.
FAMILIES = {
    "bert": ("embeddings", 4, "encoder.layer.0.attention.self.query", "encoder.layer.1.attention.self.value"),
    "distilbert": (
        "transformer.layer.0",
        2,
        "transformer.layer.1.attention.q_lin",
        "transformer.layer.1.attention.v_lin",
    ),
    "gpt2": ("h.0", 1, "h.1.attn.c_attn", "h.1.attn.c_attn"),
    "electra-narrow": (
        "encoder.layer.0",
        2,
        "encoder.layer.1.attention.self.query",
        "encoder.layer.1.attention.self.value",
    ),
    "mpnet": ("embeddings", 4, "encoder.layer.0.attention.attn.q", "encoder.layer.1.attention.attn.v"),
    "deberta": ("embeddings", 2, "encoder.layer.0.attention.self.in_proj", "encoder.layer.1.attention.self.in_proj"),
    "deberta-v2": (
        "embeddings",
        4,
        "encoder.layer.0.attention.self.query_proj",
        "encoder.layer.1.attention.self.value_proj",
    ),
    "vit-dinov3": ("blocks.0", 1, "blocks.1.attn.qkv", "blocks.1.attn.qkv"),
    # Its attention adds the biases itself and never calls the projection.
    "vit-dinov3-bias": ("blocks.0", 2, "blocks.1.mlp.fc1", "blocks.1.mlp.fc2"),
    "vit-eva02": ("blocks.0", 2, "blocks.1.attn.q_proj", "blocks.1.attn.v_proj"),
    "swin": ("layers.2.blocks.0", 2, "layers.2.blocks.1.attn.qkv", "layers.3.blocks.0.attn.qkv"),
    "convnext": ("stages.2.blocks.0", 4, "stages.2.blocks.1.mlp.fc1", "stages.3.blocks.0.mlp.fc2"),
    "vit-token": ("blocks.0", 1, "blocks.1.attn.qkv", "blocks.1.attn.qkv"),
    "vit-map": ("embeddings", 2, "blocks.0.attn.qkv", "blocks.1.attn.qkv"),
    "resnet": ("layer2.0", 6, "layer3.0.conv1", "layer4.0.downsample.0"),
    "vgg-bn": ("features.21", 3, "features.22", "pre_logits.fc2"),
    "mobilenetv2": ("blocks.5.2", 3, "blocks.6.0.conv_pw", "conv_head"),
    "mobilenetv3": ("blocks.4.1", 5, "blocks.4.2.conv_pw", "blocks.5.0.conv"),
    "squeezenet": ("features.11", 3, "features.12.squeeze", "features.12.expand3x3"),
    "toy:image": ("conv2", 1, "2.0", "2.0"),
    "toy:text": ("embeddings", 2, "layers.0.0", "layers.1.0"),
    "whisper-window": ("layers.0", 2, "layers.1.self_attn.v_proj", "layers.1.self_attn.q_proj"),
    # With relative positions, attention that records gradients runs in another kernel, and differs in the last bits.
    "conformer": (
        "encoder.layers.0",
        2,
        "encoder.layers.1.self_attn.linear_q",
        "encoder.layers.1.self_attn.linear_v",
    ),
    "wavlm-stable": (
        "encoder.layers.0",
        2,
        "encoder.layers.1.attention.v_proj",
        "encoder.layers.1.attention.q_proj",
    ),
    "ast": ("layers.0", 2, "layers.1.attention.q_proj", "layers.1.attention.v_proj"),
    "own": ("norm", 2, "2.0", "3"),
    "augmented": ("layer3.0", 3, "layer4.0.conv1", "layer4.0.downsample.0"),
}


def train(lora: Lora, *, seed: int = 0) -> None:
    """Take a large step, so that every adapter has an effect."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in lora.parameters.values():
            parameter.add_(0.2 * torch.randn(parameter.shape, generator=generator))


@pytest.mark.parametrize("family", FAMILIES)
def test_adapters_start_from_nothing_train_alone_and_fold_into_the_weights(family: str, tmp_path: Path) -> None:
    cut, count, first, last = FAMILIES[family]
    backbone = make(family, tmp_path)
    batch, digest = backbone.prepare(items(backbone)), backbone.weights_hash
    features, stored = backbone.forward(batch), backbone.forward_to(batch, cut)
    lora = with_lora(backbone, after=cut, **SETTINGS)
    assert (len(lora.layers), lora.layers[0], lora.layers[-1]) == (count, first, last)
    assert torch.equal(lora.backbone.forward(batch), features)
    assert torch.equal(lora.backbone.forward_from(stored, cut), backbone.forward_from(stored, cut))
    train(lora)
    adapted = lora.backbone.forward(batch).detach()
    assert (adapted - features).abs().max() > 1e-3 * features.abs().max()
    merged = lora.merge()
    assert list(merged.network.state_dict()) == list(backbone.network.state_dict())
    scale = adapted.abs().max().clamp(min=1)
    torch.testing.assert_close(merged.forward(batch) / scale, adapted / scale, atol=1e-5, rtol=0)
    torch.testing.assert_close(merged.forward_from(stored, cut) / scale, adapted / scale, atol=1e-5, rtol=0)
    assert torch.equal(merged.forward_to(batch, cut).values, stored.values)
    changed = {
        n for n, t in backbone.network.state_dict().items() if not torch.equal(t, merged.network.state_dict()[n])
    }
    assert changed == {f"{name}.weight" for name in lora.layers}
    assert (backbone.weights_hash, backbone.copy(after=None).weights_hash) == (digest, digest)
    assert torch.equal(backbone.forward(batch), features)


@pytest.mark.parametrize("family", FAMILIES)
def test_only_adapters_after_the_cut_receive_gradients_and_each_of_them_does(family: str, tmp_path: Path) -> None:
    cut = FAMILIES[family][0]
    backbone = make(family, tmp_path)
    lora = with_lora(backbone, after=cut, **SETTINGS)
    train(lora)
    batch = lora.backbone.prepare(items(backbone))
    (lora.backbone.forward_from(lora.backbone.forward_to(batch, cut), cut) ** 2).sum().backward()
    named = dict(lora.backbone.network.named_parameters())
    assert list(lora.parameters) == [name for name, parameter in named.items() if parameter.requires_grad]
    assert {name for name, parameter in named.items() if parameter.grad is not None} == set(lora.parameters)
    assert set(lora.parameters) <= set(lora.backbone.thawed_names(cut))
    assert all(lora.parameters[name] is named[name] for name in lora.parameters)
    assert len(lora.parameters) == 2 * len(lora.layers)
    assert not any(module.training for module in lora.backbone.network.modules())
    assert not any(parameter.requires_grad for parameter in lora.merge().network.parameters())


def test_the_update_is_that_of_the_paper(tmp_path: Path) -> None:
    backbone = make("bert", tmp_path)
    lora = with_lora(backbone, after="encoder.layer.0", rank=3, alpha=7.5, seed=0)
    train(lora)
    weights = lora.backbone.network.state_dict()
    for name in lora.layers:
        A, B = (weights[f"{name}.lora_{letter}.default.weight"] for letter in "AB")
        assert (A.shape, B.shape) == ((3, 16), (16, 3))
        expected = backbone.network.state_dict()[f"{name}.weight"] + 7.5 / 3 * B @ A
        torch.testing.assert_close(lora.merge().network.state_dict()[f"{name}.weight"], expected, atol=1e-6, rtol=1e-5)


def test_merging_leaves_the_adapters_to_be_trained_on(tmp_path: Path) -> None:
    backbone = make("vgg-bn", tmp_path)
    lora = with_lora(backbone, after="features.21", **SETTINGS)
    batch = backbone.prepare(pictures())
    train(lora)
    first, adapted = lora.merge(), lora.backbone.forward(batch)
    digest = first.weights_hash
    assert torch.equal(lora.backbone.forward(batch), adapted)
    assert lora.merge().weights_hash == digest
    train(lora, seed=1)
    assert lora.merge().weights_hash != digest
    assert first.copy(after=None).weights_hash == digest
    assert not hasattr(first.network, "peft_config")


def test_the_seed_decides_the_first_weights(tmp_path: Path) -> None:
    backbone = make("gpt2", tmp_path)
    torch.manual_seed(5)
    state = torch.get_rng_state()
    hashes = [with_lora(backbone, after=None, rank=2, alpha=4, seed=s).backbone.weights_hash for s in (0, 0, 1)]
    assert torch.equal(torch.get_rng_state(), state)
    assert hashes[0] == hashes[1] != hashes[2]


def test_convolutions_that_peft_would_get_wrong_are_left_alone() -> None:
    body = nn.Sequential(
        nn.Conv2d(4, 4, 3, padding=2, dilation=2),
        nn.Conv2d(4, 4, 3, padding=1, padding_mode="reflect"),
        nn.Conv2d(4, 4, 3, groups=2),
        nn.Conv2d(4, 4, 5, padding=2),
        nn.Conv2d(4, 4, 1),
    )
    backbone = Backbone.from_module([("stem", nn.Conv2d(3, 4, 3)), ("body", body)], small)
    assert with_lora(backbone, after="stem", **SETTINGS).layers == ("1.4",)
    only = Backbone.from_module([("stem", nn.Conv2d(3, 4, 3)), ("body", body[:4])], small, name="mine")
    with pytest.raises(
        BackboneError, match=r"mine: no layer after 'stem' can carry an adapter\. Choose an earlier cut"
    ):
        with_lora(only, after="stem", **SETTINGS)


def test_layers_inside_fused_attention_are_not_adapted_because_they_are_never_called() -> None:
    attention = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True)
    parts = [("patches", nn.Flatten(2)), ("wide", nn.Linear(64, 8)), ("attention", attention), ("flat", nn.Flatten())]
    backbone = Backbone.from_module(parts, small)
    assert with_lora(backbone, after=None, **SETTINGS).layers == ("1",)
    with pytest.raises(BackboneError, match="no layer after 'wide' can carry an adapter"):
        with_lora(backbone, after="wide", **SETTINGS)


def test_a_layer_that_stands_in_two_places_is_not_adapted() -> None:
    shared = nn.Conv2d(4, 4, 1)
    parts = [("stem", nn.Conv2d(3, 4, 1)), ("a", shared), ("b", nn.Sequential(shared, nn.Conv2d(4, 4, 3)))]
    backbone = Backbone.from_module(parts, small)
    lora = with_lora(backbone, after="stem", **SETTINGS)
    assert lora.layers == ("2.1",)
    train(lora)
    batch = backbone.prepare(pictures())
    torch.testing.assert_close(lora.merge().forward(batch), lora.backbone.forward(batch).detach(), atol=1e-5, rtol=0)


def test_where_nothing_follows_or_the_cut_is_unknown_it_says_so(tmp_path: Path) -> None:
    backbone = make("bert", tmp_path)
    with pytest.raises(BackboneError, match=r"no layer after 'encoder\.layer\.1' can carry an adapter"):
        with_lora(backbone, after="encoder.layer.1", **SETTINGS)
    with pytest.raises(BackboneError, match=r"no cut point 'layer\.1'"):
        with_lora(backbone, after="layer.1", **SETTINGS)
    with pytest.raises(BackboneError, match="toy: no layer can carry an adapter"):
        with_lora(replace(make("toy:image", tmp_path), name="toy", blocks=()), after=None, **SETTINGS)


@pytest.mark.parametrize(("rank", "alpha"), [(0, 1.0), (-2, 1.0), (4, 0.0), (4, -1.0), (4, math.nan), (4, math.inf)])
def test_rank_and_alpha_must_be_positive(rank: int, alpha: float) -> None:
    with pytest.raises(OptionError, match=rf"LoRA: expected a rank .* found rank {rank} and alpha .*rank=8, alpha=16"):
        with_lora(make("toy:image", Path()), after="conv1", rank=rank, alpha=alpha, seed=0)


def test_what_peft_refuses_is_told_in_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    import peft

    def refuse(*_: object, **__: object) -> None:
        raise ValueError("Target module is not supported.\nMore text")

    monkeypatch.setattr(peft, "inject_adapter_in_model", refuse)
    with pytest.raises(
        BackboneError, match=r"^toy:image: peft cannot adapt it \(Target module is not supported\.\)\. "
    ):
        with_lora(make("toy:image", Path()), after="conv1", **SETTINGS)


def test_only_making_adapters_imports_peft() -> None:
    code = (
        "import sys; from headstart.backbones import Lora, from_scratch, load, with_lora; "
        "from_scratch(load('toy:text').copy(after='layer1'), seed=0); assert 'peft' not in sys.modules"
    )
    subprocess.run([sys.executable, "-W", "error", "-c", code], check=True)


@pytest.mark.parametrize("family", ["bert", "own"])
def test_no_address_is_looked_up_and_no_connection_opened(
    family: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried: list[object] = []

    def refuse(*arguments: object, **_: object) -> None:
        tried.append(arguments)
        raise OSError("closed")

    for name in ("getaddrinfo", "create_connection", "socket"):
        monkeypatch.setattr(socket, name, refuse)
    backbone = make(family, tmp_path)
    with_lora(backbone, after=backbone.cuts[0], **SETTINGS).merge()
    assert tried == []
