"""Area under the margin (AUM): Pleiss, Zhang, Elenberg & Weinberger 2020, NeurIPS, arXiv:2001.10528.

The margin of a label in an epoch is the logit or probability of the given class minus the largest of the others. Its
mean over the epochs is low, or below 0, if the other rows contradict the label. The authors move some labels to an
extra class to find the threshold, which costs a second training. Here the threshold of each class comes from a mixture
of two distributions (:mod:`goldvein.noise.mixture`).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator

from goldvein.config.ranges import PartialShare
from goldvein.noise.mixture import p_wrong_by_score
from goldvein.selectors import Floats, Selection


class Margin(BaseEstimator):
    """Keep labels whose mean margin is as high as that of right labels.

    Parameters
    ----------
    threshold : float in (0, 1), default=0.5
        Least probability that a kept label is right.
    """

    needs = ("margins",)

    def __init__(self, threshold: PartialShare = 0.5) -> None:
        self.threshold = threshold

    def select(self, y: NDArray[np.int64], *, margins: Floats) -> Selection:
        """Return probabilities of being right (N,), NaN for a missing label, and the mask (N,) of kept labels.

        Parameters
        ----------
        y : ndarray of shape (N,), int64
            Given labels; -1 is a missing one and is never kept.
        margins : ndarray of shape (N,)
            Mean margins over epochs, of probabilities or of logits; values of missing labels are ignored.

        Examples
        --------
        >>> margins = np.r_[np.full(9, 0.9), np.full(9, 0.7), -0.8]
        >>> Margin().select(np.zeros(19, dtype=int), margins=margins)[1].tolist().index(False)
        18
        """
        quality = np.full(len(y), np.nan)
        given = y >= 0
        # EM starts with the labels that are mostly less probable than another class as the wrong ones
        quality[given] = 1 - p_wrong_by_score(y[given], margins[given], edge=0.0)
        return quality, np.nan_to_num(quality, nan=-1.0) >= self.threshold
