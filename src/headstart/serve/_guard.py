"""Around every route: who may ask, bodies that are too large or too slow, and the headers of every answer.

A refusal can come before the body has arrived. Closing the connection then would reset it, and the client would never
read why; so the answer is sent first, and what still comes is read and thrown away for a moment.
"""

import asyncio
import json
import time
from collections.abc import Awaitable, Callable, MutableMapping
from contextlib import suppress
from typing import Any, Final, final
from urllib.parse import urlsplit

from headstart.serve._access import Access, host_of
from headstart.serve._metrics import Metrics
from headstart.serve._refusals import Refused
from headstart.serve._service import Service

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Message, Receive, Send], Awaitable[None]]

GUARDED: Final = ("/predict", "/metrics")  # what a token is needed for; the page asks for it
THROWN_AWAY: Final = 4  # bodies of the largest size, at most, after a refusal
PATIENCE: Final = 2.0  # seconds, with a client that goes on sending after a refusal
GONE: Final = 499  # what counts as the status of a request whose client has left
POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; media-src 'self' blob:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
HEADERS: Final = tuple(
    (name.encode(), value.encode())
    for name, value in {
        "content-security-policy": POLICY,
        "x-content-type-options": "nosniff",
        "referrer-policy": "no-referrer",
        "cross-origin-opener-policy": "same-origin",
        "cross-origin-resource-policy": "same-origin",
        "permissions-policy": "microphone=(self), camera=(), geolocation=()",
        "cache-control": "no-store",
    }.items()
)


@final
class Guard:
    """An ASGI application around another.

    Args:
        app: The routes.
        service: What they ask; tells the limits, and whether the server stops.
        access: Who may ask.
        metrics: Told of every request.
    """

    def __init__(self, app: App, *, service: Service, access: Access, metrics: Metrics) -> None:
        self.service, self.access, self.metrics = service, access, metrics
        self.app = app
        self.in_flight = 0
        self.held = 0  # bytes of bodies

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            raise RuntimeError(f"expected a request of HTTP, found {scope['type']}")
        self.in_flight += 1
        exchange = _Exchange(self, scope, receive, send)
        try:
            await exchange.run()
        finally:
            self.in_flight -= 1
            self.held -= exchange.received
            seconds = time.perf_counter() - exchange.started
            self.metrics.request(scope["path"], exchange.status, seconds)


@final
class _Exchange:
    """One request and its answer."""

    def __init__(self, guard: Guard, scope: Message, receive: Receive, send: Send) -> None:
        self.started, self.status, self.received = time.perf_counter(), GONE, 0
        self._guard, self._scope = guard, scope
        self._receive, self._send = receive, send
        self._headers: dict[bytes, bytes] = dict(scope["headers"])
        self._deadline = asyncio.get_running_loop().time() + guard.service.limits.seconds
        # Whether all of the body has arrived; there is none unless a header says so.
        self._complete = b"transfer-encoding" not in self._headers and self._length() == 0

    async def run(self) -> None:
        try:
            self._check()
            await self._guard.app(self._scope, self.receive, self.send)
        except Refused as refused:  # of the routes' own they have made answers
            await self._refuse(refused)

    async def receive(self) -> Message:
        """Return what arrives next of the body, within the limits."""
        if self._complete:
            return await self._receive()
        limits = self._guard.service.limits
        try:
            async with asyncio.timeout_at(self._deadline):
                message = await self._receive()
        except TimeoutError:
            raise Refused(408, f"the request took more than {limits.seconds:g} seconds to arrive") from None
        size = len(message.get("body", b""))
        self.received += size
        self._guard.held += size
        self._complete = not message.get("more_body", False)
        if self.received > limits.body:
            raise self._too_large()
        if self._guard.held > limits.bodies:
            raise self._guard.service.refused("full")
        return message

    async def send(self, message: Message) -> None:
        """Send a part of the answer, with the headers of all."""
        if message["type"] == "http.response.start":
            self.status = message["status"]
            ends = not self._complete or self._guard.service.stopping
            more = ((b"connection", b"close"),) if ends else ()
            own = {name for name, _ in message["headers"]}
            common = (header for header in HEADERS if header[0] not in own)
            message = {**message, "headers": [*message["headers"], *common, *more]}
        elif not self._complete and not message.get("more_body", False):
            await self._send({**message, "more_body": True})
            await self._throw_away()
            message = {"type": "http.response.body", "body": b""}
        await self._send(message)

    def _check(self) -> None:
        """Refuse a request by its head."""
        guard = self._guard
        host = self._headers.get(b"host", b"").decode("latin-1")
        if not guard.access.knows_host(host):
            raise Refused(421, "this server is not addressed by that name. Add it with --allow-host.")
        origin = self._headers.get(b"origin", b"").decode("latin-1")
        if origin and not _same_site(origin, host):
            raise Refused(403, "pages of other sites may not ask this server")
        if self._scope["path"] in GUARDED and not guard.access.knows_token(self._headers.get(b"authorization", b"")):
            fix = {"www-authenticate": 'Bearer realm="headstart"'}
            raise Refused(401, "expected the header 'Authorization: Bearer TOKEN' with this server's token", fix)
        if self._length() > guard.service.limits.body:
            raise self._too_large()

    def _length(self) -> int:
        """Return how long the body says it is; h11 has checked that it is a number."""
        return int(self._headers.get(b"content-length", b"0"))

    def _too_large(self) -> Refused:
        most = self._guard.service.limits.body
        return Refused(413, f"expected a request of at most {most:,} bytes. Send fewer or smaller items at once.")

    async def _refuse(self, refused: Refused) -> None:
        body = json.dumps({"error": refused.message}).encode()
        given = {"content-type": "application/json", "content-length": str(len(body)), **refused.headers}
        headers = [(name.encode(), value.encode()) for name, value in given.items()]
        await self.send({"type": "http.response.start", "status": refused.status, "headers": headers})
        await self.send({"type": "http.response.body", "body": body})

    async def _throw_away(self) -> None:
        left = THROWN_AWAY * self._guard.service.limits.body
        with suppress(TimeoutError):
            async with asyncio.timeout(PATIENCE):
                while left > 0:
                    message = await self._receive()
                    left -= len(message.get("body", b""))
                    if not message.get("more_body", False):
                        return


def _same_site(origin: str, host: str) -> bool:
    """Say whether a page comes from this server; one without a site of its own (``null``) does not."""
    try:
        return host_of(urlsplit(origin).netloc) == host_of(host) != ""
    except ValueError:
        return False
