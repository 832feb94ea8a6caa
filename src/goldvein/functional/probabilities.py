"""Probabilities as tensors: distances, soft losses, moving averages."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor


def squared_distance(p: Tensor, q: Tensor) -> Tensor:
    """Squared Euclidean distance per row, summed over classes (Ding et al. 2018, eq. 1): (B, K) -> (B,).

    Examples
    --------
    >>> squared_distance(torch.tensor([[1.0, 0.0]]), torch.tensor([[0.0, 1.0]]))
    tensor([2.])
    """
    return (p - q).square().sum(1)


def soft_cross_entropy(logits: Tensor, target: Tensor) -> Tensor:
    """``-sum_k target_k log softmax(logits)_k`` per row: (B, K), (B, K) -> (B,).

    Examples
    --------
    >>> soft_cross_entropy(torch.zeros(1, 2), torch.tensor([[0.5, 0.5]]))
    tensor([0.6931])
    """
    return -(target * logits.log_softmax(1)).sum(1)


def one_hot(y: Tensor, n_classes: int) -> Tensor:
    """(B,) int64 -> (B, K) float32; a missing label (-1) is a row of zeros.

    Examples
    --------
    >>> one_hot(torch.tensor([1, -1]), 2)
    tensor([[0., 1.],
            [0., 0.]])
    """
    return (y[:, None] == torch.arange(n_classes, device=y.device)).float()


@torch.no_grad()
def update_average(average: Iterable[Tensor], current: Iterable[Tensor], decay: float) -> None:
    """Exponential moving average in place: ``average <- decay average + (1 - decay) current``.

    Integer tensors (the batch counter of a batch norm) are copied.

    Examples
    --------
    >>> a = [torch.zeros(1)]
    >>> update_average(a, [torch.ones(1)], decay=0.9)
    >>> a
    [tensor([0.1000])]
    """
    for a, c in zip(average, current, strict=True):
        if a.is_floating_point():
            a.lerp_(c, 1 - decay)
        else:
            a.copy_(c)


def kept_mask(y: Tensor, kept: Tensor) -> Tensor:
    """1 where the label y (N,) was kept, 0 where it was removed, NaN where there is none; -1 is none in both.

    Examples
    --------
    >>> kept_mask(torch.tensor([4, 4, -1]), torch.tensor([4, -1, -1]))
    tensor([1., 0., nan])
    """
    return (kept >= 0).float().masked_fill(y < 0, torch.nan)
