"""``goldvein clean``."""

from __future__ import annotations

from typing import Annotated

import typer

from goldvein.cli.options import Json, NewFile, Quiet, RunFolder


def clean(
    run: RunFolder,
    out: NewFile,
    relabel_above: Annotated[
        float, typer.Option(help="Probability of the suggested label above which it is taken.", min=0, max=1)
    ] = 0.9,
    drop_above: Annotated[
        float, typer.Option(help="p_wrong above which other wrong labels are dropped.", min=0, max=1)
    ] = 0.5,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Write cleaned labels: id, given_label, cleaned_label, action.

    What was decided in goldvein review is done. Of the rest only labels marked as issues are touched: relabeled where
    the suggestion is sure enough, else dropped (left blank), else kept. A threshold of 1 switches its action off.
    Missing labels stay blank. The data is never changed.
    """
    from goldvein import runs
    from goldvein.runs.decided import of_run

    trained = runs.load(run)
    runs.check_new(out)
    decided = of_run(trained)
    labels = {row: decision.label for row, decision in decided.items() if decision.action != "skip"}
    table = trained.cleaned(relabel_above, drop_above, labels)
    runs.write_new(out, table)
    labeled = table[table["given_label"].notna() & (table["given_label"] != "")]
    counts = {action: int((labeled["action"] == action).sum()) for action in ("keep", "relabel", "drop")}
    if as_json:
        typer.echo(runs.as_json({"cleaned": str(out), **counts, "reviewed": len(labels)}))
    elif not quiet:
        few = int((trained.issues["kind"] == "too_little_evidence").sum()) if "kind" in trained.issues else 0
        told = f"kept {counts['keep']:,}, relabeled {counts['relabel']:,}, dropped {counts['drop']:,}"
        typer.echo(f"{told}{f', {len(labels):,} of them as reviewed' if labels else ''}: {out}")
        if few:
            typer.echo(f"{few:,} labels are of classes with too few of them to judge by: only a review changes those")
