"""Predictions: what a network gives for rows, without gradients, dropout off."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from goldvein.rows import Rows
from goldvein.training.inputs import Inputs, Transform

PREDICT_ROWS = 2048  # rows of a batch without gradients
PREDICT_VALUES = 2**24  # and values of their inputs, 64 MiB: large images come in smaller batches


@contextmanager
def evaluating(net: nn.Module) -> Iterator[nn.Module]:
    """A network with dropout off and batch norms at rest, for the length of a ``with`` block."""
    was_training = net.training
    net.eval()
    try:
        yield net
    finally:
        net.train(was_training)


@torch.no_grad()  # not inference_mode, whose results may not enter a later loss
def compute(f: Callable[[Tensor], Tensor], inputs: Inputs, rows: Tensor, n_random: int = 0) -> Tensor:
    """The mean of ``f`` over the plain view of rows and ``n_random`` random ones, (n, ...)."""
    each = max(1, min(PREDICT_ROWS, PREDICT_VALUES // math.prod(inputs.transform.seen_shape)))
    views = ["plain"] + ["weak"] * (0 if inputs.ready else n_random)  # without augmentation all are alike
    return torch.cat([_mean(f, inputs, raw, views) for raw in inputs.stream(rows.split(each))])


def _mean(f: Callable[[Tensor], Tensor], inputs: Inputs, raw: Tensor, views: Sequence[str]) -> Tensor:
    total = f(inputs.view(raw, views[0]))
    for name in views[1:]:
        total = total + f(inputs.view(raw, name))
    return total / len(views)


def predict(net: nn.Module, inputs: Inputs) -> Tensor:
    """Class probabilities (N, K) float32 of all rows."""
    with evaluating(net):
        return compute(lambda x: net(x).softmax(1), inputs, torch.arange(len(inputs), device=inputs.device))


def predict_rows(net: nn.Module, transform: Transform, rows: Rows) -> NDArray[np.float32]:
    """Class probabilities (n, K) of rows as they are stored, on the device of the network."""
    return predict(net, Inputs(rows, transform, next(net.parameters()).device)).cpu().numpy()
