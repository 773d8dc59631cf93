"""A text network that gives one row of features for every word of a document, instead of one for the whole text.

The text is tokenised as it stands, not word by word: a network has seen running text in its pretraining, and so it sees
punctuation where it stands and words of languages without spaces in one piece. Offsets say which token covers which
characters, and with that which words. A text longer than the network's window is cut into windows that overlap, so that
every word is read with something on both sides of it; see `_aligned` for which window answers for which word.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Final, Protocol, runtime_checkable

from torch import Tensor

from headstart.backbones._base import Backbone, Preparer
from headstart.backbones._batch import Batch, Words, pool_words
from headstart.backbones._texts import pool_tokens
from headstart.data import Document, Item
from headstart.errors import BackboneError, OptionError
from headstart.runtime import WordPooling
from headstart.runtime.tokens import PreparedWords

POOLINGS: Final[Mapping[WordPooling, str]] = {
    "first": "a word's features are those of its first token in the last layer",
    "mean": "a word's features are the mean over its tokens in the last layer",
}
NOTE_OF_TEXTS: Final = "a text's features are "


@runtime_checkable
class ReadsWords(Protocol):
    """A preparer of texts that can also say where their words are."""

    def for_words(self, pooling: WordPooling) -> Preparer:
        """Return a preparer of documents for this pooling."""


def word_backbone(backbone: Backbone, pooling: WordPooling) -> Backbone:
    """Let a text network give features of words.

    Args:
        backbone: For texts, of any family; it stays as it is. One for words is given the other pooling.
        pooling: ``first``: the first token of a word stands for it; ``mean``: the mean over its tokens.

    Returns:
        A backbone of the same name, network, cut points and weights (they lie in the same memory). Its items are
        `Document`; a plain text is split into words. What it returns has one row for every word: those of the first
        item, then those of the second, and so on.

    Raises:
        OptionError: There is no such pooling.
        BackboneError: It is for images or sounds, or made from modules of your own.
    """
    if pooling not in POOLINGS:
        fix = f"Write {' or '.join(POOLINGS)}."
        raise OptionError(f"expected a pooling of words, found {str(pooling)[:60]!r}", where=backbone.name, fix=fix)
    if not isinstance(backbone.preparer, ReadsWords):
        raise BackboneError(
            "it has no tokenizer that tells where the words of a text are",
            where=backbone.name,
            fix="Choose a text network: starter:minilm-l6, or hf: or dir: in transformers' layout.",
        )
    texts = [note for note in backbone.notes if not note.startswith(NOTE_OF_TEXTS) and note not in POOLINGS.values()]
    changed = replace(
        backbone,
        preparer=backbone.preparer.for_words(pooling),
        tail=_repooled(backbone.tail),
        pool=None if backbone.pool is None else pool_words,
        source={**backbone.source, "words": pooling},
        notes=(*texts, POOLINGS[pooling]),
        source_head=None,
    )
    vars(changed)["weights_hash"] = backbone.weights_hash  # the weights are the same; hashing them takes seconds
    return changed


def _repooled(tail: Callable[[Batch], Tensor]) -> Callable[[Batch], Tensor]:
    """Return a tail with the pooling of words in place of that of texts, which is the whole of it or its last part."""
    if tail is pool_words or (isinstance(tail, partial) and tail.func is pool_tokens):
        return pool_words
    assert isinstance(tail, partial), "a tail of an unknown kind"
    return partial(tail.func, *tail.args[:-1], _repooled(tail.args[-1]))


def as_document(item: Item) -> Document:
    """Return a document as it is, and of a plain text its words."""
    return item if isinstance(item, Document) else Document.of_text(str(item))


def collate_words(texts: Preparer, prepared: Sequence[PreparedWords]) -> Batch:
    """Join documents into one batch.

    Args:
        texts: Joins their windows.
        prepared: Windows and places of each document.

    Returns:
        What `texts` makes of the windows, with the words.
    """
    windows = [each[:-1] for each in prepared]
    words = Words.join([each[-1] for each in prepared], [len(each) for each in windows])
    return replace(texts.collate(windows), words=words)
