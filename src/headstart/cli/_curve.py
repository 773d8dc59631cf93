"""The command about how many labels are needed: curve."""

import json
from pathlib import Path
from typing import Any

import click

from headstart.cli._options import (
    Duration,
    Sizes,
    engine_of,
    json_option,
    metric_option,
    progress_bar,
    reading,
    reading_options,
    run_options,
    split_options,
    transcripts_option,
)


@click.command()
@click.argument("data")
@click.option(
    "-o",
    "--output",
    default="curve.png",
    show_default=True,
    metavar="FILE.png|svg",
    help="The picture to make.",
)
@click.option("--overwrite", is_flag=True, help="Replace FILE if it exists.")
@click.option("--test", metavar="DATA", help="A separate test part, on which every point is scored.")
@click.option(
    "--backbone", metavar="NAME", help="The pretrained network: timm:NAME, hf:ORG/MODEL, dir:FOLDER, starter:NAME."
)
@click.option("--seeds", type=click.IntRange(min=2), default=3, show_default=True, help="Draws of the labels.")
@click.option(
    "--sizes",
    type=Sizes(),
    help="The numbers of labels to try, such as 40,120,300, of few speakers in equal shares [default: about six up to "
    "the most].",
)
@click.option("--most", type=click.IntRange(min=1), help="The largest number of labels to try [default: all].")
@metric_option
@click.option("--budget", type=Duration(), help="Time until the curve must be there, such as 20m [default: 10m].")
@split_options
@reading_options
@transcripts_option
@run_options
@json_option
@click.pass_obj
def curve(started: float, /, data: str, *, output: str, as_json: bool, overwrite: bool, **options: Any) -> None:
    """Say how many labels are needed: transfer against scratch.

    Scores a probe, fine-tuning and the same network trained from scratch with more and more of the labels in DATA, says
    how many the head start saves and what the next 100 would bring, and draws the curves. Where the budget is too short
    for all of it, what is given up is said.
    """
    from headstart import pipeline
    from headstart.cli._curve_text import curve_text

    read, engine = reading(options), engine_of(options)
    with engine, progress_bar() as progress:
        result = pipeline.curve(
            data,
            Path(output),
            reading=read,
            options=pipeline.CurveOptions(**options),
            overwrite="file" if overwrite else "never",
            engine=engine,
            progress=progress,
            say=lambda text: click.echo(text, err=True),
            started=started,
        )
    click.echo(json.dumps(result.to_dict(), ensure_ascii=False, indent=1) if as_json else curve_text(result))
