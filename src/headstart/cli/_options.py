"""Options shared by several commands, and the progress bar."""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from headstart.engine import Engine
    from headstart.pipeline import Reading

Command = TypeVar("Command", bound=Callable[..., Any])
UNITS = {"": 1.0, "s": 1.0, "m": 60.0, "h": 3600.0}


class Duration(click.ParamType[float]):
    """A time such as ``90s``, ``10m`` or ``1.5h``; a bare number is seconds."""

    name = "TIME"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Turn the text into seconds."""
        match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([smh]?)", str(value).strip())
        if match is None:
            self.fail(f"expected a time such as 90s, 10m or 1.5h, found {value!r}", param, ctx)
        return float(match[1]) * UNITS[match[2]]


class Sizes(click.ParamType[tuple[int, ...]]):
    """Whole numbers separated by commas, such as ``40,120,300``."""

    name = "N,N,..."

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[int, ...]:
        """Turn the text into numbers."""
        if not re.fullmatch(r"\d+( *, *\d+)*", str(value).strip()):
            self.fail(f"expected whole numbers such as 40,120,300, found {value!r}", param, ctx)
        return tuple(int(number) for number in str(value).split(","))


def reading_options(command: Command) -> Command:
    """Add the options that say how data is read."""
    for option in (
        click.option(
            "--on-error",
            type=click.Choice(["stop", "skip"]),
            default="stop",
            show_default=True,
            help="skip leaves unreadable items out and lists them.",
        ),
        click.option(
            "--group",
            metavar="COLUMN|filename:REGEX",
            help="Patient, speaker or document of each item: never on both sides of a split. dicom:PatientID reads "
            "the header.",
        ),
        click.option("--text", metavar="COLUMN", help="Column of the texts [default: text]."),
        click.option("--label", metavar="COLUMN", help="Column of the labels [default: label] or transcripts."),
        click.option(
            "--task",
            metavar="TASK",
            help="classification, multilabel, regression, tagging (entities in texts) or transcription (of speech), "
            "also with image-, text- or audio- before it [default: inferred; numbers count as classes unless "
            "regression is asked for].",
        ),
    ):
        command = option(command)
    return command


def transcripts_option(command: Command) -> Command:
    """Add ``--transcripts``; where a saved model is used, transcripts are spelt as it spells them."""
    return click.option(
        "--transcripts",
        type=click.Choice(["plain", "written"]),
        default="plain",
        show_default=True,
        help="Of speech: plain is in lower case and without punctuation, written keeps both.",
    )(command)


def slice_option(command: Command) -> Command:
    """Add ``--slice``, which may be repeated."""
    return click.option(
        "--slice",
        "slices",
        multiple=True,
        metavar="COLUMN",
        help="Also score the subgroups by this column of the data (or by group, domain, or folder of the files), with "
        "intervals, and say whether the worst is worse beyond noise. Its values are written into the results and into "
        "the model's evaluation.json. May be repeated.",
    )(command)


def metric_option(command: Command) -> Command:
    """Add ``--metric``."""
    return click.option(
        "--metric",
        metavar="NAME",
        help="The score to report first. For classification accuracy, balanced_accuracy, macro_f1, log_loss, brier or "
        "auroc; for multilabel micro_f1, macro_f1, subset_accuracy, mean_average_precision or log_loss; for regression "
        "rmse, mae, r2 or spearman; for tagging entity_f1, entity_precision, entity_recall, macro_f1, partial_f1, "
        "token_accuracy or log_loss; for transcription wer, cer, exact or log_loss [default: the first].",
    )(command)


def strategy_options(command: Command) -> Command:
    """Add what is tried, and what it is compared with."""
    for option in (
        click.option(
            "--proof",
            type=click.Choice(["none", "quick", "full"]),
            default="quick",
            show_default=True,
            help="What the model is compared with. quick: the majority class, a classical model, and a probe on the "
            "same network with random weights. full: also the same network trained from scratch.",
        ),
        click.option(
            "--strategy",
            metavar="CALL",
            help="How to adapt. ladder: a probe on frozen features, then deeper adaptation (tuning the last blocks, "
            "with --budget more of them), each kept only if it is better beyond noise (of few texts: more probably "
            "better than not). Or one of them, such as "
            '"probe(head=\'knn\')", "finetune(last=2)", contrastive, lora  [default: ladder]',
        ),
    ):
        command = option(command)
    return command


def backbone_option(command: Command) -> Command:
    """Add ``--backbone``, which may be repeated."""
    return click.option(
        "--backbone",
        "backbones",
        multiple=True,
        metavar="NAME",
        help="A pretrained network: timm:NAME, hf:ORG/MODEL, dir:FOLDER, starter:NAME. Repeat it to choose among "
        "several.",
    )(command)


def split_options(command: Command) -> Command:
    """Add what is done where groups straddle a given split."""
    for option in (
        click.option("--allow-straddling", is_flag=True, help="Keep a given split that groups straddle."),
        click.option("--resplit", is_flag=True, help="Split anew where groups straddle the given split."),
    ):
        command = option(command)
    return command


def json_option(command: Command) -> Command:
    """Add ``--json``."""
    return click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")(command)


def run_options(command: Command) -> Command:
    """Add the options of every command that runs a network over much data."""
    for option in (
        click.option(
            "--worker-gpus", type=click.FloatRange(min=0), default=0.0, show_default=True, help="Of each worker."
        ),
        click.option(
            "--worker-processors",
            type=click.IntRange(min=1),
            default=1,
            show_default=True,
            help="Of each worker, which are its threads.",
        ),
        click.option(
            "--workers",
            type=click.IntRange(min=1),
            help="With --engine ray, how many [default: as many as there is room for].",
        ),
        click.option(
            "--ray-address",
            metavar="ADDRESS",
            help="Of a Ray cluster, such as auto or ray://HOST:10001 [default: RAY_ADDRESS, else one on this machine].",
        ),
        click.option(
            "--engine",
            type=click.Choice(["local", "ray"]),
            default="local",
            show_default=True,
            help="Where networks run over the data: in this process, or in the workers of a Ray cluster.",
        ),
        click.option("--device", default="auto", show_default=True, help="auto, cpu, cuda or mps."),
        click.option("--offline", is_flag=True, help="Open no network connection."),
        click.option(
            "--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Of every random choice."
        ),
    ):
        command = option(command)
    return command


def engine_of(options: dict[str, Any]) -> "Engine":
    """Take the options of the engine out of a command's options, and open it."""
    from headstart.engine import open_engine

    engine = open_engine(
        options.pop("engine"),
        address=options.pop("ray_address"),
        workers=options.pop("workers"),
        processors=options.pop("worker_processors"),
        gpus=options.pop("worker_gpus"),
    )
    if engine.described:
        click.echo(engine.described, err=True)
    return engine


def reading(options: dict[str, Any]) -> "Reading":
    """Take the reading options out of a command's options."""
    from headstart.pipeline import Reading

    names = ("task", "label", "text", "group", "test", "on_error", "transcripts", "labels_from", "slices")
    return Reading(**{name: options.pop(name) for name in names if name in options})


@contextmanager
def progress_bar() -> Iterator[Callable[[str, int, int], None]]:
    """Show what is being done on standard error, with a rate and the time left; silent where nobody watches."""
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )
    from rich.progress import Task as Row
    from rich.text import Text

    class Rate(TextColumn):
        def render(self, task: Row) -> Text:
            return Text("" if not task.speed else f"{task.speed:,.1f}/s", style="cyan")

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        Rate(""),
        TimeRemainingColumn(),
        TimeElapsedColumn(),
    )
    console = Console(stderr=True)
    with Progress(*columns, console=console, disable=not console.is_terminal, transient=True) as bar:
        rows: dict[str, Any] = {}

        def report(what: str, done: int, total: int) -> None:
            if what not in rows:
                rows[what] = bar.add_task(what, total=total)
            bar.update(rows[what], completed=done, total=total, visible=done < total)

        yield report
