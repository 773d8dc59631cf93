"""What may be asked of a classifier's answers besides the label."""

import math
from typing import TYPE_CHECKING, Any

import click

from headstart.cli._options import Command

if TYPE_CHECKING:
    from headstart.pipeline import Wanted

NAMES = ("coverage", "per_class", "max_error", "specificity", "positive")


class Rate(click.ParamType[float]):
    """A share above 0 and below 1, such as ``0.05`` or ``5%``."""

    name = "SHARE"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Turn the text into a number."""
        text = str(value).strip()
        try:
            share = float(text.removesuffix("%")) / (100 if text.endswith("%") else 1)
        except ValueError:
            share = math.nan
        if not 0 < share < 1:
            self.fail(f"expected a share such as 0.05 or 5%, found {value!r}", param, ctx)
        return share


def wanted_options(command: Command) -> Command:
    """Add what the answers of a classifier are to promise."""
    for option in (
        click.option(
            "--positive",
            metavar="CLASS",
            help="Of two classes, the one that is looked for [default: the last by name].",
        ),
        click.option(
            "--specificity",
            type=Rate(),
            help="Of two classes, the least share of the other one that is not taken for the one looked for, such as "
            "95%; the threshold is fixed on held-out training examples.",
        ),
        click.option(
            "--max-error",
            type=Rate(),
            help="Abstain where needed, so that at most this share of answers is wrong (with probability 0.9, on items "
            "like the training part), such as 5%.",
        ),
        click.option(
            "--per-class", is_flag=True, help="Sets of classes keep their coverage for every class, not on average."
        ),
        click.option(
            "--coverage",
            type=Rate(),
            default=0.9,
            show_default=True,
            help="The share of sets of classes that are to hold the right one.",
        ),
    ):
        command = option(command)
    return command


def wanted_of(options: dict[str, Any]) -> dict[str, Any]:
    """Take what is wanted of answers out of the options of a command; what is not asked for is left out."""
    taken = {name: options.pop(name) for name in NAMES}
    return {name: value for name, value in taken.items() if value is not None}


def wanted(options: dict[str, Any], default: "Wanted | None" = None) -> "Wanted":
    """Put what is wanted of answers into one value.

    Args:
        options: Of a command; those names are taken out.
        default: What counts where nothing is asked for.

    Returns:
        What is wanted.
    """
    from dataclasses import replace

    from headstart.pipeline import Wanted

    return replace(default or Wanted(), **wanted_of(options))
