"""The command that writes the report of a model again: report."""

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from headstart.cli._options import json_option

if TYPE_CHECKING:
    from headstart.pipeline import ReportResult


@click.command()
@click.argument("model", type=click.Path(path_type=Path))
@click.option(
    "-o", "--output", type=click.Path(path_type=Path), metavar="FILE.html", help="[default: MODEL/report.html]"
)
@click.option(
    "--curve",
    type=click.Path(path_type=Path),
    metavar="CURVE.json",
    help="Show this learning curve too, made with headstart curve DATA --json > CURVE.json; MODEL keeps it.",
)
@click.option(
    "--no-examples",
    is_flag=True,
    help="Show, quote and name no example, and take out of MODEL all that does, so that it can be handed over. That "
    "cannot be undone.",
)
@json_option
def report(model: Path, output: Path | None, *, curve: Path | None, no_examples: bool, as_json: bool) -> None:
    """Write report.html of MODEL again, from MODEL alone: one page that opens nothing else.

    `headstart fit` and `headstart adapt` write it too. It says what was asked and found, how good the model is against
    what, where it is wrong, what it cost, and how to make it again.
    """
    from headstart import pipeline

    found = pipeline.write_report(model, output, curve=curve, examples="none" if no_examples else "shown")
    click.echo(json.dumps(found.to_dict(), indent=1) if as_json else report_text(found, no_examples=no_examples))


def report_text(found: "ReportResult", *, no_examples: bool) -> str:
    """Say where the report is and what it shows.

    Args:
        found: What was written.
        no_examples: Whether no example was to be shown.

    Returns:
        Lines of text.
    """
    lines = [f"{found.path}: {found.path.stat().st_size / 1e6:.2f} MB, {found.shown} examples shown."]
    if no_examples:
        lines.append("The model folder shows, quotes and names no example.")
        lines += [f"Removed: {', '.join(found.removed)}."] * bool(found.removed)
    elif found.named:
        lines.append("The model folder names examples; --no-examples takes them out before it is handed over.")
    return "\n".join(lines)
