import numpy as np
import pytest
from PIL import Image
from timm.data.transforms_factory import create_transform

from headstart.runtime.pictures import PixelScale, read_resized, resizer, stack_pixels

SIZES = [(100, 60), (60, 100), (128, 128), (31, 299), (7, 5), (640, 481)]
SETTINGS = {"input_size": [3, 64, 64], "mean": [0.48, 0.45, 0.4], "std": [0.2, 0.2, 0.2]}


def picture(size: tuple[int, int], mode: str = "RGB") -> Image.Image:
    rng = np.random.default_rng(sum(size))
    if mode == "F":
        return Image.fromarray(rng.random(size[::-1], dtype=np.float32))
    return Image.fromarray(rng.integers(0, 256, (*size[::-1], 3), dtype=np.uint8))


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("interpolation", ["bilinear", "bicubic"])
@pytest.mark.parametrize(
    ("mode", "kept"), [("center", 0.875), ("center", 1.0), ("squash", 0.9), ("border", 1.0), ("border", 0.8)]
)
def test_pictures_are_resized_as_timm_does(size: tuple[int, int], interpolation: str, mode: str, kept: float) -> None:
    settings = {**SETTINGS, "interpolation": interpolation, "crop_pct": kept, "crop_mode": mode}
    timms = create_transform(
        tuple(settings["input_size"]), is_training=False, use_prefetcher=True, interpolation=interpolation,
        mean=tuple(SETTINGS["mean"]), std=tuple(SETTINGS["std"]), crop_pct=kept, crop_mode=mode,
    )  # fmt: skip
    expected = timms(picture(size)).numpy().transpose(1, 2, 0)
    assert np.array_equal(read_resized(picture(size), resizer(settings), None), expected)


def test_a_gray_plane_is_filled_up_with_the_gray_of_the_mean() -> None:
    settings = {**SETTINGS, "interpolation": "bicubic", "crop_pct": 1.0, "crop_mode": "border"}
    plane = resizer(settings)(picture((100, 50), "F"))
    assert plane.size == (64, 64)
    assert np.asarray(plane)[0, 0] == pytest.approx(sum(round(255 * m) for m in SETTINGS["mean"]) / 3 / 255)


def test_bytes_and_floats_are_joined_without_rounding() -> None:
    resize = resizer({**SETTINGS, "interpolation": "bicubic", "crop_pct": 1.0})
    scale = PixelScale({"uint16": (0.0, 4095.0)})
    wide = read_resized(np.arange(64 * 64, dtype=np.uint16).reshape(64, 64), resize, scale)
    assert wide.shape == (64, 64, 1)
    joined = stack_pixels([wide, read_resized(picture((64, 64)), resize, scale)], 3)
    assert joined.dtype == np.float32
    assert len(np.unique(joined[0])) == 4096
    assert np.array_equal(joined[1], np.asarray(picture((64, 64))))


@pytest.mark.parametrize("change", [{"interpolation": "random"}, {"crop_mode": "five"}, {"input_size": [3, 64, 48]}])
def test_what_is_not_done_here_is_refused(change: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="not cropped like this here"):
        resizer({**SETTINGS, "interpolation": "bicubic", "crop_pct": 1.0, **change})
