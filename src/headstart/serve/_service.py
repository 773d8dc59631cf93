"""From the payloads of a request to its rows: admitted or refused, read in threads, answered in batches.

An item that fails becomes an error in its place. Only a full queue, a time limit and the end refuse a whole request.
"""

import asyncio
import json
import logging
import math
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final, final

from headstart.engine import available_processors
from headstart.errors import DataError, HeadstartError
from headstart.serve._batching import Batcher
from headstart.serve._limits import Limits
from headstart.serve._refusals import Refused
from headstart.serve._served import Payload, Row, Served

LOG: Final = logging.getLogger("headstart.serve")
UNREADABLE: Final = DataError("the item cannot be read", fix="Send it in another format.")
UNANSWERED: Final = DataError("the model failed on this item", fix="The server's log says why.")
LONGEST_RETRY: Final = 60  # seconds
_SMOOTHING: Final = 0.1  # of the time an item takes


@final
class Service:
    """Answers requests with one model.

    Args:
        served: The model.
        limits: How much may be asked.
        batch: How many items it answers at once.
        observe: Told the size of each batch.
    """

    def __init__(self, served: Served, limits: Limits, *, batch: int, observe: Callable[[int], None]) -> None:
        self.served, self.limits = served, limits
        self.stopping = False
        self._observe = observe
        self._accepted = 0
        self._item_seconds = 0.0
        self._clocks: set[asyncio.Timeout] = set()
        self._readers = Batcher(self._read, most=1, threads=available_processors(), name="headstart-read")
        self._model = Batcher(self._answer, most=batch, threads=1, name="headstart-model")

    @property
    def accepted(self) -> int:
        """Items of requests that are not answered yet."""
        return self._accepted

    @property
    def waiting(self) -> int:
        """Items that nothing has begun with."""
        return len(self._readers) + len(self._model)

    async def predict(self, payloads: Sequence[Payload | DataError]) -> list[Row]:
        """Answer a request.

        Args:
            payloads: Its items, or why one is none.

        Returns:
            A row for each, in order; ``{"error"}`` of what failed.

        Raises:
            Refused: 503, because the queue is full, it took too long, or the server stops.
        """
        with self._admitted(len(payloads)):
            clock = asyncio.timeout(self.limits.seconds)
            self._clocks.add(clock)
            try:
                async with clock:
                    return list(await asyncio.gather(*map(self._one, payloads)))
            except TimeoutError:
                raise self.refused("stopping" if self.stopping else "too slow") from None
            finally:
                self._clocks.discard(clock)

    def refused(self, why: str) -> Refused:
        """Return the refusal of a request that may succeed later.

        Args:
            why: ``full``, ``stopping`` or ``too slow``.

        Returns:
            503 with the seconds after which to try again.
        """
        said = {
            "full": f"the queue is full ({self._accepted} items of at most {self.limits.queue})",
            "stopping": "the server is stopping",
            "too slow": f"no answer within {self.limits.seconds:g} seconds; send fewer or smaller items at once",
        }
        seconds = min(LONGEST_RETRY, max(1, math.ceil(self._accepted * self._item_seconds)))
        return Refused(503, f"{said[why]}. Try again later.", {"retry-after": str(seconds)})

    def abandon(self) -> None:
        """Refuse all that is not answered yet: the time for stopping is over."""
        now = asyncio.get_running_loop().time()
        for clock in self._clocks:
            clock.reschedule(now)

    def close(self) -> None:
        """End the threads."""
        self._readers.close()
        self._model.close()

    @contextmanager
    def _admitted(self, count: int) -> Iterator[None]:
        if self.stopping:
            raise self.refused("stopping")
        if self._accepted + count > self.limits.queue:
            raise self.refused("full")
        self._accepted += count
        try:
            yield
        finally:
            self._accepted -= count

    async def _one(self, payload: Payload | DataError) -> Row:
        try:
            if isinstance(payload, DataError):
                raise payload
            row: Row = await self._model.submit(await self._readers.submit(payload))
        except HeadstartError as error:
            return {"error": f"{error.problem}. {error.fix}" if error.fix else error.problem}  # without the place
        return row

    def _read(self, payloads: Sequence[Payload]) -> list[Any]:
        (payload,) = payloads
        try:
            return [self.served.read(payload, self.limits)]
        except HeadstartError as error:
            return [error]
        except Exception:  # whatever a library makes of odd bytes is the item's fault
            LOG.exception("an item could not be read")
            return [UNREADABLE]

    def _answer(self, items: Sequence[Any]) -> list[Any]:
        """Answer a batch; where that fails, item by item, so that only what is at fault fails."""
        self._observe(len(items))
        started = time.perf_counter()
        try:
            rows: list[Any] = [_finite(row) for row in self.served.answer(items)]
        except Exception as error:
            if len(items) > 1:
                return [row for item in items for row in self._answer([item])]
            if isinstance(error, HeadstartError):
                return [error]
            LOG.exception("an item could not be answered")
            return [UNANSWERED]
        took = (time.perf_counter() - started) / len(items)
        self._item_seconds += (took - self._item_seconds) * (_SMOOTHING if self._item_seconds else 1)
        return rows


def _finite(row: Row) -> Row:
    """Check that a row can be written as JSON."""
    try:
        json.dumps(row, allow_nan=False)
    except ValueError as error:
        raise DataError("the answer is no finite number", fix="Send another item.") from error
    return row
