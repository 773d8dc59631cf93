"""Corruptions of pictures against what their definitions say of simple pictures."""

import io

import numpy as np
import pytest
from PIL import Image
from scipy import ndimage

from headstart.corruptions import _images as images
from tests.conftest import make_image


def rng():
    return np.random.default_rng(0)


def flat(value, size=(224, 224)):
    return Image.new("RGB", size, (value, value, value))


@pytest.mark.parametrize(("side", "deviation"), [(224, 0.18), (64, 0.12), (32, 0.12)])
def test_noise_has_the_deviation_of_the_paper_at_its_sizes(side, deviation):
    found = np.asarray(images.noise(flat(128, (side, side)), 2, rng())).astype(float) / 255
    assert found.std() == pytest.approx(deviation, rel=0.04)
    assert (found == found[..., :1]).all()  # a grey picture stays grey


def test_noise_between_the_sizes_lies_between_and_colours_differ():
    found = np.asarray(images.noise(Image.new("RGB", (120, 120), (120, 128, 120)), 2, rng())).astype(float) / 255
    assert 0.13 < found.std() < 0.17
    assert np.abs(found[..., 0] - found[..., 1]).mean() > 0.1


def test_the_noise_of_a_large_picture_has_a_grain_that_survives_resizing():
    large = images.noise(flat(128, (896, 896)), 2, rng()).resize((224, 224), Image.Resampling.BOX)
    assert np.asarray(large).std() / 255 == pytest.approx(0.18, rel=0.04)


def test_blur_is_a_gaussian_in_shares_of_the_short_side():
    point = np.zeros((224, 448, 3), np.uint8)
    point[100:124, 200:224] = 255
    found = np.asarray(images.blur(Image.fromarray(point), 2, rng())).astype(float)
    expected = ndimage.gaussian_filter(point.astype(float), (3, 3, 0))
    assert np.abs(found - expected).max() < 6  # Pillow's is three box blurs


def test_brightness_adds_to_the_value_and_keeps_hue_and_saturation():
    picture = Image.new("RGB", (8, 8), (100, 50, 0))
    found = {float(np.asarray(images.brightness(picture, 1, np.random.default_rng(s)))[0, 0, 0]) for s in range(9)}
    assert sorted(found) == pytest.approx([100 - 25.5, 100 + 25.5], abs=0.6)
    pixel = np.asarray(images.brightness(picture, 2, rng()))[0, 0].astype(float)
    assert pixel[1] == pytest.approx(pixel[0] / 2, abs=0.6)
    assert pixel[2] == 0


def test_black_becomes_grey_where_it_becomes_brighter():
    found = {int(np.asarray(images.brightness(flat(0, (8, 8)), 2, np.random.default_rng(s))).max()) for s in range(9)}
    assert sorted(found) == pytest.approx([0, 0.3 * 255], abs=0.6)


def test_contrast_keeps_the_mean_and_a_share_of_the_distance_to_it():
    pixels = np.zeros((10, 10, 3), np.uint8)
    pixels[:5] = 200
    found = np.asarray(images.contrast(Image.fromarray(pixels), 1, rng()))
    assert sorted(np.unique(found)) == [60, 140]


def test_jpeg_is_pillows_and_its_quality_follows_the_size():
    picture = make_image((120, 100, 90), seed=1, size=(224, 224))
    file = io.BytesIO()
    picture.save(file, "JPEG", quality=15)
    assert (np.asarray(images.jpeg(picture, 2, rng())) == np.asarray(Image.open(file))).all()
    levels = [round(images._by_size(images.QUALITY, flat(0, (side, side)), 2)) for side in (32, 64, 120, 224, 900)]
    assert levels == [50, 50, 32, 15, 15]


def test_a_picture_wider_than_a_jpeg_may_be_is_compressed_in_pieces(monkeypatch):
    picture = make_image((120, 100, 90), seed=1, size=(150, 70))
    whole = np.asarray(images.jpeg(picture, 1, rng())).astype(int)
    monkeypatch.setattr(images, "_TILE", 64)
    assert np.abs(np.asarray(images.jpeg(picture, 1, rng())).astype(int) - whole).mean() < 1


def test_a_crop_keeps_its_share_of_the_area_at_the_size_of_the_whole():
    ramp = np.zeros((200, 100, 3), np.uint8)
    ramp[..., 0], ramp[..., 1] = np.arange(200)[:, None], np.arange(100)
    for severity, share in enumerate(images.CROP, start=1):
        found = np.asarray(images.crop(Image.fromarray(ramp), severity, rng())).astype(float)
        assert found.shape == (200, 100, 3)
        spans = np.ptp(found[..., 0]) / 199, np.ptp(found[..., 1]) / 99
        assert spans == pytest.approx((share**0.5, share**0.5), abs=0.03)


def test_a_shift_moves_by_its_share_and_continues_the_border():
    ramp = np.zeros((100, 200, 3), np.uint8)
    ramp[..., 0], ramp[..., 1] = np.arange(100)[:, None], np.arange(200)
    found = np.asarray(images.shift(Image.fromarray(ramp), 3, rng())).astype(int)
    down, across = 50 - found[50, 100, 0], 100 - found[50, 100, 1]
    assert (down / 20) ** 2 + (across / 40) ** 2 == pytest.approx(1, abs=0.06)
    assert set(np.unique(found[..., 0])) <= set(range(100))
    assert (found[0] == found[min(max(down, 0), 99)]).all()


def test_a_tiny_picture_survives_everything():
    for corruption in images.IMAGE_CORRUPTIONS:
        for severity in (1, 2, 3):
            assert corruption(Image.new("RGB", (1, 3), (9, 9, 9)), severity, seed=0).size == (1, 3)
