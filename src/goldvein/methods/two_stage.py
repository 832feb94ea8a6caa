"""Two-stage learning from noisy labels (Ding, Wang, Fan & Gong 2018, WACV, arXiv:1802.02679).

Stage 1. Train a network on the noisy labels with balanced cross-entropy (sections 3.1, 3.3). A selector keeps the
labels that are likely right; all others are dropped, in the held-out validation set as well, which so becomes the
"good validation set" of section 3.1.

Stage 2. A semi-supervised learner continues from the network of stage 1 (section 3.2), with the kept labels and all
inputs: batches of N/2 labeled and N/2 unlabeled rows, an epoch is one pass over the labeled ones.

Where the paper is silent or contradicts itself: Table 2's row of the method does not sum to 100 %, and 0.2 % wrong
labels cannot hold at p = 0.6 with the 10 % floor on cats and dogs. Kept, right and wrong labels are reported by class,
and 0.2 % is no target.

Differs from the paper by default (``TwoStage(selector=Confidence(), rounds=1)`` is the paper's own)
- The selector is :class:`Posterior`, and selection and stage 2 are repeated: the rule of the paper keeps the easy
  labels and costs the hard rows theirs (``docs/results`` has both).
- Few labels are cut into ``folds``, each judged by a learner that trained without it.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.base import BaseEstimator
from torch import Tensor, nn

from goldvein.config.ranges import Count
from goldvein.errors import InputError
from goldvein.functional.probabilities import kept_mask
from goldvein.methods._supervised import train_supervised
from goldvein.methods.temporal_ensembling import TemporalEnsembling
from goldvein.selectors import check_needs, select_apart
from goldvein.selectors.posterior import Posterior, clean_probs
from goldvein.training import Method, Report, Run, Task
from goldvein.training.network import require_network
from goldvein.training.outliers import unit
from goldvein.training.predict import evaluating
from goldvein.training.sampling import deal_folds

FEW = 5000  # a network memorizes fewer labels before it is at its best, and then finds none of them wrong
WATCHED = ("agreement", "margins")  # what a selector may need of all epochs of one network,
SIGNALS = ("probs", "trained_on", "features", *WATCHED)  # and all that it may need


class TwoStage(Method):
    """A selector decides which labels to trust; a semi-supervised learner trains on them and on all inputs.

    Parameters
    ----------
    selector : selector, optional
        Any of ``goldvein.selectors``; by default :class:`Posterior`.
    learner : Method, optional
        Any semi-supervised method; by default :class:`TemporalEnsembling`, the paper's for small data.
    rounds : int, default=3
        How often labels are selected and the learner trained; after the first time the learner's own network
        selects, and the learner continues from its own state. The paper has one round.
    folds : int or "auto", default="auto"
        Folds of the labels, each judged by a learner that did not see it; 0 judges them by one network of stage 1.
        ``auto`` is 3 with fewer than 5,000 labels or no validation set, else 0. A selector by features, agreement
        or margins needs one network for all rows: 0.
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
    fold: Tensor  # (N,) int64, -1 without a label
    out_of_fold: Tensor  # (N, K) probabilities by learners that have not seen the label; empty without folds
    selected_by: Tensor  # (N, K), the sum over all selections of the probabilities, free of noise

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
        check_needs(self.selector, SIGNALS, "two_stage")
        self.learner.setup(task)
        self.behave_like(self.learner)  # stage 1 uses the first view
        self.task = task
        if "features" in self.selector.needs:
            require_network(self.net, repr(self.selector))
        n_folds = self.count_folds(task)
        self.n_stages = 1 + self.rounds * max(n_folds, 1)
        self.register_buffer("kept", task.y.clone())
        self.register_buffer("fold", deal_folds(task.y, task.n_classes, n_folds))
        self.register_buffer("out_of_fold", torch.zeros(task.n_samples if n_folds else 0, task.n_classes))
        self.register_buffer("selected_by", torch.zeros(task.n_samples, task.n_classes))

    def count_folds(self, task: Task) -> int:
        one = [name for name in self.selector.needs if name in ("features", *WATCHED)]
        many = bool(task.validation.any()) and int((task.y >= 0).sum()) >= FEW
        n_folds = self.folds if self.folds != "auto" else 0 if many or one else 3
        if not isinstance(n_folds, int) or n_folds < 0 or n_folds == 1:
            raise InputError(f"folds={self.folds!r}: it must be 0, 2 or more, or auto")
        if n_folds and one:
            raise InputError(f"folds={n_folds}: {self.selector} judges by the {one[0]} of one network; give folds=0")
        return n_folds

    @property
    def net(self) -> nn.Module:  # type: ignore[override]
        """The learner's network."""
        return self.learner.net

    def train_on(self, run: Run) -> None:
        if set(WATCHED) & set(self.selector.needs) and not run.watches_labels:
            raise InputError(f"{self.selector} judges by all epochs of the training: fit with watch=True")
        if len(self.out_of_fold):
            for _ in range(self.rounds):
                self.cross_fit(run)
                if not run.replaying:
                    self.select(run)
            self.learner.train_on(run.with_labels(self.kept))
            return
        # the very rows that are judged were trained on: the weights of the best noisy validation accuracy have had
        # less time to memorize them than the last
        train_supervised(run, self.net, self.stage1_epochs, balance=self.balance, keep="best")
        for _ in range(self.rounds):
            if not run.replaying:
                self.select(run)
            self.learner.train_on(run.with_labels(self.kept))

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
        # a wrong label that was kept is memorized from then on, but earlier predictions still show that it is wrong
        unseen = torch.full_like(self.kept, -1)
        if len(self.out_of_fold):  # rows without a label are in no fold
            probs = (self.selected_by / self.rounds + self.out_of_fold) / 2
            return torch.where((self.fold >= 0)[:, None], probs, run.judge()), unseen
        return (self.selected_by + self.clean(run.judge(), self.kept)) / (self.rounds + 1), unseen

    def scores(self, run: Run) -> dict[str, Tensor]:
        """``kept``: 1 where the label was kept in the end, 0 where it was removed; and the scores of the learner."""
        return {**self.learner.scores(run), "kept": kept_mask(run.task.y, self.kept)}

    def report(self) -> Report:
        return Report(kept=self.kept)

    def clean(self, probs: Tensor, trained_on: Tensor) -> Tensor:
        return torch.as_tensor(clean_probs(probs.cpu().numpy(), trained_on.cpu().numpy())).to(self.selected_by)

    def signals(self, run: Run, probs: Tensor, trained_on: Tensor) -> dict[str, NDArray[np.generic]]:
        """All that the selector may need, by name."""
        found = {"probs": probs, "trained_on": trained_on, **run.signals.of_one_run()}
        if "features" in self.selector.needs:
            features = require_network(self.net, repr(self.selector)).features
            with evaluating(self.net):
                found["features"] = run.compute(lambda x: unit(features(x)))
        return {name: values.cpu().numpy() for name, values in found.items()}

    def select(self, run: Run) -> None:
        """Keep the labels that the selector trusts."""
        y, held_out, folded = run.task.y.cpu().numpy(), run.task.validation.cpu().numpy(), len(self.out_of_fold) > 0
        probs = self.out_of_fold if folded else run.predict()
        trained_on = torch.full_like(self.kept, -1) if folded else self.kept
        self.selected_by += self.clean(probs, trained_on)
        keep = select_apart(self.selector, y, held_out, **self.signals(run, probs, trained_on))
        keep |= run.task.known.cpu().numpy()
        if not (keep & ~held_out).any():
            raise InputError(f"{self.selector} keeps no label: lower its threshold or raise its floor")
        self.kept = torch.as_tensor(np.where(keep, y, -1)).to(run.device)
