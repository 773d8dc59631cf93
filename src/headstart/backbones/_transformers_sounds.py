"""Whisper's encoder as a network for sounds: its folder, its preprocessing, and where it can be cut.

The decoder is left out. A recording becomes log-mel spectra, two to a frame (20 ms in the networks there are), which is
what one position of the encoder sees. The first cut is after the two convolutions, the others after each layer.

Networks differ in what they were trained on beyond the end of a recording:

* ``none``: nothing. Positions end with the recording, frames that fill up a batch are masked, and so a short clip costs
  little and its features do not depend on its neighbours.
* ``window``: silence up to the network's window (30 s), as OpenAI's were. Every position takes part in attention and
  only those of the recording are pooled; the last channel of all values tells them apart, so that activations stored at
  a cut still know.
"""

from bisect import bisect_left
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from inspect import signature
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.functional import dropout, gelu

from headstart.backbones._base import Backbone, Block
from headstart.backbones._batch import Batch
from headstart.backbones._folder import Recipe, fill, left_out, read_json, read_weights
from headstart.backbones._sounds import (
    SETTINGS,
    Samples,
    SoundPreparer,
    check_numbers,
    read_settings,
    strip_prefix,
)
from headstart.backbones._texts import pool_tokens
from headstart.backbones._transformers import log_mel, whisper_encoder
from headstart.backbones._transformers_chains import Network, Pool, additive, normed, values_of
from headstart.errors import BackboneError

PADDING: Final = "headstart_padding"  # where the settings say what came after the end of a recording in training
# What of a configuration makes the encoder.
ENCODER: Final = (
    *("d_model", "encoder_layers", "encoder_attention_heads", "encoder_ffn_dim", "num_mel_bins"),
    *("max_source_positions", "activation_function", "dropout", "attention_dropout", "activation_dropout"),
)
STATED: Final = {"rate": "sampling_rate", "bands": "feature_size", "hop": "hop_length", "fft": "n_fft"}
MELS: Final = 2  # spectra to a frame: the stride of the second convolution
PREFIXES: Final = ("model.encoder.", "encoder.", "")  # with its head; the whole network; the encoder alone
NOTE: Final = "a recording's features are the mean over its frames of the last layer"


def read(folder: Path) -> Recipe:
    """Read the encoder of a Whisper network in transformers layout.

    Args:
        folder: Holds config.json, preprocessor_config.json and safetensors weights, with or without a decoder.

    Returns:
        What `build` needs.

    Raises:
        BackboneError: The files are missing, unsafe, damaged or do not fit.
    """
    with torch.device("meta"):
        config = whisper_encoder(read_json(folder / "config.json"), where=str(folder)).config
    kept = {key: getattr(config, key) for key in ENCODER}
    sound, pad, notes = _read_settings(folder, kept)
    weights, conversions = read_weights(folder)
    state, others = strip_prefix(weights, PREFIXES, first="conv1.weight")
    left = left_out([name.removeprefix("model.").partition(".")[0] for name in others])
    source = {"library": "whisper", "config": kept, "sound": sound, "pad": pad}
    return Recipe(source, {}, state, (*conversions, *notes, *left))


def build(recipe: Recipe, name: str) -> Backbone:
    """Assemble network, preprocessing and cut points."""
    source = recipe.source
    network = whisper_encoder(source["config"], where=name)
    _check_sound(source["sound"], network.config.to_dict(), where=name)
    fill(network, recipe, where=name)
    pool: Pool = partial(pool_tokens, "mean")
    tail: Pool = partial(normed, network.layer_norm, pool)
    blocks = _blocks(network)
    notes = [NOTE]
    if source["pad"] == "window":
        pool, tail = partial(_pool_marked, pool), partial(_pool_marked, tail)
        blocks = tuple(replace(block, forward=partial(_beside_mark, block.forward)) for block in blocks)
        notes.append("recordings are filled up with silence to its window, as it was trained")
    return Backbone(
        name=name,
        modality="audio",
        network=network,
        preparer=_preparer(source, most=network.config.max_source_positions),
        blocks=blocks,
        tail=tail,
        tail_modules=(network.layer_norm,),
        num_features=network.config.d_model,
        source=source,
        pool=pool,
        notes=tuple(notes),
    )


def _read_settings(folder: Path, config: Mapping[str, Any]) -> tuple[dict[str, int], str, tuple[str, ...]]:
    """Return how sounds are described, what follows their end, and notes."""
    path, stated = folder / SETTINGS, read_settings(folder, "WhisperFeatureExtractor")
    sound = {key: stated.get(theirs) for key, theirs in STATED.items()}
    _check_sound(sound, config, where=str(path))
    _check_window(stated.get("chunk_length"), sound, config, where=str(path))
    pad = stated.get(PADDING, "window")
    if pad not in ("none", "window"):
        problem = f'expected "{PADDING}" none or window, found {pad!r}'
        raise BackboneError(problem, where=str(path), fix="Write what the network was trained with.")
    notes = ("random noise is not added to recordings (dither)",) if stated.get("dither") else ()
    return {key: int(value) for key, value in sound.items() if value is not None}, pad, notes


def _check_sound(sound: Mapping[str, Any], config: Mapping[str, Any], *, where: str) -> None:
    check_numbers(sound, STATED, where=where)
    bands, window = config["num_mel_bins"], config["max_source_positions"] * MELS * sound["hop"]
    problem = ""
    if sound["bands"] != bands:
        problem = f'expected "feature_size" {bands}, as the network\'s num_mel_bins, found {sound["bands"]}'
    elif sound["fft"] > window:
        problem = f'expected "n_fft" up to the {window} samples of its window, found {sound["fft"]}'
    if problem:
        raise BackboneError(problem, where=where, fix="Check that the files belong together.")


def _check_window(seconds: Any, sound: Mapping[str, Any], config: Mapping[str, Any], *, where: str) -> None:
    positions = config["max_source_positions"]
    window = positions * MELS * sound["hop"] / sound["rate"]
    if seconds != window:
        problem = f'expected "chunk_length" {window:g} s, as its {positions} positions hold, found {seconds!r}'
        raise BackboneError(problem, where=where, fix="Check that the files belong together.")


def _preparer(source: Mapping[str, Any], *, most: int) -> SoundPreparer:
    sound, pad = source["sound"], source["pad"]
    step = MELS * sound["hop"]
    describe = partial(_describe, log_mel(**sound), step)
    more = {"least": sound["fft"], "bands": sound["bands"]}
    if pad == "window":
        describe, more["real"] = partial(_describe_window, describe, step, most), _count_marked
    # The spectra: log10 of power, no lower than 8 below the loudest of the window, then (x + 4) / 4.
    settings = {**sound, "window": most, "pad": pad, "spectra": "log10, 8 below the window's loudest, (x + 4) / 4"}
    return SoundPreparer(describe, sound["rate"], step, most, settings, **more)


def _describe(mels: Callable[[Samples], NDArray[np.float32]], step: int, samples: Samples) -> NDArray[np.float32]:
    return mels(samples).reshape(len(samples) // step, -1)


def _describe_window(
    describe: Callable[[Samples], NDArray[np.float32]], step: int, most: int, samples: Samples
) -> NDArray[np.float32]:
    """Describe samples and the silence after them, and mark the frames that hold samples."""
    frames = describe(np.pad(samples, (0, most * step - len(samples))))
    real = np.arange(most) < len(samples) // step
    return np.concatenate([frames, real[:, None]], axis=1, dtype=np.float32)


def _blocks(network: Network) -> tuple[Block, ...]:
    modules = (network.conv1, network.conv2, network.embed_positions)
    first = Block("conv", modules, partial(_embed, *modules, network.dropout))
    layers = enumerate(network.layers)
    return (first, *(Block(f"layers.{i}", (layer,), partial(_run, layer)) for i, layer in layers))


def _embed(conv1: nn.Module, conv2: nn.Module, positions: nn.Embedding, rate: float, batch: Batch) -> Tensor:
    """Turn frames of two spectra into positions; the zeros after a clip are those that the convolution itself adds."""
    windows, length, width = batch.values.shape
    spectra = batch.values.reshape(windows, MELS * length, width // MELS).transpose(1, 2)
    values = gelu(conv2(gelu(conv1(spectra)))).transpose(1, 2)
    return dropout(values + positions.weight[:length], p=rate, training=conv1.training)


def _run(layer: nn.Module, batch: Batch) -> Tensor:
    # Versions of transformers before 5 want a mask of heads, too.
    more = {"layer_head_mask": None} if "layer_head_mask" in signature(layer.forward).parameters else {}
    return values_of(layer(batch.values, additive(batch), **more))


def _beside_mark(run: Callable[[Batch], Tensor], batch: Batch) -> Tensor:
    """Run a block on all channels but the last, which goes along."""
    values, real = batch.values[..., :-1], batch.values[..., -1:]
    return torch.cat([run(replace(batch, values=values)), real], dim=-1)


def _pool_marked(pool: Pool, batch: Batch) -> Tensor:
    values, real = batch.values[..., :-1], batch.values[..., -1] > 0.5
    return pool(replace(batch, values=values, mask=real))


def _count_marked(window: NDArray[Any]) -> int:
    """Count the frames that hold samples; they come first, and a mapped file need not be read to its end."""
    return bisect_left(range(len(window)), True, key=lambda frame: bool(window[frame, -1] < 0.5))  # noqa: FBT003
