"""Joint optimization of network parameters and labels (Tanaka, Ikami, Yamasaki & Aizawa 2018, arXiv:1803.11364; the
authors' code).

    L = -1/B sum_i sum_k t_ik log s_ik  -  alpha sum_k p_k log s_k  -  beta/B sum_i sum_k s_ik log s_ik

s are softmax outputs, s_k their mean over the batch, p = 1/K the prior, t the soft labels. The second term is
KL(p || s) up to a constant and forbids that all labels become one; the third makes each label definite.

Step 1. A rate that is high and constant, so that wrong labels are not memorized. t are the given labels until
epoch 70 of 200; from then on, after each epoch, the mean of a row's outputs in the training passes of the last 10.
Step 2. A fresh network learns the soft labels of step 1 by the first term alone.

Where the paper is silent
- Step 2 has 120 epochs after 200 of step 1; by default it has as many as step 1 here, for runs that are much shorter.
- alpha, beta and the rate are chosen by the authors for each kind and rate of noise: 1.2, 0.8 and 0.08 for 70 %
  symmetric noise (the defaults), 0.8, 0.4 and 0.03 for 40 % asymmetric noise.
- Rows without a label do not occur in the paper, and are left out. With ``unlabeled=True`` they are in every batch
  (5 labeled rows of 100, or more where more rows are labeled): at first in the last two terms alone, from the end of
  epoch 70 on with soft labels as all others. Sun et al. 2021 do not say which they compare with.
- Trusted labels do not occur either: here these keep theirs.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any, Literal

import torch
from torch import Tensor

from goldvein.config.ranges import Count, NonNegative, Positive
from goldvein.functional.probabilities import one_hot, soft_cross_entropy
from goldvein.functional.schedules import staircase
from goldvein.training import Batch, Method, Run, Task, Term, Terms, sampling

EPOCHS, BEGIN, WINDOW = 200, 70, 10  # of step 1; the last two are kept as shares when it is shorter
SHARE = 0.05  # least share of labeled rows in a batch with unlabeled ones
FINAL_LR, MILESTONES = 0.2, (40 / 120, 80 / 120)  # of step 2


class JointOptimization(Method):
    """Cross-entropy with labels that become the network's own past predictions.

    Parameters
    ----------
    alpha : float, default=1.2
        Weight of the prior term.
    beta : float, default=0.8
        Weight of the entropy.
    optimizer : {"run", "sgd"}, default="run"
        The run's optimizer, its schedule in step 2; or the authors': SGD, weight decay 1e-4, in step 2 a rate from
        0.2 that falls to a tenth after a third and two thirds of the epochs.
    lr : float, default=0.08
        Rate of step 1 with ``optimizer="sgd"``.
    final_epochs : int, optional
        Epochs of step 2; by default the run's.
    unlabeled : bool, default=False
        Whether rows without a label take part.

    Attributes
    ----------
    soft : Tensor of shape (L, K), float32
        Soft labels of the L rows that take part, in their order; zeros as long as a row has none.

    Examples
    --------
    >>> JointOptimization(alpha=0.8, beta=0.4)
    JointOptimization(alpha=0.8, beta=0.4)
    """

    soft: Tensor
    recent: Tensor  # (10, L, K), outputs of the last epochs; NaN where a row had none
    place: Tensor  # (N,) int64, a row's place among those that take part

    def __init__(
        self,
        alpha: NonNegative = 1.2,
        beta: NonNegative = 0.8,
        optimizer: Literal["run", "sgd"] = "run",
        lr: Positive = 0.08,
        final_epochs: Count | None = None,
        unlabeled: bool = False,
    ) -> None:
        super().__init__()
        self.alpha = alpha
        self.beta = beta
        self.optimizer = optimizer
        self.lr = lr
        self.final_epochs = final_epochs
        self.unlabeled = unlabeled

    def setup(self, task: Task) -> None:
        super().setup(task)
        self.build_model = task.build_model
        self.over = "larger" if self.unlabeled else "labeled"
        part = self.taking_part(task)
        self.register_buffer("place", part.cumsum(0) - 1, persistent=False)
        self.register_buffer("soft", one_hot(task.y[part], task.n_classes))
        self.register_buffer("recent", self.soft.new_full((WINDOW, *self.soft.shape), math.nan))

    def taking_part(self, task: Task) -> Tensor:
        """Rows (N,) that have, or are to get, a soft label."""
        return torch.ones_like(task.validation) if self.unlabeled else task.y >= 0

    def batches(self, run: Run) -> Iterator[Batch]:
        if not self.unlabeled:
            return run.batches()
        sizes = sampling.mixed_sizes(run.y[~run.task.validation], run.recipe.batch_size, SHARE)
        return run.batches(unlabeled="rest", sizes=sizes, over=self.over)

    def terms(self, run: Run, batch: Batch, logits: Tensor) -> Terms:
        """L, in step 1."""
        log_s = logits.log_softmax(1)
        s = log_s.exp()
        return {
            "cross_entropy": self.soft_label_term(batch, logits),
            "prior": -self.alpha * run.log_mean(log_s).mean(),
            "entropy": -self.beta * (s * log_s).sum(1),
        }

    def soft_label_term(self, batch: Batch, logits: Tensor) -> Term:
        """Cross-entropy with the soft labels, over the rows that have one."""
        soft = self.soft[self.place[batch.rows]]
        return soft_cross_entropy(logits, soft), soft.sum(1) > 0

    def train_on(self, run: Run) -> None:
        self.find_labels(run)
        if not run.replaying:
            self.net.load_state_dict(self.build_model().state_dict())
        self.learn_labels(run)

    def find_labels(self, run: Run) -> None:
        """Step 1."""
        part = self.taking_part(run.task)
        if not run.replaying:
            self.soft.copy_(one_hot(run.y.masked_fill(run.task.validation, -1)[part], run.task.n_classes))
        changes: dict[str, Any] = {"schedule": "constant", "keep": "last", "stop_after": None}
        if self.optimizer == "sgd":
            changes |= {"optimizer": "sgd", "lr": self.lr, "weight_decay": 1e-4}
        for epoch in run.epochs(**changes):
            share = min(1.0, run.n_epochs / EPOCHS)
            window = max(1, round(WINDOW * share))
            self.recent[epoch % window] = math.nan  # a row that is not among those of an epoch has no output of it
            for batch in self.batches(run):
                logits = self.net(batch.views[0])
                run.update(self.terms(run, batch, logits))
                # outputs of the training passes, with their views and dropout: the soft labels cost no pass
                rows, s = run.gather(batch.rows, logits.detach().log_softmax(1).exp())
                self.recent[epoch % window, self.place[rows]] = s
            if epoch + 1 >= BEGIN * share:
                mean = self.recent[:window].nanmean(0)
                self.soft.copy_(self.soft.where(mean.isnan() | run.task.known[part, None], mean))

    def learn_labels(self, run: Run) -> None:
        """Step 2."""
        changes: dict[str, Any] = {}
        if self.optimizer == "sgd":
            changes = {"optimizer": "sgd", "lr": FINAL_LR, "weight_decay": 1e-4, "schedule": "constant"}
        for epoch in run.epochs(self.final_epochs, **changes):
            if changes:
                run.set_rate(FINAL_LR * staircase(epoch / run.n_epochs, MILESTONES))
            for batch in self.batches(run):
                run.update({"cross_entropy": self.soft_label_term(batch, self.net(batch.views[0]))})

    def scores(self, run: Run) -> dict[str, Tensor]:
        """``soft_label``, the share of the given label in the soft label; NaN where there is none of them."""
        y, soft = run.task.y, self.soft[self.place]  # (N, K)
        share = soft.gather(1, y.clamp(min=0)[:, None])[:, 0]
        return {"soft_label": share.masked_fill((y < 0) | (soft.sum(1) == 0), math.nan)}
