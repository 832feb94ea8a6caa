"""The transition matrix of label noise: T[i, j] = P(given label j | true label i), of shape (K, K); rows sum to 1.

Functions that check T, count it, estimate it from the predictions of a network, and remove it from predictions.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from goldvein.errors import InputError

LEAST = 1e-6  # smallest probability, so that ratios and logarithms exist
SINGULAR = 1e6  # condition number from which an inverse is useless
SLACK = 1e-6  # largest allowed difference between the sum of a row and 1


def check_transition(T: ArrayLike, n_classes: int | None = None, *, invertible: bool = False) -> NDArray[np.float64]:
    """Return a checked transition matrix as a new array, with each row divided by its sum.

    Parameters
    ----------
    T : array of shape (K, K)
        T[i, j] = P(given j | true i), classes in sorted order.
    n_classes : int, optional
        K, if it is known.
    invertible : bool, default=False
        Whether T must be invertible, so that the labels distinguish all classes.

    Raises
    ------
    InputError
        If T is not numeric, not of size K x K, not finite or negative; a row does not sum to 1; or ``invertible`` is
        set and T is singular or nearly so (condition number above 1e6).

    Examples
    --------
    >>> check_transition([[1, 0], [0.25, 0.75]], 2)
    array([[1.  , 0.  ],
           [0.25, 0.75]])
    """
    try:
        T = np.asarray(T, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise InputError(f"the transition matrix is not numeric ({error}); give K rows of K numbers") from error
    if T.ndim != 2 or T.shape[0] != T.shape[1] or len(T) != (n_classes or max(len(T), 1)):
        size = f"{n_classes} x {n_classes}" if n_classes else "K x K"
        raise InputError(f"the transition matrix has shape {T.shape}: it must be {size}, with true classes in rows")
    if not np.isfinite(T).all() or T.min() < 0:
        worst = T[~np.isfinite(T) | (T < 0)][0]
        raise InputError(f"the transition matrix holds {worst}: its entries are probabilities, from 0 to 1")
    sums = T.sum(axis=1)
    off = int(np.abs(sums - 1).argmax())
    if abs(sums[off] - 1) > SLACK:
        raise InputError(
            f"row {off} of the transition matrix sums to {sums[off]:.6g}: a row must sum to 1; divide it by "
            "its sum, or transpose the matrix if its columns sum to 1"
        )
    scaled: NDArray[np.float64] = T / sums[:, None]
    if invertible and (condition := np.linalg.cond(scaled)) > SINGULAR:
        raise InputError(
            f"the transition matrix has condition number {condition:.2g}, too near to singular: with such noise, "
            "labels do not distinguish some classes; give a matrix whose rows differ more"
        )
    return scaled


def count_transition(y: NDArray[np.int64], y_true: NDArray[np.int64], n_classes: int) -> NDArray[np.float64]:
    """Return T (K, K), where T[i, j] is the share of label j in class i, with 1 added to each count (i, i).

    Rows with a missing label (-1) are not counted.

    Examples
    --------
    >>> count_transition(np.array([0, 1, -1]), np.array([0, 0, 0]), 2).round(2).tolist()
    [[0.67, 0.33], [0.0, 1.0]]
    """
    counts = np.eye(n_classes)  # so a class without rows counts as free of noise
    labeled = y >= 0
    np.add.at(counts, (y_true[labeled], y[labeled]), 1)
    T: NDArray[np.float64] = counts / counts.sum(1, keepdims=True)
    return T


def anchor_transition(
    probs: NDArray[np.floating[Any]], percentile: float | None = 97.0, *, inplace: bool = False
) -> NDArray[np.float64]:
    """Estimate T (K, K) from a network that was trained on noisy labels (Patrini et al. 2017, their code).

    Such a network predicts p(given | x). For an anchor of class i, a row that certainly belongs to class i, this is
    T[i]. The anchor is the row with the largest p(i | x) below an outlier threshold.

    Parameters
    ----------
    probs : ndarray of shape (N, K)
        Class probabilities of the network, for any rows; no labels are needed.
    percentile : float in [0, 100] or None, default=97.0
        Rows whose p(i | x) is at least this percentile of all N rows (rounded up to the next value) are outliers and
        cannot be the anchor of class i. None: no row is an outlier.
    inplace : bool, default=False
        Reproduce the authors' code. There, p(i | x) of the outliers of class i stays 0 for the classes after i, so
        T[k, i] is 0 if the anchor of k is one of these outliers.

    Examples
    --------
    >>> probs = np.array([[0.8, 0.2], [0.7, 0.3], [0.1, 0.9], [0.05, 0.95]])
    >>> anchor_transition(probs, percentile=None).tolist()
    [[0.8, 0.2], [0.05, 0.95]]
    >>> anchor_transition(probs).tolist()
    [[0.7, 0.3], [0.1, 0.9]]
    """
    if percentile is not None and not 0 <= percentile <= 100:
        raise InputError(f"percentile={percentile}: it must be from 0 to 100, or none; the paper's code uses 97")
    p = np.array(probs, dtype=np.float64)
    rows = []
    for i in range(p.shape[1]):
        of_class = p[:, i] if inplace else p[:, i].copy()
        if percentile is not None:
            of_class[of_class >= np.percentile(of_class, percentile, method="higher")] = 0
        rows.append(p[of_class.argmax()].copy())
    T: NDArray[np.float64] = np.maximum(np.stack(rows), 1e-12)  # with inplace, a whole row may be 0
    T /= T.sum(1, keepdims=True)
    return T


def unmix(probs: NDArray[np.floating[Any]], T: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the clean class probabilities p (N, K) of a network that predicts p T; a singular T changes nothing.

    Examples
    --------
    >>> T = np.array([[0.8, 0.2], [0.2, 0.8]])
    >>> unmix(np.array([[0.8, 0.2], [0.5, 0.5]]), T).round(3).tolist()
    [[1.0, 0.0], [0.5, 0.5]]
    """
    if np.linalg.cond(T) > SINGULAR:
        return np.asarray(np.maximum(probs, LEAST))
    p: NDArray[np.float64] = np.maximum(np.linalg.solve(T.T, probs.T.astype(float)).T, LEAST)
    p /= p.sum(1, keepdims=True)
    return p


def bayes_accuracy(T: ArrayLike, prior: ArrayLike, balanced: bool) -> float:
    """Return the accuracy on true labels of the best classifier that is trained only on noisy labels.

    For an input of class i, this classifier knows the exact probabilities T[i] of the noisy label and predicts the
    largest one. With ``balanced``, it is trained on noisy classes of equal frequency and predicts the largest
    T[i, j] / P(given j). Entries that tie (to a relative 1e-9) are predicted equally often.

    Parameters
    ----------
    T : array of shape (K, K)
        Transition matrix.
    prior : array of shape (K,)
        Frequency of each true class, as counts or shares.
    balanced : bool
        Whether training makes the noisy classes equally frequent.

    Returns
    -------
    float
        Fraction in [0, 1].

    Raises
    ------
    InputError
        If T is not a transition matrix, or ``prior`` is not K finite numbers of at least 0, with one above 0.

    Notes
    -----
    Results at rate .6, plain and balanced; MNIST with the class counts of its test set:

    ===============  =====  ========
    noise            plain  balanced
    ===============  =====  ========
    patrini_cifar10   .50     .80
    patrini_mnist     .508    .815
    ding_mnist        .604   1
    ===============  =====  ========

    Plain cross-entropy in Ding et al. reaches .529, which is close to ``patrini_mnist`` and far below ``ding_mnist``.

    Examples
    --------
    >>> from goldvein.noise.synthetic import transition
    >>> T = transition("patrini_cifar10", 10, 0.6)
    >>> round(bayes_accuracy(T, np.ones(10), balanced=False), 3)
    0.5
    >>> round(bayes_accuracy(T, np.ones(10), balanced=True), 3)
    0.8
    """
    T = check_transition(T)
    share = np.asarray(prior, dtype=np.float64)
    if share.shape != (len(T),) or not np.isfinite(share).all() or share.min() < 0 or share.max() == 0:
        raise InputError(f"prior={share.tolist()}: give {len(T)} class frequencies of at least 0, with one above 0")
    share = share / share.sum()
    given = share @ T if balanced else np.ones(len(T))
    scores = np.divide(T, given, out=np.zeros_like(T), where=given > 0)
    best = scores >= scores.max(axis=1, keepdims=True) * (1 - 1e-9)  # ties, despite rounding
    return float(share @ (best.diagonal() / best.sum(axis=1)))


def count_confident(y: NDArray[np.int64], probs: NDArray[np.floating[Any]]) -> NDArray[np.int64]:
    """Return the confident joint (K, K) of Northcutt et al. 2021, eq. 1.

    Entry (i, j) counts the rows with label j whose probability of class i is at least the mean of the rows with label
    i. A row for which this holds for several classes counts for the most probable one.

    Examples
    --------
    >>> probs = np.array([[0.9, 0.1], [0.8, 0.2], [0.9, 0.1], [0.2, 0.8]])
    >>> count_confident(np.array([0, 0, 1, 1]), probs).tolist()
    [[1, 1], [0, 1]]
    """
    n_classes = probs.shape[1]
    total = np.bincount(y, probs[np.arange(len(y)), y], minlength=n_classes)
    n = np.bincount(y, minlength=n_classes)
    mean = np.where(n > 0, total / np.maximum(n, 1), np.inf).astype(probs.dtype)
    confident = np.where(probs >= mean * (1 - 1e-6), probs, -1)  # the mean of equal numbers may be rounded up
    best = confident.argmax(1)
    counted = confident[np.arange(len(y)), best] >= 0
    pairs = best[counted] * n_classes + y[counted]
    return np.bincount(pairs, minlength=n_classes**2).reshape(n_classes, n_classes)
