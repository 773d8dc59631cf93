"""Where text networks from transformers can be cut, by the names of their classes; transformers is not imported.

The first cut is after the embeddings, the others after each layer. Layers are run one by one with an additive mask, or
with none where nothing is padded, which lets the fastest attention kernel run. Padding is on the right, so a causal
decoder never needs a mask: no real token can see what follows it.

Some networks have tables of relative positions that every layer reads. They count with the embeddings: after any cut
they stay as they are, so that what is stored there still holds, and they train only where the whole network does.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from typing import Any, Final

import torch
from torch import Tensor, nn

from headstart.backbones._base import Block
from headstart.backbones._batch import Batch

Network = Any  # a PreTrainedModel; each class names its parts in its own way
Pool = Callable[[Batch], Tensor]
# Blocks, the tail, and the modules it uses.
Chain = tuple[tuple[Block, ...], Callable[[Batch], Tensor], tuple[nn.Module, ...]]


def chain(network: Network, pool: Pool) -> Chain:
    """Cut a network after its embeddings and every layer.

    Args:
        network: The network.
        pool: Tokens to one row per text.

    Returns:
        Blocks, tail and its modules; no blocks where the class is unknown or its layers share their weights.
    """
    kind = type(network).__name__
    if kind == "GPT2Model":
        return _gpt2(network), partial(normed, network.ln_f, pool), (network.ln_f,)
    if kind not in ENCODERS or getattr(network.config, "is_decoder", False):
        return (), partial(_whole, network, pool), (network,)
    return ENCODERS[kind](network), pool, ()


def _whole(network: nn.Module, pool: Pool, batch: Batch) -> Tensor:
    mask = torch.ones_like(batch.values) if batch.mask is None else batch.mask.long()
    hidden = network(input_ids=batch.values, attention_mask=mask).last_hidden_state
    return pool(replace(batch, values=hidden))


def normed(norm: nn.Module, pool: Pool, batch: Batch) -> Tensor:
    """Pool after a final norm."""
    return pool(replace(batch, values=norm(batch.values)))


def _gpt2(network: Network) -> tuple[Block, ...]:
    first = Block("embeddings", (network.wte, network.wpe), partial(_embed_gpt2, network.wte, network.wpe))
    return (first, *(Block(f"h.{i}", (layer,), partial(_run_causal, layer)) for i, layer in enumerate(network.h)))


def _embed_gpt2(tokens: nn.Module, positions: nn.Module, batch: Batch) -> Tensor:
    values: Tensor = tokens(batch.values) + positions(torch.arange(batch.values.shape[1], device=batch.values.device))
    return values


def _run_causal(layer: nn.Module, batch: Batch) -> Tensor:
    return values_of(layer(batch.values))


def _bert(network: Network, *, path: str = "encoder.layer") -> tuple[Block, ...]:
    """Cut an encoder whose embeddings know all about positions."""
    parts = [network.embeddings]
    if hasattr(network, "embeddings_project"):  # ELECTRA's, where they are narrower than the layers
        parts.append(network.embeddings_project)
    layers = enumerate(network.get_submodule(path))
    blocks = (Block(f"{path}.{i}", (layer,), partial(_run_masked, layer)) for i, layer in layers)
    return (Block("embeddings", tuple(parts), partial(_embed, tuple(parts))), *blocks)


def _embed(parts: tuple[nn.Module, ...], batch: Batch) -> Tensor:
    values: Tensor = parts[0](input_ids=batch.values)
    for module in parts[1:]:
        values = module(values)
    return values


def _run_masked(layer: nn.Module, batch: Batch) -> Tensor:
    return values_of(layer(batch.values, additive(batch)))


def additive(batch: Batch) -> Tensor | None:
    """Return what is added to the attention scores, (W, 1, 1, T): nothing for real tokens, the lowest number else."""
    if batch.mask is None:
        return None
    mask = torch.zeros(batch.mask.shape, dtype=batch.values.dtype, device=batch.values.device)
    return mask.masked_fill(~batch.mask, torch.finfo(mask.dtype).min)[:, None, None, :]


def _mpnet(network: Network) -> tuple[Block, ...]:
    encoder = network.encoder
    parts = (network.embeddings, encoder.relative_attention_bias)
    layers = enumerate(encoder.layer)
    blocks = (Block(f"encoder.layer.{i}", (layer,), partial(_run_biased, encoder, layer)) for i, layer in layers)
    return (Block("embeddings", parts, partial(_embed, parts[:1])), *blocks)


def _run_biased(encoder: Network, layer: nn.Module, batch: Batch) -> Tensor:
    bias = encoder.compute_position_bias(batch.values[:1])  # the same for every text
    return values_of(layer(batch.values, additive(batch), position_bias=bias))


def _deberta(network: Network) -> tuple[Block, ...]:
    encoder = network.encoder
    tables = (module for name in ("rel_embeddings", "LayerNorm") if (module := getattr(encoder, name, None)))
    first = Block("embeddings", (network.embeddings, *tables), partial(_embed_masked, network.embeddings))
    convolution = getattr(encoder, "conv", None)
    blocks = []
    for i, layer in enumerate(encoder.layer):
        run: Callable[[Batch], Tensor] = partial(_run_disentangled, encoder, layer)
        modules: tuple[nn.Module, ...] = (layer,)
        if i == 0 and convolution is not None:  # it reads the input of the first layer beside its output
            run, modules = partial(_run_convolved, run, convolution), (layer, convolution)
        blocks.append(Block(f"encoder.layer.{i}", modules, run))
    return (first, *blocks)


def _embed_masked(embeddings: nn.Module, batch: Batch) -> Tensor:
    values: Tensor = embeddings(input_ids=batch.values, mask=batch.mask)
    return values


def _run_disentangled(encoder: Network, layer: nn.Module, batch: Batch) -> Tensor:
    values = batch.values
    # It takes what may be seen, not what is added; one place stands for all where nothing is padded.
    seen = values.new_ones(1, 1, dtype=torch.bool) if batch.mask is None else batch.mask
    positions, table = encoder.get_rel_pos(values), encoder.get_rel_embedding()
    return values_of(layer(values, seen[:, None, None, :], relative_pos=positions, rel_embeddings=table))


def _run_convolved(run: Callable[[Batch], Tensor], convolution: nn.Module, batch: Batch) -> Tensor:
    values, mask = batch.values, batch.mask
    if mask is None:
        mask = values.new_ones(values.shape[:2], dtype=torch.bool)
    # The convolution reaches from the last token into the padding, where a store need not hold the zeros it expects.
    mixed: Tensor = convolution(values * mask[..., None], run(batch), mask.long())
    return mixed


def values_of(output: Tensor | tuple[Tensor, ...]) -> Tensor:
    """Take the activations; some layers return them in a tuple."""
    return output[0] if isinstance(output, tuple) else output


ENCODERS: Final[Mapping[str, Callable[[Network], tuple[Block, ...]]]] = {
    "BertModel": _bert,
    "RobertaModel": _bert,
    "XLMRobertaModel": _bert,
    "CamembertModel": _bert,
    "ElectraModel": _bert,
    "DistilBertModel": partial(_bert, path="transformer.layer"),
    "MPNetModel": _mpnet,
    "DebertaModel": _deberta,
    "DebertaV2Model": _deberta,
}
