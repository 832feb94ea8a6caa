"""The report of a run: one HTML file that needs no other, no network, and no server."""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from jinja2 import Environment, PackageLoader, StrictUndefined

from goldvein.files import write_text
from goldvein.report import charts, facts
from goldvein.report.appearance import Look, Rows, thumbnail
from goldvein.report.comparison import compare
from goldvein.report.sheet import sheet
from goldvein.report.thumbnails import SIDE
from goldvein.runs.decided import of_run
from goldvein.runs.decisions import ACTIONS, Decision
from goldvein.runs.folder import ENVIRONMENT, SKIPPED, damaged
from goldvein.runs.tables import read_json

if TYPE_CHECKING:
    from goldvein.report.comparison import Read
    from goldvein.runs import Run

TOP = 200  # suspects in the gallery
LEAST = 12  # suspects that are shown even if none of them is an issue
LONGEST_TEXT, MOST_VALUES = 480, 16  # of a card
MIX_UPS, CURVES = 8, 6


@dataclass(frozen=True)
class Card:
    """A suspect in the gallery."""

    id: str
    rank: int
    given: int
    suggested: int
    p_wrong: float
    reason: str
    kind: str
    verdict: str
    truth: str | None
    look: Look
    url: str | None = None
    problem: str | None = None


def write_report(
    path: Path,
    run: Run,
    rows: Rows,
    *,
    top: int = TOP,
    before: Run | None = None,
    test: Read | None = None,
) -> int:
    """Write the report of a run.

    Parameters
    ----------
    path : Path
        The file; an older one of that name is replaced once the new one is complete.
    run : Run
    rows : Rows
        What there is to see, from :func:`goldvein.report.appearance.open_rows`.
    top : int
        Suspects in the gallery.
    before, test : optional
        See :func:`goldvein.report.comparison.compare`.

    Returns
    -------
    int
        Suspects that could not be shown; each has a placeholder that says why.

    Raises
    ------
    InputError
        If a table of the run is damaged, its decisions are about other rows, or the file cannot be written.
    """
    decisions = of_run(run)
    cards = _cards(run, rows, decisions, top)
    page = template("report.html").render(
        **_numbers(run, rows, decisions),
        strips=sheet(run, rows),
        cards=cards,
        pictures=any(card.look.is_picture for card in cards),
        longest_text=LONGEST_TEXT,
        most_values=MOST_VALUES,
        n_absent=sum(card.problem is not None for card in cards),
        comparison=compare(run, before, test),
    )
    write_text(path, page)
    return sum(card.problem is not None for card in cards)


def template(name: str) -> Any:
    """A page of ``templates/``, which escapes whatever is put into it."""
    made = Environment(
        loader=PackageLoader("goldvein.report"), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )
    made.filters["shorten"] = charts.shorten
    made.filters["percent"] = charts.percent
    made.globals["only"] = only
    return made.get_template(name)


def only(text: str) -> str:
    """The source that a content security policy names to allow this inline script or style, and no other."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(str(text).encode()).digest()).decode('ascii')}'"


def _numbers(run: Run, rows: Rows, decisions: dict[str, Decision]) -> dict[str, Any]:
    """Everything but the gallery and the comparison."""
    metrics, classes, epochs = run.metrics, run.classes, facts.history(run)
    try:
        transition = np.array(metrics["transition"], dtype=float)
        if transition.shape != (len(classes), len(classes)):
            raise ValueError(f"its transition has shape {transition.shape} for {len(classes)} classes")
        counts = {name: int(metrics[name]) for name in ("n_rows", "n_labeled", "n_issues", "n_epochs")}
        rate = float(metrics["noise_rate"])
    except (KeyError, TypeError, ValueError) as error:
        raise damaged(run.folder / "metrics.json", error) from error
    curves = [
        (name.replace("_", " "), charts.curve(name, values, [epoch.get("stage", 0) for epoch in epochs]))
        for name, values in list(facts.series(epochs).items())[:CURVES]
    ]
    calibration = facts.calibration(run, rows.truth, decisions)
    return {
        "name": _name(run),
        "classes": [str(label) for label in classes],
        "counts": counts,
        "noise_rate": rate,
        "interval": facts.noise_interval(metrics, run.issues["p_wrong"]),
        "ambiguous": [str(message) for message in metrics.get("ambiguous") or ()],
        "true_noise": metrics.get("true_noise"),
        "matrix": charts.matrix(transition, classes),
        "mix_ups": facts.mix_ups(run.issues, classes, MIX_UPS),
        "by_class": facts.by_class(run.issues, classes, run.metrics),
        "curves": curves,
        "held_out": next((e["validation_accuracy"] for e in reversed(epochs) if e.get("validation_accuracy")), None),
        "calibration": calibration,
        "calibration_plot": charts.calibration(calibration.bins, calibration.across, calibration.up),
        "skipped": _n_skipped(run),
        "reviewed": _reviewed(run, decisions),
        "used": run.config.get("decisions"),
        "config": run.config,
        "environment": read_json(run.folder / ENVIRONMENT),
    }


def _name(run: Run) -> str:
    data = run.config.get("data")
    source = data.get("source") if isinstance(data, dict) else None
    return Path(str(source)).name or str(source)


def _n_skipped(run: Run) -> int:
    path = run.folder / SKIPPED
    try:
        return len(path.read_text(encoding="utf-8").splitlines()) - 1 if path.exists() else 0
    except (OSError, ValueError) as error:
        raise damaged(path, error) from error


def _reviewed(run: Run, decisions: dict[str, Decision]) -> dict[str, int]:
    """How many labels a person kept, changed, dropped and skipped, and how often the suggestion was taken."""
    found = {action: sum(d.action == action for d in decisions.values()) for action in ACTIONS}
    doubted = run.issues[run.issues["given_label"] != run.issues["suggested_label"]]
    suggested = dict(zip(doubted["id"], doubted["suggested_label"].astype(str), strict=True))
    taken = sum(d.action == "relabel" and d.label == suggested.get(row) for row, d in decisions.items())
    return {**found, "taken": taken, "n": len(decisions)}


def _cards(run: Run, rows: Rows, decisions: dict[str, Decision], top: int) -> list[Card]:
    position = {label: k for k, label in enumerate(run.classes)}
    n_shown = min(top, max(LEAST, int(run.issues["is_issue"].sum())))
    cards = []
    for issue in run.issues.head(n_shown).to_dict("records"):
        row: Any = issue["id"]
        look, decision = rows.look(row), decisions.get(row)
        url, problem = thumbnail(look, SIDE)
        cards.append(
            Card(
                id=row,
                rank=issue["rank"],
                given=position[issue["given_label"]],
                suggested=position[issue["suggested_label"]],
                p_wrong=issue["p_wrong"],
                reason=issue["reason"],
                kind="" if issue.get("kind", "ok") in ("ok", "wrong_label") else str(issue["kind"]),
                verdict="" if decision is None else decision.action,
                truth=rows.truth.get(row),
                look=look,
                url=url,
                problem=problem,
            )
        )
    return cards
