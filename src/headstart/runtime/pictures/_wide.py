"""Pixels as a file stores them, with more than 8 bits or in other channels than gray, RGB and alpha."""

from dataclasses import dataclass
from typing import Any, Final, final

import numpy as np
from numpy.typing import NDArray

from headstart.errors import DataError

Values = NDArray[Any]
Kind = str  # the dtype's name for integers, ``float``, or ``DICOM``
DICOM: Final[Kind] = "DICOM"
FLOAT: Final[Kind] = "float"
UNIT: Final[Kind] = "floats in [0, 1]"
STRETCHED: Final = 257  # an 8-bit value times this fills 16 bits
NOT_FINITE: Final = "expected finite pixels, found NaN or infinity"
ROUNDING: Final = 1e-3  # of a step, of numbers in 32 bits
REPLACE: Final = "Replace the file or remove it."
INVERTED: Final = "white-is-zero pixels inverted"
FIRST_FRAME: Final = "first frame of several taken"


@final
@dataclass(frozen=True, eq=False)
class WidePixels:
    """A decoded picture before its values are brought to black and white.

    Attributes:
        values: (H, W, C) numbers of any type; of a DICOM file after its rescale slope and intercept.
        kind: What the numbers are; one range of values belongs to each kind. That of ``uint8`` and of `UNIT` floats,
            which a program gives, is what their type can hold.
        nominal: The least and the largest value that the type can hold, [0, 1] for floats; None where there are none.
        mode: What the file calls it, for summaries.
        format: The file's format.
        shown: (H, W, 1) values in [0, 1] as the file's own window shows them, or None where it has none.
        alpha: (H, W) opacity in [0, 1], or None.
        inverted: Whether the least value is white.
        conversions: What was done to it so far, one phrase each.
    """

    values: Values
    kind: Kind
    nominal: tuple[float, float] | None
    mode: str
    format: str
    shown: NDArray[np.float32] | None = None
    alpha: NDArray[np.float32] | None = None
    inverted: bool = False
    conversions: tuple[str, ...] = ()

    @property
    def size(self) -> tuple[int, int]:
        """Width and height."""
        return self.values.shape[1], self.values.shape[0]

    @property
    def channels(self) -> int:
        """How many channels there are, without alpha."""
        return int(self.values.shape[2])

    @property
    def colours(self) -> bool:
        """Whether it is gray or RGB."""
        return self.channels in (1, 3)


def wide(values: Values, mode: str, form: str, **more: Any) -> WidePixels:
    """Wrap an array (H, W) or (H, W, C) of integers or floats.

    Args:
        values: The pixels.
        mode: What the file calls them.
        form: The file's format.
        **more: Other attributes of `WidePixels`.

    Returns:
        The pixels, with the kind and nominal range of their type.

    Raises:
        DataError: A value is NaN or infinite.
    """
    if values.dtype.kind == "f" and not np.isfinite(values).all():
        raise DataError(NOT_FINITE, fix=REPLACE)
    stacked = values[..., None] if values.ndim == 2 else values
    kind = FLOAT if values.dtype.kind == "f" else values.dtype.name
    return WidePixels(stacked, kind, _nominal(values.dtype), mode, form, **more)


def _nominal(dtype: np.dtype[Any]) -> tuple[float, float]:
    if dtype.kind == "f":
        return 0.0, 1.0
    limits = np.iinfo(dtype)
    return float(limits.min), float(limits.max)


def opacity(values: Values) -> NDArray[np.float32]:
    """Return (H, W) alpha values of any number type in [0, 1]."""
    largest = 1.0 if values.dtype.kind == "f" else float(np.iinfo(values.dtype).max)
    return np.asarray(np.clip(values / largest, 0, 1), dtype=np.float32)


def in_256_steps(scaled: NDArray[np.float32]) -> NDArray[np.uint8] | None:
    """Return the bytes of values from 0 to 1 that are all one of 256 steps: nothing is lost.

    Args:
        scaled: Values in [0, 1], of any shape.

    Returns:
        Bytes of that shape; None where a value lies between two steps, as one of 16 bits does by 1/257 or more.
    """
    steps = scaled * np.float32(255)
    whole = np.rint(steps)
    return whole.astype(np.uint8) if np.abs(steps - whole).max() < ROUNDING else None


def as_8_bits(pixels: WidePixels) -> NDArray[np.uint8] | None:
    """Return the bytes of a picture of 8 bits, also where it was written with 16.

    Every 8-bit value v becomes 257 v where 8 bits are stretched to 16. A picture measured with more bits has
    other values too, unless it is constant.

    Args:
        pixels: The picture.

    Returns:
        (H, W, C) bytes, least is black; None where it has alpha, or more than 8 bits.
    """
    factor = {"uint8": 1, "uint16": STRETCHED}.get(pixels.kind)
    if factor is None or pixels.alpha is not None or (pixels.values % factor).any():
        return None
    narrow = (pixels.values // factor).astype(np.uint8)
    return 255 - narrow if pixels.inverted else narrow
