"""Corrupted items on the command line: the options, the table, and the picture."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from headstart.evaluation import Measured
    from headstart.pipeline import Against, RobustnessOptions, RobustnessResult

Command = TypeVar("Command", bound=Callable[..., Any])


def robustness_options(command: Command) -> Command:
    """Add ``--robustness`` and what belongs to it."""
    for option in (
        click.option(
            "--plot",
            type=click.Path(path_type=Path),
            metavar="FILE.png|svg",
            help="With --robustness: draw the scores under every corruption.",
        ),
        click.option(
            "--against",
            multiple=True,
            metavar="MODEL",
            help="With --robustness: another model on the same corrupted items, such as one made with --strategy "
            "scratch. May be repeated.",
        ),
        click.option(
            "--robustness-items",
            type=click.IntRange(min=1),
            metavar="N",
            help="With --robustness: at most so many items, drawn in proportion to their labels [default: 500].",
        ),
        click.option("--robustness", is_flag=True, help="Also score corrupted items, paired with the clean ones."),
    ):
        command = option(command)
    return command


def take_robustness(options: dict[str, Any], plot: Path | None) -> "RobustnessOptions | None":
    """Take these options out of a command's options.

    Args:
        options: They are removed from it.
        plot: Where the picture goes.

    Returns:
        What is measured; None where ``--robustness`` is not there.

    Raises:
        UsageError: One is there without ``--robustness``.
        OptionError: The name of the picture ends otherwise than ``.png`` or ``.svg``.
    """
    from headstart.errors import OptionError
    from headstart.pipeline import RobustnessOptions

    asked, items, against = (options.pop(name) for name in ("robustness", "robustness_items", "against"))
    if not asked:
        for name, value in (("--against", against), ("--robustness-items", items), ("--plot", plot)):
            if value:
                raise click.UsageError(f"{name} goes with --robustness.")
        return None
    if plot is not None and plot.suffix.lower() not in (".png", ".svg"):
        raise OptionError(f"expected a name ending in .png or .svg, found {plot.name!r}", where="--plot")
    return RobustnessOptions(against=against) if items is None else RobustnessOptions(items, against)


def draw_robustness(result: "RobustnessResult", path: Path, *, model: str, data: str) -> None:
    """Draw the scores under every corruption.

    Args:
        result: What was measured.
        path: Where the picture goes.
        model: The model folder.
        data: What it was scored on.
    """
    from headstart.report import plot_robustness

    name = Path(model).name
    arms = {name: result.found}
    for number, each in enumerate(result.against, start=2):  # two folders may have one name
        arms[each.model if each.model not in arms else f"{each.model} ({number})"] = each.found
    plot_robustness(arms, path, title=f"{name} on corrupted items of {Path(data).name}")
    click.echo(f"Picture: {path}", err=True)


def robustness_lines(result: "RobustnessResult") -> list[str]:
    """Show what corruptions cost.

    Args:
        result: What was measured.

    Returns:
        Lines of text: a row for each corruption and severity, the mean, and for each other model a column and a
        sentence.
    """
    table = [("corruption", "severity", _metric(result), "minus clean", *_headings(result))]
    table += [("none", "", _shown(result.found.clean), "", *_clean(result))]
    table += list(_rows(result))
    table += [("mean", "", _shown(result.found.mean), _signed(result.found.difference), *_means(result))]
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    lines = ["  ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True)).rstrip() for row in table]
    of = f"{result.n:,}" if result.n == result.of else f"{result.n:,} of the {result.of:,} items"
    sentences = [each.gap.sentence for each in result.against]
    return ["", f"On corrupted items ({of}):", *lines, "", _lost(result), *sentences]


def _metric(result: "RobustnessResult") -> str:
    from headstart.evaluation import greater_is_better, metric_name

    name = metric_name(result.found.metric)
    return name if greater_is_better(result.found.metric) else f"{name} (lower is better)"


def _headings(result: "RobustnessResult") -> list[str]:
    return [cell for each in result.against for cell in (each.model, "minus it")]


def _clean(result: "RobustnessResult") -> list[str]:
    return [cell for each in result.against for cell in (_shown(each.found.clean), _signed(each.gap.clean))]


def _means(result: "RobustnessResult") -> list[str]:
    return [cell for each in result.against for cell in (_shown(each.found.mean), _signed(each.gap.mean))]


def _rows(result: "RobustnessResult") -> Iterator[tuple[str, ...]]:
    for number, row in enumerate(result.found.conditions):
        beside = [cell for each in result.against for cell in _beside(each, number)]
        severity = f"{row.severity}: {row.level}"
        name = row.corruption if row.severity == 1 else ""
        yield (name, severity, _shown(row.score), _signed(row.difference), *beside)


def _beside(other: "Against", number: int) -> tuple[str, str]:
    return _shown(other.found.conditions[number].score), _signed(other.gap.conditions[number])


def _lost(result: "RobustnessResult") -> str:
    from headstart.evaluation import greater_is_better

    drop = result.found.relative_drop
    if drop.value is None or drop.interval is None:
        return "What share of its clean score it loses is not defined."
    low, high = drop.interval.low, drop.interval.high
    share = f"{drop.value:.1%} [{low:.1%}, {high:.1%}]"
    if greater_is_better(result.found.metric):
        return f"It loses {share} of its clean score on average."
    return f"Its error grows by {share} on average."


def _shown(found: "Measured") -> str:
    if found.value is None or found.interval is None:
        return "undefined"
    return f"{found.value:.3f} [{found.interval.low:.3f}, {found.interval.high:.3f}]"


def _signed(found: "Measured") -> str:
    if found.value is None or found.interval is None:
        return "undefined"
    return f"{found.value:+.3f} [{found.interval.low:+.3f}, {found.interval.high:+.3f}]"
