"""A queue, and threads that take what waits in it: all at once, up to a batch, and never waiting for more.

While a batch is computed the next one gathers, so batches grow with the load and an idle server answers at once.
"""

import asyncio
import threading
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, final

Work = Callable[[Sequence[Any]], Sequence[Any]]


@final
@dataclass(frozen=True, eq=False)
class _Job:
    value: Any
    future: "asyncio.Future[Any]"


@final
class Batcher:
    """Runs a function on what is submitted, in threads of its own.

    The threads are daemons: one that hangs in a library does not keep the process from ending.

    Args:
        work: Takes some values and returns as many results; a result that is an exception is raised to who submitted
            the value. It must not raise itself.
        most: How many values it takes at once.
        threads: How many run.
        name: Of the threads.
    """

    def __init__(self, work: Work, *, most: int, threads: int, name: str) -> None:
        self._work, self._most = work, most
        self._waiting: deque[_Job] = deque()
        self._changed = threading.Condition()
        self._closed = False
        for number in range(threads):
            threading.Thread(target=self._run, name=f"{name}-{number}", daemon=True).start()

    def __len__(self) -> int:
        """Count what waits."""
        return len(self._waiting)

    def submit(self, value: Any) -> "asyncio.Future[Any]":
        """Queue a value; called on the event loop.

        Args:
            value: What the function is to take.

        Returns:
            Its result; cancelled before its turn comes, the value is dropped.
        """
        job = _Job(value, asyncio.get_running_loop().create_future())
        with self._changed:
            self._waiting.append(job)
            self._changed.notify()
        return job.future

    def close(self) -> None:
        """End the threads when they have done what they do; what waits is not begun."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def _run(self) -> None:
        while jobs := self._take():
            results = self._work([job.value for job in jobs])
            with suppress(RuntimeError):  # the loop is closed: nobody waits any more
                jobs[0].future.get_loop().call_soon_threadsafe(_settle, jobs, results)

    def _take(self) -> list[_Job]:
        """Wait for a value, and return what is wanted of those that wait; nothing at the end."""
        taken: list[_Job] = []
        with self._changed:
            while not taken and not self._closed:
                while self._waiting and len(taken) < self._most:
                    job = self._waiting.popleft()
                    if not job.future.cancelled():
                        taken.append(job)
                if not taken:
                    self._changed.wait()
        return taken


def _settle(jobs: Sequence[_Job], results: Sequence[Any]) -> None:
    for job, result in zip(jobs, results, strict=True):
        if job.future.done():  # cancelled while it was computed
            continue
        if isinstance(result, BaseException):
            job.future.set_exception(result)
        else:
            job.future.set_result(result)
