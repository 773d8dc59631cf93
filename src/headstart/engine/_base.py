"""The interface of an engine: an ordered map for light calls, and one for heavy calls that other machines may take."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Self, TypeVar, final

A = TypeVar("A")
B = TypeVar("B")


@dataclass(frozen=True)
class Resources:
    """What one call of a mapped function needs.

    Attributes:
        ahead: How many results may wait to be taken; bounds memory.
    """

    ahead: int = 64


@final
@dataclass(frozen=True)
class Lost:
    """What stands in the place of a result where worker after worker died at one call.

    Attributes:
        times: How many did.
        reason: What is known of the last of these deaths, in a line.
    """

    times: int
    reason: str


class Engine(ABC):
    """Runs a function over items, somewhere; a context manager, at whose end what it started ends."""

    def close(self) -> None:  # noqa: B027 - most have nothing to end
        """End what the engine started."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def described(self) -> str:
        """What runs where, as a sentence; empty where nothing need be said."""
        return ""

    @property
    @abstractmethod
    def elsewhere(self) -> bool:
        """Whether `spread` runs its calls in other processes."""

    @abstractmethod
    def map(self, function: Callable[[A], B], items: Iterable[A], *, resources: Resources | None = None) -> Iterator[B]:
        """Yield ``function(item)`` for every item, in the order of the items; for light calls, in this process.

        Args:
            function: What to run; it must not depend on the order of the calls.
            items: Its arguments, read lazily.
            resources: What a call needs.

        Returns:
            The results, in order. An exception of the function is raised at the place of its item.
        """

    @abstractmethod
    def spread(self, function: Callable[[A], B], items: Iterable[A]) -> Iterator[B | Lost]:
        """Yield ``function(item)`` for every item, in the order of the items; for heavy calls.

        Args:
            function: What to run: once for an item, or again where a worker died at it, so it must not keep anything.
            items: Its arguments, read lazily; a few more are taken than results were asked for.

        Returns:
            The results, in order. An exception of the function is raised at the place of its item.
        """
