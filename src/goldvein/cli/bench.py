"""``goldvein bench``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from typer import Argument, Option

from goldvein.cli.options import DataDir
from goldvein.errors import InputError

RESULTS = Path("results.jsonl")


def bench(
    table: Annotated[
        str, Argument(metavar="TABLE", help="Name of a published table, path of a TOML file, or leaderboard.")
    ],
    jobs: Annotated[int, Option(help="Number of training processes at a time, one thread each.", min=1)] = 1,
    seeds: Annotated[
        str | None, Option(metavar="LIST", help="Seeds such as 0,1.  [default: those of the table]")
    ] = None,
    row: Annotated[list[str] | None, Option(metavar="NAME", help="Row to run; may be repeated.")] = None,
    column: Annotated[list[str] | None, Option(metavar="NAME", help="Column to run; may be repeated.")] = None,
    dry_run: Annotated[bool, Option("--dry-run", help="Check the table and list the missing runs.")] = False,
    results: Annotated[Path, Option(metavar="FILE", help="File for the results of all tables.")] = RESULTS,
    limit: Annotated[
        float | None, Option(metavar="SECONDS", help="Start no new run after this many seconds.", min=0)
    ] = None,
    data_dir: DataDir = None,
    curves: Annotated[Path | None, Option(metavar="FILE.svg", help="SVG file for the training curves.")] = None,
    quiet: Annotated[bool, Option("--quiet", "-q", help="Show no progress.")] = False,
) -> None:
    """Reproduce a published table and print it next to the original; or compare libraries on the leaderboard.

    The command runs only what is missing in the file of results. It can be stopped and started again at any time. The
    exit code is 1 if a training run failed or was not started.
    """
    # imported here, so that --help answers at once
    from goldvein.bench import plan
    from goldvein.bench.results import list_missing, read_results
    from goldvein.bench.run import run_table
    from goldvein.bench.table import render_page
    from goldvein.progress import Progress

    chosen = None if seeds is None else _parse_seeds(seeds)
    if table == "leaderboard":
        raise typer.Exit(_run_leaderboard(results, row, column, chosen, jobs, data_dir, limit, dry_run, quiet))
    planned = plan.read_plan(table)
    if dry_run:
        plan.validate(planned)
        todo = list_missing(plan.list_jobs(planned, chosen, row, column), results)
        typer.echo("\n".join([*map(str, todo), f"training runs to do: {len(todo)}"]))
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


def _run_leaderboard(
    results: Path,
    rows: list[str] | None,
    columns: list[str] | None,
    seeds: list[int] | None,
    jobs: int,
    data_dir: str | None,
    limit: float | None,
    dry_run: bool,
    quiet: bool,
) -> int:
    """Run and print the leaderboard of methods and other libraries; return the exit code."""
    from goldvein.bench.leaderboard import list_contests, read_lines, render_page, run_leaderboard
    from goldvein.progress import Progress

    contests = list_contests(rows, columns, seeds)
    if dry_run:
        done = {line["key"] for line in read_lines(results)}
        todo = [contest for contest in contests if contest.key not in done]
        typer.echo("\n".join([*map(str, todo), f"runs to do: {len(todo)}"]))
        return 0
    progress = Progress(quiet=quiet)
    status = run_leaderboard(contests, results, jobs=jobs, data_dir=data_dir, limit_s=limit, progress=progress)
    typer.echo(render_page(read_lines(results)), nl=False)
    return status


def _parse_seeds(text: str) -> list[int]:
    parts = [part.strip() for part in text.split(",")]
    if not all(part.isdecimal() for part in parts):
        raise InputError(f"--seeds {text}: seeds must be whole numbers of at least 0; write for example --seeds 0,1")
    return [int(part) for part in parts]
