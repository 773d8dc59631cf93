"""What the families for sounds share: recordings to windows of frames, and frames to batches.

A recording longer than the network's window is cut into the fewest windows that hold it, all of one length, so that no
short rest is left over; nothing is dropped. Each window is a whole number of frames, filled up with less than one frame
of silence. A recording's row is the mean over its frames, as a text's is the mean over its tokens.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import ceil
from typing import Any, final

import numpy as np
import torch
from numpy.typing import NDArray

from headstart.backbones._base import Batch
from headstart.data import Item, read_sound

Samples = NDArray[np.float32]
Frames = tuple[NDArray[np.float32], ...]  # (T, D) numbers of one recording, window by window


@final
@dataclass(frozen=True, eq=False)
class SoundPreparer:
    """Reads recordings at one rate and describes them window by window.

    Attributes:
        describe: (n,) samples, a multiple of `step`, to (T, D) numbers.
        rate: Samples per second.
        step: Samples per frame.
        most: Frames per window.
        settings: What `describe` does, besides these.
        least: Samples that `describe` needs; shorter recordings are filled up with silence.
        chunk: Recordings are decoded one a call.
    """

    describe: Callable[[Samples], NDArray[np.float32]]
    rate: int
    step: int
    most: int
    settings: Mapping[str, Any]
    least: int = 1
    chunk: int = 1

    def read(self, items: Sequence[Item]) -> list[Frames]:
        """Decode, cut and describe."""
        return [tuple(map(self.describe, self._windows(read_sound(item, rate=self.rate)))) for item in items]

    def cost(self, prepared: Frames) -> int:
        """Count the frames."""
        return sum(len(window) for window in prepared)

    def collate(self, prepared: Sequence[Frames]) -> Batch:
        """Pad to the longest window."""
        return collate_frames(prepared)

    def _windows(self, samples: Samples) -> NDArray[np.float32]:
        return cut(samples, most=self.most * self.step, step=self.step, least=self.least)


def cut(samples: Samples, *, most: int, step: int, least: int = 1) -> NDArray[np.float32]:
    """Cut a recording into the fewest windows that hold it, of one length.

    Args:
        samples: (n,) samples.
        most: Samples of a window, a multiple of `step`.
        step: Samples of a frame; windows are whole frames.
        least: Samples that a window has at least.

    Returns:
        (W, m) consecutive samples; each row ends in fewer than `step` zeros, or as many as `least` takes.
    """
    count = max(1, ceil(len(samples) / most))
    ends = len(samples) * np.arange(1, count + 1) // count
    parts = np.split(samples, ends[:-1])
    length = ceil(max(least, *map(len, parts)) / step) * step
    windows = np.zeros((count, length), dtype=np.float32)
    for window, part in zip(windows, parts, strict=True):
        window[: len(part)] = part
    return windows


def collate_frames(prepared: Sequence[Frames]) -> Batch:
    """Join recordings into one batch, padded on the right to its longest window.

    Args:
        prepared: The windows of each recording.

    Returns:
        (W, T, D) numbers, zero where nothing is; a mask only where something is padded, owners only where a recording
        has several windows.
    """
    rows = [window for windows in prepared for window in windows]
    lengths = np.array([len(row) for row in rows])
    real = np.arange(lengths.max()) < lengths[:, None]
    values = np.zeros((*real.shape, rows[0].shape[1]), dtype=np.float32)
    values[real] = np.concatenate(rows)
    owner = None
    if len(rows) > len(prepared):
        owner = torch.from_numpy(np.repeat(np.arange(len(prepared)), [len(windows) for windows in prepared]))
    return Batch(torch.from_numpy(values), None if real.all() else torch.from_numpy(real), owner)
