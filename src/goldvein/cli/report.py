"""``goldvein report``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from typer import Option

from goldvein.cli.options import DataDir, DataNow, Json, Quiet, RunFolder


def report(
    run: RunFolder,
    out: Annotated[Path | None, Option(metavar="FILE", help="HTML file to write.  [default: RUN/report.html]")] = None,
    top: Annotated[int, Option(help="Number of labels to show, most suspicious first.", min=1)] = 200,
    before: Annotated[
        Path | None, Option(metavar="RUN", help="Earlier run to compare with; needs test labels.")
    ] = None,
    test: Annotated[str | None, Option(metavar="DATA", help="Labeled test rows that no run was trained on.")] = None,
    data: DataNow = None,
    data_dir: DataDir = None,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Write the results of a run as one HTML file, which opens offline.

    The report contains the noise rate, confused classes, training curves, calibration, accuracy before and after, and
    the most suspicious labels with their pictures, texts or values.
    """
    from goldvein import runs
    from goldvein.data.dataset import Dataset
    from goldvein.data.source import load_new
    from goldvein.errors import InputError
    from goldvein.report.appearance import open_data
    from goldvein.report.page import write_report

    saved = runs.open_run(run)
    reviewed = saved.config["decisions"].get("source", "")
    if before is None and test is not None and reviewed and Path(reviewed).is_dir():
        before = Path(reviewed)
    earlier = None if before is None else runs.open_run(before)
    for one in (saved, earlier or saved):
        # the name of a standard data set passes: --test then reads its test set
        if test and one.source and Path(test).exists() and Path(test).resolve() == Path(one.source).resolve():
            raise InputError(f"{one.folder} was trained on --test {test}: give rows that no run was trained on")

    def read_test(one: runs.SavedRun) -> Dataset:
        return load_new(str(test), one.config["spec"], skip_bad=False, data_dir=data_dir, progress=not quiet)

    view = open_data(saved, data, data_dir)
    path = out or run / "report.html"
    not_shown = write_report(path, saved, view, top=top, before=earlier, test=None if test is None else read_test)
    if as_json:
        typer.echo(runs.as_json({"report": str(path), "bytes": path.stat().st_size, "not_shown": not_shown}))
    elif not quiet:
        typer.echo(f"report: {path}")
        if not_shown:
            typer.echo(f"{not_shown:,} rows could not be shown; the report says why", err=True)
