"""How many labels are wrong, with intervals: a mixture of the readings of the noise model.

Given a reading, the number of wrong labels of a class is normal: its mean is the sum of P(wrong); its variance comes
from chance (labels are wrong independently), from the parameters of the reading, and from the number of held-out
labels, if the network was trained on the others. The readings are mixed with their weights. So if no noise and some
noise are both possible, the interval reaches from 0 to what the other reading says.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

from goldvein.noise.model import NoiseModel

Floats = NDArray[np.floating[Any]]
Vector = NDArray[np.float64]
# relative error that comes from the form of eq. 1 of the calibration: on made data, estimates are up to 3 % low
MISFIT = 0.025
LEVELS = 0.05, 0.95  # of a 90 % interval
TINY = 1e-6  # of a label
STEPS = 60  # of the bisection that finds a quantile: to 1e-18 of the number of labels


@dataclass(frozen=True)
class Counts:
    """90 % intervals: of the number of wrong labels, and of that number in each class (K,)."""

    total: tuple[float, float]
    low: Vector
    high: Vector


def count_wrong(
    y: NDArray[np.int64],
    p_wrong: Floats,
    n_classes: int,
    model: NoiseModel | None = None,
    each: Floats | None = None,
    held_out: NDArray[np.bool_] | None = None,
) -> Counts:
    """Return the intervals.

    Parameters
    ----------
    y : ndarray of shape (n,), int64
        Given labels.
    p_wrong : ndarray of shape (n,)
        P(wrong), with all that is known of the label.
    n_classes : int
    model : NoiseModel, optional
        With ``counts``. Without it, P(wrong) is all that there is.
    each : ndarray of shape (R, n), optional
        P(wrong) by each reading of the model alone.
    held_out : ndarray of shape (n,), bool, optional
        Labels that took no part in training.

    Examples
    --------
    >>> found = count_wrong(np.repeat([0, 1], 50), np.repeat([0.0, 0.5], 50), 2)
    >>> [round(end, 1) for end in found.total], found.low.round(1).tolist()
    ([19.1, 30.9], [0.0, 19.1])
    """
    p = p_wrong.astype(np.float64)
    n = np.bincount(y, minlength=n_classes).astype(float)
    some = held_out is not None and held_out.any() and not held_out.all()
    unseen = np.bincount(y[held_out], minlength=n_classes) if some else n
    if model is None or each is None or not len(each):
        weights, each, shares, labeled = np.ones(1), p[None], [np.zeros((n_classes, n_classes))], np.arange(n_classes)
    else:
        weights, shares, labeled = model.weights, list(model.shares), model.labeled
        # duplicates, outliers and trusted labels change P(wrong) by the same amount in every reading
        each = np.clip(each + (p - model.weights @ each), 0, 1)
    mean, variance, of_all = np.zeros((len(each), n_classes)), np.zeros((len(each), n_classes)), np.zeros(len(each))
    for r, (of_reading, share) in enumerate(zip(each, shares, strict=True)):
        mean[r] = np.bincount(y, of_reading, minlength=n_classes)
        variance[r] = np.bincount(y, of_reading * (1 - of_reading), minlength=n_classes)
        of_all[r] = variance[r].sum() + n[labeled] @ share @ n[labeled]
        variance[r, labeled] += n[labeled] ** 2 * np.diag(share)
        variance[r] += (MISFIT * mean[r]) ** 2
        of_all[r] += (MISFIT * mean[r].sum()) ** 2
        if unseen is not n:  # the shares were learned from the held-out labels alone
            variance[r] += n**2 * _variance_of_share(mean[r] / np.maximum(n, 1), unseen)
            of_all[r] += n.sum() ** 2 * _variance_of_share(mean[r].sum() / n.sum(), unseen.sum())
    wrong = np.bincount(y, p, minlength=n_classes)
    low, high = (_quantile(level, weights, mean, variance, n) for level in LEVELS)
    ends = (_quantile(level, weights, mean.sum(1)[:, None], of_all[:, None], n.sum(keepdims=True)) for level in LEVELS)
    first, last = (float(end[0]) for end in ends)
    # the mean of a skewed mixture may lie outside
    return Counts((min(first, wrong.sum()), max(last, wrong.sum())), np.minimum(low, wrong), np.maximum(high, wrong))


def _variance_of_share(share: Any, m: Any) -> Any:
    """Return the variance of a share that m labels show, as if two more had been seen, one of them wrong.

    Without these two, no wrong label among 20 would mean that there is none anywhere (Agresti & Coull 1998 add two of
    each).
    """
    share = (share * m + 1) / (m + 2)
    return share * (1 - share) / (m + 2)


def lowest_share(n_wrong: float, interval: Sequence[float]) -> float:
    """Return the lower end of the interval of the number of wrong labels, divided by this number; 1 if it is 0.

    Examples
    --------
    >>> lowest_share(20.0, (15.0, 25.0)), lowest_share(0.0, (0.0, 3.0))
    (0.75, 1.0)
    """
    return min(1.0, interval[0] / n_wrong) if n_wrong > 0 else 1.0


def _quantile(level: float, weights: Vector, mean: Vector, variance: Vector, most: Vector) -> Vector:
    """Return a quantile (K,) between 0 and ``most`` (K,) of mixtures of R normal distributions, (R, K) each."""
    low, high = np.zeros(mean.shape[1]), most.astype(float)
    deviation = np.maximum(np.sqrt(np.maximum(variance, 0)), 1e-9)
    for _ in range(STEPS):
        middle = (low + high) / 2
        below = weights @ ndtr((middle - mean) / deviation) >= level
        low, high = np.where(below, low, middle), np.where(below, middle, high)
    return np.where(high < TINY, 0.0, high)
