"""Sound files and `Sound` to one channel at one rate, always in the same way, and the facts about each.

libsndfile (through soundfile) decodes, soxr resamples. Decisions:

* Channels are averaged. Whole numbers become floats with 1.0 at full scale; nothing is made louder or quieter.
* Another rate is resampled at soxr's high quality. What lies above half the new rate is lost; a recording of a low rate
  has nothing to hear above half its own.
* A file is decoded and resampled a block at a time: the facts about an hour take no more memory than those about a
  second, and reading takes what the samples at the new rate need, whatever the rate and channels of the file.
* libsndfile takes a file that was cut off for a shorter one, so `_truncation` looks at the file too.
* Rates outside `RATES` are refused: brought to a usual rate, a small file could take gigabytes.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import soundfile
import soxr
from numpy.typing import NDArray

from headstart.errors import DataError
from headstart.runtime._items import Encoded, Item, Sound
from headstart.runtime.recordings._truncation import what_is_missing

SOUND_SUFFIXES: Final = frozenset(
    {".wav", ".flac", ".ogg", ".oga", ".opus", ".mp3", ".aif", ".aiff", ".aifc", ".au", ".caf", ".w64", ".sph"}
)
UNREAD_SUFFIXES: Final = frozenset({".m4a", ".aac", ".wma", ".amr"})  # sounds, and said to be not read
USUAL_RATE: Final = 16_000  # Hz; what nearly every pretrained network for sounds takes
SHORTEST: Final = 0.025  # seconds; one frame of analysis, below which a network has nothing to hear
RATES: Final = (1_000, 768_000)  # Hz

_BLOCK: Final = 1 << 16  # samples of every channel
_MOST_CHANNELS: Final = 64
_USUAL_WORK: Final = 2 * 192_000  # samples a second, of all channels; how long a recording may be counts at most these
_FULL_SCALE: Final = {"PCM_U8": 0.992, "PCM_S8": 0.992, "ULAW": 0.98, "ALAW": 0.984}  # the largest step, rounded down
_NEARLY_FULL: Final = 0.9999  # of finer steps
_UNKNOWN_LENGTH: Final = 1 << 48  # samples; libsndfile takes the largest number for a FLAC file made in a pipe
_REPLACE: Final = "Replace the file or remove it."
_KINDS: Final = "WAV, FLAC, Ogg, MP3, AIFF"
_BROKEN: Final = (soundfile.SoundFileError, OSError, ValueError, TypeError, RuntimeError, MemoryError)


@dataclass(frozen=True)
class SoundFacts:
    """What a sound holds, before conversion.

    Attributes:
        seconds: How long it is.
        rate: Samples per second.
        channels: How many there are.
        format: libsndfile's name of the file format; ``sound`` for what is already in memory.
        subtype: libsndfile's name of how samples are stored, or the dtype of an array.
        peak: The largest absolute sample after the channels are averaged; 1.0 is full scale.
        full: The share of samples at or beyond full scale.
        swing: Half of what the samples vary by after the channels are averaged: 0 where all are one number.
    """

    seconds: float
    rate: int
    channels: int
    format: str
    subtype: str
    peak: float
    full: float
    swing: float

    def conversions(self, *, rate: int = USUAL_RATE) -> tuple[str, ...]:
        """Say what `read_sound` does to it, apart from decoding, one phrase each.

        Args:
            rate: Samples per second that the network takes.

        Returns:
            Phrases without a full stop.
        """
        said = [f"{self.channels} channels averaged to one"] if self.channels > 1 else []
        if self.rate != rate:
            lost = f"nothing above {self.rate // 2} Hz is there"
            if self.rate > rate:
                lost = f"nothing above {rate // 2} Hz is kept"
            said.append(f"{self.rate} Hz resampled to the {rate} Hz that networks take, {lost}")
        return tuple(said)


def read_sound(item: Item, *, rate: int) -> NDArray[np.float32]:
    """Return a sound as one channel at this rate.

    Args:
        item: A path, `Encoded` or a `Sound`.
        rate: Samples per second.

    Returns:
        (N,) samples, 1.0 at full scale.

    Raises:
        DataError: The file is missing, truncated or no sound; it is too short; not every sample is finite.
    """
    return np.concatenate(list(sound_blocks(item, rate=rate)))


def sound_blocks(item: Item, *, rate: int) -> Iterator[NDArray[np.float32]]:
    """Return a sound as `read_sound` does, some seconds at a time.

    Args:
        item: A path or a `Sound`.
        rate: Samples per second.

    Yields:
        Samples that follow each other.

    Raises:
        DataError: As for `read_sound`; a fault at the end of a file is found there.
    """
    with _opened(item) as stream:
        blocks: Iterator[NDArray[np.float32]] = map(_average, stream.checked())
        yield from blocks if stream.rate == rate else _resampled(blocks, stream.rate, rate)


def sound_facts(item: Item) -> SoundFacts:
    """Decode a sound completely, without keeping it, and return the facts about it.

    Args:
        item: As for `read_sound`.

    Returns:
        Length, rate, channels, format and levels.

    Raises:
        DataError: As for `read_sound`.
    """
    with _opened(item) as stream:
        full_scale = _FULL_SCALE.get(stream.subtype, _NEARLY_FULL)
        count, full, low, high = 0, 0, np.inf, -np.inf
        for block in stream.checked():
            count += len(block)
            full += int((np.abs(block) >= full_scale).sum())
            mean = _average(block)
            low, high = min(low, float(mean.min())), max(high, float(mean.max()))
        return SoundFacts(
            seconds=count / stream.rate,
            rate=stream.rate,
            channels=stream.channels,
            format=stream.format,
            subtype=stream.subtype,
            peak=max(-low, high),
            full=full / (count * stream.channels),
            swing=(high - low) / 2,
        )


def sound_rate(item: Item) -> int:
    """Return how many samples per second a sound has, of a file by its header.

    Args:
        item: As for `read_sound`.

    Returns:
        The rate.

    Raises:
        DataError: As for `read_sound`, as far as it shows without decoding.
    """
    with _opened(item) as stream:
        return stream.rate


@dataclass(frozen=True)
class _Stream:
    """A sound that is being decoded: (n, channels) blocks, and what is known before."""

    rate: int
    channels: int
    format: str
    subtype: str
    blocks: Iterator[NDArray[np.float32]]
    most: float | None = None  # seconds

    def __post_init__(self) -> None:
        low, high = RATES
        if not low <= self.rate <= high:
            raise DataError(f"expected {low:,} to {high:,} samples per second, found {self.rate:,}", fix=_REPLACE)

    def check_length(self, count: int) -> None:
        """Refuse what is too long, or would take as much work to decode."""
        if self.most is None or max(count / self.rate, count * self.channels / _USUAL_WORK) <= self.most:
            return
        found = f"{count / self.rate:,.1f} s of {self.channels} channels at {self.rate:,} Hz"
        raise DataError(f"expected at most {self.most:,g} s of sound, found {found}", fix="Cut it into pieces.")

    def checked(self) -> Iterator[NDArray[np.float32]]:
        """Yield the blocks; refuse what is not finite, and at the end what was too short."""
        count = 0
        for block in self.blocks:
            if not np.isfinite(block).all():
                raise DataError("expected finite samples, found NaN or infinity", fix=_REPLACE)
            count += len(block)
            self.check_length(count)
            yield block
        if not count:
            raise DataError("expected a sound, found one of length zero (no samples)", fix=_REPLACE)
        if count < SHORTEST * self.rate:
            found = f"{1000 * count / self.rate:.1f} ms ({count} samples)"
            fix = "Join it with what follows, or remove it."
            raise DataError(f"expected at least {1000 * SHORTEST:.0f} ms of sound, found {found}", fix=fix)


def _average(block: NDArray[np.float32]) -> NDArray[np.float32]:
    return block[:, 0] if block.shape[1] == 1 else block.mean(axis=1, dtype=np.float32)


def _resampled(blocks: Iterator[NDArray[np.float32]], old: int, new: int) -> Iterator[NDArray[np.float32]]:
    """Yield what `soxr.resample` makes of all blocks at once, to the last bit, without holding them."""
    resampler = soxr.ResampleStream(old, new, 1, dtype="float32", quality="HQ")
    for block in blocks:
        yield resampler.resample_chunk(block)
    yield resampler.resample_chunk(np.zeros(0, np.float32), last=True)


@contextmanager
def _opened(item: Item) -> Iterator[_Stream]:
    """Open a sound; what fails until it is closed is told in one line that names the file."""
    if isinstance(item, Sound):
        with _translated(""):
            yield _in_memory(item)
        return
    if not isinstance(item, Path | Encoded):
        fix = "Wrap an array in headstart.data.Sound(samples, rate)."
        raise DataError(f"expected a path or a Sound, found {type(item).__name__}", fix=fix)
    where, most = (str(item), None) if isinstance(item, Path) else ("", item.most_seconds)
    with _translated(where), _decoder(item) as file:
        stream = _Stream(file.samplerate, file.channels, file.format, file.subtype, _decoded(file, item), most)
        if file.frames < _UNKNOWN_LENGTH:
            stream.check_length(file.frames)
        yield stream


@contextmanager
def _translated(where: str) -> Iterator[None]:
    """Turn what libsndfile, soxr and the system raise into one line that names the file."""
    try:
        yield
    except DataError as error:
        raise DataError(error.problem, where=where, fix=error.fix) from error
    except _BROKEN as error:
        found, fix = f"a broken one: {_reason(error)}", _REPLACE
        if isinstance(error, OSError) and error.strerror:
            found, fix = error.strerror.lower(), "Check the path and its permissions."
        raise DataError(f"expected a sound, found {found}", where=where, fix=fix) from error


def _reason(error: Exception) -> str:
    said = getattr(error, "error_string", "") or str(error) or type(error).__name__
    if said.startswith("Internal psf_fseek") or "flac decoder" in said:  # what libsndfile says of any damaged FLAC
        return "it ends early or is damaged"
    return str(said).removeprefix("Error : ").rstrip(".")


def _decoder(item: Path | Encoded) -> Any:
    """Open a file with libsndfile, which goes by the first bytes and not by the name."""
    path = _named(item)
    with item.open("rb") as file:
        prefix = file.read(12)
    if not prefix:
        raise DataError("expected a sound, found an empty file (0 bytes)", fix=_REPLACE)
    _check_whole(item)  # of an MP3 file, libmpg123 would say it too, on standard error
    try:
        return soundfile.SoundFile(str(item) if isinstance(item, Path) else item.open())
    except _BROKEN as error:
        if path.suffix.lower() in UNREAD_SUFFIXES or prefix[4:8] == b"ftyp":
            found = f"one of a kind that is not read ({path.suffix or 'MP4'})"
            fix = f"Convert it: ffmpeg -i {path.name} {path.stem}.wav"
            raise DataError(f"expected a sound ({_KINDS}), found {found}", fix=fix) from error
        reason = _reason(error)
        if (
            isinstance(error, TypeError) or "not recognised" in reason or "does not exist" in reason
        ):  # it does: see above
            raise DataError(f"expected a sound ({_KINDS}), found a file of another kind", fix=_REPLACE) from error
        raise


def _named(item: Path | Encoded) -> Path:
    """Return the name of a file, for advice; bytes have none."""
    return item if isinstance(item, Path) else Path("sound")


def _check_whole(item: Path | Encoded, log: str = "") -> None:
    with item.open("rb") as file:
        missing = what_is_missing(file, log)
    if missing:
        raise DataError(f"expected a whole sound, found one cut off: {missing}", fix=_REPLACE)


def _decoded(file: Any, item: Path | Encoded) -> Iterator[NDArray[np.float32]]:
    """Yield the samples of a file, and refuse one that was cut off."""
    _check_whole(item, file.extra_info)
    path = _named(item)
    if file.frames >= _UNKNOWN_LENGTH:
        fix = f"Write it again: ffmpeg -i {path.name} {path.stem}-2{path.suffix}"
        raise DataError("expected a sound, found one that does not state its length", fix=fix)
    count = 0
    while len(block := file.read(_BLOCK, dtype="float32", always_2d=True)):
        count += len(block)
        yield block
    if count < file.frames and file.format != "MP3":  # where it can be an estimate
        found = f"{count} of {file.frames} samples are there"
        raise DataError(f"expected a whole sound, found one cut off: {found}", fix=_REPLACE)


def _in_memory(sound: Sound) -> _Stream:
    """Check a `Sound` against what it promises."""
    samples = np.asarray(sound.samples)
    if samples.dtype.kind != "f":
        fix = "Divide whole numbers by their full scale, such as 32768 for 16 bits."
        raise DataError(f"expected samples as floats, 1.0 at full scale, found {samples.dtype}", fix=fix)
    if samples.ndim not in (1, 2) or (samples.ndim == 2 and not 1 <= samples.shape[1] <= _MOST_CHANNELS):
        found = f"expected samples (N,) or (N, C) of at most {_MOST_CHANNELS} channels, found shape {samples.shape}"
        raise DataError(found, fix="Put the channels last.")
    wide = samples.reshape(len(samples), -1) if samples.ndim == 2 else samples[:, None]
    blocks = (wide[at : at + _BLOCK].astype(np.float32) for at in range(0, len(wide), _BLOCK))
    return _Stream(sound.rate, wide.shape[1], "sound", str(samples.dtype), blocks)
