"""What a check reports."""

from dataclasses import dataclass
from typing import Literal

Severity = Literal["error", "warning", "info"]


@dataclass(frozen=True)
class Finding:
    """One thing about the data that the user should know.

    Attributes:
        kind: A short name for programs, like ``unreadable`` or ``small-class``.
        severity: ``error``, ``warning`` or ``info``.
        where: The place, or the first of them.
        found: What was found.
        fix: What to do about it.
    """

    kind: str
    severity: Severity
    where: str
    found: str
    fix: str

    def note(self) -> str:
        """Say it as one sentence among the notes of a data set."""
        return f"{self.found[0].upper()}{self.found[1:]} ({self.where})."
