"""The interface of an engine: one ordered map."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import TypeVar

A = TypeVar("A")
B = TypeVar("B")


@dataclass(frozen=True)
class Resources:
    """What one call of a mapped function needs.

    Attributes:
        ahead: How many results may wait to be taken; bounds memory.
    """

    ahead: int = 64


class Engine(ABC):
    """Runs a function over items, somewhere."""

    @abstractmethod
    def map(self, function: Callable[[A], B], items: Iterable[A], *, resources: Resources | None = None) -> Iterator[B]:
        """Yield ``function(item)`` for every item, in the order of the items.

        Args:
            function: What to run; it must not depend on the order of the calls.
            items: Its arguments, read lazily.
            resources: What a call needs.

        Returns:
            The results, in order. An exception of the function is raised at the place of its item.
        """
