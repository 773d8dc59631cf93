"""What runs through a network at once: rows of tokens, frames or pixels, whose they are, and where their words are."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import pad

from headstart.runtime import Places, join_places


@final
@dataclass(frozen=True)
class Words:
    """Which tokens of a batch stand for which words; several may stand for one word, and one for several words.

    Of recordings, which frames of the network stand for which frames of the features.

    Attributes:
        places: (K, 3) row of the batch, token in that row, word; ordered by word. All tokens of a word are in one row.
        count: How many words there are, of all items together; each has a place.
    """

    places: Tensor
    count: int

    @staticmethod
    def join(items: Sequence[Places], windows: Sequence[int]) -> "Words":
        """Number the words of several items one after another.

        Args:
            items: The places of each item's words.
            windows: How many rows each item has.

        Returns:
            The words of the first item, then of the second, and so on.
        """
        places, count = join_places(items, windows)
        return Words(torch.from_numpy(places), count)

    def to(self, device: torch.device) -> "Words":
        """Return the same places on another device."""
        return Words(self.places.to(device, non_blocking=True), self.count)

    def at(self, rows: Tensor) -> "tuple[Words, Tensor]":
        """Keep what is in some rows of the batch.

        Args:
            rows: (m,) different rows, in any order.

        Returns:
            The words of the first of these rows, then of the second, and so on; and which of all words they are.
        """
        rows = rows.to(self.places.device)
        row, token, word = self.places.unbind(1)
        new = torch.full((int(torch.cat([row, rows]).max()) + 1,), -1, device=row.device)
        new[rows] = torch.arange(len(rows), device=row.device)
        row = new[row]
        kept = torch.nonzero(row >= 0)[:, 0]
        kept = kept[torch.argsort(row[kept] * self.count + word[kept], stable=True)]
        numbers, renumbered = torch.unique_consecutive(word[kept], return_inverse=True)
        return Words(torch.stack([row[kept], token[kept], renumbered], dim=1), len(numbers)), numbers


@dataclass(frozen=True)
class Batch:
    """Inputs of a network, or activations at a cut point.

    Attributes:
        values: (W, ...) pixels, token ids or activations; W rows.
        mask: (W, T) true where a token or frame is real, or None where every position is.
        owner: (W,) which item each row belongs to where long items were cut into windows, or None for one row an item.
        words: Where the words of the items are, or their frames, for a backbone that gives a row of features for each;
            else None.
    """

    values: Tensor
    mask: Tensor | None = None
    owner: Tensor | None = None
    words: Words | None = None

    def to(self, device: torch.device) -> "Batch":
        """Return the same batch on another device."""
        mask, owner = (None if part is None else part.to(device, non_blocking=True) for part in (self.mask, self.owner))
        words = None if self.words is None else self.words.to(device)
        return Batch(self.values.to(device, non_blocking=True), mask, owner, words)

    def padded(self, length: int) -> "Batch":
        """Return the same rows with their second axis filled up with zeros, and a mask where that makes them longer."""
        values, mask = self.values, self.mask
        count, short = values.shape[0], length - values.shape[1]
        if not short:
            return self
        mask = values.new_ones(values.shape[:2], dtype=torch.bool) if mask is None else mask
        more = values.new_zeros(count, short, *values.shape[2:])
        return replace(self, values=torch.cat([values, more], dim=1), mask=pad(mask, (0, short)))

    def at(self, rows: "slice | Tensor") -> "Batch":
        """Keep some rows as items of their own, with the words that are in them.

        Args:
            rows: (m,) different rows, in any order, or a slice.

        Returns:
            Those rows, without owners; the words of the first of them come first.
        """
        mask = None if self.mask is None else self.mask[rows]
        words = self.words
        if words is not None:
            words = words.at(torch.arange(len(self.values))[rows] if isinstance(rows, slice) else rows)[0]
        return Batch(self.values[rows], mask, words=words)


def interleave(parts: Sequence[Batch], items: Sequence[NDArray[np.intp]]) -> Batch:
    """Join batches into one whose items stand in another order.

    Args:
        parts: Batches on one device.
        items: For each of them, where its items stand in the result.

    Returns:
        All items, padded on the right to the longest row; each item's rows and words stay together.
    """
    device = parts[0].values.device
    if len({part.values.shape[1:2] for part in parts}) > 1:
        longest = max(part.values.shape[1] for part in parts)
        parts = [part.padded(longest) for part in parts]
    whose = [torch.arange(len(part.values)) if part.owner is None else part.owner.cpu() for part in parts]
    owner = torch.cat([torch.from_numpy(at)[each] for at, each in zip(items, whose, strict=True)])
    order = torch.argsort(owner, stable=True)
    values, mask = torch.cat([part.values for part in parts])[order.to(device)], None
    if any(part.mask is not None for part in parts):
        full = torch.ones(values.shape[:2], dtype=torch.bool, device=device)
        real = [full[: len(part.values)] if part.mask is None else part.mask for part in parts]
        mask = torch.cat(real)[order.to(device)]
    several = len(owner) > sum(map(len, items))
    words = _interleaved(parts, owner) if parts[0].words is not None else None
    return Batch(values, mask, owner[order].to(device) if several else None, words)


def _interleaved(parts: Sequence[Batch], owner: Tensor) -> Words:
    """Number the words of several batches item by item; `owner` says whose each row is, those of all in sequence."""
    row, count, places = 0, 0, []
    for part in parts:
        assert part.words is not None, "batches of two kinds"
        places.append(part.words.places.cpu() + torch.tensor([row, 0, count]))
        row, count = row + len(part.values), count + part.words.count
    joined = torch.cat(places)
    joined = joined[torch.argsort(owner[joined[:, 0]], stable=True)]
    now = torch.argsort(torch.argsort(owner, stable=True))  # where each row stands in the result
    numbers = torch.unique_consecutive(joined[:, 2], return_inverse=True)[1]
    return Words(torch.stack([now[joined[:, 0]], joined[:, 1], numbers], dim=1).to(parts[0].values.device), count)


def pool_words(batch: Batch) -> Tensor:
    """Average the tokens that stand for each word.

    Args:
        batch: (W, T, D) activations with the places of words.

    Returns:
        (words, D), one row for every word of all items.
    """
    words, values = batch.words, batch.values
    assert words is not None, "a batch of another backbone"
    row, token, word = words.places.unbind(1)
    chosen = values[row, token]
    if not torch.compiler.is_compiling() and len(chosen) == words.count:
        return chosen
    total = chosen.new_zeros(words.count, chosen.shape[1]).index_add(0, word, chosen)
    ones = torch.ones_like(word, dtype=total.dtype)  # ONNX has no bincount
    return total / total.new_zeros(words.count).index_add(0, word, ones)[:, None]
