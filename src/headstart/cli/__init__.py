"""The command line. Bodies parse, make one library call and print; nothing heavy is imported before a command runs.

Results go to standard output, progress and notes to standard error. A user error is one line and exit status 1, wrong
usage exits 2, an interruption 130. ``HEADSTART_TRACEBACK=1`` shows the traceback behind a user error.
"""

import os
import sys
import time

import click

from headstart import __version__
from headstart.cli._adapt import adapt
from headstart.cli._curve import curve
from headstart.cli._data import cache, check
from headstart.cli._demo import demo
from headstart.cli._export import export
from headstart.cli._fit import fit
from headstart.cli._model import evaluate, models, predict
from headstart.cli._rank import rank
from headstart.cli._report import report
from headstart.cli._serve import serve
from headstart.errors import HeadstartError

STARTED = time.monotonic()


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 120})
@click.version_option(__version__, prog_name="headstart")
@click.pass_context
def cli(context: click.Context) -> None:
    """Transfer learning for people who have little labelled data.

    Start with `headstart demo`, or with your own data: `headstart check DATA`, then `headstart fit DATA -o MODEL`.
    """
    context.obj = STARTED


for command in (check, rank, fit, curve, adapt, predict, evaluate, export, serve, report, models, cache, demo):
    cli.add_command(command)


def main() -> None:
    """Run the command line; user errors become one line."""
    try:
        sys.exit(cli.main(standalone_mode=False) or 0)
    except HeadstartError as error:
        if os.environ.get("HEADSTART_TRACEBACK"):
            raise
        _fail(f"Error: {error}", 1)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except (KeyboardInterrupt, click.Abort):
        _fail("Interrupted. A fit goes on from here with the same command.", 130)
    except BrokenPipeError:
        # The reader of our output (head, less) has left; Python would complain again when it flushes at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)


def _fail(message: str, status: int) -> None:
    click.echo(" ".join(message.splitlines()), err=True)
    sys.exit(status)
