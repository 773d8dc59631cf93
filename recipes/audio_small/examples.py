"""The prepared sounds as training sees them: spectra, phonemes and what the teacher heard, all in memory.

What `prepare` wrote is described once, by the extractor of transformers that the network is used with. The clips of one
step are of about one length, which halves what is padded.
"""

import json
import sys
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from transformers import SeamlessM4TFeatureExtractor

from recipes.audio_small import shards
from recipes.audio_small._tones import SAMPLE_RATE

NOTHING: Final = -1  # where a loss does not count
NEAR: Final = 2000  # how many clips of about one length those of a step are drawn from
PATCH: Final = 48  # frames of 20 ms that the teacher hears at once
BETWEEN: Final = 24  # frames from one patch to the next


@dataclass(frozen=True)
class Drawn:
    """Clips of one step.

    Attributes:
        spectra: (W, T, D), zero where nothing is.
        mask: (W, T) one where a frame is real.
        phonemes: (W, T) classes, or `NOTHING`.
        languages: (W,) of speech, or `NOTHING`.
        families: (W,) of synthetic sounds, or `NOTHING`.
        patches: (P,) rows of what the teacher heard.
        starts: (P,) first frame of each patch.
        ends: (P,) frame after its last.
        owners: (P,) which clip it is from.
    """

    spectra: Tensor
    mask: Tensor
    phonemes: Tensor
    languages: Tensor
    families: Tensor
    patches: Tensor
    starts: Tensor
    ends: Tensor
    owners: Tensor


@dataclass(frozen=True)
class Examples:
    """All clips.

    Attributes:
        spectra: (T_i, D) float16 of each clip.
        frames: (T_i,) phoneme classes, 255 where there is none.
        languages: (N,) or `NOTHING`.
        families: (N,) or `NOTHING`.
        first_patch: (N + 1,) where the teacher's rows of each clip begin.
        heard_features: (P, 1024) float16.
        heard_scores: (P, 521) float16, between 0 and 1.
        mean: (1024,) of the features.
        spread: (1024,) standard deviation of the features.
        about: What `prepare` says of the clips, and one hash of all shards.
    """

    spectra: list[NDArray[np.float16]]
    frames: list[NDArray[np.uint8]]
    languages: Tensor
    families: Tensor
    first_patch: NDArray[np.intp]
    heard_features: Tensor
    heard_scores: Tensor
    mean: Tensor
    spread: Tensor
    about: Mapping[str, Any]

    def __len__(self) -> int:
        return len(self.spectra)

    @cached_property
    def by_length(self) -> Tensor:
        """The clips from the shortest to the longest."""
        return torch.tensor([len(each) for each in self.spectra]).argsort(stable=True)

    def draw(self, count: int, source: torch.Generator) -> Drawn:
        """Draw clips of about one length, at random."""
        near = min(NEAR, len(self))
        start = int(torch.randint(len(self) - near + 1, (1,), generator=source))
        rows = self.by_length[start + torch.randint(near, (count,), generator=source)]
        clips = [self.spectra[row] for row in rows.tolist()]
        longest = max(map(len, clips))
        spectra = torch.zeros(count, longest, clips[0].shape[1])
        mask = torch.zeros(count, longest, dtype=torch.long)
        phonemes = torch.full((count, longest), NOTHING)
        patches, starts, owners, lengths = [], [], [], []
        for k, row in enumerate(rows.tolist()):
            length = len(clips[k])
            spectra[k, :length], mask[k, :length] = torch.from_numpy(clips[k].astype(np.float32)), 1
            labels = torch.from_numpy(self.frames[row].astype(np.int64))[:length]
            phonemes[k, : len(labels)] = torch.where(labels == shards.NO_LABEL, NOTHING, labels)
            here = torch.arange(self.first_patch[row], self.first_patch[row + 1])
            patches.append(here)
            starts.append((torch.arange(len(here)) * BETWEEN).clamp(max=length - 1))
            owners.append(torch.full((len(here),), k))
            lengths.append(torch.full((len(here),), length))
        start = torch.cat(starts)
        ends = torch.minimum(start + PATCH, torch.cat(lengths))
        return Drawn(
            spectra,
            mask,
            phonemes,
            self.languages[rows],
            self.families[rows],
            torch.cat(patches),
            start,
            ends,
            torch.cat(owners),
        )


def read(folder: Path, extractor: SeamlessM4TFeatureExtractor) -> Examples:
    """Read what `prepare` wrote, and describe it as the network will see it.

    Args:
        folder: The shards and meta.json.
        extractor: Makes the spectra.

    Returns:
        All clips, in the order of the shards.
    """
    said = json.loads((folder / shards.ABOUT).read_text(encoding="utf-8"))
    clips = [clip for path in shards.paths(folder) for clip in shards.clips(path)]
    if len(clips) != sum(said.get("clips", {}).values()):
        sys.exit(f"{folder} holds {len(clips)} clips, and not those that prepare was asked for; run it to its end")

    def described(clip: dict[str, NDArray[Any]]) -> NDArray[np.float16]:
        samples = clip["waveform"].astype(np.float32) / 32767
        found = extractor([samples], sampling_rate=SAMPLE_RATE, padding=False, return_tensors="np")
        return np.asarray(found["input_features"][0], np.float16)

    with ThreadPoolExecutor(2) as pool:
        spectra = list(pool.map(described, clips))
    features = torch.from_numpy(np.concatenate([clip["features"] for clip in clips]))
    few = features[:: max(1, len(features) // 20_000)].float()
    return Examples(
        spectra,
        [clip["frames"] for clip in clips],
        torch.tensor([int(clip["language"]) for clip in clips]),
        torch.tensor([int(clip["family"]) for clip in clips]),
        np.cumsum([0, *(len(clip["features"]) for clip in clips)]),
        features,
        torch.from_numpy(np.concatenate([clip["scores"] for clip in clips])),
        few.mean(0),
        few.std(0) + 0.01,
        said | {"shards_sha256": shards.digest(folder)},
    )


def means(frames: Tensor, starts: Tensor, ends: Tensor, owners: Tensor) -> Tensor:
    """Average stretches of frames; (W, T, D) to (P, D)."""
    sums = torch.cat([frames.new_zeros(len(frames), 1, frames.shape[2]), frames.cumsum(1)], 1)
    return (sums[owners, ends] - sums[owners, starts]) / (ends - starts)[:, None]


def pooled(frames: Tensor, mask: Tensor) -> Tensor:
    """Average the real frames of each clip; (W, T, D) to (W, D)."""
    return (frames * mask[..., None]).sum(1) / mask.sum(1, keepdim=True)
