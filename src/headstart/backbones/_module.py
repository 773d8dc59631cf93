"""The user's own network as a backbone.

A function cannot be hashed: two closures may share their code and differ in a variable. What it does can be observed,
so the preprocessing is identified by its output on two fixed items, made here. Two functions that agree on both and
differ elsewhere would share rows of the activation store; one that gives two answers for one item (random augmentation)
is refused, because nothing computed from it could be kept.
"""

import copy
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, final

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn

from headstart.backbones._base import Backbone
from headstart.backbones._batch import Batch
from headstart.backbones._images import block
from headstart.backbones._tensors import hash_state
from headstart.data import Item, Modality, PixelScale, Sound, read_image, read_sound
from headstart.errors import BackboneError

RATE: Final = 16_000  # at which the user's function gets recordings
TEXTS: Final = ("The quick brown fox jumps over the lazy dog.", "Ärger, 42 naïve façades & ½ – 東京!")


def build(
    blocks: Sequence[tuple[str, nn.Module]],
    preprocessing: Callable[[Any], Tensor],
    *,
    modality: Modality,
    name: str,
) -> Backbone:
    """Do what `Backbone.from_module` says; the modules are copied, so later training does not change the backbone."""
    names = [label for label, _ in blocks]
    if not blocks:
        raise BackboneError("expected at least one block, found none", where=name, fix="Pass [('body', module), ...].")
    twice = sorted({label for label in names if names.count(label) > 1})
    if twice:
        raise BackboneError(f"two blocks are called {twice[0]!r}", where=name, fix="Give every block its own name.")
    network = copy.deepcopy(nn.ModuleList(module for _, module in blocks)).float().eval()
    network.requires_grad_(requires_grad=False)
    for module in network.modules():
        if getattr(module, "inplace", False) is True:
            module.inplace = False  # type: ignore[assignment]  # it would overwrite activations kept at a cut
    source = {"library": "module", "blocks": names}
    preparer = CallablePreparer(preprocessing, modality, {"outputs": _identify(preprocessing, modality, name=name)})
    chain = tuple(block(label, module) for label, module in zip(names, network, strict=True))
    unmeasured = Backbone(name, modality, network, preparer, chain, _flatten, 0, source)
    return replace(unmeasured, num_features=_width(unmeasured))


def _width(backbone: Backbone) -> int:
    """Find the width of the features by running one item."""
    with torch.no_grad():
        batch = backbone.prepare(examples(backbone.modality)[:1])
        values = backbone.forward_to(batch, backbone.cuts[-1]).values
    if values.ndim not in (2, 4):
        raise BackboneError(
            f"expected a last block that returns (N, D) or (N, D, H, W), found shape {tuple(values.shape)}",
            where=f"{backbone.name}, block {backbone.cuts[-1]}",
            fix="Add a block that flattens or pools.",
        )
    return values.shape[1]


def _flatten(batch: Batch) -> Tensor:
    return batch.values.mean((2, 3)) if batch.values.ndim == 4 else batch.values


@final
@dataclass(frozen=True, eq=False)
class CallablePreparer:
    """Applies the user's function to one item at a time.

    Attributes:
        preprocessing: One image, string or (n,) samples at 16 kHz to one tensor.
        modality: What the items are.
        settings: The hash of what the function makes of the fixed items.
        chunk: One item a call.
        scale: How pixels of more than 8 bits become the 8 bits that the function gets; by rules of their own if None.
    """

    preprocessing: Callable[[Any], Tensor]
    modality: Modality
    settings: Mapping[str, Any]
    chunk: int = 1
    scale: PixelScale | None = None

    def read(self, items: Sequence[Item]) -> list[Tensor]:
        """Decode images and recordings, then apply the function."""
        return [self.preprocessing(self._decoded(item)) for item in items]

    def cost(self, prepared: Tensor) -> int:
        """Count the values."""
        return prepared.numel()

    def collate(self, prepared: Sequence[Tensor]) -> Batch:
        """Stack.

        Args:
            prepared: What the function returned for each item.

        Returns:
            The batch.

        Raises:
            BackboneError: The function returned tensors of several shapes.
        """
        shapes = sorted({tuple(tensor.shape) for tensor in prepared})
        if len(shapes) > 1:
            raise BackboneError(
                f"expected preprocessing to return one shape, found {shapes[0]} and {shapes[1]}",
                where="Backbone.from_module",
                fix="Resize, crop or pad inside the preprocessing function.",
            )
        return Batch(torch.stack(list(prepared)))

    def _decoded(self, item: Item) -> Any:
        if self.modality == "audio":
            return read_sound(item, rate=RATE)
        return read_image(item, self.scale) if self.modality == "image" else item


def _identify(preprocessing: Callable[[Any], Tensor], modality: Modality, *, name: str) -> str:
    """Hash what the function makes of the fixed items; see the top of this file."""
    digests = []
    for _ in range(2):
        # As they are: of recordings a function sees the samples.
        items = [item.samples if isinstance(item, Sound) else item for item in examples(modality)]
        outputs = [preprocessing(item) for item in items]
        if not all(isinstance(output, Tensor) for output in outputs):
            kind = type(outputs[0]).__name__
            fix = "Convert its result with torch.as_tensor."
            raise BackboneError(f"expected preprocessing to return a torch.Tensor, found {kind}", where=name, fix=fix)
        digests.append(hash_state({str(i): output for i, output in enumerate(outputs)}))
    if digests[0] != digests[1]:
        raise BackboneError(
            "the preprocessing gives two different results for one item",
            where=name,
            fix="Leave random augmentation out of it; features are computed once and kept.",
        )
    return digests[0]


def examples(modality: Modality) -> list[Any]:
    """Return two fixed items: uneven in shape and content, so that resizing, cropping and scaling all show."""
    if modality == "text":
        return list(TEXTS)
    if modality == "audio":  # a rising and a falling tone, half a second and less
        time = np.arange(RATE // 2) / RATE
        tones = [np.sin(2 * np.pi * (300 + 2000 * time) * time), 0.3 * np.sin(2 * np.pi * (1500 - 900 * time) * time)]
        return [Sound(tone[: len(tone) - 1500 * i].astype(np.float32), RATE) for i, tone in enumerate(tones)]
    rows, columns = np.mgrid[0:60, 0:90]
    waves = [127.5 + 127.5 * np.sin(rows / (3 + c) + columns / (7 - c)) for c in range(3)]
    picture = np.stack(waves, axis=-1).round().astype(np.uint8)
    return [Image.fromarray(picture), Image.fromarray(255 - picture.transpose(1, 0, 2).copy())]
