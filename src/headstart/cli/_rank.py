"""The command that says which pretrained networks suit the data: rank."""

import json
import re
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource

from headstart.cli._options import (
    backbone_option,
    engine_of,
    json_option,
    progress_bar,
    reading,
    reading_options,
    run_options,
    split_options,
    transcripts_option,
)

MEGABYTES = {"KB": 2**-10, "MB": 1.0, "GB": 2.0**10, "": 1.0}


# What a fit must be told too, else it splits or reads the data in another way than the ranking did.
SHARED = {
    *("test", "task", "label", "text", "group", "on_error"),
    *("seed", "offline", "device", "resplit", "allow_straddling"),
}


class Size(click.ParamType[float]):
    """A size such as ``100MB`` or ``1.5GB``; a bare number is megabytes."""

    name = "SIZE"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Turn the text into megabytes."""
        match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*(KB|MB|GB|)", str(value).strip().upper())
        if match is None:
            self.fail(f"expected a size such as 100MB or 1.5GB, found {value!r}", param, ctx)
        return float(match[1]) * MEGABYTES[match[2]]


class Latency(click.ParamType[float]):
    """A time per item such as ``20ms`` or ``0.5s``; a bare number is milliseconds."""

    name = "TIME"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Turn the text into milliseconds."""
        match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*(ms|s|)", str(value).strip().lower())
        if match is None:
            self.fail(f"expected a time such as 20ms or 0.5s, found {value!r}", param, ctx)
        return float(match[1]) * (1000.0 if match[2] == "s" else 1.0)


@click.command()
@click.argument("data")
@click.option(
    "-o", "--output", default="rank.png", show_default=True, metavar="FILE.png|svg", help="The picture to make."
)
@click.option("--overwrite", is_flag=True, help="Replace FILE if it exists.")
@click.option("--test", metavar="DATA", help="A separate test part, which is not looked at.")
@backbone_option
@click.option("--download", is_flag=True, help="Also rank the networks of the catalogue that must be fetched first.")
@click.option("--max-size", type=Size(), help="Leave out networks with more weights than this, such as 100MB.")
@click.option(
    "--max-latency", type=Latency(), help="Leave out networks that take longer for one item here, such as 20ms."
)
@click.option(
    "--license",
    "licences",
    multiple=True,
    metavar="NAME",
    help="Only networks whose weights are under this licence, such as apache-2.0. May be repeated.",
)
@split_options
@reading_options
@transcripts_option
@run_options
@json_option
@click.pass_obj
def rank(started: float, /, data: str, *, output: str, as_json: bool, overwrite: bool, **options: Any) -> None:
    """Say which pretrained networks suit the labelled DATA.

    Runs every candidate over the training part once, scores its features in several ways, and puts what is published of
    it beside them: an order, how sure it is, and what each candidate costs. Without --backbone, the candidates are the
    networks of the catalogue that are on this machine. A later fit reuses what was computed.
    """
    from headstart import pipeline
    from headstart.cli._rank_text import rank_text

    read, engine = reading(options), engine_of(options)
    names: dict[str, Any] = {name: tuple(options.pop(name)) for name in ("backbones", "licences")}
    with engine, progress_bar() as progress:
        result = pipeline.rank(
            data,
            Path(output),
            reading=read,
            options=pipeline.RankOptions(**options, **names),
            overwrite="file" if overwrite else "never",
            engine=engine,
            progress=progress,
            say=lambda text: click.echo(text, err=True),
            started=started,
        )
    if as_json:
        click.echo(json.dumps(result.to_dict(), ensure_ascii=False, indent=1))
    else:
        click.echo(rank_text(result, options=_typed(click.get_current_context())))
    if not result.shortlist:
        click.echo("Error: no candidate could be looked at; the lines above say why.", err=True)
        click.get_current_context().exit(1)


def _typed(context: click.Context) -> list[str]:
    """Return the shared options as they were typed."""
    words: list[str] = []
    for option in context.command.params:
        name, value = str(option.name), context.params.get(str(option.name))
        if name in SHARED and context.get_parameter_source(name) is ParameterSource.COMMANDLINE:
            words += [option.opts[0]] if value is True else [option.opts[0], str(value)]
    return words
