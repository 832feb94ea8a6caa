"""Agreement count: the share of the epochs after which the network predicts the given label.

Wrong labels are learned late and forgotten often (Toneva et al. 2019, arXiv:1812.05159; Han et al. 2018,
arXiv:1804.06872), so the rows that the network rarely agreed with are suspicious. The cut of each class comes from
a mixture of two distributions (:mod:`goldvein.noise.mixture`) that begins at half of the epochs.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator

from goldvein.config.ranges import PartialShare
from goldvein.noise.mixture import p_wrong_by_score
from goldvein.selectors import Floats, Selection


class Agreement(BaseEstimator):
    """Keep labels that the network mostly agreed with.

    Parameters
    ----------
    threshold : float in (0, 1), default=0.5
        Least probability of being right of a kept label.
    """

    needs = ("agreement",)

    def __init__(self, threshold: PartialShare = 0.5) -> None:
        self.threshold = threshold

    def select(self, y: NDArray[np.int64], *, agreement: Floats) -> Selection:
        """Probabilities of being right (N,), NaN for a missing label, and the mask (N,) of kept labels.

        Parameters
        ----------
        y : ndarray of shape (N,), int64
            Given labels; -1 is a missing one and is never kept.
        agreement : ndarray of shape (N,), in [0, 1]
            Shares of epochs; what stands at a missing label is not read.

        Examples
        --------
        >>> agreement = np.r_[np.ones(18), 0.9, 0.1, 0.0]
        >>> Agreement().select(np.zeros(21, dtype=int), agreement=agreement)[1][-3:].tolist()
        [True, False, False]
        """
        quality = np.full(len(y), np.nan)
        given = y >= 0
        quality[given] = 1 - p_wrong_by_score(y[given], agreement[given], edge=0.5)
        return quality, np.nan_to_num(quality, nan=-1.0) >= self.threshold
