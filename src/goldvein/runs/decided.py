"""Decisions from wherever they lie."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from goldvein.errors import InputError
from goldvein.runs import load
from goldvein.runs.apply import check_known, check_labels
from goldvein.runs.decisions import ACTIONS, FILE, Decision, Log
from goldvein.runs.exchange import read_file

if TYPE_CHECKING:
    from goldvein.runs import Run


def read(path: str | Path) -> dict[str, Decision]:
    """Decisions by the id of the row.

    Parameters
    ----------
    path : str or Path
        A run folder that was reviewed, its ``decisions.sqlite``, or a file that ``goldvein review --export`` wrote.

    Raises
    ------
    InputError
        If there is no such file, or it holds anything else.

    Examples
    --------
    >>> read("/nowhere")
    Traceback (most recent call last):
    ...
    goldvein.errors.InputError: /nowhere holds no decisions: give a reviewed run folder, or a file of decisions
    """
    path = Path(path)
    log = path / FILE if path.is_dir() else path
    if not log.is_file():
        raise InputError(f"{path} holds no decisions: give a reviewed run folder, or a file of decisions")
    if log.suffix.lower() != ".sqlite":
        return read_file(log)
    opened = Log(log)
    try:
        return opened.current()
    finally:
        opened.close()


def of_run(run: Run) -> dict[str, Decision]:
    """The decisions that lie in a run folder, none where it was not reviewed.

    Raises
    ------
    InputError
        If they are about rows or classes that the run does not have, or the file is damaged.
    """
    if not (run.folder / FILE).exists():
        return {}
    decisions = read(run.folder)
    check(decisions, run)
    return decisions


def check(decisions: Mapping[str, Decision], run: Run) -> None:
    """Refuse decisions about rows or classes that a run does not have.

    Raises
    ------
    InputError
        With the first such id or label.
    """
    check_known(decisions, set(run.predictions["id"]), f"the run {run.folder}")
    check_labels(decisions, run.classes)


def account(path: str | Path, decisions: Mapping[str, Decision]) -> dict[str, Any]:
    """What ``config.json`` of a run keeps of the decisions that it was trained with.

    Returns
    -------
    dict
        ``source``; ``n`` and the number of each action; of a run folder also ``before``, how well that run did on its
        test labels, and on which data.
    """
    counts = {action: sum(d.action == action for d in decisions.values()) for action in ACTIONS}
    found: dict[str, Any] = {"source": str(path), "n": len(decisions), **counts}
    if Path(path).is_dir():
        run = load(path)
        found["before"] = {key: run.metrics.get(key) for key in ("n_test", "test_accuracy", "noise_rate", "n_issues")}
    return found
