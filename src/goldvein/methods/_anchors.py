"""Loss correction by a transition matrix T, given or estimated from anchors (Patrini et al. 2017, arXiv:1609.03683).

Where T is not given, it is estimated:

Stage 1. Train with cross-entropy on the given labels. T[i] is then the prediction on the anchor of class i, searched
among all rows, held-out and unlabeled ones too (:func:`goldvein.noise.transition.anchor_transition`).
Stage 2. The network begins again, from its first weights, and is trained with the corrected loss.

Where the paper is silent: a trusted label has no noise, so its loss is plain cross-entropy.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from goldvein.config.ranges import Matrix, Percent
from goldvein.functional.losses import cross_entropy
from goldvein.methods._supervised import train_supervised
from goldvein.noise.transition import anchor_transition, check_transition
from goldvein.training import Batch, Method, Report, Run, Task, Terms


class LossCorrection(Method):
    """A method whose loss is corrected by T.

    Parameters
    ----------
    transition : array of shape (K, K), optional
        T itself, classes in sorted order; then it is not estimated, and there is one stage.
    percentile : float or None, default=97.0
        Percentile of p_i from which a row is an outlier and no anchor of class i, as in the authors' code. None, the
        largest of all is the anchor, is what the code has for CIFAR-100.
    patrini_inplace : bool, default=False
        Whether the outliers of class i stay zeroed in column i for the classes after it, as an array view has it in
        the authors' code.

    Attributes
    ----------
    T : Tensor of shape (K, K), float32
        The transition matrix in force.
    """

    T: Tensor
    trusted: Tensor  # (N,) bool

    def __init__(
        self, transition: Matrix | None = None, percentile: Percent | None = 97.0, patrini_inplace: bool = False
    ) -> None:
        super().__init__()
        self.transition = transition
        self.percentile = percentile
        self.patrini_inplace = patrini_inplace

    def setup(self, task: Task) -> None:
        super().setup(task)
        self.start = {name: value.clone() for name, value in self.net.state_dict().items()}
        self.register_buffer("T", torch.eye(task.n_classes))
        self.register_buffer("trusted", task.known.clone(), persistent=False)
        if self.transition is not None:
            self.correct_by(check_transition(self.transition, task.n_classes, invertible=True))

    def correct_by(self, T: NDArray[np.float64]) -> None:
        """Put a transition matrix in force."""
        self.T = torch.as_tensor(T).to(self.T)

    def corrected(self, logits: Tensor, y: Tensor) -> Tensor:
        """The corrected loss of noisy labels, (B,)."""
        raise NotImplementedError

    def loss(self, batch: Batch) -> Terms:
        logits = self.net(batch.views[0])
        plain, corrected = cross_entropy(logits, batch.y), self.corrected(logits, batch.y)
        return {"corrected": (torch.where(self.trusted[batch.rows], plain, corrected), batch.labeled)}

    def train_on(self, run: Run) -> None:
        if self.transition is None:
            # the code takes the weights of the least loss on noisy validation labels; here those of the best accuracy
            train_supervised(run, self.net, keep="best")
            if not run.replaying:
                probs = run.predict().cpu().numpy()
                self.correct_by(anchor_transition(probs, self.percentile, inplace=self.patrini_inplace))
                self.net.load_state_dict(self.start)
        super().train_on(run)

    def evidence(self, run: Run) -> tuple[Tensor, Tensor]:
        """The network predicts the true class, free of the noise that its loss was corrected for."""
        return run.judge(), torch.full_like(run.task.y, -1)

    def report(self) -> Report:
        return Report(transition=self.T)
