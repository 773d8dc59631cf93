"""Every error Headstart raises on purpose.

    HeadstartError                       anything a user can mend; the command line prints it as one line
      DataError(ValueError)              the data: a file, a row, a label, a split
      OptionError(ValueError)            an option or argument
      BackboneError(ValueError)          a pretrained network: name, files, hash
      ArtifactError(ValueError)          a model folder: missing, changed, of another version
      StoreError(OSError)                the activation store: disk full, not writable
      BudgetError(RuntimeError)          the time allowed cannot hold the work
      TrainingError(RuntimeError)        training has left the finite numbers, or its memory
      MissingExtraError(ImportError)     an optional dependency is not installed

A message says where the problem is, what was expected, what was found, and what to type next. Everything else that
escapes is a bug in Headstart.
"""

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

__all__ = [
    "ArtifactError",
    "BackboneError",
    "BudgetError",
    "DataError",
    "HeadstartError",
    "MissingExtraError",
    "OptionError",
    "StoreError",
    "TrainingError",
    "first_line",
    "writing",
]


class HeadstartError(Exception):
    """An error that the user can mend, told in one line.

    Args:
        problem: What was expected and what was found, without a full stop.
        where: The place: a file, ``file:row``, a layer.
        fix: What to do or type next, as a sentence.
    """

    def __init__(self, problem: str, *, where: str = "", fix: str = "") -> None:
        self.problem, self.where, self.fix = problem, where, fix
        super().__init__(problem)

    def __str__(self) -> str:
        text = f"{self.where}: {self.problem}" if self.where else self.problem
        return f"{text}. {self.fix}" if self.fix else text

    def __reduce__(self) -> tuple[object, ...]:
        """Keep place and advice when a worker process hands the error back."""
        return _rebuild, (type(self), self.problem, self.where, self.fix)


def _rebuild(kind: type[HeadstartError], problem: str, where: str, fix: str) -> HeadstartError:
    return kind(problem, where=where, fix=fix)


class DataError(HeadstartError, ValueError):
    """Something in the data: a file that cannot be read, a row, a label, a split."""


class OptionError(HeadstartError, ValueError):
    """An option or argument that does not fit."""


class BackboneError(HeadstartError, ValueError):
    """A pretrained network that is missing, ambiguous, unreadable or not the expected one."""


class ArtifactError(HeadstartError, ValueError):
    """A model folder that is missing, incomplete, changed or of an unknown version."""


class StoreError(HeadstartError, OSError):
    """The activation store cannot be read or written."""


class BudgetError(HeadstartError, RuntimeError):
    """The time allowed cannot hold even the first rung."""


class TrainingError(HeadstartError, RuntimeError):
    """A loss or a weight is no longer a finite number, or memory ran out."""


class MissingExtraError(HeadstartError, ImportError):
    """An optional dependency is needed and not installed."""


def first_line(error: Exception) -> str:
    """Return what an error of a library says, in at most 200 signs."""
    return (str(error).splitlines() or [type(error).__name__])[0][:200]


@contextmanager
def writing(what: str, folder: Path, *, raises: type[HeadstartError], fix: str) -> Iterator[None]:
    """Turn the operating system's refusals to write into one line.

    Args:
        what: What is being written, for the message.
        folder: Where.
        raises: The error to raise.
        fix: What to do about it.

    Yields:
        Nothing.
    """
    try:
        yield
    except OSError as error:
        if isinstance(error, HeadstartError):
            raise
        full = error.errno in (errno.ENOSPC, errno.EDQUOT)
        problem = "the disk is full" if full else f"{what} cannot be written ({error.strerror})"
        raise raises(problem, where=str(folder), fix=fix) from error
