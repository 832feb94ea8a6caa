"""``goldvein clean``."""

from __future__ import annotations

from typing import Annotated

import typer
from typer import Option

from goldvein.cli.options import Json, NewFile, Quiet, RunFolder
from goldvein.errors import InputError


def clean(
    run: RunFolder,
    out: NewFile,
    relabel_above: Annotated[
        float, Option(help="Probability above which a suggested label replaces the given one.", min=0, max=1)
    ] = 0.9,
    drop_above: Annotated[float, Option(help="p_wrong above which other issues are dropped.", min=0, max=1)] = 0.5,
    anyway: Annotated[bool, Option("--anyway", help="Clean although the model is too weak to judge labels.")] = False,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Write cleaned labels: id, given_label, cleaned_label, action.

    Decisions of goldvein review are applied first. Among the other labels, only issues change. An issue is relabeled if
    the suggested label is probable enough. Otherwise it is dropped, which leaves its cell empty, or kept. A threshold
    of 1 disables its action. Missing labels stay empty. The data itself does not change.
    """
    # imported here, so that --help answers at once
    from goldvein import runs
    from goldvein.runs.apply import decisions_of
    from goldvein.runs.reading import too_few_to_judge

    saved = runs.open_run(run)
    if saved.metrics.get("too_weak") and not anyway:
        reason = (saved.metrics.get("ambiguous") or ["the model is too weak to judge labels"])[0]
        raise InputError(f"{reason}; --anyway cleans nevertheless")
    runs.check_new_file(out)
    decided = {row: decision.label for row, decision in decisions_of(saved).items() if decision.action != "skip"}
    table = saved.clean_labels(relabel_above, drop_above, decided)
    runs.write_new_table(out, table)
    # a missing label has the action keep, but there is nothing to keep
    labeled = table[table["given_label"].notna() & (table["given_label"] != "")]
    counts = {action: int((labeled["action"] == action).sum()) for action in ("keep", "relabel", "drop")}
    if as_json:
        typer.echo(runs.as_json({"cleaned": str(out), **counts, "reviewed": len(decided)}))
    elif not quiet:
        n_rare = int(too_few_to_judge(saved.issues).sum())
        reviewed = f", {len(decided):,} of them by review" if decided else ""
        changes = f"kept {counts['keep']:,}, relabeled {counts['relabel']:,}, dropped {counts['drop']:,}"
        typer.echo(f"{changes}{reviewed}: {out}")
        if n_rare:
            typer.echo(f"{n_rare:,} labels are in classes with too few labels to judge; only a review can change them")
