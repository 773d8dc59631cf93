"""Texts and documents to windows of token numbers, by the tokenizer that comes with a network."""

import re
from collections.abc import Sequence
from typing import Any, Final, final

import numpy as np
from numpy.typing import NDArray
from tokenizers import Encoding, Tokenizer

from headstart.runtime._aligned import OVERLAP, Numbers, WordPooling, place_words
from headstart.runtime._documents import Document

MARKS: Final = ("\u2581", "\u0120")  # tokens of SentencePiece and of byte-level tokenizers that are only a space
SURROGATES: Final = re.compile("[\ud800-\udfff]")  # halves of characters, which no tokenizer takes

Windows = tuple[NDArray[np.int32], ...]  # the token numbers of one text, window by window
PreparedWords = tuple[NDArray[np.int32], ...]  # the tokens of each window, then the places of the words: (K, 3)


@final
class TextWindows:
    """Tokenises texts and cuts long ones into windows.

    Args:
        tokenizer: One of its own; it is set up here.
        window: Tokens of a window, special ones included.
        lower: Whether texts are read in lower case.
        start: The token of a text that has none.
    """

    def __init__(self, tokenizer: Tokenizer, *, window: int, lower: bool, start: int) -> None:
        self.tokenizer, self.window, self.lower, self.start = tokenizer, window, lower, start
        tokenizer.no_padding()
        tokenizer.enable_truncation(window, stride=0)

    def read(self, items: Sequence[Any]) -> list[Windows]:
        """Tokenise; a text without any token becomes the start token."""
        return [self._windows(encoding) for encoding in self.tokenizer.encode_batch_fast(self.cased(items))]

    def cased(self, items: Sequence[Any]) -> list[str]:
        """Return texts, or those of documents, as they are tokenised."""
        whole = map(whole_characters, items)
        return [text.lower() if self.lower else text for text in whole]

    def for_words(self, pooling: WordPooling) -> "WordWindows":
        """Return what reads documents with the same tokenizer."""
        tokenizer = Tokenizer.from_str(self.tokenizer.to_str())
        return WordWindows(tokenizer, window=self.window, lower=self.lower, start=self.start, pooling=pooling)

    def _windows(self, encoding: Encoding) -> Windows:
        parts = (encoding, *encoding.overflowing)
        return tuple(np.array(part.ids or [self.start], dtype=np.int32) for part in parts)


@final
class WordWindows:
    """Tokenises documents and says which tokens stand for which words, in windows that overlap.

    Args:
        tokenizer: One of its own; it is set up here.
        window: Tokens of a window, special ones included.
        lower: Whether texts are read in lower case.
        start: The token of a text that has none.
        pooling: How features of words are made.
    """

    def __init__(self, tokenizer: Tokenizer, *, window: int, lower: bool, start: int, pooling: WordPooling) -> None:
        special = tokenizer.num_special_tokens_to_add(is_pair=False)
        self._tokenizer, self._lower, self._start, self._pooling = tokenizer, lower, start, pooling
        self._window = max(1, window - special)
        self.overlap = min(window // OVERLAP, self._window - 1)
        self._special = special
        self._marks = [number for mark in MARKS if (number := tokenizer.token_to_id(mark)) is not None]
        tokenizer.no_padding()
        tokenizer.enable_truncation(window, stride=self.overlap)

    def read(self, documents: Sequence[Document]) -> list[PreparedWords]:
        """Tokenise, and place the words."""
        texts = [whole_characters(document) for document in documents]
        cased = [text.lower() if self._lower else text for text in texts]
        found = self._tokenizer.encode_batch(cased)
        return [self._prepared(*each) for each in zip(documents, texts, cased, found, strict=True)]

    def _prepared(self, document: Document, text: str, cased: str, encoding: Encoding) -> PreparedWords:
        parts = [encoding, *encoding.overflowing]
        windows = [np.array(part.ids or [self._start], dtype=np.int32) for part in parts]
        offsets, before = self._offsets(parts)
        if len(cased) != len(text):
            offsets = _in_original(offsets, text)
        overlap, pooling = self.overlap, self._pooling
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
        skipped = [before] + [before + self.overlap] * (len(parts) - 1)  # what the window before this has already
        chosen = [slice(start, before + length) for start, length in zip(skipped, lengths, strict=True)]
        offsets = np.concatenate([part.offsets[inside] for part, inside in zip(parts, chosen, strict=True)])
        ids = np.concatenate([part.ids[inside] for part, inside in zip(parts, chosen, strict=True)])
        # A mark of where a word begins stands for no character, though it may claim the first of the text.
        marks = np.isin(ids, self._marks)
        offsets[marks, 1] = offsets[marks, 0]
        return offsets, before


def whole_characters(item: Any) -> str:
    """Return a text, or that of a document, with a replacement character for each half of one."""
    return SURROGATES.sub("\ufffd", str(item))


def _in_original(offsets: Numbers, text: str) -> Numbers:
    """Turn offsets in a text in lower case, where some characters became several, into offsets in the text itself."""
    origin = np.repeat(np.arange(len(text)), [len(character.lower()) for character in text])
    origin = np.append(origin, len(text))
    starts, ends = offsets.T
    return np.stack([origin[starts], np.where(ends > starts, origin[ends - 1] + 1, origin[starts])], axis=1)
