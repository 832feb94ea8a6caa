"""Diagonal normal distributions by mean and log-variance: densities, divergences, draws."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional as F

LARGEST = 8.0  # absolute value of a log-variance that a layer gives


def split_moments(out: Tensor, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
    """Mean and log-variance, held in [-8, 8], from one layer: (..., 2 n) -> (..., n) each."""
    mean, log_var = out.to(dtype).chunk(2, -1)
    return mean, F.hardtanh(log_var, -LARGEST, LARGEST)


def draw(mean: Tensor, log_var: Tensor, noise: Tensor) -> Tensor:
    """A sample whose gradient reaches its moments."""
    return mean + (0.5 * log_var).exp() * noise


def log_normal(x: Tensor, mean: Tensor, log_var: Tensor) -> Tensor:
    """log N(x; mean, exp(log_var)), summed over the last axis.

    Examples
    --------
    >>> log_normal(torch.zeros(2), torch.zeros(2), torch.zeros(2))
    tensor(-1.8379)
    """
    return -0.5 * (math.log(2 * math.pi) + log_var + (x - mean).square() * (-log_var).exp()).sum(-1)


def kl_standard(mean: Tensor, log_var: Tensor) -> Tensor:
    """KL(N(mean, exp(log_var)) || N(0, I)), summed over the last axis.

    Examples
    --------
    >>> kl_standard(torch.ones(1), torch.full((1,), 4.0).log())
    tensor(1.3069)
    """
    return 0.5 * (mean.square() + log_var.exp() - 1 - log_var).sum(-1)
