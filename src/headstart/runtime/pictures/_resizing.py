"""Pictures to pixels of one size: resized and cropped as timm's and torchvision's evaluation does, by Pillow alone."""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from headstart.runtime._items import Item
from headstart.runtime.pictures._images import read_image, read_pixels
from headstart.runtime.pictures._scaling import PixelScale

Pixels = NDArray[np.uint8] | NDArray[np.float32]  # (H, W, 3) bytes, or (H, W, C) values in [0, 1], C 1 for gray
Planes = tuple[Image.Image, ...]  # one of mode RGB, or one of mode F for every channel
Resize = Callable[[Image.Image], Image.Image]  # keeps the mode

FILTERS: Final = {
    "nearest": Image.Resampling.NEAREST,
    "bilinear": Image.Resampling.BILINEAR,
    "bicubic": Image.Resampling.BICUBIC,
    "lanczos": Image.Resampling.LANCZOS,
    "box": Image.Resampling.BOX,
    "hamming": Image.Resampling.HAMMING,
}
MODES: Final = ("center", "squash", "border")


def read_resized(
    item: Item, resize: Resize, scale: PixelScale | None, change: Callable[[Planes], Planes] | None = None
) -> Pixels:
    """Decode a picture and bring it to the size of a network's input.

    Args:
        item: A path, a Pillow image or an array.
        resize: Brings one plane to the size.
        scale: How pixels of more than 8 bits are scaled, and how many channels there are; None where all pictures
            become 8-bit RGB.
        change: What is done to the planes before.

    Returns:
        Bytes, or floats of which nothing was rounded.

    Raises:
        DataError: As for `read_image` and `read_pixels`.
    """
    read = read_image(item) if scale is None else read_pixels(item, scale)
    planes = (read,) if isinstance(read, Image.Image) else tuple(map(Image.fromarray, np.moveaxis(read, -1, 0)))
    resized = [np.asarray(resize(plane)) for plane in (change(planes) if change else planes)]
    if isinstance(read, Image.Image):
        return resized[0]
    # Floats may ring beyond black and white where they are resized, as bytes cannot.
    return np.stack(resized, axis=-1).clip(0, 1)


def stack_pixels(prepared: Sequence[Pixels], channels: int) -> NDArray[Any]:
    """Join pictures of one size.

    Args:
        prepared: What `read_resized` returned.
        channels: C, as the network sees them.

    Returns:
        (N, H, W, C) from 0 to 255: bytes where all of them are, else floats.
    """
    if any(pixels.dtype != np.uint8 for pixels in prepared):
        return np.stack([in_floats(pixels, channels) for pixels in prepared])
    return np.stack(prepared)


def in_floats(pixels: Pixels, channels: int) -> NDArray[np.float32]:
    """Return (H, W, channels) values from 0 to 255; gray is repeated."""
    values = pixels.astype(np.float32) if pixels.dtype == np.uint8 else pixels * np.float32(255)
    return np.ascontiguousarray(np.broadcast_to(values, (*pixels.shape[:2], channels)))


def resizer(settings: Mapping[str, Any]) -> Resize:
    """Return what brings pictures to a size.

    Args:
        settings: ``input_size`` (C, H, W), ``interpolation``, ``crop_pct``, ``crop_mode`` (``center``: the short side
            becomes ``1 / crop_pct`` of the size, then the middle is cut out; ``squash``: both sides do; ``border``: the
            long side does, and the rest is filled up with the gray or colour of ``mean``), and ``mean``.

    Returns:
        A function of an image of mode RGB or F.

    Raises:
        ValueError: Something else is stated than this file does.
    """
    height, width = settings["input_size"][1:]
    mode, interpolation = settings.get("crop_mode", "center"), settings["interpolation"]
    if mode not in MODES or interpolation not in FILTERS or (mode == "center" and height != width):
        raise ValueError(f"pictures are not cropped like this here: {mode}, {interpolation}, {height} x {width}")
    scaled = math.floor(height / settings["crop_pct"]), math.floor(width / settings["crop_pct"])
    fill = tuple(round(255 * value) for value in settings["mean"])

    def resize(image: Image.Image) -> Image.Image:
        size = {"center": _short_side, "squash": lambda _, size: size, "border": _inside}[mode](image, scaled)
        changed = image.resize((size[1], size[0]), FILTERS[interpolation])
        return _middle(changed, (height, width), fill if mode == "border" else (0, 0, 0))

    return resize


def _short_side(image: Image.Image, scaled: tuple[int, int]) -> tuple[int, int]:
    """Return height and width with the short side brought to a length; the long one is rounded down."""
    short, long = min(image.size), max(image.size)
    longer = int(scaled[0] * long / short)
    return (longer, scaled[0]) if image.height >= image.width else (scaled[0], longer)


def _inside(image: Image.Image, scaled: tuple[int, int]) -> tuple[int, int]:
    """Return height and width that just fit."""
    ratio = max(image.height / scaled[0], image.width / scaled[1])
    return round(image.height / ratio), round(image.width / ratio)


def _middle(image: Image.Image, size: tuple[int, int], fill: tuple[int, ...]) -> Image.Image:
    """Cut out the middle, after filling up what is too small."""
    height, width = size
    more = max(0, height - image.height), max(0, width - image.width)
    if any(more):
        border = more[1] // 2, more[0] // 2, (more[1] + 1) // 2, (more[0] + 1) // 2
        colour = fill if image.mode == "RGB" else sum(fill) / len(fill) / 255
        image = ImageOps.expand(image, border, colour)  # type: ignore[arg-type]  # Pillow takes a float for mode F
    top, left = round((image.height - height) / 2), round((image.width - width) / 2)
    return image.crop((left, top, left + width, top + height))
