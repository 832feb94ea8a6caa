"""Label noise as the literature injects it, missing labels, and what a perfect classifier could still reach.

A transition matrix ``T`` of shape (K, K) holds T[i, j] = P(given label j | true label i); its rows sum to 1.

=================  ==================================================================================
name               a label of class i becomes, with probability ``rate``
=================  ==================================================================================
symmetric          each of the other K - 1 classes alike (Patrini et al. 2017; Sun et al. 2021, eq. 5)
uniform            each of all K classes alike, its own included (Laine & Aila 2017), so that only
                   ``rate * (K - 1) / K`` of the labels are wrong
pair               class i + 1, the last one class 0
patrini_mnist      2 -> 7, 3 -> 8, 7 -> 1, 5 <-> 6; other classes stay (Patrini et al. 2017, their code)
ding_mnist         2 -> 7, 3 -> 8, 7 -> 1, 5 -> 6, as Ding et al. 2018 print it; their results fit the row
                   above: see :func:`bayes_accuracy`
patrini_cifar10    9 -> 1, 2 -> 0, 4 -> 7, 3 <-> 5 (truck, bird, deer; cat and dog), other classes stay
=================  ==================================================================================

Order of use: :func:`corrupt`, then :func:`keep_labels`, so that the kept labels are balanced by what a user
would see, the given label. Sun et al. count wrong labels within the labeled rows of each true category: for
that, ``keep_labels`` first and ``corrupt(..., how="exact")`` after it. Test labels are never corrupted.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from goldvein.errors import InputError, unknown
from goldvein.noise.transition import check_transition

_FLIPS = {
    "patrini_mnist": {2: 7, 3: 8, 7: 1, 5: 6, 6: 5},
    "ding_mnist": {2: 7, 3: 8, 7: 1, 5: 6},
    "patrini_cifar10": {9: 1, 2: 0, 4: 7, 3: 5, 5: 3},
}


@dataclass(frozen=True)
class NoiseSummary:
    """The noise that is in the labels, counted over the rows that have both a given and a true label.

    Attributes
    ----------
    n_labeled, n_wrong : int
        Rows counted, and those among them whose given label is not the true one.
    rate : float
        ``n_wrong / n_labeled``.
    rate_per_class : ndarray of shape (K,), float64
        Share of wrong labels among the rows of each true class; NaN for a class without a counted row.
    transition : ndarray of shape (K, K), float64
        T as it came out; a row of NaN for a class without a counted row.
    """

    n_labeled: int
    n_wrong: int
    rate: float
    rate_per_class: np.ndarray
    transition: np.ndarray


def names() -> list[str]:
    """Names that :func:`transition` knows, sorted.

    Examples
    --------
    >>> names()
    ['ding_mnist', 'pair', 'patrini_cifar10', 'patrini_mnist', 'symmetric', 'uniform']
    """
    return sorted(("symmetric", "uniform", "pair", *_FLIPS))


def transition(noise: str | ArrayLike, n_classes: int, rate: float | None = None) -> np.ndarray:
    """The transition matrix of a kind of noise.

    Parameters
    ----------
    noise : str or array of shape (K, K)
        One of :func:`names`, or the matrix itself, which is checked and returned.
    n_classes : int
        K, at least 2; the kinds named after a data set have 10.
    rate : float, optional
        Probability in [0, 1] that a label of a class that flips at all does so. Needed beside a name; a
        matrix holds its own rates.

    Returns
    -------
    ndarray of shape (K, K), float64
        T[i, j] = P(given j | true i).

    Raises
    ------
    InputError
        The name does not exist or needs 10 classes; ``rate`` is out of range, missing beside a name or given
        beside a matrix; the matrix is not of size K x K, not finite or negative, or a row does not sum to 1.

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
            raise InputError(f"rate={rate} beside a matrix: a matrix holds its own rates; leave the rate out")
        return check_transition(noise, n_classes)
    if noise not in names():
        raise unknown("noise", noise, names())
    if rate is None or not 0 <= rate <= 1:
        raise InputError(f"rate={rate}: {noise} noise needs a rate from 0 to 1; give for example rate=0.2")
    if n_classes < 2:
        raise InputError(f"n_classes={n_classes}: noise needs a second class to flip to; give at least 2")
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


def corrupt(
    y: np.ndarray, T: ArrayLike, random_state: int, how: Literal["independent", "exact"] = "independent"
) -> np.ndarray:
    """Labels with noise.

    Parameters
    ----------
    y : ndarray of shape (N,), integer
        True labels from 0 to K - 1; -1 is a missing label and stays -1.
    T : array of shape (K, K)
        Transition matrix, from :func:`transition`.
    random_state : int
        Seed; the same seed gives the same labels.
    how : {"independent", "exact"}
        ``"independent"``: each label is drawn by itself from its row of T, by one multinomial draw of
        ``RandomState`` per labeled row in order: the draws of the published code of Patrini et al.
        ``"exact"``: of the n_i labels of class i, n_i * (1 - T[i, i]) become wrong, rounded such that the
        total is exact too (largest remainder, ties at random); which other class each one takes is drawn
        from the row of T.

    Returns
    -------
    ndarray of shape (N,), int64
        A new array.

    Raises
    ------
    InputError
        ``y`` holds something other than labels, or T is not a transition matrix.

    Examples
    --------
    >>> y = np.array([0, 0, 0, 0, 1, 1, -1])
    >>> corrupt(y, transition("pair", 2, 0.5), random_state=0, how="exact")
    array([ 1,  0,  1,  0,  0,  1, -1])
    """
    T = check_transition(T)
    y = _labels(y, "y", len(T))
    rng = np.random.RandomState(random_state)
    if how == "independent":
        noisy = y.copy()
        for row in np.flatnonzero(y >= 0):
            noisy[row] = rng.multinomial(1, T[y[row]]).argmax()
        return noisy
    if how == "exact":
        return _corrupt_exactly(y, T, rng)
    raise unknown("way to corrupt", how, ("independent", "exact"))


def keep_labels(y: np.ndarray, per_class: int, random_state: int) -> np.ndarray:
    """Labels of which all but ``per_class`` in each class are missing.

    Parameters
    ----------
    y : ndarray of shape (N,), integer
        Labels as given; -1 is a missing label and stays -1.
    per_class : int
        Labels to keep in every class from 0 to ``y.max()``, at least 1; drawn without replacement.
    random_state : int
        Seed; the same seed keeps the same rows.

    Returns
    -------
    ndarray of shape (N,), int64
        A new array; -1 where the label was not kept.

    Raises
    ------
    InputError
        ``per_class`` is below 1, or a class has fewer labels.

    Examples
    --------
    >>> keep_labels(np.array([0, 0, 0, 1, 1, -1]), per_class=1, random_state=0)
    array([-1, -1,  0,  1, -1, -1])
    """
    y = _labels(y, "y")
    if per_class < 1:
        raise InputError(f"per_class={per_class}: every class must keep a label; give at least 1")
    counts = np.bincount(y[y >= 0])
    if not len(counts):
        raise InputError("y holds no label: every entry is -1; give at least one label per class")
    if counts.min() < per_class:
        raise InputError(
            f"class {counts.argmin()} has {counts.min()} labels: per_class={per_class} needs that many in "
            "every class; ask for fewer, or add labels"
        )
    rng = np.random.RandomState(random_state)
    kept = np.full_like(y, -1)
    for label in range(len(counts)):
        kept[rng.choice(np.flatnonzero(y == label), per_class, replace=False)] = label
    return kept


def describe(y_true: np.ndarray, y: np.ndarray) -> NoiseSummary:
    """The noise that is in ``y``.

    Parameters
    ----------
    y_true, y : ndarray of shape (N,), integer
        True and given labels; a row with -1 in either is not counted. K is one more than the largest label.

    Raises
    ------
    InputError
        The lengths differ, or no row has both labels.

    Examples
    --------
    >>> noise = describe(np.array([0, 0, 0, 1, 1]), np.array([0, 0, 1, 1, -1]))
    >>> noise.n_labeled, noise.rate
    (4, 0.25)
    >>> noise.transition.round(2)
    array([[0.67, 0.33],
           [0.  , 1.  ]])
    """
    y_true, y = _labels(y_true, "y_true"), _labels(y, "y")
    if len(y_true) != len(y):
        raise InputError(f"y_true has {len(y_true)} labels and y {len(y)}: both must be of the same rows")
    counted = (y_true >= 0) & (y >= 0)
    if not counted.any():
        raise InputError("no row has both a true and a given label: noise is counted on such rows; give some")
    n_classes = int(max(y_true.max(), y.max())) + 1
    counts = np.zeros((n_classes, n_classes), dtype=np.int64)
    np.add.at(counts, (y_true[counted], y[counted]), 1)
    totals = counts.sum(axis=1)
    with np.errstate(invalid="ignore"):  # 0 / 0 is the NaN of a class without a row
        T = counts / totals[:, None]
    n_labeled, n_wrong = int(totals.sum()), int(totals.sum() - counts.trace())
    return NoiseSummary(n_labeled, n_wrong, n_wrong / n_labeled, 1 - T.diagonal(), T)


def bayes_accuracy(T: ArrayLike, prior: ArrayLike, balanced: bool) -> float:
    """Accuracy on true labels of the best that noisy labels alone can teach.

    A classifier that knows the true class of every input, and hence the exact posterior T[i] of the noisy
    label, predicts its largest entry. With ``balanced`` it was trained on noisy classes made equally
    frequent, and predicts the largest entry of T[i, j] / P(given j). Where several entries tie (to a relative
    1e-9), each is predicted equally often.

    Parameters
    ----------
    T : array of shape (K, K)
        Transition matrix.
    prior : array of shape (K,)
        Frequency of each true class, as counts or shares.
    balanced : bool
        Whether training balances the noisy classes.

    Returns
    -------
    float
        Fraction in [0, 1].

    Raises
    ------
    InputError
        T is not a transition matrix, or ``prior`` is not K finite numbers from 0 up, with one above 0.

    Notes
    -----
    At rate .6 the noise of Patrini et al. on CIFAR-10 leaves .50, or .80 if balanced; on MNIST, with the
    class counts of the test set, .508 or .815 (``patrini_mnist``), and .604 or 1 (``ding_mnist``). The .529
    of plain cross-entropy in Ding et al. lies near the former and far below the latter.

    Examples
    --------
    >>> T = transition("patrini_cifar10", 10, 0.6)
    >>> round(bayes_accuracy(T, np.ones(10), balanced=False), 3)
    0.5
    >>> round(bayes_accuracy(T, np.ones(10), balanced=True), 3)
    0.8
    """
    T = check_transition(T)
    prior = np.asarray(prior, dtype=np.float64)
    if prior.shape != (len(T),) or not np.isfinite(prior).all() or prior.min() < 0 or prior.max() == 0:
        raise InputError(f"prior={prior.tolist()}: give {len(T)} class frequencies from 0 up, one above 0")
    prior = prior / prior.sum()
    given = prior @ T if balanced else np.ones(len(T))
    scores = np.divide(T, given, out=np.zeros_like(T), where=given > 0)
    best = scores >= scores.max(axis=1, keepdims=True) * (1 - 1e-9)
    return float(prior @ (best.diagonal() / best.sum(axis=1)))


def _corrupt_exactly(y: np.ndarray, T: np.ndarray, rng: np.random.RandomState) -> np.ndarray:
    noisy = y.copy()
    stay = T.diagonal()
    wrong = _apportion(np.bincount(y[y >= 0], minlength=len(T)) * (1 - stay), rng)
    for label in np.flatnonzero(wrong):
        rows = rng.permutation(np.flatnonzero(y == label))[: wrong[label]]
        others = T[label].copy()
        others[label] = 0
        noisy[rows] = rng.choice(len(T), size=len(rows), p=others / others.sum())
    return noisy


def _apportion(shares: np.ndarray, rng: np.random.RandomState) -> np.ndarray:
    """Whole numbers beside ``shares``, each rounded up or down, whose sum is the rounded sum."""
    whole = np.floor(shares).astype(np.int64)
    n_up = int(np.floor(shares.sum().round(9) + 0.5)) - whole.sum()
    shuffled = rng.permutation(len(shares))
    # Rounded, so that 10 * (1 - .9) and 10 * .1, which differ in the last bit, tie.
    by_remainder = shuffled[np.argsort(-(shares - whole)[shuffled].round(9), kind="stable")]
    whole[by_remainder[:n_up]] += 1
    return whole


def _labels(y: np.ndarray, what: str, n_classes: int | None = None) -> np.ndarray:
    y = np.asarray(y)
    if y.ndim != 1 or y.dtype.kind not in "iu":
        raise InputError(f"{what} is of shape {y.shape} and type {y.dtype}: labels are one row of integers")
    y = y.astype(np.int64)
    if len(y) and y.min() < -1:
        raise InputError(f"{what} holds {y.min()}: labels count from 0, and -1 is a missing one")
    if n_classes is not None and len(y) and y.max() >= n_classes:
        raise InputError(
            f"{what} holds {y.max()}: the transition matrix ends at class {n_classes - 1}; give a larger one"
        )
    return y
