"""Wav2Vec2-BERT, a Conformer for sounds: its folder, its preprocessing, and where it can be cut.

A recording becomes log-mel spectra as Kaldi computes them, each band with mean 0 and variance 1 over the window, two
spectra to a frame of 20 ms. The first cut is after the projection of these frames, the others after each layer. Frames
that fill up a batch are hidden from attention and from the convolutions, so a recording's features do not depend on its
neighbours.

The network has no positions that end, so a window is as long as config.json says (``headstart_window``, in seconds).

A band in which there is nothing, as above 4 kHz in a recording of 8,000 samples a second, holds the rounding of its
samples, and variance 1 makes that as loud as speech: another pattern in every copy. preprocessor_config.json may
state against it ``headstart_floor``, a power below which all is silence, and ``headstart_spread``, the least
standard deviation that is divided by.
"""

from collections.abc import Callable, Mapping
from functools import partial
from math import inf
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

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
from headstart.backbones._transformers import kaldi_log_mel, kaldi_mel, sound_network
from headstart.backbones._transformers_chains import Network, additive, values_of
from headstart.errors import BackboneError
from headstart.runtime.recordings import levelled

# What of a configuration makes the network.
NETWORK: Final = (
    *("hidden_size", "num_hidden_layers", "num_attention_heads", "intermediate_size", "hidden_act", "layer_norm_eps"),
    *("feature_projection_input_dim", "conv_depthwise_kernel_size", "position_embeddings_type", "initializer_range"),
    *("left_max_position_embeddings", "right_max_position_embeddings", "max_source_positions", "rotary_embedding_base"),
    *("hidden_dropout", "activation_dropout", "attention_dropout", "feat_proj_dropout", "conformer_conv_dropout"),
)
POSITIONS: Final = (None, "relative_key", "relative", "rotary")
# Parts that no feature uses, and what its pretraining drops at random: whole layers, and spans of frames or channels.
OFF: Final[Mapping[str, Any]] = {
    **dict.fromkeys(("add_adapter", "use_intermediate_ffn_before_adapter", "apply_spec_augment"), False),
    **dict.fromkeys(("mask_time_prob", "mask_feature_prob", "layerdrop"), 0.0),
}
STATED: Final = {"rate": "sampling_rate", "bands": "num_mel_bins", "stride": "stride"}
# What may be stated, both or neither, and what the files call it.
QUIET: Final = {"floor": "headstart_floor", "spread": "headstart_spread"}
HOP: Final = 160  # samples from one spectrum to the next, which its extractor does not let one choose
FFT: Final = 400  # samples of a spectrum
PREFIXES: Final = ("wav2vec2_bert.", "")  # with a head; the network alone
PARTS: Final = ("feature_projection", "encoder")
NOTE: Final = "a recording's features are the mean over its frames of the last layer"


def read(folder: Path) -> Recipe:
    """Read a Wav2Vec2-BERT network in transformers layout.

    Args:
        folder: Holds config.json, preprocessor_config.json and safetensors weights, with or without a head.

    Returns:
        What `build` needs.

    Raises:
        BackboneError: The files are missing, unsafe, damaged or do not fit.
    """
    stated = read_json(folder / "config.json")
    with torch.device("meta"):
        config = create(stated, where=str(folder)).config
    kept = {key: getattr(config, key) for key in NETWORK}
    settings = read_settings(folder, "SeamlessM4TFeatureExtractor")
    sound, quiet = _sound_in(settings, where=str(folder / SETTINGS)), _quiet_in(settings)
    step = sound["stride"] * HOP
    window = frames_of_window(stated, step=step, rate=sound["rate"], where=str(folder / "config.json"))
    source = {"library": "wav2vec2-bert", "config": kept, "sound": sound, "window": window, **quiet}
    _check(source, where=str(folder))
    weights, conversions = read_weights(folder)
    inner, others = strip_prefix(weights, PREFIXES, first="feature_projection.layer_norm.weight")
    state = {name: tensor for name, tensor in inner.items() if name.partition(".")[0] in PARTS}
    left = left_out([name.partition(".")[0] for name in {*others, *inner} - set(state)])
    return Recipe(source, {}, state, (*conversions, *_switched_off(stated), *left))


def build(recipe: Recipe, name: str) -> Backbone:
    """Assemble network, preprocessing and cut points."""
    source = recipe.source
    network = create(source["config"], where=name)
    _check(source, where=name)
    fill(network, recipe, where=name)
    pool = partial(pool_tokens, "mean")
    return Backbone(
        name=name,
        modality="audio",
        network=network,
        preparer=_preparer(source),
        blocks=_blocks(network),
        tail=pool,
        tail_modules=(),
        num_features=network.config.hidden_size,
        source=source,
        pool=pool,
        notes=(NOTE,),
    )


def create(config: Mapping[str, Any], *, where: str) -> Network:
    """Create the network, with weights that are still to be filled in.

    Args:
        config: As its config.json has it, or a part of that.
        where: What to name in an error.

    Returns:
        The network, without adapter and without the noise of its pretraining.

    Raises:
        BackboneError: transformers cannot build it, or its kind of positions is unknown.
    """
    kind = config.get("position_embeddings_type", "relative_key")
    if kind not in POSITIONS:
        known = ", ".join("null" if each is None else each for each in POSITIONS)
        problem = f'expected "position_embeddings_type" {known}, found {kind!r}'
        raise BackboneError(problem, where=where, fix="Copy config.json again, or choose another network.")
    return sound_network("wav2vec2-bert", {**config, **OFF}, where=where)


def _sound_in(stated: Mapping[str, Any], *, where: str) -> dict[str, int]:
    sound = {key: stated.get(theirs) for key, theirs in STATED.items()}
    check_numbers(sound, STATED, where=where)
    if stated.get("feature_size", sound["bands"]) != sound["bands"]:
        problem = f'expected "feature_size" {sound["bands"]}, as "num_mel_bins", found {stated["feature_size"]!r}'
        raise BackboneError(problem, where=where, fix="Copy the file again.")
    return {key: int(value) for key, value in sound.items() if value is not None}


def _quiet_in(stated: Mapping[str, Any]) -> dict[str, Any]:
    found = {key: stated[theirs] for key, theirs in QUIET.items() if theirs in stated}
    return {"quiet": found} if found else {}


def _check(source: Mapping[str, Any], *, where: str) -> None:
    """Check what describes sounds: it may come from a stranger's model folder."""
    config, sound, window = source["config"], source["sound"], source["window"]
    check_numbers({**sound, "window": window}, {**STATED, "window": WINDOW}, where=where)
    _check_quiet(source.get("quiet"), where=where)
    width, ends = config["feature_projection_input_dim"], config["max_source_positions"]
    problem = ""
    if sound["bands"] * sound["stride"] != width:
        problem = (
            f'expected frames of {width} numbers, as the network\'s "feature_projection_input_dim", '
            f"found {sound['stride']} spectra of {sound['bands']} in {SETTINGS}"
        )
    elif config["position_embeddings_type"] == "relative" and window > ends:
        problem = f'expected a window of at most {ends} frames, its "max_source_positions", found {window}'
    if problem:
        raise BackboneError(problem, where=where, fix="Check that the files belong together.")


def _check_quiet(quiet: Mapping[str, Any] | None, *, where: str) -> None:
    if quiet is None:
        return
    for key, theirs in QUIET.items():
        value: Any = quiet.get(key)
        if type(value) not in (int, float) or not 0 < value < inf:
            problem = f'expected a number above 0 for "{theirs}" in {SETTINGS}, found {value!r}'
            raise BackboneError(problem, where=where, fix=f"State both of {' and '.join(QUIET.values())}, or neither.")


def _switched_off(stated: Mapping[str, Any]) -> tuple[str, ...]:
    """Say what the configuration asks for and is not done."""
    notes = ("its adapter is left out",) if stated.get("add_adapter") else ()
    # The defaults are transformers' own: a file states only what differs from them.
    noise = ["dropping whole layers (layerdrop)"] if stated.get("layerdrop", 0.1) else []
    masks = [stated.get("mask_time_prob", 0.05), stated.get("mask_feature_prob", 0.0)]
    if stated.get("apply_spec_augment", True) and any(masks):
        noise.append("masking of spans (SpecAugment)")
    return (*notes, *((f"switched off in training: {', '.join(noise)}",) if noise else ()))


def _preparer(source: Mapping[str, Any]) -> SoundPreparer:
    sound, quiet, most = source["sound"], source.get("quiet", {}), source["window"]
    spectra = "log of power as Kaldi's, each band with mean 0 and variance 1 over the window"
    settings = {**sound, **quiet, "window": most, "hop": HOP, "fft": FFT, "spectra": spectra}
    # A spectrum reaches into the next ones: with that much at the end, no samples are left over.
    more = {"least": FFT + HOP, "reach": FFT - HOP, "bands": sound["bands"]}
    return SoundPreparer(_describing(sound, quiet), sound["rate"], sound["stride"] * HOP, most, settings, **more)


def _describing(sound: Mapping[str, int], quiet: Mapping[str, float]) -> Callable[[Samples], NDArray[np.float32]]:
    if not quiet:
        return kaldi_mel(**sound)
    spectra = kaldi_log_mel(rate=sound["rate"], bands=sound["bands"])
    width = sound["stride"] * sound["bands"]
    return lambda samples: levelled(spectra(samples), **quiet).reshape(-1, width)


def _blocks(network: Network) -> tuple[Block, ...]:
    encoder = network.encoder
    parts = (network.feature_projection, encoder.dropout)
    first = Block("projection", parts, partial(_project, *parts))
    layers = enumerate(encoder.layers)
    return (
        first,
        *(Block(f"encoder.layers.{i}", (layer,), partial(_run, encoder.embed_positions, layer)) for i, layer in layers),
    )


def _project(projection: nn.Module, dropout: nn.Module, batch: Batch) -> Tensor:
    values: Tensor = projection(batch.values)[0]
    if batch.mask is not None:
        values = values.masked_fill(~batch.mask[..., None], 0)
    dropped: Tensor = dropout(values)
    return dropped


def _run(table: Any, layer: nn.Module, batch: Batch) -> Tensor:
    positions = None
    if table is not None:
        # The rotary table keeps what it last computed, whatever the device, even from where no gradients are recorded.
        table.cached_sequence_length = None
        positions = table(batch.values)
    return values_of(
        layer(batch.values, additive(batch), relative_position_embeddings=positions, conv_attention_mask=batch.mask)
    )
