"""Commands about data: check, cache."""

import json
import time
from typing import Any

import click

from headstart.cli._options import json_option, progress_bar, reading, reading_options, transcripts_option


@click.command()
@click.argument("data")
@click.option("--test", metavar="DATA", help="A separate test part, checked together with DATA.")
@click.option(
    "--target",
    metavar="DATA",
    help="What a model of DATA is to be used on: say how far that lies from DATA instead, on the features of "
    "--backbone. No label of it is read.",
)
@click.option("--backbone", metavar="NAME", help="With --target, the network [default: the one that comes with this].")
@reading_options
@transcripts_option
@json_option
def check(data: str, *, as_json: bool, target: str | None, backbone: str | None, **options: Any) -> None:
    """Say what is in DATA, what is wrong with it and what to fix.

    Exit status 1 where something must be fixed before `headstart fit`.
    """
    from headstart.cli._render import inspection_text
    from headstart.data import inspect

    if backbone is not None and target is None:
        raise click.UsageError("--backbone goes with --target")
    if target is not None:
        click.echo(_compared(data, target, backbone, options, as_json=as_json))
        return

    options.pop("on_error")  # check reports every fault and never stops at one
    found = inspect(data, **options)
    click.echo(json.dumps(found.to_dict(), ensure_ascii=False, indent=1) if as_json else inspection_text(found, data))
    if any(finding.severity == "error" for finding in found.findings):
        raise click.exceptions.Exit(1)


def _compared(data: str, target: str, backbone: str | None, options: dict[str, Any], *, as_json: bool) -> str:
    """Say how far a target lies from the data."""
    from headstart import pipeline
    from headstart.cli._adapt_text import compared_text

    with progress_bar() as progress:
        found = pipeline.compare(data, target, reading=reading(options), backbone=backbone, progress=progress)
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
