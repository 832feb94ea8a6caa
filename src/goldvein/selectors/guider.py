"""Guider confidence of the Uncertainty Mining Net (Sun, Kolagunda, Eliuk & Wang 2021, section 3).

The guider is the moving average of the learner, and so slower to believe a wrong label: where its probability of the
given label is low, the label is suspicious. The cut of each class comes from a mixture of two distributions
(:mod:`goldvein.mixture`).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator

from goldvein.mixture import wrong_by_score
from goldvein.ranges import PartialShare


class Guider(BaseEstimator):
    """Keep labels that the guider believes.

    Parameters
    ----------
    threshold : float in (0, 1), default=0.5
        Least probability of being right of a kept label.
    """

    needs = ("guider_confidence",)

    def __init__(self, threshold: PartialShare = 0.5) -> None:
        self.threshold = threshold

    def select(self, y: NDArray[np.int64], *, guider_confidence: NDArray) -> tuple[NDArray, NDArray[np.bool_]]:
        """Probabilities of being right (N,), NaN for a missing label, and the mask (N,) of kept labels.

        Parameters
        ----------
        y : ndarray of shape (N,), int64
            Given labels; -1 is a missing one and is never kept.
        guider_confidence : ndarray of shape (N,), in [0, 1]
            The guider's probability of the given label.

        Examples
        --------
        >>> confidence = np.r_[np.full(9, 0.95), np.full(9, 0.85), 0.05]
        >>> Guider().select(np.zeros(19, dtype=int), guider_confidence=confidence)[1].tolist().index(False)
        18
        """
        quality = np.full(len(y), np.nan)
        given = y >= 0
        quality[given] = 1 - wrong_by_score(y[given], guider_confidence[given], edge=0.5)
        return quality, np.nan_to_num(quality, nan=-1.0) >= self.threshold
