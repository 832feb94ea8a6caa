"""Confident learning: Northcutt, Jiang & Chuang 2021, JAIR 70, arXiv:1911.00068.

The confident joint (their eq. 1) counts a row for class i if its probability of i is at least the mean over the rows
with label i. Scaled to the number of labels of each class, it estimates how many labels j are really of class i
(eq. 3). For each i, that many rows with label j are dropped, those with the largest ``p_i - p_j``: *prune by noise
rate* (their section 3.3). The probabilities should come from networks that have not seen the label of the row.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator

from goldvein.noise.transition import count_confident
from goldvein.selectors import Floats, Selection
from goldvein.selectors.confidence import given_probability


class ConfidentLearning(BaseEstimator):
    """For each pair of classes, drop as many labels as the confident joint estimates to be wrong."""

    needs = ("probs",)

    def select(self, y: NDArray[np.int64], *, probs: Floats) -> Selection:
        """Return P(given class) (N,), NaN for a missing label, and the mask (N,) of kept labels.

        Parameters
        ----------
        y : ndarray of shape (N,), int64
            Given labels; -1 is a missing one and is never kept.
        probs : ndarray of shape (N, K)
            Class probabilities.

        Examples
        --------
        >>> probs = np.repeat([[0.9, 0.1], [0.2, 0.8]], 10, axis=0)
        >>> y = np.repeat([0, 1], 10)
        >>> y[0] = 1
        >>> np.flatnonzero(~ConfidentLearning().select(y, probs=probs)[1]).tolist()
        [0]
        """
        keep = y >= 0
        rows = np.flatnonzero(keep)
        joint = count_confident(y[rows], probs[rows])
        n = np.bincount(y[rows], minlength=probs.shape[1])
        mixed_up = np.rint(joint * (n / np.maximum(joint.sum(0), 1))).astype(int)  # eq. 3; columns: given classes
        for j in np.flatnonzero(n):
            of_class = rows[y[rows] == j]
            for i in np.flatnonzero(mixed_up[:, j]):
                if i != j:
                    lead = probs[of_class, i] - probs[of_class, j]
                    keep[of_class[np.argsort(-lead, kind="stable")[: mixed_up[i, j]]]] = False
        return given_probability(y, probs), keep
