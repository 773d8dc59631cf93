"""The picture of robustness: scores under every corruption and severity, beside the clean score."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np

from headstart.errors import OptionError
from headstart.evaluation import Robustness, greater_is_better, metric_name
from headstart.report._drawing import COLOURS, GREY, INK, MARKERS, SIZE, draw, write_title

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_APART: Final = 0.22  # between the severities of one corruption, of the room of one
_LONGEST: Final = 40  # characters of a model's name


def plot_robustness(arms: Mapping[str, Robustness], path: Path, *, title: str) -> None:
    """Draw the scores of one or several models on corrupted items, with their intervals.

    Args:
        arms: What corruptions cost each model, by its name; the first is the one it is about, and the second is grey
            where there are two.
        path: A file ending in ``.png`` (1600 x 1000 pixels) or ``.svg``.
        title: What stands above the picture.

    Raises:
        MissingExtraError: matplotlib is missing or broken.
        OptionError: The name ends otherwise, the file cannot be written, or there is no model.
    """
    if not arms:
        raise OptionError("expected the scores of one model or more, found none")
    draw(lambda: _figure(arms, title=title), path)


def _figure(arms: Mapping[str, Robustness], *, title: str) -> "Figure":
    from matplotlib.figure import Figure

    figure = Figure(figsize=SIZE)
    axes = figure.add_axes((0.1, 0.13, 0.87, 0.68))
    first = next(iter(arms.values()))
    names = list(dict.fromkeys(row.corruption for row in first.conditions))
    for number, (name, found) in enumerate(arms.items()):
        colour = GREY if number == 1 and len(arms) == 2 else COLOURS[number % len(COLOURS)]
        _draw_arm(axes, found, names, colour, MARKERS[number % len(MARKERS)], (number - (len(arms) - 1) / 2) * 0.07)
        told = name if len(name) <= _LONGEST else f"...{name[-_LONGEST:]}"
        figure.text(0.1 + 0.42 * (number % 2), 0.885 - 0.04 * (number // 2), told, color=colour, fontweight="bold")
    axes.set_xticks(range(len(names)), names)
    axes.set_xlim(-0.5, len(names) - 0.5)
    axes.grid(axis="y", color="#E5E5E5", linewidth=0.8)
    axes.set_axisbelow(True)
    better = "higher" if greater_is_better(first.metric) else "lower"
    axes.set_ylabel(f"{metric_name(first.metric)} ({better} is better)")
    axes.set_xlabel("each corruption at severities 1, 2 and 3 · dashed: clean items · bars: 95 % interval", color=INK)
    write_title(figure, title)
    return figure


def _draw_arm(axes: "Axes", found: Robustness, names: Sequence[str], colour: str, marker: str, beside: float) -> None:
    """Draw a line through the severities of every corruption, and one across for the clean score."""
    if found.clean.value is not None:
        axes.axhline(found.clean.value, color=colour, linewidth=1.2, linestyle=(0, (4, 3)), alpha=0.8, zorder=1)
    for place, name in enumerate(names):
        rows = [row for row in found.conditions if row.corruption == name]
        across = [place + beside + _APART * (row.severity - 2) for row in rows]
        for x, row in zip(across, rows, strict=True):
            interval = row.score.interval
            if interval is not None and np.isfinite([interval.low, interval.high]).all():
                axes.plot([x, x], [interval.low, interval.high], color=colour, linewidth=1.2, alpha=0.5, zorder=2)
        values = [np.nan if row.score.value is None else row.score.value for row in rows]
        axes.plot(across, values, color=colour, marker=marker, markersize=5, linewidth=1.8, zorder=3)
