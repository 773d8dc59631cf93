"""What the text families share: joining windows of tokens into batches, and pooling tokens into one row per text.

A text longer than the network's window is cut into consecutive windows; nothing is dropped. Each window is pooled by
itself, and a text's row is the average of its windows, weighted by their number of real tokens. For mean pooling that
is the mean over all tokens of the text.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol, final, runtime_checkable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from headstart import runtime
from headstart.backbones._batch import Batch
from headstart.runtime.tokens import Windows

Pooling = Literal["mean", "cls", "last"]


@final
@dataclass(frozen=True)
class TokenCounts:
    """What a tokenizer makes of some texts, special tokens left out.

    Attributes:
        tokens: How many tokens there are.
        unknown: How many of them stand for what the tokenizer does not know.
    """

    tokens: int
    unknown: int = 0


@runtime_checkable
class CountsTokens(Protocol):
    """A preparer of texts with a tokenizer of its own."""

    def count(self, texts: Sequence[str]) -> TokenCounts:
        """Count the tokens of texts."""


def count_tokens(windows: Windows) -> int:
    """Count the tokens of one text, special ones included."""
    return sum(len(window) for window in windows)


def collate_windows(prepared: Sequence[Windows], *, pad: int) -> Batch:
    """Join texts into one batch, padded on the right to its longest window.

    Args:
        prepared: The windows of each text.
        pad: The id that fills the rest; the mask hides it.

    Returns:
        (W, T) ids; a mask only where something is padded, owners only where a text has several windows.
    """
    return join_windows(prepared, fill=pad, dtype=np.int64)


def join_windows(prepared: Sequence[Sequence[NDArray[Any]]], *, fill: int, dtype: type[np.generic]) -> Batch:
    """Join items that are cut into windows into one batch, padded on the right to its longest window.

    Args:
        prepared: The windows of each item, (T, ...) each.
        fill: What fills the rest.
        dtype: Number type of the values.

    Returns:
        (W, T, ...) values; a mask only where something is padded, owners only where an item has several windows.
    """
    values, real, owner = runtime.join_windows(prepared, fill=fill, dtype=dtype)
    several = len(owner) > len(prepared)
    mask = None if real.all() else torch.from_numpy(real)
    return Batch(torch.from_numpy(values), mask, torch.from_numpy(owner) if several else None)


def pool_tokens(how: Pooling, batch: Batch) -> Tensor:
    """Pool the tokens of each window, then join the windows of each text.

    Args:
        how: The mean over real tokens, the first token, or the last real token.
        batch: (W, T, D) activations with their mask and owners.

    Returns:
        (N, D), one row per text.
    """
    values, mask = batch.values, batch.mask
    everything = values.new_full((len(values),), values.shape[1], dtype=torch.long)
    lengths = everything if mask is None else mask.sum(1)
    if how == "cls":
        pooled = values[:, 0]
    elif how == "last":
        pooled = values[torch.arange(len(values), device=values.device), lengths - 1]
    elif mask is None:
        pooled = values.mean(1)
    else:
        pooled = (values * mask[..., None]).sum(1) / lengths[:, None]
    return pooled if batch.owner is None else _join(pooled, lengths, batch.owner)


def _join(pooled: Tensor, lengths: Tensor, owner: Tensor) -> Tensor:
    """Average the windows of each text, weighted by their real tokens; (W, D) to (N, D)."""
    texts = int(owner.max()) + 1
    weights = lengths.to(pooled.dtype)
    total = pooled.new_zeros(texts, pooled.shape[1]).index_add(0, owner, pooled * weights[:, None])
    return total / pooled.new_zeros(texts).index_add(0, owner, weights)[:, None]
