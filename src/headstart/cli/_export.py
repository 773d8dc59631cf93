"""The command that hands a model to other tools: export."""

import json
from functools import partial
from typing import TYPE_CHECKING, Any, Literal

import click

from headstart.cli._options import json_option
from headstart.cli._trust import wanted, wanted_options

if TYPE_CHECKING:
    from headstart.export import Exported


@click.command()
@click.argument("model")
@click.option("-o", "--output", required=True, metavar="FOLDER", help="The folder to make.")
@click.option(
    "--format",
    "format",
    required=True,
    type=click.Choice(["onnx", "transformers", "timm", "peft"]),
    help="onnx: any model, for machines without Headstart and torch; transformers: a text model for "
    "AutoModelForSequenceClassification or AutoModelForTokenClassification; timm: an image model for "
    "timm.create_model; peft: what LoRA changed, as adapters beside the pretrained network.",
)
@click.option(
    "--check",
    metavar="DATA",
    help="Compare answers on these items too, not only on made-up ones: of the data MODEL was made from, on the whole "
    "test part. No label is read, but with --int8.",
)
@click.option(
    "--int8", is_flag=True, help="Weights of 8 bits; what that costs is measured on the labelled --check DATA (onnx)."
)
@wanted_options
@click.option("--text", metavar="COLUMN", help="With --check, the column of the texts [default: text].")
@click.option("--overwrite", is_flag=True, help="Replace FOLDER if it is an export.")
@click.option("--backbone", metavar="NAME", help="Where the backbone of a slim MODEL lies, if not where it was.")
@click.option("--offline", is_flag=True, help="Open no network connection.")
@json_option
def export(model: str, *, output: str, overwrite: bool, as_json: bool, **options: Any) -> None:
    """Write MODEL in a format that other tools read, with a model card.

    The folder is loaded again with the tool it is for and must give the same answers; where it does not, or where the
    format cannot hold the model, nothing is written and the reason is said.
    """
    from headstart import pipeline

    asked, say = wanted(options), partial(click.echo, err=True)
    replace: Literal["never", "export"] = "export" if overwrite else "never"
    found = pipeline.export(model, output, wanted=asked, overwrite=replace, say=say, **options)
    click.echo(json.dumps(found.to_dict(), ensure_ascii=False, indent=1) if as_json else export_text(found))


def export_text(found: "Exported") -> str:
    """Say what was written, how it was checked, what it cannot keep, and how to load it."""
    from headstart import pipeline

    parity, size = found.parity, sum(found.files.values()) / 1e6
    lines = [
        f"{found.folder}: {len(found.files)} files, {size:.1f} MB, {found.format}.",
        f"Loaded again and compared on {parity.n} inputs: the largest difference is {parity.difference:.1e}, and "
        f"{parity.same} of {parity.n} have the same answer.",
    ]
    if parity.beyond:
        most = f"{parity.beyond_difference:.2g}"
        lines.append(f"On {parity.beyond} more, beyond what this format keeps, it differs by up to {most}.")
    if cost := found.facts.get("int8_cost"):
        lines.append(pipeline.cost_said(cost))
    lines += [f"Note: {limit}" for limit in found.limits]
    if found.licence is None:
        lines.append("The licence of the pretrained weights is not known; the card says so.")
    return "\n".join([*lines, f"Load it with: {found.call}"])
