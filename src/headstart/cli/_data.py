"""Commands about data: check, cache."""

import json
import shlex
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from headstart.cli._options import (
    engine_of,
    json_option,
    progress_bar,
    reading,
    reading_options,
    run_options,
    transcripts_option,
)

if TYPE_CHECKING:
    from headstart.data import Inspection
    from headstart.engine import Engine


@click.command()
@click.argument("data")
@click.option("--test", metavar="DATA", help="A separate test part, checked together with DATA.")
@click.option(
    "--target",
    metavar="DATA",
    help="What a model of DATA is to be used on: say how far that lies from DATA instead, on the features of "
    "--backbone. No label of it is read.",
)
@click.option(
    "--deep",
    is_flag=True,
    help="Also compute features with --backbone, and look for near-duplicates, labels that are probably wrong, items "
    "like no other, classes told by metadata alone, and how much a random split flatters where there are groups.",
)
@click.option(
    "--backbone", metavar="NAME", help="With --target or --deep, the network [default: the one that comes with this]."
)
@click.option(
    "-o", "--output", metavar="PAGE", help="With --deep, an HTML page of the pairs and items that were found."
)
@click.option(
    "--examples/--no-examples",
    default=None,
    help="With -o, whether the page shows and names items [default: it does, but not of DICOM files].",
)
@click.option(
    "--labels",
    metavar="FILE.csv",
    help="With --deep, a table of the suspicious items, by name: change its column corrected (empty leaves the item "
    "out), and give it to headstart fit --labels-from.",
)
@reading_options
@transcripts_option
@run_options
@json_option
def check(
    data: str,
    *,
    as_json: bool,
    target: str | None,
    deep: bool,
    backbone: str | None,
    output: str | None,
    examples: bool | None,
    labels: str | None,
    **options: Any,
) -> None:
    """Say what is in DATA, what is wrong with it and what to fix.

    Exit status 1 where something must be fixed before `headstart fit`.
    """
    from headstart.cli._render import inspection_text
    from headstart.data import inspect

    if backbone is not None and target is None and not deep:
        raise click.UsageError("--backbone goes with --target or --deep")
    if (output or labels) and not deep:
        raise click.UsageError("-o and --labels go with --deep")
    if examples is not None and output is None:
        raise click.UsageError("--examples and --no-examples go with -o")
    if deep and target is not None:
        raise click.UsageError("--target and --deep look at different things: give one of them")
    network = {name: options.pop(name) for name in ("seed", "offline", "device")} | {"backbone": backbone}
    engine = engine_of(options)
    if target is not None:
        click.echo(_compared(data, target, network, options, engine=engine, as_json=as_json))
        return
    if deep:
        options["examples"] = {None: "auto", True: "shown", False: "none"}[examples]
        found, text = _audited(data, output, labels, network, options, engine=engine, as_json=as_json)
    else:
        options.pop("on_error")  # check reports every fault and never stops at one
        found = inspect(data, **options)
        asked = asked_again(options)
        plain = inspection_text(found, data, asked=asked)
        text = json.dumps(found.to_dict(), ensure_ascii=False, indent=1) if as_json else plain
    click.echo(text)
    if any(finding.severity == "error" for finding in found.findings):
        raise click.exceptions.Exit(1)


def asked_again(options: dict[str, Any]) -> str:
    """Return the options that say how the data is read, to be typed again with the next command."""
    named = {name: options.get(name) for name in ("task", "label", "text", "group", "test")}
    return "".join(f" --{name} {shlex.quote(str(value))}" for name, value in named.items() if value is not None)


def _audited(
    data: str,
    output: str | None,
    labels: str | None,
    network: dict[str, Any],
    options: dict[str, Any],
    *,
    engine: "Engine",
    as_json: bool,
) -> "tuple[Inspection, str]":
    """Look at features too, and write what was asked for."""
    from headstart import pipeline
    from headstart.cli._audit_text import audit_text

    examples = options.pop("examples")
    page = None if output is None else pipeline.check_page(Path(output))
    table = None if labels is None else pipeline.check_labels_table(Path(labels))
    asked = asked_again(options)
    with engine, progress_bar() as progress:
        found = pipeline.audit(data, reading=reading(options), engine=engine, progress=progress, **network)
    if page is not None:
        pipeline.write_audit_page(found, page, examples=examples)
    if table is not None and found.dataset is not None:
        pipeline.write_suspects(table, found.dataset, found.suspects)
    text = (
        json.dumps(found.to_dict(), ensure_ascii=False, indent=1) if as_json else audit_text(found, data, asked=asked)
    )
    return found.inspection, text


def _compared(
    data: str, target: str, network: dict[str, Any], options: dict[str, Any], *, engine: "Engine", as_json: bool
) -> str:
    """Say how far a target lies from the data."""
    from headstart import pipeline
    from headstart.cli._adapt_text import compared_text

    with engine, progress_bar() as progress:
        found = pipeline.compare(data, target, reading=reading(options), engine=engine, progress=progress, **network)
    return json.dumps(found.to_dict(), ensure_ascii=False, indent=1) if as_json else compared_text(found, data, target)


@click.group()
def cache() -> None:
    """The store of activations: what is computed once and used again."""


@cache.command("list")
@json_option
def cache_list(*, as_json: bool) -> None:
    """List what is stored, by backbone."""
    from headstart.features import Store

    shelves = Store().shelves()
    if as_json:
        click.echo(json.dumps([vars(shelf) for shelf in shelves], indent=1))
        return
    for shelf in shelves:
        day = time.strftime("%Y-%m-%d %H:%M", time.localtime(shelf.last_used))
        click.echo(f"{shelf.backbone}  {shelf.cut}  {shelf.rows:,} rows  {shelf.megabytes:,.1f} MB  used {day}")
    if not shelves:
        click.echo("The store is empty.")


@cache.command("path")
def cache_path() -> None:
    """Print the folder of the store (HEADSTART_CACHE names another)."""
    from headstart.engine import cache_folder

    click.echo(cache_folder())


@cache.command("clear")
@click.option("--damaged", is_flag=True, help="Remove only what does not match its checksum.")
@click.option("--data", metavar="DATA", help="Remove only what was computed from the items of DATA.")
@reading_options
@transcripts_option
def cache_clear(*, damaged: bool, data: str | None, **options: Any) -> None:
    """Remove what is stored; it is computed again when needed.

    The options after --data say how DATA is read, where that is not plain; items of it that cannot be read are passed
    over.
    """
    from headstart.features import Store

    if data is not None:
        click.echo(_forgotten(data, options))
        return
    if damaged:
        removed = Store().clear_damaged()
        click.echo(f"Removed {len(removed)} damaged shard(s).")
        return
    click.echo(f"Freed {Store().clear() / 1e6:,.1f} MB.")


def _forgotten(data: str, options: dict[str, Any]) -> str:
    """Remove what is stored of a data set, and say what."""
    from headstart import pipeline

    found = pipeline.forget(data, reading=reading(options), say=lambda text: click.echo(text, err=True))
    also = f", and {found.others:,} rows of other data in the same files" if found.others else ""
    return f"Removed {found.rows:,} rows of {found.items:,} items{also}."
