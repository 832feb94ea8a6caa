"""Measures of a classifier, and of a list of suspicious labels."""

from __future__ import annotations

import torch
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
