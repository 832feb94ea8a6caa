"""A weighted mean of fitted classifiers."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import log_softmax

from goldvein.estimators._cross_fit import FittedOn

Floats = NDArray[np.floating[Any]]
LEAST = 1e-4  # of a probability: a forest of 100 trees does not know anything below 0.01


class Mixture:
    """The mean of tempered probabilities.

    Parameters
    ----------
    parts : list of (weight, s, FittedOn)
        The weights sum to 1; s is that of :func:`temper`.
    """

    def __init__(self, parts: list[tuple[float, float, FittedOn]]) -> None:
        self.parts = parts

    def predict_proba(self, X: Any) -> NDArray[np.float64]:
        """Return class probabilities (n, K)."""
        return np.asarray(sum(weight * temper(fitted.predict_proba(X), s) for weight, s, fitted in self.parts))


def temper(q: Floats, s: float) -> NDArray[np.float64]:
    """Return softmax(s log q), (n, K).

    Examples
    --------
    >>> temper(np.array([[0.8, 0.2]]), 2.0).round(3).tolist()
    [[0.941, 0.059]]
    """
    return np.asarray(np.exp(log_softmax(s * np.log(np.maximum(q, LEAST)), axis=1)))
