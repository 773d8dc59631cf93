"""The command that serves a model over HTTP."""

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from headstart.cli._options import Command, Duration
from headstart.cli._trust import wanted_of, wanted_options
from headstart.errors import OptionError

if TYPE_CHECKING:
    from headstart.serve import Served

BYTES = {"": 1, "b": 1, "kb": 10**3, "mb": 10**6, "gb": 10**9, "kib": 2**10, "mib": 2**20, "gib": 2**30}
NOTHING_ASKED = {"coverage": 0.9, "per_class": False}  # what the options of a command are where none is given
LIMITS = ("body", "items", "characters", "pixels", "audio_seconds", "queue", "seconds")


class Size(click.ParamType[int]):
    """A number of bytes such as ``500kB``, ``16MB`` or ``16MiB``."""

    name = "BYTES"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Turn the text into bytes."""
        match = re.fullmatch(r"(\d+(?:\.\d+)?) *([kmg]?i?b?)", str(value).strip().lower())
        if match is None or match[2] not in BYTES:
            self.fail(f"expected a size such as 500kB or 16MB, found {value!r}", param, ctx)
        return round(float(match[1]) * BYTES[match[2]])


def limit_options(command: Command) -> Command:
    """Add how much may be asked."""
    for option in (
        click.option(
            "--max-wait",
            "seconds",
            type=Duration(),
            default="30s",
            show_default=True,
            help="For a request to arrive, and again to be answered.",
        ),
        click.option(
            "--max-queue",
            "queue",
            type=click.IntRange(min=1),
            default=256,
            show_default=True,
            help="Items that may wait at once; more are refused with 503.",
        ),
        click.option(
            "--max-audio",
            "audio_seconds",
            type=Duration(),
            default="10m",
            show_default=True,
            help="Length of a recording.",
        ),
        click.option(
            "--max-pixels",
            "pixels",
            type=click.IntRange(min=1),
            default=50_000_000,
            show_default=True,
            help="Pixels of a picture, checked before it is decoded.",
        ),
        click.option(
            "--max-characters",
            "characters",
            type=click.IntRange(min=1),
            default=100_000,
            show_default=True,
            help="Characters of a text.",
        ),
        click.option(
            "--max-items",
            "items",
            type=click.IntRange(min=1),
            default=64,
            show_default=True,
            help="Items of a request.",
        ),
        click.option("--max-body", "body", type=Size(), default="16MiB", show_default=True, help="Bytes of a request."),
    ):
        command = option(command)
    return command


def access_options(command: Command) -> Command:
    """Add where the server listens, and who may ask."""
    for option in (
        click.option("--no-token", is_flag=True, help="Let anyone ask who can reach --host."),
        click.option(
            "--token-file",
            type=click.Path(path_type=Path),
            metavar="FILE",
            help="Holds the token that requests must carry ('Authorization: Bearer TOKEN'); so may the environment's "
            "HEADSTART_TOKEN.",
        ),
        click.option(
            "--allow-host",
            "names",
            multiple=True,
            metavar="NAME",
            help="A further name under which the server is addressed, such as that of a proxy. May be repeated.",
        ),
        click.option(
            "--port",
            type=click.IntRange(0, 65535),
            default=8000,
            show_default=True,
            help="Where to listen; 0 takes any that is free.",
        ),
        click.option(
            "--host",
            default="127.0.0.1",
            show_default=True,
            help="The address to listen at. Others than this machine's own need a token, or --no-token.",
        ),
    ):
        command = option(command)
    return command


@click.command()
@click.argument("model")
@access_options
@limit_options
@click.option(
    "--batch",
    type=click.IntRange(min=1),
    default=16,
    show_default=True,
    help="Items that the model answers at once, where so many wait.",
)
@click.option(
    "--stop-within",
    type=Duration(),
    default="30s",
    show_default=True,
    help="After SIGTERM or Ctrl-C, for what was accepted before it.",
)
@wanted_options
@click.option("--backbone", metavar="NAME", help="Where the backbone of a slim MODEL lies, if not where it was.")
@click.option("--device", default="auto", show_default=True, help="auto, cpu, cuda or mps.")
@click.option("--offline", is_flag=True, help="Open no network connection to find a backbone.")
def serve(
    model: str,
    *,
    host: str,
    port: int,
    names: tuple[str, ...],
    token_file: Path | None,
    no_token: bool,
    batch: int,
    stop_within: float,
    **options: Any,
) -> None:
    """Serve MODEL over HTTP, with a page to try it; MODEL may also be an ONNX export, which needs no torch.

    POST /predict takes JSON or files in a form, many at once, and answers as `headstart predict --json` does; /docs
    says how. An item that cannot be read becomes an error in its place. /health and /metrics are for what watches the
    server. The answers go to this machine only, unless --host says otherwise.
    """
    from headstart import serve as server

    limits = server.Limits(**{name: options.pop(name) for name in LIMITS})
    access = server.Access.at(host, token=server.read_token(token_file), open_to_all=no_token, names=names)
    asked = wanted_of(options)

    def ready(served: "Served", url: str) -> None:
        click.echo(f"Serving {served.name} ({served.modality} {served.kind}) at {url}. Ctrl-C stops.", err=True)
        for promise in served.promises:
            click.echo(promise, err=True)

    server.run(
        lambda: _opened(Path(model), asked, options),
        address=server.Address(host, port),
        access=access,
        limits=limits,
        batch=batch,
        stop_within=stop_within,
        ready=ready,
    )


def _opened(folder: Path, asked: dict[str, Any], options: dict[str, Any]) -> "Served":
    """Open what is served: a model folder, or an export, for which torch is not imported."""
    if (folder / "manifest.json").is_file() or not (folder / "model.onnx").is_file():
        from headstart.pipeline import Predictor, Wanted

        return Predictor.open(folder, wanted=Wanted(**asked), **options)
    if asked != NOTHING_ASKED or options["backbone"] or options["device"] != "auto":
        found = "an export answers as it was exported, and runs on the processor"
        raise OptionError(found, where=str(folder), fix="Leave out what is asked of its answers, or serve the model.")
    from headstart.runtime.exported import ExportedModel
    from headstart.serve import Exported

    return Exported(ExportedModel.open(folder), name=folder.resolve().name)
