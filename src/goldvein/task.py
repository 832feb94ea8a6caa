"""Task and Batch: all that flows between the data, the engine and a method."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor, nn


@dataclass(frozen=True)
class Task:
    """All that a method may know before training.

    Attributes
    ----------
    n_samples, n_classes : int
        N rows and K classes.
    input_shape : tuple of int
        Shape of one input as a network sees it: ``(D,)`` or ``(C, H, W)``.
    y : Tensor of shape (N,), int64
        Given labels; -1 is a missing one.
    trusted : Tensor of shape (N,), bool, or None
        Labels known to be right.
    validation : Tensor of shape (N,), bool
        Labeled rows held out of training. Their labels are as doubtful as the others.
    build_model : callable
        Makes a fresh network ``(B, *input_shape) -> (B, K)`` logits.
    """

    n_samples: int
    n_classes: int
    input_shape: tuple[int, ...]
    y: Tensor
    trusted: Tensor | None
    validation: Tensor
    build_model: Callable[[], nn.Module]


@dataclass(frozen=True)
class Batch:
    """Rows of the training set, each seen through one or more random views.

    Rows with and without a label travel in one batch, labeled ones first, so that a network is called once for
    all of them; ``cross_entropy(logits, batch.y, ignore_index=-1)`` is the mean over the labeled ones.

    Attributes
    ----------
    views : tuple of Tensor, each (B, *input_shape), float32
        The same rows, each time changed anew, in the order in which the method declares its views.
    y : Tensor of shape (B,), int64
        Labels; -1 is a missing one.
    rows : Tensor of shape (B,), int64
        Index into the training set.
    """

    views: tuple[Tensor, ...]
    y: Tensor
    rows: Tensor
