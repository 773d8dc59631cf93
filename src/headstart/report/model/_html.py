"""The parts a report is written with: sections, tables, paragraphs; whatever is the user's is escaped here."""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any


@dataclass(frozen=True)
class Section:
    """A part of the report.

    Attributes:
        name: Of its anchor.
        title: What stands above it.
        lines: HTML.
    """

    name: str
    title: str
    lines: Sequence[str]


def paragraph(said: str, *, style: str = "") -> str:
    """Return a paragraph, escaped."""
    of = f' class="{style}"' if style else ""
    return f"<p{of}>{escape(said)}</p>"


def bullets(said: Iterable[str]) -> Iterator[str]:
    """Yield a list, escaped; nothing where there is nothing to list."""
    rows = [f"<li>{escape(each)}</li>" for each in said]
    if rows:
        yield f"<ul>{''.join(rows)}</ul>"


def table(head: Sequence[str], rows: Iterable[Sequence[str]], *, note: str = "", left: int = 1) -> Iterator[str]:
    """Yield a table that scrolls inside the page where it is wide.

    Args:
        head: Names of the columns.
        rows: Cells, escaped here; those of the first column are headings of their rows.
        note: What the figures mean.
        left: How many columns are texts, which begin at the left.

    Yields:
        Lines of HTML.
    """
    yield '<div class="wide" tabindex="0"><table><thead><tr>'
    yield "".join(f'<th scope="col"{_side(i, left)}>{escape(cell)}</th>' for i, cell in enumerate(head))
    yield "</tr></thead><tbody>"
    for row in rows:
        first, *others = row
        cells = "".join(f"<td{_side(i, left)}>{escape(cell)}</td>" for i, cell in enumerate(others, 1))
        yield f'<tr><th scope="row"{_side(0, left)}><bdi>{escape(first)}</bdi></th>{cells}</tr>'
    yield "</tbody></table></div>"
    if note:
        yield paragraph(note, style="note")


def _side(column: int, left: int) -> str:
    return ' class="left"' if column < left else ""


def pairs(rows: Iterable[tuple[str, str]]) -> Iterator[str]:
    """Yield names with what they stand for; one without a name goes on with the one before."""
    yield "<dl>"
    for name, said in rows:
        yield (f"<dt>{escape(name)}</dt>" if name else "") + f"<dd>{escape(said)}</dd>"
    yield "</dl>"


def figure(drawn: str, caption: str) -> str:
    """Return a drawing with what it means below it."""
    return f"<figure>{drawn}<figcaption>{escape(caption)}</figcaption></figure>"


def score(value: Any, interval: Any = None) -> str:
    """Write a score with its interval, as far as they are known."""
    if not isinstance(value, int | float) or not math.isfinite(value):
        return "not defined"
    ends = ends_of(interval)
    form = ".4g" if abs(value) >= 10 else ".3f"
    return f"{value:{form}}" + (f" [{ends[0]:{form}}, {ends[1]:{form}}]" if ends else "")


def ends_of(interval: Any) -> tuple[float, float] | None:
    """Read an interval; None where one of its ends is not known."""
    if not isinstance(interval, list | tuple) or len(interval) != 2:
        return None
    low, high = interval
    known = all(isinstance(end, int | float) and math.isfinite(end) for end in (low, high))
    return (float(low), float(high)) if known else None


def signed(value: Any, interval: Any) -> str:
    """Write a difference with its interval."""
    ends = ends_of(interval)
    if not isinstance(value, int | float):
        return "not defined"
    return f"{value:+.3f}" + (f" [{ends[0]:+.3f}, {ends[1]:+.3f}]" if ends else "")


def seconds(value: Any) -> str:
    """Write a time as people say it."""
    if not isinstance(value, int | float):
        return ""
    if value < 120:
        return f"{value:.1f} s" if value < 10 else f"{value:.0f} s"
    return f"{value / 60:.1f} min" if value < 7200 else f"{value / 3600:.1f} h"


def part(facts: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """Return a part of some JSON values; an empty one where there is none, as in folders of older versions."""
    found = facts.get(name)
    return found if isinstance(found, Mapping) else {}
