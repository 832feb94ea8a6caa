"""Losses, one number for each row: (B, K) logits or scores, (B,) labels -> (B,).

y is the one-hot given label in {0, 1}, f the scores, p = softmax(logits). A row without a label (-1) has a finite loss
that means nothing: whoever takes a mean leaves it out, as :meth:`goldvein.training.run.Run.update` does.

==================  ==========================================================  ==========================
cross_entropy       -log p_given
unhinged            mean_c (1 - y_c f_c)                                        needs bounded scores
sigmoid             mean_c sigmoid(-y_c f_c)                                    needs bounded scores
savage              mean_c (1 + exp(2 y_c p_c))^-2                              on probabilities
bootstrap_soft      -sum_c (beta y_c + (1 - beta) p_c) log p_c                  p is not a constant
bootstrap_hard      -sum_c (beta y_c + (1 - beta) [c = argmax p]) log p_c
forward_corrected   -log (p T)_given                                            T[i, j] = P(given j | true i)
backward_corrected  -(T^-1 log p)_given                                         may be below 0
==================  ==========================================================  ==========================
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from goldvein.functional.probabilities import one_hot

EPSILON = 1e-7  # that of Keras, in which the authors' code is written


def cross_entropy(logits: Tensor, y: Tensor) -> Tensor:
    """``-log softmax_y``; 0 where the label is missing.

    Examples
    --------
    >>> cross_entropy(torch.tensor([[0.7, 0.3], [0.5, 0.5], [0.9, 0.1]]).log(), torch.tensor([0, -1, 1]))
    tensor([0.3567, 0.0000, 2.3026])
    """
    return F.cross_entropy(logits, y, reduction="none", ignore_index=-1)


def unhinged(scores: Tensor, y: Tensor) -> Tensor:
    """``mean_c (1 - y_c f_c) = 1 - f_y / K`` (van Rooyen et al. 2015): linear, without lower bound.

    Examples
    --------
    >>> unhinged(torch.tensor([[2.0, -1.0, 0.5]]), torch.tensor([0]))
    tensor([0.3333])
    """
    return (1 - one_hot(y, scores.shape[1]) * scores).mean(1)


def sigmoid(scores: Tensor, y: Tensor) -> Tensor:
    """``mean_c sigmoid(-y_c f_c)`` (Ghosh et al. 2015); the other classes are constants of 1/2.

    Examples
    --------
    >>> sigmoid(torch.tensor([[2.0, -1.0, 0.5]]), torch.tensor([0]))
    tensor([0.3731])
    """
    return torch.sigmoid(-one_hot(y, scores.shape[1]) * scores).mean(1)


def savage(logits: Tensor, y: Tensor) -> Tensor:
    """``mean_c (1 + exp(2 y_c p_c))^-2`` (Masnadi-Shirazi & Vasconcelos 2008, on probabilities).

    Examples
    --------
    >>> savage(torch.tensor([[0.7, 0.2, 0.1]]).log(), torch.tensor([0]))
    tensor([0.1797])
    """
    y_times_p = one_hot(y, logits.shape[1]) * logits.softmax(1)
    return torch.sigmoid(-2 * y_times_p).square().mean(1)


def bootstrap_soft(logits: Tensor, y: Tensor, beta: float) -> Tensor:
    """``-sum_c (beta y_c + (1 - beta) p_c) log p_c`` (Reed et al. 2015); both p have a gradient.

    Examples
    --------
    >>> bootstrap_soft(torch.tensor([[0.7, 0.2, 0.1]]).log(), torch.tensor([0]), beta=0.95)
    tensor([0.3789])
    """
    target = beta * one_hot(y, logits.shape[1]) + (1 - beta) * logits.softmax(1)
    return -(target * logits.log_softmax(1)).sum(1)


def bootstrap_hard(logits: Tensor, y: Tensor, beta: float) -> Tensor:
    """``-beta log p_y - (1 - beta) max_c log p_c`` (Reed et al. 2015).

    Examples
    --------
    >>> bootstrap_hard(torch.tensor([[0.7, 0.2, 0.1]]).log(), torch.tensor([1]), beta=0.8)
    tensor([1.3589])
    """
    return beta * cross_entropy(logits, y) - (1 - beta) * logits.log_softmax(1).amax(1)


def forward_corrected(logits: Tensor, y: Tensor, T: Tensor) -> Tensor:
    """``-log sum_i p_i T[i, y]`` (Patrini et al. 2017, theorem 2); p is clipped before the product.

    Examples
    --------
    >>> forward_corrected(torch.tensor([[0.7, 0.3]]).log(), torch.tensor([0]), torch.tensor([[0.8, 0.2], [0.2, 0.8]]))
    tensor([0.4780])
    """
    return -(clipped(logits) * T.T[y]).sum(1).log()


def backward_corrected(logits: Tensor, y: Tensor, T_inverse: Tensor) -> Tensor:
    """``-sum_c T^-1[y, c] log p_c`` (Patrini et al. 2017, theorem 1); the mean over the noise is the clean loss.

    Clipping p bounds from below what is unbounded otherwise, as the inverse has entries below 0.

    Examples
    --------
    >>> inverse = torch.tensor([[0.8, 0.2], [0.2, 0.8]]).inverse()
    >>> backward_corrected(torch.tensor([[0.7, 0.3]]).log(), torch.tensor([0]), inverse)
    tensor([0.0742])
    """
    return -(T_inverse[y] * clipped(logits).log()).sum(1)


def clipped(logits: Tensor) -> Tensor:
    """Softmax probabilities (B, K), kept between 1e-7 and 1 - 1e-7; beyond these they have no gradient.

    Examples
    --------
    >>> clipped(torch.tensor([[50.0, 0.0]]))
    tensor([[1.0000e+00, 1.0000e-07]])
    """
    return logits.softmax(1).clamp(EPSILON, 1 - EPSILON)
