"""A Ray cluster: heavy calls run in workers of their own, on this machine or on many. The only file that imports ray.

A worker is an actor that is sent the function once, with the network that it holds, and then item after item. It has
one call at a time, so that its death costs that call alone, which another worker takes up. A worker that has not come
up yet gets nothing to do: a cluster that is too small for all of them is slower, and never stuck.
"""

import math
import os
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator
from importlib.metadata import PackageNotFoundError, version
from typing import Any, Final, Generic, final

import ray
from ray.exceptions import RayError, RayTaskError
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from headstart.engine._base import A, B, Engine, Lost, Resources
from headstart.engine._local import LocalEngine, available_processors
from headstart.errors import HeadstartError, OptionError, first_line

ATTEMPTS: Final = 4  # deaths at one call before it is lost
AHEAD: Final = 2  # results that may wait for their turn, for each worker
PATIENCE: Final = 300.0  # seconds without any worker
PACKAGES: Final = ("headstart", "torch", "numpy")  # what must be alike
_INSTALL: Final = "Install the same packages on all nodes."
_START: Final = "Start one with: ray start --head; or leave --ray-address out for one on this machine."


@final
class RayEngine(Engine):
    """Runs heavy calls on a Ray cluster, light ones in threads of this process.

    Args:
        address: Of the cluster, such as ``auto`` or ``ray://head:10001``; None takes ``RAY_ADDRESS`` or, without that,
            starts a cluster on this machine, which ends with the engine.
        workers: How many workers; by default as many as the cluster has room for.
        processors: Of each worker, which are its threads too.
        gpus: Of each worker; a fraction shares one.

    Raises:
        OptionError: There is no such cluster, it has no room for a worker, or its packages are of other versions.
    """

    def __init__(
        self, address: str | None = None, *, workers: int | None = None, processors: int = 1, gpus: float = 0.0
    ) -> None:
        self._here: Final = LocalEngine()
        self._workers: _Workers | None = None
        self._needs: Final = {"num_cpus": processors, "num_gpus": gpus}
        self._ours: Final = not ray.is_initialized()
        if self._ours:
            _connect(address, least=(workers or 1) * processors)
        try:
            room = _room(processors, gpus)
            self.workers: Final = min(workers or room, room)
            _check_versions()
        except BaseException:
            self.close()
            raise

    @property
    def described(self) -> str:
        """How many workers there are, and what each has."""
        nodes, processors, gpus = len(_nodes()), self._needs["num_cpus"], self._needs["num_gpus"]
        return f"Ray: {self.workers} workers on {nodes} nodes, each with {processors:g} processors and {gpus:g} GPUs."

    @property
    def elsewhere(self) -> bool:
        """Heavy calls run in other processes."""
        return True

    def map(self, function: Callable[[A], B], items: Iterable[A], *, resources: Resources | None = None) -> Iterator[B]:
        """Map over threads of this process: what is light costs more to send than to do.

        Args:
            function: What to run.
            items: Its arguments.
            resources: How far to run ahead.

        Returns:
            The results, in order.
        """
        return self._here.map(function, items, resources=resources)

    def spread(self, function: Callable[[A], B], items: Iterable[A]) -> Iterator[B | Lost]:
        """Yield the results in the order of the items; the workers stay for the next call.

        Args:
            function: Sent to every worker once.
            items: Its arguments, sent one at a time.

        Yields:
            One result per item, or `Lost` where `ATTEMPTS` workers died at it.

        Raises:
            OptionError: No worker comes up.
        """
        if self._workers is None:
            self._workers = _Workers(self.workers, self._needs)
        calls: _Calls[A, B] = _Calls(function, items, ahead=AHEAD * self.workers)
        try:
            yield from calls.run(self._workers)
        finally:
            self._workers.leave(calls)

    def close(self) -> None:
        """End the connection, and the cluster where it is of this engine's own."""
        if self._workers is not None:
            self._workers.close()
        self._workers = None
        if self._ours:
            ray.shutdown()


class _Worker:
    """Holds a function. What it raises on account of the user goes back as a value: Ray would wrap it."""

    def __init__(self) -> None:
        self._held: Any = None
        self._function: Callable[[Any], Any] | None = None

    def ready(self) -> None:
        """Answer once the process is there."""

    def call(self, held: list[Any], item: Any) -> tuple[Any, HeadstartError | None]:
        """Call a function that lies in the cluster's memory, fetched where it is not the one of the call before."""
        if self._function is None or held[0] != self._held:
            self._function = None  # two networks need not fit
            self._held, self._function = held[0], ray.get(held[0])
        assert self._function is not None
        try:
            return self._function(item), None
        except HeadstartError as error:
            return None, error


_Actor: Final[Any] = ray.remote(max_restarts=0, max_task_retries=0)(_Worker)


@final
class _Calls(Generic[A, B]):
    """The calls of one `RayEngine.spread`: what is given out, and what waits for its turn."""

    def __init__(self, function: Callable[[A], B], items: Iterable[A], *, ahead: int) -> None:
        self.function: Final = ray.put(function)
        self._source: Final = enumerate(items)
        self._ahead: Final = ahead
        self._more = True
        self._again: deque[int] = deque()
        self._given: dict[int, A] = {}  # items whose results have not been taken
        self._found: dict[int, tuple[Any, HeadstartError | None]] = {}
        self._deaths: Counter[int] = Counter()

    def run(self, workers: "_Workers") -> Iterator[B | Lost]:
        """Yield the results in order."""
        turn = 0
        while True:
            while workers.idle and self._take():
                number = self._again.popleft()
                workers.hand_out(self, number, self._given[number])
            if turn in self._found:
                del self._given[turn]
                value, error = self._found.pop(turn)
                if error is not None:
                    raise error
                yield value
                turn += 1
            elif not self._more and not self._given:
                return
            else:
                workers.wait()

    def _take(self) -> bool:
        """Say whether there is something to hand out, and take the next item where there is room for its result."""
        if not self._again and self._more and len(self._given) < self._ahead:
            for number, item in self._source:
                self._given[number] = item
                self._again.append(number)
                return True
            self._more = False
        return bool(self._again)

    def answered(self, number: int, found: tuple[Any, HeadstartError | None]) -> None:
        """Keep a result for its turn."""
        self._found[number] = found

    def died(self, number: int, error: RayError) -> None:
        """Let another worker take up a call, or give it up."""
        self._deaths[number] += 1
        if self._deaths[number] < ATTEMPTS:
            self._again.appendleft(number)
        else:
            self._found[number] = Lost(ATTEMPTS, _said(error)), None


@final
class _Workers:
    """The workers of an engine: those that come up, that compute and that wait."""

    def __init__(self, count: int, needs: dict[str, float]) -> None:
        self.idle: Final[deque[Any]] = deque()
        self._count, self._needs = count, needs
        self._starting: dict[Any, Any] = {}  # the answer that is waited for, and the worker
        self._busy: dict[Any, tuple[_Calls[Any, Any], int, Any]] = {}
        self._starts, self._came_up = 0, False
        for _ in range(count):
            self._start()

    def hand_out(self, calls: _Calls[A, B], number: int, item: A) -> None:
        """Let a worker that waits compute."""
        worker = self.idle.popleft()
        self._busy[worker.call.remote([calls.function], item)] = calls, number, worker

    def wait(self) -> None:
        """Wait until a worker has come up, answered or died."""
        alone = not self.idle and not self._busy
        ready, _ = ray.wait([*self._starting, *self._busy], num_returns=1, timeout=PATIENCE if alone else None)
        if not ready:
            problem = f"expected {self._count} workers, none has come up in {PATIENCE:.0f} s"
            raise OptionError(problem, where="--engine ray", fix="See: ray status. Ask for fewer or smaller workers.")
        for answer in ready:
            if answer in self._starting:
                self._comes_up(answer, self._starting.pop(answer))
            else:
                self._answers(answer, *self._busy.pop(answer))

    def leave(self, calls: _Calls[Any, Any]) -> None:
        """End the workers that compute what nobody waits for any more, and start others."""
        for answer in [answer for answer, (theirs, _, _) in self._busy.items() if theirs is calls]:
            ray.kill(self._busy.pop(answer)[2])
            self._start()

    def close(self) -> None:
        """End all workers."""
        for worker in (*self._starting.values(), *self.idle, *(worker for _, _, worker in self._busy.values())):
            ray.kill(worker)

    def _start(self) -> None:
        self._starts += 1
        worker = _Actor.options(**self._needs).remote()
        self._starting[worker.ready.remote()] = worker

    def _comes_up(self, answer: Any, worker: Any) -> None:
        try:
            ray.get(answer)
        except RayError as error:
            if not self._came_up and self._starts >= ATTEMPTS * self._count:
                problem = f"workers die before they begin ({_said(error)})"
                raise OptionError(problem, where="--engine ray", fix="See: ray logs.") from error
            self._start()
        else:
            self._came_up = True
            self.idle.append(worker)

    def _answers(self, answer: Any, calls: _Calls[Any, Any], number: int, worker: Any) -> None:
        try:
            calls.answered(number, ray.get(answer))
        except RayTaskError as error:  # a fault of the function, which no other worker would mend
            self.idle.append(worker)
            raise error.cause from None
        except RayError as error:
            ray.kill(worker)  # where only its answer was lost
            self._start()
            calls.died(number, error)
        else:
            self.idle.append(worker)


def _connect(address: str | None, *, least: int) -> None:
    """Connect to a cluster, or start one here for so many processors; Ray is told not to report its use to anybody."""
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    place = address or os.environ.get("RAY_ADDRESS")
    quiet: dict[str, Any] = {"logging_level": "error", "log_to_driver": False}
    try:
        if place:
            ray.init(address=place, **quiet)
        else:
            ray.init(address="local", num_cpus=max(least, available_processors()), include_dashboard=False, **quiet)
    except (ConnectionError, RuntimeError, ValueError, TimeoutError) as error:
        problem = f"no Ray cluster can be used ({_said(error)})"
        raise OptionError(problem, where=place or "this machine", fix=_START) from error


def _nodes() -> list[dict[str, Any]]:
    every: Callable[[], list[dict[str, Any]]] = ray.nodes  # it carries no types
    return [node for node in every() if node["Alive"]]


def _room(processors: int, gpus: float) -> int:
    """Count the workers that the cluster has room for."""
    nodes = [node["Resources"] for node in _nodes()]
    room = 0
    for there in nodes:
        fits = [there.get("CPU", 0.0) / processors, *([there.get("GPU", 0.0) / gpus] if gpus else [])]
        room += math.floor(min(fits) + 1e-9)
    if room:
        return room
    cpus, cards = (sum(there.get(what, 0.0) for there in nodes) for what in ("CPU", "GPU"))
    problem = (
        f"expected room for a worker of {processors} processors and {gpus:g} GPUs, found {len(nodes)} nodes with "
        f"{cpus:g} processors and {cards:g} GPUs"
    )
    raise OptionError(problem, where="--engine ray", fix="Ask for smaller workers, or add nodes.")


@ray.remote(num_cpus=0)
def _versions(names: tuple[str, ...]) -> dict[str, str]:
    return installed(names)


def installed(names: Iterable[str]) -> dict[str, str]:
    """Return the versions of packages.

    Args:
        names: Of packages.

    Returns:
        Version by name; ``none`` of what is not installed.
    """
    found = {}
    for name in names:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "none"
    return found


def _check_versions() -> None:
    """Refuse a node whose packages would give other numbers."""
    ours = installed(PACKAGES)
    for node in _nodes():
        there = NodeAffinitySchedulingStrategy(node["NodeID"], soft=False)
        try:
            theirs = ray.get(_versions.options(scheduling_strategy=there).remote(PACKAGES), timeout=PATIENCE)
        except RayError as error:
            problem = f"the node cannot run Headstart ({_said(error)})"
            raise OptionError(problem, where=node["NodeManagerAddress"], fix=_INSTALL) from error
        for name, own in ours.items():
            if theirs[name] != own:
                problem = f"expected {name} {own}, as here, found {theirs[name]}"
                raise OptionError(problem, where=node["NodeManagerAddress"], fix=_INSTALL)


def _said(error: Exception) -> str:
    """Return what an error of Ray's says in a line; the lines of a death certificate below the first are details."""
    return first_line(error).rstrip(".: ")
