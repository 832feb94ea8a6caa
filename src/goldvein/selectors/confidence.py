"""Prediction consistency and confidence: stage 1 of Ding et al. 2018 (section 3.1).

For each given class c with n_c labels: S_c are its rows that the network predicts as c, ranked by P(c | x). Those with
P >= 0.9 keep their label; if they are fewer than 10 % of n_c, the ranking is followed down until they are, but never
past S_c. All other labels are dropped.

Silent points: "10 % of the images of this class" is taken of n_c, not of S_c; "as high as 0.9" is P >= 0.9. Table 1 of
the paper keeps a fixed share, which is ``mode="top"`` here.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator

from goldvein.config.ranges import Share, check
from goldvein.selectors import Floats, Selection


class Confidence(BaseEstimator):
    """Keep labels that the network predicts, with high probability.

    Parameters
    ----------
    threshold : float in [0, 1], default=0.9
        Least P(given class) of a kept label, in mode ``threshold``.
    floor : float in [0, 1], default=0.1
        Share of the labels of a class that is kept in any case, as far as the network predicts them.
    mode : {"threshold", "top"}, default="threshold"
        ``top`` keeps the share ``floor`` of each class, as far as the network predicts it, whatever the threshold.
    """

    needs = ("probs",)

    def __init__(
        self, threshold: Share = 0.9, floor: Share = 0.1, mode: Literal["threshold", "top"] = "threshold"
    ) -> None:
        self.threshold = threshold
        self.floor = floor
        self.mode = mode

    def select(self, y: NDArray[np.int64], *, probs: Floats) -> Selection:
        """Scores P(given class) and the mask of kept labels.

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
            s = s[np.argsort(-quality[s], kind="stable")]
            n_floor = int(np.ceil(self.floor * len(of_class)))
            n_sure = int((quality[s] >= self.threshold).sum()) if self.mode == "threshold" else 0
            keep[s[: max(n_sure, n_floor)]] = True
        return quality, keep


def given_probability(y: NDArray[np.int64], probs: Floats) -> NDArray[np.float64]:
    """P(given class) of each row (N,), NaN where the label is missing (-1).

    Examples
    --------
    >>> given_probability(np.array([1, -1]), np.array([[0.2, 0.8], [0.5, 0.5]])).tolist()
    [0.8, nan]
    """
    p = np.take_along_axis(probs, np.maximum(y, 0)[:, None], 1)[:, 0].astype(float)
    return np.where(y >= 0, p, np.nan)
