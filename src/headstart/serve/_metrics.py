"""Counts for Prometheus. The only file that imports prometheus_client."""

from collections.abc import Callable, Sequence
from typing import Any, Final, final

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.process_collector import ProcessCollector

from headstart.serve._served import Served

CONTENT_TYPE: Final = CONTENT_TYPE_LATEST
ROUTES: Final = frozenset({"/", "/predict", "/health", "/metrics", "/docs", "/openapi.json"})
_SECONDS: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
_SIZES: Final = (1, 2, 4, 8, 16, 32, 64, 128)


@final
class Metrics:
    """What is counted; every server has counts of its own.

    Args:
        served: The model.
    """

    def __init__(self, served: Served) -> None:
        self._registry = CollectorRegistry()
        ProcessCollector(registry=self._registry)
        info = Gauge(
            "headstart_model", "The model that is served.", ["name", "modality", "kind"], registry=self._registry
        )
        info.labels(served.name, served.modality, served.kind).set(1)
        self._requests = Counter(
            "headstart_requests", "Requests by route and status.", ["route", "status"], registry=self._registry
        )
        self._items = Counter("headstart_items", "Items by what became of them.", ["outcome"], registry=self._registry)
        self._seconds = Histogram(
            "headstart_request_seconds",
            "From the head of a request to the end of its answer.",
            ["route"],
            buckets=_SECONDS,
            registry=self._registry,
        )
        self._batches = Histogram(
            "headstart_batch_items", "Items answered at once.", buckets=_SIZES, registry=self._registry
        )

    def watch(self, name: str, help_text: str, value: Callable[[], float]) -> None:
        """Report a number that is read when it is asked for.

        Args:
            name: What to call it.
            help_text: What it is.
            value: Reads it.
        """
        Gauge(name, help_text, registry=self._registry).set_function(value)

    def request(self, path: str, status: int, seconds: float) -> None:
        """Count a request; unknown paths are one route, or anyone could make thousands."""
        route = "/static" if path.startswith("/static/") else path if path in ROUTES else "other"
        self._requests.labels(route, str(status)).inc()
        self._seconds.labels(route).observe(seconds)

    def rows(self, rows: Sequence[dict[str, Any]]) -> None:
        """Count the items of an answer."""
        failed = sum("error" in row for row in rows)
        self.items("answered", len(rows) - failed)
        self.items("failed", failed)

    def items(self, outcome: str, count: int) -> None:
        """Count items: ``answered``, ``failed``, ``refused`` with their request, ``dropped`` as their client left."""
        self._items.labels(outcome).inc(count)

    def batch(self, size: int) -> None:
        """Count a batch."""
        self._batches.observe(size)

    def render(self) -> bytes:
        """Return all counts in the text format of Prometheus."""
        return generate_latest(self._registry)
