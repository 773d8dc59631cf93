"""The picture of a ranking: what a candidate promises against what it costs."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np

from headstart.errors import OptionError
from headstart.report._drawing import COLOURS, GREY, INK, LABEL_ROOM, SIZE, apart, draw, write_title
from headstart.transferability import TOP, Ranked, Ranking

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_SMALLEST: Final = 30.0  # area of a mark, in square points
_AREA: Final = 400.0  # of the largest
_PLACE: Final = 0.68  # of the width, where the names begin
_ENDS: Final = (-0.1, 1.0)  # of the height, between which they stand


def plot_ranking(ranking: Ranking, path: Path, *, title: str) -> None:
    """Draw candidates' scores, with their intervals, against what one item costs.

    Args:
        ranking: At least one candidate that could be looked at.
        path: A file ending in ``.png`` (1600 x 1000 pixels) or ``.svg``.
        title: What stands above the picture.

    Raises:
        MissingExtraError: matplotlib is missing or broken.
        OptionError: The name ends otherwise, the file cannot be written, or no candidate could be looked at.
    """
    fine = [each for each in ranking.candidates if each.error is None]
    if not fine:
        raise OptionError("expected a candidate that could be looked at, found none")
    draw(lambda: _figure(fine, title=title), path)


def _figure(fine: Sequence[Ranked], *, title: str) -> "Figure":
    from matplotlib.figure import Figure

    figure = Figure(figsize=SIZE)
    axes = figure.add_axes((0.1, 0.13, _PLACE - 0.1, 0.74))
    colours = [COLOURS[0] if place < TOP else GREY for place in range(len(fine))]
    largest = max(each.costs.megabytes for each in fine if each.costs is not None) or 1.0
    for each, colour in zip(fine, colours, strict=True):
        _mark(axes, each, colour, largest)
    _scale(axes, fine)
    _name(axes, fine, colours)
    axes.set_xlabel("milliseconds for one item (log scale)")
    axes.set_ylabel("score (higher is better)")
    write_title(figure, title)
    legend = "blue: the best three · area: size of the weights · bars: 95 % interval"
    figure.text(0.1, 0.89, legend, color=INK, fontsize=10)
    return figure


def _mark(axes: "Axes", each: Ranked, colour: str, largest: float) -> None:
    assert each.costs is not None
    assert each.score is not None
    assert each.interval is not None
    low, high = each.interval
    cost = each.costs.milliseconds
    axes.plot([cost, cost], [low, high], color=colour, linewidth=1.5, alpha=0.6, zorder=1)
    area = max(_SMALLEST, _AREA * each.costs.megabytes / largest)
    axes.scatter([cost], [each.score], s=area, color=colour, edgecolors="white", linewidths=0.8, zorder=2)


def _scale(axes: "Axes", fine: Sequence[Ranked]) -> None:
    """Put milliseconds on a log scale, with room at both ends and numbers that are read as they are."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    costs = [each.costs.milliseconds for each in fine if each.costs is not None]
    axes.set_xscale("log")
    axes.set_xlim(min(costs) / 1.5, max(costs) * 1.5)
    axes.xaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.grid(axis="y", color="#E5E5E5", linewidth=0.8)
    axes.set_axisbelow(True)


def _name(axes: "Axes", fine: Sequence[Ranked], colours: Sequence[str]) -> None:
    """Write the names at the right, in order of score, each with a thin line to its mark."""
    low, high = axes.get_ylim()
    left, right = np.log(axes.get_xlim())
    order = sorted(range(len(fine)), key=lambda place: fine[place].score or 0.0)
    heights = [((fine[place].score or 0.0) - low) / (high - low) for place in order]
    for place, height, written in zip(order, heights, _within(heights), strict=True):
        each = fine[place]
        assert each.costs is not None
        across = (np.log(each.costs.milliseconds) - left) / (right - left)
        axes.plot(
            [across, 1.01, 1.03],
            [height, written, written],
            transform=axes.transAxes,
            color=colours[place],
            linewidth=0.5,
            alpha=0.5,
            clip_on=False,
            zorder=0,
        )
        name = each.name if len(each.name) <= 34 else f"...{each.name[-32:]}"
        axes.text(1.035, written, name, transform=axes.transAxes, color=colours[place], fontsize=9, va="center")


def _within(heights: Sequence[float]) -> list[float]:
    """Move the heights of names apart, as far as the picture has room for all of them."""
    low, high = _ENDS
    each = min(LABEL_ROOM, (high - low) / len(heights))
    room = each * np.arange(len(heights))  # that those below take
    written = np.clip(np.array(apart(heights, each)) - room, low, high - room[-1]) + room
    return [float(height) for height in written]
