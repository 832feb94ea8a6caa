"""Forward loss correction (Patrini, Rozza, Menon, Nock & Qu 2017, CVPR, theorem 2).

    L = -log sum_i p_i T[i, y]                    p = softmax, T[i, j] = P(given label j | true label i)     (1)

The network is taken for the clean probabilities and T for the noise behind it: what fits the noisy labels best is then
the clean posterior. Where it is not given, T is estimated:

Stage 1. Train with cross-entropy on the given labels. T[i] is then the prediction on the anchor of class i,
searched among all rows, held-out and unlabeled ones too (:func:`goldvein.noise.transition.anchor_transition`).
Stage 2. The network begins again, from its first weights, and is trained with (1).

Silent or contradictory points, and what was chosen
- The anchor is the row of the largest p_i below the 97th percentile, as in the authors' code; ``percentile=None``, the
  largest of all, is what the code has for CIFAR-100.
- Stage 1 predicts with the weights of its best accuracy on noisy validation labels; the code takes the least loss.
- p is clipped at 1e-7 before the product, as in the code.

Differs from the authors' code, where the outliers of class i stay zeroed in column i for the classes after it, an
effect of a view of the array; ``patrini_inplace=True`` does the same.
"""

from __future__ import annotations

import torch
from torch import Tensor

from goldvein.config.ranges import Matrix, Percent
from goldvein.functional.losses import cross_entropy, forward_corrected, mean_over_labeled
from goldvein.noise.transition import anchor_transition, check_transition
from goldvein.training.method import Method
from goldvein.training.run import Run
from goldvein.training.task import Batch, Task


class ForwardCorrection(Method):
    """Cross-entropy between the given labels and the network's probabilities sent through the noise.

    Parameters
    ----------
    transition : array of shape (K, K), optional
        T itself, classes in sorted order; then it is not estimated, and there is one stage.
    percentile : float or None, default=97.0
        Of p_i, from which a row is an outlier and no anchor of class i.
    patrini_inplace : bool, default=False
        Whether the estimate has the effect of the authors' code (see above).

    Attributes
    ----------
    T : Tensor of shape (K, K), float32
        The transition matrix in force.

    Examples
    --------
    >>> ForwardCorrection(transition=[[0.8, 0.2], [0.4, 0.6]])
    ForwardCorrection(transition=[[0.8, 0.2], [0.4, 0.6]])
    """

    T: Tensor

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
        T = torch.eye(task.n_classes)
        if self.transition is not None:
            T = torch.as_tensor(check_transition(self.transition, task.n_classes, invertible=True)).float()
        self.register_buffer("T", T)

    def loss(self, batch: Batch) -> dict[str, Tensor]:
        losses = forward_corrected(self.net(batch.views[0]), batch.y, self.T)  # Eq. 1
        return {"corrected": mean_over_labeled(losses, batch.y)}

    def train_on(self, run: Run) -> None:
        if self.transition is None:
            self.train_stage1(run)
            if not run.replaying:
                T = anchor_transition(run.predict().cpu().numpy(), self.percentile, inplace=self.patrini_inplace)
                self.T = torch.as_tensor(T).to(self.T)
                self.net.load_state_dict(self.start)
        for _ in run.epochs():
            for batch in run.batches():
                run.update(self.loss(batch))

    def train_stage1(self, run: Run) -> None:
        for _ in run.epochs(keep="best"):
            for batch in run.batches():
                logits = self.net(batch.views[0])
                run.update({"cross_entropy": cross_entropy(logits, batch.y)})

    def evidence(self, run: Run) -> tuple[Tensor, Tensor]:
        """The network predicts the true class, free of the noise that it was trained through."""
        return run.judge(), torch.full_like(run.task.y, -1)
