"""``goldvein report``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from goldvein.cli.options import DataDir, Json, Quiet, RunFolder


def report(
    run: RunFolder,
    out: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Where to write it.  [default: RUN/report.html]")
    ] = None,
    top: Annotated[int, typer.Option(help="Suspects to show, worst first.", min=1)] = 200,
    before: Annotated[
        Path | None, typer.Option(metavar="RUN", help="An earlier run to compare with; needs test labels.")
    ] = None,
    test: Annotated[
        str | None, typer.Option(metavar="DATA", help="Labeled rows that no run was trained on, to judge by.")
    ] = None,
    data: Annotated[str | None, typer.Option(metavar="DATA", help="Where the run's data lies now.")] = None,
    data_dir: DataDir = None,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Write what a run found as one HTML file, which opens offline.

    Noise rate, mix-ups, classes, curves, calibration, accuracy before and after, and the worst suspects as they are.
    """
    from goldvein import runs
    from goldvein.data.dataset import Dataset
    from goldvein.data.source import load_new
    from goldvein.errors import InputError
    from goldvein.report.appearance import open_rows
    from goldvein.report.page import write_report

    trained = runs.load(run)
    reviewed = (trained.config.get("decisions") or {}).get("source", "")
    if before is None and test is not None and reviewed and Path(reviewed).is_dir():
        before = Path(reviewed)
    earlier = None if before is None else runs.load(before)
    for of in (trained, earlier or trained):
        if test and of.source and Path(test).exists() and Path(test).resolve() == Path(of.source).resolve():
            raise InputError(f"--test {test} is what {of.folder} was trained on: give rows that no run has seen")

    def read(of: runs.Run) -> Dataset:
        return load_new(str(test), of.config["spec"], skip_bad=False, data_dir=data_dir, progress=not quiet)

    shown = open_rows(trained, data, data_dir)
    path = out or run / "report.html"
    absent = write_report(path, trained, shown, top=top, before=earlier, test=None if test is None else read)
    if as_json:
        typer.echo(runs.as_json({"report": str(path), "bytes": path.stat().st_size, "not_shown": absent}))
    elif not quiet:
        typer.echo(f"report: {path}")
        if absent:
            typer.echo(f"{absent:,} suspects could not be shown; the report says why", err=True)
