"""This machine: a pool of threads, for work that waits or leaves Python's lock (reading, decoding, hashing)."""

import os
import sys
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Final, final

from headstart.engine._base import A, B, Engine, Lost, Resources


@final
class LocalEngine(Engine):
    """Maps over threads of this process.

    Args:
        workers: How many threads; by default one per processor this process may use.
    """

    def __init__(self, workers: int | None = None) -> None:
        self.workers: Final = workers or available_processors()

    @property
    def elsewhere(self) -> bool:
        """Nothing runs elsewhere."""
        return False

    def spread(self, function: Callable[[A], B], items: Iterable[A]) -> Iterator[B | Lost]:
        """Yield the results, computed one after another in this thread when they are asked for.

        Args:
            function: What to run.
            items: Its arguments, read lazily.

        Yields:
            One result per item; nothing is ever lost.
        """
        for item in items:
            yield function(item)

    def map(self, function: Callable[[A], B], items: Iterable[A], *, resources: Resources | None = None) -> Iterator[B]:
        """Yield the results in the order of the items, at most ``resources.ahead`` of them computed in advance.

        Args:
            function: Runs in a thread.
            items: Its arguments, read lazily.
            resources: How far to run ahead.

        Yields:
            One result per item.
        """
        ahead = (resources or Resources()).ahead
        waiting: deque[Future[B]] = deque()
        with ThreadPoolExecutor(self.workers, thread_name_prefix="headstart") as pool:
            try:
                for item in items:
                    waiting.append(pool.submit(function, item))
                    if len(waiting) > ahead:
                        yield waiting.popleft().result()
                while waiting:
                    yield waiting.popleft().result()
            finally:
                # A failure, or a caller that stops listening, must not wait for work nobody wants.
                for future in waiting:
                    future.cancel()


def available_processors() -> int:
    """Count the processors this process may run on, which can be fewer than the machine has."""
    if sys.platform == "linux":
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
