"""How weights are optimized: the optimizer, its rate, and when it falls."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import nn

from goldvein.config.ranges import Count, NonNegative, Positive, PositiveShare, ShareBelowOne, check
from goldvein.functional.schedules import staircase
from goldvein.training.sampling import Over, check_over

# what each stage has at least, with epochs="auto"
MIN_EPOCHS, MIN_PASSES = 40, 10  # over the rows of an epoch; over all training rows
CONVOLVED = 0.4  # share of the updates with convolutions: one costs a hundred times as much


def auto_epochs(n_labeled: int, n_training: int, batch_size: int, *, updates: int, convolves: bool, over: Over) -> int:
    """Epochs that are enough in most cases.

    40, or as many as make the method's updates (0.4 times as many where the network has convolutions) and 10 passes
    over all rows.

    Parameters
    ----------
    n_labeled, n_training : int
        Rows that are trained on by label, and in all.
    batch_size : int
    updates : int
    convolves : bool
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
    half = max(1, batch_size // 2)  # the labeled rows of a batch; the others fill nearly all of one in their turn
    steps = max(updates * (CONVOLVED if convolves else 1), MIN_PASSES * n_training / half)
    passed = n_labeled / half if over == "labeled" else n_training / batch_size
    return max(MIN_EPOCHS, math.ceil(steps / math.ceil(passed)))


@dataclass(frozen=True)
class Recipe:
    """How weights are optimized.

    Parameters
    ----------
    epochs : int
        Passes over the labeled rows (of each stage, where a method has several).
    batch_size : int
        N, rows of a batch.
    optimizer : {"adagrad", "adam", "adamw", "sgd"}
        ``sgd`` has Nesterov-free momentum; ``beta2`` is of Adam's second moment; ``weight_decay`` falls on matrices
        and kernels only.
    schedule : {"plateau", "cosine", "steps", "constant"}
        ``plateau`` multiplies the rate by ``factor`` when the validation accuracy has not risen for ``patience``
        epochs, down to ``min_lr`` (Ding et al. 2018, section 4.2); without validation rows it is constant. ``steps``
        goes on with a tenth of the rate after each third of the epochs (Patrini et al. 2017 on CIFAR-10).
    stop_after : int or None
        Epochs without a rise of the validation accuracy after which a stage ends early.
    keep : {"last", "best"}
        The weights that a stage ends with: those of its last epoch, or of its best validation accuracy.
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
        """The rate of an epoch of a stage, where the schedule knows it beforehand.

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
        """The optimizer, fused where torch has it."""
        groups: list[dict[str, Any]] = [{"params": parameters}]
        if self.weight_decay:
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
    """Divides the rate when the validation accuracy no longer rises, and remembers for how long it has not."""

    def __init__(self, recipe: Recipe) -> None:
        self.recipe = recipe
        self.best = -math.inf
        self.flat = 0  # epochs since the best
        self.waited = 0  # epochs since the best or the last cut

    def step(self, accuracy: float, rate: float) -> float:
        """The rate that follows an epoch's accuracy (NaN, without validation rows, changes nothing)."""
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
