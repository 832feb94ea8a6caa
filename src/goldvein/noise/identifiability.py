"""Whether the given labels determine which class is which.

Labels show which rows belong together and how often each name occurs in each group. They show which name is the right
one only if most labels of a class are right. Among the rows of class i that are labeled i or j, let e be the share
labeled j:

    e[i, j] = T[i, j] / (T[i, i] + T[i, j])                                                               (1)

If i and j swap names, the same labels have a second explanation, with a share of 1 - e wrong instead of e. Apart from
its noise it is equally good, if labels also go the other way: j must be labeled i as often. So classes are ambiguous
if they lie on a cycle of steps i -> j, each with

    e[i, j] >= 0.3                         the second explanation has at most 7/3 of the noise            (2)
    T[i, j] >= 3 mean_k T[i, k]            over all k except i and j: the name j stands out in class i    (3)

Two classes need both directions; noise in one direction is never ambiguous, however strong it is. By (3), neither does
noise that spreads over many names, such as symmetric noise of any rate: only the true name stands out. With two classes
there are no other names, so symmetric noise is ambiguous from 0.3 on.

Measured: the largest e of pairs that satisfy (3), taking the smaller of both directions; or in how many of 5 seeds
classes are found ambiguous.

                                               sym. 0-.8    asym. .1    .2          .4          .6
    MNIST, 10 epochs of cross-entropy          0            -           .19         .34-.41     .38-.43
    linear classifier, 20 features, cross-validated:
    4,000 labels, 49-87 % of rows right        0 of 5       0 of 5      0 of 5      5 of 5      5 of 5
    1,000 labels, 15-85 %                      0 of 5       0 of 5      0 of 5      3-4 of 5    1-2 of 5

Asymmetric noise of .6 concerns 5 and 6. There, 2 and 7 are also reported if a network predicts 7 for most rows of class
2, as plain cross-entropy does.

Trusted labels decide which name is right. Suppose the network finds the right group of a trusted row with probability
0.9. The majority of m trusted labels of a class then misleads with probability P(Bin(m, 0.9) <= m / 2). The number
needed is the smallest m with

    n_classes P(Bin(m, 0.9) <= m / 2) <= 5 %           n_classes: number of classes in the cycle          (4)

For two classes, these are 5 labels of each. Measured on MNIST with asymmetric noise of 0.6: linear classifiers were
trained on 5 trusted labels per class, on the features of a network trained on the noisy labels. They distinguish 5 from
6 in 89 % of other trusted rows, and in none of 40 draws the wrong way round.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.sparse.csgraph import connected_components
from scipy.special import bdtr, betainc

from goldvein.noise.transition import count_transition

MIN_SHARE = 0.3  # eq. 2: smallest e of an ambiguous pair
MIN_RATIO = 3.0  # eq. 3: how many times the mean of the other wrong names a name must reach to stand out
UNAMBIGUOUS = 1 / 5  # with few labels: the e that they must rule out before a pair counts as ambiguous,
LEVEL = 0.01  # and the significance level for that
MIN_HELD_OUT = 100  # held-out labels per class from which on only they are used
ACCURACY = 0.9  # eq. 4: probability that a network finds the right group of a row
RISK = 0.05  # eq. 4: largest probability that trusted labels mislead

Matrix = NDArray[np.float64]  # (K, K)


@dataclass(frozen=True)
class Ambiguity:
    """Classes that could swap names without contradicting the labels.

    Attributes
    ----------
    classes : tuple of int
        Two classes, or a cycle of more.
    share : float
        Mean share of the rows of such a class that have the name of the next one, e of eq. 1.
    trusted_needed : int
        Trusted labels per class that decide which name is right.
    swapped : bool
        Whether there are that many trusted labels, and the network contradicts them.
    """

    classes: tuple[int, ...]
    share: float
    trusted_needed: int
    swapped: bool = False

    def message(self, names: Sequence[object], method: str) -> str:
        """Return a one-sentence warning.

        Parameters
        ----------
        names : sequence of length K
            Names of all classes.
        method : str
            Name of the method to use with labels known to be right.

        Examples
        --------
        >>> found = Ambiguity((0, 1), 0.41, 5)
        >>> print(found.message(["cat", "dog"], "two_stage_clean"))  # doctest: +NORMALIZE_WHITESPACE
        classes cat and dog may have swapped names: the labels look the same whether 41 % or 59 % of their names are
        wrong; mark 5 right labels of each class as trusted and train with two_stage_clean to decide
        """
        *others, last = (str(names[c]) for c in self.classes)
        who = f"classes {', '.join(others)} and {last}"
        if self.swapped:
            return f"{who} have swapped names in most labels, according to the trusted ones; train with {method}"
        low, high = (f"{100 * share:.0f} %" for share in sorted((self.share, 1 - self.share)))
        looks = f"the labels look the same whether {low} or {high} of their names are wrong"
        if low == high:
            looks = "half of their names are wrong, and the labels do not show which half"
        return (
            f"{who} may have swapped names: {looks}; mark {self.trusted_needed} right labels of each class as "
            f"trusted and train with {method} to decide"
        )


def find_ambiguous_classes(
    y: NDArray[np.int64],
    probs: NDArray[np.floating[Any]],
    *,
    held_out: NDArray[np.bool_] | None = None,
    trusted: NDArray[np.bool_] | None = None,
) -> list[Ambiguity]:
    """Find classes whose names the given labels of a run do not determine.

    Parameters
    ----------
    y : ndarray of shape (N,), int64
        Given labels; -1 is a missing label.
    probs : ndarray of shape (N, K)
        Class probabilities of the network, trained on any labels.
    held_out : ndarray of shape (N,), bool, optional
        Rows that the network was not trained on. If there are 100 labeled ones per class, only they are used.
    trusted : ndarray of shape (N,), bool, optional
        Labels known to be right.

    Returns
    -------
    list of Ambiguity
        See :func:`find_ambiguous_in`.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> true = np.arange(3000) % 3
    >>> y = np.where((true < 2) & (rng.random(3000) < 0.4), 1 - true, true)
    >>> [found.classes for found in find_ambiguous_classes(y, np.eye(3)[true])]
    [(0, 1)]
    """
    n_classes = probs.shape[1]
    predicted = probs.argmax(1)
    known = np.zeros(len(y), dtype=bool) if trusted is None else trusted
    used = (y >= 0) & ~known
    # A plain network memorizes the labels of a small set; then no name stands out in its predictions for them. With
    # fewer held-out labels, finding nothing therefore means little. (Two stages count as held out, and find something.)
    if held_out is not None and (used & held_out).sum() >= MIN_HELD_OUT * n_classes:
        used &= held_out
    # only the most confident half of each class: elsewhere, classes that look alike would pass for swapped names
    confidence = probs.max(1)
    rows = [np.flatnonzero(used & (predicted == c)) for c in range(n_classes)]
    surest = np.concatenate([r[np.argsort(-confidence[r], kind="stable")[: (len(r) + 1) // 2]] for r in rows])
    T = count_transition(y[surest], predicted[surest], n_classes)
    confusion = np.zeros((n_classes, n_classes), dtype=np.int64)
    np.add.at(confusion, (y[known], predicted[known]), 1)
    return find_ambiguous_in(T, np.bincount(y[surest], minlength=n_classes), confusion)


def find_ambiguous_in(T: ArrayLike, n_labels: ArrayLike, trusted: ArrayLike | None = None) -> list[Ambiguity]:
    """Find classes whose names a transition matrix does not determine, by eq. 2 and 3.

    Parameters
    ----------
    T : array of shape (K, K)
        Estimate of P(given j | true i).
    n_labels : array of shape (K,), int
        Given labels of each class. A pair with few labels only counts if they rule out a share e of one fifth.
    trusted : array of shape (K, K), int, optional
        Number of rows with trusted label i that the network predicts as j. If each class of a group has enough of them,
        and more are predicted as their label than as another class of the group, the group is not ambiguous. Classes
        whose trusted rows are mostly predicted as each other form a group for any T: they have swapped names if that
        is not by chance (5 %). A weak network mixes up classes in both directions, which proves nothing.

    Returns
    -------
    list of Ambiguity
        Disjoint groups of classes; usually there are none.

    Examples
    --------
    >>> T = [[0.6, 0.4, 0.0], [0.4, 0.6, 0.0], [0.0, 0.1, 0.9]]
    >>> [(a.classes, round(a.share, 2), a.trusted_needed) for a in find_ambiguous_in(T, [1000, 1000, 1000])]
    [((0, 1), 0.4, 5)]
    >>> find_ambiguous_in([[0.8, 0.2], [0.3, 0.7]], [1000, 1000])
    []
    """
    T = np.asarray(T, dtype=float)
    share = swap_shares(T)
    step = (share >= MIN_SHARE) & stands_out(T) & _has_enough_rows(T, share, np.asarray(n_labels, dtype=float))
    confusion = np.zeros_like(T) if trusted is None else np.asarray(trusted)
    n_trusted = confusion.sum(1)
    # most trusted rows of a class are predicted as one other class
    step |= (2 * confusion > n_trusted[:, None]) & _by_no_chance(confusion) & ~np.eye(len(T), dtype=bool)
    n_groups, group = connected_components(step, connection="strong")  # the cycles
    found = []
    for g in range(n_groups):
        classes = np.flatnonzero(group == g)
        if len(classes) < 2:
            continue
        needed, among = min_trusted(len(classes)), np.ix_(classes, classes)
        right, named = np.diag(confusion)[classes].sum(), confusion[among].sum()
        enough = bool((n_trusted[classes] >= needed).all())
        if enough and 2 * right > named:
            continue
        swapped = enough and bool((step & _by_no_chance(confusion))[among].any(1).all())
        mean = float(share[among][step[among]].mean())
        found.append(Ambiguity(tuple(classes.tolist()), mean, needed, swapped))
    return found


def _by_no_chance(confusion: NDArray[Any]) -> NDArray[np.bool_]:
    """Return whether more rows of class i are predicted as j than as i, by more than chance allows (K, K)."""
    right = np.diag(confusion)[:, None]
    # P(Bin(right + wrong, 1/2) >= wrong)
    chance = betainc(np.maximum(confusion, 1e-9), right + 1.0, 0.5)
    return np.asarray((confusion > right) & (chance <= RISK))


def swap_shares(T: Matrix) -> Matrix:
    """Return e[i, j] of eq. 1 (K, K), with 0 on the diagonal.

    Examples
    --------
    >>> swap_shares(np.array([[0.6, 0.2, 0.2], [0.0, 1.0, 0.0], [0.5, 0.0, 0.5]])).tolist()
    [[0.0, 0.25, 0.25], [0.0, 0.0, 0.0], [0.5, 0.0, 0.0]]
    """
    both = np.diag(T)[:, None] + T
    share = np.divide(T, both, out=np.zeros_like(T), where=both > 0)
    np.fill_diagonal(share, 0.0)
    return share


def stands_out(T: Matrix) -> NDArray[np.bool_]:
    """Return whether label j is much more frequent in class i than its other wrong labels, eq. 3 (K, K).

    Examples
    --------
    >>> stands_out(np.array([[0.5, 0.4, 0.1], [0.2, 0.6, 0.2], [0.0, 0.0, 1.0]]))[:2].tolist()
    [[False, True, False], [False, False, False]]
    """
    wrong = T - np.diag(np.diag(T))
    others = (wrong.sum(1, keepdims=True) - wrong) / max(len(T) - 2, 1)
    return np.asarray(wrong >= np.maximum(MIN_RATIO * others, 1e-12))


def min_trusted(n_classes: int, accuracy: float = ACCURACY) -> int:
    """Return how many trusted labels per class show the names of all these classes with probability 0.95, eq. 4.

    Examples
    --------
    >>> min_trusted(2), min_trusted(10)
    (5, 7)
    """
    m = 1
    while n_classes * bdtr(m // 2, m, accuracy) > RISK:
        m += 2
    return m


def _has_enough_rows(T: Matrix, share: Matrix, n_labels: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Return whether the rows behind the shares (K, K) are enough to rule out UNAMBIGUOUS."""
    per_label = n_labels / np.maximum(T.sum(0), 1e-12)
    # rows of class i labeled i or j, if classes have equal size
    rows = (T @ per_label)[:, None] * (np.diag(T)[:, None] + T)
    hits = share * rows
    # P(Bin(rows, UNAMBIGUOUS) >= hits)
    return np.asarray(betainc(np.maximum(hits, 1e-9), rows - hits + 1, UNAMBIGUOUS) <= LEVEL)
