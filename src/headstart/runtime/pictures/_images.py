"""Image files and arrays to pixels, always in the same way, and the facts about each that a user should hear.

Pillow reads what it reads correctly. tifffile reads the TIFF files that Pillow cannot (floating-point RGB, 64-bit,
other channels) or reads wrongly (planar 16-bit, 32-bit unsigned), pydicom reads DICOM. Decisions:

* `read_pixels` keeps what has more than 8 bits until the network's input, scaled by the data set's range of values,
  which `_scaling` describes. `read_image` makes 8-bit RGB of everything: with that range where it is
  given, else 16 bits become 8 linearly from the full range of the type, and 32-bit and floating-point pixels are scaled
  by the image's own range, unless they use [0, 1]. Colour PNGs and PPMs of 16 bits, and some compressed TIFFs, are
  narrowed by Pillow in either case.
* Alpha is composited on white, the first frame of an animation and the first page of a TIFF are taken, EXIF orientation
  is applied. Two channels, or more than four, are kept where a network is adapted to them.
* The size in the header is checked against Pillow's own limit before anything is decoded. `Image.open` would warn about
  large images; warning filters are shared by all threads, so files are opened through Pillow's registry of formats.
* A strip (long side over 2,000 pixels and 200 times the short one) is refused: resized by its short side, as networks
  want it, it would take gigabytes.
* A JPEG is checked at 1/8 of its scale: the compressed data is still read to its end, which is where truncation shows.
"""

from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image, JpegImagePlugin

from headstart.errors import DataError
from headstart.runtime._items import Item
from headstart.runtime.pictures._dicom import DICOM_SUFFIXES
from headstart.runtime.pictures._opening import GRAY, ON_WHITE, conversions_of, is_wide, stored, upright, wide_of
from headstart.runtime.pictures._scaling import RGB, PixelScale, name_of, own_range
from headstart.runtime.pictures._tiff import CONVERT
from headstart.runtime.pictures._wide import DICOM, FLOAT, UNIT, Kind, WidePixels, as_8_bits, in_256_steps

IMAGE_SUFFIXES: Final = DICOM_SUFFIXES | {
    *(".jpg", ".jpeg", ".png", ".gif", ".bmp", ".webp", ".tif", ".tiff", ".ppm", ".pgm")
}
STRETCHED: Final = "8-bit pixels written with 16 bits"


@dataclass(frozen=True)
class ImageFacts:
    """What an image file or array holds, before conversion.

    Attributes:
        size: Width and height as stored.
        mode: Pillow's name of the pixel format, the dtype of an array or TIFF, or what DICOM says.
        format: Pillow's name of the file format; ``array`` or ``image`` for what is already in memory.
        conversions: What is done to it, apart from decoding, one phrase each.
        kind: What its numbers are; one range of values belongs to each kind but ``uint8``.
        channels: As a network sees them: 3 of gray and colours.
        window: Whether a file of DICOM has a window of its own.
    """

    size: tuple[int, int]
    mode: str
    format: str
    conversions: tuple[str, ...] = ()
    kind: Kind = "uint8"
    channels: int = RGB
    window: Literal["none", "own"] = "none"


def read_image(item: Item, scale: PixelScale | None = None) -> Image.Image:
    """Return an image as 8-bit RGB, upright.

    Args:
        item: A path; `Encoded`; a Pillow image; or an array (H, W) or (H, W, 1|3|4) of uint8, uint16 or floats in
            [0, 1].
        scale: What becomes black and white of pixels of other kinds than 8 bits; see the top of this file for None.

    Returns:
        A Pillow image of mode ``RGB`` that needs no open file.

    Raises:
        DataError: The file is missing, truncated, not an image, too large, of other channels, or the array has another
            shape or type.
    """
    with stored(item) as picture:
        if isinstance(picture, WidePixels) and not picture.colours:
            raise _no_colours(picture)
        return _rgb_of(picture, scale)[0]


def read_images(item: Item, scale: PixelScale | None) -> list[Image.Image]:
    """Return a picture of any number of channels as 8-bit RGB images, for what knows nothing else.

    Args:
        item: As for `read_pixels`.
        scale: As for `read_image`.

    Returns:
        One image; of many channels several, of three channels each, where the last one begins anew with the first.

    Raises:
        DataError: As for `read_image`.
    """
    with stored(item) as picture:
        return _rgb_of(picture, scale)


def read_pixels(item: Item, scale: PixelScale) -> Image.Image | NDArray[np.float32]:
    """Return an image as a network is to see it: with all that it was measured with.

    Args:
        item: As for `read_image`; an array may also have another number of channels.
        scale: What becomes black and white of pixels of other kinds than 8 bits, and the number of channels.

    Returns:
        Of 256 steps from black to white, however they are stored, a Pillow image of mode ``RGB``, so that the same
        picture is the same in every format; else (H, W, C) values in [0, 1], C being 1 for gray.

    Raises:
        DataError: As for `read_image`; or it has other channels than those of the scale, or no window where all of the
            training part have one.
    """
    with stored(item) as picture:
        if isinstance(picture, Image.Image) and not is_wide(picture):
            scale.check(RGB)
            return _to_rgb(picture)
        pixels = wide_of(picture) if isinstance(picture, Image.Image) else picture
        scale.check(RGB if pixels.colours else pixels.channels)
        narrow = as_8_bits(pixels) if pixels.colours else None
        if narrow is not None:
            return _image_of_bytes(narrow)
        scaled = scale.apply(pixels)
        narrow = in_256_steps(scaled) if pixels.colours else None
        return scaled if narrow is None else _image_of_bytes(narrow)


def wide_pixels(item: Item) -> WidePixels | None:
    """Return the pixels of an image as they are stored, where it is not an 8-bit picture.

    Args:
        item: As for `read_pixels`.

    Returns:
        The pixels; None for 8-bit gray and RGB with or without alpha, which is then not decoded.

    Raises:
        DataError: As for `read_image`.
    """
    with stored(item) as picture:
        if isinstance(picture, Image.Image) and not is_wide(picture):
            return None
        pixels = wide_of(picture) if isinstance(picture, Image.Image) else picture
        return None if pixels.colours and as_8_bits(pixels) is not None else pixels


def check_picture(item: Item) -> None:
    """Look at the header of a picture; what is read by pydicom or tifffile is decoded.

    Args:
        item: As for `read_pixels`.

    Raises:
        DataError: It is no picture, or one of too many pixels.
    """
    with stored(item):
        pass


def describe_image(item: Item) -> ImageFacts:
    """Decode an image completely, as cheaply as its format allows, and return the facts about it.

    Args:
        item: As for `read_pixels`.

    Returns:
        Size, mode, format and what is converted.

    Raises:
        DataError: As for `read_image`.
    """
    with stored(item) as picture:
        if isinstance(picture, WidePixels):
            return _facts(picture)
        if is_wide(picture):
            return _facts(wide_of(picture))
        size, said = picture.size, conversions_of(picture)
        if isinstance(picture, JpegImagePlugin.JpegImageFile):
            picture.draft(picture.mode, (max(1, picture.width // 8), max(1, picture.height // 8)))
        picture.load()
        if isinstance(item, np.ndarray):
            return ImageFacts(size, str(item.dtype), "array", said)
        return ImageFacts(size, picture.mode, picture.format or "image", said)


def _no_colours(pixels: WidePixels) -> DataError:
    return DataError(f"expected a gray or RGB picture, found {pixels.channels} channels", fix=CONVERT)


def _facts(pixels: WidePixels) -> ImageFacts:
    """Say what becomes of pixels that are kept as they are."""
    narrow = as_8_bits(pixels) is not None and pixels.colours
    found = {
        STRETCHED: narrow and pixels.kind != "uint8",
        kept(pixels.kind): not narrow and not (pixels.kind == DICOM and pixels.shown is not None),
        f"{pixels.channels} channels kept, to which the network's first layer is adapted": not pixels.colours,
        GRAY: pixels.channels == 1 and GRAY not in pixels.conversions,
        ON_WHITE: pixels.alpha is not None and ON_WHITE not in pixels.conversions,
    }
    said = (*pixels.conversions, *(kind for kind, applies in found.items() if applies))
    kind, channels = "uint8" if narrow else pixels.kind, RGB if pixels.colours else pixels.channels
    window: Literal["none", "own"] = "none" if pixels.shown is None else "own"
    return ImageFacts(pixels.size, pixels.mode, pixels.format, said, kind, channels, window)


def kept(kind: Kind) -> str:
    """Return the phrase that says what becomes of pixels of a kind."""
    return f"{name_of(kind)} kept, scaled by one range for all"


def _to_rgb(image: Image.Image) -> Image.Image:
    """Convert an image of 8 bits."""
    turned = upright(image)
    if image.has_transparency_data:
        layer = turned.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", layer.size, "white"), layer).convert("RGB")
    return turned.convert("RGB")


def _rgb_of(picture: Image.Image | WidePixels, scale: PixelScale | None) -> list[Image.Image]:
    """Narrow a picture to 8-bit RGB images: one, or one of every three channels."""
    if isinstance(picture, Image.Image) and not is_wide(picture):
        return [_to_rgb(picture)]
    pixels = wide_of(picture) if isinstance(picture, Image.Image) else picture
    narrow = as_8_bits(pixels)
    if narrow is None:
        narrow = np.rint((scale or _plain_scale(pixels)).apply(pixels) * 255).astype(np.uint8)
    if pixels.colours:
        return [_image_of_bytes(narrow)]
    order = np.arange(-(-pixels.channels // RGB) * RGB) % pixels.channels
    return [_image_of_bytes(narrow[..., three]) for three in order.reshape(-1, RGB)]


def _plain_scale(pixels: WidePixels) -> PixelScale:
    """Return what is done where no range is known: 16 bits by the range of the type, others by their own."""
    values = pixels.values
    if pixels.kind == DICOM:
        return PixelScale({})
    if pixels.nominal is not None and (
        pixels.kind == UNIT or values.dtype.name in ("uint8", "int8", "uint16", "int16")
    ):
        return PixelScale({pixels.kind: pixels.nominal})
    low, high = float(values.min()), float(values.max())
    if pixels.kind == FLOAT and own_range(pixels) == pixels.nominal:
        return PixelScale({})
    return PixelScale({pixels.kind: (low, high if high > low else low + 1)})


def _image_of_bytes(pixels: NDArray[np.uint8]) -> Image.Image:
    """Wrap (H, W, 1|3) bytes."""
    return Image.fromarray(np.ascontiguousarray(pixels[..., 0] if pixels.shape[2] == 1 else pixels)).convert("RGB")
