"""Mean Teacher: weight-averaged consistency targets (Tarvainen & Valpola 2017, arXiv:1703.01780; the authors' code).

    L = -1/M sum_{j labeled} log s_j[y_j]  +  w(t)/(N K) sum_i ||s_i - s'_i||^2
    theta'_t = gamma_t theta'_{t-1} + (1 - gamma_t) theta_t              after every step, not every epoch

s are softmax outputs of the student theta, s' of the teacher theta', which gets no gradient. Both see the same rows,
each through a view, Gaussian noise and dropout of its own. The teacher predicts.

    w(t) = w_max rampup(t)     gamma_t = min(1 - 1/(t+1), gamma)     rate(t) = lr rampup(t) rampdown(t)

gamma is 0.99 during the ramp-up and 0.999 after it. The rate, beta2 = gamma and a beta1 that falls from 0.9 to 0.5 with
the rate are of the authors' Adam, ``optimizer="adam"``.

Where the paper is silent
- The authors divide the cross-entropy by N, the whole batch, and use w = 1 with 1 label in a batch of 100, w = 50 with
  50, and w = 100 M_all / N_all where M varies. That is one number, 100, once the cross-entropy is divided by M, as it
  is here; Adam does not see the common factor.
- 5 of 100 rows in a batch are labeled (more where a larger share of all rows is), as in Sun et al. 2021, who compare
  with it. They state no ramps, so the authors' are kept.
- Parameters are averaged; batch norms of the teacher follow its own training passes, as in the authors' code.

Differs from the authors' code: the rule ``1 - 1/(t+1)``, by which the teacher is the plain mean of the first students,
is that of their second implementation.
"""

from __future__ import annotations

import copy
from typing import Any, Literal

import torch
from torch import nn

from goldvein.config.ranges import NonNegative, PartialShare, Positive, ShareBelowOne
from goldvein.functional.losses import cross_entropy
from goldvein.functional.probabilities import squared_distance, update_average
from goldvein.functional.schedules import rampdown, rampup
from goldvein.training import Batch, Method, Run, Task, Terms
from goldvein.training.sampling import count_batches, mixed_sizes

# steps of the authors' training and of its ramps, which are kept as shares when a run is shorter
STEPS, RAMP_UP, RAMP_DOWN = 180_000, 40_000, 25_000


class MeanTeacher(Method):
    """Cross-entropy plus consistency with a network whose weights are the running mean of the student's.

    Parameters
    ----------
    w_max : float, default=100.0
        Largest weight of the consistency term, beside a cross-entropy divided by M.
    decay, early_decay : float, default=0.999 and 0.99
        gamma after and during the ramp-up; Adam's beta2 as well. The authors' CIFAR-10 runs have 0.999 throughout.
    noise : float, default=0.15
        Standard deviation of the Gaussian noise on the normalized input.
    share : float, default=0.05
        Least share of labeled rows in a batch.
    optimizer : {"run", "adam"}, default="run"
        The run's optimizer and schedule, or the authors' Adam and ramps.
    lr : float, default=0.003
        Largest rate with ``optimizer="adam"``.

    Attributes
    ----------
    net, student : Module
        The teacher, which predicts, and the network that is optimized; training begins with both alike.

    Examples
    --------
    >>> MeanTeacher(share=0.5)
    MeanTeacher(share=0.5)
    """

    views = ("weak", "weak")
    over = "larger"
    other_networks = ("student",)
    student: nn.Module

    def __init__(
        self,
        w_max: NonNegative = 100.0,
        decay: ShareBelowOne = 0.999,
        early_decay: ShareBelowOne = 0.99,
        noise: NonNegative = 0.15,
        share: PartialShare = 0.05,
        optimizer: Literal["run", "adam"] = "run",
        lr: Positive = 0.003,
    ) -> None:
        super().__init__()
        self.w_max = w_max
        self.decay = decay
        self.early_decay = early_decay
        self.noise = noise
        self.share = share
        self.optimizer = optimizer
        self.lr = lr

    def setup(self, task: Task) -> None:
        super().setup(task)
        self.student = copy.deepcopy(self.net)

    def loss(self, batch: Batch, w: float = 0.0) -> Terms:
        """L with w(t) = ``w``."""
        seen, other = (x + self.noise * torch.randn_like(x) for x in batch.views)
        with torch.no_grad():
            target = self.net(other).softmax(1)
        logits = self.student(seen)
        distance = squared_distance(logits.softmax(1), target) / logits.shape[1]
        return {
            "cross_entropy": (cross_entropy(logits, batch.y), batch.labeled),
            "consistency": w * distance,
        }

    def train_on(self, run: Run) -> None:
        if not run.replaying:
            self.student.load_state_dict(self.net.state_dict())
        self.net.requires_grad_(False)  # the optimizer is the student's
        training = run.y[~run.task.validation]
        sizes = mixed_sizes(training, run.recipe.batch_size, self.share)
        per_epoch = count_batches(int((training >= 0).sum()), len(training), sizes, self.over)
        changes: dict[str, Any] = {"optimizer": "adam", "schedule": "constant"} if self.optimizer == "adam" else {}
        for epoch in run.epochs(**changes):
            # the rows beside the labeled ones are drawn from all rows, their labels hidden
            batches = run.batches(unlabeled="all", sizes=sizes, over=self.over)
            for t, batch in enumerate(batches, epoch * per_epoch):
                w, gamma = self.pace(run, t, run.n_epochs * per_epoch)
                run.update(self.loss(batch, w))
                decay = min(1 - 1 / (t + 2), gamma)  # t + 1 steps are done
                update_average(self.net.parameters(), self.student.parameters(), decay)
        self.net.requires_grad_(True)  # another method may go on with it

    def pace(self, run: Run, t: int, n_steps: int) -> tuple[float, float]:
        """w and gamma of step t of n_steps; sets the rates, where they are the authors'."""
        share = min(1.0, n_steps / STEPS)
        up, down = rampup(t, RAMP_UP * share), rampdown(t, n_steps, RAMP_DOWN * share)
        gamma = self.early_decay if t < RAMP_UP * share else self.decay
        if self.optimizer == "adam":
            run.set_rate(self.lr * up * down, beta1=down * 0.9 + (1 - down) * 0.5, beta2=gamma)
        return self.w_max * up, gamma
