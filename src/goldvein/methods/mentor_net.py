"""MentorNet with a predefined curriculum (Jiang, Zhou, Leung, Li & Fei-Fei 2018; the authors' code).

    L = 1/B sum_i v_i l_i             l_i = -log s_i[y_i]; no gradient through v
    v_i = 1                           while at most 18 % of the training is done (burn-in)
    v_i = 1 if d_i <= 0 else 0        d_i = l_i - l_p
    v_i = min(1, max(0, 1 - d_i))     from 90 % on
    l_p <- l_p / 2 + (percentile p of the losses of the batch) / 2

These weights are the closed form of what MentorNet PD, a network, is trained to imitate, so no such network is needed.
Besides, a random half of the examples of a batch has weight 0 until 17 % of the training is done, and a twentieth
after that ("example dropout"). Only labeled rows are used.

Silent or contradictory points, and what was chosen
- The authors use p = 0.75 where 20 or 40 % of the labels are wrong and 0.5 at 80 %, though the commands that they
  published misspell the flag, so 0.7, its default, may be what ran.
- The self-paced variant, their own baseline, has v_i = 1 if d_i <= 0 throughout, without burn-in and dropout; they
  give it p = 0.7.
- Their decay term of mean(v) is left out: v is a constant to the gradient.

Differs from the authors' code: the share of the training that is done counts whole epochs. MentorNet DD, the variant
that learns its curriculum from clean labels, is not here.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from goldvein.engine import Run
from goldvein.errors import unknown
from goldvein.functional import staircase
from goldvein.method import Method
from goldvein.task import Batch, Task

BURN_IN, DROPOUT_FALLS, SOFT = 18, 17, 90  # percent of the training
MILESTONES = (19_531 / 39_000, 25_000 / 39_000, 30_000 / 39_000)


class MentorNet(Method):
    """Cross-entropy on the labels of small loss.

    Parameters
    ----------
    curriculum : {"predefined", "self_paced"}, default="predefined"
    percentile : float, default=0.75
        p: the share of labels in a batch that is taken for right.
    optimizer : {"run", "sgd"}, default="run"
        The run's optimizer and schedule, or the authors': SGD, weight decay 2e-4, a rate that falls to a tenth after
        50, 64 and 77 % of the epochs.
    lr : float, default=0.1
        First rate with ``optimizer="sgd"``.

    Examples
    --------
    >>> MentorNet(curriculum="self_paced", percentile=0.7)
    MentorNet(curriculum='self_paced', percentile=0.7)
    """

    level: Tensor  # l_p
    percent = 0  # of the training that is done

    def __init__(
        self, curriculum: str = "predefined", percentile: float = 0.75, optimizer: str = "run", lr: float = 0.1
    ) -> None:
        super().__init__()
        self.curriculum = curriculum
        self.percentile = percentile
        self.optimizer = optimizer
        self.lr = lr

    def setup(self, task: Task) -> None:
        if self.curriculum not in ("predefined", "self_paced"):
            raise unknown("curriculum", self.curriculum, ("predefined", "self_paced"))
        super().setup(task)
        self.register_buffer("level", torch.zeros(()))

    def weights(self, losses: Tensor) -> Tensor:
        """v (B,) of losses (B,), before dropout."""
        d = losses - self.level
        if self.curriculum == "predefined" and self.percent <= BURN_IN:
            return torch.ones_like(d)
        if self.curriculum == "predefined" and self.percent >= SOFT:
            return (1 - d).clamp(0, 1)
        return (d <= 0).to(d)

    def drop(self, v: Tensor) -> Tensor:
        """Weights (B,) with those of a random share set to 0."""
        if self.curriculum == "self_paced":
            return v
        rate = 0.5 if self.percent < DROPOUT_FALLS else 0.05
        return v * (torch.randperm(len(v), device=v.device) < int(len(v) * (1 - rate)))

    def loss(self, batch: Batch) -> dict[str, Tensor]:
        losses = F.cross_entropy(self.net(batch.views[0]), batch.y, reduction="none")  # (B,)
        known = losses.detach()
        self.level.lerp_(known.quantile(self.percentile, interpolation="nearest"), 0.5)
        return {"cross_entropy": (self.drop(self.weights(known)) * losses).mean()}

    def train_on(self, run: Run) -> None:
        changes: dict[str, Any] = {}
        if self.optimizer == "sgd":
            changes = {"optimizer": "sgd", "lr": self.lr, "weight_decay": 2e-4, "schedule": "constant"}
        for epoch in run.epochs(**changes):
            self.percent = 100 * epoch // run.n_epochs
            if changes:
                run.set_rate(self.lr * staircase(epoch / run.n_epochs, MILESTONES))
            for batch in run.batches():
                run.update(self.loss(batch))
