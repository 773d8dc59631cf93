"""The command that makes a model: fit."""

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from headstart.cli._options import (
    Duration,
    backbone_option,
    engine_of,
    json_option,
    metric_option,
    progress_bar,
    reading,
    reading_options,
    run_options,
    slice_option,
    split_options,
    strategy_options,
    transcripts_option,
)

if TYPE_CHECKING:
    from headstart.engine import Engine
    from headstart.pipeline import FitOptions, FitResult, Reading


@click.command()
@click.argument("data")
@click.option("-o", "--output", required=True, metavar="MODEL", help="The model folder to make.")
@click.option("--test", metavar="DATA", help="A separate test part, scored once at the end.")
@backbone_option
@strategy_options
@metric_option
@slice_option
@click.option("--budget", type=Duration(), help="Time until the model must be saved, such as 10m [default: 30m].")
@click.option(
    "--continue-from",
    metavar="MODEL",
    help="Fit again with more labels: backbone, strategy and test part stay those of this model, and DATA holds its "
    "items and new ones. Both models are scored on that test part.",
)
@click.option(
    "--source",
    metavar="DATA",
    help="Another labelled data set of the same kind, of another language or domain: its training part trains too, and "
    "is never scored. What it is worth is measured against training on DATA alone, and the better is kept.",
)
@click.option(
    "--target-domain",
    metavar="NAME",
    help="The same for DATA with a column domain: this domain is scored, and the others are the source.",
)
@click.option(
    "--labels-from",
    metavar="FILE.csv",
    help="Labels corrected in the table that headstart check --deep --labels wrote; an empty one leaves its item out.",
)
@split_options
@click.option("--slim", is_flag=True, help="Leave the backbone's weights out of MODEL, and name them instead.")
@click.option(
    "--no-examples",
    is_flag=True,
    help="Keep every name, picture, sound and text of an example out of MODEL; always so for DICOM files.",
)
@click.option("--overwrite", is_flag=True, help="Replace MODEL if it is a model folder.")
@reading_options
@transcripts_option
@run_options
@json_option
@click.pass_obj
def fit(
    started: float,
    /,
    data: str,
    *,
    output: str,
    as_json: bool,
    overwrite: bool,
    slim: bool,
    no_examples: bool,
    **options: Any,
) -> None:
    """Choose, adapt, measure and save a model for the labelled DATA.

    DATA is a folder with one folder per class, or a CSV, TSV, Parquet or JSONL file with the columns path or text, and
    label: a class, several labels with | between them, or with --task regression a number. Entities in texts come as
    CoNLL columns (.conll), or as JSONL with text and spans; speech as a file with the columns path and transcript. The
    same command resumes an interrupted run.
    """
    from headstart.cli._render import fit_text

    check_places(data, options["test"], options["source"], options["labels_from"], output=output, overwrite=overwrite)
    from headstart import pipeline

    read, engine = reading(options), engine_of(options)
    chosen = pipeline.FitOptions(
        **{**options, "backbones": tuple(options["backbones"])},
        contents="slim" if slim else "whole",
        examples="none" if no_examples else "auto",
    )
    with engine:
        result = fit_and_watch(
            data, output, reading=read, options=chosen, overwrite=overwrite, engine=engine, started=started
        )
    watched = sys.stdout.isatty() and sys.stderr.isatty()
    told = (
        json.dumps(result.to_dict(), ensure_ascii=False, indent=1) if as_json else fit_text(result, tried=not watched)
    )
    click.echo(told)


def check_places(*sources: str | None, output: str, overwrite: bool) -> None:
    """Refuse what is missing and an output that may not be replaced, before anything that takes seconds to load."""
    from headstart.data import check_source
    from headstart.partial import PartialFolder

    for source in sources:
        if source is not None:
            check_source(Path(source))
    PartialFolder(Path(output), overwrite="model" if overwrite else "never")


def fit_and_watch(
    data: str,
    output: str,
    *,
    reading: "Reading",
    options: "FitOptions",
    overwrite: bool,
    started: float,
    engine: "Engine | None" = None,
) -> "FitResult":
    """Fit, and show notes, rungs and progress on standard error.

    Args:
        data: The labelled data.
        output: The model folder to make.
        reading: How the data is read.
        options: What to try and how.
        overwrite: Whether an existing model folder is replaced.
        started: `time.monotonic` from which the budget counts.
        engine: Where frozen passes run.

    Returns:
        The model and every number about it.
    """
    from headstart import pipeline
    from headstart.cli._rungs import RungTable

    with progress_bar() as progress:
        return pipeline.fit(
            data,
            output,
            reading=reading,
            options=options,
            overwrite="model" if overwrite else "never",
            engine=engine,
            progress=progress,
            say=lambda text: click.echo(text, err=True),
            watch=RungTable(lambda line: click.echo(line, err=True)),
            started=started,
        )
