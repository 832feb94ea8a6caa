"""Pi-model: consistency of two random passes (Laine & Aila 2017, arXiv:1610.02242), as Ding et al. 2018 use it (eq. 2,
Algorithm 1, arXiv:1802.02679).

    L = -1/M sum_{j labeled} log z_j[y_j]  +  alpha/N sum_i ||z_i^1 - z_i^2||^2            (Ding eq. 2)

z are softmax outputs, the distance is summed over classes, both branches receive gradient, and the cross-entropy
is taken on the first. The two branches differ by their view, Gaussian noise on the input and dropout.

Where the papers are silent or contradict themselves
- Algorithm 1 omits alpha and writes N/2 for M: eq. 2 is followed.
- "A Gaussian noise layer on the top of the model": noise on the input, sigma 0.15 as in Laine & Aila's code.
- The batch is N/2 labeled and N/2 unlabeled rows, an epoch one pass over the labeled ones (a "sub-epoch").

Differs from Laine & Aila, who average the distance over classes, divide the cross-entropy by N and ramp the weight
up: their weight w is ``alpha = w N / (C M)`` here. ``ramp`` > 0 gives their ramp-up.
"""

from __future__ import annotations

import torch

from goldvein.config.ranges import NonNegative, Share
from goldvein.functional.losses import cross_entropy
from goldvein.functional.probabilities import squared_distance
from goldvein.functional.schedules import rampup
from goldvein.training import Batch, Method, Run, Terms


class PiModel(Method):
    """Cross-entropy plus consistency of two random passes.

    Parameters
    ----------
    alpha : float, default=20.0
        Weight of the consistency term; w = 100 of Laine & Aila is 20 for ten classes.
    noise : float, default=0.15
        Standard deviation of the Gaussian noise on the normalized input.
    ramp : float, default=0.0
        Share of the epochs over which alpha rises from near 0.
    balance : bool, default=True
        Draw every given class equally often among the labeled rows.

    Examples
    --------
    >>> PiModel(alpha=100)
    PiModel(alpha=100)
    """

    views = ("weak", "weak")

    def __init__(
        self, alpha: NonNegative = 20.0, noise: NonNegative = 0.15, ramp: Share = 0.0, balance: bool = True
    ) -> None:
        super().__init__()
        self.alpha = alpha
        self.noise = noise
        self.ramp = ramp
        self.balance = balance

    def loss(self, batch: Batch, risen: float = 1.0) -> Terms:
        """Eq. 2; ``risen`` is the share of alpha that is in force."""
        x = torch.cat(batch.views)  # both branches in one pass
        logits, other = self.net(x + self.noise * torch.randn_like(x)).chunk(2)
        distance = squared_distance(logits.softmax(1), other.softmax(1))  # Ding eq. 1
        return {
            "cross_entropy": (cross_entropy(logits, batch.y), batch.labeled),
            "consistency": self.alpha * risen * distance,
        }

    def train_on(self, run: Run) -> None:
        for epoch in run.epochs():
            risen = rampup(epoch, self.ramp * run.n_epochs)
            for batch in run.batches(unlabeled="rest", balance=self.balance):
                run.update(self.loss(batch, risen))
