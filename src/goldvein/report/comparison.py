"""Test accuracy before and after labels were mended, by a rule that favors neither."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from goldvein.errors import InputError
from goldvein.report.facts import Z, wilson

if TYPE_CHECKING:
    from goldvein.data.dataset import Dataset
    from goldvein.runs import Run

    Read = Callable[[Run], Dataset]


@dataclass(frozen=True)
class Accuracy:
    """Accuracy on ``n`` test labels, with its interval (95 %)."""

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
    """Accuracy before and after, on the same test labels, or why there is none."""

    rows: list[Accuracy]
    rule: str
    difference: tuple[float, float, float] | None = None  # with its interval


AS_THEY_CAME = (
    "Judged on test labels as they came: none of them was cleaned, dropped or chosen by a model. "
    "If they are noisy too, both figures are lower than the true ones."
)


def compare(run: Run, before: Run | None, test: Read | None) -> Comparison:
    """Test accuracy of a run, and of the one before it, by one rule: nobody touches the test labels.

    Parameters
    ----------
    run : Run
    before : Run, optional
        By default what ``goldvein train --decisions`` noted of the run that was reviewed.
    test : callable, optional
        Reads labeled rows that neither run was trained on the way a run reads its inputs: columns and vocabulary are
        the run's own. By default the test set of a standard data set.

    Raises
    ------
    InputError
        If the test rows have no label, there are none to compare by, or the two runs were not judged on the same
        test labels.
    """
    if test is not None:
        return _on(test, run, before)
    after = _noted("this run", run.metrics)
    earlier = _noted("before", before.metrics if before else _reviewed(run).get("before"))
    if after is None and before is not None:
        raise InputError("this run was not judged on test labels: give --test DATA to compare it with the run before")
    if after is None:
        return Comparison([], "")
    if earlier is None or (before is None and earlier.n != after.n):
        return Comparison([after], AS_THEY_CAME)
    if earlier.n != after.n:
        raise InputError(
            f"the run before was judged on {earlier.n:,} test labels and this one on {after.n:,}: "
            "they are not to be compared; give --test and one file for both"
        )
    gap = after.share - earlier.share
    half = Z * math.sqrt(sum(a.share * (1 - a.share) / a.n for a in (earlier, after)))
    return Comparison([earlier, after], AS_THEY_CAME, (gap, gap - half, gap + half))


def _reviewed(run: Run) -> Mapping[str, Any]:
    found = run.config.get("decisions")
    return found if isinstance(found, dict) else {}


def _noted(name: str, metrics: Any) -> Accuracy | None:
    if not isinstance(metrics, dict) or not metrics.get("n_test") or metrics.get("test_accuracy") is None:
        return None
    n = int(metrics["n_test"])
    return Accuracy(name, round(metrics["test_accuracy"] * n), n)


def _on(test: Read, run: Run, before: Run | None) -> Comparison:
    truth, after = _hits(test, run)
    n = len(truth)
    if before is None:
        return Comparison([Accuracy("this run", after.sum(), n)], AS_THEY_CAME)
    same, earlier = _hits(test, before)
    if not np.array_equal(same, truth):
        what = f"the test rows have other labels for {before.folder}, which was trained on other data"
        raise InputError(f"{what}: give the run before on the same data, or none")
    gains = after.astype(float) - earlier  # of the same rows, so what both get right cancels out
    gap, half = float(gains.mean()), Z * float(gains.std()) / math.sqrt(n)
    rows = [Accuracy("before", earlier.sum(), n), Accuracy("this run", after.sum(), n)]
    return Comparison(rows, AS_THEY_CAME, (gap, gap - half, gap + half))


def _hits(test: Read, run: Run) -> tuple[np.ndarray, np.ndarray]:
    """The labels of the test rows that have one, the true ones if these are known, and whether a run says the same."""
    rows = test(run)
    y = rows.y if rows.y_true is None else rows.y_true
    known = y >= 0
    if not known.any():
        column = run.config["spec"].get("label")
        where = f" in a column {column!r}" if column else ""
        raise InputError(f"{rows.name} has no label to judge by: give test rows with labels{where}")
    truth = np.array([str(rows.classes[code]) for code in y[known]])
    said = np.array([str(run.classes[k]) for k in run.predict_proba(rows).argmax(1)])
    return truth, said[known] == truth
