"""Which values become black and white."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from headstart.data import Dataset, PixelScale, learn_scale, read_images
from headstart.errors import DataError
from headstart.runtime.pictures._scaling import Sample, own_range, range_of
from headstart.runtime.pictures._wide import as_8_bits, in_256_steps, wide

RNG = np.random.default_rng(0)


def pictures(*items) -> Dataset:
    return Dataset("image", items, tuple(f"p{i}" for i in range(len(items))))


def twelve(scale: int = 1) -> np.ndarray:
    return (RNG.integers(100, 4000, (64, 64)) * scale).astype(np.uint16)


def test_8_bit_pictures_need_no_range():
    gray = RNG.integers(0, 256, (9, 9), dtype=np.uint8)
    assert learn_scale(pictures(gray, np.stack([gray] * 3, -1), gray.astype(np.uint16) * 257)) is None
    assert learn_scale(Dataset("text", ("a",), ("p",))) is None


def test_one_range_for_all_pictures_reaches_from_the_least_to_the_largest_value():
    low, high = learn_scale(pictures(twelve(), twelve() // 2)).ranges["uint16"]
    assert 0 <= low <= 51
    assert 3990 <= high < 4000


def test_single_pixels_far_out_do_not_make_the_range():
    marked = twelve()
    marked[0, 0] = 60_000
    low, high = learn_scale(pictures(*(twelve() for _ in range(9)), marked)).ranges["uint16"]
    assert low >= 0
    assert high < 4500
    assert PixelScale({"uint16": (low, high)}).apply(wide(marked, "", "")).max() == 1


@pytest.mark.parametrize(
    ("picture", "expected"),
    [
        (np.linspace(0, 60_000, 4096).reshape(64, 64).astype(np.uint16), (0.0, 65535.0)),
        (np.linspace(0, 30_000, 4096).reshape(64, 64).astype(np.uint16), (0.0, 30_000.0)),
        (np.linspace(0, 0.9, 4096).reshape(64, 64).astype(np.float32), (0.0, 1.0)),
        (np.linspace(-1000, 3000, 4096).reshape(64, 64).astype(np.int16), (-1000.0, 3000.0)),
        (np.linspace(-0.1, 0.9, 4096).reshape(64, 64).astype(np.float64), (-0.1, 0.9)),
        (np.full((8, 8), 7, np.uint16), (7.0, 8.0)),
    ],
)
def test_the_range_of_the_type_is_taken_where_more_than_half_of_it_is_used(picture, expected):
    assert own_range(wide(picture, "", "")) == pytest.approx(expected, rel=1e-6)


def test_every_picture_counts_alike():
    small, large = np.full((4, 4), 100, np.uint16), np.full((400, 400), 200, np.uint16)
    samples = [Sample.of(wide(each, "", ""), most=2**18) for each in (small, large)]
    assert range_of(samples) == (100.0, 200.0)


@given(st.lists(st.integers(0, 65535), min_size=2, max_size=64), st.integers(0, 3))
def test_scaled_pixels_keep_their_order_and_lie_between_black_and_white(values, kind):
    array = np.array([values]).astype(["uint16", "int32", "float32", "float64"][kind])
    pixels = wide(array, "", "")
    scaled = PixelScale({}).apply(pixels)
    assert scaled.dtype == np.float32
    assert 0 <= scaled.min() <= scaled.max() <= 1
    assert (np.diff(scaled.ravel()[np.argsort(array.ravel(), kind="stable")]) >= 0).all()
    if len(set(values)) > 1 and array.size < 10:
        assert len(np.unique(scaled)) == len(set(values))  # nothing is cut off from a few


@given(st.lists(st.integers(0, 255), min_size=1, max_size=64), st.integers(1, 256))
def test_8_bits_are_known_however_they_are_written_and_one_step_of_16_beside_them(values, off):
    narrow = np.array([values], np.uint8)
    deep = narrow.astype(np.uint16) * 257
    assert np.array_equal(as_8_bits(wide(deep, "", ""))[..., 0], narrow)
    scale = PixelScale({"uint16": (0.0, 65535.0)})
    assert np.array_equal(in_256_steps(scale.apply(wide(deep, "", "")))[..., 0], narrow)
    assert np.array_equal(in_256_steps(narrow.astype(np.float32) / 255), narrow)
    deep[0, 0] = int(deep[0, 0]) + (off if narrow[0, 0] < 250 else -off)
    assert as_8_bits(wide(deep, "", "")) is None
    assert in_256_steps(scale.apply(wide(deep, "", ""))) is None


def test_what_is_kept_is_read_back_and_what_is_no_scale_is_refused():
    scale = PixelScale({"uint16": (1.0, 2.5), "DICOM": "window"}, 5)
    assert PixelScale.from_dict(scale.to_dict()) == scale
    bad = [{}, {"ranges": {}, "channels": "3"}, {"ranges": {"a": [2, 1]}, "channels": 3}, {"ranges": {}, "channels": 0}]
    bad += [{"ranges": {"a": [0, float("nan")]}, "channels": 3}, {"ranges": {"a": "own"}, "channels": 3}]
    for values in bad:
        with pytest.raises(DataError, match="expected ranges of pixels and a number of channels, found"):
            PixelScale.from_dict(values)


def test_it_is_said_in_sentences():
    said = PixelScale({"uint16": (3.0, 4083.0), "DICOM": "window", "float": (0.0, 1.0)}, 4).sentences()
    assert said == [
        "DICOM pictures are shown by the window in each file",
        "floating-point pixels from 0 to 1 become black to white, in all pictures alike",
        "16-bit pixels from 3 to 4,083 become black to white, in all pictures alike",
        "the network's first layer is adapted to 4 channels",
    ]


def test_pictures_of_different_channels_are_refused_where_they_are_given_by_a_program():
    with pytest.raises(DataError, match=r"p1: expected a gray or RGB picture, as in p0, found 5 channels. Train on"):
        learn_scale(pictures(twelve(), np.zeros((9, 9, 5), np.uint8)))


def test_many_channels_become_several_pictures_for_what_knows_only_rgb():
    stack = RNG.integers(0, 256, (9, 9, 5), dtype=np.uint8)
    first, second = map(np.asarray, read_images(stack, PixelScale({"uint8": (0.0, 255.0)}, 5)))
    assert np.array_equal(first, stack[..., :3])
    assert np.array_equal(second, stack[..., [3, 4, 0]])
