"""Text networks from transformers: encoders and GPT-2-style decoders. The only file that imports transformers.

Only the architecture comes from the library. Weights and tokenizer are read here, so that every weight is accounted
for, nothing is downloaded and no remote code runs. Layers are run one by one with an additive mask, or with none where
nothing is padded, which lets the fastest attention kernel run. Padding is on the right, so a causal decoder never needs
a mask: no real token can see what follows it.
"""

import hashlib
import re
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Final, final

import numpy as np
import torch
import transformers
from tokenizers import Encoding, Tokenizer
from torch import Tensor, nn

from headstart.backbones._base import Backbone, Batch, Block
from headstart.backbones._folder import Recipe, fill, read_json, read_weights, unfilled
from headstart.backbones._texts import Pooling, Windows, collate_windows, count_tokens, pool_tokens
from headstart.data import Item
from headstart.errors import BackboneError

Network = Any  # a PreTrainedModel; each class names its parts in its own way
_assemble: Final[Callable[..., Network]] = transformers.AutoModel.from_config  # it carries no types
# Where each family keeps its layers; the embeddings of these take token ids and add positions themselves.
ENCODERS: Final = {
    "BertModel": "encoder.layer",
    "RobertaModel": "encoder.layer",
    "XLMRobertaModel": "encoder.layer",
    "DistilBertModel": "transformer.layer",
}
# Their position numbers start after the padding id, so the table holds that many texts positions fewer than it is long.
OFFSET_POSITIONS: Final = {"roberta", "xlm-roberta", "camembert", "mpnet"}
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
TOKENIZER_FILES: Final = (
    "tokenizer.json",
    "vocab.txt",
    "vocab.json",
    "tokenizer.model",
    "spiece.model",
    "sentencepiece.bpe.model",
)
POOLINGS: Final[Mapping[str, Pooling]] = {
    "pooling_mode_mean_tokens": "mean",
    "pooling_mode_cls_token": "cls",
    "pooling_mode_lasttoken": "last",
    "mean": "mean",
    "cls": "cls",
    "lasttoken": "last",
}
POOLING_WORDS: Final[Mapping[str, str]] = {
    "mean": "the mean over tokens",
    "cls": "the first token",
    "last": "the last token",
}


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
    pooling, notes = _read_pooling(folder, config)
    weights, conversions = read_weights(folder)
    state, left_out = _fit_names(weights, network)
    source = {
        "library": "transformers",
        "config": kept,
        "pooling": pooling,
        "window": _window(folder, network),
        "lower": _sentence_config(folder).get("do_lower_case", False),
    }
    return Recipe(source, {"tokenizer.json": tokenizer}, state, (*conversions, *notes, *left_out))


def build(recipe: Recipe, name: str) -> Backbone:
    """Assemble network, tokenizer and cut points."""
    source = recipe.source
    network = _network(source["config"], where=name)
    fill(network, recipe.state, where=name)
    pool = partial(pool_tokens, source["pooling"])
    chain = _chain(network)
    notes = [f"a text's features are {POOLING_WORDS[source['pooling']]} of the last layer"]
    if not chain:
        notes.append(f"no cut points are known for {type(network).__name__}; it works as a frozen extractor")
    norm = (network.ln_f,) if chain and type(network).__name__ == "GPT2Model" else ()
    return Backbone(
        name=name,
        modality="text",
        network=network,
        preparer=TokenPreparer(recipe.assets["tokenizer.json"], network, source=source, where=name),
        blocks=chain,
        tail=partial(_tail, norm, pool) if chain else partial(_whole, network, pool),
        tail_modules=norm if chain else (network,),
        num_features=network.config.hidden_size,
        source=source,
        pool=pool if chain else None,
        assets=recipe.assets,
        notes=tuple(notes),
    )


@final
class TokenPreparer:
    """Tokenises texts in batches and cuts long ones into windows.

    Args:
        tokenizer: The content of a tokenizer.json.
        network: Its configuration names the padding and start tokens.
        source: The recipe's source, for window and case.
        where: What to name in an error.

    Raises:
        BackboneError: The tokenizers library cannot read the file.
    """

    chunk: Final = 256

    def __init__(self, tokenizer: bytes, network: Network, *, source: Mapping[str, Any], where: str) -> None:
        self._tokenizer = _parse_tokenizer(tokenizer, where=where)
        self._tokenizer.no_padding()
        self._tokenizer.enable_truncation(source["window"], stride=0)
        config = network.config
        self._pad = config.pad_token_id or 0
        marks = (config.bos_token_id, config.eos_token_id, self._pad)
        self._start = next((mark for mark in marks if isinstance(mark, int) and mark < config.vocab_size), 0)
        self._lower = source["lower"]
        self.settings: Final[Mapping[str, Any]] = {
            "tokenizer": hashlib.sha256(tokenizer).hexdigest(),
            "window": source["window"],
            "lower": self._lower,
        }

    def read(self, items: Sequence[Item]) -> list[Windows]:
        """Tokenise; a text without any token becomes the start token."""
        texts = [item.lower() if self._lower else item for item in items]
        return [self._windows(encoding) for encoding in self._tokenizer.encode_batch_fast(texts)]

    def cost(self, prepared: Windows) -> int:
        """Count the tokens."""
        return count_tokens(prepared)

    def collate(self, prepared: Sequence[Windows]) -> Batch:
        """Pad to the longest window."""
        return collate_windows(prepared, pad=self._pad)

    def _windows(self, encoding: Encoding) -> Windows:
        parts = (encoding, *encoding.overflowing)
        return tuple(np.array(part.ids or [self._start], dtype=np.int32) for part in parts)


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
        raise BackboneError(f"transformers cannot build it ({_first_line(error)})", where=where) from error
    if isinstance(getattr(network, "pooler", None), nn.Module):
        network.pooler = None
    return network.float()


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


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0][:200]


def _fit_names(weights: Mapping[str, Tensor], network: Network) -> tuple[dict[str, Tensor], tuple[str, ...]]:
    """Rename weights as the network does, and leave out the heads of its pretraining.

    Checkpoints of a network with a head carry the base network under a prefix (``bert.``); the oldest call the weight
    and bias of LayerNorm gamma and beta.
    """
    prefix = f"{network.base_model_prefix}."
    prefixed = any(name.startswith(prefix) for name in weights)
    parts = {name.partition(".")[0] for name in network.state_dict()}
    state, heads = {}, set()
    for name, tensor in weights.items():
        inner = re.sub(r"LayerNorm\.gamma$", "LayerNorm.weight", name.removeprefix(prefix))
        inner = re.sub(r"LayerNorm\.beta$", "LayerNorm.bias", inner)
        outside = (prefixed and not name.startswith(prefix)) or inner.partition(".")[0] not in parts
        if outside:
            heads.add(inner.partition(".")[0])
        elif not CONSTANTS.search(inner):
            state[inner] = tensor
    left_out = (f"left out parts that features do not use: {', '.join(sorted(heads))}",) if heads else ()
    return state, left_out


def _read_tokenizer(folder: Path) -> bytes:
    """Return tokenizer.json, converted from the older files where it is missing."""
    path = folder / "tokenizer.json"
    if not path.is_file():
        return _convert_tokenizer(folder)
    if "model" not in read_json(path):
        raise BackboneError('not a tokenizer: it has no "model"', where=str(path), fix="Copy the file again.")
    return path.read_bytes()


def _parse_tokenizer(content: bytes, *, where: str) -> Tokenizer:
    try:
        return Tokenizer.from_str(content.decode())
    except Exception as error:  # tokenizers raises nothing more specific
        raise BackboneError(
            f"the tokenizers library cannot read tokenizer.json ({_first_line(error)})",
            where=where,
            fix="Copy the file again.",
        ) from error


def _convert_tokenizer(folder: Path) -> bytes:
    if not any((folder / name).is_file() for name in TOKENIZER_FILES):
        raise BackboneError(
            "there are no tokenizer files",
            where=str(folder),
            fix=f"Add one of: {', '.join(TOKENIZER_FILES)}. This layout is read for text networks only.",
        )
    try:
        slow = transformers.AutoTokenizer.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
        return bytes(slow.backend_tokenizer.to_str(), "utf-8")
    except (ValueError, OSError, ImportError, AttributeError) as error:
        raise BackboneError(
            f"the tokenizer files cannot be converted ({_first_line(error)})",
            where=str(folder),
            fix="Save them once as tokenizer.json.",
        ) from error


def _read_pooling(folder: Path, config: Mapping[str, Any]) -> tuple[Pooling, tuple[str, ...]]:
    """Take the pooling its authors state, else the last token for decoders and the mean for encoders."""
    path = folder / "1_Pooling" / "config.json"
    if not path.is_file():
        heads = config.get("architectures") or [""]
        return ("last" if heads[0].endswith(("ForCausalLM", "LMHeadModel", "GPT2Model")) else "mean"), ()
    stated = read_json(path)
    modes = [key for key, value in stated.items() if key.startswith("pooling_mode_") and value is True]
    if isinstance(stated.get("pooling_mode"), str):
        modes = [stated["pooling_mode"]]
    if len(modes) != 1 or modes[0] not in POOLINGS:
        raise BackboneError(
            f"expected one pooling of mean, cls, lasttoken, found {', '.join(modes) or 'none'}",
            where=str(path),
            fix="Edit the file to choose one of them; the weights allow any.",
        )
    later = sorted(path.parent.name for path in folder.glob("[2-9]_*/config.json"))
    notes = tuple(f"its layer {name} after pooling is not applied" for name in later)
    return POOLINGS[modes[0]], notes


def _sentence_config(folder: Path) -> dict[str, Any]:
    path = folder / "sentence_bert_config.json"
    return read_json(path) if path.is_file() else {}


def _window(folder: Path, network: Network) -> int:
    """Return the longest input in tokens that tokenizer, network and authors allow."""
    config = network.config
    positions = getattr(config, "max_position_embeddings", None)
    if positions is not None and config.model_type in OFFSET_POSITIONS:
        positions -= (config.pad_token_id or 0) + 1
    path = folder / "tokenizer_config.json"
    tokenizer = read_json(path).get("model_max_length") if path.is_file() else None
    limits = [positions, tokenizer, _sentence_config(folder).get("max_seq_length")]
    # Tokenizers without a limit state 10^30; networks with relative positions state none.
    return min(int(limit) for limit in [*limits, 8192] if limit)


def _chain(network: Network) -> tuple[Block, ...]:
    kind = type(network).__name__
    if kind == "GPT2Model":
        first = Block("embeddings", (network.wte, network.wpe), partial(_embed_gpt2, network.wte, network.wpe))
        layers, run = network.h, _run_causal
    elif kind in ENCODERS and not getattr(network.config, "is_decoder", False):
        first = Block("embeddings", (network.embeddings,), partial(_embed, network.embeddings))
        layers, run = network.get_submodule(ENCODERS[kind]), _run_masked
    else:
        return ()
    prefix = "h" if kind == "GPT2Model" else ENCODERS[kind]
    return (first, *(Block(f"{prefix}.{i}", (layer,), partial(run, layer)) for i, layer in enumerate(layers)))


def _embed(embeddings: nn.Module, batch: Batch) -> Tensor:
    values: Tensor = embeddings(input_ids=batch.values)
    return values


def _embed_gpt2(tokens: nn.Module, positions: nn.Module, batch: Batch) -> Tensor:
    values: Tensor = tokens(batch.values) + positions(torch.arange(batch.values.shape[1], device=batch.values.device))
    return values


def _run_masked(layer: nn.Module, batch: Batch) -> Tensor:
    mask = None
    if batch.mask is not None:
        mask = torch.zeros(batch.mask.shape, dtype=batch.values.dtype, device=batch.values.device)
        mask = mask.masked_fill(~batch.mask, torch.finfo(mask.dtype).min)[:, None, None, :]
    return _values(layer(batch.values, mask))


def _run_causal(layer: nn.Module, batch: Batch) -> Tensor:
    return _values(layer(batch.values))


def _values(output: Tensor | tuple[Tensor, ...]) -> Tensor:
    """Take the activations; layers of transformers 4 return them in a tuple."""
    return output[0] if isinstance(output, tuple) else output


def _tail(norm: tuple[nn.Module, ...], pool: Callable[[Batch], Tensor], batch: Batch) -> Tensor:
    values = batch.values
    for module in norm:
        values = module(values)
    return pool(Batch(values, batch.mask, batch.owner))


def _whole(network: nn.Module, pool: Callable[[Batch], Tensor], batch: Batch) -> Tensor:
    mask = torch.ones_like(batch.values) if batch.mask is None else batch.mask.long()
    hidden = network(input_ids=batch.values, attention_mask=mask).last_hidden_state
    return pool(Batch(hidden, batch.mask, batch.owner))
