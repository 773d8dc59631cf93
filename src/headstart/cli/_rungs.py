"""The table of rungs: a line as each one ends, and all of them in the report."""

from collections.abc import Callable
from typing import TYPE_CHECKING, final

if TYPE_CHECKING:
    from headstart.search import Rung

WIDTH = 44  # of names that are not known yet


@final
class RungTable:
    """Writes a line per rung as it ends, under a heading.

    Args:
        write: Takes a line.
    """

    def __init__(self, write: Callable[[str], None]) -> None:
        self._write = write
        self._begun = False

    def __call__(self, rung: "Rung") -> None:
        """Write its line."""
        if not self._begun:
            self._write(rung_heading(WIDTH))
        self._begun = True
        # Which score it is, is not known here; errors may be of any size, and four digits are enough to compare them.
        self._write(rung_line(rung, ".3f" if abs(rung.value or 0.0) <= 1 else ".4g", WIDTH))


def rung_heading(width: int) -> str:
    """Return the heading of the table.

    Args:
        width: Of the names.

    Returns:
        A line.
    """
    return f"{'rung':<{width}}  {'inside training':<20}  {'time':>8}  {'expected':>18}  decision"


def rung_line(rung: "Rung", form: str, width: int) -> str:
    """Show a rung: its score inside the training part, what it took and was expected to take, and what was decided.

    Args:
        rung: What was tried.
        form: Format of its score.
        width: Of the names.

    Returns:
        A line.
    """
    low, high = rung.interval.low, rung.interval.high
    value = "-" if rung.value is None else f"{rung.value:{form}} [{low:{form}}, {high:{form}}]"
    decision = f"{'accepted' if rung.accepted else 'not accepted'}: {rung.reason}"
    return f"{rung.name:<{width}}  {value:<20}  {_seconds(rung.seconds):>8}  {_expected(rung):>18}  {decision}"


def _expected(rung: "Rung") -> str:
    if rung.predicted_seconds is None:
        return "-"
    return f"{_seconds(rung.predicted_seconds)}, {rung.predicted_megabytes or 0.0:,.0f} MB"


def _seconds(seconds: float) -> str:
    return f"{seconds:,.1f} s"
