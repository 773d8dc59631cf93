"""YAMNet, which learned to tell the sounds of AudioSet: its folder, its preprocessing, and where it can be cut.

The folder holds model.safetensors, with BatchNorm folded into the convolutions, and a config.json whose architecture is
``yamnet``. There is one such network (TensorFlow Model Garden, research/audioset/yamnet), so its numbers are here.

A recording becomes log-mel spectra, and these become patches of 0.975 s, one every 0.48 s; silence fills the last one.
A cut is after every layer. A recording's features are the mean over its patches of the average over time and bands.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import chain
from math import ceil
from pathlib import Path
from typing import Any, Final, final

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.functional import pad, relu

from headstart.backbones._augment_sounds import SoundChange
from headstart.backbones._base import Backbone, Block
from headstart.backbones._batch import Batch
from headstart.backbones._folder import Recipe, fill, read_json, read_weights
from headstart.backbones._long import LongSound, described, pieces, read_or_count
from headstart.backbones._sounds import Frames, Samples, collate_frames
from headstart.backbones._source_head import source_head
from headstart.backbones._texts import pool_tokens
from headstart.data import Item, read_sound, sound_blocks
from headstart.errors import BackboneError

FRONT: Final[Mapping[str, Any]] = {
    "sample_rate": 16_000,
    "window_samples": 400,
    "hop_samples": 160,
    "fft_size": 512,
    "mel_bins": 64,
    "mel_min_hz": 125.0,
    "mel_max_hz": 7500.0,
    "log_offset": 0.001,
    "patch_frames": 96,
    "patch_hop_frames": 48,
}
# Stride and width of the layers; the first is a convolution, each of the others one per channel and one over channels.
LAYERS: Final = (
    *((2, 32), (1, 64), (2, 128), (1, 128), (2, 256), (1, 256), (2, 512)),
    *((1, 512),) * 5,
    *((2, 1024), (1, 1024)),
)
NOTES: Final = (
    "a recording's features are the mean over its patches of 0.975 s, one every 0.48 s",
    "its batch normalisation is part of its convolutions",
)


def read(folder: Path) -> Recipe:
    """Read YAMNet.

    Args:
        folder: Holds config.json and model.safetensors.

    Returns:
        What `build` needs.

    Raises:
        BackboneError: The files are missing, unsafe or damaged, or describe sounds otherwise.
    """
    front = read_json(folder / "config.json").get("frontend", {})
    for key, value in FRONT.items():
        if not isinstance(front, dict) or front.get(key, value) != value:
            found = front.get(key) if isinstance(front, dict) else front
            problem = f'expected "{key}" {value} in "frontend", as in every YAMNet, found {found!r}'
            raise BackboneError(problem, where=str(folder / "config.json"), fix="Copy it again.")
    weights, notes = read_weights(folder)
    state = {name: tensor for name, tensor in weights.items() if not name.startswith(("frontend.", "classifier."))}
    return Recipe({"library": "yamnet"}, {}, state, notes, source_head(weights, "classifier"))


def build(recipe: Recipe, name: str) -> Backbone:
    """Assemble network, preprocessing and cut points."""
    network = _network()
    fill(network, recipe, where=name)
    return Backbone(
        name=name,
        modality="audio",
        network=network,
        preparer=PatchPreparer(),
        blocks=tuple(Block(each, (layer,), partial(_run, layer)) for each, layer in network.items()),
        tail=_pool,
        num_features=LAYERS[-1][1],
        source=recipe.source,
        notes=NOTES,
    )


def _run(layer: Any, batch: Batch) -> Tensor:
    """Run a layer on (W, C, T, F), the first on patches (W, T, F); padded as TensorFlow's ``SAME`` pads even sizes."""
    values = batch.values[:, None] if batch.values.ndim == 3 else batch.values
    for convolution in layer.values():
        more = 0 if convolution.kernel_size == (1, 1) else 1
        before = more if convolution.stride == (1, 1) else 0
        values = relu(convolution(pad(values, (before, more, before, more))))
    return values


def _network() -> nn.ModuleDict:
    network, before = nn.ModuleDict(), 1
    for number, (stride, width) in enumerate(LAYERS, start=1):
        if number == 1:
            layer = nn.ModuleDict({"conv": nn.Conv2d(before, width, 3, stride)})
        else:
            depthwise = nn.Conv2d(before, before, 3, stride, groups=before)
            layer = nn.ModuleDict({"depthwise": depthwise, "pointwise": nn.Conv2d(before, width, 1)})
        network[f"layer{number}"], before = layer, width
    return network


def _pool(batch: Batch) -> Tensor:
    """Average over time and bands, then over the patches of each recording."""
    return pool_tokens("mean", Batch(batch.values.flatten(2).transpose(1, 2), None, batch.owner))


@final
@dataclass(frozen=True)
class PatchPreparer:
    """Reads recordings and describes them patch by patch.

    Attributes:
        settings: What it does.
        change: What makes it an augmented view.
        chunk: Recordings are decoded one a call.
    """

    settings: Mapping[str, Any] = field(default_factory=lambda: dict(FRONT))
    change: SoundChange | None = None
    chunk: int = 1

    def read(self, items: Sequence[Item]) -> list[Frames]:
        """Decode, describe and cut into patches that overlap."""
        return [_patches(read_sound(item, rate=FRONT["sample_rate"]), self.change) for item in items]

    def read_long(self, items: Sequence[Item]) -> list[Frames | LongSound]:
        """Decode, describe and cut; of long recordings, only count the patches."""
        return [self._read_long(item) for item in items]

    def cost(self, prepared: Frames | LongSound) -> int:
        """Count the spectra."""
        return prepared.cost if isinstance(prepared, LongSound) else sum(map(len, prepared))

    def collate(self, prepared: Sequence[Frames | LongSound]) -> Batch:
        """Join patches into one batch, (W, 96, 64)."""
        return collate_frames([tuple(each.windows()) if isinstance(each, LongSound) else each for each in prepared])

    def _read_long(self, item: Item) -> Frames | LongSound:
        if self.change is not None:  # which looks at all samples
            return self.read([item])[0]
        found = read_or_count(item, rate=FRONT["sample_rate"])
        if not isinstance(found, int):
            return _patches(found)
        return LongSound(partial(_read_patches, item, found), (FRONT["patch_frames"],) * len(_spans(found)))


def _spans(samples: int) -> list[tuple[int, int]]:
    """Return the samples of each patch, of which the last may end beyond the recording."""
    shift = FRONT["patch_hop_frames"] * FRONT["hop_samples"]
    size = (FRONT["patch_frames"] - 1) * FRONT["hop_samples"] + FRONT["window_samples"]
    return [(i * shift, i * shift + size) for i in range(1 + max(0, ceil((samples - size) / shift)))]


def _patches(samples: Samples, change: SoundChange | None = None) -> Frames:
    samples = samples if change is None else change(samples)
    frames, shift, hop = FRONT["patch_frames"], FRONT["patch_hop_frames"], FRONT["hop_samples"]
    spans = _spans(len(samples))
    spectra = log_mel(np.pad(samples, (0, spans[-1][1] - len(samples))))
    if change is not None:
        change.mask(spectra, seconds=hop / FRONT["sample_rate"], rng=change.generator(samples))
    return tuple(spectra[i * shift : i * shift + frames] for i in range(len(spans)))


def _read_patches(item: Item, samples: int) -> Iterator[Samples]:
    spans = _spans(samples)
    rest: Samples = np.zeros(spans[-1][1] - samples, dtype=np.float32)
    blocks = chain(sound_blocks(item, rate=FRONT["sample_rate"]), [rest])
    return described(log_mel, pieces(blocks, spans, where=str(item) if isinstance(item, Path) else ""))


def log_mel(samples: Samples) -> NDArray[np.float32]:
    """Describe samples by the logarithm of mel spectra, (T, 64)."""
    size = FRONT["window_samples"]
    hann = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(size) / size)
    windows = np.lib.stride_tricks.sliding_window_view(samples, size)[:: FRONT["hop_samples"]]
    spectra = np.abs(np.fft.rfft(windows * hann.astype(np.float32), FRONT["fft_size"])).astype(np.float32)
    found: NDArray[np.float32] = np.log(spectra @ _mel_matrix() + np.float32(FRONT["log_offset"]))
    return found


def _mel_matrix() -> NDArray[np.float32]:
    """Return triangles of height 1 on the mel scale, (257, 64); none hears the lowest frequency."""
    edges = np.linspace(_mel(FRONT["mel_min_hz"]), _mel(FRONT["mel_max_hz"]), FRONT["mel_bins"] + 2)
    places = _mel(np.arange(FRONT["fft_size"] // 2 + 1) * FRONT["sample_rate"] / FRONT["fft_size"])[:, None]
    rising = (places - edges[:-2]) / (edges[1:-1] - edges[:-2])
    falling = (edges[2:] - places) / (edges[2:] - edges[1:-1])
    matrix: NDArray[np.float32] = np.maximum(0, np.minimum(rising, falling)).astype(np.float32)
    matrix[0] = 0
    return matrix


def _mel(hertz: Any) -> Any:
    return 1127 * np.log1p(np.asarray(hertz) / 700)
