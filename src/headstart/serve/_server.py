"""A socket, an event loop, and the end: signals, what is still answered, what is told that nobody answers any more.

The only file that imports uvicorn. What is done on a signal:

1. New requests are answered with 503, on connections that close with the answer; `/health` says 503 too. So clients
   that keep a connection hear of the end instead of losing a request on it.
2. What was accepted before is answered. What is not after the time allowed is answered with 503.
3. The socket is closed, idle connections too, and the process ends with status 0.
"""

import asyncio
import contextlib
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from typing import Any, Final, final

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from headstart.serve._access import Access
from headstart.serve._app import build
from headstart.serve._guard import Guard
from headstart.serve._limits import Limits
from headstart.serve._metrics import Metrics
from headstart.serve._served import Served
from headstart.serve._service import Service

LINGER: Final = 0.5  # seconds in which clients with open connections hear of the end
REFUSING: Final = 2.0  # seconds for answering with 503 what has no answer when the time is over
BACKLOG: Final = 512
_TICK: Final = 0.02  # seconds


@final
class Server:
    """A model behind HTTP.

    Args:
        served: The model.
        access: Who may ask.
        limits: How much may be asked.
        batch: How many items the model answers at once.
    """

    def __init__(self, served: Served, *, access: Access, limits: Limits, batch: int) -> None:
        metrics = Metrics(served)
        self.service = Service(served, limits, batch=batch, observe=metrics.batch)
        metrics.watch("headstart_queue_items", "Items that wait.", lambda: self.service.waiting)
        metrics.watch("headstart_accepted_items", "Items without an answer yet.", lambda: self.service.accepted)
        app = build(self.service, metrics, token=access.token is not None)
        self.guard = Guard(app, service=self.service, access=access, metrics=metrics)
        self._signals = 0
        self._stop: asyncio.Event | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    def run(self, bound: socket.socket, *, stop_within: float, ready: Callable[[str], None]) -> None:
        """Serve until a signal or `stop`.

        Args:
            bound: The socket, which is closed at the end.
            stop_within: Seconds for what was accepted before the signal.
            ready: Told the URL once it listens.
        """
        asyncio.run(self._run(bound, stop_within, ready))

    def stop(self) -> None:
        """End as a signal does; from any thread. A second time, nothing is waited for."""
        if self._loop is not None:
            with contextlib.suppress(RuntimeError):  # it has ended
                self._loop.call_soon_threadsafe(self._signalled)

    async def _run(self, bound: socket.socket, stop_within: float, ready: Callable[[str], None]) -> None:
        self._stop, self._loop = asyncio.Event(), asyncio.get_running_loop()
        server = _Uvicorn(_config(self.guard, self.service.limits))
        with self._handlers():
            bound.listen(BACKLOG)
            serving = asyncio.create_task(server.serve(sockets=[bound]))
            while not server.started and not serving.done():
                await asyncio.sleep(0)
            ready(_url(bound))
            stopping = asyncio.create_task(self._stop.wait())
            await asyncio.wait({serving, stopping}, return_when=asyncio.FIRST_COMPLETED)
            stopping.cancel()
            await self._finish(stop_within)
            server.should_exit = True
            await serving
        self.service.close()

    async def _finish(self, stop_within: float) -> None:
        """Answer what was accepted, and tell the others."""
        loop = asyncio.get_running_loop()
        self.service.stopping = True
        started = loop.time()

        def goes_on(least: float, most: float) -> bool:
            passed = loop.time() - started
            return self._signals < 2 and (passed < least or (self.guard.in_flight > 0 and passed < most))

        while goes_on(LINGER, stop_within):
            await asyncio.sleep(_TICK)
        self.service.abandon()
        over = loop.time() + REFUSING
        while self.guard.in_flight and loop.time() < over:
            await asyncio.sleep(_TICK)

    def _signalled(self) -> None:
        assert self._stop is not None
        self._signals += 1
        self._stop.set()

    @contextlib.contextmanager
    def _handlers(self) -> Iterator[None]:
        """Take the signals that ask a process to end, in the main thread, where they arrive."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = {number: signal.signal(number, lambda *_: self.stop()) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


class _Uvicorn(uvicorn.Server):
    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave the signals alone: uvicorn would close connections first, and raise the signal again at the end."""
        yield


class _Patient(H11Protocol):
    """Closes a connection whose request has no complete head after the time allowed, which uvicorn would keep."""

    patience = 30.0  # seconds
    _timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to wait for a request."""
        super().connection_made(transport)
        self._watch()

    def data_received(self, data: bytes) -> None:
        """Go on waiting, or no more once a request is there."""
        super().data_received(data)
        self._watch()

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait no more."""
        super().connection_lost(exc)
        self._forget()

    def _watch(self) -> None:
        if self._busy():
            self._forget()
        elif self._timer is None:
            self._timer = self.loop.call_later(self.patience, self._give_up)

    def _busy(self) -> bool:
        return self.cycle is not None and not self.cycle.response_complete

    def _forget(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _give_up(self) -> None:
        self._timer = None
        if not self._busy() and not self.transport.is_closing():
            self.transport.close()


def _config(app: Any, limits: Limits) -> uvicorn.Config:
    class Protocol(_Patient):
        patience = limits.seconds

    return uvicorn.Config(
        app,
        http=Protocol,
        ws="none",
        lifespan="off",
        loop="asyncio",
        backlog=BACKLOG,
        log_config=None,
        log_level="error",
        access_log=False,
        proxy_headers=False,
        server_header=False,
        timeout_keep_alive=5,
        timeout_graceful_shutdown=2,
    )


def _url(bound: socket.socket) -> str:
    host, port = bound.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
