"""One range of values from black to white for all pictures of a data set: learnt once, kept with the model, repeated.

Pixels of 8 bits say themselves what black and white are. Others do not: 12 bits stored in 16 look black in the full
range of the type. A range of each picture's own would make two pictures of one scanner incomparable, and change a
picture by its brightest spot. So the range is learnt from the training part, without its labels (folds of a
cross-validation may share it), for each kind of pixels (16-bit integers, floats, DICOM values, ...):

1. A 16-bit picture of which all values are multiples of 257 is an 8-bit picture, and read as one.
2. DICOM pictures are shown by the window in each file, where every file has one.
3. Else the range goes from the 0.1 to the 99.9 percentile of the training pixels, each picture counting alike, and
   further by at most a tenth of that, as far as there are values: so that nothing is cut off but what lies far out.
4. Where that spans more than half of what the type can hold ([0, 1] for floats, the bits stored of DICOM values), the
   writer has used the type's own range, which is then taken: a picture written with 8 and with 16 bits looks the same.
5. A picture of which all values so become one of 256 steps is an 8-bit picture too, and goes on as one.

A kind that training has not seen is scaled by the picture's own range, by the same rules.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal, final

import numpy as np
from numpy.typing import NDArray

from headstart.errors import DataError
from headstart.runtime.pictures._wide import DICOM, FLOAT, UNIT, Kind, WidePixels

Range = tuple[float, float] | Literal["window"]
PERCENTILES: Final = (0.1, 99.9)
FURTHER: Final = 0.1  # of the span between them
MOST_USED: Final = 0.5  # of what the type can hold
WINDOW: Final = "window"
RGB: Final = 3


@final
@dataclass(frozen=True)
class PixelScale:
    """How pixels of other kinds than 8 bits become values from 0, black, to 1, white.

    Attributes:
        ranges: By kind of pixels, the values that become black and white; ``window`` for DICOM files shown by their
            own.
        channels: What the network sees: 3, to which gray is repeated, or the number of channels of every picture.
    """

    ranges: Mapping[Kind, Range]
    channels: int = RGB

    @property
    def colours(self) -> bool:
        """Whether the network sees pictures in gray and colours."""
        return self.channels == RGB

    def apply(self, pixels: WidePixels) -> NDArray[np.float32]:
        """Bring pixels to [0, 1]: scaled, the least value black, composited on white.

        Args:
            pixels: As stored.

        Returns:
            (H, W, C) values.

        Raises:
            DataError: The file has no window and those of the training part have.
        """
        known = self.ranges.get(pixels.kind) or own_range(pixels)
        if known == WINDOW:
            if pixels.shown is None:
                raise no_window()
            scaled = pixels.shown
        else:
            low, high = known
            span = (pixels.values.astype(np.float64) - low) / (high - low)
            scaled = span.clip(0, 1).astype(np.float32)
        scaled = 1 - scaled if pixels.inverted else scaled
        if pixels.alpha is None:
            return scaled
        alpha = pixels.alpha[..., None]
        return scaled * alpha + (1 - alpha)

    def check(self, channels: int, *, kind: Kind = "uint8", window: Literal["none", "own"] = "none") -> None:
        """Check that the network can see a picture.

        Args:
            channels: As a network sees them, 3 of gray.
            kind: Of its pixels.
            window: Whether its file has one of its own.

        Raises:
            DataError: The network sees other channels, or by a window that the file lacks.
        """
        if self.ranges.get(kind) == WINDOW and window == "none":
            raise no_window()
        if channels != self.channels:
            expected, found = name_of_channels(self.channels), name_of_channels(channels)
            raise DataError(
                f"expected {expected}, as all of the training part have, found {found}",
                fix="Give pictures of the same channels.",
            )

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON values."""
        ranges = {
            kind: known if isinstance(known, str) else [float(end) for end in known]
            for kind, known in sorted(self.ranges.items())
        }
        return {"ranges": ranges, "channels": self.channels}

    @staticmethod
    def from_dict(values: Mapping[str, Any]) -> "PixelScale":
        """Read what `to_dict` returned.

        Args:
            values: JSON values, maybe of a stranger's model folder.

        Returns:
            The scale.

        Raises:
            DataError: They are not of this form.
        """
        ranges, channels = values.get("ranges"), values.get("channels")
        fine = isinstance(ranges, Mapping) and isinstance(channels, int) and 1 < channels <= 1024
        if not fine or not all(known == WINDOW or _is_range(known) for known in ranges.values()):  # type: ignore[union-attr]
            raise DataError(f"expected ranges of pixels and a number of channels, found {str(values)[:80]}")
        assert isinstance(ranges, Mapping)
        assert isinstance(channels, int)
        read: dict[Kind, Range] = {
            kind: WINDOW if at == WINDOW else (float(at[0]), float(at[1])) for kind, at in ranges.items()
        }
        return PixelScale(read, channels)

    def sentences(self) -> list[str]:
        """Say what becomes black and white, for a user."""
        said = []
        for kind, known in sorted(self.ranges.items()):
            if known == WINDOW:
                said.append("DICOM pictures are shown by the window in each file")
                continue
            low, high = known
            said.append(f"{name_of(kind)} from {low:,.6g} to {high:,.6g} become black to white, in all pictures alike")
        if self.channels != RGB:
            said.append(f"the network's first layer is adapted to {self.channels} channels")
        return said


def _is_range(known: object) -> bool:
    if not isinstance(known, list | tuple) or len(known) != 2:
        return False
    return all(isinstance(end, int | float) and np.isfinite(end) for end in known) and known[0] < known[1]


def name_of(kind: Kind) -> str:
    """Return how a kind of pixels is called in sentences."""
    if kind == DICOM:
        return "DICOM values"
    if kind in (FLOAT, UNIT):
        return "floating-point pixels"
    return f"{kind.lstrip('uint')}-bit pixels"


def no_window() -> DataError:
    """Return the fault of a file without a window beside others that are shown by theirs."""
    return DataError(
        "expected a DICOM file with a window, as all of the training part have, found none",
        fix="Write WindowCenter and WindowWidth into it.",
    )


def name_of_channels(n: int) -> str:
    """Return how pictures of that many channels are called in sentences."""
    return "a gray or RGB picture" if n == RGB else f"{n} channels"


@final
@dataclass(frozen=True, eq=False)
class Sample:
    """What is remembered of one picture to learn a range from.

    Attributes:
        kind: Of its pixels.
        nominal: What their type can hold.
        values: Some of them, on a regular grid.
        ends: The least and the largest of all.
        window: Whether the file has one.
    """

    kind: Kind
    nominal: tuple[float, float] | None
    values: NDArray[np.float32]
    ends: tuple[float, float]
    window: bool

    @staticmethod
    def of(pixels: WidePixels, *, most: int) -> "Sample":
        """Remember at most about ``most`` pixels."""
        flat = pixels.values.reshape(-1, pixels.channels)
        some = flat[:: max(1, len(flat) // most)].ravel().astype(np.float32)
        ends = float(flat.min()), float(flat.max())
        return Sample(pixels.kind, pixels.nominal, some, ends, pixels.shown is not None)


def own_range(pixels: WidePixels) -> Range:
    """Return the range of one picture alone."""
    return range_of([Sample.of(pixels, most=2**20)])


def ranges_of(samples: Iterable[Sample]) -> dict[Kind, Range]:
    """Learn a range for every kind of pixels."""
    by_kind: dict[Kind, list[Sample]] = {}
    for sample in samples:
        by_kind.setdefault(sample.kind, []).append(sample)
    return {kind: range_of(several) for kind, several in sorted(by_kind.items())}


def range_of(samples: Sequence[Sample]) -> Range:
    """Learn the range of one kind of pixels; see the top of this file.

    Args:
        samples: Of pictures of that kind, at least one.

    Returns:
        What becomes black and white.
    """
    if samples[0].kind == DICOM and all(sample.window for sample in samples):
        return WINDOW
    size = min(len(sample.values) for sample in samples)  # each picture counts alike
    values = np.concatenate([sample.values[_spread(len(sample.values), size)] for sample in samples])
    low, high = (float(end) for end in np.percentile(values.astype(np.float64), PERCENTILES))
    least, largest = min(s.ends[0] for s in samples), max(s.ends[1] for s in samples)
    nominal = samples[0].nominal if len({sample.nominal for sample in samples}) == 1 else None
    fixed = samples[0].kind in ("uint8", UNIT)
    if nominal is not None and nominal[0] <= least and largest <= nominal[1]:  # floats may leave it
        used = (high - low) / (nominal[1] - nominal[0])
        if fixed or used > MOST_USED:
            return nominal
    margin = FURTHER * (high - low)
    low, high = max(least, low - margin), min(largest, high + margin)
    return (low, high) if low < high else (low, low + 1.0)


def _spread(n: int, size: int) -> NDArray[np.intp]:
    return np.arange(size) * n // size
