"""Prediction consistency and confidence: stage 1 of Ding et al. 2018 (section 3.1).

Class c has n_c given labels. S_c are its rows that the network predicts as c, sorted by falling P(c | x). The rows with
P >= 0.9 keep their label. If these are fewer than 10 % of n_c, the next rows of S_c keep their label, too, until they
are 10 % or S_c ends. All other labels are dropped.

The paper is silent about two points: whether "10 % of the images of this class" means n_c or S_c, and whether "as high
as 0.9" includes 0.9. Table 1 of the paper keeps a fixed share, which is ``mode="top"`` here.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator

from goldvein.config.ranges import Share, check
from goldvein.selectors import Floats, Selection


class Confidence(BaseEstimator):
    """Keep labels that the network predicts with high probability.

    Parameters
    ----------
    threshold : float in [0, 1], default=0.9
        Least P(given class) of a kept label, in mode ``threshold``.
    floor : float in [0, 1], default=0.1
        Share of the labels of a class that is always kept, if the network predicts them.
    mode : {"threshold", "top"}, default="threshold"
        ``top`` ignores the threshold and keeps the share ``floor`` of each class, if the network predicts them.
    """

    needs = ("probs",)

    def __init__(
        self, threshold: Share = 0.9, floor: Share = 0.1, mode: Literal["threshold", "top"] = "threshold"
    ) -> None:
        self.threshold = threshold
        self.floor = floor
        self.mode = mode

    def select(self, y: NDArray[np.int64], *, probs: Floats) -> Selection:
        """Return P(given class) as label quality, and the mask of kept labels.

        Parameters
        ----------
        y : ndarray of shape (N,), int64
            Given labels; -1 is a missing one and is never kept.
        probs : ndarray of shape (N, K)
            Class probabilities.

        Returns
        -------
        label_quality : ndarray of shape (N,)
            P(given class), NaN for a missing label.
        keep : ndarray of shape (N,), bool
            A class whose labels the network never predicts keeps none.

        Examples
        --------
        >>> probs = np.array([[0.95, 0.05], [0.6, 0.4], [0.3, 0.7]])
        >>> Confidence().select(np.array([0, 0, 0]), probs=probs)[1].tolist()
        [True, False, False]
        """
        check(self)
        quality = given_probability(y, probs)
        consistent = probs.argmax(1) == y
        keep = np.zeros(len(y), dtype=bool)
        for c in np.unique(y[y >= 0]):
            of_class = np.flatnonzero(y == c)
            s = of_class[consistent[of_class]]
            s = s[np.argsort(-quality[s], kind="stable")]  # stable: ties keep the order of the rows
            n_floor = int(np.ceil(self.floor * len(of_class)))  # of n_c, not of S_c
            # "as high as 0.9" includes 0.9
            n_sure = int((quality[s] >= self.threshold).sum()) if self.mode == "threshold" else 0
            keep[s[: max(n_sure, n_floor)]] = True
        return quality, keep


def given_probability(y: NDArray[np.int64], probs: Floats) -> NDArray[np.float64]:
    """Return P(given class) of each row (N,); NaN if the label is missing (-1).

    Examples
    --------
    >>> given_probability(np.array([1, -1]), np.array([[0.2, 0.8], [0.5, 0.5]])).tolist()
    [0.8, nan]
    """
    # a missing label takes class 0 here, and NaN below
    p = np.take_along_axis(probs, np.maximum(y, 0)[:, None], 1)[:, 0].astype(float)
    return np.where(y >= 0, p, np.nan)
