"""TIFF files that Pillow cannot read, or reads wrongly. The only file that imports tifffile."""

import math
from collections.abc import Callable
from contextlib import suppress
from typing import IO, TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from headstart.errors import DataError
from headstart.runtime.pictures._expansion import BROKEN, GROWS
from headstart.runtime.pictures._wide import FIRST_FRAME, INVERTED, REPLACE, Values, WidePixels, opacity, wide

if TYPE_CHECKING:
    from tifffile import TiffPage

_SLACK: Final = 1024  # bytes beyond a strip's own that it may be padded with
_ALPHA: Final = (1, 2)  # what TIFF calls extra samples that are opacity
CONVERT: Final = "Save it as a PNG or as an 8-bit RGB TIFF."


def read_tiff(file: IO[bytes], check_size: Callable[[tuple[int, int]], None]) -> WidePixels:
    """Read the first page.

    Args:
        file: Opened, anywhere.
        check_size: Told width and height before anything is decoded.

    Returns:
        Its pixels: gray, RGB, or other channels.

    Raises:
        DataError: It is no picture, such as a volume or one with a palette, or grows to more than its pixels.
    """
    tifffile = _library()
    file.seek(0)
    with tifffile.TiffFile(file) as tiff:
        page = tiff.pages.first
        check_size((page.imagewidth, page.imagelength))
        if page.photometric > tifffile.PHOTOMETRIC.RGB or page.axes not in ("YX", "YXS", "SYX"):
            raise DataError(
                f"expected a gray or RGB picture, found photometric {page.photometric:d}, axes {page.axes}, "
                f"{page.samplesperpixel} samples",
                fix=CONVERT,
            )
        _check_strips(page, file)
        array = page.asarray()
        values = np.moveaxis(array, 0, -1) if page.axes == "SYX" else array
        inverted = page.photometric == tifffile.PHOTOMETRIC.MINISWHITE
        said = {FIRST_FRAME: len(tiff.pages) > 1, INVERTED: inverted}
        values, alpha = _without_alpha(page, values, colours=page.photometric == tifffile.PHOTOMETRIC.RGB)
    return wide(
        values,
        str(array.dtype),
        "TIFF",
        alpha=alpha,
        inverted=inverted,
        conversions=tuple(what for what, applies in said.items() if applies),
    )


def _check_strips(page: "TiffPage", file: IO[bytes]) -> None:
    """Refuse strips or tiles that are together longer than the file, or one that grows to more than its pixels.

    tifffile decodes a strip to its end, whatever the picture's size.
    """
    grows = GROWS.get(page.compression)
    if sum(page.databytecounts) > file.seek(0, 2):
        raise DataError("expected an image, found one cut off, or whose strips overlap", fix=REPLACE)
    if grows is None or page.dtype is None:
        return
    most = math.prod(page.chunks) * page.dtype.itemsize + _SLACK
    for start, length in zip(page.dataoffsets, page.databytecounts, strict=False):
        file.seek(start)
        with suppress(*BROKEN):
            if grows(file.read(length), most):
                problem = f"expected {most - _SLACK:,} bytes of pixels in a strip, found more (a decompression bomb?)"
                raise DataError(problem, fix=REPLACE)


def _library() -> Any:
    """Import tifffile, which an exported model may do without."""
    try:
        import tifffile
    except ImportError as error:
        problem = "a TIFF file of this kind is read with tifffile, which is not installed"
        raise DataError(problem, fix="Type: pip install tifffile") from error
    return tifffile


def _without_alpha(page: "TiffPage", values: Values, *, colours: bool) -> tuple[Values, NDArray[np.float32] | None]:
    """Split off the opacity: a last sample that is called so, and the fourth of RGB whatever it is called."""
    extra = tuple(page.extrasamples or ())
    named = values.ndim == 3 and values.shape[2] in (2, 4) and bool(extra) and extra[-1] in _ALPHA
    fourth = colours and values.shape[2:] == (4,)
    if not (named or fourth):
        return values, None
    return values[..., :-1], opacity(values[..., -1])
