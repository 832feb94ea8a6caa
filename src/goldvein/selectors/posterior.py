"""The probability that a given label is right, by Bayes' rule with a transition matrix that is counted in the same run.

With clean class probabilities p(k | x) and T[k, j] = P(given j | true k), independent of x,

    P(true = j | x, given = j)  =  T[j, j] p(j | x) / sum_k T[k, j] p(k | x).                             (1)

Both come from one network. T is counted: the prediction of the network stands for the true class (as in confident
learning, Northcutt et al. 2021, arXiv:1911.00068). A network that was trained on noisy labels predicts p T~, the
probabilities of noisy labels. T~ is counted in the same way on the labels that it was trained on, and its inverse gives
p (Patrini et al. 2017, arXiv:1609.03683).

The rule of Ding et al. only keeps labels that the network predicts with high probability. In (1), the label itself is
evidence, too. With 20 % symmetric noise over ten classes, a given label outweighs a network that is 9 : 1 against it,
so hard rows keep their labels.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator

from goldvein.config.ranges import PositiveShare, Share, check
from goldvein.noise.transition import count_transition, unmix
from goldvein.selectors import Floats, Selection
from goldvein.selectors.confidence import given_probability


class Posterior(BaseEstimator):
    """Keep labels that are more likely right than not.

    Parameters
    ----------
    threshold : float in (0, 1], default=0.5
        Least probability that a kept label is right.
    floor : float in [0, 1], default=0.1
        Share of the labels of each class that is always kept, the most probable ones first.
    """

    needs = ("probs", "trained_on")

    def __init__(self, threshold: PositiveShare = 0.5, floor: Share = 0.1) -> None:
        self.threshold = threshold
        self.floor = floor

    def select(self, y: NDArray[np.int64], *, probs: Floats, trained_on: NDArray[np.int64] | None = None) -> Selection:
        """Return probabilities of being right (N,), NaN for a missing label, and the mask (N,) of kept labels.

        Parameters
        ----------
        y : ndarray of shape (N,), int64
            Given labels; -1 is a missing one and is never kept.
        probs : ndarray of shape (N, K)
            Class probabilities of a network.
        trained_on : ndarray of shape (N,), int64, optional
            Labels with the noise that the network has learned, also for held-out rows; -1 for none. All are -1 if the
            probabilities have no noise. By default ``y``.

        Examples
        --------
        >>> probs = np.repeat([[0.99, 0.01], [0.01, 0.99]], 50, axis=0)
        >>> y = np.repeat([0, 1], 50)
        >>> y[0] = 1
        >>> quality, keep = Posterior().select(y, probs=probs)
        >>> int((~keep).sum()), bool(quality[0] < 0.2)
        (1, True)
        """
        check(self)
        quality = probability_right(y, probs, trained_on)
        keep = np.nan_to_num(quality, nan=-1.0) >= self.threshold
        for c in np.unique(y[y >= 0]):
            of_class = np.flatnonzero(y == c)
            best = np.argsort(-quality[of_class], kind="stable")
            keep[of_class[best[: int(np.ceil(self.floor * len(of_class)))]]] = True
        return quality, keep


def probability_right(
    y: NDArray[np.int64], probs: Floats, trained_on: NDArray[np.int64] | None = None
) -> NDArray[np.float64]:
    """Return eq. 1 for each row (N,); NaN if the label is missing."""
    return given_probability(y, class_posterior(y, probs, trained_on))


def class_posterior(
    y: NDArray[np.int64], probs: Floats, trained_on: NDArray[np.int64] | None = None
) -> NDArray[np.float64]:
    """Return P(true = k | x, given label) for each row, (N, K); for a missing label p(k | x).

    Examples
    --------
    Where the network is undecided, label and noise decide:

    >>> probs = np.array([[0.99, 0.01]] * 4 + [[0.01, 0.99]] * 4 + [[0.5, 0.5]])
    >>> y = np.array([0, 0, 0, 1, 1, 1, 1, 0, 1])
    >>> class_posterior(y, probs, trained_on=np.full(9, -1))[-1].round(2).tolist()
    [0.29, 0.71]
    """
    n_classes = probs.shape[1]
    predicted = probs.argmax(1)
    clean = clean_probs(probs, y if trained_on is None else trained_on)
    T = count_transition(y, predicted, n_classes)
    q = clean * np.where((y >= 0)[:, None], T[:, y].T, 1.0)  # (N, K), eq. 1 before it is divided by the sum
    posterior: NDArray[np.float64] = q / q.sum(1, keepdims=True)
    return posterior


def clean_probs(probs: Floats, trained_on: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return p(k | x) (N, K) of a network that was trained on labels (N,), some of them wrong.

    Examples
    --------
    Without labels that the network was trained on, the probabilities stay as they are:

    >>> clean_probs(np.array([[0.8, 0.2]]), np.array([-1])).tolist()
    [[0.8, 0.2]]
    """
    return unmix(probs, count_transition(trained_on, probs.argmax(1), probs.shape[1]))
