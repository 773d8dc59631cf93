"""Image files and arrays to 8-bit RGB, always in the same way, and the facts about each that a user should hear.

Pillow reads what it reads correctly. tifffile reads the TIFF files that Pillow cannot (floating-point RGB, 64-bit) or
reads wrongly (planar 16-bit, 32-bit unsigned). Decisions:

* 16 bits become 8 linearly from the full range of the type: order is kept, nothing is clipped, and two images of one
  scanner stay comparable. 32-bit and floating-point pixels have no agreed range, so each image is scaled by its own.
* Alpha is composited on white, the first frame of an animation is taken, EXIF orientation is applied.
* The size in the header is checked against Pillow's own limit before anything is decoded. `Image.open` would warn about
  large images; warning filters are shared by all threads, so files are opened through Pillow's registry of formats.
* A strip (long side over 2,000 pixels and 200 times the short one) is refused: resized by its short side, as networks
  want it, it would take gigabytes.
* A JPEG is checked at 1/8 of its scale: the compressed data is still read to its end, which is where truncation shows.
"""

import struct
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO, Any, Final

import numpy as np
import tifffile
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

from headstart.data.dataset import Item
from headstart.errors import DataError

IMAGE_SUFFIXES: Final = frozenset({".jpg", ".jpeg", ".png", ".gif", ".bmp", ".webp", ".tif", ".tiff", ".ppm", ".pgm"})
SIXTEEN_BIT: Final = "16-bit pixels scaled to 8 bits from the full range"
DARK: Final = "16-bit pixels that use 12 bits or fewer and so become dark"
OWN_RANGE: Final = "32-bit or floating-point pixels scaled by the image's own range"
INVERTED: Final = "white-is-zero pixels inverted"
FIRST_FRAME: Final = "first frame of several taken"
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
_NOT_FINITE: Final = "expected finite pixels, found NaN or infinity"
_REPLACE: Final = "Replace the file or remove it."
_CONVERT: Final = "Save it as a PNG or as an 8-bit RGB TIFF."
_LONG: Final = 2000  # pixels; a shorter image may have any shape
_MOST_LONGER: Final = 200  # times the shorter side
_ORIENTATION: Final = 0x0112
_BITS: Final = 258  # TIFF tags
_PHOTOMETRIC: Final = 262
_PLANAR: Final = 284
_GRAY_MODES: Final = frozenset({"1", "L", "LA", "La", "I", "F"})


@dataclass(frozen=True)
class ImageFacts:
    """What an image file or array holds, before conversion.

    Attributes:
        size: Width and height as stored.
        mode: Pillow's name of the pixel format, or the dtype of an array.
        format: Pillow's name of the file format; ``array`` or ``image`` for what is already in memory.
        conversions: What `read_image` does to it, apart from decoding, one phrase each.
    """

    size: tuple[int, int]
    mode: str
    format: str
    conversions: tuple[str, ...] = ()


def read_image(item: Item) -> Image.Image:
    """Return an image as 8-bit RGB, upright.

    Args:
        item: A path; a Pillow image; or an array (H, W) or (H, W, 1|3|4) of uint8, uint16 or floats in [0, 1].

    Returns:
        A Pillow image of mode ``RGB`` that needs no open file.

    Raises:
        DataError: The file is missing, truncated, not an image, too large, or the array has another shape or type.
    """
    if isinstance(item, np.ndarray):
        return _to_rgb(_image_of(item))
    if isinstance(item, Image.Image):
        with _translated(""):
            _check_sides(item.size)
            return _to_rgb(item)
    with _opened(item) as (image, _):
        return _to_rgb(image)


def describe_image(item: Item) -> ImageFacts:
    """Decode an image completely, as cheaply as its format allows, and return the facts about it.

    Args:
        item: As for `read_image`.

    Returns:
        Size, mode, format and the conversions that `read_image` makes.

    Raises:
        DataError: As for `read_image`.
    """
    if isinstance(item, np.ndarray):
        kinds = (SIXTEEN_BIT,) if item.dtype == np.uint16 else ()
        image = _image_of(item)
        return ImageFacts(image.size, str(item.dtype), "array", (*kinds, *_conversions(image)))
    if isinstance(item, Image.Image):
        with _translated(""):
            _check_sides(item.size)
            _check_finite(item)
        return ImageFacts(item.size, item.mode, item.format or "image", _conversions(item))
    with _opened(item) as (image, facts):
        if isinstance(image, JpegImagePlugin.JpegImageFile):
            image.draft(image.mode, (max(1, image.width // 8), max(1, image.height // 8)))
        image.load()
        _check_finite(image)
        dark = image.mode.startswith("I;16") and int(np.asarray(image).max()) < 2**12
        return replace(facts, conversions=(*facts.conversions, DARK)) if dark else facts


@contextmanager
def _opened(path: Path) -> Iterator[tuple[Image.Image, ImageFacts]]:
    """Open a file, with its header read and its size allowed; what fails until it is closed is told with its path."""
    with _translated(str(path)), path.open("rb") as file:
        image = _identify(file)
        if image is None:
            yield _read_with_tifffile(file)
        else:
            _check_size(image.size)
            yield image, ImageFacts(image.size, image.mode, image.format or "", _conversions(image))


@contextmanager
def _translated(where: str) -> Iterator[None]:
    """Turn what Pillow, tifffile and the system raise into one line that names the file."""
    try:
        yield
    except DataError as error:
        raise DataError(error.problem, where=where, fix=error.fix) from error
    except _BROKEN as error:
        found, fix = f"a broken one: {str(error) or type(error).__name__}", _REPLACE
        if isinstance(error, NotImplementedError):
            found, fix = f"one of a kind that is not supported: {error}", _CONVERT
        if isinstance(error, OSError) and error.strerror:
            found, fix = error.strerror.lower(), "Check the path and its permissions."
        raise DataError(f"expected an image, found {found}", where=where, fix=fix) from error


def _identify(file: IO[bytes]) -> ImageFile.ImageFile | None:
    """Find the format by the first bytes, as `Image.open` does, but silently; None for a TIFF that needs tifffile."""
    prefix = file.read(16)
    if not prefix:
        raise DataError("expected an image, found an empty file (0 bytes)", fix=_REPLACE)
    for name in _PLUGINS:
        factory, accept = Image.OPEN[name.upper()]
        if accept is not None and accept(prefix):
            file.seek(0)
            return _open_tiff(file) if name == "TIFF" else factory(file, "")
    raise DataError(f"expected an image ({', '.join(_PLUGINS)}), found a file of another kind", fix=_REPLACE)


def _open_tiff(file: IO[bytes]) -> ImageFile.ImageFile | None:
    """Open a TIFF with Pillow, unless it cannot, or is known (up to version 13) to return wrong pixels."""
    try:
        image = TiffImagePlugin.TiffImageFile(file, "")
    except _BROKEN:
        return None  # tifffile knows more kinds, and its message is the one to show
    tags = image.tag_v2
    one_band = image.mode.startswith("I;16")
    half_read = tags.get(_PLANAR) == 2 and max(tags.get(_BITS, (8,))) > 8 and not one_band
    swapped = tags.get(_PHOTOMETRIC) == 0 and one_band  # black and white
    wrapped = image.mode == "I"  # above 2**31
    return None if half_read or swapped or wrapped else image


def _read_with_tifffile(file: IO[bytes]) -> tuple[Image.Image, ImageFacts]:
    file.seek(0)
    with tifffile.TiffFile(file) as tiff:
        page = tiff.pages.first
        _check_size((page.imagewidth, page.imagelength))
        is_picture = page.photometric <= tifffile.PHOTOMETRIC.RGB and page.axes in ("YX", "YXS", "SYX")
        if not is_picture or page.samplesperpixel > 4:
            raise DataError(
                f"expected a gray or RGB picture, found photometric {page.photometric:d}, axes {page.axes}, "
                f"{page.samplesperpixel} samples",
                fix=_CONVERT,
            )
        array = page.asarray()
        pixels = np.moveaxis(array, 0, -1) if page.axes == "SYX" else array
        kinds = [SIXTEEN_BIT if array.dtype.itemsize == 2 and array.dtype.kind in "iu" else OWN_RANGE]
        if len(tiff.pages) > 1:
            kinds.append(FIRST_FRAME)
        narrow = _to_8_bits(pixels)
        if page.photometric == tifffile.PHOTOMETRIC.MINISWHITE:
            kinds.append(INVERTED)
            narrow = 255 - narrow
    image = _image_of(narrow)
    return image, ImageFacts(image.size, str(array.dtype), "TIFF", (*kinds, *_conversions(image)))


def _check_size(size: tuple[int, int]) -> None:
    limit = Image.MAX_IMAGE_PIXELS
    if limit is not None and size[0] * size[1] > limit:
        raise DataError(
            f"expected at most {limit:,} pixels, found {size[0]:,} x {size[1]:,} (a decompression bomb?)",
            fix="Scale the image down or remove it.",
        )
    _check_sides(size)


def _check_sides(size: tuple[int, int]) -> None:
    if max(size) > _LONG and max(size) > _MOST_LONGER * min(size):
        raise DataError(
            f"expected a side of at most {_MOST_LONGER} times the other, found {size[0]:,} x {size[1]:,} pixels",
            fix="Cut the image into pieces or remove it.",
        )


def _check_finite(image: Image.Image) -> None:
    if image.mode == "F" and not np.isfinite(np.asarray(image)).all():
        raise DataError(_NOT_FINITE, fix=_REPLACE)


def _conversions(image: Image.Image) -> tuple[str, ...]:
    """Say what `_to_rgb` will do; reads the header only, of most formats."""
    sixteen = _is_16_bit(image)  # first, since looking for EXIF decodes a PNG and forgets how it was stored
    found = {
        FIRST_FRAME: bool(getattr(image, "is_animated", False)),
        UPRIGHT: image.getexif().get(_ORIENTATION, 1) in range(2, 9),
        SIXTEEN_BIT: sixteen,
        OWN_RANGE: image.mode in ("I", "F") and not sixteen,
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


def _to_rgb(image: Image.Image) -> Image.Image:
    narrow_16 = _is_16_bit(image)  # known from the file, so before the pixels are loaded
    image.load()
    turned = image.getexif().get(_ORIENTATION, 1) != 1
    upright = ImageOps.exif_transpose(image) if turned else image
    if image.mode.startswith("I;16") or (image.mode == "I" and narrow_16):
        wide = np.asarray(upright).astype(np.uint16)
        clear = image.info.get("transparency")  # one gray value, of a PNG
        narrow = _to_8_bits(wide) if clear is None else np.where(wide == clear, np.uint8(255), _to_8_bits(wide))
        return Image.fromarray(narrow).convert("RGB")
    if image.mode in ("I", "F"):
        return Image.fromarray(_to_8_bits(np.asarray(upright))).convert("RGB")
    if image.has_transparency_data:
        layer = upright.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", layer.size, "white"), layer).convert("RGB")
    return upright.convert("RGB")


def _to_8_bits(array: NDArray[Any]) -> NDArray[np.uint8]:
    """Scale pixels of any number type: 16-bit integers from the full range of the type, others by their own."""
    if array.dtype == np.uint8:
        return array
    if array.dtype.kind in "iu" and array.dtype.itemsize == 2:
        shifted = array.astype(np.int64) - np.iinfo(array.dtype).min
        return ((shifted + 128) // 257).astype(np.uint8)
    values = array.astype(np.float64)
    if not np.isfinite(values).all():
        raise DataError(_NOT_FINITE, fix=_REPLACE)
    span = float(np.ptp(values))
    scaled = (values - values.min()) / span if span else np.zeros_like(values)
    return np.rint(scaled * 255).astype(np.uint8)


def _image_of(array: NDArray[Any]) -> Image.Image:
    """Check an array against what `read_image` promises and wrap it, narrowed to 8 bits."""
    if array.ndim not in (2, 3) or 0 in array.shape or (array.ndim == 3 and array.shape[2] not in (1, 3, 4)):
        raise DataError(f"expected an array (H, W) or (H, W, 1|3|4), found shape {array.shape}", fix="Reshape it.")
    _check_sides((array.shape[1], array.shape[0]))
    if array.dtype.kind == "f":
        if not (np.isfinite(array).all() and array.min() >= 0 and array.max() <= 1):
            raise DataError(
                f"expected floats in [0, 1], found {array.min():g} to {array.max():g}",
                fix="Scale the array, or pass uint8.",
            )
        array = np.rint(array.astype(np.float64) * 255).astype(np.uint8)
    elif array.dtype not in (np.uint8, np.uint16):
        raise DataError(f"expected uint8, uint16 or floats, found {array.dtype}", fix="Convert the array to uint8.")
    pixels = _to_8_bits(array)
    return Image.fromarray(np.ascontiguousarray(pixels[..., 0] if pixels.shape[2:] == (1,) else pixels))
