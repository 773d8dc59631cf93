"""Running out of memory is something a user can mend, and so an error of Headstart's own."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import torch

from headstart.errors import HeadstartError, TrainingError

# What torch, its processor allocator and the libraries of CUDA say; only CUDA's allocator has a class for it.
SIGNS: Final = ("out of memory", "not enough memory", "allocate memory", "alloc_failed")


@contextmanager
def within_memory(name: str) -> Iterator[None]:
    """Turn running out of memory into one line that says what to do.

    Args:
        name: What was being done.

    Yields:
        Nothing.

    Raises:
        TrainingError: Memory ran out; every other error passes unchanged.
    """
    try:
        yield
    except (RuntimeError, MemoryError) as error:
        if isinstance(error, HeadstartError) or not _ran_out(error):
            raise
        amount = re.search(r"allocate ([\d.]+ ?[A-Za-z]+)", str(error))
        found = f"none left for another {amount[1]}" if amount else "too little"
        raise TrainingError(
            f"expected memory for every step, found {found}",
            where=name,
            fix="Try a smaller batch, or fewer blocks.",
        ) from error


def _ran_out(error: Exception) -> bool:
    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return True
    return any(sign in str(error).lower() for sign in SIGNS)
