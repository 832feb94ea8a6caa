"""Test accuracy of a run and of an earlier one, measured on the same test labels."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from goldvein.errors import InputError
from goldvein.report.facts import Z, wilson

if TYPE_CHECKING:
    from goldvein.data.dataset import Dataset
    from goldvein.runs import SavedRun
    from goldvein.runs.contents import Before, Metrics

    ReadTest = Callable[[SavedRun], Dataset]


@dataclass(frozen=True)
class Accuracy:
    """Accuracy of a run on ``n`` test labels, with its 95 % interval."""

    name: str
    hits: float
    n: int

    @property
    def share(self) -> float:
        return self.hits / self.n

    @property
    def interval(self) -> tuple[float, float]:
        return wilson(self.hits, self.n)


@dataclass(frozen=True)
class Comparison:
    """Accuracies of the earlier run and of this one; empty without test labels."""

    rows: list[Accuracy]
    difference: tuple[float, float, float] | None = None  # with its 95 % interval


def compare(run: SavedRun, before: SavedRun | None, test: ReadTest | None) -> Comparison:
    """Compare the test accuracy of a run with that of an earlier run.

    Parameters
    ----------
    run : SavedRun
    before : SavedRun, optional
        The earlier run; by default the reviewed run that ``goldvein train --decisions`` recorded.
    test : callable, optional
        Reads labeled rows that neither run was trained on. It reads them once per run, with the columns and the
        vocabulary of that run. By default the test set of a standard data set is used.

    Raises
    ------
    InputError
        If the test rows have no label, there are no test rows, or the two runs were tested on different labels.
    """
    if test is not None:
        return _compare_on(test, run, before)
    after = _recorded("this run", run.metrics)
    earlier = _recorded("before", before.metrics if before else run.config["decisions"].get("before"))
    if after is None and before is not None:
        raise InputError("this run has no test accuracy: give --test DATA to compare it with the earlier run")
    if after is None:
        return Comparison([])
    if earlier is None or (before is None and earlier.n != after.n):
        return Comparison([after])
    if earlier.n != after.n:
        raise InputError(
            f"the earlier run was tested on {earlier.n:,} labels and this run on {after.n:,}, "
            "so they cannot be compared: give test rows for both with --test"
        )
    gap = after.share - earlier.share
    # unpaired: the runs store how many rows were right, but not which
    half = Z * math.sqrt(sum(a.share * (1 - a.share) / a.n for a in (earlier, after)))
    return Comparison([earlier, after], (gap, gap - half, gap + half))


def _recorded(name: str, metrics: Metrics | Before | None) -> Accuracy | None:
    """Return the accuracy in the metrics of a run, if there is one."""
    n, accuracy = (metrics.get("n_test"), metrics.get("test_accuracy")) if isinstance(metrics, dict) else (None, None)
    # a run stores the share, so the number of hits is exact only after rounding
    return Accuracy(name, round(accuracy * n), n) if n and accuracy is not None else None


def _compare_on(test: ReadTest, run: SavedRun, before: SavedRun | None) -> Comparison:
    truth, after = _hits(test, run)
    n = len(truth)
    if before is None:
        return Comparison([Accuracy("this run", after.sum(), n)])
    same, earlier = _hits(test, before)
    if not np.array_equal(same, truth):
        raise InputError(
            f"the test rows have other labels for {before.folder}, which was trained on other data: "
            "compare with an earlier run on the same data, or leave out --before"
        )
    gains = after.astype(float) - earlier  # paired: rows that both runs predict right add no variance
    gap, half = float(gains.mean()), Z * float(gains.std()) / math.sqrt(n)
    rows = [Accuracy("before", earlier.sum(), n), Accuracy("this run", after.sum(), n)]
    return Comparison(rows, (gap, gap - half, gap + half))


def _hits(test: ReadTest, run: SavedRun) -> tuple[NDArray[np.str_], NDArray[np.bool_]]:
    """Return the labels of the labeled test rows (the true ones if known) and whether the run predicts them."""
    rows = test(run)
    y = rows.y if rows.y_true is None else rows.y_true
    known = y >= 0
    if not known.any():
        column = run.config["spec"].get("label")
        where = f" in a column {column!r}" if column else ""
        raise InputError(f"{rows.name} contains no label: give test rows with labels{where}")
    # compared by name, because each run has its own order of classes
    truth = np.array([str(rows.classes[code]) for code in y[known]])
    predicted = np.array([str(run.classes[k]) for k in run.predict_proba(rows).argmax(1)])
    return truth, predicted[known] == truth
