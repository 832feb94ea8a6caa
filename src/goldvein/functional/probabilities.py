"""Mathematics that two or more methods use: ramps, soft losses, moving averages."""

from __future__ import annotations

import math
from collections.abc import Iterable

import torch
from torch import Tensor


def rampup(epoch: float, length: float) -> float:
    """Gaussian ramp-up from exp(-5) to 1 over ``length`` epochs (Laine & Aila 2017, section 3.1).

    ``exp(-5 (1 - epoch / length)^2)`` before ``length``, 1 from there on; a length of 0 is no ramp.

    Examples
    --------
    >>> [round(rampup(e, 80), 6) for e in (0, 20, 79, 80)]
    [0.006738, 0.060055, 0.999219, 1.0]
    """
    return math.exp(-5 * (1 - epoch / length) ** 2) if epoch < length else 1.0


def rampdown(epoch: float, n_epochs: float, length: float) -> float:
    """Gaussian ramp-down over the last ``length`` of ``n_epochs`` epochs (Laine & Aila 2017, section 3.1).

    Examples
    --------
    >>> [round(rampdown(e, 300, 50), 6) for e in (249, 250, 275, 299)]
    [1.0, 1.0, 0.043937, 6e-06]
    """
    start = n_epochs - length
    return math.exp(-12.5 * ((epoch - start) / length) ** 2) if length and epoch >= start else 1.0


def let_go(progress: float, between: tuple[float, float], end: float) -> float:
    """1 at first, ``end`` at last, geometric where ``progress``, below 1, is ``between`` two rising shares.

    Examples
    --------
    >>> [round(let_go(share, (0.1, 0.3), 0.04), 3) for share in (0.05, 0.1, 0.2, 0.3, 0.9)]
    [1.0, 1.0, 0.2, 0.04, 0.04]
    """
    start, stop = between
    return end ** min(max((progress - start) / max(stop - start, 1e-9), 0.0), 1.0)


def held(y: Tensor, kept: Tensor) -> Tensor:
    """1 where the label y (N,) was kept, 0 where it was removed, NaN where there is none; -1 is none in both.

    Examples
    --------
    >>> held(torch.tensor([4, 4, -1]), torch.tensor([4, -1, -1]))
    tensor([1., 0., nan])
    """
    return (kept >= 0).float().masked_fill(y < 0, math.nan)


def staircase(done: float, steps: Iterable[float], factor: float = 0.1) -> float:
    """``factor`` to the number of ``steps`` that lie at or below ``done``: a rate that falls at milestones.

    Examples
    --------
    >>> [round(staircase(share, (0.5, 0.75)), 4) for share in (0.49, 0.5, 0.8)]
    [1.0, 0.1, 0.01]
    """
    return factor ** sum(done >= step for step in steps)


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


def label_log_odds(epsilon: Tensor, n_classes: int, least: float) -> Tensor:
    """``log((C - 1) (1 - epsilon) / epsilon)`` (Sun et al. 2021, below eq. 6), epsilon held in [least, (C - 1) / C].

    By how much the logarithm of the probability of a given label rises where the true class is that label, if a label
    is wrong with probability epsilon and wrong labels are equally likely; 0 where a label tells nothing.

    Examples
    --------
    >>> label_log_odds(torch.tensor([0.0, 0.001, 0.1, 0.9, 1.0]), 10, least=1e-3).round(decimals=2)
    tensor([9.1000, 9.1000, 4.3900, 0.0000, 0.0000])
    """
    epsilon = epsilon.clamp(least, 1 - 1 / n_classes)
    return ((n_classes - 1) * (1 - epsilon) / epsilon).log()


def sure_label(logits: Tensor, y: Tensor, least: float) -> Tensor:
    """Cross-entropy of labels y (B,) known to be right, weighted as :func:`label_log_odds` weighs the surest, (B,).

    Linear in its probability, the term of a doubtful label gives up a label that the network denies; a label known to
    be right must be learned whatever the network says. Without noise eq. 5 of Sun et al. 2021 is this cross-entropy.

    Examples
    --------
    >>> sure_label(torch.zeros(1, 2), torch.tensor([0]), least=1e-3)
    tensor([4.7874])
    """
    return -label_log_odds(torch.zeros_like(logits[:, 0]), logits.shape[1], least) * log_probability(logits, y)


def log_probability(logits: Tensor, y: Tensor) -> Tensor:
    """Logarithm of the probability of labels y (B,), none missing, by logits (B, K): (B,).

    Examples
    --------
    >>> log_probability(torch.zeros(1, 2), torch.tensor([1]))
    tensor([-0.6931])
    """
    return logits.log_softmax(1).gather(1, y[:, None])[:, 0]


def disagreement(g: Tensor, g_guider: Tensor, metric: str) -> Tensor:
    """``|exp(g') - exp(g)|`` of two log-probabilities (Sun et al. 2021, eq. 8), or for ``dlog`` ``|g' - g|``.

    Examples
    --------
    >>> disagreement(torch.tensor([0.2, 1.0]).log(), torch.tensor([0.5, 1.0]).log(), "absdiff")
    tensor([0.3000, 0.0000])
    """
    return (g - g_guider).abs() if metric == "dlog" else (g.exp() - g_guider.exp()).abs()
