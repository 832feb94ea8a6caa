"""A data set with the labels that a person decided on, marked as trusted."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

import numpy as np

from goldvein.data.dataset import Dataset
from goldvein.errors import InputError, unknown
from goldvein.runs.decisions import Decision


def apply(dataset: Dataset, decisions: Mapping[str, Decision]) -> Dataset:
    """The data set with decided labels in place of given ones.

    A kept or changed label is trusted from then on; a dropped one becomes missing; a skipped row stays as it was.
    ``y_before`` keeps what was given. Only training labels are touched: the test set is the same object before and
    after.

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
        If an id is not one of the data set's, or a label is none of its classes.

    Examples
    --------
    >>> y, ids = np.array([0, 1]), np.array(["a", "b"])
    >>> data = Dataset("made", "vector", np.zeros((2, 1), dtype=np.float32), y, ("cat", "dog"), ids)
    >>> mended = apply(data, {"b": Decision("relabel", "cat")})
    >>> mended.y.tolist(), mended.trusted.tolist()
    ([0, 0], [False, True])
    """
    row_of = {row: k for k, row in enumerate(dataset.ids.tolist())}
    check_known(decisions, row_of, "the data")
    check_labels(decisions, dataset.classes)
    code_of = {str(label): k for k, label in enumerate(dataset.classes)}
    y = dataset.y.copy()
    trusted = np.zeros(len(y), dtype=bool) if dataset.trusted is None else dataset.trusted.copy()
    for row, decision in decisions.items():
        if decision.action == "skip":
            continue
        k = row_of[row]
        y[k] = -1 if decision.label is None else code_of[decision.label]
        trusted[k] = decision.label is not None
    return replace(dataset, y=y, trusted=trusted, y_before=dataset.y)


def check_known(decisions: Iterable[str], known: Mapping[str, object] | set[str], where: str) -> None:
    """Refuse decisions about rows that are not there.

    Raises
    ------
    InputError
        With the first such id, and how many there are.
    """
    strangers = [row for row in decisions if row not in known]
    if strangers:
        more = f" (and {len(strangers) - 1} more)" if len(strangers) > 1 else ""
        raise InputError(
            f"id {strangers[0]!r}{more} is decided on but not in {where}: give the decisions that belong to it"
        )


def check_labels(decisions: Mapping[str, Decision], classes: Iterable[str | int]) -> None:
    """Refuse labels that are none of the classes.

    Raises
    ------
    InputError
        With the first such label and the id that it was decided for.
    """
    known = {str(label) for label in classes}
    for row, decision in decisions.items():
        if decision.label is not None and decision.label not in known:
            raise unknown(f"label for id {row!r}:", decision.label, known)
