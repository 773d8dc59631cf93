"""What every pretrained network looks like to the rest of Headstart: a chain of named blocks.

Freezing the first blocks makes their output a constant of (weights, preprocessing, item), which the activation store
keeps. So a backbone is three things: a `Preparer` (items to tensors), an ordered list of `Block`s with a cut point
after each, and a tail that pools the last block's output into one row of features per item. For every cut point
``forward_from(forward_to(batch, cut), cut)`` equals ``forward(batch)``.

A family whose blocks are unknown has no cut points; it still works as a frozen extractor.

A text network can give a row for every word of an item instead, and one for sounds a row for every frame; see
`headstart.backbones.word_backbone` and `frame_backbone`. One for images can see more than 8-bit RGB; see
`picture_backbone`.
"""

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Literal, Protocol, final

import torch
from torch import Tensor, nn

from headstart.backbones._batch import Batch
from headstart.backbones._source_head import SourceHead
from headstart.backbones._tensors import hash_state, tensors_of
from headstart.data import Item, Modality, PixelScale
from headstart.errors import BackboneError

View = Literal["last", "mean"]
Prepared = Any  # one item as `Preparer.read` leaves it: the bytes of a picture, the windows of a text or sound


class Preparer(Protocol):
    """Turns items into tensors, in two steps so that reading can run in threads while the network computes."""

    @property
    def settings(self) -> Mapping[str, Any]:
        """Everything that changes what the network sees, as JSON values; part of every store key."""

    @property
    def chunk(self) -> int:
        """How many items one call of `read` takes best."""

    def read(self, items: Sequence[Item]) -> list[Prepared]:
        """Decode or tokenise; one compact value per item, in order."""

    def cost(self, prepared: Prepared) -> int:
        """The size of one prepared item (tokens, frames, pixels), for batching like with like."""

    def collate(self, prepared: Sequence[Prepared]) -> Batch:
        """Join prepared items into one batch."""


@dataclass(frozen=True)
class Block:
    """One link of the chain; the cut point after it carries its name.

    Attributes:
        name: The block's name inside its network, such as ``layer3.1``.
        modules: The modules it uses, whose parameters train when the block is thawed.
        forward: Maps a batch to the values after this block.
        space: Which axes of these are height and width, where there are four.
    """

    name: str
    modules: tuple[nn.Module, ...]
    forward: Callable[[Batch], Tensor]
    space: tuple[int, int] = (2, 3)


@final
@dataclass(frozen=True, eq=False)
class Backbone:
    """A pretrained network, its preprocessing and its cut points.

    Attributes:
        name: Its address, such as ``timm:resnet18.a1_in1k``.
        modality: What its items are.
        network: The module that holds every weight; in evaluation mode.
        preparer: Items to batches.
        blocks: The chain, input to output.
        tail: Last block's output to (N, num_features): final norm, pooling, windows rejoined.
        tail_modules: The modules the tail uses.
        num_features: Width of the features.
        source: How to build the network again without its weights, as JSON values; see `headstart.backbones.rebuild`.
        pool: Pools the activations of any block into (N, D) where all blocks are equally wide, else None.
        assets: Files that rebuilding needs besides the weights (tokenizer), by name.
        notes: What a user should know, such as the pooling or the lack of cut points.
        source_head: The classifier it was pretrained with, where that is linear in the features.
    """

    name: str
    modality: Modality
    network: nn.Module
    preparer: Preparer
    blocks: tuple[Block, ...]
    tail: Callable[[Batch], Tensor]
    num_features: int
    source: Mapping[str, Any]
    tail_modules: tuple[nn.Module, ...] = ()
    pool: Callable[[Batch], Tensor] | None = None
    assets: Mapping[str, bytes] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    source_head: SourceHead | None = None

    @staticmethod
    def from_module(
        blocks: Sequence[tuple[str, nn.Module]],
        preprocessing: Callable[[Any], Tensor],
        *,
        modality: Modality = "image",
        name: str = "module",
    ) -> "Backbone":
        """Use your own network.

        Args:
            blocks: Named modules, input to output; each takes the tensor the one before it returns. The last may return
                (N, D), or (N, D, H, W), which is averaged over H and W.
            preprocessing: One item (RGB ``PIL.Image``, string, (n,) samples at 16 kHz) to one tensor, all of one shape.
            modality: What the items are.
            name: What to call it in reports.

        Returns:
            A backbone with a cut point after every block. Its models are saved without the network's code, so loading
            one needs ``headstart.load(folder, backbone=...)``.

        Raises:
            BackboneError: No blocks, two of one name, or a result that is neither (N, D) nor (N, D, H, W).
        """
        from headstart.backbones._module import build

        return build(blocks, preprocessing, modality=modality, name=name)

    @property
    def cuts(self) -> tuple[str, ...]:
        """Names of the cut points, input to output; empty where the family has none."""
        return tuple(block.name for block in self.blocks)

    @property
    def views(self) -> tuple[View, ...]:
        """The feature views it offers: the last layer, and the mean of all layers where they are equally wide."""
        return ("last", "mean") if self.pool is not None and self.blocks else ("last",)

    @property
    def pooling_of_words(self) -> Literal["first", "mean"] | None:
        """How its features of words are made; None where it gives none. See `word_backbone`."""
        return self.source.get("words")

    @property
    def pixels(self) -> PixelScale | None:
        """How it sees pixels of more than 8 bits, and other channels; None where all become 8-bit RGB."""
        kept = self.source.get("pixels")
        return None if kept is None else PixelScale.from_dict(kept)

    @property
    def frames(self) -> float | None:
        """How many frames a second was to have; None where it gives no features of frames. See `frame_backbone`."""
        return self.source.get("frames")

    @property
    def frame_seconds(self) -> float | None:
        """How long a frame is, exactly; None where it gives no features of frames."""
        return getattr(self.preparer, "frame_seconds", None)

    @property
    def one_row(self) -> bool:
        """Whether its features are of whole items: neither of words nor of frames."""
        return self.pooling_of_words is None and self.frames is None

    @property
    def device(self) -> torch.device:
        """Where its weights are."""
        return next((p.device for p in self.network.parameters()), torch.device("cpu"))

    def prepare(self, items: Sequence[Item]) -> Batch:
        """Read items and join them into one batch on the network's device.

        Args:
            items: Paths, images, arrays, strings or `Sound`.

        Returns:
            The input batch.
        """
        return self.preparer.collate(self.preparer.read(items)).to(self.device)

    def forward_to(self, batch: Batch, cut: str) -> Batch:
        """Run the blocks up to a cut point.

        Args:
            batch: The network's input.
            cut: A name from `cuts`.

        Returns:
            The activations after that block, with mask and owners carried along.
        """
        for block in self.blocks[: self._position(cut)]:
            batch = replace(batch, values=block.forward(batch))
        return batch

    def forward_from(self, batch: Batch, cut: str) -> Tensor:
        """Run the blocks after a cut point, and the tail.

        Args:
            batch: What `forward_to` returned for the same cut.
            cut: A name from `cuts`.

        Returns:
            (N, num_features) features; a row for every word or frame of all items under a backbone for those.
        """
        for block in self.blocks[self._position(cut) :]:
            batch = replace(batch, values=block.forward(batch))
        return self.tail(batch)

    def forward(self, batch: Batch) -> Tensor:
        """Run the whole network.

        Args:
            batch: The network's input.

        Returns:
            (N, num_features) features; a row for every word or frame of all items under a backbone for those.
        """
        for block in self.blocks:
            batch = replace(batch, values=block.forward(batch))
        return self.tail(batch)

    def forward_views(self, batch: Batch) -> dict[View, Tensor]:
        """Run the whole network once and return every feature view.

        ``mean`` is the average over blocks of the pooled activations, which ranks and probes text encoders better than
        the last layer alone (Garbas et al., Findings of ACL 2024).

        Args:
            batch: The network's input.

        Returns:
            (N, D) features for each of `views`.
        """
        if self.pool is None or not self.blocks:
            return {"last": self.forward(batch)}
        total: Tensor | None = None
        for block in self.blocks:
            batch = replace(batch, values=block.forward(batch))
            pooled = self.pool(batch)
            total = pooled if total is None else total + pooled
        assert total is not None
        return {"last": self.tail(batch), "mean": total / len(self.blocks)}

    @cached_property
    def weights_hash(self) -> str:
        """SHA-256 over the names, shapes, types and bytes of all weights and buffers, in order of name."""
        return hash_state(self.network.state_dict())

    @cached_property
    def preprocessing_hash(self) -> str:
        """SHA-256 of the preprocessing settings and of how the network is assembled and pooled."""
        text = json.dumps([dict(self.preparer.settings), dict(self.source)], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()

    def to(self, device: str) -> "Backbone":
        """Move the network to a device; returns the backbone itself."""
        self.network.to(device)
        return self

    def after(self, cut: str | None) -> tuple[Block, ...]:
        """Return the blocks after a cut point.

        Args:
            cut: A name from `cuts`, or None for all blocks.

        Returns:
            The blocks, input to output.
        """
        return self.blocks if cut is None else self.blocks[self._position(cut) :]

    def thawed_names(self, cut: str | None) -> tuple[str, ...]:
        """Name the parameters and buffers of what runs after a cut point: the blocks there, and the tail.

        Args:
            cut: A name from `cuts`, or None for the whole network.

        Returns:
            Names in ``network.state_dict()``, in its order.

        Raises:
            BackboneError: A weight is used on both sides of the cut.
        """
        state = self.network.state_dict(keep_vars=True)
        if cut is None:
            return tuple(state)
        thawed = self._thawed(cut)
        return tuple(name for name, tensor in state.items() if id(tensor) in thawed)

    def copy(self, *, after: str | None) -> "Backbone":
        """Copy what runs after a cut point, so that training it leaves this backbone as it is.

        Args:
            after: The cut point, a name from `cuts`; None copies the whole network.

        Returns:
            A backbone with the same outputs. Its weights up to the cut lie in the same memory as this one's and must
            not be written to. The preparer and the assets are shared; buffers never are, because BatchNorm writes to
            its statistics wherever it runs in training mode.

        Raises:
            BackboneError: A weight is used on both sides of the cut, so what is stored there would change with it.
        """
        memo: dict[int, Any] = {}
        if after is not None:
            thawed = self._thawed(after)
            frozen = [parameter for parameter in self.network.parameters() if id(parameter) not in thawed]
            # Parameters of their own over shared memory: moving or thawing the copy says nothing about the original.
            memo = {id(parameter): nn.Parameter(parameter.detach(), requires_grad=False) for parameter in frozen}
        network, blocks, tail, tail_modules, pool = deepcopy(
            (self.network, self.blocks, self.tail, self.tail_modules, self.pool), memo
        )
        return replace(self, network=network, blocks=blocks, tail=tail, tail_modules=tail_modules, pool=pool)

    def truncated(self, after: str) -> "Backbone":
        """Cut the network off: faster, and far from the data of its pretraining often as good (see `_truncated`).

        Args:
            after: The last block to keep, a name from `cuts`; the last of them gives this backbone itself.

        Returns:
            A backbone of the blocks up to there, named ``NAME#after``. Its features are the activations of the last,
            pooled as `pool` does or averaged over space; a final norm is left out. It holds no other weights, and these
            lie in the same memory as this one's and must not be written to.

        Raises:
            BackboneError: There is no such cut point, or its activations cannot be pooled.
        """
        from headstart.backbones._truncated import truncated

        return truncated(self, after)

    def _thawed(self, cut: str) -> set[int]:
        """Identify the tensors that are used after a cut point, and nowhere before it."""
        thawed = self._used_after(cut)
        if thawed & self._used_before(cut):
            whole = [name for name in self.cuts if not self._used_after(name) & self._used_before(name)]
            fix = f"Cut after one of: {', '.join(whole)}." if whole else "Thaw the whole network."
            raise BackboneError(
                f"blocks before and after the cut point {cut!r} share weights", where=self.name, fix=fix
            )
        return thawed

    def _used_before(self, cut: str) -> set[int]:
        return tensors_of(module for block in self.blocks[: self._position(cut)] for module in block.modules)

    def _used_after(self, cut: str) -> set[int]:
        return tensors_of([*(module for block in self.after(cut) for module in block.modules), *self.tail_modules])

    def _position(self, cut: str) -> int:
        if cut not in self.cuts:
            known = ", ".join(self.cuts) or "none"
            raise BackboneError(f"there is no cut point {cut!r}", where=self.name, fix=f"Its cut points: {known}.")
        return self.cuts.index(cut) + 1
