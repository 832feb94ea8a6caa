"""Synthetic label noise from the literature, missing labels, and the accuracy that noise still allows.

A transition matrix ``T`` of shape (K, K) holds T[i, j] = P(given label j | true label i); its rows sum to 1.

=================  ==================================================================================
name               with probability ``rate``, a label of class i becomes
=================  ==================================================================================
symmetric          one of the other K - 1 classes, all equally likely (Patrini et al. 2017; Sun et al.
                   2021, eq. 5)
uniform            one of all K classes, all equally likely (Laine & Aila 2017); the class itself is one
                   of them, so only ``rate * (K - 1) / K`` of the labels are wrong
pair               class i + 1; the last class becomes class 0
patrini_mnist      2 -> 7, 3 -> 8, 7 -> 1, 5 <-> 6; other classes stay (Patrini et al. 2017, their code)
ding_mnist         2 -> 7, 3 -> 8, 7 -> 1, 5 -> 6, as printed in Ding et al. 2018; their results fit
                   ``patrini_mnist``, see
                   :func:`goldvein.noise.transition.bayes_accuracy`
patrini_cifar10    9 -> 1, 2 -> 0, 4 -> 7, 3 <-> 5 (truck, bird, deer; cat and dog); other classes stay
=================  ==================================================================================

:func:`make_noisy` does all of it for a data set. Test labels never get noise.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from goldvein.errors import InputError, unknown
from goldvein.noise.transition import check_transition

Labels = NDArray[np.int64]
Floats = NDArray[np.float64]
Draw = Literal["independent", "exact"]

_FLIPS = {
    "patrini_mnist": {2: 7, 3: 8, 7: 1, 5: 6, 6: 5},
    "ding_mnist": {2: 7, 3: 8, 7: 1, 5: 6},
    "patrini_cifar10": {9: 1, 2: 0, 4: 7, 3: 5, 5: 3},
}


@dataclass(frozen=True)
class NoiseSummary:
    """The actual noise in labels, counted over the rows that have a given and a true label.

    Attributes
    ----------
    n_labeled, n_wrong : int
        Number of rows counted, and of those with a wrong given label.
    rate : float
        ``n_wrong / n_labeled``.
    rate_per_class : ndarray of shape (K,), float64
        Share of wrong labels among the rows of each true class; NaN for a class without rows.
    transition : ndarray of shape (K, K), float64
        The counted T; NaN in the row of a class without rows.
    """

    n_labeled: int
    n_wrong: int
    rate: float
    rate_per_class: Floats
    transition: Floats


def noise_names() -> list[str]:
    """Return the names that :func:`transition` accepts, sorted.

    Examples
    --------
    >>> noise_names()
    ['ding_mnist', 'pair', 'patrini_cifar10', 'patrini_mnist', 'symmetric', 'uniform']
    """
    return sorted(("symmetric", "uniform", "pair", *_FLIPS))


def transition(noise: str | ArrayLike, n_classes: int, rate: float | None = None) -> Floats:
    """Return the transition matrix of a kind of noise.

    Parameters
    ----------
    noise : str or array of shape (K, K)
        One of :func:`names`, or the matrix itself, which is checked and returned.
    n_classes : int
        K, at least 2; the kinds named after a data set need 10.
    rate : float, optional
        Probability in [0, 1] that a label flips, for the classes that have noise. Required with a name; not
        allowed with a matrix, which contains its own rates.

    Returns
    -------
    ndarray of shape (K, K), float64
        T[i, j] = P(given j | true i).

    Raises
    ------
    InputError
        If the name does not exist or needs 10 classes; ``rate`` is out of range, missing for a name or present for a
        matrix; or the matrix is not of size K x K, not finite or negative, or a row does not sum to 1.

    Examples
    --------
    >>> transition("symmetric", 3, 0.2)
    array([[0.8, 0.1, 0.1],
           [0.1, 0.8, 0.1],
           [0.1, 0.1, 0.8]])
    >>> transition([[1.0, 0.0], [0.25, 0.75]], 2)
    array([[1.  , 0.  ],
           [0.25, 0.75]])
    """
    if not isinstance(noise, str):
        if rate is not None:
            raise InputError(f"rate={rate} with a matrix: a matrix contains its own rates; leave the rate out")
        return check_transition(noise, n_classes)
    if noise not in noise_names():
        raise unknown("noise", noise, noise_names())
    if rate is None or not 0 <= rate <= 1:
        raise InputError(f"rate={rate}: {noise} noise needs a rate from 0 to 1; use for example rate=0.2")
    if n_classes < 2:
        raise InputError(f"n_classes={n_classes}: noise needs another class to flip to; use at least 2 classes")
    if noise == "symmetric":
        T = np.full((n_classes, n_classes), rate / (n_classes - 1))
        np.fill_diagonal(T, 1 - rate)
        return T
    if noise == "uniform":
        return (1 - rate) * np.eye(n_classes) + rate / n_classes
    if noise == "pair":
        return (1 - rate) * np.eye(n_classes) + rate * np.roll(np.eye(n_classes), 1, axis=1)
    if n_classes != 10:
        raise InputError(f"{noise} noise is for 10 classes, not {n_classes}; use symmetric or pair noise")
    T = np.eye(n_classes)
    for true, given in _FLIPS[noise].items():
        T[true, true], T[true, given] = 1 - rate, rate
    return T


def make_noisy(
    y: Labels,
    y_true: Labels,
    n_classes: int,
    *,
    trusted: NDArray[np.bool_] | None = None,
    noise: str | ArrayLike | None = None,
    rate: float | None = None,
    how: Draw = "independent",
    labels_per_class: int | None = None,
    trusted_per_class: int = 0,
    random_state: int,
) -> tuple[Labels, NDArray[np.bool_]]:
    """Return labels with noise and with missing labels, and the mask of trusted labels.

    With ``how="independent"``, the noise comes first, and the kept labels are balanced by the given label. With
    ``"exact"``, the noise comes last.

    Parameters
    ----------
    y : ndarray of shape (N,), int64
        Labels; -1 is a missing label.
    y_true : ndarray of shape (N,), int64
        True labels, -1 where unknown; only ``trusted_per_class`` needs them.
    n_classes : int
        K.
    trusted : ndarray of shape (N,), bool, optional
        Labels that stay as they are.
    noise, rate
        As for :func:`transition`; None adds no noise.
    how : {"independent", "exact"}
        As for :func:`corrupt`.
    labels_per_class : int, optional
        As ``per_class`` of :func:`keep_labels`; None keeps all.
    trusted_per_class : int, default=0
        Rows of each true class that get their true label and become trusted. They come from the rows whose label is
        missing, if there are any. So they are added to the ``labels_per_class``.
    random_state : int
        Seed.

    Returns
    -------
    y : ndarray of shape (N,), int64
    trusted : ndarray of shape (N,), bool

    Raises
    ------
    InputError
        As for :func:`transition`, :func:`corrupt` and :func:`keep_labels`.

    Examples
    --------
    >>> y = np.arange(8) % 2
    >>> make_noisy(y, y, 2, noise="pair", rate=0.5, labels_per_class=1, trusted_per_class=1, random_state=0)
    (array([-1, -1, -1, -1,  1,  1,  0,  0]), array([False, False, False, False, False,  True,  True, False]))
    """
    T = None if noise is None else transition(noise, n_classes, rate)

    def flip(labels: Labels) -> Labels:
        return labels if T is None else corrupt(labels, T, random_state, how)

    def keep(labels: Labels) -> Labels:
        return labels if labels_per_class is None else keep_labels(labels, labels_per_class, random_state)

    trusted = np.zeros(len(y), dtype=bool) if trusted is None else trusted
    # exact: Sun et al. 2021 count the wrong labels among the labeled rows of each true class; otherwise balanced by the
    # given label, which is what a user sees
    noisy = np.where(trusted, y, flip(keep(y)) if how == "exact" else keep(flip(y)))
    if trusted_per_class:
        pool = np.where(noisy < 0, y_true, -1) if (noisy < 0).any() else y_true
        added = keep_labels(pool, trusted_per_class, random_state) >= 0
        noisy, trusted = np.where(added, y_true, noisy), trusted | added
    return noisy, trusted


def corrupt(y: Labels, T: ArrayLike, random_state: int, how: Draw = "independent") -> Labels:
    """Return labels with noise.

    Parameters
    ----------
    y : ndarray of shape (N,), integer
        True labels from 0 to K - 1; -1 is a missing label and stays -1.
    T : array of shape (K, K)
        Transition matrix, from :func:`transition`.
    random_state : int
        Seed; the same seed gives the same labels.
    how : {"independent", "exact"}
        ``"independent"``: each label is drawn from its row of T, by one multinomial draw of ``RandomState`` per
        labeled row in order, as in the published code of Patrini et al.
        ``"exact"``: n_i * (1 - T[i, i]) of the n_i labels of class i become wrong, rounded so that the total is
        exact too (largest remainder, ties at random). Their new classes are drawn from the row of T.

    Returns
    -------
    ndarray of shape (N,), int64
        A new array.

    Raises
    ------
    InputError
        If ``y`` is not an array of labels, or T is not a transition matrix.

    Examples
    --------
    >>> y = np.array([0, 0, 0, 0, 1, 1, -1])
    >>> corrupt(y, transition("pair", 2, 0.5), random_state=0, how="exact")
    array([ 1,  0,  1,  0,  0,  1, -1])
    """
    T = check_transition(T)
    y = _as_labels(y, "y", len(T))
    rng = np.random.RandomState(random_state)  # its draws are the same in every version of numpy
    if how == "independent":
        noisy = y.copy()
        for row in np.flatnonzero(y >= 0):
            noisy[row] = rng.multinomial(1, T[y[row]]).argmax()
        return noisy
    if how == "exact":
        return _corrupt_exactly(y, T, rng)
    raise unknown("way to corrupt", how, ("independent", "exact"))


def keep_labels(y: Labels, per_class: int, random_state: int) -> Labels:
    """Return labels with ``per_class`` labels left in each class; all others are missing.

    Parameters
    ----------
    y : ndarray of shape (N,), integer
        Given labels; -1 is a missing label and stays -1.
    per_class : int
        Labels to keep in each class from 0 to ``y.max()``, at least 1; drawn without replacement.
    random_state : int
        Seed; the same seed keeps the same rows.

    Returns
    -------
    ndarray of shape (N,), int64
        A new array; -1 where the label is not kept.

    Raises
    ------
    InputError
        If ``per_class`` is below 1, or a class has fewer labels.

    Examples
    --------
    >>> keep_labels(np.array([0, 0, 0, 1, 1, -1]), per_class=1, random_state=0)
    array([-1, -1,  0,  1, -1, -1])
    """
    y = _as_labels(y, "y")
    if per_class < 1:
        raise InputError(f"per_class={per_class}: each class must keep a label; use at least 1")
    counts = np.bincount(y[y >= 0])
    if not len(counts):
        raise InputError("y holds no label: every entry is -1; give at least one label per class")
    if counts.min() < per_class:
        raise InputError(
            f"class {counts.argmin()} has {counts.min()} labels: per_class={per_class} needs that many in "
            "each class; use a smaller number, or add labels"
        )
    rng = np.random.RandomState(random_state)
    kept = np.full_like(y, -1)
    for label in range(len(counts)):
        kept[rng.choice(np.flatnonzero(y == label), per_class, replace=False)] = label
    return kept


def describe(y_true: Labels, y: Labels) -> NoiseSummary:
    """Count the noise in ``y``.

    Parameters
    ----------
    y_true, y : ndarray of shape (N,), integer
        True and given labels; rows with -1 in either are not counted. K is the largest label plus 1.

    Raises
    ------
    InputError
        If the lengths differ, or no row has both labels.

    Examples
    --------
    >>> noise = describe(np.array([0, 0, 0, 1, 1]), np.array([0, 0, 1, 1, -1]))
    >>> noise.n_labeled, noise.rate
    (4, 0.25)
    >>> noise.transition.round(2)
    array([[0.67, 0.33],
           [0.  , 1.  ]])
    """
    y_true, y = _as_labels(y_true, "y_true"), _as_labels(y, "y")
    if len(y_true) != len(y):
        raise InputError(f"y_true has {len(y_true)} labels and y {len(y)}: both must be for the same rows")
    counted = (y_true >= 0) & (y >= 0)
    if not counted.any():
        raise InputError("no row has both a true and a given label: noise cannot be counted; add such rows")
    n_classes = int(max(y_true.max(), y.max())) + 1
    counts = np.zeros((n_classes, n_classes), dtype=np.int64)
    np.add.at(counts, (y_true[counted], y[counted]), 1)
    totals = counts.sum(axis=1)
    with np.errstate(invalid="ignore"):  # 0 / 0 gives the NaN of a class without rows
        T = counts / totals[:, None]
    n_labeled, n_wrong = int(totals.sum()), int(totals.sum() - counts.trace())
    return NoiseSummary(n_labeled, n_wrong, n_wrong / n_labeled, 1 - T.diagonal(), T)


def _corrupt_exactly(y: Labels, T: Floats, rng: np.random.RandomState) -> Labels:
    noisy = y.copy()
    stay = T.diagonal()
    wrong = _apportion(np.bincount(y[y >= 0], minlength=len(T)) * (1 - stay), rng)
    for label in np.flatnonzero(wrong):
        rows = rng.permutation(np.flatnonzero(y == label))[: wrong[label]]
        others = T[label].copy()
        others[label] = 0
        noisy[rows] = rng.choice(len(T), size=len(rows), p=others / others.sum())
    return noisy


def _apportion(shares: Floats, rng: np.random.RandomState) -> Labels:
    """Round each of the ``shares`` up or down, so that their sum is the rounded sum of the shares."""
    whole: Labels = np.floor(shares).astype(np.int64)
    n_up = int(np.floor(shares.sum().round(9) + 0.5)) - whole.sum()
    shuffled = rng.permutation(len(shares))
    # rounding makes 10 * (1 - .9) and 10 * .1 tie, which differ in the last bit
    by_remainder = shuffled[np.argsort(-(shares - whole)[shuffled].round(9), kind="stable")]
    whole[by_remainder[:n_up]] += 1
    return whole


def _as_labels(y: Labels, what: str, n_classes: int | None = None) -> Labels:
    y = np.asarray(y)
    if y.ndim != 1 or y.dtype.kind not in "iu":
        raise InputError(f"{what} has shape {y.shape} and type {y.dtype}: labels must be integers of shape (N,)")
    y = y.astype(np.int64)
    if len(y) and y.min() < -1:
        raise InputError(f"{what} holds {y.min()}: labels start at 0, and -1 means missing")
    if n_classes is not None and len(y) and y.max() >= n_classes:
        raise InputError(
            f"{what} holds {y.max()}: the transition matrix ends at class {n_classes - 1}; give a larger matrix"
        )
    return y
