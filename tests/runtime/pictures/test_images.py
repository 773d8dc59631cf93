import struct
import zlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image

from headstart.data import describe_image, read_image
from headstart.errors import DataError
from headstart.runtime.pictures._images import STRETCHED
from headstart.runtime.pictures._images import kept as as_kept
from headstart.runtime.pictures._opening import FIRST_FRAME, GRAY, ON_WHITE, SIXTEEN_BIT, UPRIGHT
from headstart.runtime.pictures._wide import INVERTED

GRADIENT = np.linspace(0, 65535, 64 * 64).astype(np.uint16).reshape(64, 64)
RGB_GRADIENT = np.stack([GRADIENT, GRADIENT, GRADIENT], axis=-1)
PHOTO = np.random.default_rng(0).integers(0, 256, (60, 80, 3), dtype=np.uint8)


def save(path: Path, image: Image.Image, **options) -> Path:
    image.save(path, **options)
    return path


def write_gradient(path: Path, kind: str) -> None:
    big_endian = GRADIENT.astype(">u2").tobytes()
    if kind == "png":
        Image.fromarray(GRADIENT).save(path)
    elif kind == "pgm":
        path.write_bytes(b"P5 64 64 65535\n" + big_endian)
    elif kind == "ppm":
        path.write_bytes(b"P6 64 64 65535\n" + RGB_GRADIENT.astype(">u2").tobytes())
    elif kind == "rgb-png":
        path.write_bytes(png_of_16_bit_rgb())
    else:
        options = {
            "gray-tiff": {"data": GRADIENT},
            "rgb-tiff": {"data": RGB_GRADIENT, "photometric": "rgb"},
            "big-endian-tiff": {"data": RGB_GRADIENT, "photometric": "rgb", "byteorder": ">"},
            "planar-tiff": {"data": np.moveaxis(RGB_GRADIENT, -1, 0), "photometric": "rgb", "planarconfig": "separate"},
            "compressed-tiff": {"data": RGB_GRADIENT, "photometric": "rgb", "compression": "zlib"},
            "signed-tiff": {"data": (GRADIENT.astype(np.int32) - 32768).astype(np.int16)},
            "inverted-tiff": {"data": 65535 - GRADIENT, "photometric": "miniswhite"},
        }[kind]
        tifffile.imwrite(path, **options)


def png_of_16_bit_rgb() -> bytes:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in RGB_GRADIENT)
    header = struct.pack(">IIBBBBB", 64, 64, 16, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


@pytest.mark.parametrize(
    "kind",
    [
        "png",
        "rgb-png",
        "pgm",
        "ppm",
        "gray-tiff",
        "rgb-tiff",
        "big-endian-tiff",
        "planar-tiff",
        "compressed-tiff",
        "signed-tiff",
        "inverted-tiff",
    ],
)
def test_a_16_bit_gradient_keeps_its_order_and_fills_8_bits(tmp_path, kind):
    path = tmp_path / f"g.{kind.split('-')[-1]}"
    write_gradient(path, kind)
    pixels = np.asarray(read_image(path))
    assert pixels.shape == (64, 64, 3)
    for band in np.moveaxis(pixels.astype(int), -1, 0):
        assert (np.diff(band.ravel()) >= 0).all()
        assert len(np.unique(band)) == 256
        assert np.abs(band - GRADIENT / 257).max() <= 1  # linear, nothing clipped
    facts = describe_image(path)
    narrowed = kind in ("rgb-png", "ppm")  # by Pillow
    assert (SIXTEEN_BIT in facts.conversions) == narrowed
    assert (as_kept("uint16") in facts.conversions) != narrowed
    assert (GRAY in facts.conversions) == (kind in ("png", "pgm", "gray-tiff", "signed-tiff", "inverted-tiff"))
    assert (INVERTED in facts.conversions) == (kind == "inverted-tiff")


@pytest.mark.parametrize(
    "pixels",
    [
        GRADIENT.astype(np.float32) / 7 - 3,
        GRADIENT.astype(np.uint32) * 65537,
        GRADIENT.astype(np.float64),
        RGB_GRADIENT.astype(np.float32),
    ],
    ids=["float", "uint32", "double", "rgb-float"],
)
def test_pixels_without_an_agreed_range_are_scaled_by_their_own(tmp_path, pixels):
    tifffile.imwrite(tmp_path / "f.tif", pixels, photometric="rgb" if pixels.ndim == 3 else "minisblack")
    first = np.asarray(read_image(tmp_path / "f.tif"))[..., 0].astype(int)
    assert np.abs(first - GRADIENT / 257).max() <= 1
    kind = "uint32" if pixels.dtype == np.uint32 else "float"
    assert as_kept(kind) in describe_image(tmp_path / "f.tif").conversions


def test_a_constant_float_image_is_black_and_one_with_nan_is_refused(tmp_path):
    tifffile.imwrite(tmp_path / "c.tif", np.full((8, 9), 3.5, np.float32))
    assert np.asarray(read_image(tmp_path / "c.tif")).max() == 0
    tifffile.imwrite(tmp_path / "n.tif", np.full((8, 9), np.nan, np.float32))
    for function in (describe_image, read_image):
        with pytest.raises(DataError, match=r"n.tif: expected finite pixels, found NaN or infinity. Replace"):
            function(tmp_path / "n.tif")
        with pytest.raises(DataError, match=r"^expected finite pixels, found NaN or infinity. Replace"):
            function(Image.fromarray(np.full((8, 9), np.inf, np.float32)))


def test_8_bits_written_with_16_are_read_as_8_bits_and_that_is_told(tmp_path):
    path = save(tmp_path / "s.png", Image.fromarray(PHOTO[..., 0].astype(np.uint16) * 257))
    assert describe_image(path).conversions == (GRAY, STRETCHED)
    assert np.array_equal(np.asarray(read_image(path))[..., 0], PHOTO[..., 0])


def test_every_mode_becomes_rgb_and_is_told(tmp_path):
    photo = Image.fromarray(PHOTO)
    half_clear = photo.convert("RGBA")
    half_clear.paste((255, 0, 0, 0), (0, 0, 80, 60))
    palette = photo.quantize(8)
    cases = {
        ("plain.png",): (photo, ()),
        ("cmyk.jpg",): (photo.convert("CMYK"), ("CMYK to RGB",)),
        ("palette.png",): (palette, ("palette to RGB",)),
        ("gray.webp",): (photo.convert("L").convert("RGB"), ()),
        ("gray.bmp",): (photo.convert("L"), (GRAY,)),
        ("bits.tif",): (photo.convert("1"), (GRAY,)),
        ("alpha.png",): (half_clear, (ON_WHITE,)),
        ("alpha.webp",): (half_clear, (ON_WHITE,)),
        ("gray-alpha.png",): (half_clear.convert("LA"), (GRAY, ON_WHITE)),
    }
    for (name,), (image, conversions) in cases.items():
        path = save(tmp_path / name, image)
        facts, rgb = describe_image(path), read_image(path)
        assert (facts.conversions, facts.size, rgb.mode, rgb.size) == (conversions, (80, 60), "RGB", (80, 60)), name
        if "alpha" in name:
            assert np.asarray(rgb).min() == 255, name


def test_a_transparent_colour_of_a_palette_becomes_white(tmp_path):
    image = Image.new("P", (9, 8), 0)
    image.putpalette([10, 20, 30, 40, 50, 60])
    path = save(tmp_path / "t.gif", image, transparency=0)
    assert ON_WHITE in describe_image(path).conversions
    assert np.asarray(read_image(path)).min() == 255


@pytest.mark.parametrize(
    ("name", "options"), [("a.gif", {}), ("a.png", {}), ("a.tif", {}), ("a.webp", {"lossless": True})]
)
def test_the_first_frame_is_taken(tmp_path, name, options):
    frames = [Image.new("RGB", (9, 8), colour) for colour in ("red", "green", "blue")]
    path = save(tmp_path / name, frames[0], save_all=True, append_images=frames[1:], **options)
    assert FIRST_FRAME in describe_image(path).conversions
    assert read_image(path).getpixel((4, 4)) == (255, 0, 0)


@pytest.mark.parametrize("suffix", ["jpg", "png", "tif"])
def test_exif_orientation_is_applied(tmp_path, suffix):
    pixels = np.zeros((16, 32, 3), np.uint8)
    pixels[:, :16] = 255
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by 90 degrees clockwise
    path = save(tmp_path / f"e.{suffix}", Image.fromarray(pixels), exif=exif)
    assert UPRIGHT in describe_image(path).conversions
    upright = np.asarray(read_image(path))
    assert upright.shape == (32, 16, 3)
    assert upright[:14].min() > 200
    assert upright[18:].max() < 50


@pytest.mark.parametrize(
    "options",
    [
        {"format": "JPEG"},
        {"format": "JPEG", "progressive": True},
        {"format": "PNG"},
        {"format": "GIF"},
        {"format": "BMP"},
        {"format": "TIFF"},
        {"format": "WEBP"},
        {"format": "PPM"},
    ],
    ids=str,
)
@pytest.mark.parametrize("kept", [0.1, 0.5, 0.95])
def test_a_truncated_file_is_found_by_the_cheap_check_and_by_reading(tmp_path, options, kept):
    path = save(tmp_path / "cut.img", Image.fromarray(PHOTO), **options)
    describe_image(path)
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * kept)])
    for function in (describe_image, read_image):
        with pytest.raises(
            DataError, match=r"cut.img: expected an image, found a broken one: .* Replace the file or remove"
        ):
            function(path)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "a.jpg: expected an image, found an empty file \\(0 bytes\\). Replace the file or remove it."),
        (b"<html>404</html>", "a.jpg: expected an image \\(JPEG, PNG, .*, DICOM\\), found a file of another kind"),
        (b"\xff\xd8\xff" + b"\0" * 40, "a.jpg: expected an image, found a broken one: "),
        (b"II*\0" + b"\xff" * 40, "a.jpg: expected an image, found a broken one: "),
        (None, "a.jpg: expected an image, found no such file or directory. Check the path"),
    ],
)
def test_what_is_no_image_is_named_with_its_path(tmp_path, content, message):
    if content is not None:
        (tmp_path / "a.jpg").write_bytes(content)
    for function in (describe_image, read_image):
        with pytest.raises(DataError, match=message):
            function(tmp_path / "a.jpg")


@pytest.mark.parametrize("factor", [1.01, 5])
def test_a_decompression_bomb_is_refused_from_its_header_without_a_warning(tmp_path, monkeypatch, factor):
    path = save(tmp_path / "bomb.png", Image.new("1", (1000, 1000)))
    tifffile.imwrite(tmp_path / "bomb.tif", np.zeros((1000, 1000), np.float64))
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", int(1_000_000 / factor))
    monkeypatch.setattr(Image.Image, "load", lambda self: pytest.fail("it was decoded"))
    for bomb in (path, tmp_path / "bomb.tif"):
        with pytest.raises(
            DataError, match=r"bomb.*: expected at most .* pixels, found 1,000 x 1,000 \(a decompression bomb"
        ):
            describe_image(bomb)


@pytest.mark.parametrize(
    ("shape", "options", "found"),
    [
        ((5, 8, 9), {"volumetric": True, "tile": (16, 16, 16)}, "photometric 1, axes ZYX, 1 samples"),
        ((8, 9, 7), {"planarconfig": "contig", "photometric": "minisblack"}, "7 channels"),
    ],
)
def test_a_tiff_that_is_no_picture_is_refused(tmp_path, shape, options, found):
    tifffile.imwrite(tmp_path / "v.tif", np.zeros(shape, np.float64), **options)
    with pytest.raises(DataError, match=rf"v\.tif: expected a gray or RGB picture, found {found}"):
        read_image(tmp_path / "v.tif")


@pytest.mark.parametrize(
    ("array", "pixel"),
    [
        (np.full((9, 8), 7, np.uint8), (7, 7, 7)),
        (np.full((9, 8, 1), 7, np.uint8), (7, 7, 7)),
        (np.full((9, 8, 3), 7, np.uint8), (7, 7, 7)),
        (np.full((9, 8, 4), [7, 7, 7, 0], np.uint8), (255, 255, 255)),
        (np.full((9, 8, 3), 7 * 257, np.uint16), (7, 7, 7)),
        (np.full((9, 8, 3), 1.0, np.float32), (255, 255, 255)),
        (np.full((9, 8), 0.5, np.float64), (128, 128, 128)),
    ],
)
def test_arrays_and_pillow_images_become_rgb(array, pixel):
    assert read_image(array).getpixel((3, 3)) == pixel
    assert read_image(read_image(array)).getpixel((3, 3)) == pixel
    assert describe_image(array).size == describe_image(read_image(array)).size == (8, 9)
    assert (STRETCHED in describe_image(array).conversions) == (array.dtype == np.uint16)


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (np.zeros((3, 8, 9), np.uint8), r"expected an array \(H, W\) or \(H, W, 1\|3\|4\), found shape \(3, 8, 9\)"),
        (np.zeros((0, 8), np.uint8), "found shape \\(0, 8\\)"),
        (np.zeros(8, np.uint8), "found shape \\(8,\\)"),
        (np.full((8, 9), 255.0), "expected floats in \\[0, 1\\], found 255 to 255. Scale"),
        (np.full((8, 9), np.nan), "expected floats in \\[0, 1\\], found nan to nan"),
        (np.zeros((8, 9), np.int64), "expected uint8, uint16 or floats, found int64. Convert"),
        (np.zeros((8, 9), bool), "expected uint8, uint16 or floats, found bool"),
    ],
)
def test_other_arrays_are_refused(array, message):
    for function in (describe_image, read_image):
        with pytest.raises(DataError, match=message):
            function(array)


def test_threads_read_the_same_as_one_does(tmp_path):
    paths = []
    for i in range(24):
        image = Image.fromarray(np.roll(PHOTO, i, axis=1))
        paths.append(save(tmp_path / f"{i}.{('jpg', 'png', 'gif', 'tif')[i % 4]}", image))
    alone = [read_image(path).tobytes() for path in paths]
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(lambda path: read_image(path).tobytes(), paths * 3)) == alone * 3


def test_a_long_strip_is_refused_and_a_small_one_is_not(tmp_path):
    strip = Image.new("L", (1, 2001))
    for item in (save(tmp_path / "s.png", strip), strip, np.zeros((2001, 10), np.uint8)):
        for function in (describe_image, read_image):
            with pytest.raises(
                DataError, match=r"expected a side of at most 200 times the other, found .* x 2,001 pix"
            ):
                function(item)
    for size in ((1, 2000), (2200, 11), (1, 1)):
        assert describe_image(save(tmp_path / "t.png", Image.new("L", size))).size == size


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (
            NotImplementedError("chroma subsampling"),
            "found one of a kind that is not supported: chroma subs.* as a PNG",
        ),
        (MemoryError(), "found a broken one: MemoryError. Replace"),
    ],
)
def test_what_tifffile_cannot_decode_is_named_with_its_path(tmp_path, monkeypatch, error, message):
    tifffile.imwrite(tmp_path / "a.tif", np.zeros((8, 9), np.float64))

    def fail(page):
        raise error

    monkeypatch.setattr(tifffile.TiffPage, "asarray", fail)
    for function in (describe_image, read_image):
        with pytest.raises(DataError, match=rf"a\.tif: expected an image, {message}"):
            function(tmp_path / "a.tif")


def test_a_transparent_value_of_a_16_bit_png_becomes_white(tmp_path):
    pixels = np.full((8, 9), 257 * 40, np.uint16)
    pixels[0, 0] = 256 * 40
    path = save(tmp_path / "t.png", Image.fromarray(pixels), transparency=256 * 40)
    assert ON_WHITE in describe_image(path).conversions
    image = read_image(path)
    assert (image.getpixel((0, 0)), image.getpixel((1, 1))) == ((255,) * 3, (40,) * 3)
