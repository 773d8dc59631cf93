"""AST, the audio spectrogram transformer: its folder, its preprocessing, and where it can be cut.

A window of fixed length (1,024 spectra, 10.24 s, in the networks there are) becomes log-mel spectra as Kaldi computes
them, and overlapping patches of these become tokens, with two more in front. A shorter recording is filled up with
zeros, as the network was trained. The first cut is after the embeddings, the others after each layer.

A window's features are the mean of the two tokens in front after the final norm, which is what the network's own
classifier reads. There are no features of frames: patches reach over bands as well as over time.
"""

import re
from collections.abc import Callable, Mapping
from functools import partial
from math import isfinite
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from headstart.backbones._base import Backbone, Block
from headstart.backbones._batch import Batch
from headstart.backbones._folder import Recipe, fill, left_out, read_json, read_weights
from headstart.backbones._sounds import SETTINGS, Samples, SoundPreparer, check_numbers, read_settings, strip_prefix
from headstart.backbones._texts import pool_tokens
from headstart.backbones._transformers import ast_mel, sound_network
from headstart.backbones._transformers_chains import Network, normed, values_of
from headstart.errors import BackboneError

# What of a configuration makes the network.
NETWORK: Final = (
    *("hidden_size", "num_hidden_layers", "num_attention_heads", "intermediate_size", "hidden_act", "layer_norm_eps"),
    *("hidden_dropout_prob", "attention_probs_dropout_prob", "initializer_range", "qkv_bias", "patch_size"),
    *("frequency_stride", "time_stride", "max_length", "num_mel_bins"),
)
STATED: Final = {"rate": "sampling_rate", "bands": "num_mel_bins", "most": "max_length"}
SCALE: Final = {"normalize": "do_normalize", "mean": "mean", "std": "std"}
RATE: Final = 16_000  # its extractor knows no other
HOP: Final = 160  # samples from one spectrum to the next
FFT: Final = 400  # samples of a spectrum
FRONT: Final = 2  # tokens before those of the patches
PREFIXES: Final = ("audio_spectrogram_transformer.", "")  # with a classifier; the network alone
PARTS: Final = ("embeddings", "encoder", "layers", "layernorm")
# How published files call what the library calls otherwise since its version 5, in this order.
NAMES: Final = {
    "encoder.layer.": "layers.",
    "attention.attention.query.": "attention.q_proj.",
    "attention.attention.key.": "attention.k_proj.",
    "attention.attention.value.": "attention.v_proj.",
    "attention.output.dense.": "attention.o_proj.",
    "intermediate.dense.": "mlp.fc1.",
    "output.dense.": "mlp.fc2.",
}
NOTES: Final = (
    "a recording's features are the mean of the two tokens that its classifier reads",
    "recordings are filled up with zeros to its window, as it was trained",
)


def read(folder: Path) -> Recipe:
    """Read an audio spectrogram transformer in transformers layout.

    Args:
        folder: Holds config.json, preprocessor_config.json and safetensors weights, with or without a classifier.

    Returns:
        What `build` needs.

    Raises:
        BackboneError: The files are missing, unsafe, damaged or do not fit.
    """
    with torch.device("meta"):
        config = create(read_json(folder / "config.json"), where=str(folder)).config
    kept = {key: getattr(config, key) for key in NETWORK}
    stated = read_settings(folder, "ASTFeatureExtractor")
    sound = {key: stated.get(theirs) for key, theirs in (STATED | SCALE).items()}
    source = {"library": "ast", "config": kept, "sound": sound}
    _check(sound, config, where=str(folder / SETTINGS))
    weights, conversions = read_weights(folder)
    inner, others = strip_prefix(weights, PREFIXES, first="embeddings.cls_token")
    state = {name: tensor for name, tensor in inner.items() if name.partition(".")[0] in PARTS}
    left = left_out([name.partition(".")[0] for name in others | (set(inner) - set(state))])
    return Recipe(source, {}, state, (*conversions, *left))


def build(recipe: Recipe, name: str) -> Backbone:
    """Assemble network, preprocessing and cut points."""
    source = recipe.source
    network = create(source["config"], where=name)
    _check(source["sound"], network.config, where=name)
    names = {_modern(each): each for each in network.state_dict()}
    state = {names.get(_modern(each), each): tensor for each, tensor in recipe.state.items()}
    fill(network, Recipe(source, {}, state), where=name)
    return Backbone(
        name=name,
        modality="audio",
        network=network,
        preparer=_preparer(source["sound"]),
        blocks=_blocks(network),
        tail=partial(normed, network.layernorm, _pool),
        tail_modules=(network.layernorm,),
        num_features=network.config.hidden_size,
        source=source,
        pool=_pool,
        notes=NOTES,
    )


def create(config: Mapping[str, Any], *, where: str) -> Network:
    """Create the network, with weights that are still to be filled in.

    Args:
        config: As its config.json has it, or a part of that.
        where: What to name in an error.

    Returns:
        The network, without a classifier.

    Raises:
        BackboneError: transformers cannot build it.
    """
    return sound_network("audio-spectrogram-transformer", config, where=where)


def _modern(name: str) -> str:
    return re.sub("|".join(map(re.escape, NAMES)), lambda found: NAMES[found[0]], name)


def _check(sound: Mapping[str, Any], config: Any, *, where: str) -> None:
    """Check what describes sounds: it may come from a stranger's model folder."""
    check_numbers(sound, STATED, where=where)
    mean, std = sound["mean"], sound["std"]
    numbers = all(type(each) in (int, float) and isfinite(each) for each in (mean, std))
    problem, fix = "", "Check that the files belong together."
    if sound["rate"] != RATE:
        problem = f'expected "sampling_rate" {RATE}, found {sound["rate"]}'
    elif sound["bands"] != config.num_mel_bins:
        problem = f'expected "num_mel_bins" {config.num_mel_bins}, as in config.json, found {sound["bands"]}'
    elif sound["most"] != config.max_length:
        problem = f'expected "max_length" {config.max_length}, as in config.json, found {sound["most"]}'
    elif not isinstance(sound["normalize"], bool):
        problem = f'expected true or false for "do_normalize", found {sound["normalize"]!r}'
    elif not numbers or std <= 0:
        problem = f'expected numbers for "mean" and "std", the second above 0, found {mean!r} and {std!r}'
        fix = "Write those of the data the network was trained on."
    if problem:
        raise BackboneError(problem, where=where, fix=fix)


def _preparer(sound: Mapping[str, Any]) -> SoundPreparer:
    most = sound["most"]
    describe = partial(_describe, ast_mel(**sound))
    settings = {**sound, "hop": HOP, "fft": FFT, "spectra": "log of power as Kaldi's, (x - mean) / (2 std)"}
    # A spectrum reaches into the next ones: with that much at the end, no samples are left over.
    more = {"least": FFT, "reach": FFT - HOP, "bands": sound["bands"]}
    return SoundPreparer(describe, sound["rate"], HOP, most, settings, **more)


def _describe(mels: Callable[[Samples], NDArray[np.float32]], samples: Samples) -> NDArray[np.float32]:
    """Describe samples and the nothing after them, and mark the spectra that hold samples."""
    spectra = mels(samples)
    real = np.arange(len(spectra)) < 1 + (len(samples) - FFT) // HOP
    return np.concatenate([spectra, real[:, None]], axis=1, dtype=np.float32)


def _blocks(network: Network) -> tuple[Block, ...]:
    first = Block("embeddings", (network.embeddings,), partial(_embed, network.embeddings))
    # Where the layers are has changed between versions; cut points are called alike, so that they mean the same.
    layers = network.layers if hasattr(network, "layers") else network.encoder.layer
    return (first, *(Block(f"layers.{i}", (layer,), partial(_run, layer)) for i, layer in enumerate(layers)))


def _embed(embeddings: nn.Module, batch: Batch) -> Tensor:
    values: Tensor = embeddings(batch.values[..., :-1])
    return values


def _run(layer: nn.Module, batch: Batch) -> Tensor:
    return values_of(layer(batch.values))


def _pool(batch: Batch) -> Tensor:
    """Average the tokens in front, and the windows of a recording, which are equally long."""
    return pool_tokens("mean", Batch(batch.values[:, :FRONT], None, batch.owner))
