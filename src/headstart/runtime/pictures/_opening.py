"""Opening one image: a file by its first bytes, a Pillow image or an array, checked before anything is decoded."""

import struct
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import IO, Any, Final

import numpy as np
from numpy.typing import NDArray
from PIL import (
    BmpImagePlugin,
    GifImagePlugin,
    Image,
    ImageFile,
    ImageOps,
    JpegImagePlugin,
    PngImagePlugin,
    PpmImagePlugin,
    TiffImagePlugin,
    WebPImagePlugin,
)

from headstart.errors import DataError
from headstart.runtime._items import Encoded, Item
from headstart.runtime.pictures._dicom import PREAMBLE, check_not_deflated, is_dicom, read_dicom
from headstart.runtime.pictures._tiff import CONVERT, read_tiff
from headstart.runtime.pictures._wide import FIRST_FRAME, REPLACE, UNIT, WidePixels, opacity, wide

SIXTEEN_BIT: Final = "16-bit colours scaled to 8 bits from the full range"
UPRIGHT: Final = "EXIF orientation applied"
ON_WHITE: Final = "transparency composited on white"
GRAY: Final = "grayscale to RGB"

_PLUGINS: Final = {
    "JPEG": JpegImagePlugin,
    "PNG": PngImagePlugin,
    "GIF": GifImagePlugin,
    "BMP": BmpImagePlugin,
    "WebP": WebPImagePlugin,
    "TIFF": TiffImagePlugin,
    "PPM": PpmImagePlugin,
}  # importing a plugin registers its format
_BROKEN: Final = (
    OSError, SyntaxError, ValueError, TypeError, LookupError, EOFError, OverflowError, struct.error, zlib.error,
    Image.DecompressionBombError, NotImplementedError, MemoryError,  # a broken header can ask for any amount
    UserWarning,  # where the caller makes errors of warnings: Pillow warns about some broken TIFF and EXIF data
)  # fmt: skip
_LONG: Final = 2000  # pixels; a shorter image may have any shape
_MOST_LONGER: Final = 200  # times the shorter side
_MOST_SCANS: Final = 100  # of a JPEG; ten are usual, and each of thousands would be decoded over the whole picture
_SCAN: Final = b"\xff\xda"  # which compressed data never holds
_ORIENTATION: Final = 0x0112
_BITS: Final = 258  # TIFF tags
_PHOTOMETRIC: Final = 262
_PLANAR: Final = 284
_COMPRESSION: Final = 259
_PREDICTOR: Final = 317
_PLAIN: Final = (1, 8, 32946)  # none, and deflate under two numbers
_GRAY_MODES: Final = frozenset({"1", "L", "LA", "La", "I", "F"})


@contextmanager
def stored(item: Item) -> Iterator[Image.Image | WidePixels]:
    """Open an item with its size allowed; what fails until a file is closed is told with its path."""
    if isinstance(item, np.ndarray):
        with _translated(""):
            yield _of_array(item)
    elif isinstance(item, Image.Image):
        with _translated(""):
            _check_sides(item.size)
            yield item
    else:
        most = Image.MAX_IMAGE_PIXELS
        with _translated(str(item) if isinstance(item, Path) else ""), item.open("rb") as file:
            if isinstance(item, Encoded):
                check_not_deflated(item.content)
                most = most if item.most_pixels is None else item.most_pixels
            picture = _identify(file, most)
            _check_size(picture.size, most)
            yield picture


@contextmanager
def _translated(where: str) -> Iterator[None]:
    """Turn what Pillow, tifffile and the system raise into one line that names the file."""
    try:
        yield
    except DataError as error:
        raise DataError(error.problem, where=where, fix=error.fix) from error
    except _BROKEN as error:
        found, fix = f"a broken one: {str(error) or type(error).__name__}", REPLACE
        if isinstance(error, NotImplementedError):
            found, fix = f"one of a kind that is not supported: {error}", CONVERT
        if isinstance(error, OSError) and error.strerror:
            found, fix = error.strerror.lower(), "Check the path and its permissions."
        raise DataError(f"expected an image, found {found}", where=where, fix=fix) from error


def _identify(file: IO[bytes], most: int | None) -> Image.Image | WidePixels:
    """Find the format by the first bytes, as `Image.open` does, but silently."""
    prefix = file.read(PREAMBLE)
    if not prefix:
        raise DataError("expected an image, found an empty file (0 bytes)", fix=REPLACE)
    file.seek(0)
    if is_dicom(prefix):
        return read_dicom(file, most=most)
    for name in _PLUGINS:
        factory, accept = Image.OPEN[name.upper()]
        if accept is not None and accept(prefix[:16]):
            if name == "JPEG":
                _check_scans(file)
            image = _open_tiff(file) if name == "TIFF" else factory(file, "")
            return read_tiff(file, partial(_check_size, most=most)) if image is None else image
    raise DataError(f"expected an image ({', '.join(_PLUGINS)}, DICOM), found a file of another kind", fix=REPLACE)


def _open_tiff(file: IO[bytes]) -> ImageFile.ImageFile | None:
    """Open a TIFF with Pillow, unless it cannot, or is known (up to version 13) to return wrong or fewer bits."""
    try:
        image = TiffImagePlugin.TiffImageFile(file, "")
    except _BROKEN:
        return None  # tifffile knows more kinds, and its message is the one to show
    tags = image.tag_v2
    one_band = image.mode.startswith("I;16")
    deep = max(tags.get(_BITS, (8,))) > 8 and not one_band
    half_read = deep and tags.get(_PLANAR) == 2
    # What is compressed in other ways tifffile needs more packages for; Pillow reads it, narrowed to 8 bits.
    narrowed = deep and tags.get(_COMPRESSION, 1) in _PLAIN and tags.get(_PREDICTOR, 1) == 1
    swapped = tags.get(_PHOTOMETRIC) == 0 and one_band  # black and white
    wrapped = image.mode == "I"  # above 2**31
    return None if half_read or narrowed or swapped or wrapped else image


def _check_scans(file: IO[bytes]) -> None:
    """Refuse a JPEG that is a small file and hours of work."""
    scans = file.read().count(_SCAN)
    file.seek(0)
    if scans > _MOST_SCANS:
        found = f"expected a JPEG of at most {_MOST_SCANS} scans, found {scans:,} (a decompression bomb?)"
        raise DataError(found, fix="Save it again, or remove it.")


def _check_size(size: tuple[int, int], most: int | None) -> None:
    if most is not None and size[0] * size[1] > most:
        raise DataError(
            f"expected at most {most:,} pixels, found {size[0]:,} x {size[1]:,} (a decompression bomb?)",
            fix="Scale the image down or remove it.",
        )
    _check_sides(size)


def _check_sides(size: tuple[int, int]) -> None:
    if max(size) > _LONG and max(size) > _MOST_LONGER * min(size):
        raise DataError(
            f"expected a side of at most {_MOST_LONGER} times the other, found {size[0]:,} x {size[1]:,} pixels",
            fix="Cut the image into pieces or remove it.",
        )


def conversions_of(image: Image.Image) -> tuple[str, ...]:
    """Say what becomes of an image; reads the header only, of most formats."""
    sixteen = _is_16_bit(image)  # first, since looking for EXIF decodes a PNG and forgets how it was stored
    found = {
        FIRST_FRAME: bool(getattr(image, "is_animated", False)),
        UPRIGHT: image.getexif().get(_ORIENTATION, 1) in range(2, 9),
        SIXTEEN_BIT: sixteen and not is_wide(image),
        "palette to RGB": image.mode == "P",
        GRAY: image.mode in _GRAY_MODES or image.mode.startswith("I;16"),
        ON_WHITE: image.has_transparency_data,
        f"{image.mode} to RGB": image.mode in ("CMYK", "YCbCr", "LAB", "HSV"),
    }
    return tuple(kind for kind, applies in found.items() if applies)


def _is_16_bit(image: Image.Image) -> bool:
    """Whether the file stores 16 bits per sample, which Pillow may already have narrowed."""
    if image.mode.startswith("I;16"):
        return True
    if not isinstance(image, ImageFile.ImageFile) or not image.tile:
        return False
    arguments = image.tile[0].args
    if image.format == "PPM" and isinstance(arguments, tuple):
        return isinstance(arguments[-1], int) and arguments[-1] > 255  # the largest value of a sample
    return ";16" in str(arguments)


def is_wide(image: Image.Image) -> bool:
    """Whether Pillow gives more than 8 bits; known before the pixels are loaded."""
    return image.mode.startswith("I;16") or image.mode in ("I", "F")


def wide_of(image: Image.Image) -> WidePixels:
    """Load an image that `is_wide`."""
    sixteen, mode, said = _is_16_bit(image), image.mode, conversions_of(image)
    values = np.asarray(upright(image))
    values = values.astype(np.uint16) if sixteen else values
    clear = image.info.get("transparency")  # one gray value, of a PNG
    alpha = None if clear is None else (values != clear).astype(np.float32)
    return wide(values, mode, image.format or "image", alpha=alpha, conversions=said)


def upright(image: Image.Image) -> Image.Image:
    image.load()
    return ImageOps.exif_transpose(image) if image.getexif().get(_ORIENTATION, 1) != 1 else image


def _of_array(array: NDArray[Any]) -> Image.Image | WidePixels:
    """Check an array against what `read_pixels` promises and wrap it."""
    channels = array.shape[2] if array.ndim == 3 else 1
    # More channels than rows are rows: the channels stand first.
    turned = channels not in (1, 3, 4) and channels > min(array.shape[:2])
    if array.ndim not in (2, 3) or 0 in array.shape or turned:
        found = f"expected an array (H, W) or (H, W, 1|3|4), found shape {array.shape}"
        raise DataError(found, fix="Reshape it; other channels than gray, RGB and alpha stand last too.")
    _check_sides((array.shape[1], array.shape[0]))
    if array.dtype.kind == "f":
        if not (np.isfinite(array).all() and array.min() >= 0 and array.max() <= 1):
            raise DataError(
                f"expected floats in [0, 1], found {array.min():g} to {array.max():g}",
                fix="Scale the array, or pass uint8.",
            )
    elif array.dtype not in (np.uint8, np.uint16):
        raise DataError(f"expected uint8, uint16 or floats, found {array.dtype}", fix="Convert the array to uint8.")
    if array.dtype == np.uint8 and channels in (1, 3, 4):
        return Image.fromarray(np.ascontiguousarray(array[..., 0] if array.shape[2:] == (1,) else array))
    alpha = opacity(array[..., 3]) if channels == 4 else None
    pixels = wide(array if alpha is None else array[..., :3], str(array.dtype), "array", alpha=alpha)
    return replace(pixels, kind=UNIT) if array.dtype.kind == "f" else pixels
