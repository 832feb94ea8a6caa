"""From what a run saw of each given label to a list of the wrong ones.

``p_wrong`` is Bayes' rule with the network's probabilities and the counted transition matrix
(:mod:`goldvein.selectors.posterior`). A network that has trained on a wrong label half believes it, so the training
rows of a class look cleaner than its held-out rows, which took no part: the log-odds of the training rows are moved by
one number a class until both have the same mean.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from goldvein.errors import InputError
from goldvein.selectors.posterior import posterior

if TYPE_CHECKING:
    import pandas as pd

COLUMNS = ("id", "given_label", "suggested_label", "label_quality", "p_wrong", "is_issue", "rank", "reason")
MIN_HELD_OUT = 20  # held-out labels of a class below which its training rows are left as they are
CUT = 0.5  # p_wrong above which a label is an issue: more likely wrong than right


@dataclass(frozen=True)
class Audit:
    """A list of doubtful labels, and the noise that it implies.

    Attributes
    ----------
    table : DataFrame
        One row for each given label, worst first.
    noise_rate : float
        Expected share of wrong labels among the given ones, in [0, 1].
    transition : ndarray of shape (K, K)
        T[i, j] = P(given class j | true class i).
    """

    table: pd.DataFrame
    noise_rate: float
    transition: NDArray[np.float64]


def audit(
    y: NDArray[np.int64],
    classes: ArrayLike,
    probs: NDArray,
    *,
    trained_on: NDArray[np.int64] | None = None,
    held_out: NDArray[np.bool_] | None = None,
    agreement: NDArray | None = None,
    ids: ArrayLike | None = None,
) -> Audit:
    """Judge every given label.

    Parameters
    ----------
    y : ndarray of shape (N,), int64
        Given labels as indices into ``classes``; rows of -1 are not in the list.
    classes : array of shape (K,)
        Names of the classes.
    probs : ndarray of shape (N, K)
        Class probabilities of a network.
    trained_on : ndarray of shape (N,), int64, optional
        Labels that the network was trained on (-1: none); by default it is taken to have learned ``y``.
    held_out : ndarray of shape (N,), bool, optional
        Labeled rows that the network was not trained on.
    agreement : ndarray of shape (N,), optional
        Share of the epochs after which the network predicted the given label; named in the reason.
    ids : array of shape (N,), optional
        What names a row; by default its number.

    Returns
    -------
    Audit
    """
    names = np.asarray(classes)
    q = posterior(y, probs, trained_on)
    given = np.flatnonzero(y >= 0)
    p_wrong = 1 - q[given, y[given]]
    if held_out is not None:
        p_wrong = level(p_wrong, y[given], held_out[given])
    others = q[given].copy()
    others[np.arange(len(given)), y[given]] = -1
    best = others.argmax(1)
    suggested = np.where(p_wrong > CUT, best, y[given])
    p = probs[given]
    reasons = _reasons(
        p_wrong,
        names[y[given]],
        names[best],
        p[np.arange(len(given)), y[given]],
        p[np.arange(len(given)), best],
        None if agreement is None else agreement[given],
    )
    order = np.argsort(-p_wrong, kind="stable")
    rank = np.empty(len(given), dtype=np.int64)
    rank[order] = np.arange(1, len(given) + 1)
    labels = np.arange(len(y)) if ids is None else np.asarray(ids)
    columns = {
        "id": labels[given],
        "given_label": names[y[given]],
        "suggested_label": names[suggested],
        "label_quality": 1 - p_wrong,
        "p_wrong": p_wrong,
        "is_issue": p_wrong > CUT,
        "rank": rank,
        "reason": reasons,
    }
    import pandas as pd

    table = pd.DataFrame(columns).iloc[order].reset_index(drop=True)
    return Audit(table, float(p_wrong.mean()), _transition(q, y, p_wrong, given))


def find_label_issues(y: ArrayLike, *, probs: ArrayLike) -> pd.DataFrame:
    """The doubtful labels among given ones, from class probabilities alone.

    Parameters
    ----------
    y : array of shape (N,), int
        Given labels 0 .. K-1; -1 is missing.
    probs : array of shape (N, K), float
        Class probabilities, best of a network that has not seen the label of the row (cross-validation).

    Returns
    -------
    DataFrame
        Columns id (row number), given_label, suggested_label, label_quality (low is bad), p_wrong in [0, 1],
        is_issue (p_wrong above 0.5), rank (1 is the worst) and reason; worst first.

    Raises
    ------
    InputError
        If shapes differ, a label is not below K, or a probability is NaN, negative, or a row does not sum to 1.

    Examples
    --------
    >>> probs = np.repeat([[0.98, 0.02], [0.02, 0.98]], 20, axis=0)
    >>> y = np.repeat([0, 1], 20)
    >>> y[0] = 1
    >>> table = find_label_issues(y, probs=probs)
    >>> table[["id", "given_label", "suggested_label", "rank"]].iloc[0].tolist()
    [0, 1, 0, 1]
    """
    labels, p = np.asarray(y), np.asarray(probs)
    if p.ndim != 2 or labels.shape != (len(p),):
        raise InputError(f"y has shape {labels.shape} and probs {p.shape}: they must be (N,) and (N, K)")
    if labels.dtype.kind not in "iu" or labels.max(initial=-1) >= p.shape[1] or labels.min(initial=0) < -1:
        raise InputError(f"y must hold class numbers 0 to {p.shape[1] - 1}, the columns of probs, or -1 for missing")
    if not (labels >= 0).any():
        raise InputError("y holds no label: every entry is -1; give at least one label per class")
    sums = p.sum(1)
    bad = np.flatnonzero(~(np.isfinite(sums) & (np.abs(sums - 1) < 1e-2) & (p >= 0).all(1)))
    if len(bad):
        raise InputError(f"row {bad[0]} of probs sums to {sums[bad[0]]}: each row must be probabilities that sum to 1")
    everyone = np.full(len(labels), -1)
    return audit(labels.astype(np.int64), np.arange(p.shape[1]), p, trained_on=everyone).table


def level(
    p_wrong: NDArray[np.float64], y: NDArray[np.int64], held_out: NDArray[np.bool_]
) -> NDArray[np.float64]:
    """Move the log-odds of the training rows of each class until their mean p_wrong is that of its held-out rows.

    Parameters
    ----------
    p_wrong : ndarray of shape (n,)
    y : ndarray of shape (n,), int64
        Given classes, none missing.
    held_out : ndarray of shape (n,), bool

    Examples
    --------
    >>> p = np.r_[np.full(100, 0.1), np.full(50, 0.3)]
    >>> level(p, np.zeros(150, dtype=int), np.arange(150) >= 100)[:2].round(3).tolist()
    [0.3, 0.3]
    """
    odds = np.log(np.clip(p_wrong, 1e-9, 1 - 1e-9)) - np.log1p(-np.clip(p_wrong, 1e-9, 1 - 1e-9))
    out = p_wrong.copy()
    for c in np.unique(y):
        train, apart = (y == c) & ~held_out, (y == c) & held_out
        if apart.sum() < MIN_HELD_OUT or not train.any():
            continue
        target = p_wrong[apart].mean()
        low, high = -20.0, 20.0
        for _ in range(40):  # bisection: the mean rises with the shift
            shift = (low + high) / 2
            low, high = (shift, high) if _sigmoid(odds[train] + shift).mean() < target else (low, shift)
        out[train] = _sigmoid(odds[train] + shift)
    return out


def _sigmoid(x: NDArray[np.float64]) -> NDArray[np.float64]:
    return 1 / (1 + np.exp(-x))


def _transition(
    q: NDArray, y: NDArray[np.int64], p_wrong: NDArray[np.float64], given: NDArray[np.int64]
) -> NDArray[np.float64]:
    """T from expected counts: each label is spread over the classes that may be the true one."""
    n_classes = q.shape[1]
    spread = q[given].copy()
    spread[np.arange(len(given)), y[given]] = 0
    total = spread.sum(1, keepdims=True)
    spread *= np.divide(p_wrong[:, None], total, out=np.zeros_like(total), where=total > 0)
    spread[np.arange(len(given)), y[given]] = 1 - p_wrong
    counts = np.stack([spread[y[given] == j].sum(0) for j in range(n_classes)], axis=1)
    totals = counts.sum(1, keepdims=True)
    return np.where(totals > 0, counts / np.maximum(totals, 1e-12), np.eye(n_classes))


def _reasons(
    p_wrong: NDArray, given: NDArray, other: NDArray, p_given: NDArray, p_other: NDArray, agreement: NDArray | None
) -> list[str]:
    """Why a label is doubted, in words; empty for a label that is not."""
    reasons = [""] * len(p_wrong)
    for i in np.flatnonzero(p_wrong > CUT):
        reasons[i] = f"looks like {other[i]} (probability {p_other[i]:.2f}), not {given[i]} ({p_given[i]:.2f})"
        if agreement is not None:
            reasons[i] += f"; predicted as {given[i]} after {agreement[i]:.0%} of the epochs"
    return reasons
