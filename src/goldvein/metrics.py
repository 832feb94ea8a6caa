"""Measures of a classifier, and of a list of suspicious labels. Arrays in, numbers out; no torch."""

from __future__ import annotations

from typing import Any, TypedDict

import numpy as np
from numpy.typing import NDArray

Labels = NDArray[np.integer[Any]]
Flags = NDArray[np.bool_]


class ScoreQuality(TypedDict):
    """How well a score ranks wrong labels, and how good a list of them is: see :func:`judge_score`."""

    auroc: float | None
    average_precision: float | None
    precision: float | None  # None only in old files of results, as recall and f1
    recall: float | None
    f1: float | None


class KeptCounts(TypedDict):
    """How many labels a method kept: see :func:`count_kept`."""

    rows: int
    given: list[int]
    kept: list[int]
    right: list[int]
    wrong: list[int]


class _CorrectedShares(TypedDict):
    given: float
    argmax: float
    sampled: float


class CorrectedShares(_CorrectedShares, total=False):
    """How many labels are right after correction: see :func:`correct_by_transition`."""

    transition_error: float  # missing in old files of results


def balanced_accuracy(y: Labels, predicted: Labels) -> float:
    """Return the mean of the per-class accuracies over the classes that occur in ``y``; NaN without a row.

    Parameters
    ----------
    y, predicted : ndarray of shape (n,), integer
        True and predicted classes, from 0.

    Examples
    --------
    >>> balanced_accuracy(np.array([0, 0, 0, 1]), np.array([0, 0, 0, 0]))
    0.5
    """
    if len(y) == 0:
        return float("nan")
    total = np.bincount(y)
    right = np.bincount(y[y == predicted], minlength=len(total))
    # Shares in float32, mean in float64: stored results and resumed runs depend on these bits.
    shares = right[total > 0].astype(np.float32) / total[total > 0].astype(np.float32)
    return float(shares.astype(np.float64).mean())


def calibration_error(p: NDArray[np.float64], happened: Flags, n_bins: int = 10) -> float:
    """Return the expected calibration error: the mean gap between probabilities and observed frequencies.

    Rows are put into ``n_bins`` bins of equal width by ``p``. Each bin counts by its number of rows.

    Parameters
    ----------
    p : ndarray of shape (n,), in [0, 1]
        Predicted probability of an event.
    happened : ndarray of shape (n,), bool
        Whether the event happened.

    Examples
    --------
    >>> calibration_error(np.array([0.9, 0.9, 0.1, 0.1]), np.array([True, True, False, True]))
    0.25
    """
    if len(p) == 0:
        return float("nan")
    part = np.minimum((p * n_bins).astype(int), n_bins - 1)
    gap = np.bincount(part, p - happened, minlength=n_bins)
    return float(np.abs(gap).sum() / len(p))


def judge_score(score: NDArray[np.float64], listed: Flags, wrong: Flags) -> ScoreQuality:
    """Measure how well a score ranks wrong labels, and how good a list of labels made from it is.

    Parameters
    ----------
    score : ndarray of shape (n,), float
        One value per given label, high if the label is suspicious; no NaN.
    listed : ndarray of shape (n,), bool
        Labels on the list.
    wrong : ndarray of shape (n,), bool
        Labels that are wrong.

    Returns
    -------
    dict
        ``auroc`` and ``average_precision`` of the score, None unless some labels are right and some wrong;
        ``precision``, ``recall`` and ``f1`` of the list, 0 if nothing is listed or nothing is wrong.

    Examples
    --------
    >>> score = np.array([0.2, 0.1, 0.0])
    >>> judge_score(score, score > 0, np.array([True, False, False]))["precision"]
    0.5
    """
    from sklearn.metrics import average_precision_score, precision_recall_fscore_support, roc_auc_score

    precision, recall, f1, _ = precision_recall_fscore_support(wrong, listed, average="binary", zero_division=0.0)
    mixed = 0 < wrong.sum() < len(wrong)
    return {
        "auroc": float(roc_auc_score(wrong, score)) if mixed else None,
        "average_precision": float(average_precision_score(wrong, score)) if mixed else None,
        "precision": float(precision),
        "recall": float(recall),
        "f1": float(f1),
    }


def count_kept(y: Labels, labels: Labels, y_true: Labels, n_classes: int) -> KeptCounts:
    """Count the labels that a method trained on, and how many of them are right.

    Parameters
    ----------
    y, labels, y_true : ndarray of shape (N,), integer
        Given labels, labels trained on, and true labels of the training rows; -1 is none.
    n_classes : int
        K.

    Returns
    -------
    dict
        ``rows`` is N. ``given``, ``kept``, ``right`` and ``wrong`` are lists of length K: counts by label.
        A kept label counts as neither right nor wrong if the true label is unknown.

    Examples
    --------
    >>> count_kept(np.array([0, 0, 1]), np.array([0, -1, 1]), np.array([0, 0, 0]), 2)
    {'rows': 3, 'given': [2, 1], 'kept': [1, 1], 'right': [1, 0], 'wrong': [0, 1]}
    """

    def count(values: Labels) -> list[int]:
        return [int(n) for n in np.bincount(values[values >= 0], minlength=n_classes)]

    return {
        "rows": len(y),
        "given": count(y),
        "kept": count(labels),
        "right": count(labels[labels == y_true]),
        "wrong": count(labels[(labels != y_true) & (y_true >= 0)]),
    }


def correct_by_transition(y: Labels, y_true: Labels, T: NDArray[np.floating[Any]], seed: int) -> CorrectedShares:
    """Return the share of labels that are right after correction by T (Ding et al. 2018, Table 2).

    A label j is replaced by the most likely true class, argmax_k T[k, j] P(k), or by a class drawn from this
    distribution. P(k), the shares of the true classes, solve P T = (the shares of the given classes).

    Parameters
    ----------
    y, y_true : ndarray of shape (n,), integer
        Given and true labels; none is missing.
    T : ndarray of shape (K, K)
        T[i, j] = P(given j | true i).
    seed : int
        Random seed for the drawn classes.

    Returns
    -------
    dict
        Shares in [0, 1]: ``given`` before correction, ``argmax`` and ``sampled`` after it. ``transition_error`` is
        the mean absolute difference between T and the transition counted from the labels, over the true classes
        that occur.

    Examples
    --------
    >>> y, y_true = np.array([0, 0, 0, 1]), np.array([0, 1, 1, 1])
    >>> correct_by_transition(y, y_true, np.array([[1.0, 0.0], [0.5, 0.5]]), seed=0)["given"]
    0.5
    """
    K = len(T)
    counts = np.bincount(y_true * K + y, minlength=K * K).reshape(K, K)
    n = counts.sum(1, keepdims=True)
    given = counts.sum(0) / len(y)
    # Least squares may give shares of 0 or below; clipped, every class stays possible.
    prior = np.clip(np.linalg.lstsq(T.T, given, rcond=None)[0], 1e-6, None)
    p_true = prior[:, None] * T  # (K, K), column j: P(true | given j)
    p_true /= np.maximum(p_true.sum(0), 1e-12)
    drawn = (np.random.default_rng(seed).random(len(y)) > p_true.cumsum(0)[:, y]).sum(0)
    return {
        "given": float((y == y_true).mean()),
        "argmax": float((p_true.argmax(0)[y] == y_true).mean()),
        "sampled": float((np.minimum(drawn, K - 1) == y_true).mean()),
        "transition_error": float(np.abs(T - counts / np.maximum(n, 1))[n[:, 0] > 0].mean()),
    }
