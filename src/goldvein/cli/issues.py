"""``goldvein issues``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from goldvein.cli.options import Json, RunFolder

if TYPE_CHECKING:
    from goldvein.runs import Run

HEADER = ("noise_rate", "transition", "n_labeled", "n_wrong", "n_wrong_interval", "n_issues", "ambiguous")
MIX_UPS = 3  # classes that are taken for each other, shown above the table


def issues(
    run: RunFolder,
    top: Annotated[int, typer.Option(help="Labels to show, worst first.", min=1)] = 50,
    precision: Annotated[
        float | None, typer.Option(help="List labels of which that share is expected to be wrong.  [default: 0.5]")
    ] = None,
    budget: Annotated[int | None, typer.Option(metavar="N", help="List the N worst in place of that.", min=1)] = None,
    as_json: Json = False,
) -> None:
    """List the labels that are likely wrong, worst first.

    p_wrong is the probability that the given label is wrong. All labels are in issues.csv of the run folder.
    """
    from goldvein import runs
    from goldvein.cli import show
    from goldvein.errors import InputError

    if precision is not None and budget is not None:
        raise InputError(f"--precision {precision} and --budget {budget} aim at two lists: give one of the two")
    trained = runs.load(run)
    metrics, table = trained.metrics, trained.issues
    if precision is not None or budget is not None:
        table = trained.listed(0.5 if precision is None else precision, budget)
        metrics = {**metrics, "n_issues": int(table["is_issue"].sum())}
        table = table[table["is_issue"]]
    worst = table.head(top)
    if as_json:
        found = {key: metrics.get(key) for key in HEADER}
        typer.echo(runs.as_json({**found, "classes": trained.classes, "issues": worst.to_dict("records")}))
        return
    purpose = "listed as wrong" if budget is None else "listed, those most worth a look"
    wrong = f"{metrics['n_issues']:,} of {metrics['n_labeled']:,} labels are {purpose}"
    typer.echo(f"{wrong}; estimated noise rate {metrics['noise_rate']:.3f}{_span(metrics)}")
    for message in metrics.get("ambiguous") or ():
        typer.echo(f"warning: {show.plain(message)}")
    mixed = _mix_ups(trained)
    if mixed:
        typer.echo(show.plain(f"most often mixed up, true -> given: {', '.join(mixed)}"))
    columns = ["rank", "id", "given_label", "suggested_label", "p_wrong", "reason"]
    rows = worst[columns].assign(p_wrong=worst["p_wrong"].map("{:.3f}".format)).astype(str)
    show.table(("rank", "id", "given", "suggested", "p_wrong", "reason"), rows.itertuples(index=False))


def _span(metrics: dict[str, Any]) -> str:
    """The interval of the number of wrong labels, where the run has one."""
    if not metrics.get("n_wrong_interval"):
        return ""
    low, high = metrics["n_wrong_interval"]
    return f" ({low:,.0f} to {high:,.0f} wrong labels, with probability 0.9)"


def _mix_ups(trained: Run) -> list[str]:
    """The largest entries of the transition matrix beside its diagonal, from 0.01 on."""
    pairs = [
        (rate, true, given)
        for true, row in zip(trained.classes, trained.metrics["transition"], strict=True)
        for given, rate in zip(trained.classes, row, strict=True)
        if true != given and rate >= 0.01
    ]
    pairs.sort(key=lambda pair: -pair[0])
    return [f"{true} -> {given} {rate:.2f}" for rate, true, given in pairs[:MIX_UPS]]
