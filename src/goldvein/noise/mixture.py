"""Wrong labels from one number a label: two normal distributions, one of right labels and one of wrong ones.

    P(wrong | s, given = c)  =  w_c N(s; low) / (w_c N(s; low) + (1 - w_c) N(s; high))

The two distributions are shared by all classes and the share w_c of wrong labels is a class's own, fitted by
expectation maximization (Arazo et al. 2019 and Li et al. 2020 fit such mixtures to losses). A common threshold would
be unfair to a class with more, or fewer, wrong labels than the others. It begins with the labels below ``edge``, the
score of a label that is as good as its best rival: without one of them, no label is wrong.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

SAMPLE, STEPS = 100_000, 50
LEAST_SHARE = 1e-3  # of wrong labels in a class, so that a class can have its first
NARROW = 0.05  # of the spread of all scores: least width of a distribution


def wrong_by_score(y: NDArray[np.int64], score: NDArray, edge: float) -> NDArray[np.float64]:
    """P(wrong) of labels (n,), falling with their score (n,).

    Parameters
    ----------
    y : ndarray of shape (n,), int64
        Given labels, none missing.
    score : ndarray of shape (n,)
        Low for a suspicious label.
    edge : float
        The score of a label that is neither supported nor contradicted.

    Examples
    --------
    >>> score = np.r_[np.full(50, 0.8), np.full(50, 0.9), np.full(5, -0.6), np.full(5, -0.8)]
    >>> wrong_by_score(np.zeros(110, dtype=int), score, edge=0.0)[[0, -1]].round(3).tolist()
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
    ratio = np.maximum.accumulate(ratio)  # far below both, the wider one would win
    odds = np.interp(s, grid, ratio) + np.log1p(-share[y]) - np.log(share[y])
    return 1 / (1 + np.exp(np.clip(odds, -50, 50)))


def _fit(
    y: NDArray[np.int64], s: NDArray[np.float64], edge: float, n_classes: int
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Means and widths of wrong and right labels, and the share of wrong ones of each class."""
    wrong = (s < edge).astype(float)
    n = np.maximum(np.bincount(y, minlength=n_classes), 1)
    least = NARROW * max(float(s.std()), 1e-9)
    for _ in range(STEPS):
        weights = np.stack([wrong, 1 - wrong])
        total = np.maximum(weights.sum(1), 1e-9)
        means = weights @ s / total
        widths = np.sqrt(np.maximum((weights * (s - means[:, None]) ** 2).sum(1) / total, least**2))
        share = np.clip(np.bincount(y, wrong, minlength=n_classes) / n, LEAST_SHARE, 1 - LEAST_SHARE)
        odds = np.log(share[y]) - np.log1p(-share[y])
        odds += _log_normal(s, means[0], widths[0]) - _log_normal(s, means[1], widths[1])
        wrong = 1 / (1 + np.exp(np.clip(-odds, -50, 50)))
    return means, widths, share


def _log_normal(s: NDArray[np.float64], mean: float, width: float) -> NDArray[np.float64]:
    return -0.5 * ((s - mean) / width) ** 2 - np.log(width)
