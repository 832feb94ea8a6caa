"""Epsilon of the Uncertainty Mining Net (Sun, Kolagunda, Eliuk & Wang 2021, eq. 8).

``epsilon = |g'(y) - g(y)|``, the gap between guider and learner about the given label, is the paper's probability that
the label is wrong. "Corrupted if epsilon > 0" holds of nearly every label, so there is a threshold here.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator

from goldvein.ranges import PartialShare


class Epsilon(BaseEstimator):
    """Keep labels about which guider and learner agree.

    Parameters
    ----------
    threshold : float in (0, 1), default=0.5
        Largest epsilon of a kept label.
    """

    needs = ("epsilon",)

    def __init__(self, threshold: PartialShare = 0.5) -> None:
        self.threshold = threshold

    def select(self, y: NDArray[np.int64], *, epsilon: NDArray) -> tuple[NDArray, NDArray[np.bool_]]:
        """``1 - epsilon`` (N,), NaN for a missing label, and the mask (N,) of kept labels.

        Parameters
        ----------
        y : ndarray of shape (N,), int64
            Given labels; -1 is a missing one and is never kept.
        epsilon : ndarray of shape (N,), in [0, 1]

        Examples
        --------
        >>> Epsilon().select(np.array([0, 1, -1]), epsilon=np.array([0.1, 0.9, 0.0]))[1].tolist()
        [True, False, False]
        """
        quality = np.where(y >= 0, 1 - np.asarray(epsilon, dtype=float), np.nan)
        return quality, np.nan_to_num(quality, nan=-1.0) >= 1 - self.threshold
