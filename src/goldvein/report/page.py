"""The report of a run: one HTML file that needs no other file, no network and no server."""

from __future__ import annotations

import base64
import csv
import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from jinja2 import Environment, PackageLoader, StrictUndefined, Template

from goldvein.files import write_text
from goldvein.report import charts, facts
from goldvein.report.appearance import DataView, RowView, make_thumbnail
from goldvein.report.comparison import compare
from goldvein.report.sheet import sample_pictures
from goldvein.report.thumbnails import SIDE
from goldvein.runs.apply import decisions_of
from goldvein.runs.decisions import ACTIONS, Decision
from goldvein.runs.folder import ENVIRONMENT, SKIPPED, damaged
from goldvein.runs.tables import read_json

if TYPE_CHECKING:
    from goldvein.report.comparison import ReadTest
    from goldvein.runs import SavedRun

TOP = 200  # labels in the gallery
LEAST = 12  # labels that the gallery shows even if none of them is an issue
LONGEST_TEXT, MOST_VALUES = 480, 16  # most characters and most values on a card
CONFUSIONS, CURVES = 8, 6  # most pairs of confused classes, most curves of training


@dataclass(frozen=True)
class Card:
    """A suspicious label in the gallery."""

    id: str
    rank: int
    given: int
    suggested: int
    p_wrong: float
    reason: str
    kind: str
    decision: str
    truth: str | None
    view: RowView
    url: str | None = None
    problem: str | None = None


def write_report(
    path: Path,
    run: SavedRun,
    data: DataView,
    *,
    top: int = TOP,
    before: SavedRun | None = None,
    test: ReadTest | None = None,
) -> int:
    """Write the report of a run.

    Parameters
    ----------
    path : Path
        The file. An older file of that name is replaced once the new one is complete.
    run : SavedRun
    data : DataView
        From :func:`goldvein.report.appearance.open_data`.
    top : int
        Most labels in the gallery.
    before, test : optional
        See :func:`goldvein.report.comparison.compare`.

    Returns
    -------
    int
        Number of rows that could not be shown; the page says why for each of them.

    Raises
    ------
    InputError
        If a file of the run is damaged, its decisions are about other rows, or the report cannot be written.
    """
    decisions = decisions_of(run)
    cards = _cards(run, data, decisions, top)
    page = load_template("report.html").render(
        **_numbers(run, data, decisions),
        strips=sample_pictures(run, data),
        cards=cards,
        pictures=any(card.view.is_picture for card in cards),
        longest_text=LONGEST_TEXT,
        most_values=MOST_VALUES,
        n_absent=sum(card.problem is not None for card in cards),
        comparison=compare(run, before, test),
    )
    write_text(path, page)
    return sum(card.problem is not None for card in cards)


def load_template(name: str) -> Template:
    """Return a page of ``templates/``, which escapes all values."""
    environment = Environment(
        # labels, ids and texts of the user must never become HTML; a misspelled value must not become an empty one
        loader=PackageLoader("goldvein.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
    )
    environment.filters["shorten"] = charts.shorten
    environment.filters["percent"] = charts.percent
    environment.globals["allow_only"] = allow_only
    return environment.get_template(name)


def allow_only(text: str) -> str:
    """Return the source of a content security policy that allows only this inline script or style."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(str(text).encode()).digest()).decode('ascii')}'"


def _numbers(run: SavedRun, data: DataView, decisions: dict[str, Decision]) -> dict[str, object]:
    """Return the values of the page, without the gallery and the comparison."""
    metrics, epochs = run.metrics, facts.read_history(run)
    source = str(run.config["data"].get("source", "unknown data"))
    stages = [epoch.get("stage", 0) for epoch in epochs]
    calibration = facts.measure_calibration(run, data.truth, decisions)
    return {
        "name": Path(source).name or source,
        "classes": [str(label) for label in run.classes],
        "metrics": metrics,
        "interval": facts.noise_interval(metrics, run.issues["p_wrong"]),
        "matrix": charts.draw_matrix(np.array(metrics["transition"], dtype=float), run.classes),
        "confusions": facts.count_confusions(run.issues, run.classes, CONFUSIONS),
        "by_class": facts.summarize_classes(run.issues, run.classes, metrics),
        "curves": [
            (name.replace("_", " "), charts.draw_curve(name, values, stages))
            for name, values in list(facts.collect_series(epochs).items())[:CURVES]
        ],
        "held_out": next((e["validation_accuracy"] for e in reversed(epochs) if e.get("validation_accuracy")), None),
        "trust": facts.describe_trust(metrics),
        "calibration": calibration,
        "calibration_chart": charts.draw_calibration(calibration.bins, calibration.x_label, calibration.y_label),
        "skipped": _n_skipped(run),
        "reviewed": _reviewed(run, decisions),
        "config": run.config,
        "environment": read_json(run.folder / ENVIRONMENT),
    }


def _n_skipped(run: SavedRun) -> int:
    path = run.folder / SKIPPED
    try:
        if not path.exists():
            return 0
        with path.open(encoding="utf-8", newline="") as file:
            return sum(1 for _ in csv.reader(file)) - 1  # a path in quotes may contain line ends
    except (OSError, ValueError, csv.Error) as error:
        raise damaged(path, error) from error


def _reviewed(run: SavedRun, decisions: dict[str, Decision]) -> dict[str, int]:
    """Return the number of decisions, of each action, and of those that accept the suggested label."""
    counts = {action: sum(d.action == action for d in decisions.values()) for action in ACTIONS}
    changed = run.issues[run.issues["given_label"] != run.issues["suggested_label"]]
    suggested = dict(zip(changed["id"], changed["suggested_label"].astype(str), strict=True))
    accepted = sum(d.action == "relabel" and d.label == suggested.get(row) for row, d in decisions.items())
    return {**counts, "accepted": accepted, "n": len(decisions)}


def _cards(run: SavedRun, data: DataView, decisions: dict[str, Decision], top: int) -> list[Card]:
    position = {label: k for k, label in enumerate(run.classes)}
    n_shown = min(top, max(LEAST, int(run.issues["is_issue"].sum())))
    cards = []
    for issue in run.issues.head(n_shown).to_dict("records"):
        row: Any = issue["id"]
        view, decision = data.row(row), decisions.get(row)
        url, problem = make_thumbnail(view, SIDE)
        cards.append(
            Card(
                id=row,
                rank=issue["rank"],
                given=position[issue["given_label"]],
                suggested=position[issue["suggested_label"]],
                p_wrong=issue["p_wrong"],
                reason=issue["reason"],
                kind="" if issue.get("kind", "ok") in ("ok", "wrong_label") else str(issue["kind"]),
                decision="" if decision is None else decision.action,
                truth=data.truth.get(row),
                view=view,
                url=url,
                problem=problem,
            )
        )
    return cards
