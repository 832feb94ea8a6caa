"""``goldvein bench``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from goldvein.cli.options import DataDir
from goldvein.errors import InputError

RESULTS = Path("results.jsonl")


def bench(
    table: Annotated[
        str, typer.Argument(metavar="TABLE", help="Name of a published table, or the path of a TOML file.")
    ],
    jobs: Annotated[int, typer.Option(help="Processes that train at once, one thread each.", min=1)] = 1,
    seeds: Annotated[str | None, typer.Option(help="As 0,1.  [default: the table's own]")] = None,
    row: Annotated[list[str] | None, typer.Option(metavar="NAME", help="Run this row; may be repeated.")] = None,
    column: Annotated[list[str] | None, typer.Option(metavar="NAME", help="Run this column; may be repeated.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Check the table, list what is to be run.")] = False,
    results: Annotated[Path, typer.Option(metavar="FILE", help="Keeps every result, of any table.")] = RESULTS,
    limit: Annotated[float | None, typer.Option(metavar="SECONDS", help="Begin no run after that.", min=0)] = None,
    data_dir: DataDir = None,
    curves: Annotated[Path | None, typer.Option(metavar="FILE.svg", help="Draw the curves of training.")] = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Show no progress.")] = False,
) -> None:
    """Run what is missing of a table, and print it beside the published values.

    It can be stopped and started again at any time: results that are in the file are not run again. The exit code
    is 1 if a training run failed or is left.
    """
    from goldvein.bench import plan, run
    from goldvein.bench.table import corrected, issues, others, per_class, render, scores
    from goldvein.progress import Progress

    chosen = None if seeds is None else _numbers(seeds)
    planned = plan.load(table)
    if dry_run:
        plan.validate(planned)
        done = {result["key"] for result in run.read_results(results)}
        todo = [job for job in plan.jobs(planned, chosen, row, column) if job.key not in done]
        typer.echo("\n".join([*map(str, todo), f"{len(todo)} training runs to do"]))
        return
    progress = Progress(quiet=quiet)
    status = run.run(
        table,
        results,
        jobs=jobs,
        seeds=chosen,
        rows=row,
        columns=column,
        data_dir=data_dir,
        limit_s=limit,
        progress=progress,
    )
    found = run.read_results(results)
    parts = (show(planned, found) for show in (render, others, corrected, issues, scores, per_class))
    typer.echo("\n".join(filter(None, parts)), nl=False)
    if curves is not None:
        from goldvein.bench.figure import draw_curves

        draw_curves(planned, found, curves, rows=row, columns=column)
    raise typer.Exit(status)


def _numbers(text: str) -> list[int]:
    parts = [part.strip() for part in text.split(",")]
    if not all(part.isdecimal() for part in parts):
        raise InputError(f"--seeds {text}: they must be whole numbers from 0 up; give for example 0,1")
    return [int(part) for part in parts]
