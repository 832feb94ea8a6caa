"""``goldvein bench``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from goldvein.cli.options import DataDir
from goldvein.errors import InputError

RESULTS = Path("results.jsonl")


def bench(
    table: Annotated[Path, typer.Argument(metavar="TABLE", help="TOML file of a published table.")],
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
    from goldvein.bench import plan
    from goldvein.bench.results import list_missing, read_results
    from goldvein.bench.run import run_table
    from goldvein.bench.table import render_page
    from goldvein.progress import Progress

    chosen = None if seeds is None else _numbers(seeds)
    planned = plan.read_plan(table)
    if dry_run:
        plan.validate(planned)
        todo = list_missing(plan.list_jobs(planned, chosen, row, column), results)
        typer.echo("\n".join([*map(str, todo), f"{len(todo)} training runs to do"]))
        return
    progress = Progress(quiet=quiet)
    status = run_table(
        planned,
        results,
        jobs=jobs,
        seeds=chosen,
        rows=row,
        columns=column,
        data_dir=data_dir,
        limit_s=limit,
        progress=progress,
    )
    found = read_results(results)
    typer.echo(render_page(planned, found), nl=False)
    if curves is not None:
        from goldvein.bench.figure import draw_curves

        draw_curves(planned, found, curves, rows=row, columns=column)
    raise typer.Exit(status)


def _numbers(text: str) -> list[int]:
    parts = [part.strip() for part in text.split(",")]
    if not all(part.isdecimal() for part in parts):
        raise InputError(f"--seeds {text}: they must be whole numbers from 0 up; give for example 0,1")
    return [int(part) for part in parts]
