"""espeak-ng behind a small server: one process that has the library loaded, and a fork of it for each utterance.

The library keeps state from one utterance to the next (noise, flutter, pitch changes), so the same words come out
differently the second time. A fork starts from the same state each time: what is said depends on the request alone,
whoever asks and whatever was said before. A crash or an endless loop on odd text ends the fork, not the server.

Run as ``python -m recipes.audio_small.speaker``: requests are JSON lines on standard input, answers are binary on
standard output: two little-endian integers (number of samples, -1 for none; bytes of JSON), samples, JSON.
"""

import ctypes
import json
import os
import resource
import struct
import subprocess
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

LIBRARY: Final = "libespeak-ng.so.1"
RATE: Final = 22050
RETRIEVAL_SYNCHRONOUS: Final = 2
PHONEME_EVENTS_IN_IPA_WITHOUT_EXIT: Final = 0x8003
WORD, END, PHONEME = 1, 5, 7  # espeak_EVENT_TYPE
PARAMETERS: Final = {"rate": 1, "volume": 2, "pitch": 3, "range": 4, "gap": 7}
HEADER: Final = struct.Struct("<ii")
ROOT: Final = Path(__file__).parents[2]


@dataclass(frozen=True)
class Request:
    """What to say and how.

    Attributes:
        voice: Language and variant, as in ``de+f2``.
        text: UTF-8 text of at most a few words.
        rate: Words per minute.
        pitch: 0 to 100.
        range: 0 (monotone) to 100.
        volume: 0 to 200.
        gap: Pause between words in units of 10 ms.
        seed: Of the library's noise.
    """

    voice: str
    text: str
    rate: int = 175
    pitch: int = 50
    range: int = 50
    volume: int = 100
    gap: int = 0
    seed: int = 1


class _Name(ctypes.Union):
    _fields_ = (("number", ctypes.c_int), ("pointer", ctypes.c_void_p), ("string", ctypes.c_char * 8))


class _Event(ctypes.Structure):
    _fields_ = (
        ("type", ctypes.c_int),
        ("unique_identifier", ctypes.c_uint),
        ("text_position", ctypes.c_int),
        ("length", ctypes.c_int),
        ("audio_position", ctypes.c_int),
        ("sample", ctypes.c_int),
        ("user_data", ctypes.c_void_p),
        ("id", _Name),
    )


_CALLBACK: Final = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.POINTER(_Event))


class _Library:
    """The loaded library, collecting samples and events."""

    def __init__(self) -> None:
        self._espeak = ctypes.CDLL(LIBRARY)
        self._libc = ctypes.CDLL("libc.so.6")
        if self._espeak.espeak_Initialize(RETRIEVAL_SYNCHRONOUS, 0, None, PHONEME_EVENTS_IN_IPA_WITHOUT_EXIT) != RATE:
            sys.exit("espeak-ng did not start")
        self._sound: list[bytes] = []
        self._events: list[tuple[int, str | None]] = []
        self._callback = _CALLBACK(self._collect)
        self._espeak.espeak_SetSynthCallback(self._callback)

    def _collect(self, sound: Any, count: int, events: Any) -> int:
        if sound and count > 0:
            self._sound.append(ctypes.string_at(sound, 2 * count))
        number = 0
        while events[number].type:
            event = events[number]
            if event.type == PHONEME:
                self._events.append((event.sample, event.id.string.decode("utf-8", "ignore")))
            elif event.type in (WORD, END):
                self._events.append((event.sample, None))
            number += 1
        return 0

    def say(self, request: dict[str, Any]) -> tuple[bytes, bytes]:
        """Return samples and events (as JSON); both empty where the library refuses."""
        if self._espeak.espeak_SetVoiceByName(request["voice"].encode()):
            return b"", b"[]"
        for name, number in PARAMETERS.items():
            self._espeak.espeak_SetParameter(number, int(request[name]), 0)
        self._libc.srand(request["seed"])
        text = request["text"].encode() + b"\0"
        self._espeak.espeak_Synth(text, len(text), 0, 1, 0, 1, None, None)
        self._espeak.espeak_Synchronize()
        return b"".join(self._sound), json.dumps(self._events).encode()


def _answer(library: _Library, request: dict[str, Any]) -> None:
    resource.setrlimit(resource.RLIMIT_CPU, (5, 5))
    samples, events = library.say(request)
    rest = HEADER.pack(len(samples) // 2, len(events)) + samples + events
    while rest:
        rest = rest[os.write(1, rest) :]


def serve() -> None:
    """Answer requests until standard input ends."""
    library = _Library()
    for line in sys.stdin.buffer:
        child = os.fork()
        if not child:
            _answer(library, json.loads(line))
            os._exit(0)
        if os.waitpid(child, 0)[1]:
            os.write(1, HEADER.pack(-1, 0))


class Speaker:
    """The server's other end; a context manager."""

    def __init__(self) -> None:
        command = [sys.executable, "-m", "recipes.audio_small.speaker"]
        self._process = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def __enter__(self) -> "Speaker":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End the server."""
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe:
                pipe.close()
        self._process.wait()

    def say(self, request: Request) -> tuple[bytes, list[tuple[int, str | None]]]:
        """Say it: samples (int16, 22,050 Hz) and events in order.

        Args:
            request: What to say.

        Returns:
            The samples, and (sample, IPA name) of each phoneme, or (sample, None) where a word begins or all ends. Both
            are empty where the library refused or crashed.
        """
        into, out = self._process.stdin, self._process.stdout
        assert into
        assert out
        into.write(json.dumps(asdict(request)).encode() + b"\n")
        into.flush()
        count, length = HEADER.unpack(out.read(HEADER.size))
        if count < 0:
            return b"", []
        samples = out.read(2 * count)
        return samples, [tuple(each) for each in json.loads(out.read(length))]


if __name__ == "__main__":
    serve()
