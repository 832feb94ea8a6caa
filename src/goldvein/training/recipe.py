"""Recipe: how weights are optimized, by which optimizer and with which learning rates."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import nn

from goldvein.config.ranges import Count, NonNegative, Positive, PositiveShare, ShareBelowOne, check
from goldvein.functional.schedules import staircase
from goldvein.training.sampling import Over, check_over

# with epochs="auto", a stage has at least so many epochs, and so many passes over all training rows
MIN_EPOCHS, MIN_PASSES = 40, 10
CONVOLVED = 0.4  # share of the updates for a network with convolutions: one costs a hundred times as much


def auto_epochs(n_labeled: int, n_training: int, batch_size: int, *, updates: int, convolves: bool, over: Over) -> int:
    """Number of epochs that is enough in most cases.

    It is 40, or more if the method's least number of updates (0.4 times as many if the network has convolutions) or 10
    passes over all rows need more.

    Parameters
    ----------
    n_labeled, n_training : int
        Rows that are trained on with their label, and all that are trained on.
    batch_size : int
    updates : int
        Least number of updates: see :attr:`goldvein.training.method.Method.min_updates`.
    convolves : bool
        Whether the network has convolutions.
    over : {"labeled", "larger"}
        The rows of an epoch: see :data:`goldvein.training.sampling.Over`.

    Examples
    --------
    >>> auto_epochs(50_000, 50_000, 128, updates=1000, convolves=False, over="labeled")
    40
    >>> auto_epochs(100, 50_000, 128, updates=1000, convolves=False, over="labeled")
    3907
    >>> auto_epochs(100, 1_000, 128, updates=5000, convolves=False, over="larger")
    625
    """
    check_over(over)
    half = max(
        1, batch_size // 2
    )  # labeled rows of a batch; where the larger kind is passed over, it fills nearly all of one
    steps = max(updates * (CONVOLVED if convolves else 1), MIN_PASSES * n_training / half)
    passed = n_labeled / half if over == "labeled" else n_training / batch_size
    return max(MIN_EPOCHS, math.ceil(steps / math.ceil(passed)))


@dataclass(frozen=True)
class Recipe:
    """How weights are optimized.

    Parameters
    ----------
    epochs : int
        Number of epochs of each stage.
    batch_size : int
        Number of rows in a batch.
    optimizer : {"adagrad", "adam", "adamw", "sgd"}
        ``sgd`` has plain momentum, not Nesterov's.
    lr : float
        Learning rate at the start.
    momentum, beta2 : float in [0, 1)
        Momentum of SGD; decay of Adam's second moment.
    weight_decay : float
        Weight decay of matrices and kernels; biases and norms have none.
    schedule : {"plateau", "cosine", "steps", "constant"}
        ``plateau`` multiplies the rate by ``factor`` when the validation accuracy has not risen for ``patience``
        epochs, down to ``min_lr`` (Ding et al. 2018, section 4.2); without validation rows it is constant. ``steps``
        divides the rate by ten after each third of the epochs (Patrini et al. 2017 on CIFAR-10).
    stop_after : int or None
        Number of epochs without a better validation accuracy after which a stage ends early.
    keep : {"last", "best"}
        Weights that a stage ends with: those of its last epoch, or of its best validation accuracy.
    """

    epochs: Count = 40
    batch_size: Count = 128
    optimizer: Literal["adagrad", "adam", "adamw", "sgd"] = "adam"
    lr: Positive = 1e-3
    momentum: ShareBelowOne = 0.9
    beta2: ShareBelowOne = 0.999
    weight_decay: NonNegative = 0.0
    schedule: Literal["plateau", "cosine", "steps", "constant"] = "plateau"
    patience: Count = 10
    factor: PositiveShare = 0.5
    min_lr: NonNegative = 1e-7
    stop_after: Count | None = None
    keep: Literal["last", "best"] = "last"

    def __post_init__(self) -> None:
        check(self)

    def rate(self, epoch: int, n_epochs: int) -> float | None:
        """The rate of an epoch of a stage, or None if it depends on the validation accuracy.

        Examples
        --------
        >>> [Recipe(lr=0.5, schedule="steps").rate(epoch, 6) for epoch in range(6)]
        [0.5, 0.5, 0.05, 0.05, 0.005, 0.005]
        """
        if self.schedule == "cosine":
            return self.lr * 0.5 * (1 + math.cos(math.pi * epoch / n_epochs))
        if self.schedule == "steps":
            return self.lr / staircase(3 * epoch / n_epochs, (1, 2), 10)
        return None

    def build(self, parameters: list[nn.Parameter]) -> torch.optim.Optimizer:
        """The optimizer, in its fused form where torch has one."""
        groups: list[dict[str, Any]] = [{"params": parameters}]
        if self.weight_decay:
            # biases and the scales of norms are not decayed
            groups = [
                {"params": [p for p in parameters if p.dim() > 1], "weight_decay": self.weight_decay},
                {"params": [p for p in parameters if p.dim() <= 1], "weight_decay": 0.0},
            ]
        on_cpu = all(p.device.type == "cpu" for p in parameters)
        if self.optimizer == "sgd":
            return torch.optim.SGD(groups, self.lr, self.momentum, fused=True)
        if self.optimizer == "adagrad":
            return torch.optim.Adagrad(groups, self.lr, eps=1e-8, fused=on_cpu or None)
        kind = torch.optim.Adam if self.optimizer == "adam" else torch.optim.AdamW
        return kind(groups, self.lr, (0.9, self.beta2), weight_decay=0.0, fused=True)


class Plateau:
    """Divides the rate when the validation accuracy no longer rises, and counts for how long it has not."""

    def __init__(self, recipe: Recipe) -> None:
        self.recipe = recipe
        self.best = -math.inf
        self.flat = 0  # epochs since the best
        self.waited = 0  # epochs since the best or the last cut

    def step(self, accuracy: float, rate: float) -> float:
        """The rate of the next epoch, by the accuracy after this one; NaN, without validation rows, changes nothing."""
        if math.isnan(accuracy):
            return rate
        if accuracy > self.best:
            self.best, self.flat, self.waited = accuracy, 0, 0
            return rate
        self.flat += 1
        self.waited += 1
        if self.recipe.schedule == "plateau" and self.waited >= self.recipe.patience:
            self.waited = 0
            return max(rate * self.recipe.factor, self.recipe.min_lr)
        return rate

    @property
    def over(self) -> bool:
        """Whether the stage should end early."""
        return self.recipe.stop_after is not None and self.flat >= self.recipe.stop_after
