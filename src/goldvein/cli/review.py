"""``goldvein review``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from typer import Option

from goldvein.cli.options import DataDir, DataNow, RunFolder

if TYPE_CHECKING:
    from goldvein.runs import SavedRun


def review(
    run: RunFolder,
    budget: Annotated[
        int | None, Option(help="Number of labels to review, worst first.  [default: all issues]", min=1)
    ] = None,
    port: Annotated[int, Option(help="Port of the local page; 0 picks a free one.", min=0, max=65535)] = 0,
    open_: Annotated[bool, Option("--open", help="Open the page in the browser.")] = False,
    export: Annotated[
        Path | None, Option(metavar="FILE", help="Write the decisions to a new .csv or .json file and exit.")
    ] = None,
    form: Annotated[
        str | None, Option("--format", help="Format csv, label-studio or cleanlab.  [default: from the file name]")
    ] = None,
    import_: Annotated[
        Path | None, Option("--import", metavar="FILE", help="Add the decisions of a file and exit.")
    ] = None,
    data: DataNow = None,
    data_dir: DataDir = None,
) -> None:
    """Review suspicious labels with the keyboard on a local page.

    For each label, keep it, accept the suggestion, choose another class, drop it or skip it. Every decision is saved at
    once in decisions.sqlite of the run folder. goldvein clean and goldvein train --decisions use the decisions.
    """
    from goldvein import runs
    from goldvein.errors import InputError

    saved = runs.open_run(run)
    if export is not None and import_ is not None:
        raise InputError("--export and --import cannot be combined; choose one")
    if export is not None:
        _export(saved, export, form, data, data_dir)
    elif import_ is not None:
        _import(saved, import_)
    else:
        _page(saved, budget, port, open_, data, data_dir)


def _export(run: SavedRun, path: Path, form: str | None, data: str | None, data_dir: str | None) -> None:
    from goldvein.report.appearance import export_row, open_data
    from goldvein.runs.apply import decisions_of
    from goldvein.runs.exchange import export_decisions

    decisions, view = decisions_of(run), open_data(run, data, data_dir)
    n = export_decisions(path, run.issues, decisions, form=form, content=lambda row: export_row(view.row(row)))
    typer.echo(f"{n:,} labels written, {len(decisions):,} of them with a decision: {path}")


def _import(run: SavedRun, path: Path) -> None:
    from goldvein.runs.apply import check_decisions
    from goldvein.runs.decisions import FILE, Log
    from goldvein.runs.exchange import read_decisions

    decisions = read_decisions(path)
    check_decisions(decisions, run)
    log = Log(run.folder / FILE)
    new = log.add_all(decisions, client=f"file {path.name}")
    typer.echo(f"{new:,} of {len(decisions):,} decisions are new: {log.path}")


def _page(run: SavedRun, budget: int | None, port: int, launch: bool, data: str | None, data_dir: str | None) -> None:
    from goldvein.errors import InputError
    from goldvein.report.appearance import open_data
    from goldvein.review.review import Review
    from goldvein.runs.decisions import FILE, Log

    try:
        from goldvein.review.server import listen, serve
    except ImportError as error:  # only the page needs starlette and uvicorn
        raise InputError(f"the page needs {error.name}: install it with pip install 'goldvein[review]'") from error

    listening = listen(port)
    session = Review(run, open_data(run, data, data_dir), Log(run.folder / FILE), budget)

    def ready(address: str) -> None:
        typer.echo(f"{len(session):,} labels to review; {session.expected:.0f} of them are expected to be wrong")
        typer.echo(f"open {address}")
        typer.echo("press Ctrl-C to stop; every decision is saved at once")
        if launch:
            typer.launch(address)

    try:
        serve(session, listening, ready)
    except KeyboardInterrupt:
        n = len(session.log.current())
        typer.echo(f"{n:,} {'decision' if n == 1 else 'decisions'} in {session.log.path}")
