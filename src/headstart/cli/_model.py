"""Commands about a finished model and about pretrained ones: evaluate, predict, models."""

import json
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from headstart.cli._entities import span_rows
from headstart.cli._options import (
    engine_of,
    json_option,
    metric_option,
    progress_bar,
    reading,
    reading_options,
    run_options,
    slice_option,
)
from headstart.cli._robustness_text import draw_robustness, robustness_options, take_robustness
from headstart.cli._transcripts import transcript_row
from headstart.cli._trust import wanted, wanted_options

if TYPE_CHECKING:
    from headstart.backbones import Candidate, Packed


@click.command()
@click.argument("model")
@click.argument("data")
@metric_option
@wanted_options
@slice_option
@robustness_options
@click.option("--backbone", metavar="NAME", help="Where the backbone of a slim MODEL lies, if not where it was.")
@reading_options
@run_options
@json_option
def evaluate(model: str, data: str, *, as_json: bool, plot: Path | None, **options: Any) -> None:
    """Score MODEL on labelled DATA: on its test part where it has one, else on all of it.

    With --robustness also on corrupted items: pictures blurred, noisy, brighter or darker, of less contrast,
    compressed, cropped or shifted; texts with typing errors, in capitals or without punctuation; recordings in noise,
    in a room, through a wall or on the telephone; each at three severities.
    """
    from headstart import pipeline
    from headstart.cli._render import evaluate_text

    read, asked, engine = reading(options), wanted(options, pipeline.MEASURED), engine_of(options)
    options["robustness"] = take_robustness(options, plot)
    with engine, progress_bar() as progress:
        say = partial(click.echo, err=True)
        found = pipeline.evaluate(
            model, data, reading=read, wanted=asked, engine=engine, progress=progress, say=say, **options
        )
    if plot is not None and found.robustness is not None:
        draw_robustness(found.robustness, plot, model=model, data=data)
    click.echo(json.dumps(found.to_dict(), ensure_ascii=False, indent=1) if as_json else evaluate_text(found, model))


@click.command()
@click.argument("model")
@click.argument("inputs", nargs=-1, required=True, metavar="INPUT...")
@click.option(
    "-o", "--output", type=click.Path(path_type=Path), metavar="FILE.csv|parquet", help="Write a table instead."
)
@click.option("--overwrite", is_flag=True, help="Replace FILE if it exists.")
@click.option("--text", metavar="COLUMN", help="Column of the texts in a manifest [default: text].")
@wanted_options
@click.option("--backbone", metavar="NAME", help="Where the backbone of a slim MODEL lies, if not where it was.")
@click.option("--device", default="auto", show_default=True, help="auto, cpu, cuda or mps.")
@click.option("--offline", is_flag=True, help="Open no network connection.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document a line, one for each item.")
def predict(
    model: str, inputs: tuple[str, ...], *, output: Path | None, overwrite: bool, as_json: bool, **options: Any
) -> None:
    """Predict new items: files, folders, a manifest, or - for lines on standard input.

    A model of entities takes a .txt file as one document, and lines of - as one each; its table has a row per entity,
    and one with only the input's name where there is none. A model of speech answers with a transcript, and with
    --json or -o also with its words: start and end in seconds, the word, its probability. An input that cannot be read
    becomes an error row in its place, and the exit status is 1 at the end. A classifier says, with --json or -o, also
    which classes its answer may be (set), how unlike the training data the item is (novelty, 0 to 1) and, with
    --max-error, where it would rather not answer (abstain).
    """
    from headstart import pipeline
    from headstart.cli._render import prediction_line
    from headstart.data import check_table_name, write_table

    asked = wanted(options)
    if output:
        check_table_name(output, overwrite="file" if overwrite else "never")
    failed = 0

    def counted() -> Iterator[dict[str, Any]]:
        nonlocal failed
        for row in pipeline.predict(model, inputs, wanted=asked, say=partial(click.echo, err=True), **options):
            failed += "error" in row
            yield row

    if output:
        written = write_table(output, (flat for row in counted() for flat in _flat(row)))
        click.echo(f"{output}: {written} rows, {failed} of them errors.")
    else:
        for row in counted():
            click.echo(json.dumps(row, ensure_ascii=False) if as_json else prediction_line(row))
    if failed:
        raise click.exceptions.Exit(1)


def _flat(row: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Give every class a column of its own, join labels as data writes them, and give every entity a row."""
    from headstart.tasks import join_labels

    if "spans" in row:
        yield from span_rows(row)
        return
    if "transcript" in row:
        yield transcript_row(row)
        return
    flat = {name: value for name, value in row.items() if name != "probabilities"}
    if "set" in row:
        flat["set"] = join_labels(row["set"])
    if "labels" in row:
        flat["labels"] = join_labels(row["labels"])
    probabilities = row.get("probabilities", {})
    yield flat | {"error": row.get("error")} | {f"probability:{name}": p for name, p in probabilities.items()}


@click.group()
def models() -> None:
    """Pretrained networks: what is known to be good, and where it lies."""


@models.command("list")
@click.option("--modality", type=click.Choice(["image", "text", "audio"]), help="Only these.")
@json_option
def models_list(*, modality: str | None, as_json: bool) -> None:
    """List the catalogue; --backbone takes any other timm or transformers model too."""
    from headstart.backbones import catalogue

    known = [candidate for candidate in catalogue() if modality in (None, candidate.modality)]
    if as_json:
        click.echo(json.dumps([vars(candidate) for candidate in known], indent=1))
    else:
        click.echo(_catalogue_text(known))


def _catalogue_text(known: "Sequence[Candidate]") -> str:
    """List candidates in columns."""
    width = max(len(candidate.name) for candidate in known)
    lines = [f"{'name':<{width}}  {'for':<5}  {'MB':>6}  {'licence':<14}  pretrained on"]
    for c in known:
        size = "" if c.megabytes is None else f"{c.megabytes:.0f}"
        licence, data = c.licence or "not stated", c.pretraining or "not stated"
        lines.append(f"{c.name:<{width}}  {c.modality:<5}  {size:>6}  {licence:<14}  {data}")
    ways = ["Use one with: headstart fit DATA -o MODEL --backbone NAME"]
    if any(c.name.startswith("starter:") for c in known):
        ways.append("What there is to know of a starter: headstart models path NAME --card")
    return "\n".join([*lines, "", *ways])


@models.command("path")
@click.argument("name")
@click.option("--card", is_flag=True, help="Print where the card of a starter lies: origin, quality, limits.")
@click.option("--offline", is_flag=True, help="Open no network connection.")
def models_path(name: str, *, card: bool, offline: bool) -> None:
    """Print the folder in which the weights of backbone NAME lie, fetching them if need be."""
    from headstart.backbones import card_of, locate

    click.echo(card_of(name) if card else locate(name, offline=offline))


@models.command("pack")
@click.argument("names", nargs=-1, required=True, metavar="NAME...")
@click.option(
    "-o", "--output", required=True, type=click.Path(path_type=Path), metavar="FILE", help="The file to make."
)
@click.option("--offline", is_flag=True, help="Open no network connection.")
def models_pack(names: tuple[str, ...], *, output: Path, offline: bool) -> None:
    """Pack hub backbones (hf: or timm:) into one FILE for a machine without a network.

    FILE is a zip archive with the files of every NAME, their hashes and their licences. The same networks give the
    same bytes.
    """
    from headstart.backbones import locate, write_pack

    packed = write_pack({name: locate(name, offline=offline) for name in names}, output)
    for network in packed:
        click.echo(_packed_line(network))
    click.echo(f"On the other machine: headstart models add {output.name}")


@models.command("add")
@click.argument("file", type=click.Path(path_type=Path), metavar="FILE")
@click.option(
    "--max-gb", type=click.FloatRange(min=0), default=20.0, show_default=True, help="What FILE may unpack to."
)
@click.option(
    "--max-files", type=click.IntRange(min=1), default=10_000, show_default=True, help="How many files it may hold."
)
def models_add(file: Path, *, max_gb: float, max_files: int) -> None:
    """Take a packed FILE into this machine's cache; its backbones are then found by their names, also --offline.

    Every file is checked against its hash; nothing is written where one is wrong, outside its folder, or too large.
    """
    from headstart.backbones import Limits, add_pack

    for network in add_pack(file, limits=Limits(max_gb, max_files)):
        click.echo(f"Added {_packed_line(network)}. Use it with: --backbone {network.name}")


def _packed_line(network: "Packed") -> str:
    licence = network.licence or "not stated"
    return f"{network.name}: {len(network.sizes)} files, {network.megabytes:.1f} MB, licence {licence}"
