"""Two-stage learning from noisy labels (Ding, Wang, Fan & Gong 2018, WACV; arXiv:1802.02679).

Stage 1. Train a network on the noisy labels with balanced cross-entropy (sections 3.1, 3.3). A selector keeps the
labels that are likely right; all others are dropped, in the held-out validation set as well, which so becomes the
"good validation set" of section 3.1.

Stage 2. A semi-supervised learner goes on from the network of stage 1 (section 3.2), with the kept labels and all
inputs: batches of N/2 labeled and N/2 unlabeled rows, an epoch is one pass over the labeled ones.

Silent or contradictory points, and what was chosen
- Predictions are made on the very rows that were trained on, so the network of the best noisy validation accuracy is
  used, not the last, which has had more time to memorize; views and dropout are off.
- Table 2's row of the method (16.8 + 0.2 + 81.0 %) does not sum to 100, and 0.2 % wrong labels cannot hold at p = 0.6 with
  the 10 % floor on cats and dogs: kept, right and wrong are reported by class, and 0.2 % is no target.
"""

from __future__ import annotations

import numpy as np
import torch
from sklearn.base import BaseEstimator
from torch import Tensor, nn
from torch.nn import functional as F

from goldvein.engine import Run
from goldvein.errors import InputError
from goldvein.method import Method
from goldvein.methods.temporal_ensembling import TemporalEnsembling
from goldvein.selectors.confidence import Confidence
from goldvein.task import Batch, Task


class TwoStage(Method):
    """A selector decides which labels to trust; a semi-supervised learner trains on them and on all inputs.

    Parameters
    ----------
    selector : selector, optional
        Any class of ``goldvein.selectors``; by default the paper's :class:`Confidence`.
    learner : Method, optional
        Any semi-supervised method; by default :class:`TemporalEnsembling`, the paper's for small data.
    balance : bool, default=True
        Draw every given class equally often in stage 1.
    warm_start : bool, default=True
        Let the learner go on from the network of stage 1 instead of a fresh one.
    rounds : int, default=1
        How often labels are selected and the learner trained; after the first time the learner's own network
        selects. The paper has one round.
    stage1_epochs : int, optional
        Epochs of stage 1; by default as many as the run has for the learner.

    Examples
    --------
    >>> from goldvein.methods.pi_model import PiModel
    >>> TwoStage(learner=PiModel(alpha=100)).get_params()["learner__alpha"]
    100
    """

    kept: Tensor

    def __init__(
        self,
        selector: BaseEstimator | None = None,
        learner: Method | None = None,
        balance: bool = True,
        warm_start: bool = True,
        rounds: int = 1,
        stage1_epochs: int | None = None,
    ) -> None:
        super().__init__()
        self.selector = Confidence() if selector is None else selector
        self.learner = TemporalEnsembling() if learner is None else learner
        self.balance = balance
        self.warm_start = warm_start
        self.rounds = rounds
        self.stage1_epochs = stage1_epochs

    def setup(self, task: Task) -> None:
        self.learner.setup(task)
        self.build_model = task.build_model
        self.register_buffer("kept", task.y.clone())

    def loss(self, batch: Batch) -> dict[str, Tensor]:
        """Stage 1."""
        return {"cross_entropy": F.cross_entropy(self.learner.net(batch.views[0]), batch.y, ignore_index=-1)}

    def train_on(self, run: Run) -> None:
        for _ in run.epochs(self.stage1_epochs, net=self.learner.net, keep="best"):
            for batch in run.batches(balance=self.balance):
                run.update(self.loss(batch))
        for _ in range(self.rounds):
            if not run.replaying:
                self.select(run)
            self.learner.train_on(run.with_labels(self.kept))

    def select(self, run: Run) -> None:
        """Keep the labels that the selector trusts, judged by the network as it stands."""
        y = run.task.y.cpu().numpy()
        signals = {"probs": run.predict().cpu().numpy(), "trained_on": self.kept.cpu().numpy()}
        _, keep = self.selector.select(y, **{name: signals[name] for name in self.selector.needs})
        if run.task.trusted is not None:
            keep |= run.task.trusted.cpu().numpy()
        if not (keep & ~run.task.validation.cpu().numpy()).any():
            raise InputError(f"{self.selector} keeps no label: lower its threshold or raise its floor")
        self.kept = torch.as_tensor(np.where(keep, y, -1)).to(run.device)
        if not self.warm_start:
            self.learner.net.load_state_dict(self.build_model().state_dict())

    @property
    def net(self) -> nn.Module:  # type: ignore[override]
        """The learner's network."""
        return self.learner.net
