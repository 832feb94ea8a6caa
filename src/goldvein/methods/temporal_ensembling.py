"""Temporal ensembling (Laine & Aila 2017, Algorithm 2, arXiv:1610.02242; the authors' code).

It is stage 2 of Ding et al. 2018 for small sets (arXiv:1802.02679).

    L = -1/M sum_{j labeled} log z_j[y_j]  +  alpha(t)/N sum_i ||z_i - z~_i||^2
    Z_i <- decay Z_i + (1 - decay) z_i          after each pass over row i
    z~_i = Z_i / (1 - decay^{n_i})              n_i passes so far; a constant, no gradient

z are the softmax outputs of the training passes themselves, with noise and dropout, so a target costs no extra pass.
The weight follows the authors: ``w(t) = rampup(t) w_max M_all / N_all``, 0 in the first epoch, and becomes
``alpha = w N / (C M)`` since the distance here is summed over classes and the cross-entropy divided by M (Ding's
eq. 2).

Where the papers are silent
- The authors update every row after each epoch. With N/2 + N/2 batches only some rows are passed, so the rows that
  were passed are updated, each with its own count n_i (their code does so in its sparse mode).
- Ding et al. take the ramps "of the balance cost" from Laine & Aila and state SGD or AdaGrad for all experiments:
  the optimizer is the run's. ``optimizer="adam"`` is Laine & Aila's own: Adam whose rate ramps up and down and whose
  beta1 falls from 0.9 to 0.5 at the end.
"""

from __future__ import annotations

from typing import Any, Literal

import torch
from torch import Tensor

from goldvein.config.ranges import NonNegative, Positive, ShareBelowOne
from goldvein.functional.losses import cross_entropy
from goldvein.functional.probabilities import squared_distance
from goldvein.functional.schedules import rampdown, rampup
from goldvein.training import Batch, Method, Run, Task, Terms

RAMP_UP, RAMP_DOWN = 80 / 300, 50 / 300  # the authors' 80 and 50 of 300 epochs, kept as shares when a run is shorter


class TemporalEnsembling(Method):
    """Cross-entropy plus consistency with the mean of a row's own past predictions.

    Parameters
    ----------
    w_max : float, default=30.0
        Largest weight of the consistency term, in Laine & Aila's units.
    decay : float, default=0.6
        Decay of the ensemble Z.
    noise : float, default=0.15
        Standard deviation of the Gaussian noise on the normalized input.
    optimizer : {"run", "adam"}, default="run"
        The run's optimizer and schedule, or Laine & Aila's (see above).
    lr : float, default=0.003
        Largest rate with ``optimizer="adam"``.
    balance : bool, default=True
        Draw every given class equally often among the labeled rows.

    Examples
    --------
    >>> TemporalEnsembling(w_max=100)
    TemporalEnsembling(w_max=100)
    """

    Z: Tensor  # (N, K)
    passes: Tensor  # (N,), n_i
    times: Tensor  # (N,), how often a row stands in the batch

    def __init__(
        self,
        w_max: NonNegative = 30.0,
        decay: ShareBelowOne = 0.6,
        noise: NonNegative = 0.15,
        optimizer: Literal["run", "adam"] = "run",
        lr: Positive = 0.003,
        balance: bool = True,
    ) -> None:
        super().__init__()
        self.w_max = w_max
        self.decay = decay
        self.noise = noise
        self.optimizer = optimizer
        self.lr = lr
        self.balance = balance

    def setup(self, task: Task) -> None:
        super().setup(task)
        self.register_buffer("Z", torch.zeros(task.n_samples, task.n_classes))
        self.register_buffer("passes", torch.zeros(task.n_samples))
        self.register_buffer("times", torch.zeros(task.n_samples), persistent=False)

    def targets(self, rows: Tensor) -> Tensor:
        """z~ (B, K) of rows (B,): the ensemble without its bias towards 0; zeros for a row never passed."""
        return self.Z[rows] / (1 - self.decay ** self.passes[rows].clamp(min=1))[:, None]

    @torch.no_grad()
    def ensemble(self, rows: Tensor, z: Tensor) -> None:
        """Take predictions z (B, K) of a training pass into Z; a row that stands twice gives their mean."""
        self.times[rows] = 0
        self.times.index_add_(0, rows, torch.ones_like(z[:, 0]))
        n = self.times[rows]
        self.Z.index_add_(0, rows, (1 - self.decay) * (z - self.Z[rows]) / n[:, None])
        self.passes.index_add_(0, rows, 1 / n)

    def logits(self, batch: Batch) -> Tensor:
        """Those of the training pass, (B, K)."""
        x = batch.views[0]
        out: Tensor = self.net(x + self.noise * torch.randn_like(x))
        return out

    def terms(self, batch: Batch, logits: Tensor, alpha: float) -> Terms:
        """The terms of L for the logits of a training pass; alpha in the units of Ding's eq. 2."""
        distance = squared_distance(logits.softmax(1), self.targets(batch.rows))
        return {
            "cross_entropy": (cross_entropy(logits, batch.y), batch.labeled),
            "consistency": alpha * distance * (self.passes[batch.rows] > 0),  # rows never passed have no target
        }

    def train_on(self, run: Run) -> None:
        labeled = (run.y >= 0) & ~run.task.validation
        share = labeled.sum().item() / (~run.task.validation).sum().item()  # M_all / N_all
        own_schedule = self.optimizer == "adam"
        changes: dict[str, Any] = {"optimizer": "adam", "lr": self.lr, "schedule": "constant"} if own_schedule else {}
        for epoch in run.epochs(**changes):
            up = rampup(epoch, RAMP_UP * run.n_epochs)
            down = rampdown(epoch, run.n_epochs, RAMP_DOWN * run.n_epochs)
            w = up * self.w_max * share if epoch else 0.0
            alpha = w * 2 / run.task.n_classes  # w N / (C M) with M = N/2
            if own_schedule:
                run.set_rate(self.lr * up * down, beta1=down * 0.9 + (1 - down) * 0.5)
            for batch in run.batches(unlabeled="rest", balance=self.balance):
                logits = self.logits(batch)
                run.update(self.terms(batch, logits, alpha))
                self.ensemble(*run.gather(batch.rows, logits.detach().softmax(1)))
