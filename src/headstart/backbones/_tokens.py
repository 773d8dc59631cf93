"""Texts to token numbers, by the tokenizer that comes with a network. transformers is not imported."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any, Final, final

from tokenizers import Tokenizer

from headstart.backbones._batch import Batch
from headstart.backbones._texts import TokenCounts, collate_windows, count_tokens
from headstart.backbones._transformers_chains import Network
from headstart.backbones._words import as_document, collate_words
from headstart.data import Item
from headstart.errors import BackboneError, first_line
from headstart.runtime import WordPooling
from headstart.runtime.tokens import PreparedWords, TextWindows, Windows, WordWindows


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
        config = network.config
        self._pad = config.pad_token_id or 0
        marks = (config.bos_token_id, config.eos_token_id, self._pad)
        start = next((mark for mark in marks if isinstance(mark, int) and mark < config.vocab_size), 0)
        parsed = _parse_tokenizer(tokenizer, where=where)
        self._windows: Final = TextWindows(parsed, window=source["window"], lower=source["lower"], start=start)
        self.settings: Final[Mapping[str, Any]] = {
            "tokenizer": hashlib.sha256(tokenizer).hexdigest(),
            "window": source["window"],
            "lower": source["lower"],
        }

    @property
    def runtime(self) -> dict[str, int]:
        """What an exported model needs to know beside the settings: the tokens of padding and of an empty text."""
        return {"pad": self._pad, "start": self._windows.start}

    def read(self, items: Sequence[Item]) -> list[Windows]:
        """Tokenise; a text without any token becomes the start token."""
        return self._windows.read(items)

    def cost(self, prepared: Windows) -> int:
        """Count the tokens."""
        return count_tokens(prepared)

    def collate(self, prepared: Sequence[Windows]) -> Batch:
        """Pad to the longest window."""
        return collate_windows(prepared, pad=self._pad)

    def count(self, texts: Sequence[str]) -> TokenCounts:
        """Count the tokens of texts and, among them, those that stand for what it does not know."""
        tokenizer = self._windows.tokenizer
        encodings = tokenizer.encode_batch_fast(self._windows.cased(texts), add_special_tokens=False)
        ids = [token for encoding in encodings for part in (encoding, *encoding.overflowing) for token in part.ids]
        unknown = _unknown_token(tokenizer)
        return TokenCounts(len(ids), 0 if unknown is None else ids.count(unknown))

    def for_words(self, pooling: WordPooling) -> "WordPreparer":
        """Return a preparer of documents that says where their words are."""
        return WordPreparer(self, self._windows.for_words(pooling), pooling)


@final
class WordPreparer:
    """Tokenises documents and says which tokens stand for which words.

    Args:
        texts: The preparer of texts it takes the settings from, and what joins windows.
        windows: What reads documents.
        pooling: How features of words are made.
    """

    chunk: Final = 256

    def __init__(self, texts: TokenPreparer, windows: WordWindows, pooling: WordPooling) -> None:
        self._texts, self._windows = texts, windows
        self.settings: Final[Mapping[str, Any]] = {**texts.settings, "words": pooling, "overlap": windows.overlap}

    @property
    def runtime(self) -> dict[str, int]:
        """As of texts."""
        return self._texts.runtime

    def read(self, items: Sequence[Item]) -> list[PreparedWords]:
        """Tokenise, and place the words."""
        return self._windows.read([as_document(item) for item in items])

    def cost(self, prepared: PreparedWords) -> int:
        """Count the tokens."""
        return count_tokens(prepared[:-1])

    def collate(self, prepared: Sequence[PreparedWords]) -> Batch:
        """Pad to the longest window."""
        return collate_words(self._texts, prepared)

    def count(self, texts: Sequence[str]) -> TokenCounts:
        """Count the tokens of texts and, among them, those that stand for what it does not know."""
        return self._texts.count(texts)

    def for_words(self, pooling: WordPooling) -> "WordPreparer":
        """Return the same for another pooling."""
        return self._texts.for_words(pooling)


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
