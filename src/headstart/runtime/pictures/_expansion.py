"""How much compressed bytes grow, found without growing them: a small file must not take all memory.

zlib and lzma stop where they are told to. PackBits is counted: it says of every run how long that is.
"""

import lzma
import zlib
from collections.abc import Callable, Mapping
from typing import Final

Grows = Callable[[bytes, int], bool]
_STEP: Final = 1 << 20  # bytes; what is thrown away at once
DEFLATE: Final = (8, 32946)  # TIFF's numbers of compressions
LZMA: Final = 34925
PACKBITS: Final = 32773
_NOTHING: Final = 128  # of a run's head in PackBits


def _deflate(data: bytes, most: int) -> bool:
    stream, count = zlib.decompressobj(), 0
    while data and not stream.eof and count <= most:
        count += len(stream.decompress(data, _STEP))
        data = stream.unconsumed_tail
    return count > most


def _lzma(data: bytes, most: int) -> bool:
    stream, count = lzma.LZMADecompressor(), 0
    while not stream.eof and count <= most:
        found = stream.decompress(data, _STEP)
        data, count = b"", count + len(found)
        if not found and stream.needs_input:
            break
    return count > most


def _packbits(data: bytes, most: int) -> bool:
    place, count = 0, 0
    while place < len(data) and count <= most:
        head = data[place]
        place += 1
        if head < _NOTHING:  # so many bytes as they are
            place, count = place + head + 1, count + head + 1
        elif head > _NOTHING:  # one byte so many times
            place, count = place + 1, count + 257 - head
    return count > most


# By TIFF's number, whether data grows to more than so many bytes; what is broken says so when it is decoded.
GROWS: Final[Mapping[int, Grows]] = {**dict.fromkeys(DEFLATE, _deflate), LZMA: _lzma, PACKBITS: _packbits}
BROKEN: Final = (zlib.error, lzma.LZMAError)
