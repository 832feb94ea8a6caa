"""Whether the given labels can tell which class is which.

Labels show which rows belong together, and how the names are spread over each group; which name is the right one they
show only if most labels of a class are right. Let e of the rows of class i that are labeled i or j bear the name j,

    e[i, j] = T[i, j] / (T[i, i] + T[i, j]).

Exchanging the names of i and j explains the same labels with 1 - e of them wrong in place of e. It is as good an
explanation, but for its noise, if there is a way back: j must be labeled i as often. So the names are in doubt where
classes lie on a ring of steps i -> j, each with

    e[i, j] >= 0.3             the other explanation has at most 7/3 of the noise,                         (1)
    T[i, j] >= 3 mean_k T[i, k]     k neither i nor j: the name of j stands out in the group.              (2)

Two classes need both directions; noise of one direction, however strong, leaves no doubt. By (2) neither does noise
that spreads over many names, as symmetric noise does at any rate: the one name that stands out is the true one. Two
classes have no other names, and symmetric noise of theirs is in doubt from 0.3 on.

T is counted where the network is surest: among all rows, classes that look alike would pass for names mixed up.
Measured: the largest e (of both directions the smaller) of pairs that fulfill (2), or how many of 5 seeds are in doubt.

                                               sym. 0-.8    asym. .1    .2          .4          .6
    MNIST, 10 epochs of cross-entropy          0            -           .19         .34-.41     .38-.43
    linear classifier, 20 features, cross-validated:
    4,000 labels, 49-87 % of rows right        0 of 5       0 of 5      0 of 5      5 of 5      5 of 5
    1,000 labels, 15-85 %                      0 of 5       0 of 5      0 of 5      3-4 of 5    1-2 of 5

A plain network learns the labels of a small set by heart, and then nothing stands out in what it predicts: below 100
held-out labels a class its silence says little (two stages count apart, and do speak).

Beside 5 and 6, asymmetric noise of .6 brings up 2 and 7 where a network calls most of 2 by 7, as that of plain
cross-entropy does.

A trusted label says which name a group bears. If the network puts it into the right group with probability 0.9, the
majority of m trusted labels is wrong with P(Bin(m, 0.9) <= m / 2), and m is the least that keeps this, over the classes
of the ring, below 5 %: 5 labels of each of two classes. On MNIST, asymmetric noise of p = 0.6, linear classifiers on
the features of a network of the noisy labels, trained on 5 trusted labels a class, tell 5 from 6 in 89 % of cases
(trusted rows apart from these), in none of 40 draws the wrong way round.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.sparse.csgraph import connected_components
from scipy.special import bdtr, betainc

from goldvein.noise.transition import count_transition

DOUBT = 0.3  # e from which on a name is in doubt
CROWD = 3.0  # times the mean of the other wrong names that a name must have to stand out
CLEAR = 1 / 5  # e that few labels must rule out before they cast a doubt,
LEVEL = 0.01  # at this level
MIN_HELD_OUT = 100  # held-out labels a class from which they alone are asked: a network knows the others by heart
ACCURACY = 0.9  # of a network, as to the group of a row
RISK = 0.05  # that trusted labels mislead


@dataclass(frozen=True)
class Ambiguity:
    """Classes whose names could be exchanged without contradicting the labels.

    Attributes
    ----------
    classes : tuple of int
        Two classes, or a ring of more.
    share : float
        Mean share of the rows of such a class that bear the name of the next, e of eq. 1.
    trusted_needed : int
        Trusted labels of each of these classes that would settle it.
    exchanged : bool
        Whether there are so many, and the network goes against them.
    """

    classes: tuple[int, ...]
    share: float
    trusted_needed: int
    exchanged: bool = False

    def message(self, names: Sequence[object]) -> str:
        """One sentence, with the names of all K classes at hand.

        Examples
        --------
        >>> print(Ambiguity((0, 1), 0.41, 5).message(["cat", "dog"]))  # doctest: +NORMALIZE_WHITESPACE
        classes cat and dog may have exchanged names: these labels look the same whether 41% of their names are wrong or
        59%; mark 5 right labels of every class as trusted and train with two_stage_clean to settle it
        """
        *others, last = (str(names[c]) for c in self.classes)
        who = f"classes {', '.join(others)} and {last}"
        if self.exchanged:
            return f"{who} have exchanged names in most labels, by the trusted ones; train with two_stage_clean"
        low, high = (f"{share:.0%}" for share in sorted((self.share, 1 - self.share)))
        looks = f"these labels look the same whether {low} of their names are wrong or {high}"
        if low == high:
            looks = "half of their names are wrong, and these labels do not say which"
        return (
            f"{who} may have exchanged names: {looks}; mark {self.trusted_needed} right labels of every class as "
            "trusted and train with two_stage_clean to settle it"
        )


def names_in_doubt(
    y: NDArray[np.int64],
    probs: NDArray[np.floating],
    *,
    held_out: NDArray[np.bool_] | None = None,
    trusted: NDArray[np.bool_] | None = None,
) -> list[Ambiguity]:
    """Classes whose names the given labels of a run leave in doubt.

    Parameters
    ----------
    y : ndarray of shape (N,), int64
        Given labels; -1 is a missing one.
    probs : ndarray of shape (N, K)
        Class probabilities of the network, whatever it was trained on.
    held_out : ndarray of shape (N,), bool, optional
        Rows that it was not trained on; they alone are asked if they are 100 a class.
    trusted : ndarray of shape (N,), bool, optional
        Labels known to be right.

    Returns
    -------
    list of Ambiguity
        See :func:`find_ambiguous`.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> true = np.arange(3000) % 3
    >>> y = np.where((true < 2) & (rng.random(3000) < 0.4), 1 - true, true)
    >>> [found.classes for found in names_in_doubt(y, np.eye(3)[true])]
    [(0, 1)]
    """
    n_classes = probs.shape[1]
    predicted = probs.argmax(1)
    sure = np.zeros(len(y), dtype=bool) if trusted is None else trusted
    asked = (y >= 0) & ~sure
    if held_out is not None and (asked & held_out).sum() >= MIN_HELD_OUT * n_classes:
        asked &= held_out
    confidence = probs.max(1)
    rows = [np.flatnonzero(asked & (predicted == c)) for c in range(n_classes)]
    surest = np.concatenate([r[np.argsort(-confidence[r], kind="stable")[: (len(r) + 1) // 2]] for r in rows])
    T = count_transition(y[surest], predicted[surest], n_classes)
    told = np.zeros((n_classes, n_classes), dtype=np.int64)
    np.add.at(told, (y[sure], predicted[sure]), 1)
    return find_ambiguous(T, np.bincount(y[surest], minlength=n_classes), told)


def find_ambiguous(T: ArrayLike, n_labels: ArrayLike, trusted: ArrayLike | None = None) -> list[Ambiguity]:
    """Classes whose names the given labels leave in doubt, by eq. 1 and 2.

    Parameters
    ----------
    T : array of shape (K, K)
        Estimate of P(given j | true i).
    n_labels : array of shape (K,), int
        Given labels of each class. Few labels cast no doubt: they must rule out a share of one fifth.
    trusted : array of shape (K, K), int, optional
        Rows of trusted label i that the network predicts as j. Where each class of a group has enough of them, it is
        settled if most are predicted as such. Classes whose trusted rows are mostly predicted as each other are a
        group, whatever T is.

    Returns
    -------
    list of Ambiguity
        Empty where the labels leave no doubt, which is the usual case; else groups of classes, apart.

    Examples
    --------
    >>> T = [[0.6, 0.4, 0.0], [0.4, 0.6, 0.0], [0.0, 0.1, 0.9]]
    >>> [(a.classes, round(a.share, 2), a.trusted_needed) for a in find_ambiguous(T, [1000, 1000, 1000])]
    [((0, 1), 0.4, 5)]
    >>> find_ambiguous([[0.8, 0.2], [0.3, 0.7]], [1000, 1000])
    []
    """
    T = np.asarray(T, dtype=float)
    share = shares(T)
    step = (share >= DOUBT) & stands_out(T) & _enough(T, share, np.asarray(n_labels, dtype=float))
    told = np.zeros_like(T) if trusted is None else np.asarray(trusted)
    denied = (2 * told > told.sum(1, keepdims=True)) & (told.sum(1, keepdims=True) >= trusted_needed(2))
    step |= denied & ~np.eye(len(T), dtype=bool)  # most trusted rows of a class are predicted as one other
    n_groups, group = connected_components(step, connection="strong")
    found = []
    for g in range(n_groups):
        classes = np.flatnonzero(group == g)
        if len(classes) < 2:
            continue
        needed = trusted_needed(len(classes))
        enough = bool((told.sum(1)[classes] >= needed).all())
        if enough and (2 * np.diag(told) > told.sum(1))[classes].all():
            continue
        among = np.ix_(classes, classes)
        mean = float(share[among][step[among]].mean())
        found.append(Ambiguity(tuple(classes.tolist()), mean, needed, exchanged=enough))
    return found


def shares(T: NDArray[np.float64]) -> NDArray[np.float64]:
    """e[i, j] of eq. 1 (K, K), 0 on the diagonal.

    Examples
    --------
    >>> shares(np.array([[0.6, 0.2, 0.2], [0.0, 1.0, 0.0], [0.5, 0.0, 0.5]])).tolist()
    [[0.0, 0.25, 0.25], [0.0, 0.0, 0.0], [0.5, 0.0, 0.0]]
    """
    both = np.diag(T)[:, None] + T
    share = np.divide(T, both, out=np.zeros_like(T), where=both > 0)
    np.fill_diagonal(share, 0.0)
    return share


def stands_out(T: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Eq. 2 (K, K): whether label j is far more frequent in class i than its other wrong labels.

    Examples
    --------
    >>> stands_out(np.array([[0.5, 0.4, 0.1], [0.2, 0.6, 0.2], [0.0, 0.0, 1.0]]))[:2].tolist()
    [[False, True, False], [False, False, False]]
    """
    wrong = T - np.diag(np.diag(T))
    others = (wrong.sum(1, keepdims=True) - wrong) / max(len(T) - 2, 1)
    return wrong >= np.maximum(CROWD * others, 1e-12)


def trusted_needed(n_classes: int, accuracy: float = ACCURACY) -> int:
    """Trusted labels of each of so many classes that tell their names, all of them right with probability 0.95.

    Examples
    --------
    >>> trusted_needed(2), trusted_needed(10)
    (5, 7)
    """
    m = 1
    while n_classes * bdtr(m // 2, m, accuracy) > RISK:
        m += 2
    return m


def _enough(T: NDArray[np.float64], share: NDArray[np.float64], n_labels: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Whether shares (K, K) were counted on rows enough to rule out that they are below CLEAR."""
    of_label = n_labels / np.maximum(T.sum(0), 1e-12)
    rows = (T @ of_label)[:, None] * (np.diag(T)[:, None] + T)  # of class i labeled i or j, were classes alike in size
    hits = share * rows
    return betainc(np.maximum(hits, 1e-9), rows - hits + 1, CLEAR) <= LEVEL  # P(Bin(rows, CLEAR) >= hits)
