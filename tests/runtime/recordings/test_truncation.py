import struct
from pathlib import Path

import numpy as np
import pytest
import soundfile

from headstart.runtime.recordings._truncation import what_is_missing
from tests.data.sounds import RATE, noise, write_sound


def log_of(path: Path) -> str:
    with soundfile.SoundFile(path) as file:
        return file.extra_info


def missing(path: Path, log: str) -> str:
    with path.open("rb") as file:
        return what_is_missing(file, log)


def cut(path: Path, size: int) -> Path:
    path.write_bytes(path.read_bytes()[:size])
    return path


@pytest.mark.parametrize("name", ["a.wav", "a.aiff", "a.au", "a.w64", "a.flac", "a.ogg", "a.mp3"])
@pytest.mark.parametrize("samples", [8000, 8001])
@pytest.mark.parametrize("channels", [1, 2])
def test_nothing_is_missing_in_a_whole_file(tmp_path, name, samples, channels):
    sound = np.stack([noise()] * channels, axis=1)[:samples]
    path = write_sound(tmp_path / name, sound)
    assert missing(path, log_of(path)) == ""


def test_an_odd_number_of_bytes_needs_no_padding(tmp_path):
    path = write_sound(tmp_path / "a.wav", noise()[:7999], subtype="PCM_U8")
    size = path.stat().st_size
    assert size == 44 + 7999 + 1
    cut(path, size - 1)
    assert missing(path, log_of(path)) == ""


def test_a_wav_with_less_than_it_states_is_cut_off(tmp_path):
    path = cut(write_sound(tmp_path / "a.wav", noise()), 10_044)
    assert missing(path, log_of(path)) == "10,000 of 16,000 bytes of samples are there"


@pytest.mark.parametrize("size", [0xFFFFFFFF, 0x7FFFFFFF, 0x7FFFF000])
def test_a_wav_made_in_a_pipe_did_not_know_its_length(tmp_path, size):
    path = write_sound(tmp_path / "a.wav", noise())
    data = bytearray(path.read_bytes())
    data[40:44] = struct.pack("<I", size)
    path.write_bytes(bytes(data))
    assert missing(path, log_of(path)) == ""


@pytest.mark.parametrize("lost", [1, 10, 500, 3000])
def test_the_last_page_of_an_ogg_file_is_there_to_its_end(tmp_path, lost):
    path = write_sound(tmp_path / "a.ogg", noise(5))
    cut(path, path.stat().st_size - lost)
    assert missing(path, "") == "the last page is not whole"


def test_an_ogg_file_cut_within_the_head_of_a_page_is_cut_off(tmp_path):
    path = write_sound(tmp_path / "a.ogg", noise(5))
    data = path.read_bytes()
    for kept in (4, 20, 28):
        path.write_bytes(data[: data.rfind(b"OggS") + kept])
        assert missing(path, "") == "the last page is not whole"


def write_mp3(path: Path, *, tags: int = 0) -> bytes:
    with soundfile.SoundFile(path, "w", RATE, 1, bitrate_mode="VARIABLE", compression_level=0.5) as file:
        file.write(noise(5))
    size = bytes([tags >> 21 & 127, tags >> 14 & 127, tags >> 7 & 127, tags & 127])
    head = b"ID3\3\0\0" + size + bytes(tags) if tags else b""
    path.write_bytes(head + path.read_bytes())
    return path.read_bytes()


@pytest.mark.parametrize("tags", [0, 300])
def test_an_mp3_file_is_compared_with_the_size_it_states(tmp_path, tags):
    data = write_mp3(tmp_path / "a.mp3", tags=tags)
    assert missing(tmp_path / "a.mp3", "") == ""
    (tmp_path / "a.mp3").write_bytes(data + b"TAG" + bytes(125))
    assert missing(tmp_path / "a.mp3", "") == ""
    (tmp_path / "a.mp3").write_bytes(data[: len(data) // 2])
    assert missing(tmp_path / "a.mp3", "").endswith(" bytes are there")


def test_an_mp3_file_that_states_no_size_is_taken_as_it_is(tmp_path):
    data = write_mp3(tmp_path / "a.mp3")
    second = data.find(data[:2], data.find(b"Xing") + 100)
    assert second > 0
    (tmp_path / "a.mp3").write_bytes(data[second:])
    assert missing(tmp_path / "a.mp3", "") == ""
    (tmp_path / "a.mp3").write_bytes(data[second : second + 30])
    assert missing(tmp_path / "a.mp3", "") == ""
