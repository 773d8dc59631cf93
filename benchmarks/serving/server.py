"""What the measurements of a server share: a server in a process of its own, and clients that cost little."""

import asyncio
import json
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

BOUNDARY = "headstart-boundary"
LIMIT = 1 << 24  # bytes of a head or a line that a client reads


@contextmanager
def serving(
    model: Path, *options: str, program: Sequence[str] = ("-m", "headstart")
) -> Iterator[tuple[subprocess.Popen[str], int]]:
    """Run ``headstart serve`` until the end of the block; yields the process and its port."""
    command = [sys.executable, *program, "serve", str(model), "--port", "0", *options]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    said = []
    while "Serving" not in (line := process.stderr.readline()):
        said.append(line)
        if not line:
            raise SystemExit("".join(said))
    try:
        yield process, int(line.partition("://")[2].partition(":")[2].partition(".")[0])
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
        process.wait(60)


def modality_of(path: Path) -> str:
    """Say by its name what an input is."""
    kinds = {".wav": "audio", ".flac": "audio", ".ogg": "audio", ".mp3": "audio", ".txt": "text"}
    return kinds.get(path.suffix.lower(), "image")


def request_of(payload: bytes | str, *, token: str | None = None, path: str = "/predict") -> bytes:
    """Write a request of one item."""
    if isinstance(payload, str):
        kind, body = "application/json", json.dumps({"inputs": [payload]}).encode()
    else:
        kind = f"multipart/form-data; boundary={BOUNDARY}"
        part = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="files"; filename="a"\r\n\r\n'
        body = part.encode() + payload + f"\r\n--{BOUNDARY}--\r\n".encode()
    return raw_request(body, kind, token=token, path=path)


def raw_request(
    body: bytes, kind: str, *, token: str | None = None, path: str = "/predict", method: str = "POST"
) -> bytes:
    """Write a request of any body."""
    key = f"Authorization: Bearer {token}\r\n" if token else ""
    head = f"{method} {path} HTTP/1.1\r\nHost: localhost\r\n{key}Content-Type: {kind}\r\n"
    return f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body


@dataclass
class Answer:
    """What came back."""

    status: int
    headers: dict[str, str]
    body: bytes


async def read_answer(reader: asyncio.StreamReader) -> Answer:
    """Read one answer; raises EOFError where the connection ends before it does."""
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in head[1:] if line)}
    return Answer(int(head[0].split()[1]), headers, await reader.readexactly(int(headers.get("content-length", 0))))


@dataclass
class Seen:
    """What clients saw.

    Attributes:
        seconds: From the first request to the last answer.
        latencies: Of the answers with status 200, in seconds.
        statuses: How many of each; ``lost`` is a request that was sent and not answered.
    """

    seconds: float = 0.0
    latencies: list[float] = field(default_factory=list)
    statuses: Counter[str] = field(default_factory=Counter)

    def to_dict(self) -> dict[str, object]:
        """Return rates and quantiles."""
        ordered = sorted(self.latencies) or [float("nan")]
        quantiles = {
            f"p{q}_ms": round(1000 * ordered[min(len(ordered) - 1, len(ordered) * q // 100)], 2) for q in (50, 95, 99)
        }
        return {
            "per_second": round(len(self.latencies) / self.seconds, 2),
            **quantiles,
            "statuses": dict(self.statuses),
        }


async def clients(
    port: int,
    requests: Sequence[bytes],
    *,
    count: int,
    goes_on: Callable[[int], bool],
    after: Callable[[], None] = lambda: None,
) -> Seen:
    """Let clients ask in turn, each on a connection that it keeps.

    Args:
        port: Where the server listens.
        requests: What they send, one after another, from different ones on.
        count: How many clients there are.
        goes_on: Told how many answers there were; says whether to ask again.
        after: Called after every answer.

    Returns:
        What they saw.
    """
    seen, answers = Seen(), 0

    async def one(number: int) -> None:
        nonlocal answers
        reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=LIMIT)
        turn = number * len(requests) // count
        while goes_on(answers):
            started = time.perf_counter()
            try:
                writer.write(requests[turn % len(requests)])
                found = await read_answer(reader)
            except (OSError, EOFError):
                seen.statuses["lost"] += 1
                break
            answers, turn = answers + 1, turn + 1
            seen.statuses[str(found.status)] += 1
            if found.status == 503:
                assert "retry-after" in found.headers
            if found.status == 200:
                seen.latencies.append(time.perf_counter() - started)
            after()
            if found.headers.get("connection") == "close":
                break
        writer.close()

    started = time.perf_counter()
    await asyncio.gather(*map(one, range(count)))
    seen.seconds = time.perf_counter() - started
    return seen
