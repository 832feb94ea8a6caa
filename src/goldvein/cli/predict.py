"""``goldvein predict``."""

from __future__ import annotations

from typing import Annotated

import typer
from typer import Argument

from goldvein.cli.options import DataDir, Json, NewFile, Quiet, RunFolder, SkipBad


def predict(
    run: RunFolder,
    data: Annotated[
        str,
        Argument(metavar="DATA", help="Rows like the training data, or a standard data set, whose test set is used."),
    ],
    out: NewFile,
    skip_bad: SkipBad = False,
    data_dir: DataDir = None,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Predict the classes of new rows with a trained run.

    The file has one line per row: id, predicted, confidence and the probability of every class. Labels are not needed.
    """
    # imported here, so that --help answers at once
    from goldvein import runs
    from goldvein.data.source import load_new

    saved = runs.open_run(run)
    runs.check_new_file(out)  # before the prediction, which may take long
    dataset = load_new(data, saved.config["spec"], skip_bad=skip_bad, data_dir=data_dir, progress=not quiet)
    probs = saved.predict_proba(dataset, progress=not quiet)
    runs.write_new_table(out, runs.tabulate_predictions(dataset.ids, probs, saved.classes))
    for path, reason in dataset.skipped:
        typer.echo(f"skipped: {path}: {reason}", err=True)
    if as_json:
        typer.echo(runs.as_json({"predictions": str(out), "n_rows": len(probs), "skipped": dataset.skipped}))
    elif not quiet:
        typer.echo(f"{len(probs):,} rows predicted: {out}")
