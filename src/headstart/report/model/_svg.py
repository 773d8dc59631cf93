"""Charts as SVG inside a page: they take the page's colours, light or dark, and need no library and no script.

Lengths are units of the view box, as wide as a phone shows it, so that text is read at any width.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape
from typing import Final

WIDTH: Final = 460.0
SERIES: Final = 7  # colours the style has
_ROOM: Final = 7.6  # of a letter


@dataclass(frozen=True)
class Scale:
    """Values along an axis.

    Attributes:
        low: The value at the beginning.
        high: The value at the end.
        start: Where the beginning is drawn.
        end: Where the end is drawn.
        log: Whether equal factors are equally far apart.
    """

    low: float
    high: float
    start: float
    end: float
    log: bool = False

    def at(self, value: float) -> float:
        """Return where a value is drawn; one outside at the nearer end."""
        value = min(max(value, self.low), self.high)
        low, high, here = (math.log(each) if self.log else each for each in (self.low, self.high, value))
        return self.start + (self.end - self.start) * (here - low) / ((high - low) or 1.0)

    def ticks(self, most: int = 5) -> list[float]:
        """Return round values inside, a few of them."""
        if self.log:
            powers = range(math.floor(math.log10(self.low)), math.ceil(math.log10(self.high)) + 1)
            fine = [m * 10.0**p for p in powers for m in (1, 2, 5) if self.low <= m * 10.0**p <= self.high]
            return fine if len(fine) <= most else fine[:: math.ceil(len(fine) / most)]
        step = _step((self.high - self.low) / most)
        first = math.ceil(self.low / step - 1e-9)
        return [step * n for n in range(first, math.floor(self.high / step + 1e-9) + 1)]


def _step(least: float) -> float:
    """Return the least of 1, 2, 2.5 or 5 times a power of ten that is at least so much."""
    power = 10.0 ** math.floor(math.log10(max(least, 1e-12)))
    return next(m * power for m in (1, 2, 2.5, 5, 10) if m * power >= least * (1 - 1e-9))


def around(values: Sequence[float], *, share: float = 0.06) -> tuple[float, float]:
    """Return the least and the greatest of some finite values, with room on both sides."""
    low, high = min(values), max(values)
    room = share * (high - low) or 0.05 * abs(high) or 0.05
    return low - room, high + room


def svg(parts: Sequence[str], *, height: float, alt: str, width: float = WIDTH) -> str:
    """Join the parts of a chart.

    Args:
        parts: SVG elements.
        height: Of the view box.
        alt: What the chart shows, for who cannot see it.
        width: Of the view box.

    Returns:
        An element for the page.
    """
    inside = "".join(parts)
    about = escape(alt, quote=True)
    return f'<svg class="chart" viewBox="0 0 {width:g} {height:g}" role="img" aria-label="{about}">{inside}</svg>'


def text(x: float, y: float, said: str, *, anchor: str = "start", style: str = "") -> str:
    """Return a line of text, escaped."""
    of = f' class="{style}"' if style else ""
    turned = "" if anchor == "start" else f' text-anchor="{anchor}"'
    return f'<text x="{x:.1f}" y="{y:.1f}"{turned}{of}>{escape(said)}</text>'


def fitted(said: str, room: float) -> str:
    """Cut a text that is longer than there is room for."""
    most = max(1, int(room / _ROOM))
    return said if len(said) <= most else said[: most - 1].rstrip() + "…"


def line(x1: float, y1: float, x2: float, y2: float, style: str) -> str:
    """Return a straight line."""
    return f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" class="{style}"/>'


def path(points: Sequence[tuple[float, float]], style: str) -> str:
    """Return a line through points."""
    places = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    return f'<polyline points="{places}" class="{style}"/>'


def dots(points: Sequence[tuple[float, float]], style: str) -> str:
    """Return round dots as one element: a line of no length with round ends."""
    places = "".join(f"M{x:.1f} {y:.1f}h0" for x, y in points)
    return f'<path d="{places}" class="{style}"/>' if points else ""


def crosses(points: Sequence[tuple[float, float]], style: str, *, size: float = 3.5) -> str:
    """Return crosses as one element."""
    s = size
    places = "".join(f"M{x - s:.1f} {y - s:.1f}l{2 * s} {2 * s}m0 {-2 * s}l{-2 * s} {2 * s}" for x, y in points)
    return f'<path d="{places}" class="{style}"/>' if points else ""


def mark(x: float, y: float, style: str, *, radius: float = 4.5) -> str:
    """Return a round mark."""
    return f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{radius:g}" class="{style}"/>'


def across(scale: Scale, *, top: float, bottom: float, title: str, form: str = "g") -> Iterator[str]:
    """Yield an axis from left to right, below, with lines upwards."""
    last = -math.inf
    for tick in scale.ticks():
        x, said = scale.at(tick), number(tick, form)
        yield line(x, top, x, bottom, "grid")
        if x - last > _ROOM * (len(said) + 1):  # else the numbers would touch
            yield text(x, bottom + 16, said, anchor="middle", style="tick")
            last = x
    yield text((scale.start + scale.end) / 2, bottom + 34, title, anchor="middle", style="tick")


def upwards(scale: Scale, *, left: float, right: float, title: str, form: str = "g") -> Iterator[str]:
    """Yield an axis from the bottom to the top, at the left, with lines to the right; its title stands above it."""
    for tick in scale.ticks():
        y = scale.at(tick)
        yield line(left, y, right, y, "grid")
        yield text(left - 6, y + 4, number(tick, form), anchor="end", style="tick")
    yield text(2, scale.end - 10, title, style="tick")


def number(value: float, form: str = "g") -> str:
    """Write the number of a tick without what floating point adds to it."""
    return f"{0.0 if abs(value) < 1e-12 else value:,.6{form}}" if form == "g" else f"{value:{form}}"
