"""Whether a sound file was cut off, which libsndfile takes for a shorter sound (WAV, AIFF, AU, Ogg) or fills up (MP3).

A WAV, AIFF or AU file states how many bytes of samples it holds, and libsndfile logs where fewer are there. An Ogg file
is pages that each state their length. An MP3 file with a variable rate states its length in its first frame.
"""

import re
import struct
from typing import IO, Final

_STATED: Final = re.compile(r"^ *(?:data|SSND|Data Size) *: (\d+) \(should be (\d+)\)", re.MULTILINE)
_UNKNOWN: Final = 0x7FFF0000  # written by programs that could not go back to fill the length in
_LONGEST_PAGE: Final = 27 + 255 + 255 * 255  # bytes
_FIRST_FRAME: Final = 2881  # bytes; the longest frame of an MP3 file
_HAS_FRAMES: Final = 1  # flags of what the first frame states
_HAS_BYTES: Final = 2


def what_is_missing(file: IO[bytes], log: str) -> str:
    """Say what a sound file lacks at its end.

    Args:
        file: Opened, at its beginning.
        log: What libsndfile logged of its header.

    Returns:
        A phrase, empty where nothing is known to be missing.

    Raises:
        OSError: The file cannot be read.
    """
    for stated, there in _STATED.findall(log):
        if int(there) + 1 < int(stated) < _UNKNOWN:
            return f"{int(there):,} of {int(stated):,} bytes of samples are there"
    start = file.read(10)
    size = file.seek(0, 2)
    if start.startswith(b"OggS"):
        return _missing_page(file, size)
    if start.startswith(b"ID3") or (start[0] == 0xFF and start[1:2] >= b"\xe0"):
        return _missing_frames(file, size, start)
    return ""


def _missing_page(file: IO[bytes], size: int) -> str:
    """Look whether the last page is there to its end."""
    file.seek(max(0, size - 2 * _LONGEST_PAGE))
    tail = file.read()
    page = tail[tail.rfind(b"OggS") :]
    lengths = page[27 : 27 + page[26]] if len(page) > 26 else b""
    needed = 27 + page[26] + sum(lengths) if len(page) > 26 and len(lengths) == page[26] else len(page) + 1
    return "" if len(page) >= needed else "the last page is not whole"


def _missing_frames(file: IO[bytes], size: int, start: bytes) -> str:
    """Compare the size of an MP3 file with the one its first frame states, if it does."""
    tags = 0
    if start.startswith(b"ID3"):  # seven bits a byte
        tags = 10 + sum(byte << shift for byte, shift in zip(start[6:10], (21, 14, 7, 0), strict=True))
    file.seek(tags)
    frame = file.read(_FIRST_FRAME)
    at = max(frame.find(b"Xing"), frame.find(b"Info"))
    if at < 0 or len(frame) < at + 16:
        return ""
    flags, first, second = struct.unpack(">III", frame[at + 4 : at + 16])
    stated = second if flags & _HAS_FRAMES else first
    if not flags & _HAS_BYTES or stated <= size - tags:
        return ""
    return f"{size - tags:,} of {stated:,} bytes are there"
