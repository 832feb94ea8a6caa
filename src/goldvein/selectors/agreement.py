"""Agreement count: the share of the epochs after which the network predicts the given label.

Wrong labels are learned late and forgotten often (Toneva et al. 2019, arXiv:1812.05159; Han et al. 2018,
arXiv:1804.06872). So the labels that the network rarely predicted are suspicious. The threshold of each class comes
from a mixture of two distributions (:mod:`goldvein.noise.mixture`).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator

from goldvein.config.ranges import PartialShare
from goldvein.noise.mixture import p_wrong_by_score
from goldvein.selectors import Floats, Selection


class Agreement(BaseEstimator):
    """Keep labels that the network predicted after most epochs.

    Parameters
    ----------
    threshold : float in (0, 1), default=0.5
        Least probability that a kept label is right.
    """

    needs = ("agreement",)

    def __init__(self, threshold: PartialShare = 0.5) -> None:
        self.threshold = threshold

    def select(self, y: NDArray[np.int64], *, agreement: Floats) -> Selection:
        """Return probabilities of being right (N,), NaN for a missing label, and the mask (N,) of kept labels.

        Parameters
        ----------
        y : ndarray of shape (N,), int64
            Given labels; -1 is a missing one and is never kept.
        agreement : ndarray of shape (N,), in [0, 1]
            Shares of epochs; values of missing labels are ignored.

        Examples
        --------
        >>> agreement = np.r_[np.ones(18), 0.9, 0.1, 0.0]
        >>> Agreement().select(np.zeros(21, dtype=int), agreement=agreement)[1][-3:].tolist()
        [True, False, False]
        """
        quality = np.full(len(y), np.nan)
        given = y >= 0
        # EM starts with the labels that were predicted after fewer than half of the epochs as the wrong ones
        quality[given] = 1 - p_wrong_by_score(y[given], agreement[given], edge=0.5)
        return quality, np.nan_to_num(quality, nan=-1.0) >= self.threshold
