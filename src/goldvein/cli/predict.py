"""``goldvein predict``."""

from __future__ import annotations

from typing import Annotated

import typer

from goldvein.cli.options import DataDir, Json, NewFile, Quiet, RunFolder, SkipBad


def predict(
    run: RunFolder,
    data: Annotated[
        str, typer.Argument(metavar="DATA", help="As for train, labels not needed; of a standard set, its test set.")
    ],
    out: NewFile,
    skip_bad: SkipBad = False,
    data_dir: DataDir = None,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Predict new rows by a trained run.

    Writes id, predicted, confidence and the probability of every class, one line a row.
    """
    from goldvein import runs
    from goldvein.data.source import load_new

    trained = runs.load(run)
    runs.check_new(out)
    dataset = load_new(data, trained.config["spec"], skip_bad=skip_bad, data_dir=data_dir, progress=not quiet)
    probs = trained.predict_proba(dataset, progress=not quiet)
    runs.write_new(out, runs.predictions(dataset.ids, probs, trained.classes))
    for path, reason in dataset.skipped:
        typer.echo(f"left out: {path}: {reason}", err=True)
    if as_json:
        typer.echo(runs.as_json({"predictions": str(out), "n_rows": len(probs), "skipped": dataset.skipped}))
    elif not quiet:
        typer.echo(f"{len(probs):,} rows predicted: {out}")
