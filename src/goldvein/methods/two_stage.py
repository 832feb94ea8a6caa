"""Two-stage learning from noisy labels (Ding, Wang, Fan & Gong 2018, WACV; arXiv:1802.02679).

Stage 1. Train a network on the noisy labels with balanced cross-entropy (sections 3.1, 3.3). A selector keeps the
labels that are likely right; all others are dropped, in the held-out validation set as well, which so becomes the
"good validation set" of section 3.1.

Stage 2. A semi-supervised learner goes on from the network of stage 1 (section 3.2), with the kept labels and all
inputs: batches of N/2 labeled and N/2 unlabeled rows, an epoch is one pass over the labeled ones.

Silent or contradictory points, and what was chosen
- Predictions are made on the very rows that were trained on, so the network of the best noisy validation accuracy is
  used, not the last, which has had more time to memorize; views and dropout are off.
- Table 2's row of the method does not sum to 100 %, and 0.2 % wrong labels cannot hold at p = 0.6 with the 10 % floor
  on cats and dogs: kept, right and wrong are reported by class, and 0.2 % is no target.

Differs from the paper by default (``TwoStage(selector=Confidence(), rounds=1)`` is the paper's own)
- The selector is :class:`Posterior`, and selection and stage 2 are repeated: the rule of the paper keeps the easy
  labels and costs the hard rows theirs (``docs/results`` has both).
- A network knows a few thousand labels by heart before it is at its best, and then finds none of them wrong. With fewer
  than 5,000, or no validation set, they are cut into ``folds``, each judged by a learner that trained without it.
"""

from __future__ import annotations

import numpy as np
import torch
from sklearn.base import BaseEstimator
from torch import Tensor, nn

from goldvein.config.ranges import Count
from goldvein.errors import InputError
from goldvein.functional.losses import cross_entropy
from goldvein.functional.probabilities import held
from goldvein.methods.temporal_ensembling import TemporalEnsembling
from goldvein.selectors import check_needs, select_apart
from goldvein.selectors.posterior import Posterior, clean_probs
from goldvein.training.method import Method
from goldvein.training.run import Run
from goldvein.training.task import Batch, Task

FEW = 5000  # labels that a network knows by heart too soon to judge them


class TwoStage(Method):
    """A selector decides which labels to trust; a semi-supervised learner trains on them and on all inputs.

    Parameters
    ----------
    selector : selector, optional
        Any of ``goldvein.selectors`` that goes by class probabilities; by default :class:`Posterior`.
    learner : Method, optional
        Any semi-supervised method; by default :class:`TemporalEnsembling`, the paper's for small data.
    rounds : int, default=3
        How often labels are selected and the learner trained; after the first time the learner's own network
        selects, and the learner goes on with the state that it has. The paper has one round.
    folds : int or "auto", default="auto"
        Folds of the labels, each judged by a learner that did not see it; 0 judges them by one network of stage 1.
        ``auto`` is 3 with fewer than 5,000 labels or no validation set, else 0.
    balance : bool, default=True
        Draw every given class equally often in stage 1.
    stage1_epochs : int, optional
        By default as many as the run has for the learner.

    Attributes
    ----------
    kept : Tensor of shape (N,), int64
        Labels that the learner trained on, -1 where dropped or missing.

    Examples
    --------
    >>> from goldvein.methods.pi_model import PiModel
    >>> TwoStage(learner=PiModel(alpha=100)).get_params()["learner__alpha"]
    100
    """

    kept: Tensor
    fold: Tensor
    out_of_fold: Tensor  # (N, K) float32, by learners that did not see the labels; (0, K) without folds
    believed: Tensor  # (N, K) float32, sum over the selections of the class probabilities

    def __init__(
        self,
        selector: BaseEstimator | None = None,
        learner: Method | None = None,
        rounds: Count = 3,
        folds: int | str = "auto",
        balance: bool = True,
        stage1_epochs: Count | None = None,
    ) -> None:
        super().__init__()
        self.selector = Posterior() if selector is None else selector
        self.learner = TemporalEnsembling() if learner is None else learner
        self.rounds = rounds
        self.folds = folds
        self.balance = balance
        self.stage1_epochs = stage1_epochs

    def setup(self, task: Task) -> None:
        check_needs(self.selector, ("probs", "trained_on"))
        self.learner.setup(task)
        self.take_after(self.learner)  # stage 1 looks at the first view
        self.task = task
        self.register_buffer("kept", task.y.clone())
        many = task.validation.any() and (task.y >= 0).sum() >= FEW
        n_folds = self.folds if self.folds != "auto" else 0 if many else 3
        if not isinstance(n_folds, int) or n_folds < 0 or n_folds == 1:
            raise InputError(f"folds={self.folds!r}: it must be 0, 2 or more, or auto")
        self.stages = 1 + self.rounds * max(n_folds, 1)
        self.register_buffer("fold", deal(task.y, task.n_classes, n_folds))
        self.register_buffer("out_of_fold", torch.zeros(task.n_samples if n_folds else 0, task.n_classes))
        self.register_buffer("believed", torch.zeros(task.n_samples, task.n_classes))

    @property
    def net(self) -> nn.Module:  # type: ignore[override]
        """The learner's network."""
        return self.learner.net

    def loss(self, batch: Batch) -> dict[str, Tensor]:
        """Stage 1."""
        return {"cross_entropy": cross_entropy(self.net(batch.views[0]), batch.y)}

    def train_on(self, run: Run) -> None:
        if len(self.out_of_fold):
            for _ in range(self.rounds):
                self.cross_fit(run)
                if not run.replaying:
                    self.select(run)
            self.learner.train_on(run.with_labels(self.kept))
            return
        self.train_stage1(run)
        for _ in range(self.rounds):
            if not run.replaying:
                self.select(run)
            self.learner.train_on(run.with_labels(self.kept))

    def train_stage1(self, run: Run) -> None:
        for _ in run.epochs(self.stage1_epochs, net=self.net, keep="best"):
            for batch in run.batches(balance=self.balance):
                run.update(self.loss(batch))

    def cross_fit(self, run: Run) -> None:
        """Judge each fold by a fresh learner on the kept labels of the others; leaves a fresh learner behind."""
        for k in range(int(self.fold.max()) + 1):
            inside = self.fold == k
            self.learner.train_on(run.with_labels(self.kept.masked_fill(inside, -1)))
            if not run.replaying:
                self.out_of_fold[inside] = run.predict(inside.nonzero()[:, 0])
                self.learner.setup(self.task)  # afresh
                self.learner.to(run.device)

    def evidence(self, run: Run) -> tuple[Tensor, Tensor]:
        """Class probabilities (N, K), free of noise: the mean over all selections and the end (folds: half each)."""
        # a wrong label that was kept is learned by heart from then on; what the network believed before still tells
        unseen = torch.full_like(self.kept, -1)
        if len(self.out_of_fold):  # rows without a label are in no fold
            probs = (self.believed / self.rounds + self.out_of_fold) / 2
            return torch.where((self.fold >= 0)[:, None], probs, run.judge()), unseen
        return (self.believed + self.clean(run.judge(), self.kept)) / (self.rounds + 1), unseen

    def scores(self, run: Run) -> dict[str, Tensor]:
        """``kept``: 1 where the label was kept in the end, 0 where it was removed; and the scores of the learner."""
        return {**self.learner.scores(run), "kept": held(run.task.y, self.kept)}

    def current(self, run: Run) -> tuple[Tensor, Tensor]:
        """What the selector goes by: probabilities (N, K), and the labels (N,) that they were learned from."""
        if len(self.out_of_fold):
            return self.out_of_fold, torch.full_like(self.kept, -1)
        return run.predict(), self.kept

    def clean(self, probs: Tensor, trained_on: Tensor) -> Tensor:
        return torch.as_tensor(clean_probs(probs.cpu().numpy(), trained_on.cpu().numpy())).to(self.believed)

    def select(self, run: Run) -> None:
        """Keep the labels that the selector trusts."""
        y = run.task.y.cpu().numpy()
        held_out = run.task.validation.cpu().numpy()
        probs, trained_on = self.current(run)
        self.believed += self.clean(probs, trained_on)
        keep = select_apart(self.selector, y, held_out, probs=probs.cpu().numpy(), trained_on=trained_on.cpu().numpy())
        if run.task.trusted is not None:
            keep |= run.task.trusted.cpu().numpy()
        if not (keep & ~held_out).any():
            raise InputError(f"{self.selector} keeps no label: lower its threshold or raise its floor")
        self.kept = torch.as_tensor(np.where(keep, y, -1)).to(run.device)


def deal(y: Tensor, n_classes: int, n_folds: int) -> Tensor:
    """The fold of each row, (N,) int64: the labels of a class are dealt evenly, at random; -1 without a label.

    Examples
    --------
    >>> deal(torch.tensor([0, 0, 1, 1, -1]), 2, 2).sort().values
    tensor([-1,  0,  0,  1,  1])
    """
    fold = torch.full_like(y, -1)
    start = 0
    for c in range(n_classes if n_folds else 0):
        rows = (y == c).nonzero()[:, 0]
        order = torch.randperm(len(rows)).to(y.device)
        fold[rows[order]] = (torch.arange(len(rows), device=y.device) + start) % n_folds
        start += len(rows)  # classes smaller than the number of folds do not all fill the first
    return fold
