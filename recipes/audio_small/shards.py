"""Shards of prepared clips: how they are written and read.

A shard is one safetensors file, with the clips one after the other (padding would triple it):

samples     int16, all clips together; ``lengths``, ``speech``, ``language``, ``voice``, ``family`` one value a clip
frames      uint8, the phoneme's class for each 320 samples; 255 where there is no label (sounds)
features    float16 (patches, 1024) and ``scores`` (patches, 521): the teacher's, ``patches`` of them for each clip
"""

import hashlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from safetensors.numpy import load_file, save_file

from recipes.training import sha256

HOP = 320  # a label per 20 ms, as the network gives a vector
NO_LABEL = 255
ABOUT = "meta.json"  # what made the clips; how many there are stands in it once all are there


def write(path: Path, content: dict[str, np.ndarray]) -> None:
    """Write a shard whole: it appears under its name when it is complete."""
    unfinished = path.with_suffix(".part")
    save_file({name: np.ascontiguousarray(value) for name, value in content.items()}, unfinished)
    unfinished.replace(path)


def read(path: Path) -> dict[str, np.ndarray]:
    """Read a shard as it was written."""
    return load_file(path)


def paths(folder: Path) -> list[Path]:
    """The shards of a folder in order."""
    return sorted(folder.glob("*.safetensors"))


def digest(folder: Path) -> str:
    """Return one SHA-256 of all shards of a folder, in order."""
    return hashlib.sha256("".join(sha256(path) for path in paths(folder)).encode()).hexdigest()


def _filled(flat: np.ndarray, counts: np.ndarray, width: int, value: int) -> np.ndarray:
    out = np.full((len(counts), width, *flat.shape[1:]), value, flat.dtype)
    out[np.arange(width) < counts[:, None]] = flat
    return out


def padded(path: Path) -> dict[str, np.ndarray]:
    """Read a shard with one row a clip.

    Args:
        path: The shard.

    Returns:
        ``waveform`` int16 (N, T), ``frames`` uint8 (N, T / 320) padded with 255, ``features`` (N, P, 1024) and
        ``scores`` (N, P, 521) padded with zeros, with ``lengths`` and ``patches`` the numbers of true ones; the rest as
        written.
    """
    flat = read(path)
    lengths, patches = flat["lengths"], flat["patches"]
    longest, most = int(lengths.max()), int(patches.max())
    return flat | {
        "waveform": _filled(flat.pop("samples"), lengths, longest, 0),
        "frames": _filled(flat["frames"], lengths // HOP, longest // HOP, NO_LABEL),
        "features": _filled(flat["features"], patches, most, 0),
        "scores": _filled(flat["scores"], patches, most, 0),
    }


def clips(path: Path) -> Iterator[dict[str, np.ndarray]]:
    """The clips of a shard, one at a time, without padding."""
    flat = read(path)
    ends = np.cumsum(flat["lengths"])
    last = np.cumsum(flat["patches"])
    for number, (end, end_patch) in enumerate(zip(ends, last, strict=True)):
        start, first = end - flat["lengths"][number], end_patch - flat["patches"][number]
        yield {
            "waveform": flat["samples"][start:end],
            "frames": flat["frames"][start // HOP : end // HOP],
            "features": flat["features"][first:end_patch],
            "scores": flat["scores"][first:end_patch],
            **{name: flat[name][number] for name in ("speech", "language", "voice", "family")},
        }
