"""The command that shows the main job on the data that comes with Headstart: demo."""

import json
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from headstart.cli._fit import fit_and_watch
from headstart.cli._options import json_option

if TYPE_CHECKING:
    from headstart.data import Modality

# What each part is about, and what its items are.
PARTS: Final[Mapping[str, tuple[str, "Modality"]]] = {
    "text": ("messages to a town's service desk, six topics, 40 labelled messages each", "text"),
    "images": ("handwritten digits, 20 labelled pictures of each, scored on other people's digits", "image"),
    "sound": ("eight command words spoken by a program, 12 labelled clips each, scored on other voices", "audio"),
}
ALL: Final = "all"


@click.command()
@click.argument("part", type=click.Choice([*PARTS, ALL]), default=ALL, metavar="[text|images|sound|all]")
@click.option(
    "-o",
    "--output",
    metavar="FOLDER",
    default="headstart-demo",
    show_default=True,
    help="The folder to make: one model folder per part inside, and the digits as pictures.",
)
@click.option("--overwrite", is_flag=True, help="Replace the models of an earlier demo.")
@json_option
@click.pass_obj
def demo(started: float, /, part: str, *, output: str, overwrite: bool, as_json: bool) -> None:
    """Run the main job on small data sets that come with Headstart; needs no network.

    Messages to a town's service desk are sorted by topic, handwritten digits and spoken words by what they say: text,
    images and sound in turn, or the one that is named. Each is one `headstart fit`, which is printed.
    """
    from headstart.cli._render import fit_text
    from headstart.pipeline import FitOptions, Reading

    results: dict[str, Any] = {}
    for name, data, model in _prepared(list(_chosen(part)), Path(output), overwrite=overwrite):
        click.echo(f"\n{name.capitalize()}: {PARTS[name][0]}.\nheadstart fit {data} -o {model} --offline\n", err=True)
        result = fit_and_watch(
            str(data),
            str(model),
            reading=Reading(),
            options=FitOptions(offline=True),
            overwrite=overwrite,
            started=time.monotonic() if results else started,
        )
        results[name] = result.to_dict()
        if not as_json:
            click.echo(fit_text(result))
    if as_json:
        click.echo(json.dumps(results, ensure_ascii=False, indent=1))


def _chosen(part: str) -> Iterator[str]:
    """Yield the parts to run; of all, those are left out for which no network is on this machine."""
    from headstart import backbones

    if part != ALL:
        yield part
        return
    for name, (_, modality) in PARTS.items():
        if backbones.candidates(modality, offline=True):
            yield name
        else:
            install = 'For it, type: pip install "headstart[starter]"'
            fix = install if name == "text" else "One comes with Headstart: reinstall it."
            click.echo(f"{name.capitalize()} is left out: no {modality} network is installed. {fix}", err=True)


def _prepared(parts: list[str], folder: Path, *, overwrite: bool) -> list[tuple[str, Path, Path]]:
    """Return name, data and model folder of every part; a model that may not be replaced stops all, before any runs."""
    from headstart.errors import OptionError
    from headstart.partial import MANIFEST, PartialFolder

    if (folder / MANIFEST).exists():
        problem = "it is a model folder, and the demo makes a folder with a model for each part"
        raise OptionError(problem, where=str(folder), fix="Choose another -o.")
    for name in parts:
        PartialFolder(folder / name, overwrite="model" if overwrite else "never")
    return [(name, _data(name, folder), folder / name) for name in parts]


def _data(name: str, folder: Path) -> Path:
    """Find the data of a part; the digits are written."""
    from headstart import examples
    from headstart.errors import DataError, writing

    if name == "text":
        return examples.messages()
    if name == "sound":
        return examples.words()
    with writing("a picture", folder, raises=DataError, fix="Choose another -o."):
        return examples.digits(folder / "digits")
