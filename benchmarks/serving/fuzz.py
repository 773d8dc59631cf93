"""A thousand hostile requests to `headstart serve`: nothing may be 500, hang, or read a file it was not given.

    python benchmarks/serving/fuzz.py MODEL INPUT... [--requests 1000] [--seed 0] [-o FILE.json]

INPUT are good items (pictures or recordings, or .txt files of one text a line), which are damaged here. A third of the
requests come from schemathesis by the server's own OpenAPI. The server runs with an audit hook that counts the files
that Python opens after it listens.
"""

import argparse
import asyncio
import base64
import io
import json
import random
import struct
import sys
import tempfile
import time
import zlib
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).parent))
from load import payloads_of
from server import Answer, raw_request, read_answer, request_of, serving

SECONDS = 5.0  # what the server is told that a request may take
PATIENCE = 4 * SECONDS
TOKEN = "a-token-of-many-letters"
SECRET = "this-must-never-come-back"
AUDITED = """
import atexit, json, sys
opened = []
def hook(event, arguments):
    if event == "open" and isinstance(arguments[0], (str, bytes)) and "Serving" in said:
        opened.append(str(arguments[0]))
said = []
class Watched:
    def __init__(self, stream): self.stream = stream
    def write(self, text): said.extend(word for word in text.split()[:1]); return self.stream.write(text)
    def __getattr__(self, name): return getattr(self.stream, name)
sys.stderr = Watched(sys.stderr)
sys.addaudithook(hook)
atexit.register(lambda: open({target!r}, "w").write(json.dumps(opened)))
from headstart.cli import main
main()
"""


def png(width: int, height: int, *, rows: int) -> bytes:
    """A picture of the size that its header says, with so many rows of zeros in it."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    data = zlib.compress(bytes(rows * (width + 1)))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", data) + chunk(b"IEND", b"")


def flac(seconds: int) -> bytes:
    """Silence, which compresses ten thousand times."""
    import soundfile

    out = io.BytesIO()
    soundfile.write(out, np.zeros(seconds * 1000, np.float32), 1000, format="FLAC")
    return out.getvalue()


def tiff() -> bytes:
    """A picture of 16 pixels a side whose one strip grows a thousand times beyond it."""
    import tifffile

    out = io.BytesIO()
    tifffile.imwrite(out, np.zeros((16, 16), np.uint32), compression="zlib")
    content = out.getvalue()
    page = tifffile.TiffFile(io.BytesIO(content)).pages.first
    bomb = zlib.compress(bytes(200_000_000), 9)
    content = content.replace(
        struct.pack("<HHII", 279, 4, 1, page.databytecounts[0]), struct.pack("<HHII", 279, 4, 1, len(bomb))
    )
    return (
        content.replace(
            struct.pack("<HHII", 273, 4, 1, page.dataoffsets[0]), struct.pack("<HHII", 273, 4, 1, len(content))
        )
        + bomb
    )


def damaged(payload: bytes, rng: random.Random) -> bytes:
    """Cut, flip or repeat some bytes."""
    content = bytearray(payload)
    for _ in range(rng.randrange(1, 20)):
        place = rng.randrange(len(content))
        how = rng.randrange(4)
        if how == 0:
            content[place] = rng.randrange(256)
        elif how == 1:
            del content[place : place + rng.randrange(1, 200)]
        elif how == 2:
            content[place:place] = content[place : place + rng.randrange(1, 200)]
        else:
            content[place : place + 4] = rng.choice([b"\xff\xff\xff\xff", b"\0\0\0\0", b"\x7f\xff\xff\xff"])
        if not content:
            return b""
    return bytes(content)


def hostile(payloads: list[bytes | str], secret: Path, rng: random.Random) -> list[tuple[str, Callable[[], bytes]]]:
    """Return kinds of requests by name."""
    bombs = [png(60_000, 60_000, rows=10), png(5000, 5000, rows=5000), png(2000, 3, rows=3), flac(5000), tiff()]
    bombs.append(b"\xff\xd8" + b"\xff\xda\x00\x08" * 100_000)
    good = [payload for payload in payloads if isinstance(payload, bytes)] or bombs[:1]
    texts = [
        "\0",
        "\ufeff",
        "\U0001f600" * 5000,
        "a" * 200_000,
        "\u202e\u0301" * 999,
        "' OR 1=1 --",
        "{{7*7}}",
        "",
        "\n" * 9999,
    ]
    paths = [
        str(secret),
        f"file://{secret}",
        "../" * 9 + str(secret),
        f"http://127.0.0.1:1/{secret}",
        "//evil.example/a",
    ]

    nested = [b'{"inputs":' + b"[" * 100_000, b"[" * 10**6, b'{"a":' * 10**5]
    kinds = ["text/plain", "a", "multipart/form-data", "multipart/form-data; boundary=" + "x" * 300]
    tokens = [None, "x", TOKEN[:-1], TOKEN + "x", "\x7f" * 4000]
    places = ["/static/", "/static/..%2f", "/docs/"]

    def document(body: bytes) -> bytes:
        return raw_request(body, "application/json", token=TOKEN)

    def as_json(value: Any) -> bytes:
        return document(json.dumps(value).encode())

    def item(payload: bytes | str) -> bytes:
        return request_of(payload, token=TOKEN)

    def of_path() -> bytes:
        path = rng.choice(paths)
        return as_json({"inputs": [rng.choice([path, {"base64": path}, {"path": path}, {"url": path}])]})

    def of_route() -> bytes:
        return raw_request(b"", "text/plain", path=rng.choice(places) + rng.choice(paths), method="GET")

    return [
        ("damaged", lambda: item(damaged(rng.choice(good), rng))),
        ("noise", lambda: item(rng.randbytes(rng.randrange(3000)))),
        ("bomb", lambda: item(rng.choice(bombs))),
        ("bomb in base64", lambda: as_json({"inputs": [{"base64": base64.b64encode(rng.choice(bombs)).decode()}]})),
        ("text", lambda: item(rng.choice(texts))),
        ("path", of_path),
        ("path of a route", of_route),
        ("huge JSON", lambda: as_json({"inputs": ["a" * rng.choice([10**6, 10**7, 2 * 10**7])]})),
        ("many items", lambda: as_json({"inputs": ["a"] * rng.choice([64, 65, 10**5])})),
        ("nested JSON", lambda: document(rng.choice(nested))),
        ("wrong token", lambda: request_of("a", token=rng.choice(tokens))),
        ("wrong type", lambda: raw_request(rng.randbytes(50), rng.choice(kinds), token=TOKEN)),
    ]


async def ask(port: int, request: bytes, *, slow: bool = False) -> Answer | str:
    """Send a request, slowly where that is asked for; a word where no answer comes."""

    async def exchange() -> Answer:
        reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1 << 26)
        try:
            if slow:
                writer.write(request[: len(request) // 2])
                return await read_answer(reader)
            writer.write(request)
            return await read_answer(reader)
        finally:
            writer.close()

    try:
        return await asyncio.wait_for(exchange(), PATIENCE)
    except TimeoutError:
        return "hang"
    except (OSError, EOFError):
        return "closed"


async def attack(port: int, kinds: list[tuple[str, Callable[[], bytes]]], count: int) -> Counter[tuple[str, str]]:
    """Send so many requests, eight at a time, and a few slow ones among them."""
    found: Counter[tuple[str, str]] = Counter()
    at_once = asyncio.Semaphore(8)

    async def one(number: int) -> None:
        name, make = kinds[number % len(kinds)]
        slow = number % 50 == 49
        async with at_once:
            answer = await ask(port, make(), slow=slow)
        status = answer if isinstance(answer, str) else str(answer.status)
        if isinstance(answer, Answer) and SECRET.encode() in answer.body:
            status = "secret told"
        found["slow" if slow else name, status] += 1

    await asyncio.gather(*map(one, range(count)))
    return found


def by_its_own_description(port: int, count: int, seed: int) -> Counter[tuple[str, str]]:
    """Let schemathesis ask by the server's OpenAPI, `/predict` the most."""
    import schemathesis

    found: Counter[tuple[str, str]] = Counter()
    schema = schemathesis.openapi.from_url(f"http://127.0.0.1:{port}/openapi.json")
    for each in schema.get_all_operations():
        operation = each.ok()
        share = count - 2 * (count // 10) if operation.path == "/predict" else count // 10
        found += ask_as_described(operation, share, seed)
    return found


def ask_as_described(operation: Any, count: int, seed: int) -> Counter[tuple[str, str]]:
    """Ask one route, and hold the answers to their description."""
    from hypothesis import HealthCheck, given, settings
    from hypothesis import seed as seeded

    found: Counter[tuple[str, str]] = Counter()

    @seeded(seed)
    @given(case=operation.as_strategy())
    @settings(max_examples=count, suppress_health_check=list(HealthCheck), database=None, deadline=None)
    def one(case: Any) -> None:
        answer = case.call(headers={"Authorization": f"Bearer {TOKEN}"}, timeout=PATIENCE)
        found[f"described {operation.path}", str(answer.status_code)] += 1
        case.validate_response(answer)

    one()
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path)
    parser.add_argument("inputs", type=Path, nargs="+")
    parser.add_argument("--requests", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("-o", "--output", type=Path)
    asked = parser.parse_args()
    rng = random.Random(asked.seed)
    with tempfile.TemporaryDirectory() as folder:
        secret, token, opened = (Path(folder) / name for name in ("secret", "token", "opened.json"))
        secret.write_text(SECRET)
        token.write_text(TOKEN)
        options = ("--token-file", str(token), "--max-wait", f"{SECONDS:g}s", "--max-pixels", "1000000")
        program = ("-c", AUDITED.replace("{target!r}", repr(str(opened))))
        started = time.perf_counter()
        with serving(asked.model, *options, program=program) as (process, port):
            found = by_its_own_description(port, asked.requests // 3, asked.seed)
            kinds = hostile(payloads_of(asked.inputs), secret, rng)
            found += asyncio.run(attack(port, kinds, asked.requests - sum(found.values())))
            payload = payloads_of(asked.inputs)[0]
            after = asyncio.run(ask(port, request_of(payload, token=TOKEN)))
        files = json.loads(opened.read_text())
    statuses = {f"{name}: {status}": count for (name, status), count in sorted(found.items())}
    bad = {what: count for what, count in statuses.items() if what.endswith((": 500", ": hang", ": secret told"))}
    outcome = {
        "requests": sum(found.values()),
        "seconds": round(time.perf_counter() - started, 1),
        "statuses": statuses,
        "bad": bad,
        "files opened": [file for file in files if not file.startswith(("/proc/", str(opened)))],
        "good one afterwards": getattr(after, "status", after),
        "exit": process.returncode,
    }
    text = json.dumps(outcome, indent=1)
    print(text)
    if asked.output:
        asked.output.write_text(text + "\n")
    sys.exit(bool(bad))


if __name__ == "__main__":
    main()
