"""The command for a target without labels: adapt."""

import json
from typing import Any

import click

from headstart.cli._options import (
    backbone_option,
    engine_of,
    json_option,
    progress_bar,
    reading,
    reading_options,
    run_options,
)


@click.command()
@click.argument("source")
@click.option("--target", metavar="DATA", help="What the model is for: files, a folder or a table. No label is read.")
@click.option("--source-domain", metavar="NAME", help="Of SOURCE with a column domain, the labelled domain.")
@click.option("--target-domain", metavar="NAME", help="Of the same, the domain to adapt to; its labels are not used.")
@click.option("-o", "--output", required=True, metavar="MODEL", help="The model folder to make.")
@click.option(
    "--method",
    "methods",
    multiple=True,
    default=("auto",),
    show_default=True,
    metavar="NAME",
    help="auto chooses without labels of the target, or refuses to adapt and says why. One by name alone is applied: "
    "on frozen features none, standardise, coral, linear_transport, subspace, entropic_transport, "
    "importance_weighting, label_shift or prototypes; training the last blocks finetune, deep_coral, mmd, dann, cdan, "
    "mcc, shot, adabn or tent. May be repeated: beside auto, those named are chosen among too.",
)
@click.option(
    "--ask",
    type=click.IntRange(min=0),
    default=0,
    metavar="N",
    help="Write the N examples of the target whose labels would tell the most to MODEL.ask.csv.",
)
@click.option("--labelled", metavar="FILE", help="That file with labels filled in: they check the choice.")
@backbone_option
@click.option("--slim", is_flag=True, help="Leave the backbone's weights out of MODEL, and name them instead.")
@click.option("--overwrite", is_flag=True, help="Replace MODEL if it is a model folder.")
@reading_options
@run_options
@json_option
@click.pass_obj
def adapt(
    started: float,
    /,
    source: str,
    *,
    target: str | None,
    output: str,
    as_json: bool,
    overwrite: bool,
    slim: bool,
    **options: Any,
) -> None:
    """Make a model for a target without labels from the labelled SOURCE.

    The head of the source is adapted to the target on frozen features, in seconds, in the way whose answers follow the
    target's own structure best; or it is left as it is, and the reason is said. The model is a model folder like any
    other, with a page that shows both domains before and after: MODEL/report.html.
    """
    from headstart import pipeline
    from headstart.cli._adapt_text import adapt_text

    read, engine = reading(options), engine_of(options)
    chosen = pipeline.AdaptOptions(
        **{**options, "backbones": tuple(options["backbones"]), "methods": tuple(options["methods"])},
        contents="slim" if slim else "whole",
    )
    with engine, progress_bar() as progress:
        result = pipeline.adapt(
            source,
            target,
            output,
            reading=read,
            options=chosen,
            overwrite="model" if overwrite else "never",
            engine=engine,
            progress=progress,
            say=lambda text: click.echo(text, err=True),
            started=started,
        )
    click.echo(json.dumps(result.to_dict(), ensure_ascii=False, indent=1) if as_json else adapt_text(result))
