"""Measures of a classifier, and of a list of suspicious labels."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor


def balanced_accuracy(y: Tensor, predicted: Tensor) -> float:
    """Mean over the classes that occur of the share of their rows predicted right; NaN without a row.

    Examples
    --------
    >>> balanced_accuracy(torch.tensor([0, 0, 0, 1]), torch.tensor([0, 0, 0, 0]))
    0.5
    """
    if len(y) == 0:
        return float("nan")
    total = torch.bincount(y)
    right = torch.bincount(y[y == predicted], minlength=len(total))
    return float((right[total > 0] / total[total > 0]).double().mean())


def calibration_error(p: NDArray[np.float64], happened: NDArray[np.bool_], n_bins: int = 10) -> float:
    """Expected calibration error: mean gap between a probability and how often what it speaks of happened.

    Rows are put into ``n_bins`` bins of equal width by ``p``; the gaps of the bins are weighted by their rows.

    Parameters
    ----------
    p : ndarray of shape (n,), in [0, 1]
    happened : ndarray of shape (n,), bool

    Examples
    --------
    >>> calibration_error(np.array([0.9, 0.9, 0.1, 0.1]), np.array([True, True, False, True]))
    0.25
    """
    if len(p) == 0:
        return float("nan")
    part = np.minimum((p * n_bins).astype(int), n_bins - 1)
    gap = np.bincount(part, p - happened, minlength=n_bins)
    return float(np.abs(gap).sum() / len(p))
