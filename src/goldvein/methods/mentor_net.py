"""MentorNet with a predefined or a learned curriculum (Jiang, Zhou, Leung, Li & Fei-Fei 2018, arXiv:1712.05055; the
authors' code).

    L = 1/B sum_i v_i l_i             l_i = -log s_i[y_i]; no gradient through v                            (1)
    l_p <- l_p / 2 + (percentile p of the losses of the batch) / 2,     d_i = l_i - l_p                     (2)
    v_i = 1                           while at most 18 % of the training is done (burn-in)

Predefined (MentorNet PD): the closed form of what a network is trained to imitate there, so none is needed.

    v_i = 1 if d_i <= 0 else 0                                                                              (3)
    v_i = min(1, max(0, 1 - d_i))     from 90 % on                                                          (4)

Learned (MentorNet DD): the network itself, which tells right labels from wrong ones by their losses.

    v_i = g(l_i, d_i, percent; Theta)                                                                       (5)
    Theta = argmin mean_i -t_i log v_i - (1 - t_i) log(1 - v_i)     over labels known to be right (t = 1) or wrong (0)

The known labels are the trusted ones, of which a share 1 - p, drawn at random, is replaced by wrong ones: the student
learns from all as from any others. Theta is learned from their losses after the burn-in, and again at 75 %: see
:mod:`goldvein.methods._mentor`. Only labeled rows are used.

Where the paper is silent or its code differs
- The authors use p = 0.75 where 20 or 40 % of the labels are wrong and 0.5 at 80 %, though the commands that they
  published misspell the flag, so 0.7, its default, may be what ran.
- The self-paced variant, their own baseline, is (3) throughout, without burn-in and dropout; they give it p = 0.7.
- Their decay term of mean(v) is left out: v is a constant to the gradient.
- The known labels are a sample of the student's own in the paper; the authors took losses of another small set. The
  paper is followed: not to train on them would make right labels look worse than those that the student knows.
- Theta is learned twice "after the learning rate is changed": the moments above do not depend on a schedule.
- Their code freezes the percentage at the end of the burn-in, here at the last update of Theta. By that same freezing
  their dropout of 0.9 in the last 5 %, for the learned curriculum, is never reached.
- The authors do not use trusted labels with a predefined curriculum; here they always get weight 1.

Differs from the authors' code: the share of the training that is done counts whole epochs.
"""

from __future__ import annotations

from typing import Any, Literal

import torch
from torch import Tensor, nn

from goldvein.config.ranges import Positive, Share
from goldvein.errors import InputError
from goldvein.functional.losses import cross_entropy
from goldvein.functional.schedules import staircase
from goldvein.methods._mentor import Mentor
from goldvein.training import Method, Run, Task

BURN_IN, DROPOUT_FALLS, SOFT = 18, 17, 90  # percent of the training
LESSONS = (BURN_IN + 1, 75)  # when Theta is learned
MILESTONES = (19_531 / 39_000, 25_000 / 39_000, 30_000 / 39_000)


class MentorNet(Method):
    """Cross-entropy on the labels of small loss.

    Parameters
    ----------
    curriculum : {"predefined", "self_paced", "learned"}, default="predefined"
        ``learned`` needs trusted labels, and teaches a share of them wrongly.
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
    taught: Tensor  # (N,) labels, some of the trusted ones made wrong
    trusted: Tensor | None = None  # (N,) bool, labels whose weight is 1 throughout

    def __init__(
        self,
        curriculum: Literal["predefined", "self_paced", "learned"] = "predefined",
        percentile: Share = 0.75,
        optimizer: Literal["run", "sgd"] = "run",
        lr: Positive = 0.1,
    ) -> None:
        super().__init__()
        self.curriculum = curriculum
        self.percentile = percentile
        self.optimizer = optimizer
        self.lr = lr

    def setup(self, task: Task) -> None:
        super().setup(task)
        self.trusted = None if self.curriculum == "learned" else task.trusted
        self.register_buffer("level", torch.zeros(()))
        if self.curriculum == "learned":
            self.mentor = Mentor()
            self.register_buffer("taught", task.y.clone())

    def follow(self, losses: Tensor) -> None:
        """Move l_p towards the percentile of the losses of a batch."""
        self.level.lerp_(losses.quantile(self.percentile, interpolation="nearest"), 0.5)  # Eq. 2

    @torch.no_grad()
    def weights(self, losses: Tensor, percent: int) -> Tensor:
        """v (B,) of losses (B,), before dropout, when ``percent`` of the training is done."""
        d = losses - self.level
        if self.curriculum != "self_paced" and percent <= BURN_IN:
            return torch.ones_like(d)
        if self.curriculum == "learned":
            v: Tensor = self.mentor(losses, d, lesson(percent)).sigmoid()  # Eq. 5
            return v
        if self.curriculum == "predefined" and percent >= SOFT:
            return (1 - d).clamp(0, 1)  # Eq. 4
        return (d <= 0).to(d)  # Eq. 3

    def drop(self, v: Tensor, percent: int) -> Tensor:
        """Weights (B,) with those of a random share set to 0: "example dropout"."""
        if self.curriculum == "self_paced":
            return v
        rate = 0.5 if percent < DROPOUT_FALLS else 0.05
        return v * (torch.randperm(len(v), device=v.device) < max(1, int(len(v) * (1 - rate))))

    def weigh(self, losses: Tensor, rows: Tensor, percent: int) -> Tensor:
        """v (B,) of losses (B,) of rows (B,), after dropout."""
        v = self.drop(self.weights(losses, percent), percent)
        return v if self.trusted is None else v.masked_fill(self.trusted[rows], 1.0)

    def train_on(self, run: Run) -> None:
        changes: dict[str, Any] = {}
        if self.optimizer == "sgd":
            changes = {"optimizer": "sgd", "lr": self.lr, "weight_decay": 2e-4, "schedule": "constant"}
        if self.curriculum == "learned":
            known = trusted_rows(run)
            if not run.replaying:
                self.taught = spoiled(run, known, 1 - self.percentile)
            run = run.with_labels(self.taught)
        for epoch in run.epochs(net=self.net, **changes):
            before, percent = (100 * e // run.n_epochs for e in (epoch - 1, epoch))
            if changes:
                run.set_rate(self.lr * staircase(epoch / run.n_epochs, MILESTONES))
            if self.curriculum == "learned" and lesson(percent) > lesson(before):
                self.teach(run, known, percent)
            for batch in run.batches():
                losses = cross_entropy(self.net(batch.views[0]), batch.y)  # (B,)
                self.follow(run.gather(batch.rows, losses.detach())[1])
                v = self.weigh(losses.detach(), batch.rows, percent)
                run.update({"cross_entropy": v * losses})  # Eq. 1

    def teach(self, run: Run, known: Tensor, percent: int) -> None:
        """Theta from the student's losses of known labels, with random views and dropout as in training."""
        rows, losses = losses_of(run, self.net, known)
        right = (self.taught == run.task.y)[rows].float()
        self.mentor.fit(losses, lesson(percent), right)

    def evidence(self, run: Run) -> tuple[Tensor, Tensor]:
        """The final predictions, and the labels that they were learned from: -1 where another was taught."""
        if self.curriculum != "learned":
            return super().evidence(run)
        return run.judge(), torch.where(self.taught == run.task.y, run.task.y, -1)


def lesson(percent: int) -> int:
    """The percentage at which Theta was last learned; 0 before."""
    return max((p for p in LESSONS if p <= percent), default=0)


def trusted_rows(run: Run) -> Tensor:
    """Training rows (N,), bool, whose labels are known to be right."""
    return run.task.known & ~run.task.validation & (run.y >= 0)


def spoiled(run: Run, known: Tensor, share: float) -> Tensor:
    """Labels (N,) with a share of the known ones replaced by another class, all others alike."""
    rows = known.nonzero()[:, 0].cpu()
    n_wrong = round(share * len(rows))
    if not 0 < n_wrong < len(rows):
        raise InputError(
            f"{len(rows)} labels are trusted, {n_wrong} of them to be made wrong: curriculum='learned' needs right and "
            "wrong ones outside the validation set; mark more as trusted, or use curriculum='predefined'"
        )
    rows = rows[torch.randperm(len(rows), generator=run.generator)[:n_wrong]]
    shift = torch.randint(1, run.task.n_classes, (n_wrong,), generator=run.generator)
    y = run.y.clone()
    y[rows] = (y[rows] + shift.to(y.device)) % run.task.n_classes
    return y


@torch.no_grad()
def losses_of(run: Run, net: nn.Module, known: Tensor) -> tuple[Tensor, Tensor]:
    """Rows (n,) and their losses (n,), of one pass over the known ones."""
    parts = [run.gather(batch.rows, cross_entropy(net(batch.views[0]), batch.y)) for batch in run.batches(known)]
    return torch.cat([rows for rows, _ in parts]), torch.cat([losses for _, losses in parts])
