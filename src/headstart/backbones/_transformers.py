"""Text networks from transformers: encoders and GPT-2-style decoders. The only file that imports transformers.

Networks for sounds are created here too; what is particular to them is in `_transformers_sounds` (Whisper's encoder),
`_transformers_conformer` (Wav2Vec2-BERT), `_transformers_waves` (wav2vec 2.0, HuBERT, WavLM) and
`_transformers_patches` (AST).

Only the architecture comes from the library. Weights and tokenizer are read here, so that every weight is accounted
for, nothing is downloaded and no remote code runs.
"""

import re
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, Final, cast

import numpy as np
import torch
import transformers
from numpy.typing import NDArray
from torch import Tensor, nn
from transformers import audio_utils

from headstart.backbones._base import Backbone
from headstart.backbones._folder import Recipe, fill, left_out, read_json, read_weights, unfilled
from headstart.backbones._tensors import write_tensors
from headstart.backbones._texts import pool_tokens
from headstart.backbones._tokens import TokenPreparer
from headstart.backbones._transformers_chains import Network, chain
from headstart.backbones._transformers_folder import POOLING_WORDS, longest_text, read_pooling, sentence_config
from headstart.errors import BackboneError, first_line

_assemble: Final[Callable[..., Network]] = transformers.AutoModel.from_config  # it carries no types
# Its own classes with a head, by what the head reads.
WITH_HEAD: Final[Mapping[str, Any]] = {
    "sequence": transformers.AutoModelForSequenceClassification,
    "tokens": transformers.AutoModelForTokenClassification,
    "sound": transformers.AutoModelForAudioClassification,
}
# Parts of a configuration that change no feature, or that this file decides itself.
UNIMPORTANT: Final = {
    *("_name_or_path", "transformers_version", "architectures", "auto_map", "torch_dtype", "dtype"),
    *("attn_implementation", "_attn_implementation", "id2label", "label2id", "problem_type", "finetuning_task"),
    "task_specific_params",
}
# Parts that name code, kernels or weights elsewhere; wherever in a configuration they are, they are left out.
ELSEWHERE: Final = re.compile(r"auto_map|_name_or_path|_commit_hash|\w*(attn|experts)_implementation\w*")
# Constants that old checkpoints carry and networks now compute.
CONSTANTS: Final = re.compile(r"(^|\.)(position_ids|token_type_ids|attn\.bias|attn\.masked_bias)$")
# How transformers calls networks for sounds, by their model type.
SOUND_NETWORKS: Final = {
    "wav2vec2-bert": "Wav2Vec2Bert",
    "wav2vec2": "Wav2Vec2",
    "hubert": "Hubert",
    "wavlm": "WavLM",
    "audio-spectrogram-transformer": "AST",
}
TOKENIZER_FILES: Final = (
    "tokenizer.json",
    "vocab.txt",
    "vocab.json",
    "tokenizer.model",
    "spiece.model",
    "spm.model",
    "sentencepiece.bpe.model",
)


def read(folder: Path) -> Recipe:
    """Read a folder in transformers or sentence-transformers layout.

    Args:
        folder: Holds config.json, safetensors weights and tokenizer files.

    Returns:
        What `build` needs.

    Raises:
        BackboneError: The architecture is unknown, or the files are missing, unsafe, damaged or do not fit.
    """
    config = read_json(folder / "config.json")
    if config.get("is_encoder_decoder"):
        raise BackboneError(
            "this is an encoder-decoder network",
            where=str(folder),
            fix="Choose an encoder, or a decoder such as GPT-2.",
        )
    kept = {key: value for key, value in config.items() if key not in UNIMPORTANT}
    with torch.device("meta"):
        network = _network(kept, where=str(folder))
    tokenizer = _read_tokenizer(folder)
    pooling, notes = read_pooling(folder, config)
    weights, conversions = read_weights(folder)
    state, heads = _fit_names(weights, network)
    source = {
        "library": "transformers",
        "config": kept,
        "pooling": pooling,
        "window": longest_text(folder, network),
        "lower": sentence_config(folder).get("do_lower_case", False),
    }
    return Recipe(source, {"tokenizer.json": tokenizer}, state, (*conversions, *notes, *heads))


def build(recipe: Recipe, name: str) -> Backbone:
    """Assemble network, tokenizer and cut points."""
    source = recipe.source
    network = _network(source["config"], where=name)
    fill(network, recipe, where=name)
    pool = partial(pool_tokens, source["pooling"])
    blocks, tail, tail_modules = chain(network, pool)
    notes = [f"a text's features are {POOLING_WORDS[source['pooling']]} of the last layer"]
    if not blocks:
        notes.append(f"no cut points are known for {type(network).__name__}; it works as a frozen extractor")
    return Backbone(
        name=name,
        modality="text",
        network=network,
        preparer=TokenPreparer(recipe.assets["tokenizer.json"], network, source=source, where=name),
        blocks=blocks,
        tail=tail,
        tail_modules=tail_modules,
        num_features=network.config.hidden_size,
        source=source,
        pool=pool if blocks else None,
        assets=recipe.assets,
        notes=tuple(notes),
    )


def _network(config: Mapping[str, Any], *, where: str) -> Network:
    """Create an architecture with random weights, without the pooler that no feature uses."""
    kind = str(config.get("model_type"))
    if kind not in transformers.CONFIG_MAPPING:
        raise BackboneError(
            f"transformers {transformers.__version__} does not know the model type {kind!r}",
            where=where,
            fix="Update transformers, or choose another; code that comes with a model is never run.",
        )
    _check_parts(config, where=where)
    try:
        parsed = transformers.CONFIG_MAPPING[kind].from_dict(_closed(config))
        _check_parts(parsed.to_dict(), where=where)
        with unfilled():
            network = _assemble(parsed, trust_remote_code=False)
    except ValueError as error:
        raise BackboneError(f"transformers cannot build it ({first_line(error)})", where=where) from error
    if isinstance(getattr(network, "pooler", None), nn.Module):
        network.pooler = None
    return network.float()


def create_with_head(
    config: Mapping[str, Any], head: str, *, labels: Sequence[str], problem: str, where: str
) -> Network:
    """Create transformers' own class of an architecture with a head, with weights that are still to be filled in.

    Args:
        config: As its config.json has it.
        head: ``sequence``, ``tokens`` or ``sound``: what the head reads.
        labels: Names of the outputs.
        problem: transformers' name of the task, such as ``single_label_classification``.
        where: What to name in an error.

    Returns:
        The network, in float32.

    Raises:
        BackboneError: transformers has no such class, or cannot build it.
    """
    stated: dict[str, Any] = {
        "id2label": dict(enumerate(labels)),
        "label2id": {name: i for i, name in enumerate(labels)},
    }
    try:
        stated["problem_type"] = problem
        parsed = transformers.CONFIG_MAPPING[str(config["model_type"])].from_dict({**_closed(config), **stated})
        with unfilled():
            network: Network = WITH_HEAD[head].from_config(parsed, trust_remote_code=False)
    except (KeyError, ValueError, TypeError) as error:
        fix = "headstart export MODEL -o FOLDER --format onnx keeps any model's answers."
        problem = f"transformers has no classifier of this architecture ({first_line(error)})"
        raise BackboneError(problem, where=where, fix=fix) from error
    return network.float()


def save_with_head(network: Network, folder: Path) -> None:
    """Write a network as transformers does: its configuration, and its weights as safetensors.

    Args:
        network: What `create_with_head` created.
        folder: An existing folder.
    """
    network.config.architectures = [type(network).__name__]
    network.config.save_pretrained(str(folder))
    write_tensors(folder / "model.safetensors", network.state_dict(), metadata={"format": "pt"})


def load_with_head(folder: Path, head: str) -> Network:
    """Load a folder with transformers' own loader, as its users do.

    Args:
        folder: What `save_with_head` wrote.
        head: As for `create_with_head`.

    Returns:
        The network, in evaluation mode.
    """
    with _without_bars():
        network: Network = WITH_HEAD[head].from_pretrained(folder, local_files_only=True, trust_remote_code=False)
    return network.eval()


@contextmanager
def _without_bars() -> Iterator[None]:
    """Keep transformers from drawing bars of its own."""
    bars: Any = transformers.utils.logging  # it carries no types
    shown = bars.is_progress_bar_enabled()
    bars.disable_progress_bar()
    try:
        yield
    finally:
        if shown:
            bars.enable_progress_bar()


def load_tokenizer(folder: Path) -> Any:
    """Load the tokenizer of a folder with transformers' own loader."""
    return transformers.AutoTokenizer.from_pretrained(folder, local_files_only=True, trust_remote_code=False)


def whisper_encoder(config: Mapping[str, Any], *, where: str) -> Network:
    """Create the encoder of a Whisper network, with weights that are still to be filled in.

    Args:
        config: As its config.json has it, or a part of that.
        where: What to name in an error.

    Returns:
        The encoder.

    Raises:
        BackboneError: transformers cannot build it.
    """
    from transformers.models.whisper.modeling_whisper import WhisperEncoder  # texts need none of it

    return _created(transformers.WhisperConfig, WhisperEncoder, config, where=where)


def sound_network(kind: str, config: Mapping[str, Any], *, where: str) -> Network:
    """Create another network for sounds, with weights that are still to be filled in.

    Args:
        kind: Its model type, one of `SOUND_NETWORKS`.
        config: As its config.json has it, or a part of that.
        where: What to name in an error.

    Returns:
        The network, without a head.

    Raises:
        BackboneError: transformers cannot build it.
    """
    name = SOUND_NETWORKS[kind]
    return _created(getattr(transformers, f"{name}Config"), getattr(transformers, f"{name}Model"), config, where=where)


def _created(parsed: Any, kind: Callable[..., Network], config: Mapping[str, Any], *, where: str) -> Network:
    try:
        with unfilled():
            return kind(parsed.from_dict(_closed(config))).float()
    except Exception as error:  # whatever it raises: a value of the wrong type is an error of a kind of its own
        raise BackboneError(f"transformers cannot build it ({first_line(error)})", where=where) from error


def log_mel(*, rate: int, bands: int, hop: int, fft: int) -> Callable[[NDArray[np.float32]], NDArray[np.float32]]:
    """Return Whisper's own description of sound, by transformers' extractor: log-mel spectra of clips of any length.

    Args:
        rate: Samples per second.
        bands: Numbers of a spectrum.
        hop: Samples from one spectrum to the next.
        fft: Samples that a spectrum is computed from.

    Returns:
        A function of (n,) samples that gives (n // hop, bands); n is more than half of `fft`.
    """
    kind: Callable[..., Any] = transformers.WhisperFeatureExtractor  # it carries no types
    extractor = kind(feature_size=bands, sampling_rate=rate, hop_length=hop, n_fft=fft, chunk_length=1)
    return partial(_log_mel, extractor)


def kaldi_mel(*, rate: int, bands: int, stride: int) -> Callable[[NDArray[np.float32]], NDArray[np.float32]]:
    """Return Wav2Vec2-BERT's own description of sound, by transformers' extractor: log-mel spectra, several to a frame.

    Args:
        rate: Samples per second.
        bands: Numbers of a spectrum.
        stride: Spectra to a frame.

    Returns:
        A function of (n,) samples that gives (T, stride * bands), normalised over these samples: as many whole frames
        as the spectra of 400 samples, one every 160, make up. There must be two spectra.
    """
    kind: Callable[..., Any] = transformers.SeamlessM4TFeatureExtractor  # it carries no types
    extractor = kind(feature_size=bands, num_mel_bins=bands, sampling_rate=rate, stride=stride)
    return partial(_described, extractor)


def kaldi_log_mel(*, rate: int, bands: int) -> Callable[[NDArray[np.float32]], NDArray[np.float32]]:
    """Return the spectra of `kaldi_mel` before they are normalised and joined.

    Args:
        rate: Samples per second.
        bands: Numbers of a spectrum.

    Returns:
        A function of (n,) samples that gives (T, bands) logarithms of power, in steps of 16-bit samples.
    """
    kind: Callable[..., Any] = transformers.SeamlessM4TFeatureExtractor  # it carries no types
    extractor = kind(feature_size=bands, num_mel_bins=bands, sampling_rate=rate, stride=1)
    return partial(_described, extractor, do_normalize_per_mel_bins=False, pad_to_multiple_of=None)


def normalised(*, rate: int) -> Callable[[NDArray[np.float32]], NDArray[np.float32]]:
    """Return the preprocessing of wav2vec 2.0, by transformers' extractor: samples with mean 0 and variance 1."""
    kind: Callable[..., Any] = transformers.Wav2Vec2FeatureExtractor  # it carries no types
    return partial(_described, kind(sampling_rate=rate))


def ast_mel(
    *, rate: int, bands: int, most: int, normalize: bool, mean: float, std: float
) -> Callable[[NDArray[np.float32]], NDArray[np.float32]]:
    """Return AST's own description of sound, by transformers' extractor: log-mel spectra as Kaldi's, of fixed number.

    Args:
        rate: Samples per second.
        bands: Numbers of a spectrum.
        most: Spectra that it gives; zeros stand for those after the end, before they are normalised.
        normalize: Whether `mean` is subtracted and the rest divided by twice `std`.
        mean: Of the spectra of the data it was trained on.
        std: Their standard deviation.

    Returns:
        A function of (n,) samples, at least 400, that gives (most, bands).
    """
    kind: Callable[..., Any] = transformers.ASTFeatureExtractor  # it carries no types
    options = {"max_length": most, "do_normalize": normalize, "mean": mean, "std": std}
    with warnings.catch_warnings():  # it warns of bands narrower than a frequency, which the published networks have
        warnings.simplefilter("ignore")
        return partial(_described, kind(sampling_rate=rate, num_mel_bins=bands, **options))


def mel_arrays(kind: str, sound: Mapping[str, Any]) -> dict[str, NDArray[Any]]:
    """Return what the descriptions of sound multiply by, for who computes them without transformers.

    Args:
        kind: ``kaldi`` (Wav2Vec2-BERT), ``ast`` or ``whisper``.
        sound: ``rate`` and ``bands``, of Whisper ``fft`` too.

    Returns:
        ``window`` (n,) of a frame's samples and ``mels`` (fft // 2 + 1, bands).
    """
    rate, bands = sound["rate"], sound["bands"]
    if kind == "whisper":
        make = cast(Callable[..., Any], transformers.WhisperFeatureExtractor)  # it carries no types
        whisper = make(feature_size=bands, sampling_rate=rate, n_fft=sound["fft"], chunk_length=1)
        return {"window": audio_utils.window_function(sound["fft"], "hann"), "mels": whisper.mel_filters}
    if kind == "kaldi":
        make = cast(Callable[..., Any], transformers.SeamlessM4TFeatureExtractor)
        kaldi = make(feature_size=bands, num_mel_bins=bands, sampling_rate=rate)
        return {"window": kaldi.window, "mels": kaldi.mel_filters}
    with warnings.catch_warnings():  # as in `ast_mel`
        warnings.simplefilter("ignore")
        mels = audio_utils.mel_filter_bank(
            num_frequency_bins=257, num_mel_filters=bands, min_frequency=20, max_frequency=rate // 2,
            sampling_rate=rate, norm=None, mel_scale="kaldi", triangularize_in_mel_space=True,
        )  # fmt: skip
    return {"window": audio_utils.window_function(400, "hann", periodic=False), "mels": mels}


def _log_mel(extractor: Any, samples: NDArray[np.float32]) -> NDArray[np.float32]:
    return _described(extractor, samples).T


def _described(extractor: Any, samples: NDArray[np.float32], **options: Any) -> NDArray[np.float32]:
    rate = extractor.sampling_rate
    found = extractor(samples, sampling_rate=rate, padding="longest", truncation=False, return_tensors="np", **options)
    described = found["input_values"] if "input_values" in found else found["input_features"]
    return np.asarray(described[0], dtype=np.float32)


def _closed(config: Mapping[str, Any]) -> dict[str, Any]:
    """Return a configuration that refers to nothing outside itself."""
    return {
        key: _closed(value) if isinstance(value, Mapping) else value
        for key, value in config.items()
        if not ELSEWHERE.fullmatch(key)
    }


def _check_parts(config: Mapping[Any, Any], *, where: str) -> None:
    """Refuse networks with an image backbone, stated or by default: creating one may download its weights."""
    for key, value in config.items():
        image = value and "backbone" in str(key)
        if image or (key == "model_type" and str(value).startswith("timm_")):
            raise BackboneError(
                f"only text networks are read in this layout, found {key} {str(value)[:60]!r}",
                where=where,
                fix="Choose a text encoder or decoder; image networks are read in timm's layout.",
            )
        if isinstance(value, Mapping):
            _check_parts(value, where=where)


def _fit_names(weights: Mapping[str, Tensor], network: Network) -> tuple[dict[str, Tensor], tuple[str, ...]]:
    """Rename weights as the network does, and leave out the heads of its pretraining.

    Checkpoints of a network with a head carry the base network under a prefix (``bert.``); the oldest call the weight
    and bias of LayerNorm gamma and beta.
    """
    prefix = f"{network.base_model_prefix}."
    prefixed = any(name.startswith(prefix) for name in weights)
    expected = network.state_dict()
    parts = {name.partition(".")[0] for name in expected}
    # Parts of pretraining that lie inside the base network, such as DeBERTa's absolute positions.
    unused = re.compile("|".join(getattr(network, "_keys_to_ignore_on_load_unexpected", None) or ["(?!)"]))
    state, heads = {}, set()
    for name, tensor in weights.items():
        inner = re.sub(r"LayerNorm\.gamma$", "LayerNorm.weight", name.removeprefix(prefix))
        inner = re.sub(r"LayerNorm\.beta$", "LayerNorm.bias", inner)
        outside = (prefixed and not name.startswith(prefix)) or inner.partition(".")[0] not in parts
        if outside:
            heads.add(inner.partition(".")[0])
        elif CONSTANTS.search(inner):
            continue
        elif inner not in expected and unused.search(inner):
            heads.add(inner.rpartition(".")[0])
        else:
            state[inner] = tensor
    return state, left_out(heads)


def _read_tokenizer(folder: Path) -> bytes:
    """Return tokenizer.json, converted from the older files where it is missing."""
    path = folder / "tokenizer.json"
    if not path.is_file():
        return _convert_tokenizer(folder)
    if "model" not in read_json(path):
        raise BackboneError('not a tokenizer: it has no "model"', where=str(path), fix="Copy the file again.")
    return path.read_bytes()


def _convert_tokenizer(folder: Path) -> bytes:
    if not any((folder / name).is_file() for name in TOKENIZER_FILES):
        raise BackboneError(
            "there are no tokenizer files",
            where=str(folder),
            fix=f"Add one of: {', '.join(TOKENIZER_FILES)}. This layout is read for text networks, Whisper and "
            f"{', '.join(SOUND_NETWORKS)}.",
        )
    try:
        slow = transformers.AutoTokenizer.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
        return bytes(slow.backend_tokenizer.to_str(), "utf-8")
    except (ValueError, OSError, ImportError, AttributeError) as error:
        raise BackboneError(
            f"the tokenizer files cannot be converted ({first_line(error)})",
            where=str(folder),
            fix="Save them once as tokenizer.json.",
        ) from error
