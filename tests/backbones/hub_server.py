"""A server on this machine that speaks the part of the hub's protocol with which its client fetches a snapshot.

As on the hub, files under git come from ``resolve`` itself, while weights lie on another host to which it points, under
their SHA-256.
"""

import hashlib
import json
import socket
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any, Literal
from urllib.parse import unquote, urlsplit

PRIVATE = "org/private"  # of which strangers are not told whether it exists
LARGE = (".safetensors", ".bin")
Failure = Literal["", "error", "forbidden", "hang up", "not json", "reset", "break off", "short", "changed"]


@dataclass
class Hub:
    """Repositories, what was asked for, and what is to go wrong.

    Attributes:
        commits: Of each repository, a folder for each commit.
        names: Of each repository, the commit behind each branch.
        gated: Repositories whose files are only for those who agreed to something.
        failure: What goes wrong from now on.
        broken: Whether a file has broken off since.
        asked: Every request since the server was started.
    """

    commits: dict[str, dict[str, Path]] = field(default_factory=dict)
    names: dict[str, dict[str, str]] = field(default_factory=dict)
    gated: set[str] = field(default_factory=set)
    failure: Failure = ""
    broken: bool = False
    asked: list[str] = field(default_factory=list)
    address: str = ""
    store: str = ""

    def add(self, repository: str, folder: Path, *, revision: str = "main") -> str:
        """Serve a folder as what a branch holds; returns the commit."""
        commit = hashlib.sha1(f"{repository} {folder}".encode()).hexdigest()
        self.commits.setdefault(repository, {})[commit] = folder
        self.names.setdefault(repository, {})[revision] = commit
        return commit

    @contextmanager
    def failing(self, failure: Failure) -> Iterator[None]:
        """Let something go wrong for a while."""
        self.failure, self.broken = failure, False
        try:
            yield
        finally:
            self.failure = ""

    @contextmanager
    def watched(self) -> Iterator[list[str]]:
        """Give the list that fills with what is asked from here on, or asked for, at the end."""
        seen: list[str] = []
        start = len(self.asked)
        yield seen
        seen += self.asked[start:]


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    hub: Hub

    def log_message(self, *arguments: object) -> None:
        pass

    def do_GET(self) -> None:
        self.hub.asked.append(f"{self.command} {self.path}")
        if self.hub.failure == "hang up":
            self.close_connection = True
            return
        parts = unquote(urlsplit(self.path).path).strip("/").split("/")
        if parts[0] == "store":
            self._stored(parts[1])
        elif parts[:2] == ["api", "models"]:
            self._described("/".join(parts[2:4]), parts[4], "/".join(parts[5:]))
        else:
            self._resolved("/".join(parts[:2]), parts[3], "/".join(parts[4:]))

    do_HEAD = do_GET  # noqa: N815

    def _described(self, repository: str, what: str, revision: str) -> None:
        """Answer what a revision is, or which files it has."""
        hub = self.hub
        if hub.failure == "error":
            return self._answer(500, b"<h1>Something broke</h1>")
        if hub.failure == "not json":
            return self._answer(200, b"<h1>Log in to this hotel's network</h1>")
        if hub.failure == "forbidden":
            return self._answer(403, b"{}", **{"X-Error-Message": "Your token may not read this"})
        if repository == PRIVATE:
            return self._answer(401, b'{"error": "Invalid username or password."}')
        if repository not in hub.commits:
            return self._answer(404, b"{}", **{"X-Error-Code": "RepoNotFound"})
        commit = hub.names[repository].get(revision, revision)
        if commit not in hub.commits[repository]:
            return self._answer(404, b"{}", **{"X-Error-Code": "RevisionNotFound"})
        files = _files(hub.commits[repository][commit])
        names = [{"rfilename": name} for name in files]
        whole = {
            "id": repository,
            "modelId": repository,
            "sha": commit,
            "siblings": names,
            "tags": [],
            "private": False,
        }
        answer = whole if what == "revision" else [_entry(name, path) for name, path in files.items()]
        return self._answer(200, json.dumps(answer).encode())

    def _resolved(self, repository: str, commit: str, name: str) -> None:
        """Answer with a file, or with where it is stored."""
        if repository in self.hub.gated:
            return self._answer(403, b"{}", **{"X-Error-Code": "GatedRepo"})
        path = self.hub.commits[repository][commit] / name
        known = {"X-Repo-Commit": commit, "ETag": f'"{_identifier(path)}"'}
        if path.suffix not in LARGE:
            return self._answer(200, path.read_bytes(), **known)
        linked = {"X-Linked-Size": str(path.stat().st_size), "X-Linked-ETag": f'"{_sha256(path)}"'}
        place = {"Location": f"{self.hub.store}/store/{_sha256(path)}"}
        return self._answer(302, b"", **known, **linked, **place)

    def _stored(self, sha256: str) -> None:
        """Answer with a large file, or with what is wrong with it."""
        every = [
            path for commits in self.hub.commits.values() for folder in commits.values() for path in folder.iterdir()
        ]
        content = next(path.read_bytes() for path in every if path.suffix in LARGE and _sha256(path) == sha256)
        failure = self.hub.failure
        if failure == "break off" and self.hub.broken:
            return self._answer(500, b"")  # else the client tries, and waits, for long
        if failure == "short":
            content = content[: len(content) // 2]
        if failure == "changed":
            content = content[:-1] + bytes([content[-1] ^ 1])
        self.hub.broken = failure in ("reset", "break off")
        start = int(self.headers.get("Range", "bytes=0-").removeprefix("bytes=").removesuffix("-"))
        part = {"Content-Range": f"bytes {start}-{len(content) - 1}/{len(content)}"} if start else {}
        content = content[start:]
        sent = len(content) // 2 if self.hub.broken else len(content)
        self._answer(206 if part else 200, content, sent=sent, **part)
        if failure == "reset":
            # Closing without lingering sends a reset in place of an orderly end.
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.connection.close()
        return None

    def _answer(self, status: int, content: bytes, *, sent: int | None = None, **headers: str) -> None:
        self.send_response(status)
        for name, value in {"Content-Length": str(len(content)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(content[:sent])
            self.wfile.flush()
        self.close_connection = sent not in (None, len(content))


def _files(folder: Path) -> dict[str, Path]:
    return {path.relative_to(folder).as_posix(): path for path in sorted(folder.rglob("*")) if path.is_file()}


def _entry(name: str, path: Path) -> dict[str, Any]:
    size = path.stat().st_size
    entry = {"type": "file", "path": name, "size": size, "oid": _identifier(path)}
    return entry | ({"lfs": {"oid": _sha256(path), "size": size, "pointerSize": 134}} if path.suffix in LARGE else {})


def _identifier(path: Path) -> str:
    """Name a file as git does."""
    content = path.read_bytes()
    return hashlib.sha1(f"blob {len(content)}\0".encode() + content).hexdigest()


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


@contextmanager
def serving() -> Iterator[Hub]:
    """Run a hub and its store on two ports of this machine."""
    hub = Hub()
    handler = type("Handler", (_Handler,), {"hub": hub})
    servers = [ThreadingHTTPServer(("127.0.0.1", 0), handler) for _ in range(2)]
    hub.address, hub.store = (f"http://127.0.0.1:{server.server_port}" for server in servers)
    threads = [Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}) for server in servers]
    for thread in threads:
        thread.start()
    try:
        yield hub
    finally:
        for server, thread in zip(servers, threads, strict=True):
            server.shutdown()
            server.server_close()
            thread.join()


def closed_port() -> int:
    """Find a port on which nothing listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
