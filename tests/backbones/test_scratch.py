"""The same architecture with random weights: drawn as its library draws them, by seed, with nothing pretrained left."""

import json
import math
from pathlib import Path

import pytest
import timm
import torch
import torchvision
import transformers
from torch import Tensor, nn

from headstart.backbones import Backbone, _yamnet, from_scratch, rebuild
from headstart.backbones._toy import NETWORKS
from headstart.errors import BackboneError
from tests.backbones import (
    test_timm,
    test_transformers,
    test_transformers_conformer,
    test_transformers_patches,
    test_transformers_sounds,
    test_transformers_waves,
)
from tests.backbones.families import CONFORMER, EVERY, SOUND, TEXT, TIMM, WAVES, items, make, own, small
from tests.backbones.layouts import pictures


def fresh(family: str) -> dict[str, Tensor]:
    """What the library itself makes, without any of our code."""
    torch.manual_seed(99)
    if family in (*TIMM, "augmented", "uncut"):
        architecture, arguments = test_timm.FAMILIES["resnet" if family == "augmented" else family][:2]
        return timm.create_model(architecture, num_classes=5, **arguments).state_dict()
    if family in TEXT:
        return transformers.AutoModel.from_config(test_transformers.NETWORKS[family][1]).state_dict()
    if family == "squeezenet":
        return torchvision.models.squeezenet1_1(weights=None).state_dict()
    if family == "own":
        body = nn.Sequential(nn.Conv2d(4, 6, 3), nn.BatchNorm2d(6), nn.ReLU())
        return nn.ModuleList([nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), body, nn.Conv2d(6, 5, 1)]).state_dict()
    if family in CONFORMER:
        return transformers.Wav2Vec2BertModel(test_transformers_conformer.config(CONFORMER[family])).state_dict()
    if family in WAVES:
        config = test_transformers_waves.config(family)
        return transformers.AutoModel.from_config(config).state_dict()
    if family == "yamnet":
        return _yamnet._network().state_dict()
    if family == "ast":
        return transformers.ASTModel(test_transformers_patches.CONFIG).state_dict()
    if family in SOUND:
        return transformers.WhisperModel(test_transformers_sounds.CONFIG).encoder.state_dict()
    return NETWORKS[family.removeprefix("toy:")]().state_dict()


@pytest.mark.parametrize("family", [*EVERY, "uncut"])
def test_weights_are_distributed_as_the_library_draws_them_and_none_is_pretrained(family: str, tmp_path: Path) -> None:
    backbone = make(family, tmp_path)
    before, expected = backbone.network.state_dict(), fresh(family)
    state = from_scratch(backbone, seed=0).network.state_dict()
    assert list(state) == list(before)
    for name, tensor in state.items():
        reference = expected[name]
        waves = family in SOUND and name == "embed_positions.weight"  # positions, never drawn
        if not tensor.is_floating_point() or reference.numel() < 2 or reference.std() == 0 or waves:
            assert torch.equal(tensor, reference), f"{name} is a constant in a fresh network"
            continue
        assert not torch.equal(tensor, reference), f"{name} was drawn with the reference's seed"
        assert not (tensor == before[name]).any() or reference.eq(0).any(), f"{name} has pretrained values"
        if reference.numel() < 30:
            continue  # too few to estimate a spread from
        # Five standard errors of the difference of two standard deviations of normal numbers.
        tolerance = 5 * reference.std().item() / math.sqrt(reference.numel())
        assert abs(tensor.std().item() - reference.std().item()) < tolerance, name
        assert abs(tensor.mean().item() - reference.mean().item()) < math.sqrt(2) * tolerance, name


@pytest.mark.parametrize("family", [*EVERY, "uncut"])
def test_the_seed_decides_the_weights_and_nothing_else_changes(family: str, tmp_path: Path) -> None:
    backbone = make(family, tmp_path)
    digest, batch = backbone.weights_hash, backbone.prepare(items(backbone))
    features = backbone.forward(batch)
    torch.manual_seed(5)
    state = torch.get_rng_state()
    one, same, other = (from_scratch(backbone, seed=seed) for seed in (0, 0, 1))
    assert torch.equal(torch.get_rng_state(), state)
    assert one.weights_hash == same.weights_hash
    assert len({digest, one.weights_hash, other.weights_hash}) == 3
    assert torch.equal(backbone.forward(batch), features)
    assert (one.name, one.cuts, one.views, one.num_features) == (
        *(backbone.name, backbone.cuts, backbone.views, backbone.num_features),
    )
    assert (one.preparer is backbone.preparer, one.preprocessing_hash) == (True, backbone.preprocessing_hash)
    assert one.notes[0] == "random weights, not pretrained"
    assert one.forward(batch).isfinite().all()
    assert not any(module.training for module in one.network.modules())
    assert not any(parameter.requires_grad for parameter in one.network.parameters())


def test_what_is_random_can_be_saved_and_drawn_again(tmp_path: Path) -> None:
    one = from_scratch(make("bert", tmp_path), seed=3)
    again = rebuild(json.loads(json.dumps(dict(one.source))), one.assets, one.network.state_dict(), name=one.name)
    assert again.weights_hash == one.weights_hash
    twice = from_scratch(one, seed=4)
    assert twice.notes == one.notes
    assert from_scratch(from_scratch(own(), seed=1), seed=2).notes.count("random weights, not pretrained") == 1


class Scaled(nn.Module):
    """A layer with a weight of its own, drawn only where it says how."""

    def __init__(self) -> None:
        super().__init__()
        self.inner = nn.Conv2d(3, 4, 1)
        self.scale = nn.Parameter(torch.ones(4, 1, 1))

    def forward(self, values: Tensor) -> Tensor:
        return self.inner(values) * self.scale


class Resettable(Scaled):
    def reset_parameters(self) -> None:
        nn.init.constant_(self.scale, 0.5)
        nn.init.zeros_(self.inner.bias)


def test_a_users_own_layers_draw_their_weights_themselves() -> None:
    backbone = from_scratch(Backbone.from_module([("a", Resettable())], small), seed=0)
    state = backbone.network.state_dict()
    assert state["0.scale"].unique().tolist() == [0.5]
    assert state["0.inner.bias"].unique().tolist() == [0.0], "a module is reset after its parts, as in constructors"
    attention = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True)
    flat = nn.Sequential(nn.Flatten(2), nn.Linear(64, 8), attention, nn.Flatten(), nn.Linear(24, 3))
    whole = from_scratch(Backbone.from_module([("a", flat)], small), seed=0)
    assert whole.forward(whole.prepare(pictures())).isfinite().all()


def test_a_weight_that_no_layer_draws_is_named() -> None:
    backbone = Backbone.from_module([("a", Scaled())], small, name="mine")
    digest = backbone.weights_hash
    with pytest.raises(BackboneError, match=r"mine: no layer's reset_parameters draws the weight 0\.scale\. Give the"):
        from_scratch(backbone, seed=0)
    assert Backbone.copy(backbone, after=None).weights_hash == digest
