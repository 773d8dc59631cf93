"""What a text network's folder, of transformers or sentence-transformers, says of pooling and of the longest text."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from headstart.backbones._folder import read_json
from headstart.backbones._texts import Pooling
from headstart.backbones._transformers_chains import Network
from headstart.errors import BackboneError

# Position numbers of these start after the padding id, so a text has that many positions fewer than the table is long.
OFFSET_POSITIONS: Final = {"roberta", "xlm-roberta", "camembert", "mpnet"}
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


def read_pooling(folder: Path, config: Mapping[str, Any]) -> tuple[Pooling, tuple[str, ...]]:
    """Take the pooling its authors state, else the last token for decoders and the mean for encoders.

    Args:
        folder: The network's.
        config: The content of its config.json.

    Returns:
        The pooling, and notes on what is not applied.

    Raises:
        BackboneError: The pooling is unknown, or the file that states it is not a JSON object.
    """
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


def sentence_config(folder: Path) -> dict[str, Any]:
    """Return what sentence-transformers keeps about texts; empty where the folder is not of its kind."""
    path = folder / "sentence_bert_config.json"
    return read_json(path) if path.is_file() else {}


def longest_text(folder: Path, network: Network) -> int:
    """Return the longest input in tokens that tokenizer, network and authors allow."""
    config = network.config
    positions = getattr(config, "max_position_embeddings", None)
    if positions is not None and config.model_type in OFFSET_POSITIONS:
        positions -= (config.pad_token_id or 0) + 1
    path = folder / "tokenizer_config.json"
    tokenizer = read_json(path).get("model_max_length") if path.is_file() else None
    limits = [positions, tokenizer, sentence_config(folder).get("max_seq_length")]
    # Tokenizers without a limit state 10^30; networks with relative positions state none.
    return min(int(limit) for limit in [*limits, 8192] if limit)
