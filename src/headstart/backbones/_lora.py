"""Low-rank adapters inside the blocks after a cut point. The only file that imports peft.

Hu et al., "LoRA: Low-Rank Adaptation of Large Language Models", ICLR 2022, equation 3: a layer's weight W becomes
W + (alpha / rank) B A, where only B (at first zero, so that nothing changes) and A train. As there, attention's query
and value projections are adapted; fused projections (GPT-2, DeBERTa, timm's ViT) as a whole. Ours differs for networks
without attention, whose 1x1 and 3x3 convolutions are adapted, and in that nothing before the cut is, because the
activations stored there would no longer hold.
"""

import math
import warnings
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, replace
from pathlib import Path
from re import escape
from typing import Any, Final, final

import torch
from torch import Tensor, nn

from headstart.backbones._base import Backbone
from headstart.errors import BackboneError, OptionError, first_line

ATTENTION: Final = {
    *("query", "value", "q_lin", "v_lin", "q", "v", "q_proj", "v_proj", "query_proj", "value_proj"),
    *("c_attn", "qkv", "in_proj", "linear_q", "linear_v"),
}
KERNELS: Final = {(1, 1), (3, 3)}
# They hand their layers' weights to fused kernels and never call the layers, so an adapter there would have no effect.
CLOSED: Final = (nn.MultiheadAttention, nn.TransformerEncoderLayer, nn.TransformerDecoderLayer)


@final
@dataclass(frozen=True, eq=False)
class Lora:
    """A backbone with adapters.

    Attributes:
        backbone: Runs with the adapters; its other weights are frozen.
        parameters: What to train, by name, in the network's order.
        layers: Names of the adapted layers.
        after: The cut point after which they are, or None for the whole network.
    """

    backbone: Backbone
    parameters: Mapping[str, nn.Parameter]
    layers: tuple[str, ...]
    after: str | None

    def merge(self) -> Backbone:
        """Fold the adapters into the weights.

        Returns:
            A plain backbone with the names of the original network and the outputs of the adapted one. It is
            a copy: the adapters stay as they are and can be trained on.
        """
        merged = self.backbone.copy(after=self.after)
        replaced: dict[nn.Module, nn.Module] = {}
        for name in self.layers:
            layer: Any = merged.network.get_submodule(name)
            with torch.no_grad():
                layer.merge()
            replaced[layer] = layer.get_base_layer()
            merged.network.set_submodule(name, replaced[layer])
        merged.network.eval().requires_grad_(requires_grad=False)
        return _rewired(merged, replaced)


def with_lora(backbone: Backbone, *, after: str | None, rank: int, alpha: float, seed: int) -> Lora:
    """Put low-rank adapters into the blocks after a cut point.

    Args:
        backbone: It stays as it is; what follows the cut is copied.
        after: The cut point, a name from `Backbone.cuts`; None adapts all blocks.
        rank: Inner dimension of the adapters.
        alpha: The adapters' product is scaled by ``alpha / rank``.
        seed: Decides the adapters' first weights. The global random state is not touched.

    Returns:
        The adapted backbone, with the outputs of the original until it is trained.

    Raises:
        OptionError: Rank or alpha is not positive.
        BackboneError: There is no such cut point, a weight is used on both sides of it, or no layer after it can be
            adapted.
    """
    if rank < 1 or not (alpha > 0 and math.isfinite(alpha)):
        raise OptionError(
            f"expected a rank from 1 and a positive alpha, found rank {rank} and alpha {alpha}",
            where="LoRA",
            fix="Write rank=8, alpha=16.",
        )
    layers = _targets(backbone, after)
    own = backbone.copy(after=after)
    replaced = [own.network.get_submodule(name) for name in layers]
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        _inject(own, layers, rank=rank, alpha=alpha)
    own.network.eval()
    adapted = _rewired(own, {old: own.network.get_submodule(n) for n, old in zip(layers, replaced, strict=True)})
    trained = {name: p for name, p in own.network.named_parameters() if p.requires_grad}
    return Lora(adapted, trained, tuple(layers), after)


def _targets(backbone: Backbone, after: str | None) -> list[str]:
    """Name the layers to adapt: attention's where there are any, else convolutions, else linear layers."""
    network = backbone.network
    inside = _parts([module for block in backbone.after(after) for module in block.modules])
    inside -= _parts([module for module in network.modules() if _is_closed(module)])
    # A layer that stands in two places would be adapted in one of them and merged into both.
    places = Counter(id(module) for _, module in network.named_modules(remove_duplicate=False))
    for fits in KINDS:
        names = [
            name
            for name, module in network.named_modules()
            if id(module) in inside and places[id(module)] == 1 and fits(name, module)
        ]
        if names:
            return names
    raise BackboneError(
        f"no layer {f'after {after!r} ' if after else ''}can carry an adapter",
        where=backbone.name,
        fix="Choose an earlier cut point, or fine-tune the layers themselves.",
    )


def _parts(modules: Sequence[nn.Module]) -> set[int]:
    return {id(part) for module in modules for part in module.modules()}


def _is_closed(module: nn.Module) -> bool:
    """Recognise attention that uses its layers' weights without calling the layers, as timm's EVA with biases does."""
    biased = getattr(module, "q_bias", None) is not None and isinstance(getattr(module, "qkv", None), nn.Linear)
    return biased or isinstance(module, CLOSED)


def _is_attention(name: str, module: nn.Module) -> bool:
    return name.rpartition(".")[2] in ATTENTION and (_is_linear(name, module) or is_transposed(module))


def is_transposed(module: nn.Module) -> bool:
    """Recognise the linear layer of GPT-2, whose weight is stored the other way round.

    Args:
        module: Any layer.

    Returns:
        Whether its weight is (in, out).
    """
    return type(module).__name__ == "Conv1D"


def _is_convolution(name: str, module: nn.Module) -> bool:  # noqa: ARG001 - all kinds are asked alike
    """Recognise what peft adapts rightly: it ignores dilation, cannot merge groups and knows no other padding."""
    # A subclass may pad in its own way, as timm's Conv2dSame does.
    return (
        type(module) is nn.Conv2d
        and module.kernel_size in KERNELS
        and (module.groups, module.dilation, module.padding_mode) == (1, (1, 1), "zeros")
    )


def _is_linear(name: str, module: nn.Module) -> bool:  # noqa: ARG001 - all kinds are asked alike
    return type(module) is nn.Linear


KINDS: Final[tuple[Callable[[str, nn.Module], bool], ...]] = (_is_attention, _is_convolution, _is_linear)


def _inject(backbone: Backbone, layers: Sequence[str], *, rank: int, alpha: float) -> None:
    """Let peft replace the layers by ones that hold them as ``base_layer``, and freeze the rest."""
    import peft  # takes seconds, and most runs need no adapters

    network = backbone.network
    options: dict[str, Any] = {
        "r": rank,
        "lora_alpha": alpha,
        "target_modules": f"(?:{'|'.join(map(escape, layers))})",
        "fan_in_fan_out": is_transposed(network.get_submodule(layers[0])),
    }
    try:
        peft.inject_adapter_in_model(peft.LoraConfig(**options), network)
    except (ValueError, TypeError, RuntimeError, AttributeError) as error:
        raise BackboneError(
            f"peft cannot adapt it ({first_line(error)})", where=backbone.name, fix="Fine-tune the layers themselves."
        ) from error
    vars(network).pop("peft_config", None)  # peft leaves it on the network, which outlives the adapters


def write_adapter_config(layers: Sequence[str], *, rank: int, transposed: bool, base: str, folder: Path) -> None:
    """Write ``adapter_config.json`` as peft reads it.

    Args:
        layers: Names of the adapted layers, in the network without a head.
        rank: Inner dimension of the adapters, whose product is added as it is.
        transposed: Whether the layers' weights are (in, out).
        base: How its users call the pretrained network.
        folder: An existing folder.
    """
    import peft

    config = peft.LoraConfig(
        r=rank,
        lora_alpha=rank,
        target_modules=list(layers),
        fan_in_fan_out=transposed,
        base_model_name_or_path=base,
        inference_mode=True,
    )
    config.save_pretrained(str(folder))


def load_adapters(network: nn.Module, folder: Path) -> dict[str, Tensor]:
    """Load adapters into a network with peft's own loader, and fold them in.

    Args:
        network: The pretrained network; it is changed.
        folder: Holds ``adapter_config.json`` and ``adapter_model.safetensors``.

    Returns:
        The weights of the adapted network, by its own names.
    """
    import peft

    adapted: Any = peft.PeftModel  # it is typed for transformers' networks, and takes any module
    with warnings.catch_warnings():  # peft asks what versions of transformers no longer like to be asked
        warnings.simplefilter("ignore", FutureWarning)
        merged = adapted.from_pretrained(network, str(folder)).merge_and_unload()
    state: dict[str, Tensor] = merged.state_dict()
    return state


def _rewired(backbone: Backbone, replaced: Mapping[nn.Module, nn.Module]) -> Backbone:
    """Point blocks, tail and pooling to the layers that took another's place.

    A layer may be a block's own, as in VGG; replacing it inside the network does not reach the block.
    """
    memo: dict[int, Any] = {id(module): module for module in backbone.network.modules()}
    memo |= {id(old): new for old, new in replaced.items()}
    parts = (backbone.blocks, backbone.tail, backbone.tail_modules, backbone.pool)
    blocks, tail, tail_modules, pool = deepcopy(parts, memo)
    return replace(backbone, blocks=blocks, tail=tail, tail_modules=tail_modules, pool=pool)
