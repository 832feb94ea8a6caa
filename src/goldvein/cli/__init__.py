"""The command line: one file per command, which parses words and prints results.

Bad input ends with ``error: <sentence>`` on standard error and exit code 2, Ctrl-C with exit code 130. Commands import
other packages inside their functions, so that ``--help`` answers at once and torch is only loaded if it is needed.
"""

from __future__ import annotations

from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from goldvein import __version__
from goldvein.cli.bench import bench
from goldvein.cli.clean import clean
from goldvein.cli.data import data
from goldvein.cli.issues import issues
from goldvein.cli.methods import methods
from goldvein.cli.predict import predict
from goldvein.cli.report import report
from goldvein.cli.review import review
from goldvein.cli.train import train
from goldvein.errors import InputError


class Commands(TyperGroup):
    """Commands that report bad input in one line, without a traceback."""

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except InputError as error:
            # in one line, even if a value in the message contains line ends
            typer.echo(f"error: {' '.join(str(error).split())}", err=True)
            raise typer.Exit(2) from error
        except KeyboardInterrupt:
            typer.echo("interrupted", err=True)
            raise typer.Exit(130) from None  # 128 + the number of SIGINT, as in a shell
        except Exception as error:
            # the class of usage errors differs between versions of typer, but they all have this method
            if not hasattr(error, "format_message"):
                raise
            typer.echo(f"error: {_describe_usage_error(error)}", err=True)
            raise typer.Exit(2) from error


def _describe_usage_error(error: Any) -> str:
    """Return the message of typer in one line, with the value if typer has it, and the command for help."""
    message = " ".join(error.format_message().split()).rstrip(".")
    details: list[Any] = getattr(error.__cause__, "errors", list)()
    value = f", not {details[0]['input']!r}" if details and "input" in details[0] else ""
    command = error.ctx.command_path if error.ctx is not None else "goldvein"
    return f"{message}{value}; see {command} -h"


app = typer.Typer(
    cls=Commands,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)
for command in (train, predict, issues, clean, report, review, bench, data, methods):
    app.command()(command)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"goldvein {__version__}")
        raise typer.Exit


@app.callback()
def _goldvein(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Train the best classifier that noisy labels allow, and find the labels that are wrong."""


def main() -> None:
    """Run the command line."""
    app(prog_name="goldvein")
