"""wav2vec 2.0, HuBERT and WavLM, networks that hear samples: their folder, their preprocessing, where they can be cut.

A recording goes in as it is, or with mean 0 and variance 1 over the window where its extractor says so. Convolutions
make a frame of every 320 samples, from those and the 80 after them. The first cut is after these frames are projected
and told their places, the others after each layer.

A recording's features do not depend on its neighbours in a batch, whatever the network was trained with. Frames that
fill up a batch are hidden from attention, and zero where a convolution looks for places. Some networks normalise over
the time of their first convolution (``feat_extract_norm`` "group"), where silence beside a recording would count:
there only windows of one length go through the convolutions together.

WavLM's attention has one table of relative positions, which lies in its first layer and which all layers read. It
counts with that layer: it trains where the first layer does, and stays as it is after any later cut, so that what is
stored there still holds. Its attention is written out here, because transformers' own uses the weights of its layers
without calling them, which adapters do not survive.

They have no positions that end, so a window is as long as config.json says (``headstart_window``, in seconds).
"""

import re
from collections.abc import Callable, Mapping
from functools import partial
from math import prod
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.functional import scaled_dot_product_attention

from headstart.backbones._base import Backbone, Block
from headstart.backbones._batch import Batch
from headstart.backbones._folder import Recipe, fill, left_out, read_json, read_weights
from headstart.backbones._sounds import (
    SETTINGS,
    WINDOW,
    Samples,
    SoundPreparer,
    check_numbers,
    frames_of_window,
    read_settings,
    strip_prefix,
)
from headstart.backbones._texts import pool_tokens
from headstart.backbones._transformers import normalised, sound_network
from headstart.backbones._transformers_chains import Network, Pool, additive, normed, values_of
from headstart.errors import BackboneError

# What of a configuration makes the network; the lists are those of the convolutions.
LISTS: Final = ("conv_dim", "conv_stride", "conv_kernel")
NETWORK: Final = (
    *("hidden_size", "num_hidden_layers", "num_attention_heads", "intermediate_size", "hidden_act", "layer_norm_eps"),
    *("initializer_range", "do_stable_layer_norm", "feat_extract_norm", "feat_extract_activation", "conv_bias"),
    *("num_conv_pos_embeddings", "num_conv_pos_embedding_groups", *LISTS),
)
OWN: Final[Mapping[str, tuple[str, ...]]] = {
    "wav2vec2": ("adapter_attn_dim",),
    "hubert": ("feat_proj_layer_norm", "conv_pos_batch_norm"),
    "wavlm": ("num_buckets", "max_bucket_distance"),
}
DROPOUT: Final = {"hidden_dropout": 0.1, "activation_dropout": 0.1, "attention_dropout": 0.1, "feat_proj_dropout": 0.0}
# Parts that no feature uses, and what pretraining drops at random: numbers, whole layers, spans of frames or channels.
OFF: Final[Mapping[str, Any]] = {
    **dict.fromkeys(("add_adapter", "apply_spec_augment"), False),
    **dict.fromkeys(("mask_time_prob", "mask_feature_prob", "layerdrop", *DROPOUT), 0.0),
}
PARTS: Final = ("feature_extractor", "feature_projection", "encoder")
NOTE: Final = "a recording's features are the mean over its frames of the last layer"
TOGETHER: Final = 3000  # frames that go through the convolutions at once: 60 s, 1 GB in networks of usual width
PAIRS: Final = 2**23  # pairs of frames that WavLM's attention looks at at once: 0.4 GB for twelve heads


def read(folder: Path) -> Recipe:
    """Read a wav2vec 2.0, HuBERT or WavLM network in transformers layout.

    Args:
        folder: Holds config.json, preprocessor_config.json and safetensors weights, with or without a head.

    Returns:
        What `build` needs.

    Raises:
        BackboneError: The files are missing, unsafe, damaged or do not fit.
    """
    stated = read_json(folder / "config.json")
    kind = str(stated["model_type"])
    with torch.device("meta"):
        config = create(kind, stated, where=str(folder)).config
    kept = {key: getattr(config, key) for key in (*NETWORK, *OWN[kind])}
    kept |= {key: list(kept[key]) for key in LISTS}
    step, _ = _geometry(config, where=str(folder / "config.json"))
    sound = _read_sound(folder)
    window = frames_of_window(stated, step=step, rate=sound["rate"], where=str(folder / "config.json"))
    source = {"library": "wav2vec2", "kind": kind, "config": kept, "sound": sound, "window": window}
    weights, conversions = read_weights(folder)
    inner, others = strip_prefix(weights, (f"{kind}.", ""), first="feature_projection.projection.weight")
    state = {_renamed(name): tensor for name, tensor in inner.items() if name.partition(".")[0] in PARTS}
    rest = others | {name for name in inner if name.partition(".")[0] not in PARTS}
    left = left_out([name.partition(".")[0] for name in rest])
    return Recipe(source, {}, state, (*conversions, *_switched_off(stated), *left))


def build(recipe: Recipe, name: str) -> Backbone:
    """Assemble network, preprocessing and cut points."""
    source = recipe.source
    network = create(source["kind"], source["config"], where=name)
    preparer = _preparer(source, network.config, where=name)
    fill(network, recipe, where=name)
    pool: Pool = partial(pool_tokens, "mean")
    last = (network.encoder.layer_norm,) if network.config.do_stable_layer_norm else ()
    return Backbone(
        name=name,
        modality="audio",
        network=network,
        preparer=preparer,
        blocks=_blocks(network, preparer.step),
        tail=partial(normed, *last, pool) if last else pool,
        tail_modules=last,
        num_features=network.config.hidden_size,
        source=source,
        pool=pool,
        notes=(NOTE,),
    )


def create(kind: str, config: Mapping[str, Any], *, where: str) -> Network:
    """Create the network, with weights that are still to be filled in.

    Args:
        kind: Its model type.
        config: As its config.json has it, or a part of that.
        where: What to name in an error.

    Returns:
        The network, without adapter and without the noise of its pretraining.

    Raises:
        BackboneError: The kind is another, it has no layers, or transformers cannot build it.
    """
    if kind not in OWN:
        problem = f"expected a network among {', '.join(OWN)}, found {kind!r}"
        raise BackboneError(problem, where=where, fix="Copy it again.")
    check_numbers({"layers": config.get("num_hidden_layers", 12)}, {"layers": "num_hidden_layers"}, where=where)
    return sound_network(kind, {**config, **OFF}, where=where)


def _renamed(name: str) -> str:
    """Name the two parts of a convolution's weight as PyTorch does now, older checkpoints as it did."""
    name = re.sub(r"\.weight_g$", ".parametrizations.weight.original0", name)
    return re.sub(r"\.weight_v$", ".parametrizations.weight.original1", name)


def _read_sound(folder: Path) -> dict[str, Any]:
    stated = read_settings(folder, "Wav2Vec2FeatureExtractor")
    sound = {"rate": stated.get("sampling_rate"), "normalize": stated.get("do_normalize")}
    _check_sound(sound, where=str(folder / SETTINGS))
    if (channels := stated.get("feature_size", 1)) != 1:
        problem = f'expected "feature_size" 1, a sample at a time, found {channels!r}'
        raise BackboneError(problem, where=str(folder / SETTINGS), fix="Check that it belongs to this network.")
    return sound


def _check_sound(sound: Mapping[str, Any], *, where: str) -> None:
    check_numbers(sound, {"rate": "sampling_rate"}, where=where)
    if not isinstance(sound["normalize"], bool):
        problem = f'expected true or false for "do_normalize", found {sound["normalize"]!r}'
        raise BackboneError(problem, where=where, fix="Write what the network was trained with.")


def _geometry(config: Any, *, where: str) -> tuple[int, int]:
    """Return the samples from one frame to the next, and those after its own that a frame is computed from."""
    kernels, strides = list(config.conv_kernel), list(config.conv_stride)
    step, reach = prod(strides), 1 - prod(strides)
    for i, kernel in enumerate(kernels):
        reach += (kernel - 1) * prod(strides[:i])
    if min(*kernels, *strides) < 1 or not 0 <= reach <= step:
        problem = (
            "expected convolutions whose frames reach into the next frame at most, "
            f'found "conv_kernel" {kernels} and "conv_stride" {strides}'
        )
        raise BackboneError(problem, where=where, fix="Copy config.json again, or choose another network.")
    return step, reach


def _switched_off(stated: Mapping[str, Any]) -> tuple[str, ...]:
    """Say what the configuration asks for and is not done."""
    notes = ("its adapter is left out",) if stated.get("add_adapter") else ()
    # The defaults are transformers' own: a file states only what differs from them.
    noise = ["dropout"] if any(stated.get(key, default) for key, default in DROPOUT.items()) else []
    noise += ["dropping whole layers (layerdrop)"] if stated.get("layerdrop", 0.1) else []
    masks = [stated.get("mask_time_prob", 0.05), stated.get("mask_feature_prob", 0.0)]
    if stated.get("apply_spec_augment", True) and any(masks):
        noise.append("masking of spans (SpecAugment)")
    return (*notes, *((f"switched off in training: {', '.join(noise)}",) if noise else ()))


def _preparer(source: Mapping[str, Any], config: Any, *, where: str) -> SoundPreparer:
    sound, most = source["sound"], source["window"]
    step, reach = _geometry(config, where=where)
    _check_sound(sound, where=where)
    check_numbers(source, {"window": WINDOW}, where=where)
    settings = {**sound, "window": most, "step": step, "reach": reach}
    change = normalised(rate=sound["rate"]) if sound["normalize"] else None
    describe = partial(_describe, change, step, reach)
    return SoundPreparer(describe, sound["rate"], step, most, settings, least=step + reach, reach=reach)


def _describe(change: Callable[[Samples], Samples] | None, step: int, reach: int, samples: Samples) -> NDArray[Any]:
    """Return what each frame is computed from, (T, step + reach) samples."""
    samples = samples if change is None else change(samples)
    return np.ascontiguousarray(np.lib.stride_tricks.sliding_window_view(samples, step + reach)[::step])


def _blocks(network: Network, step: int) -> tuple[Block, ...]:
    encoder, config = network.encoder, network.config
    norm = None if config.do_stable_layer_norm else encoder.layer_norm
    parts = (network.feature_extractor, network.feature_projection, encoder.pos_conv_embed)
    apart = config.feat_extract_norm == "group" or getattr(config, "conv_pos_batch_norm", False)
    embed = partial(_embed, *parts, norm)
    first = Block(
        "projection", (*parts, *([norm] if norm is not None else ())), partial(_project, embed, step, apart=apart)
    )
    run = (
        partial(_run_gated, encoder.layers[0].attention, stable=norm is None) if config.model_type == "wavlm" else _run
    )
    layers = enumerate(encoder.layers)
    return (first, *(Block(f"encoder.layers.{i}", (layer,), partial(run, layer)) for i, layer in layers))


def _project(embed: Callable[[Tensor, Tensor | None], Tensor], step: int, batch: Batch, *, apart: bool) -> Tensor:
    """Run the convolutions on a few windows at a time, where need be on those of one length only."""
    values, mask = batch.values, batch.mask
    lengths = np.full(len(values), values.shape[1])
    if mask is not None and apart:
        lengths = mask.sum(1).cpu().numpy()
    found: Tensor | None = None
    for length in np.unique(lengths).tolist():
        alike = torch.from_numpy(np.flatnonzero(lengths == length))
        for rows in torch.split(alike, max(1, TOGETHER // length)):
            part = embed(_joined(values[rows, :length], step), None if mask is None else mask[rows, :length])
            if found is None:
                found = part.new_zeros(*values.shape[:2], part.shape[2])
            found[rows, :length] = part
    assert found is not None, "a batch has windows"
    return found


def _joined(frames: Tensor, step: int) -> Tensor:
    """Join the samples of frames again, which overlap."""
    windows, length, size = frames.shape
    samples = frames.new_zeros(windows, length + 1, step)
    samples[:, :-1] = frames[..., :step]
    samples[:, 1:, : size - step] = frames[..., step:]
    return samples.flatten(1)[:, : length * step + size - step]


def _embed(
    convolutions: Any, projection: nn.Module, places: nn.Module, norm: nn.Module | None, samples: Tensor, mask: Any
) -> Tensor:
    values = samples[:, None]
    for layer in convolutions.conv_layers:
        values = layer(values)
    values = values_of(projection(values.transpose(1, 2)))
    if mask is not None:
        values = values.masked_fill(~mask[..., None], 0)
    placed: Tensor = values + places(values)
    normal: Tensor = placed if norm is None else norm(placed)
    return normal


def _run(layer: nn.Module, batch: Batch) -> Tensor:
    return values_of(layer(batch.values, attention_mask=additive(batch)))


def _run_gated(first: Any, layer: Any, batch: Batch, *, stable: bool) -> Tensor:
    """Run a layer of WavLM; the first layer's attention knows how far frames are apart."""
    values: Tensor = batch.values
    seen = layer.layer_norm(values) if stable else values
    size = max(1, PAIRS // values.shape[1] ** 2)
    windows = torch.split(seen, size)
    masks = [None] * len(windows) if batch.mask is None else torch.split(batch.mask, size)
    parts = [_attend(layer.attention, first, *each) for each in zip(windows, masks, strict=True)]
    values = values + torch.cat(parts)
    if not stable:
        values = layer.layer_norm(values)
    more: Tensor = layer.feed_forward(layer.final_layer_norm(values) if stable else values)
    found: Tensor = values + more if stable else layer.final_layer_norm(values + more)
    return found


def _attend(attention: Any, first: Any, values: Tensor, mask: Tensor | None) -> Tensor:
    """Attend with relative positions, each of which counts as much as a frame lets it (Chen et al., 2021)."""
    split = (*values.shape[:2], attention.num_heads, -1)
    layers = (attention.q_proj, attention.k_proj, attention.v_proj)
    query, key, value = (layer(values).view(split).transpose(1, 2) for layer in layers)
    gates = attention.gru_rel_pos_linear(values.view(split).transpose(1, 2)).unflatten(-1, (2, 4)).sum(-1)
    one, other = gates.sigmoid().chunk(2, dim=-1)
    gate = one * (other * attention.gru_rel_pos_const - 1) + 2
    bias = gate * first.compute_bias(values.shape[1], values.shape[1])
    if mask is not None:
        bias = bias.masked_fill(~mask[:, None, None, :], torch.finfo(bias.dtype).min)
    heard = scaled_dot_product_attention(query, key, value, attn_mask=bias)
    found: Tensor = attention.out_proj(heard.transpose(1, 2).flatten(2))
    return found
