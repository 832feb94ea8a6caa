"""The decisions about a run: checked, counted, and applied to its data set."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np

from goldvein.data.dataset import Dataset
from goldvein.errors import InputError, unknown
from goldvein.runs.contents import DecisionSummary
from goldvein.runs.decisions import FILE, Decision
from goldvein.runs.exchange import read_decisions
from goldvein.runs.reading import SavedRun, open_run


def apply_decisions(dataset: Dataset, decisions: Mapping[str, Decision]) -> Dataset:
    """Return the data set with the decided labels instead of the given ones.

    A label that was kept or changed becomes trusted. A dropped label becomes missing. A skipped row does not change.
    ``y_before`` contains the given labels. Only training labels change, never those of the test set.

    Parameters
    ----------
    dataset : Dataset
    decisions : mapping of id to Decision

    Returns
    -------
    Dataset

    Raises
    ------
    InputError
        If an id is not in the data set, or a label is not one of its classes.

    Examples
    --------
    >>> y, ids = np.array([0, 1]), np.array(["a", "b"])
    >>> data = Dataset("made", "vector", np.zeros((2, 1), dtype=np.float32), y, ("cat", "dog"), ids)
    >>> corrected = apply_decisions(data, {"b": Decision("relabel", "cat")})
    >>> corrected.y.tolist(), corrected.trusted.tolist()
    ([0, 0], [False, True])
    """
    row_of = {row: k for k, row in enumerate(dataset.ids.tolist())}
    _check(decisions, row_of, "the data", dataset.classes)
    code_of = {str(label): k for k, label in enumerate(dataset.classes)}  # decisions have labels as text
    y = dataset.y.copy()
    trusted = np.zeros(len(y), dtype=bool) if dataset.trusted is None else dataset.trusted.copy()
    for row, decision in decisions.items():
        if decision.action == "skip":
            continue
        k = row_of[row]
        y[k] = -1 if decision.label is None else code_of[decision.label]
        trusted[k] = decision.label is not None
    return replace(dataset, y=y, trusted=trusted, y_before=dataset.y)


def decisions_of(run: SavedRun) -> dict[str, Decision]:
    """Return the decisions in a run folder by the id of the row; empty if the run was not reviewed.

    Raises
    ------
    InputError
        If they are about rows or classes that the run does not have, or the file is damaged.
    """
    if not (run.folder / FILE).exists():
        return {}
    decisions = read_decisions(run.folder)
    check_decisions(decisions, run)
    return decisions


def check_decisions(decisions: Mapping[str, Decision], run: SavedRun) -> None:
    """Refuse decisions about rows or classes that a run does not have.

    Raises
    ------
    InputError
        With the first such id or label.
    """
    _check(decisions, set(run.predictions["id"]), f"the run {run.folder}", run.classes)


def summarize_decisions(path: str | Path, decisions: Mapping[str, Decision]) -> DecisionSummary:
    """Return the summary of decisions for the ``config.json`` of a run that is trained with them.

    Parameters
    ----------
    path : str or Path
        Where the decisions were read from. The metrics of a run folder are part of the summary.
    decisions : mapping of id to Decision
    """
    made = Counter(decision.action for decision in decisions.values())
    summary: DecisionSummary = {
        "source": str(path),
        "n": len(decisions),
        "keep": made["keep"],
        "relabel": made["relabel"],
        "drop": made["drop"],
        "skip": made["skip"],
    }
    if Path(path).is_dir():
        metrics = open_run(path).metrics
        summary["before"] = {
            "n_test": metrics.get("n_test"),
            "test_accuracy": metrics.get("test_accuracy"),
            "noise_rate": metrics["noise_rate"],
            "n_issues": metrics["n_issues"],
        }
    return summary


def _check(
    decisions: Mapping[str, Decision], ids: Mapping[str, int] | set[str], where: str, classes: Iterable[str | int]
) -> None:
    """Refuse decisions about other ids or classes."""
    strangers = [row for row in decisions if row not in ids]
    if strangers:
        more = f" (and {len(strangers) - 1} more)" if len(strangers) > 1 else ""
        raise InputError(
            f"id {strangers[0]!r}{more} has a decision but is not in {where}: use the decisions that belong to it"
        )
    labels = {str(label) for label in classes}
    for row, decision in decisions.items():
        if decision.label is not None and decision.label not in labels:
            raise unknown(f"label for id {row!r}:", decision.label, labels)
