"""Corruptions of pictures, after ImageNet-C.

Hendrycks and Dietterich (Benchmarking Neural Network Robustness to Common Corruptions and Perturbations, ICLR 2019)
define five severities of each for pictures of 224 x 224 pixels, and milder ones of some for 64 x 64 (Tiny-ImageNet-C).
Ours are their levels 1, 3 and 5, with their formulas for blur, noise, brightness, contrast and JPEG. Where ours differ:

* **Any size.** A blur is given in shares of the short side (1, 3 and 6 pixels of 224), so that a network, which resizes
  pictures, sees the same blur whatever the size of the file; at 64 pixels that is 0.3 to 1.7 pixels (theirs: 0.5 to
  1.5). Noise and JPEG quality lie between theirs for 224 and for 64 pixels, in proportion to the logarithm of the short
  side, and are theirs beyond.
* Noise on pictures larger than 224 pixels has a grain of about 1/224 of the short side: noise of single pixels would
  vanish when the network makes the picture smaller. A grey picture stays grey.
* Brightness goes up or down by chance; theirs only goes up.
* **Crop and shift** are no part of ImageNet-C (ImageNet-P has translations). A crop keeps 80, 60 or 40 % of the area,
  anywhere, at the size of the whole picture; a shift moves it by 5, 10 or 20 % of its sides in any direction, and
  continues its border.
"""

import io
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from headstart.corruptions._base import Corruption

BLUR: Final = (1.0, 3.0, 6.0)  # standard deviation, in pixels of a short side of 224
NOISE: Final = ((0.08, 0.18, 0.38), (0.04, 0.12, 0.18))  # standard deviation of [0, 1]: at 224 pixels, at 64
BRIGHTNESS: Final = (0.1, 0.3, 0.5)  # added to or taken from the value (of hue, saturation, value)
CONTRAST: Final = (0.4, 0.2, 0.05)  # of the distance to the mean that is left
QUALITY: Final = ((25.0, 15.0, 7.0), (65.0, 50.0, 25.0))  # at 224 pixels, at 64
CROP: Final = (0.8, 0.6, 0.4)  # share of the area that is kept
SHIFT: Final = (0.05, 0.1, 0.2)  # of each side
_LARGE, _SMALL = 224, 64
_TILE: Final = 32768  # pixels; a JPEG file has at most 65,535 in a row, and whole blocks are compressed by themselves

Pixels = NDArray[np.float32]  # (H, W, 3) in [0, 1]


def blur(image: Image.Image, severity: int, rng: np.random.Generator) -> Image.Image:
    """Blur by a Gaussian; what is drawn by chance is nothing."""
    del rng
    return image.filter(ImageFilter.GaussianBlur(BLUR[severity - 1] * min(image.size) / _LARGE))


def noise(image: Image.Image, severity: int, rng: np.random.Generator) -> Image.Image:
    """Add Gaussian noise, of the same amount in all colours of a grey picture."""
    pixels = _pixels(image)
    height, width = pixels.shape[:2]
    scale = min(1.0, _LARGE / min(image.size))
    grain = (max(1, round(height * scale)), max(1, round(width * scale)))
    is_grey = bool((pixels == pixels[..., :1]).all())
    drawn = rng.standard_normal((*grain, 1 if is_grey else 3), dtype=np.float32)
    rows, columns = np.arange(height) * grain[0] // height, np.arange(width) * grain[1] // width
    return _picture(pixels + _by_size(NOISE, image, severity) * drawn[rows][:, columns])


def brightness(image: Image.Image, severity: int, rng: np.random.Generator) -> Image.Image:
    """Make the picture brighter or darker, with the same hue and saturation."""
    pixels = _pixels(image)
    value = pixels.max(axis=2, keepdims=True)
    changed = np.clip(value + rng.choice((-1, 1)) * np.float32(BRIGHTNESS[severity - 1]), 0, 1)
    scaled = pixels * (changed / np.maximum(value, 1e-6))
    return _picture(np.where(value > 0, scaled, changed))  # black has neither hue nor saturation


def contrast(image: Image.Image, severity: int, rng: np.random.Generator) -> Image.Image:
    """Bring all pixels nearer to the mean of their colour; what is drawn by chance is nothing."""
    del rng
    pixels = _pixels(image)
    mean = pixels.mean(axis=(0, 1), keepdims=True)
    return _picture((pixels - mean) * CONTRAST[severity - 1] + mean)


def jpeg(image: Image.Image, severity: int, rng: np.random.Generator) -> Image.Image:
    """Compress as JPEG; what is drawn by chance is nothing."""
    del rng
    found, quality = Image.new("RGB", image.size), round(_by_size(QUALITY, image, severity))
    for left in range(0, image.width, _TILE):
        for top in range(0, image.height, _TILE):
            box = (left, top, min(left + _TILE, image.width), min(top + _TILE, image.height))
            found.paste(_compressed(image.crop(box), quality), box)
    return found


def crop(image: Image.Image, severity: int, rng: np.random.Generator) -> Image.Image:
    """Keep a part of the picture, as large as the whole."""
    width, height = (side * CROP[severity - 1] ** 0.5 for side in image.size)
    across, down = rng.random(2)
    left, top = across * (image.width - width), down * (image.height - height)
    return image.resize(image.size, Image.Resampling.BILINEAR, box=(left, top, left + width, top + height))


def shift(image: Image.Image, severity: int, rng: np.random.Generator) -> Image.Image:
    """Move the picture within its frame, and continue its border."""
    angle, far = rng.uniform(0, 2 * np.pi), SHIFT[severity - 1]
    across, down = round(far * np.cos(angle) * image.width), round(far * np.sin(angle) * image.height)
    rows = np.clip(np.arange(image.height) - down, 0, image.height - 1)
    columns = np.clip(np.arange(image.width) - across, 0, image.width - 1)
    return Image.fromarray(np.asarray(image)[rows][:, columns])


IMAGE_CORRUPTIONS: Final = (
    Corruption("blur", ("1 of 224 pixels", "3 of 224 pixels", "6 of 224 pixels"), blur),
    Corruption("noise", ("0.04 to 0.08", "0.12 to 0.18", "0.18 to 0.38"), noise),
    Corruption("brightness", ("10 % up or down", "30 % up or down", "50 % up or down"), brightness),
    Corruption("contrast", ("40 % left", "20 % left", "5 % left"), contrast),
    Corruption("jpeg", ("quality 25 to 65", "quality 15 to 50", "quality 7 to 25"), jpeg),
    Corruption("crop", ("80 % of the area", "60 % of the area", "40 % of the area"), crop),
    Corruption("shift", ("by 5 %", "by 10 %", "by 20 %"), shift),
)


def _pixels(image: Image.Image) -> Pixels:
    return np.asarray(image, dtype=np.float32) / np.float32(255)


def _picture(pixels: NDArray[Any]) -> Image.Image:
    return Image.fromarray(np.rint(np.clip(pixels, 0, 1) * 255).astype(np.uint8))


def _by_size(levels: tuple[tuple[float, ...], tuple[float, ...]], image: Image.Image, severity: int) -> float:
    """Return a level between that for 224 pixels and that for 64, by the logarithm of the short side."""
    share = np.clip(np.log(min(image.size) / _SMALL) / np.log(_LARGE / _SMALL), 0, 1)
    return float(share * levels[0][severity - 1] + (1 - share) * levels[1][severity - 1])


def _compressed(image: Image.Image, quality: int) -> Image.Image:
    file = io.BytesIO()
    image.save(file, "JPEG", quality=quality)
    with Image.open(file, formats=["JPEG"]) as read:
        return read.convert("RGB")
