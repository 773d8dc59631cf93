"""A model that needs no network, and servers that run in this process."""

import http.client
import json
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest

from headstart.errors import DataError
from headstart.serve import Access, Address, Limits, text_of
from headstart.serve._server import Server

LOOPBACK = Access.at("127.0.0.1", token=None)
TOKEN = "a-token-of-many-letters"


@dataclass
class Echo:
    """Answers a text with how long it is, slowly where it is asked to; fails on some words."""

    seconds: float = 0.0
    name: str = "echo"
    modality: str = "text"
    kind: str = "classification"
    classes: Sequence[str] = ("short", "long")
    promises: Sequence[str] = ("It promises nothing.",)
    batches: list[int] = field(default_factory=list)
    seen: list[str] = field(default_factory=list)
    gate: threading.Event | None = None

    def read(self, payload: bytes | str, limits: Limits) -> str:
        text = text_of(payload, limits)
        if "unreadable" in text:
            raise DataError("expected something else", where="/a/secret/path", fix="Send it.")
        if "odd" in text:
            raise KeyError("a library's own")
        return text

    def answer(self, items: Sequence[str]) -> list[dict[str, Any]]:
        self.batches.append(len(items))
        self.seen += items
        if self.gate is not None:
            self.gate.wait(10)
        time.sleep(self.seconds * len(items))
        if any("poison" in item for item in items):
            raise RuntimeError("the network fell over at /a/secret/path")
        return [self._row(item) for item in items]

    def _row(self, item: str) -> dict[str, Any]:
        p = float("nan") if "infinite" in item else 0.75
        name = "long" if len(item) > 10 else "short"
        return {"label": name, "probabilities": {name: p, "other": 0.25}, "novelty": 0.5}


@dataclass
class Running:
    """A server that runs in a thread."""

    server: Server
    port: int
    thread: threading.Thread

    def ask(
        self, method: str, path: str, body: bytes | None = None, headers: dict[str, str] | None = None
    ) -> tuple[int, dict[str, str], bytes]:
        """Return status, headers and body of an answer."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        try:
            connection.request(method, path, body, headers or {})
            answer = connection.getresponse()
            return answer.status, {k.lower(): v for k, v in answer.getheaders()}, answer.read()
        finally:
            connection.close()

    def predict(self, inputs: Any, **headers: str) -> tuple[int, Any]:
        """Ask with JSON, and return status and JSON."""
        body = json.dumps({"inputs": inputs}).encode()
        status, _, content = self.ask("POST", "/predict", body, {"content-type": "application/json", **headers})
        return status, json.loads(content)

    def counts(self, token: str = "") -> dict[str, float]:
        """Return what `/metrics` says."""
        headers = {"authorization": f"Bearer {token}"} if token else {}
        text = self.ask("GET", "/metrics", headers=headers)[2].decode()
        lines = (line.rpartition(" ") for line in text.splitlines() if not line.startswith("#"))
        return {name: float(value) for name, _, value in lines}


@contextmanager
def running(
    served: Any, *, access: Access = LOOPBACK, stop_within: float = 5, batch: int = 4, **limits: Any
) -> Iterator[Running]:
    """Serve until the end of the block."""
    bound = Address("127.0.0.1", 0).bind()
    server = Server(served, access=access, limits=Limits(**limits), batch=batch)
    listening = threading.Event()
    port = bound.getsockname()[1]
    thread = threading.Thread(
        target=server.run, args=(bound,), kwargs={"stop_within": stop_within, "ready": lambda url: listening.set()}
    )
    thread.start()
    assert listening.wait(20)
    try:
        yield Running(server, port, thread)
    finally:
        server.stop()
        server.stop()
        thread.join(20)
        assert not thread.is_alive()


def eventually(true: Callable[[], bool], seconds: float = 10) -> bool:
    """Wait until something is true."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if true():
            return True
        time.sleep(0.01)
    return false_now(true)


def false_now(true: Callable[[], bool]) -> bool:
    return true()


@pytest.fixture
def echo() -> Iterator[Running]:
    with running(Echo()) as server:
        yield server
