"""Pictures and recordings that come as bytes: the same as from files, and no more than they may be."""

import io
import re
import struct
import zlib

import numpy as np
import pytest
import tifffile
from PIL import Image

from headstart.data import Encoded, check_picture, hash_item, read_image, read_sound, sound_facts
from headstart.errors import DataError
from headstart.runtime.pictures._expansion import DEFLATE, GROWS, LZMA, PACKBITS
from tests.conftest import make_image
from tests.data.sounds import RATE, noise, write_sound
from tests.dicoms import write_dicom


@pytest.mark.parametrize("name", ["a.png", "a.jpg", "a.gif", "a.bmp", "a.webp", "a.tif", "a.ppm"])
def test_a_picture_of_bytes_is_that_of_its_file(tmp_path, name):
    path = tmp_path / name
    make_image((100, 120, 140), seed=1).save(path)
    item = Encoded(path.read_bytes())
    assert np.array_equal(np.asarray(read_image(item)), np.asarray(read_image(path)))
    assert hash_item(item) == hash_item(path)


@pytest.mark.parametrize("name", ["a.wav", "a.flac", "a.ogg", "a.mp3", "a.aiff"])
def test_a_recording_of_bytes_is_that_of_its_file(tmp_path, name):
    path = write_sound(tmp_path / name, noise(0.5))
    item = Encoded(path.read_bytes())
    assert np.array_equal(read_sound(item, rate=RATE), read_sound(path, rate=RATE))
    assert sound_facts(item) == sound_facts(path)


@pytest.mark.parametrize("content", [b"", b"hello", b"\x89PNG\r\n\x1a\nhello", b"\xff\xd8\xffhello", b"II*\0hello"])
def test_what_is_no_picture_is_refused_without_a_place(content):
    with pytest.raises(DataError) as caught:
        read_image(Encoded(content))
    assert caught.value.where == ""
    assert "0x" not in str(caught.value)


@pytest.mark.parametrize("content", [b"", b"hello", b"RIFF\x10\0\0\0WAVEfmt ", b"fLaC", b"OggS", b"\0\0\0\x20ftypM4A "])
def test_what_is_no_sound_is_refused_without_a_place(content):
    with pytest.raises(DataError) as caught:
        read_sound(Encoded(content), rate=RATE)
    assert caught.value.where == ""
    assert "0x" not in str(caught.value)


def png(width: int, height: int) -> bytes:
    """A picture of the size that its header says, of zeros that compress a thousand times."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    rows = zlib.compress(b"\0" * (height * (width + 1)))
    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


def test_a_picture_of_too_many_pixels_is_refused_by_its_header(monkeypatch):
    monkeypatch.setattr(Image.Image, "load", lambda self: pytest.fail("it was decoded"))
    with pytest.raises(DataError, match=re.escape("expected at most 999,999 pixels, found 1,000 x 1,000")):
        check_picture(Encoded(png(1000, 1000), most_pixels=999_999))
    check_picture(Encoded(png(1000, 1000), most_pixels=1_000_000))


@pytest.mark.parametrize("kind", ["dicom", "tiff"])
def test_the_limit_counts_for_what_pillow_does_not_read(tmp_path, kind):
    pixels = np.zeros((40, 50), np.uint16)
    if kind == "dicom":
        content = write_dicom(tmp_path / "a.dcm", pixels).read_bytes()
    else:
        tifffile.imwrite(tmp_path / "a.tif", np.zeros((40, 50), np.uint32))
        content = (tmp_path / "a.tif").read_bytes()
    with pytest.raises(DataError, match="expected at most 1,999 pixels"):
        check_picture(Encoded(content, most_pixels=1999))
    check_picture(Encoded(content, most_pixels=2000))


def test_a_dicom_file_that_is_deflated_as_a_whole_is_refused_as_bytes(tmp_path):
    from pydicom.uid import DeflatedExplicitVRLittleEndian

    path = write_dicom(tmp_path / "a.dcm", np.zeros((40, 50), np.uint8), syntax=DeflatedExplicitVRLittleEndian)
    assert read_image(path).size == (50, 40)
    with pytest.raises(DataError, match="deflated as a whole"):
        read_image(Encoded(path.read_bytes()))


def test_a_strip_of_a_tiff_that_grows_beyond_the_picture_is_refused(tmp_path):
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, np.zeros((16, 16), np.uint32), compression="zlib", rowsperstrip=16)
    assert read_image(path).size == (16, 16)
    bomb = zlib.compress(b"\0" * 10_000_000)
    with tifffile.TiffFile(path) as tiff:
        page = tiff.pages.first
        start, length = page.dataoffsets[0], page.databytecounts[0]
    content = path.read_bytes()
    where = content.find(struct.pack("<HHII", 279, 4, 1, length)), content.find(struct.pack("<HHII", 273, 4, 1, start))
    assert min(where) > 0, "the tags of the strip"
    grown = bytearray(content + bomb)
    grown[where[0] + 8 : where[0] + 12] = struct.pack("<I", len(bomb))
    grown[where[1] + 8 : where[1] + 12] = struct.pack("<I", len(content))
    with pytest.raises(DataError, match="expected 1,024 bytes of pixels in a strip, found more"):
        read_image(Encoded(bytes(grown)))
    grown[where[0] + 8 : where[0] + 12] = struct.pack("<I", len(grown) + 1)
    with pytest.raises(DataError, match="cut off, or whose strips overlap"):
        read_image(Encoded(bytes(grown)))


@pytest.mark.parametrize("number", [*DEFLATE, LZMA, PACKBITS])
def test_growth_is_counted_to_the_byte(number):
    import lzma

    if number == PACKBITS:
        data = b"\x03abcd" + b"\x80" + b"\x81x"  # four as they are, nothing, and 128 of one
        size = 132
    else:
        data, size = (lzma.compress if number == LZMA else zlib.compress)(b"a" * 3_000_000), 3_000_000
    assert GROWS[number](data, size - 1)
    assert not GROWS[number](data, size)


def test_a_jpeg_of_thousands_of_scans_is_refused():
    out = io.BytesIO()
    make_image((1, 2, 3), seed=0).save(out, "JPEG", progressive=True)
    read_image(Encoded(out.getvalue()))
    with pytest.raises(DataError, match="at most 100 scans"):
        read_image(Encoded(out.getvalue() + b"\xff\xda" * 100))


@pytest.mark.parametrize("name", ["a.wav", "a.flac", "a.ogg", "a.mp3"])
def test_a_recording_that_is_too_long_is_refused_before_it_is_decoded(tmp_path, name, monkeypatch):
    content = write_sound(tmp_path / name, noise(3)).read_bytes()
    assert len(read_sound(Encoded(content, most_seconds=4), rate=RATE)) > 2.9 * RATE
    with pytest.raises(DataError, match=r"expected at most 2 s of sound, found 3\.\d s of 1 channels at 16,000 Hz"):
        read_sound(Encoded(content, most_seconds=2), rate=RATE)


def test_many_channels_at_a_high_rate_count_as_long(tmp_path):
    content = write_sound(tmp_path / "a.wav", np.zeros((40_000, 20), np.float32), rate=40_000).read_bytes()
    assert sound_facts(Encoded(content, most_seconds=3)).seconds == 1
    with pytest.raises(DataError, match="expected at most 2 s of sound"):
        sound_facts(Encoded(content, most_seconds=2))
