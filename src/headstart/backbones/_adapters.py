"""What training changed in a network, as low-rank adapters in peft's layout beside the pretrained network.

A model holds its adapters merged into the weights. The change of every layer's weight is their product, so its
singular value decomposition gives factors of that rank back: not the same two matrices, but the same product, to the
rounding of the merged weights. What changed by more than low ranks has no such factors and is refused.

peft is not imported here.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Final, final

import torch
from torch import Tensor, nn

from headstart.backbones._base import Backbone
from headstart.backbones._lora import is_transposed, load_adapters, write_adapter_config
from headstart.backbones._tensors import write_tensors
from headstart.errors import BackboneError

FIX: Final = "Adapters come of --strategy lora; --format onnx keeps any model's answers."
CLOSE: Final = 1e-6  # of a weight's size: what factors may leave out, about what merging rounded
HIGHEST: Final = 128  # rank


@final
@dataclass(frozen=True)
class Adapters:
    """What was written.

    Attributes:
        layers: Names of the adapted layers.
        rank: Of all adapters.
        left_out: The largest part of a weight that its factors leave out, relative to the weight.
    """

    layers: tuple[str, ...]
    rank: int
    left_out: float


def write_adapters(pretrained: Backbone, trained: Backbone, *, base: str, folder: Path) -> Adapters:
    """Write the difference between two networks as adapters.

    Args:
        pretrained: What training started from.
        trained: What came of it.
        base: How the users of the adapters call the pretrained network.
        folder: An existing folder; ``adapter_config.json`` and ``adapter_model.safetensors`` are written there.

    Returns:
        What was written.

    Raises:
        BackboneError: Nothing was trained, or what was is no low-rank change of layers' weights.
    """
    changes = _changes(pretrained, trained)
    factored = {name: _factors(change, weight) for name, (change, weight) in changes.items()}
    rank = max(len(values) for _, values, _, _ in factored.values())
    if rank > HIGHEST:
        problem = f"training changed its weights by more than low ranks ({rank} and more), which no adapter holds"
        raise BackboneError(problem, where=trained.name, fix=FIX)
    tensors = {}
    for name, (left, values, right, _) in factored.items():
        layer = trained.network.get_submodule(name)
        down, up = _shaped(layer, left, values, right, rank)
        tensors[f"base_model.model.{name}.lora_A.weight"], tensors[f"base_model.model.{name}.lora_B.weight"] = down, up
    transposed = is_transposed(trained.network.get_submodule(next(iter(factored))))
    write_adapter_config(sorted(factored), rank=rank, transposed=transposed, base=base, folder=folder)
    write_tensors(folder / "adapter_model.safetensors", tensors)
    return Adapters(tuple(sorted(factored)), rank, max(rest for *_, rest in factored.values()))


def read_adapters(pretrained: Backbone, folder: Path) -> dict[str, Tensor]:
    """Load adapters with peft's own loader, and fold them in.

    Args:
        pretrained: The network they belong to; it stays as it is.
        folder: What `write_adapters` made.

    Returns:
        The weights of the adapted network.
    """
    own = pretrained.copy(after=None)
    return load_adapters(own.network, folder)


def _changes(pretrained: Backbone, trained: Backbone) -> dict[str, tuple[Tensor, Tensor]]:
    """Return what was added to each layer's weight, and the weight, both as (out, in)."""
    before, after = pretrained.network.state_dict(), trained.network.state_dict()
    if {name: t.shape for name, t in before.items()} != {name: t.shape for name, t in after.items()}:
        problem = f"it is no longer built as {pretrained.name} (cut off, or of other channels)"
        raise BackboneError(problem, where=trained.name, fix="Export the whole with --format onnx.")
    changes = {}
    for name in before:
        if torch.equal(before[name], after[name]):
            continue
        layer, _, part = name.rpartition(".")
        module = trained.network.get_submodule(layer)
        if part != "weight" or (not isinstance(module, nn.Linear | nn.Conv2d) and not is_transposed(module)):
            problem = f"training changed {name}, which low-rank adapters do not hold"
            raise BackboneError(problem, where=trained.name, fix=FIX)
        old, new = _matrix(module, before[name]), _matrix(module, after[name])
        changes[layer] = (new - old, old)
    if not changes:
        fix = "Name --backbone there and load the head; or choose another --format."
        raise BackboneError("its network is the pretrained one: there is nothing to adapt", where=trained.name, fix=fix)
    return changes


def _matrix(layer: nn.Module, weight: Tensor) -> Tensor:
    matrix = weight.detach().cpu().double().flatten(1)
    return matrix.T if is_transposed(layer) else matrix


def _factors(change: Tensor, weight: Tensor) -> tuple[Tensor, Tensor, Tensor, float]:
    """Return the fewest singular vectors and values that leave out nothing of size."""
    left, values, right = torch.linalg.svd(change, full_matrices=False)
    size = float(weight.norm()) or 1.0
    rests = values.square().flip(0).cumsum(0).flip(0).sqrt() / size  # what is left out from each value on
    rank = max(1, int((rests > CLOSE).sum()))
    rest = float(rests[rank]) if rank < len(rests) else 0.0
    return left[:, :rank], values[:rank], right[:rank], rest


def _shaped(layer: nn.Module, left: Tensor, values: Tensor, right: Tensor, rank: int) -> tuple[Tensor, Tensor]:
    """Return both factors as peft keeps them, filled up with zeros to one rank for all layers."""
    roots = values.sqrt()
    down, up = torch.zeros(rank, right.shape[1]), torch.zeros(left.shape[0], rank)
    down[: len(values)], up[:, : len(values)] = roots[:, None] * right, left * roots
    if isinstance(layer, nn.Conv2d):
        return down.reshape(rank, layer.in_channels, *layer.kernel_size), up[:, :, None, None]
    return down, up
