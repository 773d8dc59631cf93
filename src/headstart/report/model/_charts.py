"""The charts of a report: scores with intervals, a climb over time, learning curves, calibration, features on a map."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any, Final, TypeGuard

from headstart.report.model._html import ends_of
from headstart.report.model._svg import (
    SERIES,
    WIDTH,
    Scale,
    across,
    around,
    crosses,
    dots,
    fitted,
    line,
    mark,
    path,
    svg,
    text,
    upwards,
)

_LEFT: Final = 48.0
_RIGHT: Final = WIDTH - 12
_TOP: Final = 34.0
_HEIGHT: Final = 320.0
_BOTTOM: Final = _HEIGHT - 44
_ROW: Final = 42.0  # of a score with its name above it
_LETTER: Final = 7.6
_FAR: Final = 10.0  # times: seconds that lie farther apart are drawn on a log scale


@dataclass(frozen=True)
class Row:
    """A score with its interval.

    Attributes:
        name: What was scored.
        value: The score.
        interval: Its 95 % interval, where it has one.
        said: What stands at the right of the name.
        ours: Whether it is the one the chart is about.
    """

    name: str
    value: float
    interval: tuple[float, float] | None
    said: str
    ours: bool = False


def forest(rows: Sequence[Row], *, title: str, alt: str) -> str:
    """Draw scores one below the other, each with its name above and its interval across.

    Args:
        rows: At least one.
        title: What the axis measures.
        alt: What the chart shows.

    Returns:
        An element for the page.
    """
    ends = [end for row in rows for end in (row.value, *(row.interval or ()))]
    bottom = _ROW * len(rows) + 8
    scale = Scale(*around(ends), start=8, end=_RIGHT)
    parts = list(across(scale, top=4, bottom=bottom, title=title))
    for place, row in enumerate(rows):
        y, style = _ROW * place + 30, "ours" if row.ours else "other"
        room = WIDTH - 24 - _LETTER * len(row.said)
        parts.append(text(8, y - 12, fitted(row.name, room), style="strong" if row.ours else ""))
        parts.append(text(_RIGHT, y - 12, row.said, anchor="end", style="strong" if row.ours else ""))
        if row.interval is not None:
            parts.append(line(scale.at(row.interval[0]), y, scale.at(row.interval[1]), y, f"bar {style}"))
        parts.append(mark(scale.at(row.value), y, f"dot {style}", radius=5))
    return svg(parts, height=bottom + 42, alt=alt)


def climb(rungs: Sequence[Mapping[str, Any]], *, metric: str, alt: str) -> str:
    """Draw what every rung reached against the seconds spent until its end; accepted ones are filled and joined.

    Args:
        rungs: As ``evaluation.json`` has them; those without a value only take time.
        metric: What was scored, as people say it.
        alt: What the chart shows.

    Returns:
        An element for the page.
    """
    every = [sum(rung["seconds"] for rung in rungs[: place + 1]) for place in range(len(rungs))]
    spent = [at for at, rung in zip(every, rungs, strict=True) if finite(rung["value"])]
    rungs = [rung for rung in rungs if finite(rung["value"])]
    ends = [end for rung in rungs for end in (rung["value"], *(ends_of(rung["interval"]) or ()))]
    first, last = max(min(spent), 1e-3), max(*spent, 1e-3)
    far = last > _FAR * first
    x = Scale(first / 1.5 if far else 0, last * (1.5 if far else 1.1), start=_LEFT, end=_RIGHT, log=far)
    y = Scale(*around(ends), start=_BOTTOM, end=_TOP)
    parts = [
        *upwards(y, left=_LEFT, right=_RIGHT, title=metric),
        *across(x, top=_BOTTOM, bottom=_BOTTOM, title="seconds"),
    ]
    kept = [(x.at(at), y.at(rung["value"])) for at, rung in zip(spent, rungs, strict=True) if rung["accepted"]]
    parts.append(path(kept, "step"))
    for number, (at, rung) in enumerate(zip(spent, rungs, strict=True), 1):
        style, here = "ours" if rung["accepted"] else "other", x.at(at)
        ends_here = ends_of(rung["interval"])
        if ends_here:
            parts.append(line(here, y.at(ends_here[0]), here, y.at(ends_here[1]), f"bar thin {style}"))
        parts.append(
            mark(here, y.at(rung["value"]), f"dot {style}" + ("" if rung["accepted"] else " hollow"), radius=6)
        )
        parts.append(text(here + 10, y.at(rung["value"]) - 8, str(number), style="strong"))
    return svg(parts, height=_HEIGHT, alt=alt)


def learning(points: Mapping[str, Sequence[Mapping[str, Any]]], *, metric: str, unit: str, alt: str) -> str:
    """Draw scores against the number of labels, a line for each arm with its interval.

    Args:
        points: By arm, each with ``n``, ``value`` and ``interval``, by rising ``n``.
        metric: What was scored, as people say it.
        unit: What ``n`` counts.
        alt: What the chart shows.

    Returns:
        An element for the page.
    """
    every = [point for arm in points.values() for point in arm]
    ends = [end for point in every for end in (point["value"], *(ends_of(point.get("interval")) or ()))]
    sizes = [point["n"] for point in every]
    x = Scale(min(sizes) / 1.1, max(sizes) * 1.1, start=_LEFT, end=_RIGHT, log=True)
    y = Scale(*around(ends), start=_BOTTOM, end=_TOP)
    title = f"number of {unit} (each step is a factor)"
    parts = [*upwards(y, left=_LEFT, right=_RIGHT, title=metric), *across(x, top=_BOTTOM, bottom=_BOTTOM, title=title)]
    for place, (arm, its) in enumerate(points.items()):
        style = "other" if arm == "scratch" else f"s{place % SERIES}"
        parts.append(path([(x.at(p["n"]), y.at(p["value"])) for p in its], f"curve {style}"))
        for p in its:
            here, found = x.at(p["n"]), ends_of(p.get("interval"))
            if found:
                parts.append(line(here, y.at(found[0]), here, y.at(found[1]), f"bar thin {style}"))
            parts.append(mark(here, y.at(p["value"]), f"dot {style}"))
        last = its[-1]
        parts.append(text(x.at(last["n"]) - 8, y.at(last["value"]) - 9, arm, anchor="end", style=f"strong ink {style}"))
    return svg(parts, height=_HEIGHT, alt=alt)


def reliability(bins: Sequence[Mapping[str, Any]], *, alt: str) -> str:
    """Draw the share of right answers against their confidence, with the line on which both are equal."""
    low = min(0.95, 0.98 * min(each["confidence"] for each in bins))
    x, y = Scale(low, 1, start=_LEFT, end=_RIGHT), Scale(0, 1, start=_BOTTOM, end=_TOP)
    title = "share of right answers"
    parts = [
        *upwards(y, left=_LEFT, right=_RIGHT, title=title),
        *across(x, top=_BOTTOM, bottom=_BOTTOM, title="confidence of the answer"),
        line(x.at(low), y.at(low), x.at(1), y.at(1), "even"),
    ]
    parts.append(path([(x.at(each["confidence"]), y.at(each["accuracy"])) for each in bins], "curve s0"))
    for each in bins:
        here, ends = x.at(each["confidence"]), ends_of(each["interval"])
        if ends:
            parts.append(line(here, y.at(ends[0]), here, y.at(ends[1]), "bar thin s0"))
        parts.append(mark(here, y.at(each["accuracy"]), "dot s0"))
    return svg(parts, height=_HEIGHT, alt=alt)


def precision_recall(recall: Sequence[float], precision: Sequence[float], *, share: float, name: str, alt: str) -> str:
    """Draw precision against recall of a class, and how frequent the class is."""
    x, y = Scale(0, 1, start=_LEFT, end=_RIGHT), Scale(0, 1, start=_BOTTOM, end=_TOP)
    parts = [
        *upwards(y, left=_LEFT, right=_RIGHT, title="precision"),
        *across(x, top=_BOTTOM, bottom=_BOTTOM, title=f"recall of {fitted(name, 200)}"),
        line(x.at(0), y.at(share), x.at(1), y.at(share), "even"),
        text(_LEFT + 6, y.at(share) - 6, "share of the class", style="tick"),
        path([(x.at(r), y.at(p)) for r, p in zip(recall, precision, strict=True)], "curve s1"),
    ]
    return svg(parts, height=_HEIGHT, alt=alt)


def predicted_against_true(points: Sequence[Sequence[float]], *, alt: str) -> str:
    """Draw predicted values against true ones, with the line on which both are equal."""
    low, high = around([value for point in points for value in point])
    x, y = Scale(low, high, start=_LEFT, end=_RIGHT), Scale(low, high, start=_BOTTOM, end=_TOP)
    parts = [
        *upwards(y, left=_LEFT, right=_RIGHT, title="predicted"),
        *across(x, top=_BOTTOM, bottom=_BOTTOM, title="true value"),
        line(x.at(low), y.at(low), x.at(high), y.at(high), "even"),
        dots([(x.at(true), y.at(told)) for true, told in points], "cloud s0"),
    ]
    return svg(parts, height=_HEIGHT, alt=alt)


def feature_map(
    points: Sequence[Sequence[float]], names: Sequence[str], wrong: Sequence[Sequence[float]], *, alt: str
) -> str:
    """Draw features along two axes: a dot for each example in the colour of its class, a cross where one was wrong.

    Args:
        points: Both coordinates and the number of the class, -1 where it has no colour.
        names: Of the classes that have a colour, by number.
        wrong: Scored examples that were answered wrongly, alike.
        alt: What the chart shows.

    Returns:
        An element for the page.
    """
    every = [*points, *wrong]
    x = Scale(*around([point[0] for point in every]), start=4, end=WIDTH - 4)
    y = Scale(*around([point[1] for point in every]), start=WIDTH * 0.8 - 4, end=4)
    parts = [f'<rect x="0.5" y="0.5" width="{WIDTH - 1:g}" height="{WIDTH * 0.8 - 1:g}" class="frame"/>']
    by_class: dict[int, list[tuple[float, float]]] = {}
    for point in points:
        by_class.setdefault(int(point[2]), []).append((x.at(point[0]), y.at(point[1])))
    for number in sorted(by_class):
        parts.append(dots(by_class[number], f"cloud {_series(number, len(names))}"))
    for number in sorted({int(point[2]) for point in wrong}):
        of_class = [(x.at(point[0]), y.at(point[1])) for point in wrong if int(point[2]) == number]
        parts.append(crosses(of_class, f"cross {_series(number, len(names))}"))
    return _keys(names, any(number < 0 for number in by_class)) + svg(parts, height=WIDTH * 0.8, alt=alt)


def _series(number: int, coloured: int) -> str:
    return f"s{number % SERIES}" if 0 <= number < coloured else "other"


def _keys(names: Sequence[str], others: bool) -> str:  # noqa: FBT001  (one private list)
    """Name the colours above a map."""
    told = [(name, f"s{number % SERIES}") for number, name in enumerate(names)] + [("others", "other")] * others
    inside = "".join(f'<span class="{style}"><bdi>{escape(name)}</bdi></span>' for name, style in told)
    return f'<div class="keys">{inside}</div>' if told else ""


def blocks(shares: Sequence[tuple[str, float]], *, alt: str) -> str:
    """Draw a network as its blocks from input to output: those that were trained are filled.

    Args:
        shares: Names, and which share of their weights was trained.
        alt: What the chart shows.

    Returns:
        An element for the page.
    """
    wide = (WIDTH - 2) / len(shares)
    parts = []
    for place, (name, share) in enumerate(shares):
        style = "trained" if share > 0 else "frozen"
        x = 1 + wide * place
        parts.append(f'<rect x="{x + 1:.1f}" y="2" width="{max(wide - 2, 1):.1f}" height="34" class="{style}"/>')
        if wide > _LETTER * (len(name) + 1):
            parts.append(text(x + wide / 2, 24, name, anchor="middle", style=f"on-{style}"))
    return svg(parts, height=38, alt=alt)


def finite(value: Any) -> TypeGuard[float]:
    """Say whether a JSON value is a number that can be drawn."""
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
