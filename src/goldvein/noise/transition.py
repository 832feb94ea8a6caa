"""The transition matrix of label noise: T[i, j] = P(given label j | true label i), of shape (K, K); rows sum to 1.

Checked, counted, estimated from a network's own predictions, and taken out of them again. Functions of arrays.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from goldvein.errors import InputError

LEAST = 1e-6  # of a probability, so that a ratio exists
SINGULAR = 1e6  # condition number from which an inverse says nothing
SLACK = 1e-6  # by which the sum of a row may miss 1


def check_transition(T: ArrayLike, n_classes: int | None = None, *, invertible: bool = False) -> np.ndarray:
    """A transition matrix as a new array, its rows divided by their sums.

    Parameters
    ----------
    T : array of shape (K, K)
        T[i, j] = P(given j | true i), classes in sorted order.
    n_classes : int, optional
        K, where it is known.
    invertible : bool, default=False
        Whether the labels must tell all classes apart.

    Raises
    ------
    InputError
        T is not numeric, not of size K x K, not finite or negative; a row does not sum to 1; or T is singular, or
        so near to it that its inverse says nothing (condition number above 1e6), where it must not be.

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
        raise InputError(f"a transition matrix of shape {T.shape}: it must be {size}, true classes in rows")
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
    scaled = T / sums[:, None]
    if invertible and (condition := np.linalg.cond(scaled)) > SINGULAR:
        raise InputError(
            f"the transition matrix has condition number {condition:.2g}, too near to singular: labels of such noise "
            "cannot tell some classes apart; give one whose rows differ more"
        )
    return scaled


def count_transition(y: NDArray[np.int64], y_true: NDArray[np.int64], n_classes: int) -> NDArray[np.float64]:
    """T (K, K) with T[i, j] = share of label j among the labeled rows of class i; one count is added to T[i, i].

    Examples
    --------
    >>> count_transition(np.array([0, 1, -1]), np.array([0, 0, 0]), 2).round(2).tolist()
    [[0.67, 0.33], [0.0, 1.0]]
    """
    counts = np.eye(n_classes)
    given = y >= 0
    np.add.at(counts, (y_true[given], y[given]), 1)
    return counts / counts.sum(1, keepdims=True)


def anchor_transition(probs: NDArray, percentile: float | None = 97.0, *, inplace: bool = False) -> NDArray[np.float64]:
    """T (K, K) estimated from a network that was trained on noisy labels (Patrini et al. 2017, their code).

    Such a network predicts p(given | x). On an anchor of class i, a row that is certainly of class i, this is T[i];
    the anchor is the row of the largest p(i | x) below an outlier threshold.

    Parameters
    ----------
    probs : ndarray of shape (N, K)
        Class probabilities of the network, of any rows: no label is looked at.
    percentile : float in [0, 100] or None, default=97.0
        Rows whose p(i | x) is at least this percentile (of all N, the next higher value) are outliers and no anchors
        of class i. None leaves none out.
    inplace : bool, default=False
        Do as the authors' code does, where p(i | x) of the outliers of class i stays 0 for the classes after i, so
        that T[k, i] is 0 if the anchor of k is one of them.

    Examples
    --------
    >>> probs = np.array([[0.8, 0.2], [0.7, 0.3], [0.1, 0.9], [0.05, 0.95]])
    >>> anchor_transition(probs, percentile=None).tolist()
    [[0.8, 0.2], [0.05, 0.95]]
    >>> anchor_transition(probs).tolist()
    [[0.7, 0.3], [0.1, 0.9]]
    """
    if percentile is not None and not 0 <= percentile <= 100:
        raise InputError(f"percentile={percentile}: it must be from 0 to 100, or none; the source has 97")
    p = np.array(probs, dtype=np.float64)
    rows = []
    for i in range(p.shape[1]):
        of_class = p[:, i] if inplace else p[:, i].copy()
        if percentile is not None:
            of_class[of_class >= np.percentile(of_class, percentile, method="higher")] = 0
        rows.append(p[of_class.argmax()].copy())
    T = np.maximum(np.stack(rows), 1e-12)  # in place, nothing may be left of a row
    return T / T.sum(1, keepdims=True)


def unmix(probs: NDArray, T: NDArray[np.float64]) -> NDArray[np.float64]:
    """Clean class probabilities p of a network that predicts p T: (N, K); a singular T changes nothing.

    Examples
    --------
    >>> T = np.array([[0.8, 0.2], [0.2, 0.8]])
    >>> unmix(np.array([[0.8, 0.2], [0.5, 0.5]]), T).round(3).tolist()
    [[1.0, 0.0], [0.5, 0.5]]
    """
    if np.linalg.cond(T) > SINGULAR:
        return np.maximum(probs, LEAST)
    p = np.maximum(np.linalg.solve(T.T, probs.T.astype(float)).T, LEAST)
    return p / p.sum(1, keepdims=True)


def bayes_accuracy(T: ArrayLike, prior: ArrayLike, balanced: bool) -> float:
    """Return the accuracy on true labels of the best classifier that is trained on noisy labels alone.

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
    prior = np.asarray(prior, dtype=np.float64)
    if prior.shape != (len(T),) or not np.isfinite(prior).all() or prior.min() < 0 or prior.max() == 0:
        raise InputError(f"prior={prior.tolist()}: give {len(T)} class frequencies of at least 0, with one above 0")
    prior = prior / prior.sum()
    given = prior @ T if balanced else np.ones(len(T))
    scores = np.divide(T, given, out=np.zeros_like(T), where=given > 0)
    best = scores >= scores.max(axis=1, keepdims=True) * (1 - 1e-9)
    return float(prior @ (best.diagonal() / best.sum(axis=1)))
