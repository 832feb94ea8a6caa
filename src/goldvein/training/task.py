"""Task, Batch and Terms: all that flows between the data, a run and a method."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from goldvein.errors import InputError

Term = Tensor | tuple[Tensor, Tensor]
"""A term of a loss: values (B,) of all rows of a batch; values (B,) and the rows (B,), bool, that count; or one number,
which is taken as it is. :class:`goldvein.training.run.Run` takes the mean, over several processes too."""
Terms = dict[str, Term]
"""Named terms, whose sum is minimized."""


@dataclass(frozen=True)
class Task:
    """What a method may know before training.

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
        Labeled rows held out of training. Their labels are as noisy as the others.
    build_model : callable
        Makes a fresh network ``(B, *input_shape) -> (B, K)`` logits.
    classes : tuple of str
        Names of the classes, for messages; empty where they have none.
    """

    n_samples: int
    n_classes: int
    input_shape: tuple[int, ...]
    y: Tensor
    trusted: Tensor | None
    validation: Tensor
    build_model: Callable[[], nn.Module]
    classes: tuple[str, ...] = ()

    @property
    def known(self) -> Tensor:
        """Labels known to be right, (N,), bool; none of them if :attr:`trusted` is None."""
        return torch.zeros_like(self.validation) if self.trusted is None else self.trusted

    def clean_labels(self, method: str) -> Tensor:
        """Labels of the trusted rows, -1 elsewhere, (N,), for a method that needs some of each class.

        Raises
        ------
        InputError
            No label is trusted, or those of some class are all held out.
        """
        if self.trusted is None or not self.trusted.any():
            raise InputError(
                f"no label is trusted: {method} needs some of each class; mark some as trusted, or use another method"
            )
        n = self.y[self.trusted & ~self.validation].bincount(minlength=self.n_classes)
        if not n.all():
            missing = int(n.argmin())
            name = repr(self.classes[missing]) if self.classes else f"{missing}, counted from 0,"
            raise InputError(
                f"class {name} has no trusted label to train on, and {method} needs some of each class: mark a right "
                "one of it as trusted"
            )
        return torch.where(self.trusted, self.y, -1)


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

    @property
    def labeled(self) -> Tensor:
        """Rows with a label, (B,), bool."""
        return self.y >= 0
