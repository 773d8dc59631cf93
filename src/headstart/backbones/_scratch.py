"""The same architecture with random weights: the control that tells what pretraining is worth.

The weights are drawn as the network's own library draws them for someone who trains from scratch. Loading skips that
(see `unfilled`); here it must happen, so the network is created once with weights drawn, then built like any other.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from importlib import import_module
from typing import Any, Final

import numpy as np
import torch
from torch import nn

from headstart.backbones._base import Backbone
from headstart.backbones._load import FAMILIES, rebuild
from headstart.backbones._pictures import PIXELS, picture_backbone
from headstart.errors import BackboneError

Create = Callable[[Any, Mapping[str, Any], str], nn.Module]  # family, source and name to a network
CREATE: Final[Mapping[str, Create]] = {
    "timm": lambda family, source, name: family._create(source["architecture"], source["model_args"], where=name),
    "torchvision": lambda family, source, name: family._create(source["architecture"], where=name),
    "transformers": lambda family, source, name: family._network(source["config"], where=name),
    "whisper": lambda family, source, name: family.whisper_encoder(source["config"], where=name),
    "wav2vec2-bert": lambda family, source, name: family.create(source["config"], where=name),
    "wav2vec2": lambda family, source, name: family.create(source["kind"], source["config"], where=name),
    "ast": lambda family, source, name: family.create(source["config"], where=name),
}
STREAM: Final = 1
NOTE: Final = "random weights, not pretrained"


def from_scratch(backbone: Backbone, *, seed: int) -> Backbone:
    """Return the same architecture and preprocessing with random weights.

    Args:
        backbone: Any backbone; it stays as it is. For a network of the user's own, every layer draws its weights by its
            ``reset_parameters``, as PyTorch's layers do when they are made; its other buffers keep their values.
        seed: From 0; the same seed gives the same weights. The global random state is not touched.

    Returns:
        A backbone of the same name, cut points and preparer, on the same device; its notes say that its weights are
        random.

    Raises:
        BackboneError: The user's own network has a weight that no ``reset_parameters`` draws.
    """
    library = str(backbone.source["library"])
    with torch.random.fork_rng(devices=[]):
        # A stream of its own: the toys are what PyTorch draws from seed 0.
        torch.default_generator.manual_seed(int(np.random.default_rng([seed, STREAM]).integers(2**63)))
        fresh = _created(backbone, library) if library in CREATE else _reset(backbone)
    notes = (NOTE, *(note for note in fresh.notes if note != NOTE))
    return replace(fresh, preparer=backbone.preparer, notes=notes).to(str(backbone.device))


def _created(backbone: Backbone, library: str) -> Backbone:
    family = import_module(FAMILIES[library])
    with torch._C.DisableTorchFunction():  # it switches `unfilled` off, so that weights are drawn
        network = CREATE[library](family, backbone.source, backbone.name)
    # Weights are drawn for the whole network, which a truncated one is then cut from again.
    source = {key: value for key, value in backbone.source.items() if key not in ("after", PIXELS)}
    whole = rebuild(source, backbone.assets, network.state_dict(), name=backbone.name)
    after = backbone.source.get("after")
    fresh = whole if after is None else replace(whole.truncated(after), name=backbone.name)
    return fresh if backbone.pixels is None else picture_backbone(fresh, backbone.pixels)


def _reset(backbone: Backbone) -> Backbone:
    """Draw the weights of a copy again, and make sure that all of them were drawn."""
    fresh = backbone.copy(after=None)
    with torch.no_grad():
        for parameter in fresh.network.parameters():
            parameter.fill_(torch.nan)
        fresh.network.apply(_reset_layer)
    left = [name for name, parameter in fresh.network.named_parameters() if parameter.isnan().any()]
    if left:
        raise BackboneError(
            f"no layer's reset_parameters draws the weight {left[0]}",
            where=backbone.name,
            fix="Give the module that holds it a method reset_parameters().",
        )
    return fresh


def _reset_layer(module: nn.Module) -> None:
    for name in ("reset_parameters", "_reset_parameters"):  # nn.MultiheadAttention has the second
        reset = getattr(module, name, None)
        if callable(reset):
            reset()
