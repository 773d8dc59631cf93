"""Small folders of images."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

MakeImages = Callable[..., Path]


@pytest.fixture
def make_images(tmp_path: Path) -> MakeImages:
    """Write different 16 x 12 images, so many per folder, and return the folder they are below."""
    random = np.random.default_rng(0)

    def make(counts: dict[str, int], *, root: str = "photos", suffix: str = ".png") -> Path:
        for folder, number in counts.items():
            (tmp_path / root / folder).mkdir(parents=True, exist_ok=True)
            for i in range(number):
                pixels = random.integers(0, 256, (12, 16, 3), dtype=np.uint8)
                Image.fromarray(pixels).save(tmp_path / root / folder / f"{i}{suffix}")
        return tmp_path / root

    return make
