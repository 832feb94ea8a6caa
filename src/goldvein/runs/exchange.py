"""Decisions as files for other tools: CSV, Label Studio's JSON, and a table with cleanlab's columns."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from goldvein.errors import InputError, unknown
from goldvein.files import write_text
from goldvein.runs.decisions import ACTIONS, Decision
from goldvein.runs.folder import check_new
from goldvein.runs.tables import as_json, write_table

if TYPE_CHECKING:
    import pandas as pd

FORMS = ("csv", "label-studio", "cleanlab")
SUFFIXES = {".csv": "csv", ".json": "label-studio"}
LONGEST_CELL = 2**31 - 1


def export(
    path: Path,
    issues: pd.DataFrame,
    decisions: Mapping[str, Decision],
    *,
    form: str | None = None,
    content: Callable[[str], dict[str, Any]] = lambda row: {},
) -> int:
    """Write decisions to a new file.

    Parameters
    ----------
    path : Path
    issues : DataFrame
        The labels of the run, worst first.
    decisions : mapping of id to Decision
    form : one of :data:`FORMS`, optional
        ``csv``: a line for each decision. ``label-studio``: a task for each decision and for each label that is
        marked as an issue, so that the rest can be decided there. ``cleanlab``: a line for each label, with
        cleanlab's columns and the corrected label beside them. By default as the name of the file ends.
    content : callable, optional
        What Label Studio is to show of a row, by its id: ``{"image": path}``, ``{"text": ...}`` or values.

    Returns
    -------
    int
        Labels in the file.

    Raises
    ------
    InputError
        For an unknown form, or a file that exists.
    """
    form = form or SUFFIXES.get(path.suffix.lower())
    if form not in FORMS:
        if form is None:
            known = ", ".join(FORMS)
            raise InputError(f"{path.name} does not tell a form: end it in .csv or .json, or give --format ({known})")
        raise unknown("form of decisions", form, FORMS)
    check_new(path)
    table = _beside(issues, decisions)
    if form == "label-studio":
        lines: list[dict[str, Any]] = [dict(line) for line in table.to_dict("records")]  # type: ignore[arg-type]
        tasks = [task for line in lines if (task := _task(line, decisions.get(line["id"]), content))]
        write_text(path, "[\n" + ",\n".join(map(as_json, tasks)) + "\n]\n")
        return len(tasks)
    if form == "csv":
        columns = ["id", "given_label", "suggested_label", "action", "label", "at"]
        table = table[table["action"] != ""][columns]
        write_table(path, table)
    else:
        names = {"is_issue": "is_label_issue", "suggested_label": "predicted_label", "label": "corrected_label"}
        columns = ["id", "is_label_issue", "label_quality", "given_label", "predicted_label"]
        write_table(path, table.rename(columns=names)[[*columns, "corrected_label", "action"]])
    return len(table)


def read_file(path: Path) -> dict[str, Decision]:
    """Decisions by id from a file that :func:`export` wrote, or that another tool wrote in one of these forms.

    A table needs the columns ``id`` and ``label`` (or ``corrected_label``), and may have ``action`` and
    ``given_label``; a line with neither action nor label is undecided. In Label Studio's JSON the last annotation of
    a task counts, and ``data.id`` names the row.

    Raises
    ------
    InputError
        If the file cannot be read so, with the line or the id at fault. Ids and labels are not checked here.
    """
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path} cannot be read ({error}): give a file in UTF-8") from error
    found = _tasks(path, text) if path.suffix.lower() == ".json" else _table(path, text)
    decisions: dict[str, Decision] = {}
    for row, decision in found:
        if row in decisions:
            raise InputError(f"{path} decides twice on id {row!r}: leave one of the two")
        decisions[row] = decision
    return decisions


def _beside(issues: pd.DataFrame, decisions: Mapping[str, Decision]) -> pd.DataFrame:
    """The issues, and below them decided rows that had no label, with what was decided."""
    import pandas as pd

    known = set(issues["id"])
    extra = pd.DataFrame({"id": [row for row in decisions if row not in known]})
    table = issues if extra.empty else pd.concat([issues, extra], ignore_index=True)
    table = table.assign(is_issue=table["is_issue"].eq(True))
    for name in ("given_label", "suggested_label"):
        table[name] = table[name].where(table[name].notna(), "").astype(str)
    made = [decisions.get(row) for row in table["id"]]
    table["action"] = ["" if d is None else d.action for d in made]
    table["label"] = ["" if d is None or d.label is None else d.label for d in made]
    return table.assign(at=["" if d is None else d.at for d in made])


def _task(
    line: dict[str, Any], decision: Decision | None, content: Callable[[str], dict[str, Any]]
) -> dict[str, Any] | None:
    """A task of Label Studio; None for a label that is neither decided on nor doubted."""
    if decision is None and not line["is_issue"]:
        return None
    named = ("id", "given_label", "suggested_label", "label_quality")
    task: dict[str, Any] = {"data": {**content(line["id"]), **{name: line[name] for name in named}}}
    suggested, quality = line["suggested_label"], line["label_quality"]
    task["predictions"] = [{"result": [_choice("label", suggested)], "score": 1 - quality}] if suggested else []
    task["annotations"] = []
    if decision is not None:
        chosen = ("label", decision.label) if decision.label is not None else ("action", "drop")
        skipped = decision.action == "skip"
        result = [] if skipped else [_choice(*chosen)]
        task["annotations"] = [{"result": result, "was_cancelled": skipped, "created_at": decision.at}]
    return task


def _choice(name: str, value: str) -> dict[str, Any]:
    return {"from_name": name, "to_name": "row", "type": "choices", "value": {"choices": [value]}}


def _table(path: Path, text: str) -> Iterator[tuple[str, Decision]]:
    before = csv.field_size_limit(LONGEST_CELL)
    try:
        reader = csv.DictReader(io.StringIO(text, newline=""), strict=True)
        header, lines = list(reader.fieldnames or ()), list(reader)
    except csv.Error as error:
        raise InputError(f"{path} is no CSV ({error}): double the quotes inside a cell") from error
    finally:
        csv.field_size_limit(before)
    label_name = "label" if "label" in header else "corrected_label"
    if not {"id", label_name} <= set(header):
        raise InputError(f"{path} has the columns {', '.join(header) or 'of nothing'}: it must have id and label")
    for number, line in enumerate(lines, start=1):
        row, label, action = (line.get(name) or "" for name in ("id", label_name, "action"))
        if not action and not label:
            continue
        if not action or (action == "keep" and not label):
            given = line.get("given_label") or ""
            label = label or given
            action = action or ("keep" if label == given else "relabel")
        where = f"{path}, row {number}: id {row!r}"
        if action not in ACTIONS:
            raise InputError(f"{where} has the action {action!r}: it must be one of {', '.join(ACTIONS)}")
        yield row, _decision(where, action, label, line.get("at") or "")


def _decision(where: str, action: str, label: str, at: str) -> Decision:
    labeled = action in ("keep", "relabel")
    if labeled and not label:
        raise InputError(f"{where} has the action {action} and no label: give the label")
    return Decision(action, label if labeled else None, at)


def _tasks(path: Path, text: str) -> Iterator[tuple[str, Decision]]:
    try:
        tasks = json.loads(text)
        if not isinstance(tasks, list):
            raise ValueError("it holds no list of tasks")
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path} is not Label Studio's JSON ({error}): export it as JSON there") from error
    for number, task in enumerate(tasks, start=1):
        where = f"{path}, task {number}"
        try:
            data = task["data"]
            row, given, annotations = str(data["id"]), str(data.get("given_label", "")), task.get("annotations", [])
            if annotations:
                yield row, _annotated(f"{where}: id {row!r}", given, annotations[-1])
        except (KeyError, TypeError, AttributeError, IndexError) as error:
            raise InputError(f"{where} cannot be read ({error!r}): each needs data.id and annotations") from error


def _annotated(where: str, given: str, annotation: dict[str, Any]) -> Decision:
    at = annotation.get("created_at") or ""
    if annotation.get("was_cancelled"):
        return Decision("skip", None, at)
    choices = [result for result in annotation["result"] if result["type"] == "choices"]
    chosen = {result["from_name"]: result["value"]["choices"] for result in choices}
    if chosen.get("action") == ["drop"]:
        return Decision("drop", None, at)
    labels = [label for name, values in chosen.items() if name != "action" for label in values]
    if len(labels) != 1:
        raise InputError(f"{where} has {len(labels)} labels: it must have one")
    return Decision("keep" if labels[0] == given else "relabel", labels[0], at)
