"""The cross-fits of several classifiers on the same folds; hopeless and slow ones are left out after the first fold."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils import _safe_indexing

from goldvein.errors import InputError
from goldvein.estimators._cross_fit import FittedOn, fit_without
from goldvein.estimators._tasks import run_tasks

Floats = NDArray[np.floating[Any]]
Ints = NDArray[np.int64]
HOPELESS, ERRORS = 0.1, 3.0  # agreement below the best from which a member is left out, plus standard errors
FIT_ALL = 1.3  # time of a fit to all labels, in fits to four of five folds
FIRST_FOLD = 0.3  # share of the time limit after which no further member begins


class Race:
    """Cross-fits of classifiers to the same soft labels, and fits to all of them.

    Parameters
    ----------
    members : dict of str to classifier
    X : array, sparse matrix or DataFrame of n rows
    targets : ndarray of shape (n, K)
        Soft labels; a row of zeros is none.
    weight : ndarray of shape (n,), or None
        Weights of the rows.
    time_limit : float or None
        Seconds for :meth:`run` and two fits of :meth:`fit_all`.

    Attributes
    ----------
    seconds : dict of str to float
    notes : dict of str to str
        Why a member was left out.
    """

    def __init__(
        self, members: dict[str, Any], X: Any, targets: Floats, weight: Floats | None, time_limit: float | None
    ) -> None:
        self.members, self.X, self.targets, self.weight = members, X, targets, weight
        self.limit = np.inf if time_limit is None else time_limit
        self.started = time.perf_counter()
        self.seconds = dict.fromkeys(members, 0.0)
        self._each = dict.fromkeys(members, 0.0)  # seconds of the first fold, by which the others are foreseen
        self.notes: dict[str, str] = {}

    def run(self, deals: list[Ints]) -> dict[str, NDArray[np.float64]]:
        """Return out-of-fold probabilities (n, K) of each member that stays, the mean over deals; 0 without a label.

        Parameters
        ----------
        deals : list of ndarray of shape (n,)
            Folds of the rows, -1 without a label.

        Raises
        ------
        InputError
            If no member can be fitted.
        """
        first = self._first_fold(deals[0])
        if self._left(list(first), deals) > self._time_left():
            deals = deals[:1]
        self._leave_out_slow(first, deals)
        tasks = [
            (name, deal, k)
            for name in first
            for deal in deals
            for k in range(int(deal.max()) + 1)
            if not (deal is deals[0] and k == 0)
        ]
        found = {name: np.zeros(self.targets.shape) for name in first}
        for name, probs in first.items():
            found[name][deals[0] == 0] = probs
        expected = sum(self._each[name] for name, _, _ in tasks)
        work = [(self.members[name], self.X, self.targets, deal, k, self.weight) for name, deal, k in tasks]
        for (name, deal, k), (probs, seconds) in zip(tasks, run_tasks(_predict_fold, work, expected), strict=True):
            self.seconds[name] += seconds
            if isinstance(probs, Exception):
                self.notes[name] = f"failed: {_first_line(probs)}"
                found.pop(name, None)
            elif name in found:
                found[name][deal == k] += probs
        if not found:
            raise InputError(f"no classifier can be fitted to these rows: {'; '.join(self.notes.values())}")
        return {name: total / len(deals) for name, total in found.items()}

    def fit_all(self, names: list[str], goals: list[Floats]) -> dict[str, list[FittedOn]]:
        """Return each member fitted to all rows, once for each set of soft labels (n, K)."""
        work = [(self.members[name], self.X, goal, self.weight) for name in names for goal in goals]
        expected = self._left(names, [])
        done = run_tasks(FittedOn, work, expected)
        fitted: dict[str, list[FittedOn]] = {}
        for (name, _), (result, seconds) in zip(((n, g) for n in names for g in goals), done, strict=True):
            self.seconds[name] += seconds
            if isinstance(result, Exception):
                raise result  # it could be fitted to four of five folds
            fitted.setdefault(name, []).append(result)
        return fitted

    def _first_fold(self, deal: Ints) -> dict[str, NDArray[np.float64]]:
        """Return the probabilities of fold 0 of the members that are not hopeless."""
        test = np.flatnonzero(deal == 0)
        y = self.targets[test].argmax(1)
        first: dict[str, NDArray[np.float64]] = {}
        agree: dict[str, float] = {}
        for name, member in self.members.items():
            if first and self._time_left() < (1 - FIRST_FOLD) * self.limit:
                self.notes[name] = "left out: time limit"
                continue
            task = (member, self.X, self.targets, deal, 0, self.weight)
            [(probs, self._each[name])] = run_tasks(_predict_fold, [task], 0)
            self.seconds[name] = self._each[name]
            if isinstance(probs, Exception):
                self.notes[name] = f"failed: {_first_line(probs)}"
                continue
            first[name], agree[name] = probs, float((probs.argmax(1) == y).mean())
        if not first:
            raise InputError(f"no classifier can be fitted to these rows: {'; '.join(self.notes.values())}")
        best = max(agree.values())
        likely = (best * len(y) + 1) / (len(y) + 2)  # all of two test rows are right by luck, too
        allowed = HOPELESS + ERRORS * float(np.sqrt(likely * (1 - likely) / len(y)))
        for name in [name for name in first if agree[name] < best - allowed]:
            self.notes[name] = f"left out: agrees with {agree[name]:.0%} of unseen labels, the best one with {best:.0%}"
            del first[name]
        return first

    def _leave_out_slow(self, first: dict[str, Any], deals: list[Ints]) -> None:
        while len(first) > 1 and self._left(list(first), deals) > self._time_left():
            slowest = max(first, key=lambda name: self._each[name])
            self.notes[slowest] = "left out: time limit"
            del first[slowest]

    def _left(self, names: list[str], deals: list[Ints]) -> float:
        """Return the seconds of what is left: the other folds, and two fits to all rows."""
        folds = sum(int(deal.max()) + 1 for deal in deals)
        return sum(self._each[name] for name in names) * (max(0, folds - 1) + 2 * FIT_ALL)

    def _time_left(self) -> float:
        return self.limit - (time.perf_counter() - self.started)


def _predict_fold(
    estimator: Any, X: Any, targets: Floats, deal: Ints, k: int, weight: Floats | None
) -> NDArray[np.float64]:
    fitted = fit_without(estimator, X, targets, deal, k, weight)
    return fitted.predict_proba(_safe_indexing(X, np.flatnonzero(deal == k)))


def _first_line(error: Exception) -> str:
    return (str(error) or type(error).__name__).splitlines()[0]
