"""Decisions read from a review log, and exchanged with other tools as CSV, Label Studio JSON or cleanlab columns."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

from goldvein.errors import InputError, unknown
from goldvein.files import write_text
from goldvein.runs.decisions import ACTIONS, FILE, Decision, Log
from goldvein.runs.folder import check_new_file
from goldvein.runs.tables import as_json, write_table

if TYPE_CHECKING:
    import pandas as pd

FORMS = ("csv", "label-studio", "cleanlab")
SUFFIXES = {".csv": "csv", ".json": "label-studio"}
LONGEST_CELL = 2**31 - 1  # the largest limit that the csv module accepts on every system


def read_decisions(path: str | Path) -> dict[str, Decision]:
    """Return decisions by the id of the row.

    Parameters
    ----------
    path : str or Path
        A reviewed run folder, its ``decisions.sqlite``, or a file that ``goldvein review --export`` wrote.

    Raises
    ------
    InputError
        If the file does not exist or contains anything else.

    Examples
    --------
    >>> read_decisions("/nowhere")
    Traceback (most recent call last):
    ...
    goldvein.errors.InputError: /nowhere contains no decisions: give a reviewed run folder or a file of decisions
    """
    path = Path(path)
    file = path / FILE if path.is_dir() else path
    if not file.is_file():
        raise InputError(f"{path} contains no decisions: give a reviewed run folder or a file of decisions")
    if file.suffix.lower() != ".sqlite":
        return read_decision_file(file)
    with closing(Log(file)) as log:
        return log.current()


def export_decisions(
    path: Path,
    issues: pd.DataFrame,
    decisions: Mapping[str, Decision],
    *,
    form: str | None = None,
    content: Callable[[str], dict[str, str]] = lambda row: {},
) -> int:
    """Write decisions to a new file.

    Parameters
    ----------
    path : Path
    issues : DataFrame
        The labels of the run, worst first.
    decisions : mapping of id to Decision
    form : one of :data:`FORMS`, optional
        ``csv``: one line per decision. ``label-studio``: one task per decision and per issue without a decision, so
        that the review can continue there. ``cleanlab``: one line per label, with the columns of cleanlab and the
        corrected label. The default follows from the suffix of the file.
    content : callable, optional
        Returns what Label Studio shows of a row, by its id: ``{"image": path}``, ``{"text": ...}`` or values.

    Returns
    -------
    int
        Number of labels in the file.

    Raises
    ------
    InputError
        If the form is unknown or the file exists.
    """
    form = form or SUFFIXES.get(path.suffix.lower())
    if form not in FORMS:
        if form is None:
            raise InputError(
                f"{path.name} has no suffix of a known format: name it .csv or .json, or set --format to one of "
                f"{', '.join(FORMS)}"
            )
        raise unknown("format of decisions", form, FORMS)
    check_new_file(path)
    table = _join(issues, decisions)
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


def read_decision_file(path: Path) -> dict[str, Decision]:
    """Return decisions by id from a file that :func:`export_decisions` or another tool wrote.

    A table has the columns ``id`` and ``label`` (or ``corrected_label``), and optionally ``action`` and
    ``given_label``. A line without action and label contains no decision. In the JSON of Label Studio, ``data.id`` is
    the id of the row, and the last annotation of a task is its decision.

    Raises
    ------
    InputError
        If the file cannot be read, with the line or the id of the fault. Ids and labels are not compared with a run.
    """
    try:
        text = path.read_bytes().decode("utf-8-sig")  # spreadsheets write a byte order mark
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path} cannot be read ({error}): give a text file in UTF-8") from error
    found = _tasks(path, text) if path.suffix.lower() == ".json" else _table(path, text)
    decisions: dict[str, Decision] = {}
    for row, decision in found:
        if row in decisions:
            raise InputError(f"{path} has two decisions for id {row!r}: remove one of them")
        decisions[row] = decision
    return decisions


def _join(issues: pd.DataFrame, decisions: Mapping[str, Decision]) -> pd.DataFrame:
    """Return the issues with their decisions; rows that had no label but have a decision are added at the end."""
    import pandas as pd

    labeled = set(issues["id"])
    extra = pd.DataFrame({"id": [row for row in decisions if row not in labeled]})
    table = issues if extra.empty else pd.concat([issues, extra], ignore_index=True)
    table = table.assign(is_issue=table["is_issue"].eq(True))  # added rows have NaN
    for name in ("given_label", "suggested_label"):
        table[name] = table[name].where(table[name].notna(), "").astype(str)
    made = [decisions.get(row) for row in table["id"]]
    table["action"] = ["" if d is None else d.action for d in made]
    table["label"] = ["" if d is None or d.label is None else d.label for d in made]
    return table.assign(at=["" if d is None else d.at for d in made])


def _task(
    line: dict[str, Any], decision: Decision | None, content: Callable[[str], dict[str, str]]
) -> dict[str, Any] | None:
    """Return a task of Label Studio; None for a label that has no decision and is not an issue."""
    if decision is None and not line["is_issue"]:
        return None
    columns = ("id", "given_label", "suggested_label", "label_quality")
    task: dict[str, Any] = {"data": {**content(line["id"]), **{name: line[name] for name in columns}}}
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
        raise InputError(
            f"{path} is not valid CSV ({error}): write a quote inside a quoted cell as two quotes"
        ) from error
    finally:
        csv.field_size_limit(before)  # the limit belongs to the whole process
    label_name = "label" if "label" in header else "corrected_label"
    if not {"id", label_name} <= set(header):
        found = f"the columns {', '.join(header)}" if header else "no columns"
        raise InputError(f"{path} has {found}: it must have the columns id and label")
    for number, line in enumerate(lines, start=1):
        row, label, action = (line.get(name) or "" for name in ("id", label_name, "action"))
        if not action and not label:
            continue
        if not action or (action == "keep" and not label):  # filled in by hand, with one column empty
            given = line.get("given_label") or ""
            label = label or given
            action = action or ("keep" if label == given else "relabel")
        where = f"{path}, row {number}: id {row!r}"
        if action not in ACTIONS:
            raise InputError(f"{where} has the action {action!r}: use one of {', '.join(ACTIONS)}")
        yield row, _decision(where, action, label, line.get("at") or "")


def _decision(where: str, action: str, label: str, at: str) -> Decision:
    labeled = action in ("keep", "relabel")
    if labeled and not label:
        raise InputError(f"{where} has the action {action} but no label: add the label")
    return Decision(action, label if labeled else None, at)


def _tasks(path: Path, text: str) -> Iterator[tuple[str, Decision]]:
    try:
        tasks = json.loads(text)
        if not isinstance(tasks, list):
            raise ValueError("it is not a list of tasks")
    except (ValueError, RecursionError) as error:  # RecursionError: JSON that is nested too deeply
        raise InputError(
            f"{path} is not JSON of Label Studio ({error}): export it from Label Studio as JSON"
        ) from error
    for number, task in enumerate(tasks, start=1):
        where = f"{path}, task {number}"
        try:
            data = task["data"]
            row, given, annotations = str(data["id"]), str(data.get("given_label", "")), task.get("annotations", [])
            if annotations:
                yield row, _annotated(f"{where}: id {row!r}", given, annotations[-1])
        except (KeyError, TypeError, AttributeError, IndexError) as error:
            raise InputError(f"{where} cannot be read ({error!r}): each task needs data.id and annotations") from error


def _annotated(where: str, given: str, annotation: dict[str, Any]) -> Decision:
    at = annotation.get("created_at") or ""
    if annotation.get("was_cancelled"):  # how Label Studio marks a skipped task
        return Decision("skip", None, at)
    choices = [result for result in annotation["result"] if result["type"] == "choices"]
    chosen = {result["from_name"]: result["value"]["choices"] for result in choices}
    if chosen.get("action") == ["drop"]:
        return Decision("drop", None, at)
    labels = [label for name, values in chosen.items() if name != "action" for label in values]
    if len(labels) != 1:
        raise InputError(f"{where} has {len(labels)} labels: give it exactly one")
    return Decision("keep" if labels[0] == given else "relabel", labels[0], at)
