"""Probability that a label is wrong, from one score per label: a mixture of two normal distributions.

    P(wrong | s, given = c)  =  w_c N(s; low) / (w_c N(s; low) + (1 - w_c) N(s; high))                    (1)

The scores of wrong labels (low) and of right ones (high) each have one distribution for all classes. The share w_c of
wrong labels differs between classes; a common threshold would be unfair to classes with more or fewer wrong labels.
Expectation maximization fits both, as Arazo et al. 2019 and Li et al. 2020 do for losses.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

SAMPLE, STEPS = 100_000, 50  # labels to fit on, EM steps
LEAST_SHARE = 1e-3  # smallest share of wrong labels in a class, so that it can grow from none
NARROWEST = 0.05  # smallest width of a distribution, in standard deviations of all scores


def p_wrong_by_score(y: NDArray[np.int64], score: NDArray[np.floating[Any]], edge: float) -> NDArray[np.float64]:
    """Return P(wrong) of labels (n,); it falls as their score (n,) rises.

    Parameters
    ----------
    y : ndarray of shape (n,), int64
        Given labels, none of them missing.
    score : ndarray of shape (n,)
        Low for a suspicious label.
    edge : float
        The score of a label that is exactly as good as its best rival. EM starts with the labels below it as the
        wrong ones. If there are none, no label is wrong.

    Examples
    --------
    >>> score = np.r_[np.full(50, 0.8), np.full(50, 0.9), np.full(5, -0.6), np.full(5, -0.8)]
    >>> p_wrong_by_score(np.zeros(110, dtype=int), score, edge=0.0)[[0, -1]].round(3).tolist()
    [0.0, 1.0]
    """
    s = np.asarray(score, dtype=np.float64)
    if not (s < edge).any():
        return np.zeros(len(s))
    rng = np.random.default_rng(0)
    sample = np.arange(len(s)) if len(s) <= SAMPLE else rng.choice(len(s), SAMPLE, replace=False)
    means, widths, share = _fit(y[sample], s[sample], edge, int(y.max()) + 1)
    grid = np.unique(s) if len(s) <= SAMPLE else np.linspace(s.min(), s.max(), 10_001)
    ratio = _log_normal(grid, means[1], widths[1]) - _log_normal(grid, means[0], widths[0])
    ratio = np.maximum.accumulate(ratio)  # otherwise a wider "high" would win far below both
    odds = np.interp(s, grid, ratio) + np.log1p(-share[y]) - np.log(share[y])
    return np.asarray(1 / (1 + np.exp(np.clip(odds, -50, 50))))  # eq. 1; exp must not overflow


def _fit(
    y: NDArray[np.int64], s: NDArray[np.float64], edge: float, n_classes: int
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Return the means and widths of wrong and right labels (2,), and the share of wrong labels of each class (K,)."""
    wrong = (s < edge).astype(float)
    n = np.maximum(np.bincount(y, minlength=n_classes), 1)
    least = NARROWEST * max(float(s.std()), 1e-9)  # else the width of equal scores would go to 0
    for _ in range(STEPS):
        weights = np.stack([wrong, 1 - wrong])
        total = np.maximum(weights.sum(1), 1e-9)
        means = weights @ s / total
        widths = np.sqrt(np.maximum((weights * (s - means[:, None]) ** 2).sum(1) / total, least**2))
        share = np.clip(np.bincount(y, wrong, minlength=n_classes) / n, LEAST_SHARE, 1 - LEAST_SHARE)
        odds = np.log(share[y]) - np.log1p(-share[y])
        odds += _log_normal(s, means[0], widths[0]) - _log_normal(s, means[1], widths[1])
        wrong = 1 / (1 + np.exp(np.clip(-odds, -50, 50)))  # eq. 1
    return means, widths, share


def _log_normal(s: NDArray[np.float64], mean: float, width: float) -> NDArray[np.float64]:
    """Return the log density up to a constant."""
    return np.asarray(-0.5 * ((s - mean) / width) ** 2 - np.log(width))
