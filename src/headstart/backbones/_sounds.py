"""What the families for sounds share: recordings to windows of frames, frames to batches, and what their folders state.

A recording longer than the network's window is cut into the fewest windows that hold it, all of one length, so that no
short rest is left over; nothing is dropped. Each window is a whole number of frames, filled up with less than one frame
of silence. A recording's row is the mean over its frames, as a text's is the mean over its tokens.

Where frames have features of their own, windows overlap instead and all but the last are full; see `_framing`.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from math import isfinite
from pathlib import Path
from typing import Any, Final, final

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from headstart.backbones._batch import Batch, Words
from headstart.backbones._folder import read_json
from headstart.backbones._long import (
    LongSound,
    described,
    pieces,
    read_or_count,
)
from headstart.backbones._texts import join_windows
from headstart.data import Item, read_sound, sound_blocks
from headstart.errors import BackboneError
from headstart.runtime import Framing, Places
from headstart.runtime.recordings import Span, cut, cut_overlapping, even_spans, filled, overlapping_spans

SETTINGS: Final = "preprocessor_config.json"  # where transformers keeps how a network reads sounds
WINDOW: Final = "headstart_window"  # where a configuration says how many seconds a window has, if it has no other end
SECONDS: Final = 30
Samples = NDArray[np.float32]
NOTHING: Final = np.zeros(0, dtype=np.float32)
# (T, D) numbers of one recording, window by window; where frames have features of their own, then their places: (K, 3).
Frames = tuple[NDArray[Any], ...]


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
        bands: Numbers of a spectrum where frames are spectra, one or several to a frame; 0 where they are samples.
        change: What an augmented view does to the samples of a recording, keeping their number; see `_augment_sounds`.
        real: Counts the frames of a window that hold sound, as it is described and at any cut: what is beyond them is
            silence that the network was trained to hear.
        framing: How frames have features of their own; None where recordings have.
        chunk: Recordings are decoded one a call.
    """

    describe: Callable[[Samples], NDArray[np.float32]]
    rate: int
    step: int
    most: int
    settings: Mapping[str, Any]
    least: int = 1
    reach: int = 0
    bands: int = 0
    change: Callable[[Samples], Samples] | None = None
    real: Callable[[NDArray[Any]], int] = len
    framing: Framing | None = None
    chunk: int = 1

    @property
    def frame_seconds(self) -> float | None:
        """How long a frame with features of its own is; None where recordings have them."""
        return None if self.framing is None else self.framing.joined * self.step / self.rate

    def read(self, items: Sequence[Item]) -> list[Frames]:
        """Decode, cut and describe."""
        return [self._prepared(self.samples(item)) for item in items]

    def read_long(self, items: Sequence[Item]) -> list[Frames | LongSound]:
        """Decode, cut and describe; of long recordings, only tell where the windows are."""
        return [self._read_long(item) for item in items]

    def samples(self, item: Item) -> Samples:
        """Decode, and change what an augmented view changes."""
        samples = read_sound(item, rate=self.rate)
        return samples if self.change is None else self.change(samples)

    def cost(self, prepared: Frames | LongSound) -> int:
        """Count the frames."""
        return prepared.cost if isinstance(prepared, LongSound) else sum(map(len, self._windows(prepared)))

    def collate(self, prepared: Sequence[Frames | LongSound]) -> Batch:
        """Pad to the longest window."""
        windows = [self._windows(each) for each in prepared]
        batch = collate_frames(windows)
        if self.framing is None:
            return batch
        return replace(batch, words=Words.join(list(map(places_in, prepared)), [len(each) for each in windows]))

    def for_frames(self, per_second: float) -> "SoundPreparer":
        """Return a preparer of recordings whose frames have features of their own, about so many a second."""
        framing = Framing.of(per_second, rate=self.rate / self.step, window=self.most)
        frames = {"joined": framing.joined, "stride": framing.stride}
        return replace(self, framing=framing, settings={**self.settings, "frames": frames})

    def places(self, windows: Sequence[NDArray[Any]]) -> Places:
        """Place the frames of a recording, from its windows as they are described or as they are at any cut."""
        assert self.framing is not None, "only of frames that have features of their own"
        return self.framing.places([self.real(window) for window in windows])

    def _prepared(self, samples: Samples) -> Frames:
        parts = cut if self.framing is None else partial(cut_overlapping, stride=self.framing.stride)
        found = parts(samples, **self._sizes)
        windows = tuple(map(self.describe, found))
        return windows if self.framing is None else (*windows, self.places(windows))

    def _read_long(self, item: Item) -> Frames | LongSound:
        if self.change is not None:  # which looks at all samples
            return self._prepared(self.samples(item))
        found = read_or_count(item, rate=self.rate)
        if not isinstance(found, int):
            return self._prepared(found)
        place = even_spans if self.framing is None else partial(overlapping_spans, stride=self.framing.stride)
        spans = place(found, **self._sizes)
        # How many frames a window has depends on its length alone, of which there are two at most.
        silent = {length: self.describe(filled(NOTHING, length)) for length in {span.length for span in spans}}
        windows = [silent[span.length] for span in spans]
        places = None if self.framing is None else self.places(windows)
        return LongSound(partial(self._read_windows, item, spans), tuple(map(len, windows)), places)

    def _read_windows(self, item: Item, spans: Sequence[Span]) -> Iterator[NDArray[Any]]:
        where = str(item) if isinstance(item, Path) else ""
        parts = pieces(sound_blocks(item, rate=self.rate), [span[:2] for span in spans], where=where)
        return described(self.describe, (filled(part, span.length) for part, span in zip(parts, spans, strict=True)))

    @property
    def _sizes(self) -> dict[str, int]:
        return {"most": self.most * self.step, "step": self.step, "least": self.least, "reach": self.reach}

    def _windows(self, prepared: Frames | LongSound) -> Frames:
        if isinstance(prepared, LongSound):
            return tuple(prepared.windows())
        return prepared if self.framing is None else prepared[:-1]


def places_in(prepared: Frames | LongSound) -> Places:
    """Return where the frames of a recording are, as it was prepared under a backbone for frames."""
    places = prepared.places if isinstance(prepared, LongSound) else prepared[-1]
    assert places is not None, "a backbone of whole recordings"
    return places


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


def frames_of_window(stated: Mapping[str, Any], *, step: int, rate: int, where: str) -> int:
    """Return how many frames a window has in a network without positions that end.

    Args:
        stated: The content of its config.json.
        step: Samples from one frame to the next.
        rate: Samples per second.
        where: What to name in an error.

    Returns:
        The frames of as many seconds as it states, or of 30.

    Raises:
        BackboneError: It states no number, or less than a frame.
    """
    seconds = stated.get(WINDOW, SECONDS)
    number = type(seconds) in (int, float) and isfinite(seconds)
    frames = int(seconds * rate / step + 1e-6) if number else 0
    if frames < 1:
        problem = f'expected at least {step / rate:g} seconds for "{WINDOW}", found {seconds!r}'
        raise BackboneError(problem, where=where, fix=f"Leave it out for {SECONDS} seconds.")
    return frames


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
