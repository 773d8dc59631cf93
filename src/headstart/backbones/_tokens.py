"""Texts to token numbers, by the tokenizer that comes with a network. transformers is not imported."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any, Final, final

import numpy as np
from tokenizers import Encoding, Tokenizer

from headstart.backbones._base import Batch
from headstart.backbones._texts import TokenCounts, Windows, collate_windows, count_tokens
from headstart.backbones._transformers_chains import Network
from headstart.data import Item
from headstart.errors import BackboneError


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
        return [self._windows(encoding) for encoding in self._tokenizer.encode_batch_fast(self._cased(items))]

    def cost(self, prepared: Windows) -> int:
        """Count the tokens."""
        return count_tokens(prepared)

    def collate(self, prepared: Sequence[Windows]) -> Batch:
        """Pad to the longest window."""
        return collate_windows(prepared, pad=self._pad)

    def count(self, texts: Sequence[str]) -> TokenCounts:
        """Count the tokens of texts and, among them, those that stand for what it does not know."""
        encodings = self._tokenizer.encode_batch_fast(self._cased(texts), add_special_tokens=False)
        ids = [token for encoding in encodings for part in (encoding, *encoding.overflowing) for token in part.ids]
        unknown = _unknown_token(self._tokenizer)
        return TokenCounts(len(ids), 0 if unknown is None else ids.count(unknown))

    def _cased(self, texts: Sequence[Item]) -> list[str]:
        return [text.lower() if self._lower else text for text in texts]

    def _windows(self, encoding: Encoding) -> Windows:
        parts = (encoding, *encoding.overflowing)
        return tuple(np.array(part.ids or [self._start], dtype=np.int32) for part in parts)


def _parse_tokenizer(content: bytes, *, where: str) -> Tokenizer:
    try:
        return Tokenizer.from_str(content.decode())
    except Exception as error:  # tokenizers raises nothing more specific
        raise BackboneError(
            f"the tokenizers library cannot read tokenizer.json ({first_line(error)})",
            where=where,
            fix="Copy the file again.",
        ) from error


def _unknown_token(tokenizer: Tokenizer) -> int | None:
    """Return the id for what the tokenizer does not know; Unigram states its number, the others its text."""
    model = json.loads(tokenizer.to_str())["model"]
    token = model.get("unk_token")
    number: int | None = model.get("unk_id") if token is None else tokenizer.token_to_id(token)
    return number


def first_line(error: Exception) -> str:
    """Return what an error of a library says, in at most 200 signs."""
    return (str(error).splitlines() or [type(error).__name__])[0][:200]
