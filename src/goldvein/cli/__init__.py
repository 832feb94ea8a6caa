"""The command line: one file a verb, and no logic in them; what they call is public.

Bad input ends as ``error: <sentence>`` on standard error with exit code 2, Ctrl-C with 130. Nothing here imports
torch before a verb needs it, so that ``--help`` answers at once.
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


class Verbs(TyperGroup):
    """Commands whose bad input is one line, not a traceback."""

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except InputError as error:
            typer.echo(f"error: {' '.join(str(error).split())}", err=True)
            raise typer.Exit(2) from error
        except KeyboardInterrupt:
            typer.echo("interrupted", err=True)
            raise typer.Exit(130) from None
        except Exception as error:
            if not hasattr(error, "format_message"):  # typer's own, whose class is click's or not by its version
                raise
            typer.echo(f"error: {_usage(error)}", err=True)
            raise typer.Exit(2) from error


def _usage(error: Any) -> str:
    """What typer says of a command that cannot be read, in one line; where it says so, with the value."""
    message = " ".join(error.format_message().split()).rstrip(".")
    details: list[Any] = getattr(error.__cause__, "errors", list)()
    given = f", not {details[0]['input']!r}" if details and "input" in details[0] else ""
    command = error.ctx.command_path if error.ctx is not None else "goldvein"
    return f"{message}{given}; see {command} -h"


app = typer.Typer(
    cls=Verbs,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)
for verb in (train, predict, issues, clean, report, review, bench, data, methods):
    app.command()(verb)


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
