"""What the families for sounds share: recordings to windows of frames, frames to batches, and what their folders state.

A recording longer than the network's window is cut into the fewest windows that hold it, all of one length, so that no
short rest is left over; nothing is dropped. Each window is a whole number of frames, filled up with less than one frame
of silence. A recording's row is the mean over its frames, as a text's is the mean over its tokens.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import ceil
from pathlib import Path
from typing import Any, Final, final

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from headstart.backbones._batch import Batch
from headstart.backbones._folder import read_json
from headstart.backbones._texts import join_windows
from headstart.data import Item, read_sound
from headstart.errors import BackboneError

SETTINGS: Final = "preprocessor_config.json"  # where transformers keeps how a network reads sounds
Samples = NDArray[np.float32]
Frames = tuple[NDArray[np.float32], ...]  # (T, D) numbers of one recording, window by window


@final
@dataclass(frozen=True, eq=False)
class SoundPreparer:
    """Reads recordings at one rate and describes them window by window.

    Attributes:
        describe: (n,) samples, a multiple of `step` and `reach` more, to (T, D) numbers.
        rate: Samples per second.
        step: Samples per frame.
        most: Frames per window.
        settings: What `describe` does, besides these.
        least: Samples that `describe` needs; shorter recordings are filled up with silence.
        reach: Samples beyond its own that a frame is computed from; a window ends with what its last frame needs.
        chunk: Recordings are decoded one a call.
    """

    describe: Callable[[Samples], NDArray[np.float32]]
    rate: int
    step: int
    most: int
    settings: Mapping[str, Any]
    least: int = 1
    reach: int = 0
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
        return cut(samples, most=self.most * self.step, step=self.step, least=self.least, reach=self.reach)


def cut(samples: Samples, *, most: int, step: int, least: int = 1, reach: int = 0) -> NDArray[np.float32]:
    """Cut a recording into the fewest windows that hold it, of one length.

    Args:
        samples: (n,) samples.
        most: Samples of a window, a multiple of `step`.
        step: Samples of a frame; windows are whole frames.
        least: Samples that a window has at least.
        reach: Samples that the last frame needs beyond its own.

    Returns:
        (W, m) consecutive samples, m `reach` more than a multiple of `step`; each row ends in at most `step` zeros, or
        as many as `least` and one frame take.
    """
    count = max(1, ceil(len(samples) / most))
    ends = len(samples) * np.arange(1, count + 1) // count
    parts = np.split(samples, ends[:-1])
    length = max(1, ceil((max(least, *map(len, parts)) - reach) / step)) * step + reach
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
    return join_windows(prepared, fill=0, dtype=np.float32)


def read_settings(folder: Path, kind: str) -> dict[str, Any]:
    """Read how a network in transformers layout describes sounds.

    Args:
        folder: The network's.
        kind: The extractor that its family uses.

    Returns:
        The content of preprocessor_config.json.

    Raises:
        BackboneError: It is missing, damaged, or another extractor's.
    """
    path = folder / SETTINGS
    if not path.is_file():
        fix = "Copy it from where the network was published."
        raise BackboneError(f"there is no {SETTINGS}, which tells how it reads sounds", where=str(folder), fix=fix)
    stated = read_json(path)
    found = stated.get("feature_extractor_type", kind)
    if found != kind:
        problem = f'expected "feature_extractor_type" {kind}, found {found!r}'
        raise BackboneError(problem, where=str(path), fix="Check that it belongs to this network.")
    return stated


def check_numbers(sound: Mapping[str, Any], stated: Mapping[str, str], *, where: str) -> None:
    """Check the numbers that describe sounds: they may come from a stranger's model folder.

    Args:
        sound: The numbers.
        stated: Which there must be, and what their file calls them.
        where: What to name in an error.

    Raises:
        BackboneError: One is not a whole number from 1.
    """
    for key, theirs in stated.items():
        value = sound.get(key)
        if type(value) is not int or value < 1:
            problem = f'expected a whole number from 1 for "{theirs}", found {value!r}'
            raise BackboneError(problem, where=where, fix="Copy the file again.")


def strip_prefix(
    weights: Mapping[str, Tensor], prefixes: Sequence[str], *, first: str
) -> tuple[dict[str, Tensor], set[str]]:
    """Name weights as a network does that others may contain.

    Args:
        weights: Those of the network, and perhaps of more.
        prefixes: Where the network may be, the outermost place first.
        first: A weight it always has.

    Returns:
        Its weights, and the names of the others.
    """
    prefix = next((prefix for prefix in prefixes if f"{prefix}{first}" in weights), "")
    inner = {name.removeprefix(prefix): tensor for name, tensor in weights.items() if name.startswith(prefix)}
    return inner, {name for name in weights if not name.startswith(prefix)}
