"""Bottom-up noise model (Sukhbaatar, Bruna, Paluri, Bourdev & Fergus 2015, ICLR workshop, arXiv:1406.2080).

A linear layer Q between the network's classes and the labels, learned with the network and dropped for predictions:

    P(given j | x) = sum_i Q[j, i] P(true i | x)                                                            (1)
    L = -mean log P(given y | x)  +  decay/(2K) ||Q||^2            every column of Q on the simplex         (2)

Q is the transpose of T here, T[i, j] = P(given j | true i), so it is the rows of T that lie on the simplex; each
is projected there, to the nearest point, after every update.

1. T = I, and the network is trained until it converges.
2. Network and T are learned together by gradient descent. Many pairs of the two explain the labels equally well, among
   them T = I with a network that predicts the noise. The authors show that the true T is the one of least trace, and
   that weight decay, easier to minimize, favors it as well: it pulls the rows of T away from I.

Where the paper is silent
- "Until it converges" is the run's number of epochs, or its early stop, in each of the two stages.
- The weight of the decay is not known: 0.3, and divided by K as each row of T sees one label in K. With a network that
  is sure of the true class it moves the diagonal by -0.04 from the truth, at 20 % as at 40 % of even noise.
- Trusted labels count as the others do.

Differs from plain gradient descent in the steps of T, not in where they end: see :class:`TameGradient`.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from goldvein.config.ranges import NonNegative
from goldvein.functional.losses import forward_corrected
from goldvein.methods._supervised import train_supervised
from goldvein.training import Batch, Method, Report, Run, Task, Terms


class BottomUp(Method):
    """Cross-entropy through a stochastic matrix that is learned under weight decay.

    Parameters
    ----------
    decay : float, default=0.3
        Weight of the decay of Q.

    Attributes
    ----------
    T : Parameter of shape (K, K), float32
        T[i, j] = P(given j | true i), the transpose of the paper's Q.

    Examples
    --------
    >>> BottomUp(decay=1.0)
    BottomUp(decay=1.0)
    """

    def __init__(self, decay: NonNegative = 0.3) -> None:
        super().__init__()
        self.decay = decay

    def setup(self, task: Task) -> None:
        super().setup(task)
        self.T = nn.Parameter(torch.eye(task.n_classes))

    def loss(self, batch: Batch) -> Terms:
        T: Tensor = TameGradient.apply(self.T)  # type: ignore[no-untyped-call]
        losses = forward_corrected(self.net(batch.views[0]), batch.y, T)  # Eq. 1
        return {  # Eq. 2
            "cross_entropy": (losses, batch.labeled),
            "decay": self.decay / 2 * self.T.square().sum(1).mean(),
        }

    def train_on(self, run: Run) -> None:
        train_supervised(run, self.net)
        for _ in run.epochs():
            for batch in run.batches():
                run.update(self.loss(batch))
                self.project()

    @torch.no_grad()
    def project(self) -> None:
        """Move each row of T to the nearest point of the simplex."""
        self.T.copy_(nearest_in_simplex(self.T))

    def evidence(self, run: Run) -> tuple[Tensor, Tensor]:
        """The network's probabilities are of the true class, free of the labels' noise."""
        return run.judge(), torch.full_like(run.task.y, -1)

    def report(self) -> Report:
        return Report(transition=self.T.detach())


class TameGradient(torch.autograd.Function):
    """T as it is; its gradient lies in the plane of rows of constant sum, and is at most 1 long.

    All entries of a row of T have gradients of one sign. An optimizer that scales each entry by itself (Adam, AdaGrad)
    makes them alike, and they vanish in the projection onto the simplex; so the gradient is projected first, onto the
    plane of rows that sum to 1. Under plain gradient descent this changes nothing. A label that is nearly impossible by
    T has a gradient without bound, 1/P(given y | x), which would throw T about; so it is cut to a length of 1.
    """

    @staticmethod
    def forward(ctx: Any, T: Tensor) -> Tensor:
        return T.clone()

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        inside = gradient - gradient.mean(1, keepdim=True)
        length: Tensor = inside.norm()
        return inside / length.clamp(min=1)


def nearest_in_simplex(rows: Tensor) -> Tensor:
    """Each row's nearest point with entries of at least 0 that sum to 1 (Duchi et al. 2008): (n, K) -> (n, K).

    Examples
    --------
    >>> nearest_in_simplex(torch.tensor([[0.75, 0.75], [2.0, 0.0]]))
    tensor([[0.5000, 0.5000],
            [1.0000, 0.0000]])
    """
    rows = rows - rows.amax(1, keepdim=True)  # the same point; sums of huge numbers would lose the 1
    falling = rows.sort(1, descending=True).values
    ranks = torch.arange(1, rows.shape[1] + 1, device=rows.device)
    shifts = (falling.cumsum(1) - 1) / ranks
    n_positive = (falling > shifts).sum(1, keepdim=True)
    return (rows - shifts.gather(1, n_positive - 1)).clamp(min=0)
