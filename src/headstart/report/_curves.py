"""The picture of a learning curve: scores against the number of labels, and the labels saved."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from headstart.errors import OptionError
from headstart.evaluation import CurvePoint, LabelSaving, greater_is_better, metric_name
from headstart.evaluation.saving import written_score, written_times
from headstart.report._drawing import COLOURS, GREY, INK, MARKERS, SIZE, apart, draw, write_title

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def plot_curve(
    points_by_arm: Mapping[str, Sequence[CurvePoint]],
    saving: LabelSaving | None,
    path: Path,
    *,
    title: str,
    metric: str,
    unit: str = "labels",
) -> None:
    """Draw scores against the number of labels, with an arrow for the labels saved.

    Args:
        points_by_arm: Points of each arm, by its name; the arm ``scratch`` is drawn grey.
        saving: The label saving to show, or None.
        path: A file ending in ``.png`` (1600 x 1000 pixels) or ``.svg``. Same points, same bytes, with one version of
            matplotlib.
        title: What stands above the picture.
        metric: What the points were scored by.
        unit: What the sizes count, in the plural.

    Raises:
        MissingExtraError: matplotlib is missing or broken.
        OptionError: The name ends otherwise, the file cannot be written, or there is no point.
    """
    arms = {arm: sorted(points, key=lambda point: point.n) for arm, points in points_by_arm.items() if points}
    if not arms:
        raise OptionError("expected the points of one curve or more, found none")
    draw(lambda: _curve_figure(arms, saving, title=title, metric=metric, unit=unit), path)


def _curve_figure(
    arms: Mapping[str, list[CurvePoint]], saving: LabelSaving | None, *, title: str, metric: str, unit: str
) -> "Figure":
    from matplotlib.figure import Figure

    figure = Figure(figsize=SIZE)
    longest = max(len(arm) for arm in arms)
    axes = figure.add_axes((0.1, 0.13, 0.86 - min(0.4, 0.0125 * (longest + 6)), 0.74))
    colours = _colours(list(arms))
    for place, (arm, points) in enumerate(arms.items()):
        _draw_arm(axes, points, colours[arm], MARKERS[place % len(MARKERS)])
    _scale(axes, [point for points in arms.values() for point in points])
    _name_arms(axes, arms, colours)
    if saving is not None:
        _draw_saving(axes, saving, rising=greater_is_better(metric), unit=unit)
    counted = "labelled examples" if unit == "labels" else unit
    axes.set_xlabel(f"number of {counted} (log scale)")
    better = "higher" if greater_is_better(metric) else "lower"
    axes.set_ylabel(f"{metric_name(metric)} ({better} is better)")
    write_title(figure, title)
    return figure


def _colours(arms: Sequence[str]) -> dict[str, str]:
    others = [arm for arm in arms if arm != "scratch"]
    return {"scratch": GREY} | {arm: COLOURS[place % len(COLOURS)] for place, arm in enumerate(others)}


def _draw_arm(axes: "Axes", points: Sequence[CurvePoint], colour: str, marker: str) -> None:
    n = [point.n for point in points]
    low, high = ([getattr(point.interval, end) for point in points] for end in ("low", "high"))
    axes.fill_between(n, low, high, color=colour, alpha=0.15, linewidth=0)
    axes.plot(n, [point.value for point in points], color=colour, marker=marker, markersize=6, linewidth=2.2)


def _scale(axes: "Axes", points: Sequence[CurvePoint]) -> None:
    """Choose the axes: ticks at sizes measured, and a height for the scores, which a wide interval may leave."""
    from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

    sizes = [point.n for point in points]
    axes.set_xscale("log")
    axes.set_xlim(min(sizes) / 1.12, max(sizes) * 1.12)
    axes.xaxis.set_major_locator(FixedLocator(_ticks(sizes)))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
    values = [point.value for point in points]
    reach = max(max(values) - min(values), 1e-9)
    ends = [end for point in points for end in (point.interval.low, point.interval.high) if np.isfinite(end)]
    low, high = max(min(ends), min(values) - 0.4 * reach), min(max(ends), max(values) + 0.4 * reach)
    axes.set_ylim(low - 0.05 * reach, high + 0.05 * reach)
    axes.grid(axis="y", color="#E5E5E5", linewidth=0.8)
    axes.set_axisbelow(True)


def _ticks(sizes: Sequence[int]) -> list[int]:
    """The sizes from the largest down that leave room for their numbers."""
    room = (max(sizes) / min(sizes)) ** 0.08
    kept = [max(sizes)]
    for size in sorted(sizes, reverse=True):
        if size * room <= kept[-1]:
            kept.append(size)
    return kept


def _name_arms(axes: "Axes", arms: Mapping[str, list[CurvePoint]], colours: Mapping[str, str]) -> None:
    """Write each arm's name beside the end of its line, moved apart where two would touch."""
    low, high = axes.get_ylim()
    heights = {arm: (points[-1].value - low) / (high - low) for arm, points in arms.items()}
    ordered = sorted(heights, key=lambda arm: heights[arm])
    for arm, height in zip(ordered, apart([heights[arm] for arm in ordered]), strict=True):
        text = f"{arm}  {written_score(arms[arm][-1].value)}"
        axes.text(1.02, height, text, transform=axes.transAxes, color=colours[arm], fontweight="bold", va="center")


def _draw_saving(axes: "Axes", saving: LabelSaving, *, rising: bool, unit: str) -> None:
    """Draw an arrow at the level both reach, from the labels of scratch to those of transfer, and say the factor."""
    level, foot = saving.level, axes.get_ylim()[0 if rising else 1]
    for n in (saving.n, saving.N):
        axes.plot([n, n], [foot, level], color=INK, linewidth=1, linestyle=(0, (2, 3)))
    axes.plot(np.clip(_ends(saving), *axes.get_xlim()), [level, level], color=INK, alpha=0.25, linewidth=9)
    arrow = {"arrowstyle": "-|>", "color": INK, "linewidth": 2, "shrinkA": 0, "shrinkB": 2, "mutation_scale": 18}
    axes.annotate("", xy=(saving.n, level), xytext=(saving.N, level), arrowprops=arrow)
    _write_saving(axes, saving, rising=rising, unit=unit)


def _ends(saving: LabelSaving) -> list[float]:
    """The interval of the number of labels that was sought: of transfer, or of scratch where transfer did not help."""
    low, high = saving.interval.low, saving.interval.high
    return [saving.N / high, saving.N / max(low, 1e-9)] if saving.factor >= 1 else [saving.n * low, saving.n * high]


def _write_saving(axes: "Axes", saving: LabelSaving, *, rising: bool, unit: str) -> None:
    """Write the factor in the corner under (of losses: over) the right end of the arrow, which all curves leave."""
    from matplotlib.patheffects import withStroke
    from matplotlib.transforms import blended_transform_factory

    axes.text(
        max(saving.n, saving.N) * 0.96,
        0.03 if rising else 0.97,
        _factor_text(saving, unit),
        transform=blended_transform_factory(axes.transData, axes.transAxes),
        ha="right" if max(saving.n, saving.N) > np.sqrt(np.prod(axes.get_xlim())) else "left",
        va="bottom" if rising else "top",
        fontsize=14,
        fontweight="bold",
        linespacing=1.3,
        path_effects=[withStroke(linewidth=4, foreground="white", alpha=0.8)],
    )


def _factor_text(saving: LabelSaving, unit: str = "labels") -> str:
    labels = f"{saving.n:.0f} instead of {saving.N:.0f}"
    if saving.interval.low <= 1 <= saving.interval.high:
        return f"no saving shown\n{labels}, within the noise"
    helped = saving.factor >= 1
    least = "at least " * (saving.bound == ("at least" if helped else "at most"))
    times = written_times(saving.factor if helped else 1 / saving.factor)
    return f"{least}{times}× {'fewer' if helped else 'more'} {unit}\n{labels}"
