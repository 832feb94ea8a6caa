"""``goldvein review``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from goldvein.cli.options import DataDir, RunFolder

if TYPE_CHECKING:
    from goldvein.runs import Run


def review(
    run: RunFolder,
    budget: Annotated[
        int | None, typer.Option(help="Labels to look at, the most worth first.  [default: all that are listed]", min=1)
    ] = None,
    port: Annotated[int, typer.Option(help="Of the page on this machine; 0 is any.", min=0, max=65535)] = 0,
    open_: Annotated[bool, typer.Option("--open", help="Open the page in the browser.")] = False,
    export: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write the decisions to a new .csv or .json, and end.")
    ] = None,
    form: Annotated[
        str | None, typer.Option("--format", help="csv, label-studio or cleanlab.  [default: by the name]")
    ] = None,
    import_: Annotated[
        Path | None, typer.Option("--import", metavar="FILE", help="Add the decisions of a file, and end.")
    ] = None,
    data: Annotated[str | None, typer.Option(metavar="DATA", help="Where the run's data lies now.")] = None,
    data_dir: DataDir = None,
) -> None:
    """Look through doubtful labels on a local page, by the keyboard.

    Keep, take the suggestion, choose another class, drop, skip, undo. Decisions are kept in decisions.sqlite of the
    run folder, each on the disk before the next row shows; clean and train --decisions take them from there.
    """
    from goldvein import runs
    from goldvein.errors import InputError

    trained = runs.load(run)
    if export is not None and import_ is not None:
        raise InputError("--export and --import are two commands: give one of them")
    if export is not None:
        _export(trained, export, form, data, data_dir)
    elif import_ is not None:
        _import(trained, import_)
    else:
        _page(trained, budget, port, open_, data, data_dir)


def _export(run: Run, path: Path, form: str | None, data: str | None, data_dir: str | None) -> None:
    from goldvein.report.appearance import as_data, open_rows
    from goldvein.runs.decided import of_run
    from goldvein.runs.exchange import export

    made, rows = of_run(run), open_rows(run, data, data_dir)
    n = export(path, run.issues, made, form=form, content=lambda row: as_data(rows.look(row)))
    typer.echo(f"{n:,} labels written, {len(made):,} of them decided: {path}")


def _import(run: Run, path: Path) -> None:
    from goldvein.runs.decided import check, read
    from goldvein.runs.decisions import FILE, Log

    found = read(path)
    check(found, run)
    log = Log(run.folder / FILE)
    new = log.add_all(found, client=f"file {path.name}")
    typer.echo(f"{new:,} of {len(found):,} decisions are new: {log.path}")


def _page(run: Run, budget: int | None, port: int, opened: bool, data: str | None, data_dir: str | None) -> None:
    from goldvein.errors import InputError
    from goldvein.report.appearance import open_rows
    from goldvein.review.review import Review
    from goldvein.runs.decisions import FILE, Log

    try:
        from goldvein.review.server import listen, serve
    except ImportError as error:
        raise InputError(f"the page needs {error.name}: install it by pip install 'goldvein[review]'") from error

    listening = listen(port)
    session = Review(run, open_rows(run, data, data_dir), Log(run.folder / FILE), budget)

    def ready(address: str) -> None:
        typer.echo(f"{len(session):,} labels to look at, of which {session.expected:.0f} are expected to be wrong")
        typer.echo(f"open {address}")
        typer.echo("end it by Ctrl-C; every decision is on the disk already")
        if opened:
            typer.launch(address)

    try:
        serve(session, listening, ready)
    except KeyboardInterrupt:
        typer.echo(f"{len(session.log.current()):,} decisions in {session.log.path}")
