"""Which tokens stand for which words of a document, in which of its windows.

A token that covers characters s to e belongs to every word that has one of these characters. A word without any token
(characters that a tokenizer strips) takes the nearest one, so that no word is ever without an answer.

Windows overlap. A word is answered by one of them: of those that hold its first token, the one that holds most of its
tokens, of these the one where they are farthest from a border at which the document goes on, of these the earliest.
"""

from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from headstart.runtime._documents import Borders

WordPooling = Literal["first", "mean"]
Numbers = NDArray[np.intp]
Places = NDArray[np.int32]  # (K, 3) window, token in it, word: of one item, ordered by word

OVERLAP: Final = 4  # windows share one token in so many
FAR: Final = np.iinfo(np.intp).max


def place_words(
    borders: Borders, offsets: Numbers, *, window: int, overlap: int, before: int, pooling: WordPooling
) -> Places:
    """Place the words of a document.

    Args:
        borders: Start and end of its words.
        offsets: (n, 2) characters that its n tokens cover, special tokens left out.
        window: How many of these tokens a window holds.
        overlap: How many of them a window shares with the next.
        before: How many special tokens each window begins with.
        pooling: Whether the first token of a word stands for it or all in its window do.

    Returns:
        Window, token in it and word, ordered by word; each word has a place.
    """
    if not borders:
        return np.empty((0, 3), dtype=np.int32)
    if not len(offsets):  # its one window holds special tokens at most
        words = np.arange(len(borders))
        return np.stack([0 * words, 0 * words, words], axis=1).astype(np.int32)
    tokens, words = align(borders, offsets)
    first = np.flatnonzero(np.diff(words, prepend=-1))
    last = np.append(first[1:], len(words)) - 1
    starts = np.arange(0, max(1, len(offsets) - overlap), window - overlap)
    ends = np.minimum(starts + window, len(offsets))
    chosen = answering(tokens[first], tokens[last], starts, ends) if len(starts) > 1 else np.zeros_like(first)
    if pooling == "first":
        tokens, words = tokens[first], words[first]
    inside = (tokens >= starts[chosen[words]]) & (tokens < ends[chosen[words]])
    tokens, words = tokens[inside], words[inside]
    places = [chosen[words], tokens - starts[chosen[words]] + before, words]
    return np.stack(places, axis=1).astype(np.int32)


def align(borders: Borders, offsets: Numbers) -> tuple[Numbers, Numbers]:
    """Pair tokens with words.

    Args:
        borders: Start and end of at least one word, in order, none overlapping.
        offsets: (n, 2) characters that n tokens cover, n at least 1.

    Returns:
        Tokens and words of all pairs, ordered by word, then by token; each word has one.
    """
    starts, ends = np.array(borders, dtype=np.intp).T
    from_word = np.searchsorted(ends, offsets[:, 0], side="right")
    to_word = np.searchsorted(starts, offsets[:, 1], side="left")
    sizes = np.where(offsets[:, 1] > offsets[:, 0], np.maximum(0, to_word - from_word), 0)
    tokens = np.repeat(np.arange(len(offsets)), sizes)
    words = np.repeat(from_word - (np.cumsum(sizes) - sizes), sizes) + np.arange(len(tokens))
    without = np.flatnonzero(np.bincount(words, minlength=len(borders)) == 0)
    if len(without):
        nearest = [_nearest(starts[word], ends[word], offsets) for word in without]
        tokens, words = np.append(tokens, np.array(nearest, dtype=np.intp)), np.append(words, without)
    order = np.lexsort((tokens, words))
    return tokens[order], words[order]


def _nearest(start: int, end: int, offsets: Numbers) -> int:
    """Return the token nearest to some characters; of two, the earlier."""
    distance = np.maximum(offsets[:, 0] - end, start - offsets[:, 1])
    return int(np.where(offsets[:, 1] > offsets[:, 0], distance, FAR).argmin())


def answering(first: Numbers, last: Numbers, starts: Numbers, ends: Numbers) -> Numbers:
    """Choose the window of every word; see the top of this file.

    Args:
        first: The first token of each word.
        last: The last token of each word.
        starts: The first token of each window.
        ends: The token after the last of each window.

    Returns:
        A window for each word.
    """
    earliest = np.searchsorted(ends, first, side="right")
    sizes = np.searchsorted(starts, first, side="right") - earliest
    words = np.repeat(np.arange(len(first)), sizes)
    windows = np.repeat(earliest - (np.cumsum(sizes) - sizes), sizes) + np.arange(len(words))
    begin, end = first[words], np.minimum(last[words], ends[windows] - 1)
    left = np.where(starts[windows] > 0, begin - starts[windows], FAR)
    right = np.where(ends[windows] < ends[-1], ends[windows] - 1 - end, FAR)
    order = np.lexsort((windows, -np.minimum(left, right), begin - end, words))
    return np.asarray(windows[order][np.flatnonzero(np.diff(words[order], prepend=-1))], dtype=np.intp)
