"""Pictures in pages, small."""

import base64
import io
from typing import Final

from PIL import Image

SIDE: Final = 160  # pixels


def thumbnail(image: Image.Image, *, side: int = SIDE) -> tuple[str, int, int]:
    """Return a small JPEG of a picture.

    Args:
        image: RGB; it is made smaller in place.
        side: Pixels of the longer side, at most.

    Returns:
        The file in base64, its width and its height.
    """
    image.thumbnail((side, side))
    written = io.BytesIO()
    image.save(written, "JPEG", quality=80)
    return base64.b64encode(written.getvalue()).decode(), image.width, image.height
