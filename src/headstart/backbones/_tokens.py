"""Texts to token numbers, by the tokenizer that comes with a network. transformers is not imported."""

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from typing import Any, Final, final

import numpy as np
from tokenizers import Encoding, Tokenizer

from headstart.backbones._aligned import OVERLAP, Numbers, WordPooling, place_words
from headstart.backbones._base import Preparer
from headstart.backbones._batch import Batch
from headstart.backbones._texts import CountsTokens, TokenCounts, Windows, collate_windows, count_tokens
from headstart.backbones._transformers_chains import Network
from headstart.backbones._words import PreparedWords, as_document, collate_words
from headstart.data import Document, Item
from headstart.errors import BackboneError

MARKS: Final = ("\u2581", "\u0120")  # tokens of SentencePiece and of byte-level tokenizers that are only a space
SURROGATES: Final = re.compile("[\ud800-\udfff]")  # halves of characters, which no tokenizer takes


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

    def for_words(self, pooling: WordPooling) -> "WordPreparer":
        """Return a preparer of documents that says where their words are."""
        tokenizer = Tokenizer.from_str(self._tokenizer.to_str())
        return WordPreparer(tokenizer, self, start=self._start, pooling=pooling)

    def _cased(self, texts: Sequence[Item]) -> list[str]:
        whole = map(whole_characters, texts)
        return [text.lower() if self._lower else text for text in whole]

    def _windows(self, encoding: Encoding) -> Windows:
        parts = (encoding, *encoding.overflowing)
        return tuple(np.array(part.ids or [self._start], dtype=np.int32) for part in parts)


@final
class WordPreparer:
    """Tokenises documents and says which tokens stand for which words.

    Args:
        tokenizer: One of its own; it is set up here.
        texts: The preparer of texts it takes the settings from, and what joins windows.
        start: The token of a text that has none.
        pooling: How features of words are made.
    """

    chunk: Final = 256

    def __init__(self, tokenizer: Tokenizer, texts: Preparer, *, start: int, pooling: WordPooling) -> None:
        window, special = int(texts.settings["window"]), tokenizer.num_special_tokens_to_add(is_pair=False)
        self._tokenizer, self._texts, self._start, self._pooling = tokenizer, texts, start, pooling
        self._window = max(1, window - special)
        self._overlap = min(window // OVERLAP, self._window - 1)
        self._special = special
        self._marks = [number for mark in MARKS if (number := tokenizer.token_to_id(mark)) is not None]
        self._tokenizer.no_padding()
        self._tokenizer.enable_truncation(window, stride=self._overlap)
        self.settings: Final[Mapping[str, Any]] = {**texts.settings, "words": pooling, "overlap": self._overlap}

    def read(self, items: Sequence[Item]) -> list[PreparedWords]:
        """Tokenise, and place the words."""
        documents = [as_document(item) for item in items]
        texts = [whole_characters(document) for document in documents]
        cased = [text.lower() if self._texts.settings["lower"] else text for text in texts]
        found = self._tokenizer.encode_batch(cased)
        return [self._prepared(*each) for each in zip(documents, texts, cased, found, strict=True)]

    def cost(self, prepared: PreparedWords) -> int:
        """Count the tokens."""
        return count_tokens(prepared[:-1])

    def collate(self, prepared: Sequence[PreparedWords]) -> Batch:
        """Pad to the longest window."""
        return collate_words(self._texts, prepared)

    def count(self, texts: Sequence[str]) -> TokenCounts:
        """Count the tokens of texts and, among them, those that stand for what it does not know."""
        assert isinstance(self._texts, CountsTokens)
        return self._texts.count(texts)

    def for_words(self, pooling: WordPooling) -> "WordPreparer":
        """Return the same for another pooling."""
        tokenizer = Tokenizer.from_str(self._tokenizer.to_str())
        return WordPreparer(tokenizer, self._texts, start=self._start, pooling=pooling)

    def _prepared(self, document: Document, text: str, cased: str, encoding: Encoding) -> PreparedWords:
        parts = [encoding, *encoding.overflowing]
        windows = [np.array(part.ids or [self._start], dtype=np.int32) for part in parts]
        offsets, before = self._offsets(parts)
        if len(cased) != len(text):
            offsets = _in_original(offsets, text)
        overlap, pooling = self._overlap, self._pooling
        places = place_words(
            document.words, offsets, window=self._window, overlap=overlap, before=before, pooling=pooling
        )
        return (*windows, places)

    def _offsets(self, parts: Sequence[Encoding]) -> tuple[Numbers, int]:
        """Return the characters of every token of a document, and how many special tokens a window begins with."""
        lengths = [len(part.ids) - self._special for part in parts]
        if lengths[0] <= 0:
            return np.empty((0, 2), dtype=np.intp), 0
        before = next((i for i in range(self._special) if parts[0].token_to_sequence(i) is not None), self._special)
        skipped = [before] + [before + self._overlap] * (len(parts) - 1)  # what the window before this has already
        chosen = [slice(start, before + length) for start, length in zip(skipped, lengths, strict=True)]
        offsets = np.concatenate([part.offsets[inside] for part, inside in zip(parts, chosen, strict=True)])
        ids = np.concatenate([part.ids[inside] for part, inside in zip(parts, chosen, strict=True)])
        # A mark of where a word begins stands for no character, though it may claim the first of the text.
        marks = np.isin(ids, self._marks)
        offsets[marks, 1] = offsets[marks, 0]
        return offsets, before


def whole_characters(item: Item) -> str:
    """Return a text, or that of a document, with a replacement character for each half of one."""
    return SURROGATES.sub("\ufffd", str(item))


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


def _in_original(offsets: Numbers, text: str) -> Numbers:
    """Turn offsets in a text in lower case, where some characters became several, into offsets in the text itself."""
    origin = np.repeat(np.arange(len(text)), [len(character.lower()) for character in text])
    origin = np.append(origin, len(text))
    starts, ends = offsets.T
    return np.stack([origin[starts], np.where(ends > starts, origin[ends - 1] + 1, origin[starts])], axis=1)


def first_line(error: Exception) -> str:
    """Return what an error of a library says, in at most 200 signs."""
    return (str(error).splitlines() or [type(error).__name__])[0][:200]
