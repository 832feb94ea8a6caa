"""``goldvein issues``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer
from typer import Option

from goldvein.cli.options import Json, RunFolder

if TYPE_CHECKING:
    from goldvein.runs import SavedRun
    from goldvein.runs.contents import Metrics

HEADER = ("noise_rate", "transition", "n_labeled", "n_wrong", "n_wrong_interval", "n_issues", "ambiguous", "noise_kind")
CONFUSIONS = 3  # most pairs of confused classes above the table


def issues(
    run: RunFolder,
    top: Annotated[int, Option(help="Number of rows to print, worst first.", min=1)] = 50,
    precision: Annotated[
        float | None, Option(metavar="P", help="Share of the listed labels that should be wrong.  [default: 0.5]")
    ] = None,
    budget: Annotated[
        int | None, Option(metavar="N", help="Number of labels to list; replaces --precision.", min=1)
    ] = None,
    as_json: Json = False,
) -> None:
    """List the labels that are probably wrong, worst first.

    p_wrong is the probability that the given label is wrong. The file issues.csv in the run folder contains all labels.
    """
    from goldvein import runs
    from goldvein.cli import show
    from goldvein.errors import InputError

    if precision is not None and budget is not None:
        raise InputError(f"--precision {precision} and --budget {budget} cannot be combined; choose one")
    saved = runs.open_run(run)
    metrics, table = saved.metrics, saved.issues
    if precision is not None or budget is not None:
        table = saved.list_issues(0.5 if precision is None else precision, budget)
        metrics = {**metrics, "n_issues": int(table["is_issue"].sum())}
        table = table[table["is_issue"]]
    worst = table.head(top)
    if as_json:
        header = {key: metrics.get(key) for key in HEADER}
        typer.echo(runs.as_json({**header, "classes": saved.classes, "issues": worst.to_dict("records")}))
        return
    purpose = "probably wrong" if budget is None else "listed for review"
    wrong = f"{metrics['n_issues']:,} of {metrics['n_labeled']:,} labels are {purpose}"
    typer.echo(f"{wrong}; estimated noise rate {metrics['noise_rate']:.3f}{_describe_interval(metrics)}")
    for message in metrics.get("ambiguous") or ():
        typer.echo(f"warning: {show.make_printable(message)}")
    confused = _list_confusions(saved)
    if confused:
        typer.echo(show.make_printable(f"most frequent confusions, true -> given: {', '.join(confused)}"))
    columns = ["rank", "id", "given_label", "suggested_label", "p_wrong", "reason"]
    rows = worst[columns].assign(p_wrong=worst["p_wrong"].map("{:.3f}".format)).astype(str)
    show.print_table(("rank", "id", "given", "suggested", "p_wrong", "reason"), rows.itertuples(index=False))


def _describe_interval(metrics: Metrics) -> str:
    """Return the interval of the number of wrong labels, if the run has one."""
    if not metrics.get("n_wrong_interval"):
        return ""
    low, high = metrics["n_wrong_interval"]
    return f" (90 % interval: {low:,.0f} to {high:,.0f} wrong labels)"


def _list_confusions(saved: SavedRun) -> list[str]:
    """Return the largest entries outside the diagonal of the transition matrix, if they are at least 0.01."""
    pairs = [
        (rate, true, given)
        for true, row in zip(saved.classes, saved.metrics["transition"], strict=True)
        for given, rate in zip(saved.classes, row, strict=True)
        if true != given and rate >= 0.01
    ]
    pairs.sort(key=lambda pair: -pair[0])
    return [f"{true} -> {given} {rate:.2f}" for rate, true, given in pairs[:CONFUSIONS]]
